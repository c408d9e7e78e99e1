//! One thread's share of the connections: [`EventLoop::turn`].

mod counting;
mod place;
mod ready;

use std::collections::VecDeque;
use std::io;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

use super::access::Access;
use super::deadlines::Deadlines;
use super::log::{Format, Lines};
use super::network::{Accepted, Event, Network, Peer};
use super::pool::{Done, Job};
use super::session::{Common, Next, Occasion, RECEIVE_BYTES_MAX, Session};
use super::slots::{Slots, Token};
use super::watch;
use crate::clock::{Clock, Instant};
use crate::connection::{Connection, Output, RequestIds};
use crate::limits::Limits;
use crate::seeded::bug;
use crate::shared::addresses::AddressCounts;
use crate::shared::counters::BoundedCount;
use crate::shared::figures::Figures;
use crate::shared::mailbox::Mailbox;
use crate::shared::queue::Queue;
use crate::store::Store;
use crate::store::directory::Directory;
use place::Place;

/// Connections accepted in one turn; then those that are open have theirs.
const ACCEPTS_PER_TURN: usize = 64;
/// How long nothing is accepted when descriptors or memory are used up.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Connections beyond the bound that are told so; others are closed without a word.
pub const REFUSED_MAX: usize = 64;
/// Connections that are still accepted from the backlog when the server ends.
const LAST_ACCEPTS_MAX: usize = 65_536;

/// What comes to an event loop from other threads.
pub enum Message<D: Directory> {
    /// A job is done.
    Done(Done<D>),
    /// Finish what is under way, accept nothing more, then end.
    Drain,
    /// Close everything and end.
    End,
}

/// What an event loop is made of, and shares with the others.
pub struct Parts<N, D: Directory, C> {
    /// Its sockets.
    pub network: N,
    /// Its clock.
    pub clock: C,
    /// The files.
    pub store: Arc<Store<D>>,
    /// What it knows of their names.
    pub names: D::Names,
    /// The way to the pool.
    pub queue: Arc<Queue<Job<D>>>,
    /// What comes from other threads; who posts to it rings where it says so.
    pub mailbox: Arc<Mailbox<Message<D>>>,
    /// The connections of all event loops.
    pub connections: Arc<BoundedCount>,
    /// The same connections by their peers' addresses.
    pub addresses: Arc<AddressCounts>,
    /// The bounds.
    pub limits: Arc<Limits>,
    /// Who may do what.
    pub access: Access<D>,
    /// The access log.
    pub log: Lines,
    /// What is counted, where somebody asks for it.
    pub figures: Option<Arc<Figures>>,
    /// What requests are called, where they are called something.
    pub ids: Option<RequestIds>,
    /// How long to wait for what is under way when the server ends.
    pub grace: Duration,
    /// Which event loop it is.
    pub event_loop: usize,
}

/// An event loop. Each connection belongs to one for life.
pub struct EventLoop<N: Network<D>, D: Directory, C> {
    common: Common<N, D>,
    clock: C,
    mailbox: Arc<Mailbox<Message<D>>>,
    connections: Arc<BoundedCount>,
    addresses: Arc<AddressCounts>,
    sessions: Slots<Place<N::Socket, D>>,
    /// Sessions beyond the bound on connections.
    refused: usize,
    /// Those to which something has happened; empty between two turns.
    ready: Vec<Token>,
    /// Those that can go on without an event, in their order. Most of them send large files.
    going_on: VecDeque<Token>,
    deadlines: Deadlines,
    accepting: Accepting,
    grace: Duration,
    /// When everything is closed, once the server has begun to end.
    end: Option<Instant>,
    events: Vec<Event>,
    messages: Vec<Message<D>>,
}

/// What is known of the listening socket.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Accepting {
    /// It will be told when there is a connection.
    Told,
    /// There may be some.
    Ready,
    /// There may be some, and no descriptor for them before that.
    Paused(Instant),
}

/// What became of a turn.
#[derive(Debug)]
pub enum Turn {
    /// There will be another.
    Continue,
    /// The server ends, and the last connection is closed.
    Ended,
    /// The event loop cannot go on.
    Failed(io::Error),
}

impl<N: Network<D>, D: Directory, C: Clock> EventLoop<N, D, C> {
    /// An event loop without connections.
    pub fn new(parts: Parts<N, D, C>) -> EventLoop<N, D, C> {
        let Parts {
            network,
            mut clock,
            store,
            names,
            queue,
            mailbox,
            connections,
            addresses,
            limits,
            access,
            log,
            figures,
            ids,
            grace,
            event_loop,
        } = parts;
        let recorded = log.format().map(Format::recorded);
        let output = Output {
            bytes: Vec::new(),
            answered: (recorded.is_some() || figures.is_some()).then(Vec::new),
            recorded: recorded.unwrap_or_default(),
            ids,
        };
        let common = Common {
            network,
            store,
            names,
            queue,
            access,
            limits,
            log,
            figures,
            event_loop,
            now: clock.now(),
            received: vec![0; RECEIVE_BYTES_MAX].into_boxed_slice(),
            output,
        };
        EventLoop {
            common,
            clock,
            mailbox,
            connections,
            addresses,
            sessions: Slots::default(),
            refused: 0,
            ready: Vec::new(),
            going_on: VecDeque::new(),
            deadlines: Deadlines::default(),
            accepting: Accepting::Ready,
            grace,
            end: None,
            events: Vec::new(),
            messages: Vec::new(),
        }
    }

