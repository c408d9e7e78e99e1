//! Sockets for streams, TCP's and local ones, that never block: [`Listener`] and [`Stream`].
//!
//! sendfile(2) and writev(2) have no `MSG_NOSIGNAL`, so `SIGPIPE` must be ignored, as std's runtime does at start.

use std::fmt;
use std::io;
use std::mem::{MaybeUninit, size_of};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, SocketAddrV4, SocketAddrV6, TcpStream};
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;

use super::call::{check, check_count, retry};

/// Connections that wait to be accepted, at most; the kernel lowers it to `net.core.somaxconn`.
const BACKLOG_MAX: libc::c_int = 65_535;

/// A socket that accepts connections.
#[derive(Debug)]
pub struct Listener(OwnedFd);

impl Listener {
    /// Listens on an address, and fails where anybody listens there. Port 0: any that is free.
    /// `[::]` takes connections over IPv4, too, whatever the system's default is, unless
    /// `only_version_6` (ipv6(7)).
    ///
    /// # Errors
    /// What socket, bind or listen said.
    pub fn bind(address: SocketAddr, only_version_6: bool) -> io::Result<Listener> {
        let socket = internet_socket(address, only_version_6)?;
        bind(&socket, address)?;
        Listener::from_bound(socket)
    }

    /// One more listener on the same address; the kernel spreads new connections over all of them.
    ///
    /// # Errors
    /// What socket, bind or listen said.
    pub fn beside(&self) -> io::Result<Listener> {
        let address = self.address()?;
        // Only now: had this been said before bind, bind would have gone well beside another
        // server of the same user.
        set_option(self.as_fd(), libc::SOL_SOCKET, libc::SO_REUSEPORT, true)?;
        let only_version_6 =
            address.is_ipv6() && option(self.as_fd(), libc::IPPROTO_IPV6, libc::IPV6_V6ONLY)? != 0;
        let socket = internet_socket(address, only_version_6)?;
        set_option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_REUSEPORT, true)?;
        bind(&socket, address)?;
        Listener::from_bound(socket)
    }

    /// Listens on a socket that was bound to a path (`sys::local_socket`).
    ///
    /// # Errors
    /// What listen said.
    pub(super) fn from_bound(socket: OwnedFd) -> io::Result<Listener> {
        listen(&socket)?;
        Ok(Listener(socket))
    }

    /// A socket that somebody else has opened, and that listens already.
    ///
    /// # Errors
    /// It does not listen, or what setting it up said.
    pub fn inherited(socket: OwnedFd) -> io::Result<Listener> {
        if option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_ACCEPTCONN)? == 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it does not listen"));
        }
        let yes: libc::c_int = 1;
        // SAFETY: the pointer is that of `yes`.
        check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::FIONBIO, &raw const yes) })?;
        let listener = Listener(socket);
        if listener.address().is_ok() {
            set_option(listener.as_fd(), libc::IPPROTO_TCP, libc::TCP_NODELAY, true)?;
        }
        Ok(listener)
    }

    /// The same socket once more, for another event loop: whoever is first has the connection.
    ///
    /// # Errors
    /// Where descriptors are used up.
    pub fn share(&self) -> io::Result<Listener> {
        self.0.try_clone().map(Listener)
    }

    /// The address with its port.
    ///
    /// # Errors
    /// It is a local socket.
    pub fn address(&self) -> io::Result<SocketAddr> {
        let mut storage = MaybeUninit::<libc::sockaddr_storage>::zeroed();
        let mut length = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
        let socket = self.0.as_raw_fd();
        // SAFETY: `storage` is `length` bytes of room for any address.
        check(unsafe { libc::getsockname(socket, storage.as_mut_ptr().cast(), &raw mut length) })?;
        // SAFETY: all bytes were zeroed, which is a valid value of this plain struct.
        match from_storage(&unsafe { storage.assume_init() })? {
            Peer::Internet(address) => Ok(address),
            Peer::Local => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// The next connection and its peer.
    ///
    /// # Errors
    /// `WouldBlock` where there is none; others may concern just this connection (accept(2)).
    pub fn accept(&self) -> io::Result<(Stream, Peer)> {
        let mut storage = MaybeUninit::<libc::sockaddr_storage>::zeroed();
        let mut length = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
        let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        let listener = self.0.as_raw_fd();
        // SAFETY: `storage` is `length` bytes of room for any address.
        let result = unsafe { libc::accept4(listener, storage.as_mut_ptr().cast(), &raw mut length, flags) };
        let descriptor = check(result)?;
        // SAFETY: accept4 returned this descriptor just now, so nobody else owns it.
        let socket = unsafe { OwnedFd::from_raw_fd(descriptor) };
        // SAFETY: all bytes were zeroed, which is a valid value of this plain struct.
        let storage = unsafe { storage.assume_init() };
        Ok((Stream(TcpStream::from(socket)), from_storage(&storage)?))
    }
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// This address.
    Internet(SocketAddr),
    /// A process of this machine, over a local socket.
    Local,
}

impl Peer {
    /// Its address, where it has one.
    pub fn ip(self) -> Option<IpAddr> {
        match self {
            Peer::Internet(address) => Some(address.ip()),
            Peer::Local => None,
        }
    }
}

impl From<SocketAddr> for Peer {
    fn from(address: SocketAddr) -> Peer {
        Peer::Internet(address)
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::Internet(address) => address.fmt(formatter),
            Peer::Local => formatter.write_str("unix"),
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A connection. Dropping it closes it.
///
/// Of std's type only what is the same for all sockets is used, local ones among them.
#[derive(Debug)]
pub struct Stream(TcpStream);

impl Stream {
    /// Receives what is there; no bytes mean the end.
    ///
    /// # Errors
    /// `WouldBlock` where nothing is there; others mean that the connection is gone.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let (socket, bytes, room) = (self.0.as_raw_fd(), buffer.as_mut_ptr(), buffer.len());
        let nobody = ptr::null::<libc::sockaddr>();
        retry(|| {
            // libc's recv can be cancelled, for which it takes two locked instructions; so can its send.
            // SAFETY: the pointer and the length are those of `buffer`; there is no address to be filled in.
            let result = unsafe { libc::syscall(libc::SYS_recvfrom, socket, bytes, room, 0, nobody, nobody) };
            check_count(result as libc::ssize_t)
        })
    }

    /// Sends as much as there is room for. With `more`, a last segment that is not full waits for
    /// what is sent next.
    ///
    /// # Errors
    /// `WouldBlock` where there is no room; others mean that the connection is gone.
    pub fn send(&self, bytes: &[u8], more: bool) -> io::Result<usize> {
        let flags = libc::MSG_NOSIGNAL | if more { libc::MSG_MORE } else { 0 };
        let nobody = ptr::null::<libc::sockaddr>();
        retry(|| {
            let socket = self.0.as_raw_fd();
            // SAFETY: the pointer and the length are those of `bytes`.
            let result = unsafe {
                libc::syscall(libc::SYS_sendto, socket, bytes.as_ptr(), bytes.len(), flags, nobody, 0_usize)
            };
            check_count(result as libc::ssize_t)
        })
    }

    /// Sends of several parts, one behind the other, as much as there is room for.
    ///
    /// # Errors
    /// `WouldBlock` where there is no room; others mean that the connection is gone.
    pub fn send_parts(&self, parts: &[io::IoSlice<'_>]) -> io::Result<usize> {
        retry(|| io::Write::write_vectored(&mut &self.0, parts))
    }

    /// Sends of a file as much as there is room for; no bytes mean that the file ends before the
    /// range begins.
    ///
    /// # Errors
    /// `WouldBlock` where there is no room; others mean that the connection or the file is gone.
    pub fn send_file(&self, file: BorrowedFd<'_>, range: Range<u64>) -> io::Result<usize> {
        let count = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX);
        let mut offset = libc::off64_t::try_from(range.start).map_err(io::Error::other)?;
        retry(|| {
            let (socket, file) = (self.0.as_raw_fd(), file.as_raw_fd());
            // SAFETY: `offset` outlives the call.
            check_count(unsafe { libc::sendfile64(socket, file, &raw mut offset, count) })
        })
    }

    /// Says that nothing more will be sent.
    ///
    /// # Errors
    /// Where the connection is gone.
    pub fn shut_down(&self) -> io::Result<()> {
        self.0.shutdown(Shutdown::Write)
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A socket for [`bind`] on an address that an earlier server may just have left.
fn internet_socket(address: SocketAddr, only_version_6: bool) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let socket = stream_socket(family)?;
    set_option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_REUSEADDR, true)?;
    if address.is_ipv6() {
        set_option(socket.as_fd(), libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, only_version_6)?;
    }
    // Said once here instead of on each connection: Linux hands it on to those that are accepted.
    set_option(socket.as_fd(), libc::IPPROTO_TCP, libc::TCP_NODELAY, true)?;
    Ok(socket)
}

/// A socket for streams that never blocks.
pub(super) fn stream_socket(family: libc::c_int) -> io::Result<OwnedFd> {
    let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: takes no pointers.
    let descriptor = check(unsafe { libc::socket(family, kind, 0) })?;
    // SAFETY: socket returned this descriptor just now, so nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

fn set_option(socket: BorrowedFd<'_>, level: libc::c_int, name: libc::c_int, on: bool) -> io::Result<()> {
    let value = libc::c_int::from(on);
    let length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the pointer and the length are those of `value`.
    check(unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const value).cast(), length) })
        .map(drop)
}

