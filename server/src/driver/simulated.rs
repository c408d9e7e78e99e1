//! Network, files and time in memory, for tests of an event loop: [`Simulation`].

mod files;

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use files::OpenFile;

use super::access::Access;
use super::event_loop::{EventLoop, Message, Parts, Turn};
use super::log::Lines;
use super::network::{Accepted, Event, Network};
use super::pool::{Done, Job, Task, carry_out};
use super::slots::Token;
use super::transport::Layer;
use crate::clock::{Clock, Instant, Now};
use crate::limits::Limits;
use crate::shared::addresses::AddressCounts;
use crate::shared::counters::BoundedCount;
use crate::shared::mailbox::Mailbox;
use crate::shared::queue::Queue;
use crate::store::operation::{Intent, Mode, Operation, Outcome};
use crate::store::path::FilePath;
use crate::store::{Durability, Held, Store};
use crate::sys::epoll::Readiness;

/// One event loop, its pool of one worker, and all that is around them.
pub(super) struct Simulation {
    event_loop: EventLoop<Simulated, Simulated, Simulated>,
    store: Store<Simulated>,
    queue: Arc<Queue<Job<Simulated>>>,
    mailbox: Arc<Mailbox<Message<Simulated>>>,
    world: Simulated,
    /// Whether the worker works.
    pub(super) working: bool,
    pub(super) ended: bool,
}

/// What the event loop touches; in the hands of the test as well.
#[derive(Clone, Default)]
pub(super) struct Simulated(Arc<Mutex<World>>);

#[derive(Default)]
pub(super) struct World {
    pub(super) now: Instant,
    pub(super) peers: Vec<Peer>,
    backlog: VecDeque<usize>,
    listening: bool,
    /// Descriptors that may be open.
    pub(super) descriptors_max: Option<usize>,
    events: VecDeque<Event>,
    /// Connections that can not be registered, from now on.
    pub(super) unregistered: usize,
    pub(super) files: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Files of which only so many bytes are in memory until they are read.
    pub(super) cold: BTreeMap<Vec<u8>, usize>,
    /// Reading it panics.
    pub(super) panics: Option<Vec<u8>>,
    /// Reading it fails.
    pub(super) unreadable: Option<Vec<u8>>,
    /// The end of what was read last.
    pub(super) read_to: u64,
    pub(super) open_files: usize,
    pub(super) staged: usize,
    /// The time that was set last.
    pub(super) modified: i64,
    /// The calls that the event loop made, and on which connection.
    pub(super) calls: Vec<(&'static str, usize)>,
    /// What the clock said last.
    told: Instant,
    /// Until when time may pass.
    horizon: Instant,
    /// Whether the last wait brought nothing and was for something beyond that.
    idle: bool,
}

/// One connection, from the other side.
pub(super) struct Peer {
    to_server: VecDeque<u8>,
    to_server_ended: bool,
    reset: bool,
    pub(super) from_server: Vec<u8>,
    /// Bytes that the server can send before it has to wait.
    pub(super) room: usize,
    awaits_room: bool,
    /// What stands before it takes everything, and owes what there is no room for.
    pub(super) layered: bool,
    owed: Vec<u8>,
    pub(super) shut_down: bool,
    pub(super) closed: bool,
    token: Option<Token>,
}

impl Simulation {
    pub(super) fn new(limits: Limits) -> Simulation {
        let world = Simulated::default();
        world.lock().listening = true;
        let (queue, mailbox) = (Arc::new(Queue::new()), Arc::new(Mailbox::new()));
        let event_loop = EventLoop::new(Parts {
            network: world.clone(),
            clock: world.clone(),
            store: Arc::new(Store::new(world.clone(), Durability::Disk)),
            names: (),
            queue: Arc::clone(&queue),
            mailbox: Arc::clone(&mailbox),
            connections: Arc::new(BoundedCount::new(limits.connections_max)),
            addresses: Arc::new(AddressCounts::new(limits.connections_per_address_max)),
            limits: Arc::new(limits),
            access: Access::default(),
            log: Lines::none(),
            figures: None,
            ids: None,
            grace: Duration::from_secs(10),
            event_loop: 0,
        });
        let store = Store::new(world.clone(), Durability::Disk);
        Simulation { event_loop, store, queue, mailbox, world, working: true, ended: false }
    }

    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock()
    }

