//! A client: asks, sends what it asks in pieces, reads answers strictly, and may break off at any
//! point: [`Client`].

use std::collections::{BTreeMap, VecDeque};

use super::faults::Fault;
use super::recorder::{NO_TAG, Recorder};
use super::world::State;
use crate::alphabet::{Content, METHODS, Request};
use crate::reference::{Date, Method, Terms, Versions};
use crate::wire::{WireAnswer, read_answer};

/// Paths that collide: files, directories of the same name, what is below them.
pub(super) const PATHS: [&str; 8] = ["a", "b", "a/b", "a/c", "d/e/f", "d/e", "d/", ".http_server/x"];

/// One client, with one connection at a time.
#[derive(Debug)]
pub(super) struct Client {
    number: usize,
    connection: Option<usize>,
    /// Requests that it still makes of its own choice.
    left: usize,
    /// Requests that it makes after those, with the version that the reference says each is about.
    given: VecDeque<(Request, Option<u64>)>,
    /// The numbers of the tags that stand for those versions.
    known: BTreeMap<u64, u64>,
    /// Requests at once.
    depth: usize,
    /// Asked, and not answered.
    pending: VecDeque<Pending>,
    outgoing: VecDeque<u8>,
    /// What is sent when the server says so, or at some time anyhow.
    withheld: Vec<u8>,
    incoming: Vec<u8>,
    /// It sends no more on this connection.
    finished: bool,
    /// It does nothing until then.
    stalled_until: u64,
    /// Requests whose connection ended without an answer.
    pub(super) unanswered: u64,
}

#[derive(Debug)]
struct Pending {
    what: Asked,
    head_only: bool,
}

#[derive(Debug)]
enum Asked {
    /// The record of a request to a file, and the version of the reference that it is about.
    File(usize, Option<u64>),
    /// `/echo/` of this.
    Echo(String),
    /// Something that is no request.
    Nonsense,
}

impl Client {
    /// One that makes so many requests, up to `depth` at once, and then these.
    pub(super) fn new(
        number: usize,
        left: usize,
        depth: usize,
        given: Vec<(Request, Option<u64>)>,
    ) -> Client {
        Client {
            number,
            connection: None,
            left,
            given: given.into(),
            known: BTreeMap::new(),
            depth,
            pending: VecDeque::new(),
            outgoing: VecDeque::new(),
            withheld: Vec::new(),
            incoming: Vec::new(),
            finished: false,
            stalled_until: 0,
            unanswered: 0,
        }
    }

    /// Whether everything was asked and answered, or given up.
    pub(super) fn is_done(&self) -> bool {
        self.left == 0 && self.given.is_empty() && self.pending.is_empty()
    }

    /// Whether there is something that it can do now.
    pub(super) fn can_act(&self, world: &State) -> bool {
        if self.stalled_until > world.now {
            return false;
        }
        match self.connection {
            None => !self.is_done() && world.listening.iter().any(|listening| !listening.closed),
            Some(number) => {
                world.has_for_client(number)
                    || !self.outgoing.is_empty()
                    || !self.withheld.is_empty()
                    || self.can_ask()
                    || (self.is_done() && !self.finished)
            }
        }
    }

    /// When it does something again that does nothing now.
    pub(super) fn next_time(&self, now: u64) -> Option<u64> {
        Some(self.stalled_until).filter(|until| *until > now)
    }

    fn can_ask(&self) -> bool {
        (self.left > 0 || !self.given.is_empty())
            && self.pending.len() < self.depth
            && !self.finished
            && self.withheld.is_empty()
    }

