//! The address for whoever watches the server: health, readiness and figures, by a thread of its own.
//! [`start`] starts it.
//!
//! One request for each connection. Peers are few, and none is believed: each has a bounded head and a
//! bounded time, and where there are too many the oldest makes room, so that nobody who opens connections
//! and says nothing keeps others from being answered.

mod metrics;
mod pages;

pub use pages::{POOLS, Pages, Watched};

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

use crate::clock::{Clock, Instant, SystemClock};
use crate::http::head::{HeadLimits, HeadReader};
use crate::http::request::Request;
use crate::sys::epoll::{Epoll, EventBuffer, Readiness};
use crate::sys::socket::{Listener, Stream};

/// Connections at once; one more, and the oldest is closed.
const PEERS_MAX: usize = 32;
/// Descriptors that it has open, at most: those, one more for a moment, its epoll, its listening socket.
pub const DESCRIPTORS_MAX: usize = PEERS_MAX + 3;
/// From the first byte of a connection to its last.
const TIME_MAX: Duration = Duration::from_secs(5);
/// Bytes that are read past behind a request.
const DISCARD_BYTES_MAX: usize = 64 * 1024;
/// How long nothing is accepted when descriptors are used up.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Field lines of a head, at most.
const FIELDS_MAX: usize = 64;
const HEAD: HeadLimits =
    HeadLimits { target_bytes_max: 1024, head_bytes_max: 8192, head_fields_max: FIELDS_MAX };

/// Starts the thread that answers those who come to `listener`. Nobody waits for it: it ends with the
/// process. Says where it listens.
///
/// # Errors
/// Where the system has no room.
pub fn start(listener: Listener, pages: Pages) -> io::Result<SocketAddr> {
    let address = listener.address()?;
    let epoll = Epoll::new()?;
    epoll.add(listener.as_fd(), Readiness::READABLE, LISTENER)?;
    let mut admin = Admin {
        listener,
        epoll,
        pages,
        clock: SystemClock::new(SystemClock::origin()),
        peers: VecDeque::new(),
        next: LISTENER + 1,
        acceptable: true,
    };
    thread::Builder::new().name("admin".to_owned()).spawn(move || admin.run())?;
    Ok(address)
}

/// What the listening socket is called; connections are counted from here.
const LISTENER: u64 = 0;

struct Admin {
    listener: Listener,
    epoll: Epoll,
    pages: Pages,
    clock: SystemClock,
    /// The oldest first.
    peers: VecDeque<Peer>,
    next: u64,
    /// There may be something to accept.
    acceptable: bool,
}

struct Peer {
    key: u64,
    socket: Stream,
    deadline: Instant,
    state: State,
}

enum State {
    /// Receiving the head.
    Head { received: Vec<u8>, reader: HeadReader },
    /// Sending the answer.
    Answer { bytes: Vec<u8>, sent: usize },
    /// RFC 9112 §9.6: reading past what still comes, so that no reset destroys the answer.
    Linger { bytes_left: usize },
}

/// Whether a connection goes on.
#[derive(PartialEq, Eq)]
enum Fate {
    Wait,
    Close,
}

impl Admin {
    fn run(&mut self) {
        let mut buffer = EventBuffer::new(PEERS_MAX + 1);
        let mut keys: Vec<u64> = Vec::new();
        loop {
            let now = self.clock.now().instant;
            // What could not be accepted is tried again, and an edge is told once.
            let pause = self.acceptable.then_some(ACCEPT_PAUSE);
            let deadline = self.peers.front().map(|peer| peer.deadline.since(now));
            let timeout = pause.into_iter().chain(deadline).min();
            match self.epoll.wait(&mut buffer, timeout) {
                Ok(events) => keys.extend(events.map(|event| event.key)),
                // Only where this program is wrong: then the files are served all the same.
                Err(_) => return,
            }
            let now = self.clock.now();
            for key in keys.drain(..) {
                self.acceptable |= key == LISTENER;
                if let Some(at) = self.peers.iter().position(|peer| peer.key == key)
                    && self.peers[at].serve(&self.pages, &now) == Fate::Close
                {
                    self.peers.remove(at);
                }
            }
            self.peers.retain(|peer| peer.deadline > now.instant);
            if self.acceptable {
                self.accept(now.instant);
            }
        }
    }

    /// As many as there may be; then those that came have their turn.
    fn accept(&mut self, now: Instant) {
        for _ in 0..PEERS_MAX {
            let (socket, _) = match self.listener.accept() {
                Ok(accepted) => accepted,
                Err(error) => {
                    self.acceptable = error.kind() != io::ErrorKind::WouldBlock;
                    return;
                }
            };
            if self.peers.len() >= PEERS_MAX {
                self.peers.pop_front();
            }
            let key = self.next;
            self.next += 1;
            let interest = Readiness::READABLE.and(Readiness::WRITABLE).and(Readiness::ENDED);
            if self.epoll.add(socket.as_fd(), interest, key).is_ok() {
                let state = State::Head { received: Vec::new(), reader: HeadReader::default() };
                self.peers.push_back(Peer { key, socket, deadline: now.after(TIME_MAX), state });
            }
        }
    }
}

impl Peer {
    /// Does what can be done without a wait. Called at each edge, so it goes on until there is a wait.
    fn serve(&mut self, pages: &Pages, now: &crate::clock::Now) -> Fate {
        loop {
            match &mut self.state {
                State::Head { received, reader } => {
                    let mut bytes = [0; 4096];
                    match self.socket.receive(&mut bytes) {
                        Ok(count @ 1..) => received.extend_from_slice(&bytes[..count]),
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Fate::Wait,
                        Ok(_) | Err(_) => return Fate::Close,
                    }
                    let parsed = match reader.find_end(received, &HEAD) {
                        Ok(None) => continue,
                        Ok(Some(end)) => Request::parse::<FIELDS_MAX>(received, end),
                        Err(rejection) => Err(rejection),
                    };
                    let bytes = match parsed {
                        Ok(request) => pages.answer(&request, now),
                        Err(rejection) => pages.reject(rejection, now),
                    };
                    self.state = State::Answer { bytes, sent: 0 };
                }
                State::Answer { bytes, sent } => {
                    match self.socket.send(bytes.get(*sent..).unwrap_or_default(), false) {
                        Ok(count) => *sent += count,
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Fate::Wait,
                        Err(_) => return Fate::Close,
                    }
                    if *sent >= bytes.len() {
                        let _ = self.socket.shut_down();
                        self.state = State::Linger { bytes_left: DISCARD_BYTES_MAX };
                    }
                }
                State::Linger { bytes_left } => match self.socket.receive(&mut [0; 4096]) {
                    Ok(count @ 1..) if count < *bytes_left => *bytes_left -= count,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Fate::Wait,
                    Ok(_) | Err(_) => return Fate::Close,
                },
            }
        }
    }
}