    /// A connection with plenty of room that waits to be accepted.
    pub(super) fn connect(&self) -> usize {
        let mut world = self.world();
        let peer = world.peers.len();
        world.peers.push(Peer {
            to_server: VecDeque::new(),
            to_server_ended: false,
            reset: false,
            from_server: Vec::new(),
            room: usize::MAX,
            awaits_room: false,
            layered: false,
            owed: Vec::new(),
            shut_down: false,
            closed: false,
            token: None,
        });
        world.backlog.push_back(peer);
        world.events.push_back(Event::Incoming);
        peer
    }

    pub(super) fn send(&self, peer: usize, bytes: impl AsRef<[u8]>) {
        let mut world = self.world();
        world.peers[peer].to_server.extend(bytes.as_ref());
        world.tell(peer, Readiness::READABLE);
    }

    /// The same, but the event loop has not been told yet.
    pub(super) fn send_without_word(&self, peer: usize, bytes: impl AsRef<[u8]>) {
        self.world().peers[peer].to_server.extend(bytes.as_ref());
    }

    /// The peer sends no more, but still receives.
    pub(super) fn finish(&self, peer: usize) {
        let mut world = self.world();
        world.peers[peer].to_server_ended = true;
        world.tell(peer, Readiness::READABLE.and(Readiness::ENDED));
    }

    pub(super) fn reset(&self, peer: usize) {
        let mut world = self.world();
        world.peers[peer].reset = true;
        world.tell(peer, Readiness::READABLE.and(Readiness::ENDED).and(Readiness::BROKEN));
    }

    pub(super) fn give_room(&self, peer: usize, room: usize) {
        let mut world = self.world();
        world.peers[peer].room = room;
        if room > 0 && std::mem::take(&mut world.peers[peer].awaits_room) {
            world.tell(peer, Readiness::WRITABLE);
        }
    }

    /// What has come back since the last call.
    pub(super) fn received(&self, peer: usize) -> Vec<u8> {
        std::mem::take(&mut self.world().peers[peer].from_server)
    }

    pub(super) fn closed(&self, peer: usize) -> bool {
        self.world().peers[peer].closed
    }

    /// Another way to the same files.
    pub(super) fn files(&self) -> Simulated {
        self.world.clone()
    }

    /// Connections that are open.
    pub(super) fn open(&self) -> usize {
        self.world().peers.iter().filter(|peer| peer.token.is_some()).count()
    }

    /// Files that are open or staged.
    pub(super) fn left_behind(&self) -> usize {
        let world = self.world();
        world.open_files + world.staged
    }

    pub(super) fn calls(&self, name: &str) -> usize {
        self.world().calls.iter().filter(|call| call.0 == name).count()
    }

    pub(super) fn post(&self, message: Message<Simulated>) {
        if self.mailbox.post(message) {
            self.world().events.push_back(Event::Rung);
        }
    }

    /// Takes one turn; then the worker does what there is, unless it is told not to.
    pub(super) fn turn(&mut self) {
        match self.event_loop.turn() {
            Turn::Continue => {}
            Turn::Ended => self.ended = true,
            Turn::Failed(error) => panic!("{error}"),
        }
        while self.working && self.queue.waiting() > 0 {
            self.work();
        }
    }

    /// Does one job, if there is one.
    pub(super) fn work(&self) {
        if let Some(done) = self.work_without_word() {
            self.post(Message::Done(done));
        }
    }

