//! What carries the bytes of one connection: a socket alone, or TLS over it ([`Transport`]).

use crate::driver::secure::SecureStream;
use crate::sys::socket::Stream;

/// A connection's way to its peer. Dropping it closes it.
pub enum Transport {
    /// The socket alone.
    Plain(Stream),
    /// TLS over it. Apart, because it is a hundred times as large.
    Secure(Box<SecureStream>),
}

impl Transport {
    /// The socket.
    pub fn socket(&self) -> &Stream {
        match self {
            Transport::Plain(socket) => socket,
            Transport::Secure(stream) => stream.socket(),
        }
    }
}

/// What stands between a connection and its socket, and what it has not passed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layer {
    /// It has not yet agreed with the peer on how to speak: nothing can be sent.
    pub handshaking: bool,
    /// It has taken what there was no room to send: wait for room, and send it nothing.
    pub owes: bool,
    /// It can be received from once more, though no event will say so.
    pub holds: bool,
}
