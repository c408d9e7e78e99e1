//! A network for schedules: connections whose peers have sent all that they will send, and an event loop
//! that sleeps until it is told of something: [`Wire`].

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http_server::driver::network::{Accepted, Event, Network};
use http_server::driver::slots::Token;
use http_server::sync::{Condvar, Mutex as Step};
use http_server::sys::epoll::Readiness;

use crate::simulated::{Handle, Simulated};

/// What the event loop and everybody else share.
#[derive(Default)]
pub(super) struct Wire {
    state: Mutex<State>,
    /// Under loom, for the schedules to differ in: whether there is anything to wake up for.
    rung: Step<bool>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    backlog: VecDeque<usize>,
    events: Vec<Event>,
    closed: bool,
    connections: Vec<Connection>,
}

#[derive(Default)]
struct Connection {
    to_server: VecDeque<u8>,
    /// Its peer sends no more.
    finished: bool,
    reset: bool,
    token: Option<Token>,
    to_client: Vec<u8>,
}

impl Wire {
    /// A client connects and sends these bytes. One that stays sends no more when the server does not
    /// either; others say so at once.
    pub(super) fn connect(&self, bytes: &[u8], stays: bool) -> usize {
        self.ring(|state| {
            let number = state.connections.len();
            let to_server = bytes.iter().copied().collect();
            state.connections.push(Connection { to_server, finished: !stays, ..Connection::default() });
            if !state.closed {
                state.backlog.push_back(number);
                state.events.push(Event::Incoming);
            }
            number
        })
    }

    /// The client is gone at once.
    pub(super) fn reset(&self, number: usize) {
        self.ring(|state| {
            state.connections[number].reset = true;
            if let Some(token) = state.connections[number].token {
                state.events.push(Event::Socket(token, Readiness::BROKEN));
            }
        });
    }

    /// There may be something in the mailbox.
    pub(super) fn ring_bell(&self) {
        self.ring(|state| state.events.push(Event::Rung));
    }

    /// All that the client got.
    pub(super) fn received(&self, number: usize) -> Vec<u8> {
        self.state().connections[number].to_client.clone()
    }

    /// Something happens, and the event loop is told of it.
    fn ring<T>(&self, happen: impl FnOnce(&mut State) -> T) -> T {
        let mut rung = self.rung.lock().unwrap();
        let result = happen(&mut self.state());
        *rung = true;
        drop(rung);
        self.changed.notify_one();
        result
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The network as the event loop sees it.
pub(super) struct Sockets(pub(super) Arc<Wire>);

impl Network<Simulated> for Sockets {
    type Socket = usize;

    fn wait(&mut self, events: &mut Vec<Event>, timeout: Option<Duration>) -> io::Result<()> {
        events.clear();
        let mut rung = self.0.rung.lock().unwrap();
        // Time does not pass: whoever waits for it alone waits for ever, which loom takes for a deadlock.
        while !*rung && timeout != Some(Duration::ZERO) {
            rung = self.0.changed.wait(rung).unwrap();
        }
        *rung = false;
        drop(rung);
        events.append(&mut self.0.state().events);
        Ok(())
    }

    fn accept(&mut self) -> Accepted<usize> {
        let mut state = self.0.state();
        match state.backlog.pop_front() {
            Some(number) if state.connections[number].reset => Accepted::Gone,
            Some(number) => Accepted::Connection(number, SocketAddr::from(([192, 0, 2, 1], 1024)).into()),
            None => Accepted::Nothing,
        }
    }

    fn refuse_one(&mut self, _answer: &[u8]) {}

    fn stop_listening(&mut self) {
        let mut state = self.0.state();
        state.closed = true;
        state.backlog.clear();
    }

    fn register(&mut self, socket: &usize, token: Token) -> io::Result<()> {
        self.0.ring(|state| {
            let connection = &mut state.connections[*socket];
            connection.token = Some(token);
            let ended = if connection.finished { Readiness::ENDED } else { Readiness::READABLE };
            state.events.push(Event::Socket(token, Readiness::READABLE.and(ended)));
        });
        Ok(())
    }

    fn receive(&mut self, socket: &mut usize, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.0.state();
        let connection = &mut state.connections[*socket];
        if connection.reset {
            return Err(ErrorKind::ConnectionReset.into());
        }
        if connection.to_server.is_empty() && !connection.finished {
            return Err(ErrorKind::WouldBlock.into());
        }
        let count = connection.to_server.len().min(buffer.len());
        for (place, byte) in buffer.iter_mut().zip(connection.to_server.drain(..count)) {
            *place = byte;
        }
        Ok(count)
    }

    fn send(&mut self, socket: &mut usize, bytes: &[u8], _more: bool) -> io::Result<usize> {
        let mut state = self.0.state();
        let connection = &mut state.connections[*socket];
        if connection.reset {
            return Err(ErrorKind::BrokenPipe.into());
        }
        connection.to_client.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn send_file(&mut self, socket: &mut usize, file: &Handle, range: Range<u64>) -> io::Result<usize> {
        let mut bytes = vec![0; usize::try_from(range.end - range.start).unwrap()];
        let count = file.content_at(&mut bytes, range.start)?;
        self.send(socket, &bytes[..count], false)
    }

    fn await_room(&mut self, _socket: &usize, _token: Token) -> io::Result<()> {
        Ok(())
    }

    fn shut_down(&mut self, socket: &mut usize) {
        self.0.ring(|state| {
            let connection = &mut state.connections[*socket];
            connection.finished = true;
            if let Some(token) = connection.token {
                state.events.push(Event::Socket(token, Readiness::READABLE.and(Readiness::ENDED)));
            }
        });
    }
}