    /// Waits until there is something to do, and does it: each session at most once.
    pub fn turn(&mut self) -> Turn {
        let timeout = self.timeout();
        if let Err(error) = self.common.network.wait(&mut self.events, timeout) {
            return Turn::Failed(error);
        }
        self.common.now = self.clock.now();
        self.take_events();
        self.accept();
        self.serve_ready();
        self.meet_deadlines();
        if self.end.is_some_and(|end| end <= self.common.now.instant) {
            self.close_all();
        }
        if self.end.is_some() && self.sessions.is_empty() {
            self.common.log.hand_over(&self.common.now);
            return Turn::Ended;
        }
        self.common.log.flush(&self.common.now);
        Turn::Continue
    }

    /// What each of its connections owns in memory.
    #[cfg(feature = "verification")]
    pub fn memory(&self) -> impl Iterator<Item = crate::connection::Memory> {
        let tokens = self.sessions.tokens().into_iter();
        tokens.filter_map(|token| Some(self.sessions.at(token.index())?.1.memory()))
    }

    fn timeout(&self) -> Option<Duration> {
        if !self.going_on.is_empty() || self.accepting == Accepting::Ready {
            return Some(Duration::ZERO);
        }
        let paused = match self.accepting {
            Accepting::Paused(until) => Some(until),
            _ => None,
        };
        [self.deadlines.first(), self.end, self.common.log.due(), paused]
            .into_iter()
            .flatten()
            .min()
            .map(|first| first.since(self.common.now.instant))
    }

    fn take_events(&mut self) {
        let mut events = mem::take(&mut self.events);
        let mut rung = false;
        for event in events.drain(..) {
            match event {
                Event::Socket(token, readiness) => {
                    // An event for one that was closed since finds nothing.
                    if self.sessions.get_mut(token).is_some_and(|place| place.note(readiness)) {
                        self.ready.push(token);
                    }
                }
                Event::Incoming if self.accepting == Accepting::Told => self.accepting = Accepting::Ready,
                Event::Incoming => {}
                Event::Rung => rung = true,
            }
        }
        self.events = events;
        if rung {
            self.take_messages();
        }
    }

    fn take_messages(&mut self) {
        let mut messages = mem::take(&mut self.messages);
        self.mailbox.take(&mut messages);
        for message in messages.drain(..) {
            match message {
                Message::Done(done) => self.deliver(done),
                Message::Drain => self.drain(),
                Message::End => {
                    self.common.network.stop_listening();
                    self.end = Some(self.common.now.instant);
                }
            }
        }
        self.messages = messages;
    }

    /// An outcome for a connection that was closed since never reaches its successor.
    fn deliver(&mut self, done: Done<D>) {
        let token = done.token;
        if self.sessions.get_mut(token).is_some() {
            self.serve(token, Occasion::Done(done));
        } else {
            self.common.discard(token, done.held);
        }
    }

    fn meet_deadlines(&mut self) {
        let now = self.common.now.instant;
        // At most one round over the sessions, so that none can hold up the turn.
        let mut due = Vec::new();
        while let Some(index) = self.deadlines.take_due(now) {
            let Some((token, place)) = self.sessions.at(index) else { continue };
            match place.deadline() {
                Some(deadline) if deadline > now => self.deadlines.schedule(index, deadline),
                Some(_) => due.push(token),
                None => {}
            }
        }
        for token in due {
            self.serve(token, Occasion::Deadline);
        }
    }

    fn serve(&mut self, token: Token, occasion: Occasion<D>) {
        let Some(place) = self.sessions.get_mut(token) else { return };
        let peer = place.peer;
        let Some(session) = place.session() else { return self.close(token) };
        let common = &mut self.common;
        // A rule of ours that was broken costs the one connection; but a test is to hear of it.
        let next = catch_unwind(AssertUnwindSafe(|| session.serve(token, occasion, common))).unwrap_or_else(
            |panic| {
                if cfg!(debug_assertions) {
                    resume_unwind(panic);
                }
                tracing::error!(%peer, "a connection is closed: a rule of the server's own was broken");
                common.output.bytes.clear();
                Next::Close
            },
        );
        match next {
            Next::Close => self.close(token),
            Next::Wait | Next::Again => {
                if let Some(deadline) = session.deadline() {
                    self.deadlines.schedule(token.index(), deadline);
                }
                if next == Next::Again && !mem::replace(&mut session.queued, true) {
                    self.going_on.push_back(token);
                }
                place.let_rest();
                let rests = place.is_resting();
                let rested = mem::replace(&mut place.rested, rests);
                if rests != rested {
                    common.count(|figures| watch::rests(figures, rests));
                }
            }
        }
        self.log_answered(peer);
    }

