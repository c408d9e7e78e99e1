//! TLS over a socket: [`SecureStream`]. It has rustls turn bytes into records and back, and moves those.
//!
//! What it owns is bounded: rustls keeps at most one record that has not come to its end (64 KiB while it is a
//! part of a handshake), and what is sent is encrypted in pieces, the next one when the last one is gone.

use std::io::{self, Read, Write};
use std::ops::Range;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use rustls::{ServerConfig, ServerConnection};

use super::transport::Layer;
use crate::sys::file;
use crate::sys::socket::Stream;

/// Bytes that are encrypted before the socket is asked for room again.
const PIECE_BYTES_MAX: usize = 32 * 1024;
/// A record that had come only in part when the buffer was lent makes so many bytes more.
const RECORD_BYTES_MAX: usize = 16 * 1024 + 2048;
/// Times that the socket is asked in one call, where what comes makes no bytes for the connection.
const ROUNDS_MAX: usize = 16;
/// RFC 8446 §5.1: with this the first record of a handshake begins.
const HANDSHAKE: u8 = 22;
/// To whoever speaks HTTP without TLS. No more of it is looked at, so it names no date.
const SPEAK_TLS: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 32\r\n\r\nthis port speaks TLS: use https\n";

/// A connection over TLS. Dropping it says to the peer that it ends, and closes it.
pub struct SecureStream {
    socket: Stream,
    tls: ServerConnection,
    /// Something has been received.
    begun: bool,
    /// The peer has said that it sends no more.
    peer_closed: bool,
    /// The peer was told so.
    closed: bool,
    /// What was encrypted last waits for what comes next.
    gathering: bool,
    /// There may be more for the connection without an event.
    holds: bool,
    /// What to say once all that came before has been passed on.
    broken: Option<io::ErrorKind>,
}

impl SecureStream {
    /// A connection that was just accepted, on which the peer is to begin.
    ///
    /// # Errors
    /// Only where this program is wrong.
    pub fn new(socket: Stream, configuration: Arc<ServerConfig>) -> Result<SecureStream, rustls::Error> {
        let mut tls = ServerConnection::new(configuration)?;
        // The bound is ours: a piece, when nothing else is on its way.
        tls.set_buffer_limit(None);
        let (begun, peer_closed, closed) = (false, false, false);
        let (gathering, holds, broken) = (false, false, None);
        Ok(SecureStream { socket, tls, begun, peer_closed, closed, gathering, holds, broken })
    }

    /// The socket.
    pub fn socket(&self) -> &Stream {
        &self.socket
    }

    /// How it stands.
    pub fn layer(&self) -> Layer {
        Layer { handshaking: self.tls.is_handshaking(), owes: self.tls.wants_write(), holds: self.holds }
    }

    /// Receives what is there; no bytes mean the end, as the peer has said it. `records` is lent for
    /// what comes from the socket, as long as `buffer`.
    ///
    /// # Errors
    /// `WouldBlock` where nothing is there; others mean that the connection is gone, an end that the
    /// peer has not said among them (RFC 8446 §6.1).
    pub fn receive(&mut self, buffer: &mut [u8], records: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        let result = self.receive_rounds(buffer, &mut filled, records);
        if let Err(error) = &result
            && filled > 0
            && error.kind() != io::ErrorKind::WouldBlock
        {
            self.broken = Some(error.kind());
            self.holds = true;
        }
        if filled > 0 { Ok(filled) } else { result.map(|()| 0) }
    }

