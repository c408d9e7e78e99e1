//! One connection's wants, served: [`Session::serve`]. What goes to the peer is in `session/sending`.

mod common;
mod jobs;
mod receiving;
mod sending;
mod verifying;

pub use common::{Common, RECEIVE_BYTES_MAX};

use std::ops::ControlFlow::{self, Break, Continue};
use std::ops::Range;

use super::network::{Network, Peer};
use super::pool::{Done, Finished, Task};
use super::slots::Token;
use crate::clock::Instant;
use crate::connection::{Connection, Input, Quiet, Want};
use crate::http::credentials::Credentials;
use crate::pace::Pace;
use crate::seeded::bug;
use crate::store::Held;
use crate::store::directory::Directory;
use crate::store::operation::{Operation, Outcome};
use crate::sys::epoll::Readiness;

/// Things done for one session in one turn; then the others have theirs.
const STEPS_PER_TURN: u32 = 32;
/// Bytes read past, at most, after the last answer.
const LINGER_BYTES_MAX: u64 = 16 << 20;
/// A file this long is let go in the pool: the last one to hold a file that was removed frees
/// its blocks, all of them, on the spot.
const LET_GO_BYTES_MAX: u64 = 16 << 20;

/// A connection with its socket and what it holds.
pub struct Session<S, D: Directory> {
    socket: S,
    peer: Peer,
    connection: Connection,
    held: Held<D>,
    /// The inode of the file that was opened last, and how long it is.
    held_inode: u64,
    held_bytes: u64,
    duty: Duty,
    /// Output for which there was no room; without memory while there is none.
    unsent: Vec<u8>,
    /// How much of it has been sent since.
    unsent_from: usize,
    /// How long the peer may take for what is being sent to it.
    pace: Option<Pace>,
    /// When it has to have agreed with its peer on how to speak; nothing once that is so.
    handshake: Option<Instant>,
    /// There may be something to receive.
    readable: bool,
    /// The peer said that it will send no more: what is there ends with the end.
    ending: bool,
    /// The connection was told so.
    ended: bool,
    /// The last send found no room.
    blocked: bool,
    /// Its turn will come: it is on the event loop's list.
    pub queued: bool,
}

/// A session for which nothing is to be done until something comes. Most sessions are so most of the time.
pub struct Resting<S> {
    socket: S,
    connection: Quiet,
}

/// What is being done for the connection: its want, as far as it has got.
enum Duty {
    Receive,
    Run(Operation),
    Verify(Credentials),
    AwaitOutcome,
    Send,
    /// Put bytes of the file that is held behind the output.
    CopyFile(Range<u64>),
    /// Send a long range of it; with `warm`, the kernel has the next slice in memory.
    SendFile {
        range: Range<u64>,
        warm: bool,
    },
    AwaitFile {
        range: Range<u64>,
        then: AfterFile,
    },
    Close {
        linger: bool,
    },
    Linger {
        until: Instant,
        bytes_left: u64,
    },
}

/// What goes on when a worker has read from the file.
#[derive(Clone, Copy)]
enum AfterFile {
    Copy,
    Send,
}

/// Why a session is served.
pub enum Occasion<D: Directory> {
    /// It is its turn.
    Turn,
    /// A job of its is done.
    Done(Done<D>),
    /// Its deadline has come.
    Deadline,
    /// The server is about to end.
    Drain,
    /// It begins with this want, and is over one of the server's bounds.
    Refused(Want),
}

/// When to serve a session again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// When something has happened to it.
    Wait,
    /// In the next turn: it could go on.
    Again,
    /// Never.
    Close,
}

type Step = ControlFlow<Next>;

impl<S> Resting<S> {
    /// The session again; it knows of its socket what was `noted`, and has its turn coming where that is anything.
    pub fn wake<D: Directory>(self, peer: Peer, noted: Readiness) -> Session<S, D> {
        let Resting { socket, connection } = self;
        let mut session = Session { readable: false, ..Session::new(socket, peer, connection.wake()) };
        session.queued = noted != Readiness::NOTHING && session.note(noted);
        session
    }

