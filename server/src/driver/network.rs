//! Every call that an event loop makes on sockets and epoll: [`Network`], so that it can also run
//! on simulated ones.

use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use super::slots::Token;
use crate::store::directory::Directory;
use crate::sys::epoll::{Epoll, EventBuffer, Readiness};
use crate::sys::event_fd::EventFd;
use crate::sys::socket::{Listener, Stream};

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
    /// Closes the listening socket, and with it all connections that it has not accepted.
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
    fn receive(&mut self, socket: &Self::Socket, buffer: &mut [u8]) -> io::Result<usize>;
    /// Sends as much as there is room for; with `more`, what follows may share its last segment.
    ///
    /// # Errors
    /// `WouldBlock` where there is no room; others mean that the connection is gone.
    fn send(&mut self, socket: &Self::Socket, bytes: &[u8], more: bool) -> io::Result<usize>;
    /// The same for bytes of a file; no bytes mean that it ends before the range begins.
    ///
    /// # Errors
    /// `WouldBlock` where there is no room; others mean that the connection or the file is gone.
    fn send_file(&mut self, socket: &Self::Socket, file: &D::File, range: Range<u64>) -> io::Result<usize>;
    /// Tells when there is room to send, even if that is so already.
    ///
    /// # Errors
    /// Where the system has no memory for it.
    fn await_room(&mut self, socket: &Self::Socket, token: Token) -> io::Result<()>;
    /// Says to the peer that nothing more will be sent.
    fn shut_down(&mut self, socket: &Self::Socket);
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
    Connection(S, SocketAddr),
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
    listener: Option<Listener>,
    /// Let go to have one descriptor when all are used up.
    reserve: Option<OwnedFd>,
    bell: Arc<EventFd>,
}

/// Keys beyond all packed tokens.
const LISTENER: u64 = u64::MAX;
const BELL: u64 = u64::MAX - 1;

/// Events that one wait brings at most; the rest comes with the next.
const EVENTS_MAX: usize = 256;

impl SystemNetwork {
    /// Accepts from `listener`, and is woken by `bell`.
    ///
    /// # Errors
    /// Where descriptors or memory are used up.
    pub fn new(listener: Listener, bell: Arc<EventFd>) -> io::Result<SystemNetwork> {
        let epoll = Epoll::new()?;
        epoll.add(listener.as_fd(), Readiness::READABLE, LISTENER)?;
        epoll.add(bell.as_fd(), Readiness::READABLE, BELL)?;
        let reserve = Some(bell.as_fd().try_clone_to_owned()?);
        Ok(SystemNetwork {
            epoll,
            buffer: EventBuffer::new(EVENTS_MAX),
            listener: Some(listener),
            reserve,
            bell,
        })
    }
}

/// Registered once; edge-triggered, so that nothing has to be taken back while it is not wanted.
const INTEREST: Readiness = Readiness::READABLE.and(Readiness::ENDED);

impl<D: Directory> Network<D> for SystemNetwork
where
    D::File: AsFd,
{
    type Socket = Stream;

    fn wait(&mut self, events: &mut Vec<Event>, timeout: Option<Duration>) -> io::Result<()> {
        events.clear();
        events.extend(self.epoll.wait(&mut self.buffer, timeout)?.map(|event| match event.key {
            LISTENER => Event::Incoming,
            BELL => Event::Rung,
            token => Event::Socket(Token::unpacked(token), event.readiness),
        }));
        Ok(())
    }

    fn accept(&mut self) -> Accepted<Stream> {
        let Some(listener) = &self.listener else { return Accepted::Nothing };
        match listener.accept() {
            Ok((socket, peer)) => Accepted::Connection(socket, peer),
            Err(error) => refusal(&error),
        }
    }

    fn refuse_one(&mut self, answer: &[u8]) {
        drop(self.reserve.take());
        if let Some(listener) = &self.listener
            && let Ok((socket, _)) = listener.accept()
        {
            let _ = socket.send(answer, false);
            let _ = socket.shut_down();
            // What was received and not read would turn the close into a reset.
            let _ = socket.receive(&mut [0; 4096]);
        }
        self.reserve = self.bell.as_fd().try_clone_to_owned().ok();
    }

    fn stop_listening(&mut self) {
        self.listener = None;
    }

    fn register(&mut self, socket: &Stream, token: Token) -> io::Result<()> {
        self.epoll.add(socket.as_fd(), INTEREST, token.packed())
    }

    fn receive(&mut self, socket: &Stream, buffer: &mut [u8]) -> io::Result<usize> {
        socket.receive(buffer)
    }

    fn send(&mut self, socket: &Stream, bytes: &[u8], more: bool) -> io::Result<usize> {
        socket.send(bytes, more)
    }

    fn send_file(&mut self, socket: &Stream, file: &D::File, range: Range<u64>) -> io::Result<usize> {
        socket.send_file(file.as_fd(), range)
    }

    /// Stays registered for it afterwards: an edge comes only after a send that found no room, so
    /// it costs nothing. Each call makes the kernel look again, so that no edge can be missed,
    /// whatever the reason for a short send was.
    fn await_room(&mut self, socket: &Stream, token: Token) -> io::Result<()> {
        self.epoll.change(socket.as_fd(), INTEREST.and(Readiness::WRITABLE), token.packed())
    }

    fn shut_down(&mut self, socket: &Stream) {
        // Where the connection is gone already, the next receive says so.
        let _ = socket.shut_down();
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
    use std::net::TcpStream;

    use super::*;
    use crate::store::base_directory::BaseDirectory;

    /// The trait's methods, for one kind of file.
    fn network(bell: &Arc<EventFd>) -> (impl Network<BaseDirectory, Socket = Stream> + use<>, SocketAddr) {
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.address().unwrap();
        (SystemNetwork::new(listener, Arc::clone(bell)).unwrap(), address)
    }

    fn next_event(network: &mut impl Network<BaseDirectory, Socket = Stream>) -> Option<Event> {
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
        assert_eq!(peer, client.local_addr().unwrap());
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
