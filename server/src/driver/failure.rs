//! Why a server did not start, or ended though nobody told it to: [`StartError`] and [`RunError`].

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::certificate::CertificateError;
use super::listeners::ListenError;
use crate::store::base_directory::OpenError;
use crate::store::operation::{StoreError, StoreErrorKind};

/// Why a server did not start.
#[derive(Debug)]
pub enum StartError {
    /// The certificate cannot be used.
    Certificate(CertificateError),
    /// A place cannot be listened on.
    Listen(ListenError),
    /// The base directory cannot be served.
    BaseDirectory(OpenError),
    /// What a server left there that died cannot be undone, or it does not keep what is promised.
    Recovery(PathBuf, StoreError),
    /// The address for whoever watches the server cannot be listened on.
    Admin {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The file of the log cannot be opened.
    Log {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The system refused something that it should not.
    System {
        /// The call.
        call: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl fmt::Display for StartError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Certificate(error) => error.fmt(formatter),
            StartError::Listen(error) => error.fmt(formatter),
            StartError::BaseDirectory(error) => error.fmt(formatter),
            StartError::Recovery(path, error) if error.kind == StoreErrorKind::TimesCutShort => {
                write!(
                    formatter,
                    "cannot serve {path:?}: its file system does not keep modification times exactly, \
                     which tell versions of a file apart; name a directory on another one"
                )
            }
            StartError::Recovery(path, error) => {
                write!(
                    formatter,
                    "cannot serve {path:?}: what an earlier server left unfinished there cannot be undone: \
                     {error}; look at the file system that it is on"
                )
            }
            StartError::Admin { address, source } => {
                write!(
                    formatter,
                    "cannot listen on {address}: {source}; name another address with --admin, port 0 takes a \
                     free one"
                )
            }
            StartError::Log { path, source } => {
                write!(
                    formatter,
                    "cannot append to the log {path:?}: {source}; name a file that may be written with \
                     --log-file, or leave it out to have the log on stderr"
                )
            }
            StartError::System { call, source } => write!(formatter, "cannot start: {call}: {source}"),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            StartError::Certificate(error) => Some(error),
            StartError::Listen(error) => Some(error),
            StartError::System { source, .. }
            | StartError::Admin { source, .. }
            | StartError::Log { source, .. } => Some(source),
            StartError::BaseDirectory(error) => Some(error),
            StartError::Recovery(_, error) => Some(error),
        }
    }
}

/// Why a server ended, though no signal told it to.
#[derive(Debug)]
pub enum RunError {
    /// An event loop could not go on.
    EventLoop(io::Error),
    /// A thread broke one of its own rules.
    Panic,
}

impl fmt::Display for RunError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RunError::EventLoop(error) => write!(formatter, "an event loop could not go on: {error}"),
            RunError::Panic => formatter.write_str("a thread panicked"),
        }
    }
}

impl std::error::Error for RunError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            RunError::EventLoop(error) => Some(error),
            RunError::Panic => None,
        }
    }
}
