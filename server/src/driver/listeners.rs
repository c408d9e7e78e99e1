//! Where a server listens: [`Endpoint`], and [`Listeners::open`], which takes all of them or none.

use std::fmt;
use std::io;
use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use listenfd::ListenFd;
use rustls::ServerConfig;

use super::socket_file::{self, SocketFile};
use crate::shared::current::Current;
use crate::sys::socket::Listener;

/// Sockets that one server listens on, at most.
pub const LISTENERS_MAX: u32 = 64;

/// A place to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// A TCP address; with port 0, at any that is free.
    Address {
        /// The address.
        address: SocketAddr,
        /// Whether TLS is spoken there.
        secure: bool,
    },
    /// A local socket.
    Path(PathBuf),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Address { address, secure } => {
                write!(formatter, "{}://{address}", if *secure { "https" } else { "http" })
            }
            Endpoint::Path(path) => write!(formatter, "unix:{}", path.display()),
        }
    }
}

/// What is to be listened on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// These, and what a service manager hands over.
    pub endpoints: Vec<Endpoint>,
    /// This where there is nothing else.
    pub otherwise: SocketAddr,
    /// Whether TLS is spoken there, and on addresses that a service manager hands over.
    pub secure: bool,
    /// Permissions of local sockets.
    pub socket_mode: u32,
}

/// One event loop's share of a place.
pub struct Listening {
    /// The socket.
    pub listener: Listener,
    /// Whether other event loops wait for the same one.
    pub shared: bool,
    /// With what its connections are secured, if they are.
    pub certificate: Option<Arc<Current<ServerConfig>>>,
}

/// All sockets of a server that is about to start.
pub struct Listeners {
    /// Where they listen, with the ports that were taken; at least one.
    pub endpoints: Vec<Endpoint>,
    /// Those of each event loop.
    pub of_event_loops: Vec<Vec<Listening>>,
    /// The files of local sockets, which vanish with this.
    pub files: Vec<SocketFile>,
    certificate: Option<Arc<Current<ServerConfig>>>,
}

impl Listeners {
    /// Listens on everything that is wanted, and on what a service manager hands over: call it before
    /// there are other threads, for it takes variables out of the environment (sd_listen_fds(3)). TLS is
    /// spoken with `certificate`.
    ///
    /// # Errors
    /// Where one of them cannot be had; then none is.
    pub fn open(
        wanted: &Wanted,
        certificate: Option<Arc<Current<ServerConfig>>>,
        event_loops: usize,
    ) -> Result<Listeners, ListenError> {
        let mut all = Listeners {
            endpoints: Vec::new(),
            of_event_loops: (0..event_loops).map(|_| Vec::new()).collect(),
            files: Vec::new(),
            certificate,
        };
        all.inherit(&mut ListenFd::from_env(), wanted.secure)?;
        for endpoint in &wanted.endpoints {
            let failed = |source| ListenError { place: Place::Endpoint(endpoint.clone()), source };
            all.expect_room().map_err(failed)?;
            match endpoint {
                &Endpoint::Address { address, secure } => {
                    all.bind(address, secure, only_version_6(address, &wanted.endpoints))
                }
                Endpoint::Path(path) => {
                    socket_file::listen(path, wanted.socket_mode).and_then(|(listener, file)| {
                        all.files.push(file);
                        all.share(listener, endpoint.clone())
                    })
                }
            }
            .map_err(failed)?;
        }
        if all.endpoints.is_empty() {
            let (address, secure) = (wanted.otherwise, wanted.secure);
            let endpoint = Endpoint::Address { address, secure };
            all.bind(address, secure, false)
                .map_err(|source| ListenError { place: Place::Endpoint(endpoint), source })?;
        }
        Ok(all)
    }

