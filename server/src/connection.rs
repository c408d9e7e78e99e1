//! The heart: one connection as a pure machine, (state, input) → (state, bytes, want).
//!
//! [`Connection::advance`] takes one [`Input`], appends bytes for the peer to an [`Output`], and
//! says the one thing that it [`Want`]s next.
//!
//! ```text
//!            ┌───────────── answered ──────────────────────────────┐
//!            ▼                                                     │
//!  ───────▶ Head ──── no content ─────▶ (act) ──▶ answer ──────────┤
//!          (Verify)                     ▲   │                      │
//!            │  └─ unwanted ─▶ Discard ─┘   ├──▶ Open ──▶ Sending ─┤
//!            │                  ▲           ├──▶ List, Delete ─────┤
//!            └─ upload ─▶ Gather ──▶ Finish ───────────────────────┘
//!                         ▲ │  ▲ │
//!                         Stage Write            any ──▶ Closed
//! ```
#![forbid(unsafe_code)]

mod content;
mod exchange;
mod file;
mod head;
#[cfg(feature = "verification")]
mod memory;
mod outcome;
mod quiet;
mod record;
mod request_id;
mod unread;

use std::mem;
use std::ops::ControlFlow::{self, Break, Continue};
use std::ops::Range;
use std::sync::Arc;

use crate::api::condition::WantedParts;
use crate::api::listing::Asked;
use crate::api::rights::{Rights, Verdict};
use crate::api::route::Action;
use crate::clock::{Instant, Now};
use crate::http::credentials::Credentials;
use crate::http::head::HeadReader;
use crate::http::rejection::Rejection;
use crate::limits::Limits;
use crate::store::operation::{Mode, Operation, Outcome};
use crate::store::path::FilePath;
use content::{Content, Upload};
use exchange::Exchange;
use file::Sending;
#[cfg(feature = "verification")]
pub use memory::Memory;
pub use quiet::Quiet;
pub use record::{Answered, Recorded, Words};
pub use request_id::{RequestId, RequestIds};
use unread::Unread;

/// What can happen to a connection.
#[derive(Debug)]
pub enum Input<'a> {
    /// Bytes arrived from the peer. Only while the connection wants [`Want::Receive`].
    Bytes(&'a [u8]),
    /// The peer will send no more. Only while the connection wants [`Want::Receive`].
    End,
    /// What became of the operation of [`Want::Run`].
    Outcome(Outcome),
    /// Whose the credentials of [`Want::Verify`] are.
    Verified(Verdict),
    /// What [`Want::Send`] or [`Want::SendFile`] asked for has been handed to the network.
    Sent,
    /// The point of [`Connection::deadline`] has come. Only while it wants [`Want::Receive`].
    Deadline,
    /// The server is about to end: finish what is under way, begin nothing. At any time.
    Drain,
}

/// The one thing that a connection wants next. The driver first sends the output, then sees to it.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub enum Want {
    /// Bytes from the peer, or to hear that none will come.
    Receive,
    /// What it wanted before: the driver is seeing to it. Only as the answer to [`Input::Drain`].
    Same,
    /// This operation, on what is held. Nothing is received meanwhile.
    Run(Operation),
    /// To hear whose these are. Nothing is received meanwhile.
    Verify(Credentials),
    /// That the output is sent before anything more is made of what was received.
    Send,
    /// That the output is sent, and then these bytes of the file that is held.
    SendFile(Range<u64>),
    /// The end: send the output, then close; nothing else may follow. With `linger`, stop sending
    /// and read past what still comes for a while, so that no reset destroys the last answer
    /// (RFC 9112 §9.6).
    Close {
        /// Whether the peer may still be sending.
        linger: bool,
    },
}

/// Where a connection puts what it makes.
#[derive(Debug, Default)]
pub struct Output {
    /// Bytes for the peer.
    pub bytes: Vec<u8>,
    /// Requests that have been answered; nothing is recorded where this is `None`.
    pub answered: Option<Vec<Answered>>,
    /// How much of the words of a request is recorded with it.
    pub recorded: Recorded,
    /// What requests are called; nothing where this is `None`.
    pub ids: Option<RequestIds>,
}

impl Output {
    /// Forgets what nobody is to be told.
    pub fn clear(&mut self) {
        self.bytes.clear();
        if let Some(answered) = &mut self.answered {
            answered.clear();
        }
    }
}

