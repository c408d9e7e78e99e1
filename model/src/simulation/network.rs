//! The network: connections as two queues of bytes, and [`Sockets`], which an event loop takes for
//! the machine's. It tells of what happens once, as epoll does when it is edge-triggered.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use http_server::driver::network::{Accepted, Event, Network};
use http_server::driver::slots::Token;
use http_server::store::directory::Directory;
use http_server::sys::epoll::Readiness;

use super::disk::Disk;
use super::faults::Fault;
use super::tasks::{Pause, pause};
use super::world::{State, World};

/// What an event loop listens to.
#[derive(Debug, Default)]
pub(super) struct Listening {
    pub(super) closed: bool,
    backlog: VecDeque<usize>,
    events: VecDeque<Event>,
    /// The bell was rung, and not heard yet.
    pub(super) rung: bool,
}

/// A connection.
#[derive(Debug, Default)]
pub(super) struct Connection {
    event_loop: usize,
    token: Option<Token>,
    /// What the client sent and the server has not received.
    to_server: VecDeque<u8>,
    /// The client sends no more.
    finished: bool,
    /// The client is gone.
    reset: bool,
    /// What the server sent and the client has not received.
    to_client: VecDeque<u8>,
    /// How much of that there can be.
    room: usize,
    awaits_room: bool,
    /// The server sends no more.
    shut_down: bool,
    /// The server has let go of it.
    pub(super) closed: bool,
}

impl State {
    /// A connection that waits to be accepted; nothing where nobody listens.
    pub(super) fn connect(&mut self) -> Option<usize> {
        if self.listening.is_empty() {
            return None;
        }
        let event_loop = self.random.below(self.listening.len());
        let listening = &mut self.listening[event_loop];
        if listening.closed {
            return None;
        }
        let number = self.connections.len();
        listening.backlog.push_back(number);
        listening.events.push_back(Event::Incoming);
        let room = *self.random.pick(&[100, 1000, 20_000, 300_000]);
        self.connections.push(Connection { event_loop, room, ..Connection::default() });
        Some(number)
    }

    fn tell(&mut self, number: usize, readiness: Readiness) {
        let connection = &self.connections[number];
        if let (Some(token), Some(listening)) =
            (connection.token, self.listening.get_mut(connection.event_loop))
        {
            listening.events.push_back(Event::Socket(token, readiness));
        }
    }

    /// The client sends; what comes after the server's close is lost.
    pub(super) fn client_sends(&mut self, number: usize, bytes: &[u8]) {
        let connection = &mut self.connections[number];
        if connection.closed {
            // A reset comes back, and takes with it what the client has not read.
            if !connection.to_client.is_empty() && self.strike(Fault::LostAnswer) {
                self.connections[number].to_client.clear();
            }
            return;
        }
        connection.to_server.extend(bytes);
        self.tell(number, Readiness::READABLE);
    }

    /// The client will send no more.
    pub(super) fn client_finishes(&mut self, number: usize) {
        self.connections[number].finished = true;
        self.tell(number, Readiness::READABLE.and(Readiness::ENDED));
    }

    /// The client is gone.
    pub(super) fn client_resets(&mut self, number: usize) {
        let connection = &mut self.connections[number];
        connection.reset = true;
        connection.to_client.clear();
        self.tell(number, Readiness::READABLE.and(Readiness::ENDED).and(Readiness::BROKEN));
    }

    /// The client receives up to so many bytes; no bytes and `true` mean the end.
    pub(super) fn client_receives(&mut self, number: usize, most: usize) -> (Vec<u8>, bool) {
        let connection = &mut self.connections[number];
        let count = connection.to_client.len().min(most);
        let bytes: Vec<u8> = connection.to_client.drain(..count).collect();
        if count > 0 && std::mem::take(&mut connection.awaits_room) {
            self.tell(number, Readiness::WRITABLE);
        }
        let connection = &self.connections[number];
        let ended = connection.to_client.is_empty() && (connection.closed || connection.shut_down);
        (bytes, ended)
    }

