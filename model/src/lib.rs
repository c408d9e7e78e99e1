//! What the server is judged against.
//!
//! [`reference`] is the specification, with [`rights`], [`alphabet`] what is tried on it and on the server, with [`terms`],
//! [`wire`] reads answers as a strict client does, [`pump`] drives a connection without a socket,
//! over a real store or over [`scripted`] files. [`simulated`] is a directory that crashes and fails.
//! [`driven`] holds a store against the reference, [`served`] whatever is at the end of a wire, and
//! [`listed`] the listings of both.
//! [`linearize`] judges what clients saw that asked at once; [`simulation`] is the whole server in one
//! thread, on a network, a clock and a disk that go wrong.

pub mod alphabet;
pub mod driven;
pub mod grammar;
pub mod linearize;
pub mod listed;
pub mod pump;
pub mod reference;
#[cfg(test)]
mod reference_tests;
pub mod rights;
#[cfg(all(test, loom))]
mod schedules;
pub mod scripted;
pub mod served;
pub mod simulated;
// Its threads are coroutines already.
#[cfg(not(loom))]
pub mod simulation;
pub mod terms;
pub mod wire;
