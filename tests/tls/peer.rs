//! A client over TLS that has its records in hand: it can send them in pieces of any size, or not at all.

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, RootCertStore, SupportedProtocolVersion};
use tempfile::TempDir;
use tests::{PATIENCE, Server};

/// A certificate for `localhost` and its key, in files.
pub(crate) struct Identity {
    home: TempDir,
}

impl Identity {
    pub(crate) fn new() -> Identity {
        let identity = Identity { home: tempfile::tempdir().unwrap() };
        identity.renew();
        identity
    }

    pub(crate) fn certificate(&self) -> PathBuf {
        self.home.path().join("certificate.pem")
    }

    pub(crate) fn key(&self) -> PathBuf {
        self.home.path().join("key.pem")
    }

    /// Puts another pair in place.
    pub(crate) fn renew(&self) {
        let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(self.certificate(), pair.cert.pem()).unwrap();
        fs::write(self.key(), pair.signing_key.serialize_pem()).unwrap();
    }

    /// A server that shows it.
    #[track_caller]
    pub(crate) fn server(&self, flags: &[&str]) -> Server {
        let (certificate, key) = (self.certificate(), self.key());
        let own = ["--tls-certificate", text(&certificate), "--tls-key", text(&key)];
        Server::start(&[&own, flags].concat())
    }

    /// A client that trusts what is in the files now, and no other.
    pub(crate) fn trust(&self) -> Trust {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.certificate()).unwrap()).unwrap();
        Trust {
            roots: Arc::new(roots),
            versions: vec![&TLS13, &TLS12],
            protocols: vec![b"http/1.1".to_vec()],
        }
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// How a client speaks.
#[derive(Clone)]
pub(crate) struct Trust {
    roots: Arc<RootCertStore>,
    pub(crate) versions: Vec<&'static SupportedProtocolVersion>,
    pub(crate) protocols: Vec<Vec<u8>>,
}

impl Trust {
    /// The client's half, without a socket.
    pub(crate) fn begin(&self) -> ClientConnection {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&self.versions)
            .unwrap()
            .with_root_certificates(Arc::clone(&self.roots))
            .with_no_client_auth();
        config.alpn_protocols.clone_from(&self.protocols);
        ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap()
    }

    /// A connection, agreed with the server.
    pub(crate) fn connect(&self, address: SocketAddr) -> io::Result<Peer> {
        self.connect_cut(address, usize::MAX)
    }

    /// The same, with what it sends cut into pieces.
    pub(crate) fn connect_cut(&self, address: SocketAddr, piece_bytes: usize) -> io::Result<Peer> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let mut peer = Peer { stream, tls: self.begin(), piece_bytes, received: Vec::new() };
        while peer.tls.is_handshaking() {
            peer.write_out()?;
            if peer.tls.is_handshaking() {
                peer.read_in()?;
            }
        }
        peer.write_out()?;
        Ok(peer)
    }
}

/// One connection.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    pub(crate) tls: ClientConnection,
    piece_bytes: usize,
    received: Vec<u8>,
}

impl Peer {
    /// The records that are ready.
    pub(crate) fn records(&mut self) -> Vec<u8> {
        let mut records = Vec::new();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut records).unwrap();
        }
        records
    }

    /// The records of `bytes`, in the order of the connection.
    pub(crate) fn seal(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut records = Vec::new();
        for piece in bytes.chunks(1 << 14) {
            self.tls.writer().write_all(piece).unwrap();
            records.append(&mut self.records());
        }
        records
    }

    fn write_out(&mut self) -> io::Result<()> {
        let records = self.records();
        for piece in records.chunks(self.piece_bytes) {
            self.stream.write_all(piece)?;
            if self.piece_bytes < usize::MAX {
                // So that each arrives by itself, as far as that can be had.
                std::thread::yield_now();
            }
        }
        Ok(())
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        for piece in bytes.as_ref().chunks(1 << 14) {
            self.tls.writer().write_all(piece)?;
            self.write_out()?;
        }
        Ok(())
    }

    /// Reads from the socket once; whether there was anything.
    fn read_in(&mut self) -> io::Result<bool> {
        let count = self.tls.read_tls(&mut self.stream)?;
        let state =
            self.tls.process_new_packets().map_err(|error| io::Error::new(ErrorKind::InvalidData, error));
        if state.is_err() {
            // The server is to hear why.
            let _ = self.write_out();
        }
        let mut plain = vec![0; state?.plaintext_bytes_to_read()];
        self.tls.reader().read_exact(&mut plain)?;
        self.received.append(&mut plain);
        if count == 0 && self.tls.is_handshaking() {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(count > 0)
    }

    /// Reads `count` bytes.
    #[track_caller]
    pub(crate) fn take(&mut self, count: usize) -> Vec<u8> {
        while self.received.len() < count {
            assert!(self.read_in().unwrap(), "the connection ended behind {} bytes", self.received.len());
        }
        self.received.drain(..count).collect()
    }

    /// Reads an answer: its head, and its content.
    #[track_caller]
    pub(crate) fn answer(&mut self, method: &str) -> (String, Vec<u8>) {
        let end = loop {
            if let Some(at) = self.received.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            assert!(self.read_in().unwrap(), "no answer: {:?}", self.received.escape_ascii().to_string());
        };
        let head = String::from_utf8(self.take(end)).unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        let length = length.filter(|_| method != "HEAD").map_or(0, |length| length.parse().unwrap());
        let content = self.take(length);
        (head, content)
    }

    #[track_caller]
    pub(crate) fn ask(&mut self, line: &str, content: &[u8]) -> (String, Vec<u8>) {
        let mut request = format!("{line} HTTP/1.1\r\nHost: localhost\r\n");
        if !content.is_empty() {
            request += &format!("Content-Length: {}\r\n", content.len());
        }
        self.send([request.as_bytes(), b"\r\n", content].concat()).unwrap();
        self.answer(line.split(' ').next().unwrap())
    }

    /// Says that no more will be sent, by TLS alone.
    pub(crate) fn say_end(&mut self) {
        self.tls.send_close_notify();
        self.write_out().unwrap();
    }

    /// Ends the socket's side without a word by TLS.
    pub(crate) fn cut_off(&mut self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// Reads to the end; all that came, and whether the server said its end by TLS.
    pub(crate) fn rest(&mut self) -> (Vec<u8>, bool) {
        while let Ok(true) = self.read_in() {}
        let said = matches!(self.tls.reader().read(&mut [0]), Ok(0));
        (std::mem::take(&mut self.received), said)
    }
}