    /// Whether a client would receive anything, the end included.
    pub(super) fn has_for_client(&self, number: usize) -> bool {
        let connection = &self.connections[number];
        !connection.to_client.is_empty() || connection.closed || connection.shut_down
    }

    /// Every connection breaks, and nobody listens: the machine is gone, or the process.
    pub(super) fn break_all(&mut self) {
        for connection in &mut self.connections {
            connection.closed = true;
            connection.to_client.clear();
        }
        for listening in &mut self.listening {
            listening.closed = true;
            listening.backlog.clear();
        }
    }

    /// Rings the bell of an event loop.
    pub(super) fn ring(&mut self, event_loop: usize) {
        if let Some(listening) = self.listening.get_mut(event_loop) {
            listening.rung = true;
        }
    }

    pub(super) fn has_events(&self, event_loop: usize) -> bool {
        self.listening
            .get(event_loop)
            .is_some_and(|listening| self.dead || listening.rung || !listening.events.is_empty())
    }

    /// Connections that the server holds.
    pub(super) fn open(&self) -> usize {
        self.connections.iter().filter(|connection| connection.token.is_some() && !connection.closed).count()
    }
}

/// The network as one event loop sees it.
pub(super) struct Sockets {
    pub(super) world: World,
    pub(super) event_loop: usize,
}

/// The server's end of a connection.
pub(super) struct Socket {
    number: usize,
    world: World,
}

impl Drop for Socket {
    fn drop(&mut self) {
        let mut world = self.world.lock();
        // tcp(7): what was received and not read turns the close into a reset.
        let connection = &world.connections[self.number];
        if !connection.to_server.is_empty()
            && !connection.to_client.is_empty()
            && world.strike(Fault::LostAnswer)
        {
            world.connections[self.number].to_client.clear();
        }
        let connection = &mut world.connections[self.number];
        connection.closed = true;
        connection.token = None;
        let number = self.number;
        world.note(number as u64, || format!("  connection {number} is closed"));
    }
}

impl Sockets {
    fn sent(&self, state: &mut State, number: usize, bytes: &[u8]) -> io::Result<usize> {
        let connection = &state.connections[number];
        if connection.reset || connection.closed {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let room = connection.room - connection.to_client.len().min(connection.room);
        if room == 0 {
            state.faults.count(Fault::NoRoom);
            return Err(ErrorKind::WouldBlock.into());
        }
        let mut count = bytes.len().min(room);
        if count > 1 && state.strike(Fault::ShortSend) {
            count = state.random.length(count - 1);
        }
        state.connections[number].to_client.extend(&bytes[..count]);
        state.note_bytes(&bytes[..count], || {
            let text = bytes[..count.min(400)].escape_ascii();
            format!("  connection {number}: {count} of {} sent: {text}", bytes.len())
        });
        Ok(count)
    }
}

impl Network<Disk> for Sockets {
    type Socket = Socket;

    fn wait(&mut self, events: &mut Vec<Event>, timeout: Option<Duration>) -> io::Result<()> {
        events.clear();
        let until = {
            let state = self.world.lock();
            timeout.map(|timeout| state.now.saturating_add(timeout.as_nanos() as u64))
        };
        // At least once, so that a loop which never sleeps lets others run.
        pause(Pause::Events(self.event_loop, until));
        let mut state = self.world.lock();
        if state.dead {
            return Err(io::Error::other("the process is gone"));
        }
        if state.strike(Fault::IdleWake) {
            return Ok(());
        }
        let waiting = state.listening[self.event_loop].events.len();
        let most = state.random.length(waiting);
        let listening = &mut state.listening[self.event_loop];
        if std::mem::take(&mut listening.rung) {
            events.push(Event::Rung);
        }
        events.extend(listening.events.drain(..most));
        Ok(())
    }