    /// See [`Session::deadline`].
    pub fn deadline(&self) -> Option<Instant> {
        self.connection.deadline()
    }
}

impl<S, D: Directory> Session<S, D> {
    /// A session that has just been accepted; there may be something to receive.
    pub fn new(socket: S, peer: Peer, connection: Connection) -> Session<S, D> {
        Session {
            socket,
            peer,
            connection,
            held: Held::Nothing,
            held_inode: 0,
            held_bytes: 0,
            duty: Duty::Receive,
            unsent: Vec::new(),
            unsent_from: 0,
            pace: None,
            handshake: None,
            readable: true,
            ending: false,
            ended: false,
            blocked: false,
            queued: false,
        }
    }

    /// Whether it has nothing to do, and nothing to remember but its connection.
    pub fn is_at_rest(&self) -> bool {
        let nothing_to_do = matches!((&self.duty, &self.held), (Duty::Receive, Held::Nothing))
            && self.unsent.is_empty()
            && self.pace.is_none()
            && self.handshake.is_none();
        let noted = self.readable || self.ending || self.ended || self.blocked || self.queued;
        nothing_to_do && !noted && self.connection.is_quiet()
    }

    /// The same session in less room; only where [`Session::is_at_rest`].
    #[expect(clippy::boxed_local, reason = "taken out of its box first, all of it would be moved")]
    pub fn into_rest(self: Box<Self>) -> Resting<S> {
        let Session { socket, connection, .. } = *self;
        Resting { socket, connection: connection.into_quiet() }
    }

    /// What it owns in memory.
    #[cfg(feature = "verification")]
    pub fn memory(&self) -> crate::connection::Memory {
        crate::connection::Memory { unsent: self.unsent.capacity(), ..self.connection.memory() }
    }

    /// Closes it at `until`, unless it has agreed with its peer on how to speak.
    pub fn limit_handshake(&mut self, until: Instant) {
        self.handshake = Some(until);
    }

    /// Its socket.
    pub fn socket(&self) -> &S {
        &self.socket
    }

    /// Its peer.
    pub fn peer(&self) -> Peer {
        self.peer
    }

    /// Takes note of what happened to the socket; whether that is a reason to serve the session.
    pub fn note(&mut self, readiness: Readiness) -> bool {
        // Of a break, the next call says more.
        self.readable |= readiness.has(Readiness::READABLE.and(Readiness::ENDED).and(Readiness::BROKEN));
        self.ending |= readiness.has(Readiness::ENDED.and(Readiness::BROKEN));
        self.blocked &= !readiness.has(Readiness::WRITABLE.and(Readiness::BROKEN));
        !self.blocked
    }

    /// When to serve it with [`Occasion::Deadline`].
    pub fn deadline(&self) -> Option<Instant> {
        if self.handshake.is_some() {
            return self.handshake;
        }
        match (&self.duty, &self.pace) {
            (Duty::Linger { until, .. }, _) => Some(*until),
            (_, Some(pace)) => Some(pace.deadline()),
            (Duty::Receive, None) => self.connection.deadline(),
            _ => None,
        }
    }

    /// Does for the connection what it wants, until that takes a wait or others should have a turn.
    pub fn serve<N>(&mut self, token: Token, occasion: Occasion<D>, common: &mut Common<N, D>) -> Next
    where
        N: Network<D, Socket = S>,
    {
        let (Continue(next) | Break(next)) = self.begin(token, occasion, common);
        common.output.bytes.clear();
        next
    }

    /// Lets go of everything; the socket is closed when the session is dropped.
    pub fn close<N>(&mut self, token: Token, common: &mut Common<N, D>) {
        self.let_go(token, common);
    }