    /// Until there are bytes for the connection and, as far as is known, none on the socket.
    fn receive_rounds(
        &mut self,
        buffer: &mut [u8],
        filled: &mut usize,
        records: &mut [u8],
    ) -> io::Result<()> {
        if let Some(broken) = self.broken {
            return Err(broken.into());
        }
        self.holds = false;
        for _ in 0..ROUNDS_MAX {
            if self.peer_closed {
                self.holds = *filled > 0;
                return Ok(());
            }
            let room = buffer.len().saturating_sub(*filled + RECORD_BYTES_MAX).min(records.len());
            if room == 0 {
                self.holds = true;
                return Ok(());
            }
            let count = self.socket.receive(&mut records[..room])?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.open_records(&records[..count], buffer, filled)?;
            // epoll(7): fewer bytes than there was room for, and all that was there is taken.
            if *filled > 0 && count < room && !self.peer_closed {
                return Ok(());
            }
        }
        self.holds = true;
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn open_records(&mut self, mut records: &[u8], buffer: &mut [u8], filled: &mut usize) -> io::Result<()> {
        if !self.begun {
            self.begun = true;
            self.expect_tls(records)?;
        }
        while !records.is_empty() && !self.peer_closed {
            if self.tls.read_tls(&mut records)? == 0 {
                return Err(io::ErrorKind::InvalidData.into());
            }
            let state = self.tls.process_new_packets();
            while *filled < buffer.len() {
                match self.tls.reader().read(&mut buffer[*filled..]) {
                    Ok(count @ 1..) => *filled += count,
                    _ => break,
                }
            }
            match state {
                Ok(state) => self.peer_closed = state.peer_has_closed(),
                Err(error) => {
                    // It has left an alert for the peer.
                    let _ = self.flush();
                    self.closed = true;
                    return Err(io::Error::new(io::ErrorKind::InvalidData, error));
                }
            }
        }
        match self.flush() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            result => result,
        }
    }

    /// A peer that speaks plain HTTP hears of it in plain HTTP.
    fn expect_tls(&mut self, beginning: &[u8]) -> io::Result<()> {
        match beginning.first() {
            Some(first) if *first != HANDSHAKE && first.is_ascii_alphabetic() => {
                let _ = self.socket.send(SPEAK_TLS, false);
                let _ = self.socket.shut_down();
                self.closed = true;
                Err(io::Error::new(io::ErrorKind::InvalidData, "plain HTTP"))
            }
            _ => Ok(()),
        }
    }

    /// Takes as much as there is room for. With `more`, a piece waits for what is sent next.
    ///
    /// # Errors
    /// `WouldBlock` where there is no room; others mean that the connection is gone.
    pub fn send(&mut self, bytes: &[u8], more: bool) -> io::Result<usize> {
        self.flush()?;
        let mut sent = 0;
        for piece in bytes.chunks(PIECE_BYTES_MAX) {
            self.tls.writer().write_all(piece)?;
            sent += piece.len();
            if more && sent == bytes.len() {
                self.gathering = true;
                break;
            }
            match self.flush() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                result => result?,
            }
        }
        Ok(sent)
    }

    /// Takes of a file as much as there is room for, by way of `buffer`; no bytes mean that the file ends
    /// before the range begins.
    ///
    /// # Errors
    /// `WouldBlock` where there is no room; others mean that the connection or the file is gone.
    pub fn send_file(
        &mut self,
        file: BorrowedFd<'_>,
        range: Range<u64>,
        buffer: &mut [u8],
    ) -> io::Result<usize> {
        // A head that waits goes out with the first piece.
        if !self.gathering {
            self.flush()?;
        }
        let mut sent = 0;
        while range.start + sent < range.end {
            let left = usize::try_from(range.end - range.start - sent).unwrap_or(usize::MAX);
            let room = left.min(PIECE_BYTES_MAX).min(buffer.len());
            let count = file::read(file, &mut buffer[..room], range.start + sent)?;
            if count == 0 {
                break;
            }
            self.tls.writer().write_all(&buffer[..count])?;
            sent += count as u64;
            match self.flush() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                result => result?,
            }
        }
        if sent == 0 {
            self.flush()?;
        }
        Ok(usize::try_from(sent).unwrap_or(usize::MAX))
    }

    /// Says to the peer that nothing more will be sent, and behind that that the socket ends.
    pub fn shut_down(&mut self) {
        self.say_end();
        // Where the connection is gone already, the next receive says so.
        let _ = self.socket.shut_down();
    }

    fn say_end(&mut self) {
        if !self.closed && !self.tls.is_handshaking() {
            self.closed = true;
            self.tls.send_close_notify();
            let _ = self.flush();
        }
    }

    /// Sends what is ready.
    fn flush(&mut self) -> io::Result<()> {
        self.gathering = false;
        while self.tls.wants_write() {
            if self.tls.write_tls(&mut Records(&self.socket))? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        Ok(())
    }
}

impl Drop for SecureStream {
    fn drop(&mut self) {
        self.say_end();
    }
}

/// The socket, for rustls to write records to.
struct Records<'a>(&'a Stream);