    fn inherit(&mut self, manager: &mut ListenFd, secure: bool) -> Result<(), ListenError> {
        for number in 0..manager.len() {
            let failed = |source| ListenError { place: Place::Inherited(number), source };
            self.expect_room().map_err(failed)?;
            let (socket, path) = match manager.take_tcp_listener(number) {
                Ok(Some(socket)) => (socket.into(), None),
                _ => {
                    let socket = manager.take_unix_listener(number).map_err(failed)?;
                    let socket = socket.ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?;
                    let address = socket.local_addr().map_err(failed)?;
                    let path = address.as_pathname().map(PathBuf::from).unwrap_or_default();
                    (socket.into(), Some(path))
                }
            };
            let listener = Listener::inherited(socket).map_err(failed)?;
            let endpoint = match path {
                Some(path) => Endpoint::Path(path),
                None => Endpoint::Address { address: listener.address().map_err(failed)?, secure },
            };
            // It stays open behind our end, and so is not spread over sockets of ours beside it.
            self.share(listener, endpoint).map_err(failed)?;
        }
        Ok(())
    }

    /// A socket of its own for each event loop.
    fn bind(&mut self, address: SocketAddr, secure: bool, only_version_6: bool) -> io::Result<()> {
        let first = Listener::bind(address, only_version_6)?;
        self.endpoints.push(Endpoint::Address { address: first.address()?, secure });
        let certificate = self.certificate.as_ref().filter(|_| secure);
        if let Some((own, others)) = self.of_event_loops.split_first_mut() {
            for other in others {
                let listener = first.beside()?;
                other.push(Listening { listener, shared: false, certificate: certificate.cloned() });
            }
            own.push(Listening { listener: first, shared: false, certificate: certificate.cloned() });
        }
        Ok(())
    }

    /// One socket for all event loops.
    fn share(&mut self, listener: Listener, endpoint: Endpoint) -> io::Result<()> {
        let shared = self.of_event_loops.len() > 1;
        let secure = matches!(endpoint, Endpoint::Address { secure: true, .. });
        let certificate = self.certificate.as_ref().filter(|_| secure);
        for listening in &mut self.of_event_loops {
            let listener = listener.share()?;
            listening.push(Listening { listener, shared, certificate: certificate.cloned() });
        }
        self.endpoints.push(endpoint);
        Ok(())
    }

    fn expect_room(&self) -> io::Result<()> {
        if self.endpoints.len() < LISTENERS_MAX as usize {
            return Ok(());
        }
        Err(io::Error::other(format!("a server listens at {LISTENERS_MAX} places at most")))
    }
}

/// `[::]` takes IPv4's connections as well, but where somebody wants to have those by themselves.
fn only_version_6(address: SocketAddr, all: &[Endpoint]) -> bool {
    address.ip() == Ipv6Addr::UNSPECIFIED
        && all.iter().any(|other| match other {
            Endpoint::Address { address: other, .. } => other.is_ipv4() && other.port() == address.port(),
            Endpoint::Path(_) => false,
        })
}

/// Why there is no listening somewhere.
#[derive(Debug)]
pub struct ListenError {
    place: Place,
    source: io::Error,
}

#[derive(Debug)]
enum Place {
    Endpoint(Endpoint),
    /// What the service manager handed over, counted from 0.
    Inherited(usize),
}

impl fmt::Display for ListenError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        use io::ErrorKind::{AddrInUse, AddrNotAvailable, AlreadyExists, NotFound, PermissionDenied};
        let source = &self.source;
        match &self.place {
            Place::Endpoint(Endpoint::Address { address, .. }) => {
                write!(formatter, "cannot listen on {address}: ")?;
                match source.kind() {
                    AddrInUse => formatter.write_str("another program does; stop it or choose another port"),
                    AddrNotAvailable => {
                        formatter.write_str("this machine does not have that address; choose one that it has")
                    }
                    PermissionDenied if address.port() < 1024 => {
                        formatter.write_str("ports below 1024 need a privilege; choose another port")
                    }
                    _ => source.fmt(formatter),
                }
            }
            Place::Endpoint(endpoint @ Endpoint::Path(_)) => {
                write!(formatter, "cannot listen on {endpoint}: ")?;
                match source.kind() {
                    AddrInUse => formatter.write_str("another program does; stop it or choose another path"),
                    AlreadyExists => formatter
                        .write_str("what is there is no socket, and so is not replaced; choose another path"),
                    NotFound => formatter.write_str("the directory above it is missing; make it first"),
                    _ => source.fmt(formatter),
                }
            }
            Place::Inherited(number) => {
                let number = number + 1;
                write!(
                    formatter,
                    "cannot listen on socket {number} of those that were handed over: {source}; \
                     it has to be one for streams, TCP or local, that listens"
                )
            }
        }
    }
}

