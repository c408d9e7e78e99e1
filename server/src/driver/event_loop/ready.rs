//! Whose turn it is: those to which something has happened, each in every turn, and those that go on without an
//! event, each before long.

use std::mem;

use super::EventLoop;
use super::place::Place;
use crate::clock::Clock;
use crate::driver::network::Network;
use crate::driver::session::Occasion;
use crate::driver::slots::Token;
use crate::seeded::bug;
use crate::store::directory::Directory;

/// Turns in which each that goes on without an event has one.
pub(super) const GOING_ON_TURNS: usize = 64;

impl<N: Network<D>, D: Directory, C: Clock> EventLoop<N, D, C> {
    /// Serves those to which something has happened, and some of those that go on.
    pub(super) fn serve_ready(&mut self) {
        let going_on = self.going_on.len().div_ceil(GOING_ON_TURNS);
        let mut ready = mem::take(&mut self.ready);
        if bug("all_that_go_on_have_the_same_turn") {
            ready.extend(self.going_on.drain(..));
        }
        for token in ready.drain(..) {
            self.serve_in_turn(token);
        }
        self.ready = ready;
        // One of those that go on, and last: the slice of a file takes as long as dozens of small answers, and
        // who asks for one meanwhile waits for no more than one of them. Of many a few: so each has its turn
        // before its peer's time runs out.
        for _ in 0..going_on {
            let Some(token) = self.going_on.pop_front() else { return };
            self.serve_in_turn(token);
        }
    }

    /// One that was closed since its turn was noted has none.
    fn serve_in_turn(&mut self, token: Token) {
        if let Some(session) = self.sessions.get_mut(token).and_then(Place::session) {
            session.queued = false;
            self.serve(token, Occasion::Turn);
        }
    }
}
