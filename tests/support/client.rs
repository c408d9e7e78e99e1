//! A client that sends bytes as they are given and believes nothing that it reads.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use crate::{Answer, PATIENCE, Server};

/// One connection to a server. No call waits longer than [`PATIENCE`] for the next bytes.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Client {
    /// Connects.
    #[track_caller]
    pub fn connect(address: SocketAddr) -> Client {
        let stream = TcpStream::connect_timeout(&address, PATIENCE).expect("the server accepts");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit can be set");
        stream.set_write_timeout(Some(PATIENCE)).expect("a time limit can be set");
        // Bytes given one at a time travel one at a time.
        stream.set_nodelay(true).expect("delays can be switched off");
        Client { stream, received: Vec::new() }
    }

    /// Sends bytes as they are.
    #[track_caller]
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("the server takes bytes");
    }

    /// Sends what the server takes within `time` of the last byte taken; says how many bytes it took.
    pub fn send_while_taken(&mut self, bytes: &[u8], time: Duration) -> usize {
        self.stream.set_write_timeout(Some(time)).expect("a time limit can be set");
        let mut sent = 0;
        while sent < bytes.len() {
            match self.stream.write(&bytes[sent..]) {
                Ok(more) => sent += more,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("sending: {error}"),
            }
        }
        sent
    }

    /// Sends no more, and goes on reading.
    pub fn end(&mut self) {
        self.stream.shutdown(Shutdown::Write).expect("the connection is open");
    }

    /// Sends a request for one method and target (`"PUT /files/a"`); reads its answer.
    #[track_caller]
    pub fn ask(&mut self, line: &str, content: impl AsRef<[u8]>) -> Answer {
        self.send(request(line, content));
        self.answer(method(line.as_bytes()))
    }

    /// Reads one answer to `method`.
    #[track_caller]
    pub fn answer(&mut self, method: &str) -> Answer {
        let mut answer = self.head(method);
        let mut content = Vec::new();
        self.content(answer.content_length(method), |bytes| content.extend_from_slice(bytes));
        answer.content = content;
        answer.check_content(method);
        answer
    }

    /// One request and its answer; nothing where the connection breaks before all of that is through.
    pub fn exchange_unless_broken(&mut self, method: &str, request: &[u8]) -> Option<Answer> {
        self.stream.write_all(request).ok()?;
        let mut buffer = [0; 1 << 12];
        loop {
            if let Some(head) = self.head_length() {
                let answer = Answer::parse(&self.received[..head], method);
                if (self.received.len() - head) as u64 >= answer.content_length(method) {
                    return Some(self.answer(method));
                }
            }
            match self.stream.read(&mut buffer) {
                Ok(count @ 1..) => self.received.extend_from_slice(&buffer[..count]),
                _ => return None,
            }
        }
    }

    /// Reads the head of one answer to `method`.
    #[track_caller]
    pub fn head(&mut self, method: &str) -> Answer {
        let length = loop {
            if let Some(length) = self.head_length() {
                break length;
            }
            let so_far = self.received.escape_ascii().to_string();
            assert!(self.receive(), "the connection ended where an answer was due, after {so_far:?}");
        };
        let head: Vec<u8> = self.received.drain(..length).collect();
        Answer::parse(&head, method)
    }

    /// Reads `length` bytes of content, piece by piece.
    #[track_caller]
    pub fn content(&mut self, length: u64, mut take: impl FnMut(&[u8])) {
        let mut left = length;
        while left > 0 {
            if self.received.is_empty() {
                assert!(self.receive(), "the connection ended {left} bytes before its content did");
            }
            let piece = usize::try_from(left).unwrap_or(usize::MAX).min(self.received.len());
            take(&self.received[..piece]);
            self.received.drain(..piece);
            left -= piece as u64;
        }
    }

    /// Reads to the end, where nothing may come any more.
    #[track_caller]
    pub fn expect_end(&mut self) {
        assert!(
            self.received.is_empty() && !self.receive(),
            "bytes behind the last answer: {}",
            self.received.escape_ascii()
        );
    }

    /// Whether nothing comes for so long.
    pub fn hears_nothing_for(&mut self, time: Duration) -> bool {
        self.stream.set_read_timeout(Some(time)).expect("a time limit can be set");
        let heard = self.stream.peek(&mut [0]);
        self.stream.set_read_timeout(Some(PATIENCE)).expect("a time limit can be set");
        self.received.is_empty() && heard.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }

    /// Reads until the server ends the connection, in order or not; says how many bytes came.
    pub fn count_to_end(&mut self) -> u64 {
        let mut count = self.received.len() as u64;
        let mut buffer = vec![0; 1 << 16];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return count,
                Ok(more) => count += more as u64,
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => panic!("the server does not end the connection: {error}"),
            }
        }
    }

    /// Checks that the connection is alive and in step: the next request gets the next answer.
    #[track_caller]
    pub fn expect_alive(&mut self) {
        self.send("GET /echo/alive HTTP/1.1\r\nHost: h\r\n\r\n");
        let answer = self.answer("GET");
        assert_eq!((answer.status, answer.text()), (200, "alive"));
    }

    /// This side's address, as the server's log names it.
    pub fn address(&self) -> SocketAddr {
        self.stream.local_addr().expect("the connection has an address")
    }

    /// The length of the head that has come, its empty line included.
    fn head_length(&self) -> Option<usize> {
        self.received.windows(4).position(|bytes| bytes == b"\r\n\r\n").map(|at| at + 4)
    }

    /// Waits for more bytes; false where the server has ended the connection in order.
    #[track_caller]
    fn receive(&mut self) -> bool {
        let mut buffer = [0; 1 << 16];
        match self.stream.read(&mut buffer) {
            Ok(count) => {
                self.received.extend_from_slice(&buffer[..count]);
                count > 0
            }
            // A signal that is none of the client's concern: that its server has ended, say.
            Err(error) if error.kind() == ErrorKind::Interrupted => self.receive(),
            Err(error) => panic!("reading, after {:?}: {error}", self.received.escape_ascii().to_string()),
        }
    }
}

