//! Sockets, threads and time: what makes connections happen. [`server::Server`] is the whole of it.

pub mod access;
pub mod admin;
pub mod certificate;
pub mod confinement;
pub mod deadlines;
pub mod diagnostics;
pub mod event_loop;
pub mod failure;
pub mod listeners;
pub mod log;
pub mod network;
pub mod pool;
pub mod secure;
pub mod server;
pub mod session;
#[cfg(test)]
mod simulated;
pub mod slots;
pub mod socket_file;
pub mod transport;
pub mod watch;