    fn begin<N>(
        &mut self,
        token: Token,
        occasion: Occasion<D>,
        common: &mut Common<N, D>,
    ) -> ControlFlow<Next, Next>
    where
        N: Network<D, Socket = S>,
    {
        match occasion {
            Occasion::Turn => {}
            Occasion::Done(done) => self.take_back(token, done, common)?,
            Occasion::Deadline => self.meet_deadline(token, common)?,
            Occasion::Refused(want) => self.see_to(token, want, common)?,
            Occasion::Drain => {
                // A request that has just come is still answered.
                self.readable |= matches!(self.duty, Duty::Receive);
                let next = self.proceed(token, common);
                if next == Next::Close {
                    return Break(next);
                }
                let want = self.connection.advance(Input::Drain, &common.now, &mut common.output);
                // Behind what there may be that was not sent.
                self.unsent.append(&mut common.output.bytes);
                if want == Want::Same {
                    return Continue(next);
                }
                self.see_to(token, want, common)?;
            }
        }
        Continue(self.proceed(token, common))
    }

    fn proceed<N>(&mut self, token: Token, common: &mut Common<N, D>) -> Next
    where
        N: Network<D, Socket = S>,
    {
        let (Continue(next) | Break(next)) = self.steps(token, common);
        next
    }

    /// The output goes out before the want is seen to; but as long as more can be made without a
    /// wait, it is gathered, so that a batch of requests costs one send.
    fn steps<N>(&mut self, token: Token, common: &mut Common<N, D>) -> ControlFlow<Next, Next>
    where
        N: Network<D, Socket = S>,
    {
        // A session whose job is out waits for it even when its peer has gone, so that the bound
        // on connections bounds the jobs, too.
        if matches!(self.duty, Duty::AwaitOutcome | Duty::AwaitFile { .. }) {
            return Break(Next::Wait);
        }
        self.send_unsent(token, common)?;
        for _ in 0..STEPS_PER_TURN {
            match &self.duty {
                Duty::Receive | Duty::Linger { .. } if !self.readable => {
                    self.send_output(token, common, false)?;
                    return Break(Next::Wait);
                }
                Duty::Receive => self.receive(token, common)?,
                Duty::Run(_) => self.run(token, common)?,
                Duty::Verify(_) => self.verify(token, common)?,
                Duty::Send => {
                    self.send_output(token, common, false)?;
                    self.tell_sent(token, common)?;
                }
                Duty::CopyFile(range) => {
                    let range = range.clone();
                    self.copy_file(token, range, common)?;
                }
                Duty::SendFile { range, warm } => {
                    let (range, warm) = (range.clone(), *warm);
                    self.send_file(token, range, warm, common)?;
                }
                &Duty::Close { linger } => {
                    self.send_output(token, common, false)?;
                    self.end(linger, common)?;
                }
                &Duty::Linger { until, bytes_left } => {
                    self.read_past(until, bytes_left, common)?;
                }
                Duty::AwaitOutcome | Duty::AwaitFile { .. } => return Break(Next::Wait),
            }
        }
        self.send_output(token, common, false)?;
        Continue(Next::Again)
    }

    /// Turns a want into a duty. A file is held no longer than its answer needs it.
    fn see_to<N>(&mut self, token: Token, want: Want, common: &mut Common<N, D>) -> Step {
        if matches!(self.held, Held::File(_)) && !matches!(want, Want::Send | Want::SendFile(_)) {
            self.let_go(token, common);
        }
        self.duty = match want {
            Want::Receive => Duty::Receive,
            Want::Run(operation) => Duty::Run(operation),
            Want::Verify(credentials) => Duty::Verify(credentials),
            Want::Send => Duty::Send,
            Want::SendFile(range) => Self::file_duty(range),
            Want::Close { linger } => Duty::Close { linger },
            // Only Input::Drain is answered so: the connection broke its own rule.
            Want::Same => return Break(Next::Close),
        };
        Continue(())
    }