/// A request for one method and target (`"PUT /files/a"`), with the length of its content.
pub fn request(line: &str, content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    let mut bytes = format!("{line} HTTP/1.1\r\nHost: h\r\n").into_bytes();
    if !content.is_empty() || line.starts_with('P') {
        bytes.extend_from_slice(format!("Content-Length: {}\r\n", content.len()).as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(content);
    bytes
}

/// One request and its answer on a connection of their own.
#[track_caller]
pub fn exchange(server: &Server, line: &str, content: impl AsRef<[u8]>) -> Answer {
    let mut client = server.connect();
    client.send(request(line, content));
    client.answer(method(line.as_bytes()))
}

/// Sends a request on a connection of its own. `expected` is the status of its answer, and whether
/// the server must `keep` the connection, in step, or `close` it, in order, behind it.
#[track_caller]
pub fn check(server: &Server, request: impl AsRef<[u8]>, expected: &str) -> Answer {
    let request = request.as_ref();
    let mut client = server.connect();
    client.send(request);
    let answer = client.answer(method(request));
    let start = request[..request.len().min(200)].escape_ascii().to_string();
    let (status, fate) = expected.split_once(' ').expect("a status and a fate");
    assert_eq!(answer.status.to_string(), status, "{start}\n{}", String::from_utf8_lossy(&answer.content));
    let machine_path = server.directory().to_str().expect("the directory's path is text");
    assert!(
        !String::from_utf8_lossy(&answer.content).contains(machine_path),
        "{start}: a path of the machine"
    );
    match fate {
        "keep" => {
            assert!(!answer.closes(), "{start}: Connection: close");
            client.expect_alive();
        }
        "close" => {
            assert!(answer.closes(), "{start}: no Connection: close");
            client.expect_end();
        }
        _ => panic!("{expected:?} is no expectation"),
    }
    answer
}

fn method(request: &[u8]) -> &str {
    let end = request.iter().position(|byte| *byte == b' ').unwrap_or(0);
    str::from_utf8(&request[..end]).unwrap_or_default()
}