impl Write for Records<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes, false)
    }

    fn write_vectored(&mut self, parts: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.0.send_parts(parts)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;
    use std::time::Duration;

    use rustls::pki_types::{CertificateDer, ServerName};
    use rustls::{ClientConfig, ClientConnection, RootCertStore};

    use super::*;
    use crate::driver::certificate::{Certificate, CertificateFiles};
    use crate::driver::session::RECEIVE_BYTES_MAX;
    use crate::sys::socket::Listener;

    /// A connection and its peer, of which both have agreed.
    fn agreed() -> (SecureStream, ClientConnection, TcpStream) {
        let home = tempfile::tempdir().unwrap();
        let files = CertificateFiles { certificate: home.path().join("c"), key: home.path().join("k") };
        let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(&files.certificate, pair.cert.pem()).unwrap();
        std::fs::write(&files.key, pair.signing_key.serialize_pem()).unwrap();
        let configuration = Certificate::read(files).unwrap().current().get();

        let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), false).unwrap();
        let mut socket = TcpStream::connect(listener.address().unwrap()).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut stream = SecureStream::new(listener.accept().unwrap().0, configuration).unwrap();

        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(pair.cert.der().to_vec())).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
        assert!(stream.layer().handshaking);
        while client.is_handshaking() || stream.layer().handshaking {
            while client.wants_write() {
                client.write_tls(&mut socket).unwrap();
            }
            let received = receive(&mut stream, RECEIVE_BYTES_MAX);
            assert_eq!(received.map_err(|error| error.kind()), Err(io::ErrorKind::WouldBlock));
            if client.is_handshaking() {
                client.read_tls(&mut socket).unwrap();
                client.process_new_packets().unwrap();
            }
        }
        (stream, client, socket)
    }

    fn receive(stream: &mut SecureStream, bytes_max: usize) -> io::Result<Vec<u8>> {
        let (mut buffer, mut records) = (vec![0; bytes_max], vec![0; RECEIVE_BYTES_MAX]);
        let count = stream.receive(&mut buffer, &mut records)?;
        buffer.truncate(count);
        Ok(buffer)
    }

    #[test]
    fn what_there_is_no_room_for_is_owed_and_goes_out_when_there_is() {
        let (mut stream, mut client, mut socket) = agreed();
        let bytes: Vec<u8> = (0..100_000_u32).map(|at| (at % 251) as u8).collect();
        let mut sent = Vec::new();
        // As much as there is room for; then it holds one piece, and takes no more.
        while let Ok(count) = stream.send(&bytes, false) {
            sent.extend_from_slice(&bytes[..count]);
            assert!(count == bytes.len() || stream.layer().owes);
            assert!(sent.len() < 1 << 28, "the socket takes everything");
        }
        assert!(stream.layer().owes);
        assert_eq!(stream.send(b"", false).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        let mut received = Vec::new();
        while received.len() < sent.len() {
            client.read_tls(&mut socket).unwrap();
            let count = client.process_new_packets().unwrap().plaintext_bytes_to_read();
            let begin = received.len();
            received.resize(begin + count, 0);
            client.reader().read_exact(&mut received[begin..]).unwrap();
            let _ = stream.send(b"", false);
        }
        assert!(received == sent);
        assert!(!stream.layer().owes && stream.send(b"", false).is_ok());
    }

    #[test]
    fn what_came_is_had_without_an_event_where_the_buffer_was_full() {
        let (mut stream, mut client, mut socket) = agreed();
        let bytes: Vec<u8> = (0..60_000_u32).map(|at| (at % 251) as u8).collect();
        client.set_buffer_limit(None);
        client.writer().write_all(&bytes).unwrap();
        client.send_close_notify();
        while client.wants_write() {
            client.write_tls(&mut socket).unwrap();
        }
        // Little room: less than what has come, with room for one record that came in part.
        let mut received = Vec::new();
        loop {
            let part = receive(&mut stream, 20_000).unwrap();
            if part.is_empty() {
                break;
            }
            received.extend_from_slice(&part);
            assert!(stream.layer().holds, "no event will tell of what is left");
        }
        assert!(received == bytes);
        // The end that was said is one for good.
        assert_eq!(receive(&mut stream, 20_000).unwrap(), b"");
    }
}
