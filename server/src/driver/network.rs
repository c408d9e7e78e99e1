//! Every call that an event loop makes on sockets and epoll: [`Network`], so that it can also run
//! on simulated ones.

use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use super::listeners::{LISTENERS_MAX, Listening};
use super::secure::SecureStream;
use super::session::RECEIVE_BYTES_MAX;
use super::slots::Token;
use super::transport::{Layer, Transport};
use crate::store::directory::Directory;
use crate::sys::epoll::{Epoll, EventBuffer, Readiness};
use crate::sys::event_fd::EventFd;
pub use crate::sys::socket::Peer;

/// The network as one event loop sees it. No call waits but [`Network::wait`].
pub trait Network<D: Directory> {
    /// A connection; dropping it closes it.
    type Socket;

    /// Waits until something happens or the time is up; `None` waits without end.
    ///
    /// What happens is told once, when it comes about: something to accept or to receive, room to
    /// send again after [`Network::await_room`], the end, a break.
    ///
    /// # Errors
    /// Only such as end the event loop.
    fn wait(&mut self, events: &mut Vec<Event>, timeout: Option<Duration>) -> io::Result<()>;

    /// Accepts one connection.
    fn accept(&mut self) -> Accepted<Self::Socket>;
    /// When descriptors are used up: accepts one connection, sends it this answer if that takes no
    /// wait, and closes it.
    fn refuse_one(&mut self, answer: &[u8]);
    /// Closes the listening sockets, and with them all connections that it has not accepted.
    fn stop_listening(&mut self);

    /// Begins to tell of what happens to a connection.
    ///
    /// # Errors
    /// Where the system has no memory for it.
    fn register(&mut self, socket: &Self::Socket, token: Token) -> io::Result<()>;
    /// Receives what is there; no bytes mean the end.
    ///
    /// # Errors
    /// `WouldBlock` where nothing is there; others mean that the connection is gone.
    fn receive(&mut self, socket: &mut Self::Socket, buffer: &mut [u8]) -> io::Result<usize>;
    /// Sends as much as there is room for; with `more`, what follows may share its last segment.
    ///
    /// # Errors
    /// `WouldBlock` where there is no room; others mean that the connection is gone.
    fn send(&mut self, socket: &mut Self::Socket, bytes: &[u8], more: bool) -> io::Result<usize>;
    /// The same for bytes of a file; no bytes mean that it ends before the range begins.
    ///
    /// # Errors
    /// `WouldBlock` where there is no room; others mean that the connection or the file is gone.
    fn send_file(
        &mut self,
        socket: &mut Self::Socket,
        file: &D::File,
        range: Range<u64>,
    ) -> io::Result<usize>;
    /// Tells when there is room to send, even if that is so already.
    ///
    /// # Errors
    /// Where the system has no memory for it.
    fn await_room(&mut self, socket: &Self::Socket, token: Token) -> io::Result<()>;
    /// Says to the peer that nothing more will be sent.
    fn shut_down(&mut self, socket: &mut Self::Socket);
    /// What stands between the connection and its socket, where anything does.
    fn layer(&self, _socket: &Self::Socket) -> Layer {
        Layer::default()
    }
}

/// Something that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// There may be connections to accept.
    Incoming,
    /// There may be something in the mailbox.
    Rung,
    /// Something about this connection.
    Socket(Token, Readiness),
}

/// What came of accepting.
#[derive(Debug)]
pub enum Accepted<S> {
    /// A connection, and its peer.
    Connection(S, Peer),
    /// One that was gone before it was accepted: there may be more.
    Gone,
    /// No more for now; a new one will be told.
    Nothing,
    /// Descriptors or memory are used up.
    Exhausted,
}

/// The machine's network.
pub struct SystemNetwork {
    epoll: Epoll,
    buffer: EventBuffer,
    listeners: Vec<Listening>,
    /// A bit for each of them that may have connections to accept.
    ready: u64,
    /// The one that is asked next, so that none keeps the others waiting.
    turn: u32,
    /// Let go to have one descriptor when all are used up.
    reserve: Option<OwnedFd>,
    bell: Arc<EventFd>,
    /// What TLS has between sockets and connections, lent to one at a time; nothing without TLS.
    records: Vec<u8>,
}