fn option(socket: BorrowedFd<'_>, level: libc::c_int, name: libc::c_int) -> io::Result<libc::c_int> {
    let (socket, mut value) = (socket.as_raw_fd(), 0);
    let mut length = size_of::<libc::c_int>() as libc::socklen_t;
    let (into, room) = ((&raw mut value).cast(), &raw mut length);
    // SAFETY: the pointers are those of `value` and of its length.
    check(unsafe { libc::getsockopt(socket, level, name, into, room) })?;
    Ok(value)
}

fn bind(socket: &OwnedFd, address: SocketAddr) -> io::Result<()> {
    let socket = socket.as_raw_fd();
    let result = match address {
        SocketAddr::V4(address) => {
            let raw = libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: address.port().to_be(),
                sin_addr: libc::in_addr { s_addr: u32::from(*address.ip()).to_be() },
                sin_zero: [0; 8],
            };
            let length = size_of::<libc::sockaddr_in>() as libc::socklen_t;
            // SAFETY: the pointer and the length are those of `raw`.
            unsafe { libc::bind(socket, (&raw const raw).cast(), length) }
        }
        SocketAddr::V6(address) => {
            let raw = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: address.port().to_be(),
                sin6_flowinfo: address.flowinfo(),
                sin6_addr: libc::in6_addr { s6_addr: address.ip().octets() },
                sin6_scope_id: address.scope_id(),
            };
            let length = size_of::<libc::sockaddr_in6>() as libc::socklen_t;
            // SAFETY: the pointer and the length are those of `raw`.
            unsafe { libc::bind(socket, (&raw const raw).cast(), length) }
        }
    };
    check(result).map(drop)
}