    /// The same; the event loop does not hear of it.
    pub(super) fn work_without_word(&self) -> Option<Done<Simulated>> {
        if self.queue.waiting() == 0 {
            return None;
        }
        carry_out(&self.store, self.queue.pop()?)
    }

    /// Puts jobs into the queue for which there is nothing to do.
    pub(super) fn fill_queue(&self, jobs: usize) {
        for _ in 0..jobs {
            let (token, task, held) = (Token::unpacked(0), Task::Discard, Held::Nothing);
            assert!(
                self.queue
                    .try_push(
                        Job { event_loop: 0, token, task, held, handed_over: Instant::default() },
                        usize::MAX
                    )
                    .is_ok()
            );
        }
    }

    /// An upload that nobody knows of.
    pub(super) fn staged_upload(&self) -> Held<Simulated> {
        let mut held = Held::Nothing;
        let intent = Intent { path: FilePath::parse(b"lost").unwrap(), mode: Mode::Create, condition: None };
        assert!(matches!(self.store.run(Operation::Stage(intent), &mut held), Outcome::Staged));
        held
    }

    /// Takes turns for as long as anything happens without time passing; how many it took.
    pub(super) fn run(&mut self) -> usize {
        self.pass(Duration::ZERO)
    }

    /// Lets so much time pass, and what comes with it happen; how many turns it took.
    pub(super) fn pass(&mut self, time: Duration) -> usize {
        const TURNS_MAX: usize = 100_000;
        let horizon = self.world().now.after(time);
        self.world().horizon = horizon;
        for turns in 0..TURNS_MAX {
            self.turn();
            let mut world = self.world();
            if self.ended || (world.idle && world.events.is_empty()) {
                world.now = world.now.max(horizon);
                return turns;
            }
        }
        panic!("no end in {TURNS_MAX} turns");
    }
}

impl Simulated {
    fn lock(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }
}

impl World {
    fn tell(&mut self, peer: usize, readiness: Readiness) {
        if let Some(token) = self.peers[peer].token {
            self.events.push_back(Event::Socket(token, readiness));
        }
    }
}

/// The server's end of a connection.
pub(super) struct Socket {
    peer: usize,
    world: Simulated,
}

impl Drop for Socket {
    fn drop(&mut self) {
        let mut world = self.world.lock();
        world.peers[self.peer].closed = true;
        world.peers[self.peer].token = None;
    }
}

impl Network<Simulated> for Simulated {
    type Socket = Socket;

    fn wait(&mut self, events: &mut Vec<Event>, timeout: Option<Duration>) -> io::Result<()> {
        let mut world = self.lock();
        events.clear();
        events.extend(world.events.drain(..));
        // What the event loop asks for is counted from the time that it was told.
        let until = timeout.map(|timeout| world.told.after(timeout)).filter(|&until| until <= world.horizon);
        world.idle = events.is_empty() && until.is_none();
        if let Some(until) = until.filter(|_| events.is_empty()) {
            world.now = world.now.max(until);
        }
        Ok(())
    }

    fn accept(&mut self) -> Accepted<Socket> {
        let mut world = self.lock();
        if !world.listening || world.backlog.is_empty() {
            return Accepted::Nothing;
        }
        let open = world.peers.iter().filter(|peer| peer.token.is_some()).count();
        if world.descriptors_max.is_some_and(|max| open >= max) {
            world.calls.push(("exhausted", 0));
            return Accepted::Exhausted;
        }
        let Some(peer) = world.backlog.pop_front() else { return Accepted::Nothing };
        let address = SocketAddr::from(([192, 0, 2, 1], 1024 + peer as u16)).into();
        Accepted::Connection(Socket { peer, world: self.clone() }, address)
    }

    fn refuse_one(&mut self, answer: &[u8]) {
        let mut world = self.lock();
        if let Some(peer) = world.backlog.pop_front() {
            world.peers[peer].from_server.extend_from_slice(answer);
            world.peers[peer].closed = true;
        }
    }