/// Keys beyond all packed tokens.
const BELL: u64 = u64::MAX;
const FIRST_LISTENER: u64 = u64::MAX - LISTENERS_MAX as u64;

/// Events that one wait brings at most; the rest comes with the next.
const EVENTS_MAX: usize = 256;

impl SystemNetwork {
    /// Accepts from `listeners`, of which there are at most [`LISTENERS_MAX`], and is woken by `bell`.
    ///
    /// # Errors
    /// Where descriptors or memory are used up.
    pub fn new(listeners: Vec<Listening>, bell: Arc<EventFd>) -> io::Result<SystemNetwork> {
        let epoll = Epoll::new()?;
        let mut ready = 0;
        for (listening, at) in listeners.iter().zip(0..LISTENERS_MAX) {
            let (descriptor, key) = (listening.listener.as_fd(), FIRST_LISTENER + u64::from(at));
            if listening.shared {
                epoll.add_shared(descriptor, Readiness::READABLE, key)?;
            } else {
                epoll.add(descriptor, Readiness::READABLE, key)?;
            }
            ready |= 1 << at;
        }
        epoll.add(bell.as_fd(), Readiness::READABLE, BELL)?;
        let reserve = Some(bell.as_fd().try_clone_to_owned()?);
        let buffer = EventBuffer::new(EVENTS_MAX);
        let secure = listeners.iter().any(|listening| listening.certificate.is_some());
        let records = vec![0; if secure { RECEIVE_BYTES_MAX } else { 0 }];
        Ok(SystemNetwork { epoll, buffer, listeners, ready, turn: 0, reserve, bell, records })
    }

    /// One connection of any listener that may have one, beginning with the one whose turn it is.
    fn accept_any(&mut self) -> Accepted<Transport> {
        while self.ready != 0 {
            let later = self.ready & u64::MAX.checked_shl(self.turn).unwrap_or(0);
            let at = if later == 0 { self.ready } else { later }.trailing_zeros();
            let Some(listening) = self.listeners.get(at as usize) else {
                self.ready = 0;
                continue;
            };
            match listening.listener.accept() {
                Ok((socket, peer)) => {
                    self.turn = at + 1;
                    let Some(certificate) = &listening.certificate else {
                        return Accepted::Connection(Transport::Plain(socket), peer);
                    };
                    return match SecureStream::new(socket, certificate.get()) {
                        Ok(stream) => Accepted::Connection(Transport::Secure(Box::new(stream)), peer),
                        Err(_) => Accepted::Gone,
                    };
                }
                Err(error) => match refusal(&error) {
                    Accepted::Nothing => self.ready &= !(1 << at),
                    accepted => return accepted,
                },
            }
        }
        Accepted::Nothing
    }
}

/// Registered once; edge-triggered, so that nothing has to be taken back while it is not wanted.
const INTEREST: Readiness = Readiness::READABLE.and(Readiness::ENDED);

