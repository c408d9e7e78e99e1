//! A file-backed HTTP/1.1 server. The modules in the order in which a request passes them:
//!
//! - [`driver`]: sockets, threads and time; [`driver::server::Server`] is the whole server
//! - [`connection`]: the heart, a pure machine from bytes to wants and from outcomes to bytes
//! - [`http`]: RFC 9110 and RFC 9112, pure
//! - [`api`]: our REST interface, pure
//! - [`users`]: users and tokens, and whether credentials are theirs
//! - [`store`]: operations on a tree of files; knows no HTTP
//! - [`shared`]: all that two threads touch
//! - [`sys`]: system calls, the only unsafe code
//! - [`limits`], [`pace`], [`clock`], [`sync`]: bounds, time, and the primitives below `shared`
//! - [`seeded`]: bugs that verification switches on; no release has them
//!
//! `ARCHITECTURE.md` says which may import which, and why.

pub mod api;
pub mod clock;
pub mod connection;
pub mod driver;
pub mod http;
pub mod limits;
pub mod pace;
pub mod seeded;
pub mod shared;
pub mod store;
pub mod sync;
pub mod sys;
pub mod users;
