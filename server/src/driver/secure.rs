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