impl<D: Directory> Network<D> for SystemNetwork
where
    D::File: AsFd,
{
    type Socket = Transport;

    fn wait(&mut self, events: &mut Vec<Event>, timeout: Option<Duration>) -> io::Result<()> {
        events.clear();
        let ready = &mut self.ready;
        events.extend(self.epoll.wait(&mut self.buffer, timeout)?.map(|event| match event.key {
            BELL => Event::Rung,
            key @ FIRST_LISTENER.. => {
                *ready |= 1 << (key - FIRST_LISTENER);
                Event::Incoming
            }
            token => Event::Socket(Token::unpacked(token), event.readiness),
        }));
        Ok(())
    }

    fn accept(&mut self) -> Accepted<Transport> {
        self.accept_any()
    }

    fn refuse_one(&mut self, answer: &[u8]) {
        drop(self.reserve.take());
        // Over TLS there is no word to be had in one call: it is closed without.
        if let Accepted::Connection(Transport::Plain(socket), _) = self.accept_any() {
            let _ = socket.send(answer, false);
            let _ = socket.shut_down();
            // What was received and not read would turn the close into a reset.
            let _ = socket.receive(&mut [0; 4096]);
        }
        self.reserve = self.bell.as_fd().try_clone_to_owned().ok();
    }

    fn stop_listening(&mut self) {
        self.listeners.clear();
        self.ready = 0;
    }

    fn register(&mut self, socket: &Transport, token: Token) -> io::Result<()> {
        self.epoll.add(socket.socket().as_fd(), INTEREST, token.packed())
    }

    fn receive(&mut self, socket: &mut Transport, buffer: &mut [u8]) -> io::Result<usize> {
        match socket {
            Transport::Plain(socket) => socket.receive(buffer),
            Transport::Secure(stream) => stream.receive(buffer, &mut self.records),
        }
    }

    fn send(&mut self, socket: &mut Transport, bytes: &[u8], more: bool) -> io::Result<usize> {
        match socket {
            Transport::Plain(socket) => socket.send(bytes, more),
            Transport::Secure(stream) => stream.send(bytes, more),
        }
    }

    fn send_file(&mut self, socket: &mut Transport, file: &D::File, range: Range<u64>) -> io::Result<usize> {
        match socket {
            Transport::Plain(socket) => socket.send_file(file.as_fd(), range),
            Transport::Secure(stream) => stream.send_file(file.as_fd(), range, &mut self.records),
        }
    }

    /// Stays registered for it afterwards: an edge comes only after a send that found no room, so
    /// it costs nothing. Each call makes the kernel look again, so that no edge can be missed,
    /// whatever the reason for a short send was.
    fn await_room(&mut self, socket: &Transport, token: Token) -> io::Result<()> {
        self.epoll.change(socket.socket().as_fd(), INTEREST.and(Readiness::WRITABLE), token.packed())
    }

    fn shut_down(&mut self, socket: &mut Transport) {
        match socket {
            // Where the connection is gone already, the next receive says so.
            Transport::Plain(socket) => drop(socket.shut_down()),
            Transport::Secure(stream) => stream.shut_down(),
        }
    }

    fn layer(&self, socket: &Transport) -> Layer {
        match socket {
            Transport::Plain(_) => Layer::default(),
            Transport::Secure(stream) => stream.layer(),
        }
    }
}