/// Bytes of output after which a connection wants them sent before it answers the next request:
/// so much pipelined answers take in memory, and not more than one answer more.
pub const OUTPUT_BYTES_BATCH: usize = 64 * 1024;

/// One connection.
#[derive(Debug)]
pub struct Connection {
    limits: Arc<Limits>,
    /// Without any, everything is allowed, and nothing is looked at.
    rights: Option<Arc<Rights>>,
    state: State,
    unread: Unread,
    /// Requests that may still begin; without any left an answer closes the connection.
    requests_left: u64,
}

#[derive(Debug)]
enum State {
    /// Between two requests, or within a head.
    Head {
        reader: HeadReader,
        /// When the connection fell quiet.
        since: Instant,
        /// When the first byte of the head was seen.
        begun: Option<Instant>,
    },
    /// Waiting to hear who asks.
    Verify(Box<Unverified>),
    /// Reading past content that nobody wants; `action` follows its end.
    Discard { exchange: Exchange, content: Content, action: Box<Action<'static>> },
    /// Receiving the content of an upload.
    Gather { exchange: Exchange, content: Content, upload: Upload },
    /// Waiting for the upload to be staged; with `asked`, the peer waits for 100.
    Stage { exchange: Exchange, content: Content, upload: Upload, asked: bool },
    /// Waiting for a part of the content to be written.
    Write { exchange: Exchange, content: Content, upload: Upload },
    /// Waiting for the upload to take effect.
    Finish { exchange: Exchange, path: FilePath, mode: Mode },
    /// Waiting for a file to be opened.
    Open {
        exchange: Exchange,
        media_type: &'static str,
        parts: Option<Box<WantedParts>>,
        /// What is asked of the directory, where there is no such file in it.
        otherwise: Option<Box<Asked>>,
    },
    /// Waiting for entries of a directory.
    List { exchange: Exchange, asked: Box<Asked> },
    /// Waiting for the file's content to be sent, or a part of it; with `keep`, the connection stays.
    Sending { exchange: Exchange, sending: Sending, keep: bool },
    /// Waiting for output to be sent, between two requests.
    Pause,
    /// Waiting for something to be removed.
    Delete { exchange: Exchange },
    /// At the end. Also, for a moment, while a state is taken out and another one made.
    Closed,
}

/// A request of whom it is not known who asks.
#[derive(Debug)]
struct Unverified {
    exchange: Exchange,
    /// What it wants.
    action: Action<'static>,
    /// Its content, and whether the peer waits for 100 to send it.
    content: Option<(Content, bool)>,
}

/// Go on with what has been received, or want something.
type Step = ControlFlow<Want>;

impl Connection {
    /// A connection on which nothing has been received.
    pub fn new(limits: Arc<Limits>, now: &Now) -> Connection {
        Connection {
            requests_left: limits.requests_per_connection_max,
            limits,
            rights: None,
            state: between_requests(now),
            unread: Unread::default(),
        }
    }

    /// The same where not everything is allowed.
    pub fn under(self, rights: Option<Arc<Rights>>) -> Connection {
        Connection { rights, ..self }
    }

    /// A connection beyond the server's bound on them: it is told so, and closed.
    pub fn refused(limits: Arc<Limits>, now: &Now, output: &mut Output) -> (Connection, Want) {
        let mut connection = Connection::new(limits, now);
        let exchange = Exchange::malformed(b"", now.instant, output);
        let want = connection.reject(exchange, Rejection::TooManyConnections, now, output);
        (connection, want)
    }

