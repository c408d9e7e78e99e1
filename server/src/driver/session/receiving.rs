//! The way into a session: from its socket to its connection.

use std::io;
use std::ops::ControlFlow::{self, Break, Continue};

use super::{Common, Duty, Next, Session, Step};
use crate::clock::Instant;
use crate::connection::Input;
use crate::driver::network::Network;
use crate::driver::slots::Token;
use crate::store::directory::Directory;

impl<S, D: Directory> Session<S, D> {
    pub(super) fn receive<N>(&mut self, token: Token, common: &mut Common<N, D>) -> Step
    where
        N: Network<D, Socket = S>,
    {
        let Some(count) = self.receive_some(common)? else { return Continue(()) };
        let input = match count {
            // Nothing comes after the end: the connection broke its own rule.
            0 if self.ended => return Break(Next::Close),
            0 => Input::End,
            count => Input::Bytes(&common.received[..count]),
        };
        self.ended |= count == 0;
        let want = self.connection.advance(input, &common.now, &mut common.output);
        self.see_to(token, want, common)
    }

    /// Receives once; nothing where nothing is there.
    fn receive_some<N>(&mut self, common: &mut Common<N, D>) -> ControlFlow<Next, Option<usize>>
    where
        N: Network<D, Socket = S>,
    {
        let result = common.network.receive(&mut self.socket, &mut common.received);
        let layer = common.network.layer(&self.socket);
        if !layer.handshaking {
            self.handshake = None;
        }
        match result {
            Ok(count) => {
                common.count(|figures| figures.received.add(count as u64));
                // epoll(7): fewer bytes than there was room for, and all that was there is taken.
                self.readable = count > 0 && (self.ending || count == common.received.len() || layer.holds);
                Continue(Some(count))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.readable = layer.holds;
                Continue(None)
            }
            Err(_) => Break(Next::Close),
        }
    }

    pub(super) fn read_past<N>(&mut self, until: Instant, bytes_left: u64, common: &mut Common<N, D>) -> Step
    where
        N: Network<D, Socket = S>,
    {
        let Some(count) = self.receive_some(common)? else { return Continue(()) };
        let bytes_left = bytes_left.saturating_sub(count as u64);
        if count == 0 || bytes_left == 0 {
            return Break(Next::Close);
        }
        self.duty = Duty::Linger { until, bytes_left };
        Continue(())
    }
}