/// accept(2): errors that were pending on the new connection are reported in its place.
fn refusal<S>(error: &io::Error) -> Accepted<S> {
    match error.raw_os_error() {
        Some(libc::EAGAIN) => Accepted::Nothing,
        Some(
            libc::EINTR
            | libc::ECONNABORTED
            | libc::ENETDOWN
            | libc::EPROTO
            | libc::ENOPROTOOPT
            | libc::EHOSTDOWN
            | libc::ENONET
            | libc::EHOSTUNREACH
            | libc::EOPNOTSUPP
            | libc::ENETUNREACH
            | libc::ETIMEDOUT
            | libc::EPERM,
        ) => Accepted::Gone,
        _ => Accepted::Exhausted,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpStream};
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::store::base_directory::BaseDirectory;
    use crate::sys::local_socket;
    use crate::sys::socket::Listener;

    /// The trait's methods, for one kind of file.
    fn network(bell: &Arc<EventFd>) -> (impl Network<BaseDirectory, Socket = Transport> + use<>, SocketAddr) {
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), false).unwrap();
        let address = listener.address().unwrap();
        let listening = Listening { listener, shared: false, certificate: None };
        (SystemNetwork::new(vec![listening], Arc::clone(bell)).unwrap(), address)
    }

    fn next_event(network: &mut impl Network<BaseDirectory, Socket = Transport>) -> Option<Event> {
        let mut events = Vec::new();
        network.wait(&mut events, Some(Duration::from_secs(10))).unwrap();
        assert!(events.len() <= 1);
        events.pop()
    }

    #[test]
    fn events_come_under_the_names_that_they_were_registered_for() {
        let bell = Arc::new(EventFd::new().unwrap());
        let (mut network, address) = network(&bell);
        bell.ring();
        assert_eq!(next_event(&mut network), Some(Event::Rung));
        let mut client = TcpStream::connect(address).unwrap();
        assert_eq!(next_event(&mut network), Some(Event::Incoming));
        let Accepted::Connection(socket, peer) = network.accept() else { panic!("not accepted") };
        assert_eq!(peer, client.local_addr().unwrap().into());
        assert!(matches!(network.accept(), Accepted::Nothing));
        let token = Token::unpacked(5 << 32 | 7);
        network.register(&socket, token).unwrap();
        client.write_all(b"x").unwrap();
        assert_eq!(next_event(&mut network), Some(Event::Socket(token, Readiness::READABLE)));
        network.await_room(&socket, token).unwrap();
        let both = Readiness::READABLE.and(Readiness::WRITABLE);
        assert_eq!(next_event(&mut network), Some(Event::Socket(token, both)));
        network.stop_listening();
        assert!(matches!(network.accept(), Accepted::Nothing));
        assert!(TcpStream::connect(address).is_err());
    }

    #[test]
    fn a_connection_without_a_descriptor_gets_its_answer() {
        let (mut network, address) = network(&Arc::new(EventFd::new().unwrap()));
        let mut client = TcpStream::connect(address).unwrap();
        client.write_all(b"request").unwrap();
        assert_eq!(next_event(&mut network), Some(Event::Incoming));
        network.refuse_one(b"answer");
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "answer");
        assert!(matches!(network.accept(), Accepted::Nothing));
    }

    #[test]
    fn no_listener_keeps_the_others_waiting() {
        let home = tempfile::tempdir().unwrap();
        let paths = [0, 1, 2].map(|number: u8| home.path().join(number.to_string()));
        let listening = |path| Listening {
            listener: local_socket::listen(path, 0o600).unwrap(),
            shared: true,
            certificate: None,
        };
        let listeners = paths.each_ref().map(|path| listening(path)).into();
        let mut network = SystemNetwork::new(listeners, Arc::new(EventFd::new().unwrap())).unwrap();
        let network: &mut dyn Network<BaseDirectory, Socket = Transport> = &mut network;
        assert!(matches!(network.accept(), Accepted::Nothing));

        // The first has more than all the others.
        let clients = [0, 0, 0, 0, 1, 2].map(|at: usize| UnixStream::connect(&paths[at]).unwrap());
        for (number, mut client) in clients.iter().enumerate() {
            client.write_all(&[number as u8]).unwrap();
        }
        let mut events = Vec::new();
        network.wait(&mut events, Some(Duration::from_secs(10))).unwrap();
        assert!(!events.is_empty() && events.iter().all(|&event| event == Event::Incoming));
        let mut order = Vec::new();
        while let Accepted::Connection(socket, peer) = network.accept() {
            assert_eq!(peer, Peer::Local);
            let mut number = [0];
            socket.socket().receive(&mut number).unwrap();
            order.push(number[0]);
        }
        assert_eq!(order, [0, 4, 5, 1, 2, 3]);
        network.stop_listening();
        assert!(UnixStream::connect(&paths[1]).is_err());
    }

    #[test]
    fn errors_of_accept_are_told_apart() {
        let refusal = |code| refusal::<()>(&io::Error::from_raw_os_error(code));
        assert!(matches!(refusal(libc::EAGAIN), Accepted::Nothing));
        for code in [libc::ECONNABORTED, libc::EPROTO, libc::EPERM, libc::ENETUNREACH] {
            assert!(matches!(refusal(code), Accepted::Gone));
        }
        for code in [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM, libc::EINVAL] {
            assert!(matches!(refusal(code), Accepted::Exhausted));
        }
    }
}
