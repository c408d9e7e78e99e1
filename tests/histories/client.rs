//! A client of a history: it asks, reads strictly, and keeps what it saw.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use model::alphabet::Request;
use model::linearize::{Call, Outcome};
use model::reference::{Answer, Method, Terms};
use model::wire::{WireAnswer, read_answer};
use tests::{PATIENCE, Server};

use super::random::Random;
use super::record::Record;
use super::workload::{PATHS, Workload};

/// One connection, kept alive.
pub(crate) struct Client<'a> {
    number: usize,
    random: Random,
    stream: TcpStream,
    received: Vec<u8>,
    record: &'a Record,
    workload: &'a Workload,
    /// What stands before all paths.
    prefix: &'a str,
    /// Whether what is answered while a crash goes on counts as unheard.
    pub(crate) doubts_last_words: bool,
    seen: Seen,
}

/// What a client got.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) answered: Vec<Call>,
    /// Requests that a crash left without an answer, and when they were made.
    pub(crate) lost: Vec<(usize, Request, u64)>,
}

/// Lets all clients ask so often at once, with `beside` beside them, which can ask whether any goes on.
pub(crate) fn run_all(
    clients: Vec<Client<'_>>,
    requests: usize,
    beside: impl FnOnce(&dyn Fn() -> bool),
) -> Vec<Seen> {
    thread::scope(|scope| {
        let run = |client: Client<'_>| client.run(requests);
        let threads = clients.into_iter().map(|client| scope.spawn(move || run(client)));
        let threads: Vec<_> = threads.collect();
        beside(&|| threads.iter().any(|thread| !thread.is_finished()));
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

impl<'a> Client<'a> {
    pub(crate) fn new(
        number: usize,
        random: Random,
        server: &Server,
        record: &'a Record,
        workload: &'a Workload,
        prefix: &'a str,
    ) -> Client<'a> {
        let stream = TcpStream::connect_timeout(&server.address(), PATIENCE).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        let received = Vec::new();
        let (doubts_last_words, seen) = (false, Seen::default());
        Client { number, random, stream, received, record, workload, prefix, doubts_last_words, seen }
    }

    /// Asks so often, some requests at once, or until the connection breaks.
    fn run(mut self, requests: usize) -> Seen {
        let mut left = requests;
        while left > 0 {
            let together =
                if self.random.in_range(0..6) == 0 { 2 + self.random.in_range(0..2) as usize } else { 1 };
            let together = together.min(left);
            left -= together;
            let (random, record) = (&mut self.random, self.record);
            let requests: Vec<Request> =
                (0..together).map(|_| self.workload.request(random, record, together > 1)).collect();
            if !self.exchange(requests) {
                break;
            }
        }
        self.seen
    }

    /// Reads what is at every path, one after the other.
    pub(crate) fn read_all(mut self) -> Vec<Call> {
        for path in PATHS {
            let terms = Terms::default();
            let request = Request { method: Method::Get, path: path.to_owned(), content: None, terms };
            assert!(self.exchange(vec![request]), "nothing breaks at the end");
        }
        self.seen.answered
    }

    /// Some requests at once and their answers; false where the connection broke in a crash.
    fn exchange(&mut self, requests: Vec<Request>) -> bool {
        let mut requests: Vec<(Request, u64)> =
            requests.into_iter().map(|request| (request, self.record.now())).collect();
        let bytes: Vec<u8> = requests.iter().flat_map(|(request, _)| self.on_the_wire(request)).collect();
        self.send(&bytes);
        if self.random.in_range(0..6) == 0 {
            // So that the server has to wait in the middle of a long answer.
            self.pause();
        }
        while !requests.is_empty() {
            let Some(wire) = self.answer(requests[0].0.method == Method::Head) else {
                assert!(self.record.crashing.load(Ordering::SeqCst), "a connection was lost");
                break;
            };
            if self.doubts_last_words && self.record.crashing.load(Ordering::SeqCst) {
                break;
            }
            let at = self.record.now();
            let (request, invoked) = requests.remove(0);
            assert!(wire.status < 500, "{request}: {wire:?}");
            assert_eq!(wire.field("connection"), "", "{request}: {wire:?}");
            let outcome = Outcome::Answered { at, answer: self.read(&request, wire) };
            self.seen.answered.push(Call { client: self.number, request, invoked, outcome });
            self.record.answered.fetch_add(1, Ordering::SeqCst);
        }
        let whole = requests.is_empty();
        let lost = requests.into_iter().map(|(request, invoked)| (self.number, request, invoked));
        self.seen.lost.extend(lost);
        whole
    }

    fn on_the_wire(&self, request: &Request) -> Vec<u8> {
        let path = format!("{}/{}", self.prefix, request.path);
        Request { path, ..request.clone() }.on_the_wire(|number| self.record.text(number))
    }

    /// Sends, and pauses amid long content; that the connection is broken shows when nothing comes.
    fn send(&mut self, bytes: &[u8]) {
        let pause_at = if bytes.len() > 60 << 10 { bytes.len() / 2 } else { bytes.len() };
        let (begin, end) = bytes.split_at(pause_at);
        if self.stream.write_all(begin).is_ok() && !end.is_empty() {
            self.pause();
            let _ = self.stream.write_all(end);
        }
    }

    fn pause(&mut self) {
        thread::sleep(Duration::from_micros(self.random.in_range(0..2_000)));
    }

    /// The next answer; nothing where the connection is lost before its end.
    fn answer(&mut self, head_only: bool) -> Option<WireAnswer> {
        let mut buffer = vec![0; 1 << 16];
        loop {
            let read = read_answer(&self.received, head_only).unwrap_or_else(|error| panic!("{error}"));
            if let Some((answer, length)) = read {
                self.received.drain(..length);
                return Some(answer);
            }
            match self.stream.read(&mut buffer) {
                Ok(count @ 1..) => self.received.extend_from_slice(&buffer[..count]),
                _ => return None,
            }
        }
    }

    /// What an answer says, with the number of its tag.
    fn read(&self, request: &Request, wire: WireAnswer) -> Answer {
        let path = &request.path;
        let tag = wire.fields.get("etag");
        assert_eq!(tag.is_some(), wire.fields.contains_key("last-modified"), "{request}: {wire:?}");
        let version = tag.map(|tag| self.record.number(path, tag));
        let range = wire.field("content-range").split_once('/').map(|(_, length)| length.parse().unwrap());
        let offset = wire.fields.get("upload-offset").map(|length| length.parse().unwrap());
        let length = range.or(offset);
        let content_length = wire.field("content-length").parse().unwrap_or(0);
        let read = match (request.method, wire.status) {
            // What it shows is not of one moment, but that the directory was there is.
            _ if request.lists() => None,
            (Method::Get, 200 | 206) => Some(wire.content),
            // The length is all that there is to see of it.
            (Method::Head, 200) => Some(vec![0; content_length]),
            _ => None,
        };
        if let Some(length) = length.or(read.as_ref().map(|read| read.len() as u64)) {
            self.record.see_length(path, length);
        }
        Answer { status: wire.status, read, version, length }
    }
}