    /// Does one thing.
    ///
    /// # Errors
    /// Where what it was sent is no answer to what it asked.
    pub(super) fn act(&mut self, world: &mut State, recorder: &mut Recorder) -> Result<(), String> {
        let Some(number) = self.connection else {
            // Where none of the event loops that it chose listens, it tries again.
            self.connection = world.connect();
            if let Some(number) = self.connection {
                let client = self.number;
                world.note(number as u64, || format!("client {client} connects: connection {number}"));
            }
            return Ok(());
        };
        if world.seldom(Fault::Stall, 10) {
            self.stalled_until = world.now + world.random.within(0..100_000_000_000);
            return Ok(());
        }
        if world.seldom(Fault::Reset, 10) {
            let client = self.number;
            world.note(number as u64, || format!("client {client} resets connection {number}"));
            world.client_resets(number);
            self.give_up();
            return Ok(());
        }
        for _ in 0..8 {
            match world.random.below(5) {
                0 | 1 if !self.outgoing.is_empty() => {
                    self.send(number, world);
                    return Ok(());
                }
                2 if world.has_for_client(number) => return self.receive(number, world, recorder),
                3 if self.can_ask() => {
                    self.ask(world, recorder);
                    return Ok(());
                }
                4 if self.outgoing.is_empty() => {
                    self.rest(number, world);
                    return Ok(());
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// What is done seldom: not to wait for leave to send, to say that nothing more will come.
    fn rest(&mut self, number: usize, world: &mut State) {
        if !self.withheld.is_empty() {
            if world.random.chance(1, 10) {
                self.outgoing.extend(self.withheld.drain(..));
            }
        } else if !self.finished && (self.is_done() || world.seldom(Fault::HalfClose, 10)) {
            if !self.is_done() {
                let client = self.number;
                world.note(number as u64, || format!("client {client} finishes connection {number}"));
            }
            self.finished = true;
            world.client_finishes(number);
        }
    }

    fn send(&mut self, number: usize, world: &mut State) {
        let all = self.outgoing.len();
        let count = if world.strike(Fault::Cut) { world.random.length(all) } else { all };
        let bytes: Vec<u8> = self.outgoing.drain(..count).collect();
        let client = self.number;
        world.note_bytes(&bytes, || format!("client {client} sends {count} of {all} bytes"));
        world.client_sends(number, &bytes);
    }

    fn receive(&mut self, number: usize, world: &mut State, recorder: &mut Recorder) -> Result<(), String> {
        let most = if world.strike(Fault::Cut) { world.random.length(2000) } else { 1 << 20 };
        let (bytes, ended) = world.client_receives(number, most);
        let client = self.number;
        world.note_bytes(&bytes, || {
            format!(
                "client {client} receives {} bytes{}",
                bytes.len(),
                if ended { " and the end" } else { "" }
            )
        });
        self.incoming.extend(&bytes);
        while let Some((answer, length)) = self.next_answer()? {
            self.incoming.drain(..length);
            self.take(answer, world, recorder)?;
        }
        if ended && self.connection.is_some() {
            self.unanswered += self.pending.len() as u64;
            if !self.finished {
                world.client_finishes(number);
            }
            self.give_up();
        }
        Ok(())
    }

    fn next_answer(&self) -> Result<Option<(WireAnswer, usize)>, String> {
        let head_only = self.pending.front().is_some_and(|pending| pending.head_only);
        read_answer(&self.incoming, head_only)
            .map_err(|error| format!("client {} was sent no answer: {error}", self.number))
    }

    fn take(&mut self, answer: WireAnswer, world: &mut State, recorder: &mut Recorder) -> Result<(), String> {
        let (client, status) = (self.number, answer.status);
        let closes = answer.field("connection") == "close";
        world.note(u64::from(status), || {
            format!("client {client} is answered {status}{}", if closes { ", closing" } else { "" })
        });
        if status < 200 {
            self.outgoing.extend(self.withheld.drain(..));
            return Ok(());
        }
        match self.pending.pop_front() {
            // One too many, or too slow.
            None if closes && matches!(status, 408 | 503) => {}
            None => return Err(format!("client {client} asked for nothing and is answered {status}")),
            Some(pending) => match pending.what {
                Asked::File(record, version) => {
                    let tag = recorder.answered(record, &answer, world.step)?;
                    if let (Some(version), Some(tag)) = (version, tag) {
                        self.known.insert(version, tag);
                    }
                }
                Asked::Echo(value) if status == 200 && answer.content == value.as_bytes() => {}
                // What was not asked to its end.
                Asked::Echo(_) if closes && matches!(status, 408 | 503) => {}
                Asked::Nonsense if closes && (400..=505).contains(&status) => {}
                what => return Err(format!("client {client} asked for {what:?} and is answered {answer:?}")),
            },
        }
        if closes {
            // RFC 9112 §9.6: what came behind the request that this answers was not looked at.
            for pending in self.pending.drain(..) {
                if let Asked::File(record, _) = pending.what {
                    recorder.had_no_effect(record);
                }
            }
            if let Some(number) = self.connection.filter(|_| !self.finished) {
                world.client_finishes(number);
            }
            self.give_up();
            self.stalled_until = world.now + world.random.within(0..50_000_000);
        } else if !self.withheld.is_empty() && self.pending.is_empty() {
            return Err(format!("client {client} was refused its content, and the connection stays open"));
        }
        Ok(())
    }

    /// The connection is of no use any more.
    fn give_up(&mut self) {
        self.connection = None;
        self.pending.clear();
        self.outgoing.clear();
        self.withheld.clear();
        self.incoming.clear();
        self.finished = false;
    }

    /// The server is gone.
    pub(super) fn broken(&mut self) {
        self.give_up();
    }

    fn ask(&mut self, world: &mut State, recorder: &mut Recorder) {
        let client = self.number;
        if self.left == 0 {
            let Some((mut request, version)) = self.given.pop_front() else { return };
            request.terms.rename(|version| self.known.get(&version).copied().unwrap_or(NO_TAG));
            return self.ask_file(request, version, world, recorder);
        }
        self.left -= 1;
        if world.seldom(Fault::Malformed, 5) {
            const NONSENSE: [&str; 5] = [
                // Longer than any head may be.
                "GET /echo/a HTTP/1.1\r\nHost: h\r\nX: ",
                "BREW\r\n\r\n",
                "GET /files/a HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                "PUT /files/a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
                "GET /files/a HTTP/1.1\r\nHost: h\r\n folded: 1\r\n\r\n",
            ];
            let text = *world.random.pick(&NONSENSE);
            world.note(text.len() as u64, || format!("client {client} asks for nonsense"));
            self.outgoing.extend(text.as_bytes());
            if !text.ends_with("\r\n") {
                self.outgoing.extend([b'x'; 100_000]);
            }
            self.pending.push_back(Pending { what: Asked::Nonsense, head_only: false });
        } else if world.random.chance(1, 10) {
            let mut value = format!("{client}-{}", world.step);
            if world.random.chance(1, 4) {
                value.push_str(&"-long".repeat(2500));
            }
            self.outgoing.extend(format!("GET /echo/{value} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes());
            self.pending.push_back(Pending { what: Asked::Echo(value), head_only: false });
        } else {
            let request = self.request(world, recorder);
            self.ask_file(request, None, world, recorder);
        }
    }

    fn ask_file(
        &mut self,
        request: Request,
        version: Option<u64>,
        world: &mut State,
        recorder: &mut Recorder,
    ) {
        let client = self.number;
        world.note_bytes(request.to_string().as_bytes(), || format!("client {client} asks {request}"));
        let content = request.content_bytes();
        let fields = request.terms.fields(|number| recorder.tag(number));
        let chunked = request.content.is_some() && world.random.chance(1, 4);
        let expects = request.content.is_some() && world.random.chance(1, 8);
        let framing = match request.content {
            Some(_) if chunked => "Transfer-Encoding: chunked\r\n".to_owned(),
            Some(content) => format!("Content-Length: {}\r\n", content.length),
            None => String::new(),
        };
        let expect = if expects { "Expect: 100-continue\r\n" } else { "" };
        let (method, path) = (request.method.name(), &request.path);
        let head = format!("{method} /files/{path} HTTP/1.1\r\nHost: h\r\n{framing}{expect}{fields}\r\n");
        let body = if chunked { in_chunks(&content, world) } else { content };
        self.outgoing.extend(head.as_bytes());
        if expects {
            self.withheld = body;
        } else {
            self.outgoing.extend(body);
        }
        let head_only = request.method == Method::Head;
        let record = recorder.asked(client, request, world.step);
        self.pending.push_back(Pending { what: Asked::File(record, version), head_only });
    }

    fn request(&self, world: &mut State, recorder: &mut Recorder) -> Request {
        let random = &mut world.random;
        // Files more often than what is refused, and writes as often as reads.
        let path = if random.chance(2, 3) { PATHS[random.below(4)] } else { *random.pick(&PATHS) };
        let method = *random.pick(&METHODS);
        let content = method.has_content().then(|| {
            let length = match random.below(60) {
                0 => 100_000 + random.below(50_000),
                1..=6 => 2000 + random.below(8000),
                7..=12 => 0,
                _ => 1 + random.below(40),
            };
            Content { number: recorder.next_content(), length }
        });
        let mut terms = Terms::default();
        for _ in 0..random.below(3).saturating_sub(random.below(2)) {
            let versions = |random: &mut super::random::Random| match random.below(4) {
                0 => Versions::Any,
                _ => Versions::Of((0..1 + random.below(2)).map(|_| some_tag(random, recorder)).collect()),
            };
            match random.below(7) {
                0 | 1 => terms.if_match = Some(versions(random)),
                2 => terms.if_none_match = Some(versions(random)),
                3 => terms.upload_offset = Some(random.below(60) as u64),
                4 => {
                    let first = random.below(40) as u64;
                    terms.range = Some(*random.pick(&[
                        (Some(first), None),
                        (None, Some(first)),
                        (Some(first), Some(first + 5)),
                    ]));
                    terms.if_range = random.chance(1, 3).then(|| some_tag(random, recorder));
                }
                5 => terms.if_unmodified_since = Some(*random.pick(&[Date::Past, Date::Future])),
                _ => terms.if_modified_since = Some(*random.pick(&[Date::Past, Date::Future])),
            }
        }
        Request { method, path: path.to_owned(), content, terms }
    }
}

/// One of those that were seen lately, or of all, or none.
fn some_tag(random: &mut super::random::Random, recorder: &Recorder) -> u64 {
    let tags = recorder.tags();
    match random.below(6) {
        _ if tags == 0 => NO_TAG,
        0 => NO_TAG,
        1 => 1 + random.within(0..tags),
        _ => tags.saturating_sub(random.within(0..4)).max(1),
    }
}

fn in_chunks(mut content: &[u8], world: &mut State) -> Vec<u8> {
    let mut bytes = Vec::new();
    while !content.is_empty() {
        let (chunk, rest) = content.split_at(world.random.length(content.len()).max(content.len() / 20));
        bytes.extend(format!("{:x}\r\n", chunk.len()).as_bytes());
        bytes.extend(chunk);
        bytes.extend(b"\r\n");
        content = rest;
    }
    bytes.extend(b"0\r\n\r\n");
    bytes
}
