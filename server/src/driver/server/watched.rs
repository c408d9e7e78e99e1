//! What whoever watches the server is told beside the event loops' figures: [`Watch`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::driver::admin::{POOLS, Watched};
use crate::driver::pool::Job;
use crate::shared::queue::Queue;
use crate::store::Store;
use crate::store::base_directory::BaseDirectory;

/// What there is to know of the server beside its event loops.
pub(super) struct Watch {
    pub(super) store: Arc<Store<BaseDirectory>>,
    pub(super) queue: Arc<Queue<Job<BaseDirectory>>>,
    pub(super) verifications: Arc<Queue<Job<BaseDirectory>>>,
    pub(super) dropped: Arc<AtomicU64>,
}

impl Watched for Watch {
    fn refuses_work(&self) -> Option<&'static str> {
        self.store.refuses_appends().then_some("appends are refused until the next start: a sync has failed")
    }

    fn waiting_jobs(&self) -> [u64; POOLS.len()] {
        [&self.queue, &self.verifications].map(|queue| queue.waiting() as u64)
    }

    fn syncs(&self) -> u64 {
        self.store.syncs_made()
    }

    fn dropped_lines(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}