impl std::error::Error for ListenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(endpoints: &[&str]) -> Wanted {
        let endpoint = |text: &&str| match text.strip_prefix("unix:") {
            Some(path) => Endpoint::Path(path.into()),
            None => Endpoint::Address { address: text.parse().unwrap(), secure: false },
        };
        Wanted {
            endpoints: endpoints.iter().map(endpoint).collect(),
            otherwise: "127.0.0.1:0".parse().unwrap(),
            secure: false,
            socket_mode: 0o600,
        }
    }

    fn open(endpoints: &[&str], event_loops: usize) -> Result<Listeners, ListenError> {
        Listeners::open(&wanted(endpoints), None, event_loops)
    }

    #[test]
    fn a_start_that_fails_says_what_and_what_to_do() {
        let message = |endpoint: &str| {
            let message = open(&[endpoint], 2).err().unwrap().to_string();
            assert!(!message.contains('\n'));
            message
        };
        let listeners = open(&[], 2).unwrap();
        let [Endpoint::Address { address: taken, .. }] = listeners.endpoints[..] else {
            panic!("one address")
        };
        let busy = format!("cannot listen on {taken}: another program does; stop it or choose another port");
        assert_eq!(message(&taken.to_string()), busy);
        // RFC 5737: an address for documentation.
        let foreign =
            "cannot listen on 192.0.2.1:80: this machine does not have that address; choose one that it has";
        assert_eq!(message("192.0.2.1:80"), foreign);
        let refused = ListenError {
            place: Place::Endpoint(Endpoint::Address {
                address: "127.0.0.1:80".parse().unwrap(),
                secure: false,
            }),
            source: io::ErrorKind::PermissionDenied.into(),
        };
        let privileged =
            "cannot listen on 127.0.0.1:80: ports below 1024 need a privilege; choose another port";
        assert_eq!(refused.to_string(), privileged);
        let missing =
            "cannot listen on unix:/no/such/socket: the directory above it is missing; make it first";
        assert_eq!(message("unix:/no/such/socket"), missing);
        assert!(message("unix:/dev/null").contains("is no socket"));
        let long = format!("unix:/tmp/{}", "x".repeat(108));
        assert!(message(&long).contains("107 bytes"));
    }

    #[test]
    fn each_event_loop_has_its_share_of_each_place() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("socket");
        let local = format!("unix:{}", path.display());
        let listeners = open(&["127.0.0.1:0", &local, "[::1]:0"], 3).unwrap();
        assert_eq!(listeners.endpoints.len(), 3);
        for listening in &listeners.of_event_loops {
            let shared: Vec<bool> = listening.iter().map(|listening| listening.shared).collect();
            assert_eq!(shared, [false, true, false]);
        }
        drop(listeners);
        assert!(!path.exists());
        // Where one cannot be had, nothing is left of the others.
        assert!(open(&[&local, "192.0.2.1:80"], 1).is_err());
        assert!(!path.exists());
    }

    #[test]
    fn there_are_no_more_places_than_can_be_told_apart() {
        let many = |count: usize| open(&vec!["127.0.0.1:0"; count], 1);
        assert_eq!(many(64).unwrap().endpoints.len(), 64);
        assert!(many(65).err().unwrap().to_string().contains("64 places at most"));
    }

    #[test]
    fn version_4_is_left_to_whoever_wants_it() {
        let only =
            |address: &str, all: &[&str]| only_version_6(address.parse().unwrap(), &wanted(all).endpoints);
        assert!(!only("[::]:80", &["[::]:80", "0.0.0.0:81", "unix:/a"]));
        assert!(only("[::]:80", &["[::]:80", "0.0.0.0:80"]));
        assert!(only("[::]:80", &["127.0.0.1:80", "[::]:80"]));
        assert!(!only("[::1]:80", &["[::1]:80", "127.0.0.1:80"]));
    }
}