fn listen(socket: &OwnedFd) -> io::Result<()> {
    // SAFETY: takes no pointers.
    check(unsafe { libc::listen(socket.as_raw_fd(), BACKLOG_MAX) }).map(drop)
}

fn from_storage(storage: &libc::sockaddr_storage) -> io::Result<Peer> {
    match libc::c_int::from(storage.ss_family) {
        libc::AF_INET => {
            // SAFETY: of this family it is a `sockaddr_in`, and its storage fits any address.
            let raw = unsafe { *(&raw const *storage).cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from(u32::from_be(raw.sin_addr.s_addr));
            Ok(Peer::Internet(SocketAddrV4::new(ip, u16::from_be(raw.sin_port)).into()))
        }
        libc::AF_INET6 => {
            // SAFETY: of this family it is a `sockaddr_in6`, and its storage fits any address.
            let raw = unsafe { *(&raw const *storage).cast::<libc::sockaddr_in6>() };
            let ip = Ipv6Addr::from(raw.sin6_addr.s6_addr);
            let port = u16::from_be(raw.sin6_port);
            Ok(Peer::Internet(SocketAddrV6::new(ip, port, raw.sin6_flowinfo, raw.sin6_scope_id).into()))
        }
        libc::AF_UNIX => Ok(Peer::Local),
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::time::Duration;

    use super::*;

    const LOOPBACK: [&str; 2] = ["127.0.0.1:0", "[::1]:0"];

    /// A listener beside which connections are accepted at once.
    fn accepted(listener: &Listener) -> (Stream, TcpStream) {
        let client = TcpStream::connect(listener.address().unwrap()).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let (stream, peer) = listener.accept().unwrap();
        assert_eq!(peer, client.local_addr().unwrap().into());
        (stream, client)
    }

    #[test]
    fn bytes_go_both_ways_without_blocking() {
        for address in LOOPBACK {
            let listener = Listener::bind(address.parse().unwrap(), false).unwrap();
            let refused = listener.accept().map(drop).map_err(|error| error.kind());
            assert_eq!(refused, Err(io::ErrorKind::WouldBlock));
            let (stream, mut client) = accepted(&listener);
            let mut buffer = [0; 16];
            assert_eq!(stream.receive(&mut buffer).unwrap_err().kind(), io::ErrorKind::WouldBlock);

            client.write_all(b"question").unwrap();
            client.shutdown(Shutdown::Write).unwrap();
            assert_eq!(stream.receive(&mut buffer).unwrap(), 8);
            assert_eq!(stream.receive(&mut buffer).unwrap(), 0);
            assert_eq!(stream.send(b"ans", true).unwrap(), 3);
            assert_eq!(stream.send(b"wer", false).unwrap(), 3);
            stream.shut_down().unwrap();
            let mut answer = String::new();
            client.read_to_string(&mut answer).unwrap();
            assert_eq!(answer, "answer");
        }
    }

    #[test]
    fn accepted_sockets_send_without_delay() {
        for address in LOOPBACK {
            let (stream, _client) = accepted(&Listener::bind(address.parse().unwrap(), false).unwrap());
            assert!(stream.0.nodelay().unwrap());
        }
    }

    #[test]
    fn the_range_of_a_file_is_sent_as_far_as_there_is_room() {
        let (stream, mut client) = accepted(&Listener::bind("127.0.0.1:0".parse().unwrap(), false).unwrap());
        let mut file = tempfile::tempfile().unwrap();
        let content: Vec<u8> = (0..16 << 20).map(|at: u32| (at % 251) as u8).collect();
        file.write_all(&content).unwrap();
        let all = 3..content.len() as u64;

        let mut sent = all.start;
        while let Ok(count) = stream.send_file(file.as_fd(), sent..all.end) {
            sent += count as u64;
            assert!(sent < all.end, "the socket took everything at once");
        }
        let mut received = vec![0; (sent - all.start) as usize];
        client.read_exact(&mut received).unwrap();
        assert!(received == content[3..sent as usize]);
        assert_eq!(stream.send_file(file.as_fd(), all.end..all.end + 1).unwrap(), 0);
    }

    #[test]
    fn a_port_is_shared_by_our_listeners_alone() {
        for address in LOOPBACK {
            let first = Listener::bind(address.parse().unwrap(), false).unwrap();
            let taken = first.address().unwrap();
            assert_eq!(Listener::bind(taken, false).unwrap_err().kind(), io::ErrorKind::AddrInUse);
            let second = first.beside().unwrap();
            let third = first.beside().unwrap();
            assert_eq!(second.address().unwrap(), taken);
            assert_eq!(Listener::bind(taken, false).unwrap_err().kind(), io::ErrorKind::AddrInUse);

            let clients: Vec<_> = (0..60).map(|_| TcpStream::connect(taken).unwrap()).collect();
            for listener in [&first, &second, &third] {
                let share = std::iter::from_fn(|| listener.accept().ok()).count();
                assert!((1..clients.len()).contains(&share), "{share} of {}", clients.len());
            }
        }
    }

    #[test]
    fn a_port_can_be_taken_again_at_once() {
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), false).unwrap();
        let address = listener.address().unwrap();
        let (stream, client) = accepted(&listener);
        // The side that closes first is left with the address in TIME_WAIT.
        drop((stream, listener));
        drop(client);
        Listener::bind(address, false).unwrap();
    }

    #[test]
    fn all_addresses_are_those_of_both_versions_unless_the_other_is_had_by_itself() {
        let over_version_4 = |listener: &Listener| {
            let port = listener.address().unwrap().port();
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
        };
        let any = "[::]:0".parse().unwrap();
        let (both, only) = (Listener::bind(any, false).unwrap(), Listener::bind(any, true).unwrap());
        assert!(over_version_4(&both) && !over_version_4(&only));
        // So are those beside it.
        let (first, second) = (only.address().unwrap(), only.beside().unwrap());
        drop(only);
        assert!(!over_version_4(&second));
        Listener::bind((Ipv4Addr::UNSPECIFIED, first.port()).into(), false).unwrap();
    }

    #[test]
    fn a_socket_from_elsewhere_is_made_ready() {
        let foreign = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let listener = Listener::inherited(foreign.into()).unwrap();
        let shared = listener.share().unwrap();
        let refused = shared.accept().map(drop).map_err(|error| error.kind());
        assert_eq!(refused, Err(io::ErrorKind::WouldBlock));
        let (stream, _client) = accepted(&shared);
        assert!(stream.0.nodelay().unwrap());
        let deaf = internet_socket("127.0.0.1:0".parse().unwrap(), false).unwrap();
        assert_eq!(Listener::inherited(deaf).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
