//! Whose credentials a client has: at once where that takes no while, else by a thread that may take it.

use std::ops::ControlFlow::Break;
use std::sync::Arc;

use super::{Common, Duty, Next, Session, Step};
use crate::api::rights::Verdict;
use crate::connection::Input;
use crate::driver::access::{Verification, WAITING_MAX, seconds};
use crate::driver::network::Network;
use crate::driver::pool::{Job, Task};
use crate::driver::slots::Token;
use crate::store::Held;
use crate::store::directory::Directory;

impl<S, D: Directory> Session<S, D> {
    pub(super) fn verify<N>(&mut self, token: Token, common: &mut Common<N, D>) -> Step
    where
        N: Network<D, Socket = S>,
    {
        let Duty::Verify(credentials) = std::mem::replace(&mut self.duty, Duty::AwaitOutcome) else {
            return Break(Next::Close);
        };
        let (address, now) = (self.peer.ip(), seconds(common.now.instant));
        let Some(users) = common.access.users.clone() else {
            return self.tell_verdict(token, Verdict::Unknown, common);
        };
        if let Some(verdict) = users.check(&credentials, address, now) {
            return self.tell_verdict(token, verdict, common);
        }
        // Earlier answers do not wait for it.
        if let Break(next) = self.send_output(token, common, false) {
            self.duty = Duty::Verify(credentials);
            return Break(next);
        }
        let task = Task::Verify(Box::new(Verification { users, credentials, address, now }));
        let (held, handed_over) = (Held::Nothing, common.now.instant);
        let job = Job { event_loop: common.event_loop, token, task, held, handed_over };
        let queue = Arc::clone(&common.access.queue);
        match queue.try_push(job, WAITING_MAX) {
            Ok(()) => Break(Next::Wait),
            Err(_) => {
                common.count(|figures| figures.refused_jobs.add(1));
                self.tell_verdict(token, Verdict::Busy, common)
            }
        }
    }

    pub(super) fn tell_verdict<N>(
        &mut self,
        token: Token,
        verdict: Verdict,
        common: &mut Common<N, D>,
    ) -> Step {
        let want = self.connection.advance(Input::Verified(verdict), &common.now, &mut common.output);
        self.see_to(token, want, common)
    }
}
