//! What a session hands over to the pool: jobs, and what it lets go of.

use std::ops::ControlFlow::Break;

use super::{Common, LET_GO_BYTES_MAX, Next, Session, Step};
use crate::driver::pool::Task;
use crate::driver::slots::Token;
use crate::seeded::bug;
use crate::store::Held;
use crate::store::directory::Directory;
use crate::store::operation::{Operation, Outcome, StoreError, StoreErrorKind};

impl<S, D: Directory> Session<S, D> {
    /// Sends a job to the pool, if it may still wait there.
    pub(super) fn hand_over<N>(&mut self, token: Token, task: Task, common: &mut Common<N, D>) -> Step {
        use Operation::{Delete, List, Open, Stage, Store};
        let begins = matches!(task, Task::Run(Open(..) | List(..) | Stage(_) | Store(..) | Delete(..)));
        let held = std::mem::replace(&mut self.held, Held::Nothing);
        match common.push(token, task, held, begins) {
            Ok(()) => Break(Next::Wait),
            Err(job) => {
                common.count(|figures| figures.refused_jobs.add(1));
                self.held = job.held;
                let Task::Run(_) = job.task else { return Break(Next::Close) };
                // A failure leaves nothing held.
                self.let_go(token, common);
                let (kind, call) = (StoreErrorKind::Busy, "queue");
                self.tell_outcome(token, Outcome::Failed(StoreError { kind, call, source: None }), common)
            }
        }
    }

    /// Lets go of what is held, in the pool where that may take a while.
    pub(super) fn let_go<N>(&mut self, token: Token, common: &mut Common<N, D>) {
        let held = std::mem::replace(&mut self.held, Held::Nothing);
        match held {
            Held::Nothing => {}
            Held::File(_) if bug("held_file_is_not_closed") => std::mem::forget(held),
            Held::File(_) if self.held_bytes < LET_GO_BYTES_MAX => drop(held),
            Held::File(_) | Held::Upload(_) => {
                if let Err(held) = common.store.give_back(held, self.held_inode) {
                    common.discard(token, held);
                }
            }
        }
    }
}