    fn run<N>(&mut self, token: Token, common: &mut Common<N, D>) -> Step
    where
        N: Network<D, Socket = S>,
    {
        let Duty::Run(operation) = std::mem::replace(&mut self.duty, Duty::AwaitOutcome) else {
            return Break(Next::Close);
        };
        match common.store.run_cached(operation, &mut self.held, &mut common.names) {
            Ok(outcome) => self.tell_outcome(token, outcome, common),
            Err(operation) => {
                // Earlier answers do not wait for a slow job.
                if let Break(next) = self.send_output(token, common, false) {
                    self.duty = Duty::Run(operation);
                    return Break(next);
                }
                self.hand_over(token, Task::Run(operation), common)
            }
        }
    }

    fn take_back<N>(&mut self, token: Token, done: Done<D>, common: &mut Common<N, D>) -> Step {
        self.held = done.held;
        common.count(|figures| super::watch::job_done(figures, done.handed_over, common.now.instant));
        match (done.result, &self.duty) {
            (Finished::Outcome(outcome), Duty::AwaitOutcome) => self.tell_outcome(token, outcome, common),
            (Finished::Verified(verdict), Duty::AwaitOutcome) => self.tell_verdict(token, verdict, common),
            (Finished::Read(Ok(bytes)), Duty::AwaitFile { range, .. }) => {
                let range = range.clone();
                self.take_piece(range, &bytes, common)
            }
            (Finished::Warm(Ok(())), Duty::AwaitFile { range, then: AfterFile::Send }) => {
                self.duty = Duty::SendFile { range: range.clone(), warm: true };
                // In its order among those that send: many may have been read for at once.
                Break(Next::Again)
            }
            (Finished::Read(Err(error)) | Finished::Warm(Err(error)), _) => {
                self.cut_off(Some(("pread", error)), common)
            }
            // A panic while a file was read, or an answer to nothing that was asked.
            _ => Break(Next::Close),
        }
    }

    fn tell_outcome<N>(&mut self, token: Token, outcome: Outcome, common: &mut Common<N, D>) -> Step {
        match &outcome {
            Outcome::Opened(version) => (self.held_inode, self.held_bytes) = (version.inode, version.length),
            Outcome::Failed(error) => common.log.failed(self.peer, error, &common.now),
            _ => {}
        }
        let want = self.connection.advance(Input::Outcome(outcome), &common.now, &mut common.output);
        self.see_to(token, want, common)
    }

    fn tell_sent<N>(&mut self, token: Token, common: &mut Common<N, D>) -> Step {
        let want = self.connection.advance(Input::Sent, &common.now, &mut common.output);
        self.see_to(token, want, common)
    }

    fn meet_deadline<N>(&mut self, token: Token, common: &mut Common<N, D>) -> Step {
        if !matches!(self.duty, Duty::Receive) || self.pace.is_some() || self.handshake.is_some() {
            return Break(Next::Close);
        }
        let want = self.connection.advance(Input::Deadline, &common.now, &mut common.output);
        self.see_to(token, want, common)?;
        match self.deadline() {
            // It would come for ever: the connection broke its own rule.
            Some(deadline) if deadline <= common.now.instant => Break(Next::Close),
            _ => Continue(()),
        }
    }

    /// RFC 9112 §9.6: bytes that arrive at a closed socket are answered by a reset, which can
    /// destroy the last answer before it is read.
    fn end<N>(&mut self, linger: bool, common: &mut Common<N, D>) -> Step
    where
        N: Network<D, Socket = S>,
    {
        if !linger || self.ended || bug("closed_over_unread_bytes") {
            return Break(Next::Close);
        }
        common.network.shut_down(&mut self.socket);
        self.duty = Duty::Linger {
            until: common.now.instant.after(common.limits.linger_time_max),
            bytes_left: LINGER_BYTES_MAX,
        };
        Continue(())
    }
}
