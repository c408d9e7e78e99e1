//! How little a request can cost: one thread, epoll, the bare system calls, and no HTTP but where a head
//! ends. These are no servers: they believe whatever they are sent.
//!
//! `floor KIND PORT DIRECTORY`, where KIND is one of `echo`, `close`, `open`, `not-modified`, `range`, `put`.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a measurement that fails is none"
)]

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use http_server::sys::epoll::{Epoll, EventBuffer, Readiness};
use http_server::sys::socket::{Listener, Stream};

/// Files up to this long go out with their head in one send.
const COPY_BYTES_MAX: u64 = 64 * 1024;
/// What one turn sends of a longer one.
const SLICE_BYTES: u64 = 256 * 1024;
/// Which part `range` sends.
const PART: Range<u64> = 5_000_000..5_004_096;
const LISTENER: u64 = u64::MAX;

struct Floor {
    kind: String,
    root: PathBuf,
    epoll: Epoll,
    connections: Vec<Option<Connection>>,
    buffer: Vec<u8>,
    output: Vec<u8>,
    staged: u64,
}

struct Connection {
    stream: Stream,
    /// A head that has not come to its end.
    unread: Vec<u8>,
    sending: Option<(File, Range<u64>)>,
    taking: Option<(File, PathBuf, PathBuf, u64)>,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, port, root] = &arguments[..] else { panic!("floor KIND PORT DIRECTORY") };
    let listener =
        Listener::bind(format!("127.0.0.1:{port}").parse().expect("a port"), false).expect("it is free");
    let epoll = Epoll::new().unwrap();
    epoll.add(listener.as_fd(), Readiness::READABLE, LISTENER).unwrap();
    let _ = http_server::sys::descriptors::raise_limit();
    let mut floor = Floor {
        kind: kind.clone(),
        root: PathBuf::from(root),
        epoll,
        connections: Vec::new(),
        buffer: vec![0; 256 * 1024],
        output: Vec::new(),
        staged: 0,
    };
    let mut events = EventBuffer::new(256);
    let mut again: Vec<usize> = Vec::new();
    loop {
        let timeout = (!again.is_empty()).then_some(std::time::Duration::ZERO);
        let mut ready = std::mem::take(&mut again);
        let mut incoming = false;
        for event in floor.epoll.wait(&mut events, timeout).unwrap() {
            match event.key {
                LISTENER => incoming = true,
                key if !ready.contains(&(key as usize)) => ready.push(key as usize),
                _ => {}
            }
        }
        while incoming && let Ok((stream, _)) = listener.accept() {
            ready.push(floor.admit(stream));
        }
        for key in ready {
            match floor.serve(key) {
                Ok(true) => again.push(key),
                Ok(false) => {}
                Err(_) => floor.connections[key] = None,
            }
        }
    }
}

impl Floor {
    fn admit(&mut self, stream: Stream) -> usize {
        let free = self.connections.iter().position(Option::is_none);
        let key = free.unwrap_or_else(|| {
            self.connections.push(None);
            self.connections.len() - 1
        });
        let interest = Readiness::READABLE.and(Readiness::WRITABLE);
        self.epoll.add(stream.as_fd(), interest, key as u64).unwrap();
        self.connections[key] = Some(Connection { stream, unread: Vec::new(), sending: None, taking: None });
        key
    }