    fn stop_listening(&mut self) {
        let mut world = self.lock();
        world.listening = false;
        for peer in std::mem::take(&mut world.backlog) {
            world.peers[peer].closed = true;
        }
    }

    fn register(&mut self, socket: &Socket, token: Token) -> io::Result<()> {
        let mut world = self.lock();
        if world.unregistered > 0 {
            world.unregistered -= 1;
            return Err(ErrorKind::OutOfMemory.into());
        }
        world.peers[socket.peer].token = Some(token);
        let peer = &world.peers[socket.peer];
        let (readable, ended) = (!peer.to_server.is_empty(), peer.to_server_ended);
        if readable {
            world.tell(socket.peer, Readiness::READABLE);
        }
        if ended {
            world.tell(socket.peer, Readiness::READABLE.and(Readiness::ENDED));
        }
        Ok(())
    }

    fn receive(&mut self, socket: &mut Socket, buffer: &mut [u8]) -> io::Result<usize> {
        let mut world = self.lock();
        world.calls.push(("receive", socket.peer));
        let peer = &mut world.peers[socket.peer];
        if peer.reset {
            return Err(ErrorKind::ConnectionReset.into());
        }
        if peer.to_server.is_empty() && !peer.to_server_ended {
            return Err(ErrorKind::WouldBlock.into());
        }
        let count = peer.to_server.len().min(buffer.len());
        for (place, byte) in buffer.iter_mut().zip(peer.to_server.drain(..count)) {
            *place = byte;
        }
        Ok(count)
    }

    fn send(&mut self, socket: &mut Socket, bytes: &[u8], more: bool) -> io::Result<usize> {
        let mut world = self.lock();
        world.calls.push((if more { "send_more" } else { "send" }, socket.peer));
        world.peers[socket.peer].take(bytes)
    }

    fn send_file(&mut self, socket: &mut Socket, file: &OpenFile, range: Range<u64>) -> io::Result<usize> {
        let mut world = self.lock();
        world.calls.push(("send_file", socket.peer));
        let content = world.files.get(&file.name).cloned().unwrap_or_default();
        let begin = content.len().min(range.start as usize);
        let end = content.len().min(range.end as usize);
        if begin == end {
            return Ok(0);
        }
        world.peers[socket.peer].take(&content[begin..end])
    }

    fn await_room(&mut self, socket: &Socket, _token: Token) -> io::Result<()> {
        let mut world = self.lock();
        world.calls.push(("await_room", socket.peer));
        if world.peers[socket.peer].room > 0 {
            world.tell(socket.peer, Readiness::WRITABLE);
        } else {
            world.peers[socket.peer].awaits_room = true;
        }
        Ok(())
    }

    fn layer(&self, socket: &Socket) -> Layer {
        Layer { owes: !self.lock().peers[socket.peer].owed.is_empty(), ..Layer::default() }
    }

    fn shut_down(&mut self, socket: &mut Socket) {
        self.lock().peers[socket.peer].shut_down = true;
    }
}

impl Peer {
    fn take(&mut self, bytes: &[u8]) -> io::Result<usize> {
        assert!(!self.shut_down, "sent after the end");
        if self.reset {
            return Err(ErrorKind::BrokenPipe.into());
        }
        if self.layered {
            if self.pass_on() > 0 {
                return Err(ErrorKind::WouldBlock.into());
            }
            self.owed.extend_from_slice(bytes);
            self.pass_on();
            return Ok(bytes.len());
        }
        if self.room == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        let count = bytes.len().min(self.room);
        self.room -= count;
        self.from_server.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    /// Passes on what is owed; how much still is.
    fn pass_on(&mut self) -> usize {
        let count = self.owed.len().min(self.room);
        self.room -= count;
        self.from_server.extend(self.owed.drain(..count));
        self.owed.len()
    }
}

impl Clock for Simulated {
    fn now(&mut self) -> Now {
        let mut world = self.lock();
        world.told = world.now;
        Now::new(world.now, 784_111_777)
    }
}
