//! What the server is judged against.
//!
//! [`reference`] is the specification, [`alphabet`] what is tried on it and on the server, with [`terms`],
//! [`wire`] reads answers as a strict client does, [`pump`] drives a connection without a socket,
//! over a real store or over [`scripted`] files. [`simulated`] is a directory that crashes and fails.
//! [`driven`] holds a store against the reference, [`served`] whatever is at the end of a wire.

pub mod alphabet;
pub mod driven;
pub mod grammar;
pub mod pump;
pub mod reference;
pub mod scripted;
pub mod served;
pub mod simulated;
pub mod terms;
pub mod wire;