    /// Whether it could go on at once; an error closes the connection.
    fn serve(&mut self, key: usize) -> io::Result<bool> {
        let Some(mut connection) = self.connections[key].take() else { return Ok(false) };
        let result = self.turn(&mut connection);
        match result {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.connections[key] = Some(connection);
                Ok(false)
            }
            Err(error) => Err(error),
            Ok(more) => {
                self.connections[key] = Some(connection);
                Ok(more)
            }
        }
    }

    fn turn(&mut self, connection: &mut Connection) -> io::Result<bool> {
        if connection.sending.is_some() {
            return send_slice(connection);
        }
        let count = connection.stream.receive(&mut self.buffer)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let buffer = std::mem::take(&mut self.buffer);
        let result = self.take(connection, &buffer[..count]);
        self.buffer = buffer;
        let more = result? || count == self.buffer.len();
        if !self.output.is_empty() {
            let sent = connection.stream.send(&self.output, connection.sending.is_some())?;
            assert_eq!(sent, self.output.len(), "there is room for so little");
            self.output.clear();
            if self.kind == "close" {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(more || connection.sending.is_some() && send_slice(connection)?)
    }

    /// Answers every request in `bytes`; whether there is more to receive of content.
    fn take(&mut self, connection: &mut Connection, bytes: &[u8]) -> io::Result<bool> {
        let whole;
        let mut rest = bytes;
        if connection.taking.is_some() {
            return self.take_content(connection, rest);
        }
        if !connection.unread.is_empty() {
            whole = [&std::mem::take(&mut connection.unread)[..], bytes].concat();
            rest = &whole;
        }
        while !rest.is_empty() {
            let Some(end) = rest.windows(4).position(|four| four == b"\r\n\r\n") else {
                connection.unread = rest.to_vec();
                return Ok(false);
            };
            let head = &rest[..end + 4];
            rest = &rest[end + 4..];
            self.answer(connection, head)?;
            if connection.taking.is_some() {
                return self.take_content(connection, rest);
            }
        }
        Ok(false)
    }

    fn answer(&mut self, connection: &mut Connection, head: &[u8]) -> io::Result<()> {
        let path = || {
            let mut words = head.split(|byte| *byte == b' ');
            let target = words.nth(1).and_then(|target| str::from_utf8(target).ok()).unwrap_or_default();
            self.root.join(target.trim_start_matches('/'))
        };
        let ok = |length: u64| format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
        match self.kind.as_str() {
            "echo" | "close" => {
                self.output.extend_from_slice(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
            }
            "not-modified" => {
                fs::symlink_metadata(path())?;
                self.output.extend_from_slice(b"HTTP/1.1 304 Not Modified\r\n\r\n");
            }
            "open" | "range" => {
                let file = File::open(path())?;
                let length = file.metadata()?.len();
                let part = if self.kind == "range" { PART } else { 0..length };
                self.output.extend_from_slice(ok(part.end - part.start).as_bytes());
                if part.end - part.start > COPY_BYTES_MAX {
                    connection.sending = Some((file, part));
                    return Ok(());
                }
                let begin = self.output.len();
                self.output.resize(begin + (part.end - part.start) as usize, 0);
                file.read_exact_at(&mut self.output[begin..], part.start)?;
            }
            "put" => {
                let path = path();
                self.staged += 1;
                let staged = self.root.join(format!("staged-{}", self.staged));
                let length = str::from_utf8(head).ok().and_then(content_length).unwrap_or(0);
                // One that ended in the middle of an upload may have left one.
                connection.taking = Some((File::create(&staged)?, staged, path, length));
            }
            kind => panic!("{kind} is no kind of floor"),
        }
        Ok(())
    }

    fn take_content(&mut self, connection: &mut Connection, bytes: &[u8]) -> io::Result<bool> {
        let Some((file, staged, path, left)) = &mut connection.taking else { return Ok(false) };
        io::Write::write_all(file, bytes)?;
        *left = left.saturating_sub(bytes.len() as u64);
        if *left > 0 {
            return Ok(!bytes.is_empty());
        }
        publish(staged, path)?;
        connection.taking = None;
        self.output.extend_from_slice(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
        Ok(false)
    }
}

fn publish(staged: &Path, path: &Path) -> io::Result<()> {
    fs::rename(staged, path)
}

fn content_length(head: &str) -> Option<u64> {
    let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with("content-length:"))?;
    line.split(':').nth(1)?.trim().parse().ok()
}

/// Whether there is more of it.
fn send_slice(connection: &mut Connection) -> io::Result<bool> {
    let Some((file, part)) = &mut connection.sending else { return Ok(false) };
    let slice = part.start..part.end.min(part.start + SLICE_BYTES);
    part.start += connection.stream.send_file(file.as_fd(), slice.clone())? as u64;
    if part.is_empty() {
        connection.sending = None;
        return Ok(false);
    }
    if part.start < slice.end { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(true) }
}