    fn log_answered(&mut self, peer: Peer) {
        let Some(answered) = self.common.output.answered.as_mut().filter(|answered| !answered.is_empty())
        else {
            return;
        };
        // Read once more, and only for the log: most requests are answered in the turn that they
        // came in, and would all have taken no time.
        let now = self.clock.now();
        for answered in answered.drain(..) {
            if let Some(figures) = &self.common.figures {
                watch::count(figures, &answered, now.instant);
            }
            self.common.log.answered(peer, &answered, &now);
        }
    }

    fn close(&mut self, token: Token) {
        let Some(mut place) = self.sessions.remove(token) else { return };
        tracing::debug!(peer = %place.peer, "closed");
        self.common.count(|figures| watch::closed(figures, place.counted, place.rested));
        if let Some(session) = place.session() {
            session.close(token, &mut self.common);
        }
        self.uncount(place.counted, place.peer.ip());
    }

    fn close_all(&mut self) {
        for token in self.sessions.tokens() {
            self.close(token);
        }
    }

    fn accept(&mut self) {
        match self.accepting {
            Accepting::Told => return,
            Accepting::Paused(until) if self.common.now.instant < until => return,
            Accepting::Ready | Accepting::Paused(_) => self.accepting = Accepting::Ready,
        }
        for _ in 0..ACCEPTS_PER_TURN {
            if !self.accept_one() {
                return;
            }
        }
    }

    /// Whether there may be more to accept.
    fn accept_one(&mut self) -> bool {
        match self.common.network.accept() {
            Accepted::Connection(socket, peer) => self.admit(socket, peer),
            Accepted::Gone => {}
            Accepted::Nothing => {
                self.accepting = Accepting::Told;
                return false;
            }
            Accepted::Exhausted => {
                self.refuse_one();
                self.accepting = Accepting::Paused(self.common.now.instant.after(ACCEPT_PAUSE));
                return false;
            }
        }
        true
    }

    fn admit(&mut self, socket: N::Socket, peer: Peer) {
        let limits = Arc::clone(&self.common.limits);
        let counted = self.try_count(peer.ip());
        tracing::debug!(%peer, event_loop = self.common.event_loop, counted, "accepted");
        let handshaking = self.common.network.layer(&socket).handshaking;
        let (connection, occasion) = if counted {
            let connection =
                Connection::new(limits, &self.common.now).under(self.common.access.rights.clone());
            (connection, Occasion::Turn)
        } else if self.refused < REFUSED_MAX && !handshaking {
            self.refused += 1;
            let (connection, want) = Connection::refused(limits, &self.common.now, &mut self.common.output);
            (connection, Occasion::Refused(want))
        } else {
            return;
        };
        let mut session = Session::new(socket, peer, connection);
        if handshaking {
            session.limit_handshake(self.common.now.instant.after(self.common.limits.head_time_max));
        }
        let Some(token) = self.sessions.insert(Place::new(session, counted)) else {
            self.common.output.clear();
            self.uncount(counted, peer.ip());
            return;
        };
        let registered = self
            .sessions
            .get_mut(token)
            .and_then(Place::session)
            .is_some_and(|session| self.common.network.register(session.socket(), token).is_ok());
        if registered {
            self.serve(token, occasion);
        } else {
            // What it was to be told is not to be told to the next one.
            if !bug("refusal_is_told_to_the_next") {
                self.common.output.clear();
            }
            self.close(token);
        }
    }

    /// With no descriptor left for it, one connection is told why; the others wait.
    fn refuse_one(&mut self) {
        self.common.count(|figures| figures.refused_for_descriptors.add(1));
        let limits = Arc::clone(&self.common.limits);
        let (_, _) = Connection::refused(limits, &self.common.now, &mut self.common.output);
        self.common.network.refuse_one(&self.common.output.bytes);
        self.common.output.clear();
        let note = "descriptors or memory are used up: no new connections for a moment";
        self.common.log.noted(note, &self.common.now);
    }

    /// Connections that the kernel has accepted were promised to be served.
    fn drain(&mut self) {
        if self.end.is_some() {
            return;
        }
        self.end = Some(self.common.now.instant.after(self.grace));
        for _ in 0..LAST_ACCEPTS_MAX {
            if !self.accept_one() {
                break;
            }
        }
        self.accepting = Accepting::Told;
        self.common.network.stop_listening();
        for token in self.sessions.tokens().into_iter().skip(usize::from(bug("drain_forgets_one"))) {
            self.serve(token, Occasion::Drain);
        }
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
