//! A call as a step of its own in a schedule of threads: [`Step`], for loom, which else sees locks only.

#[cfg(loom)]
use http_server::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// What all calls of a directory have in common, so that loom tries them in every order. Nothing but
/// under loom.
#[derive(Clone, Debug, Default)]
pub(super) struct Step {
    #[cfg(loom)]
    calls: Arc<AtomicUsize>,
}

#[cfg(loom)]
impl Step {
    /// Others may come first.
    pub(super) fn take(&self) {
        self.calls.fetch_add(1, Ordering::AcqRel);
    }
}

#[cfg(not(loom))]
impl Step {
    /// Calls come in the order in which they are made.
    pub(super) fn take(&self) {}
}