    /// Takes one input, appends bytes for the peer to `output`, says what it wants next.
    pub fn advance(&mut self, input: Input<'_>, now: &Now, output: &mut Output) -> Want {
        let state = match input {
            Input::Bytes(bytes) => return self.receive(bytes, now, output),
            Input::Drain => return self.drain(),
            Input::End | Input::Deadline | Input::Outcome(_) | Input::Verified(_) | Input::Sent => {
                mem::replace(&mut self.state, State::Closed)
            }
        };
        let step = match (state, input) {
            (State::Head { begun: None, .. }, Input::End | Input::Deadline) => {
                // An empty line may be kept; it begins nothing.
                self.unread = Unread::default();
                Break(Want::Close { linger: false })
            }
            (State::Head { begun: Some(begun), .. }, input) => {
                let exchange = Exchange::malformed(self.unread.as_slice(), begun, output);
                let timeout = matches!(input, Input::Deadline);
                let rejection = if timeout { Rejection::HeadTimeout } else { Rejection::Incomplete };
                Break(self.reject(exchange, rejection, now, output))
            }
            (State::Discard { exchange, .. } | State::Gather { exchange, .. }, Input::End) => {
                Break(self.reject(exchange, Rejection::Incomplete, now, output))
            }
            (State::Discard { exchange, .. } | State::Gather { exchange, .. }, Input::Deadline) => {
                Break(self.reject(exchange, Rejection::ContentTimeout, now, output))
            }
            (State::Verify(unverified), Input::Verified(verdict)) => {
                self.verified(*unverified, verdict, now, output)
            }
            (state, Input::Outcome(outcome)) => self.take_outcome(state, outcome, now, output),
            (State::Sending { exchange, sending, keep }, Input::Sent) => {
                self.sent(exchange, sending, keep, now, output)
            }
            (State::Pause, Input::Sent) => {
                self.state = between_requests(now);
                Continue(())
            }
            (state, input) => {
                debug_assert!(false, "{input:?} in {state:?}");
                Break(Want::Close { linger: false })
            }
        };
        match step {
            Continue(()) => self.resume(now, output),
            Break(want) => self.linger_if_unread(want),
        }
    }

    /// When to call `advance` with [`Input::Deadline`], unless something else comes first. `None`
    /// while it wants anything but [`Want::Receive`]: then it waits for the server, not the peer.
    pub fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Head { begun: Some(begun), .. } => Some(begun.after(self.limits.head_time_max)),
            State::Head { since, .. } => quiet::idle_deadline(&self.limits, *since),
            State::Discard { content, .. } | State::Gather { content, .. } => Some(content.deadline()),
            _ => None,
        }
    }

    /// RFC 9112 §9.6: a server that is about to end lets its last answers say so.
    fn drain(&mut self) -> Want {
        if let State::Head { begun: None, .. } = self.state {
            self.state = State::Closed;
            return Want::Close { linger: false };
        }
        self.requests_left = 0;
        Want::Same
    }

    fn receive(&mut self, bytes: &[u8], now: &Now, output: &mut Output) -> Want {
        if !self.unread.is_empty() {
            self.unread.push(bytes);
            return self.resume(now, output);
        }
        let mut rest = bytes;
        let want = self.consume(&mut rest, now, output);
        self.unread.push(rest);
        self.linger_if_unread(want)
    }

    /// Goes on with what has been received before.
    fn resume(&mut self, now: &Now, output: &mut Output) -> Want {
        let unread = mem::take(&mut self.unread);
        let mut rest = unread.as_slice();
        let want = self.consume(&mut rest, now, output);
        let left = rest.len();
        self.unread = unread.keep_last(left);
        self.linger_if_unread(want)
    }

    /// RFC 9112 §9.6: to close over bytes that nobody has read resets the connection, and the
    /// reset may overtake the last answer.
    fn linger_if_unread(&self, mut want: Want) -> Want {
        if let Want::Close { linger } = &mut want {
            *linger |= !self.unread.is_empty();
        }
        want
    }

    /// Makes of `input` what can be made of it now.
    fn consume(&mut self, input: &mut &[u8], now: &Now, output: &mut Output) -> Want {
        loop {
            // In its place: to take a state out moves all of it, and most are heads.
            if matches!(self.state, State::Head { .. }) {
                match self.read_head(input, now, output) {
                    Continue(()) => continue,
                    Break(want) => return want,
                }
            }
            let step = match mem::replace(&mut self.state, State::Closed) {
                State::Discard { exchange, content, action } => {
                    self.discard(exchange, content, action, input, now, output)
                }
                State::Gather { exchange, content, upload } => {
                    self.gather(exchange, content, upload, input, now, output)
                }
                state => {
                    debug_assert!(false, "bytes in {state:?}");
                    Break(Want::Close { linger: false })
                }
            };
            if let Break(want) = step {
                return want;
            }
        }
    }
}

/// Nothing of the next request has been received.
fn between_requests(now: &Now) -> State {
    State::Head { reader: HeadReader::default(), since: now.instant, begun: None }
}
