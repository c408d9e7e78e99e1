//! What the sessions of one event loop have in common: [`Common`].

use std::sync::Arc;

use crate::clock::Now;
use crate::connection::Output;
use crate::driver::access::Access;
use crate::driver::log::Lines;
use crate::driver::pool::{Job, Task};
use crate::driver::slots::Token;
use crate::limits::Limits;
use crate::shared::figures::Figures;
use crate::shared::queue::{Queue, Refused};
use crate::store::directory::Directory;
use crate::store::{Held, Store};

/// Bytes received at once.
pub const RECEIVE_BYTES_MAX: usize = 64 * 1024;

/// Lent to one session at a time.
pub struct Common<N, D: Directory> {
    /// The sockets' calls.
    pub network: N,
    /// The files.
    pub store: Arc<Store<D>>,
    /// What this event loop knows of their names.
    pub names: D::Names,
    /// The way to the pool.
    pub queue: Arc<Queue<Job<D>>>,
    /// Who may do what.
    pub access: Access<D>,
    /// The bounds.
    pub limits: Arc<Limits>,
    /// The access log.
    pub log: Lines,
    /// What is counted, where somebody asks for it.
    pub figures: Option<Arc<Figures>>,
    /// Which event loop it is.
    pub event_loop: usize,
    /// The time of this turn.
    pub now: Now,
    /// Where bytes are received, [`RECEIVE_BYTES_MAX`] of them.
    pub received: Box<[u8]>,
    /// Where answers are made; empty between two sessions.
    pub output: Output,
}

impl<N, D: Directory> Common<N, D> {
    /// Counts, where somebody asks for it.
    pub fn count(&self, count: impl FnOnce(&Figures)) {
        if let Some(figures) = &self.figures {
            count(figures);
        }
    }

    /// Lets the pool let go of something.
    pub fn discard(&mut self, token: Token, held: Held<D>) {
        if matches!(held, Held::Nothing) {
            return;
        }
        // Refused only when the server ends, or when jobs of closed connections fill the queue.
        if let Err(job) = self.push(token, Task::Discard, held, false) {
            self.store.discard(job.held);
        }
    }

    /// What begins something is bounded by what may wait; what goes on with it, by the
    /// connections as well, so that none that has begun is cut off.
    pub(super) fn push(
        &mut self,
        token: Token,
        task: Task,
        held: Held<D>,
        begins: bool,
    ) -> Result<(), Job<D>> {
        let connections_max = if begins { 0 } else { self.limits.connections_max };
        let waiting_max = self.limits.queue_jobs_max.saturating_add(connections_max);
        let job = Job { event_loop: self.event_loop, token, task, held, handed_over: self.now.instant };
        self.queue.try_push(job, waiting_max).map_err(|(Refused::Full(job) | Refused::Closed(job))| job)
    }
}