    fn accept(&mut self) -> Accepted<Socket> {
        let mut state = self.world.lock();
        let listening = &state.listening[self.event_loop];
        if listening.closed || listening.backlog.is_empty() {
            return Accepted::Nothing;
        }
        if state.seldom(Fault::Exhausted, 2) {
            return Accepted::Exhausted;
        }
        let Some(number) = state.listening[self.event_loop].backlog.pop_front() else {
            return Accepted::Nothing;
        };
        if state.connections[number].reset {
            state.faults.count(Fault::Gone);
            return Accepted::Gone;
        }
        state.note(number as u64, || format!("  connection {number} is accepted"));
        let peer = SocketAddr::from(([192, 0, 2, 1 + (number % 3) as u8], 1024 + (number % 60_000) as u16));
        Accepted::Connection(Socket { number, world: self.world.clone() }, peer.into())
    }

    fn refuse_one(&mut self, answer: &[u8]) {
        let mut state = self.world.lock();
        if let Some(number) = state.listening[self.event_loop].backlog.pop_front() {
            state.connections[number].to_client.extend(answer);
            state.connections[number].closed = true;
            state.note(number as u64, || format!("  connection {number} is refused"));
        }
    }

    fn stop_listening(&mut self) {
        let mut state = self.world.lock();
        let listening = &mut state.listening[self.event_loop];
        listening.closed = true;
        for number in std::mem::take(&mut listening.backlog) {
            state.connections[number].closed = true;
        }
    }

    fn register(&mut self, socket: &Socket, token: Token) -> io::Result<()> {
        let mut state = self.world.lock();
        if state.seldom(Fault::NotRegistered, 4) {
            return Err(ErrorKind::OutOfMemory.into());
        }
        state.connections[socket.number].token = Some(token);
        let connection = &state.connections[socket.number];
        let (readable, finished) = (!connection.to_server.is_empty(), connection.finished);
        if readable {
            state.tell(socket.number, Readiness::READABLE);
        }
        if finished {
            state.tell(socket.number, Readiness::READABLE.and(Readiness::ENDED));
        }
        Ok(())
    }

    fn receive(&mut self, socket: &mut Socket, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.world.lock();
        let number = socket.number;
        let connection = &mut state.connections[number];
        if connection.reset || connection.closed {
            return Err(ErrorKind::ConnectionReset.into());
        }
        if connection.to_server.is_empty() && !connection.finished {
            return Err(ErrorKind::WouldBlock.into());
        }
        let count = connection.to_server.len().min(buffer.len());
        for (place, byte) in buffer.iter_mut().zip(connection.to_server.drain(..count)) {
            *place = byte;
        }
        state.note(count as u64, || format!("  connection {number}: {count} received"));
        Ok(count)
    }

    fn send(&mut self, socket: &mut Socket, bytes: &[u8], _more: bool) -> io::Result<usize> {
        self.sent(&mut self.world.lock(), socket.number, bytes)
    }

    fn send_file(
        &mut self,
        socket: &mut Socket,
        file: &<Disk as Directory>::File,
        range: Range<u64>,
    ) -> io::Result<usize> {
        let mut state = self.world.lock();
        if state.connections[socket.number].to_client.len() >= state.connections[socket.number].room {
            return Err(ErrorKind::WouldBlock.into());
        }
        if state.seldom(Fault::InputOutput, 8) {
            return Err(io::Error::from_raw_os_error(super::disk::EIO));
        }
        let mut bytes = vec![0; usize::try_from(range.end - range.start).unwrap_or(usize::MAX).min(1 << 18)];
        let count = file.content_at(&mut bytes, range.start)?;
        if count == 0 {
            return Ok(0);
        }
        self.sent(&mut state, socket.number, &bytes[..count])
    }

    fn await_room(&mut self, socket: &Socket, _token: Token) -> io::Result<()> {
        let mut state = self.world.lock();
        if state.seldom(Fault::NotRegistered, 8) {
            return Err(ErrorKind::OutOfMemory.into());
        }
        let connection = &mut state.connections[socket.number];
        if connection.to_client.len() < connection.room || connection.reset {
            state.tell(socket.number, Readiness::WRITABLE);
        } else {
            connection.awaits_room = true;
        }
        Ok(())
    }

    fn shut_down(&mut self, socket: &mut Socket) {
        self.world.lock().connections[socket.number].shut_down = true;
    }
}
