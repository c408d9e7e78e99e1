//! Numbers that all event loops share.

use crate::seeded::bug;
use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

// Nothing else is read on the strength of these numbers, so no order beyond their own is needed.

/// How many there are of something that must not become too many.
///
/// Property: there are never more than its bound, and nobody is turned away while there are fewer.
#[derive(Debug)]
pub struct BoundedCount {
    count: AtomicUsize,
    max: usize,
}

impl BoundedCount {
    /// None yet, `max` at most.
    pub fn new(max: usize) -> BoundedCount {
        BoundedCount { count: AtomicUsize::new(0), max }
    }

    /// One more, where that is allowed. Whoever is let in has to [`BoundedCount::leave`].
    #[must_use]
    pub fn try_enter(&self) -> bool {
        if bug("count_is_looked_at_first") {
            let room = self.count() < self.max;
            self.count.fetch_add(usize::from(room), Ordering::Relaxed);
            return room;
        }
        if bug("count_is_taken_back") {
            let room = self.count.fetch_add(1, Ordering::Relaxed) < self.max;
            self.count.fetch_sub(usize::from(!room), Ordering::Relaxed);
            return room;
        }
        // In one step: whoever adds first and looks then may turn another away who had room.
        let one_more = |count| (count < self.max).then_some(count + 1);
        self.count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok()
    }

    /// One less.
    pub fn leave(&self) {
        let before = self.count.fetch_sub(1, Ordering::Relaxed);
        debug_assert!(before > 0, "whoever leaves was let in");
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }
}

/// How many of something there were since somebody last asked.
///
/// Property: each is reported once.
#[derive(Debug)]
pub struct Tally(AtomicU64);

impl Tally {
    /// None yet.
    pub fn new() -> Tally {
        Tally(AtomicU64::new(0))
    }

    /// So many more.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// How many there were since the last call.
    pub fn take(&self) -> u64 {
        if bug("tally_is_reset_behind_a_look") {
            let count = self.0.load(Ordering::Relaxed);
            self.0.store(0, Ordering::Relaxed);
            return count;
        }
        self.0.swap(0, Ordering::Relaxed)
    }
}

impl Default for Tally {
    fn default() -> Tally {
        Tally::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn bound_is_exact() {
        let count = BoundedCount::new(2);
        assert_eq!([count.try_enter(), count.try_enter(), count.try_enter()], [true, true, false]);
        count.leave();
        assert_eq!([count.try_enter(), count.try_enter()], [true, false]);
        assert_eq!(count.count(), 2);
        assert!(!BoundedCount::new(0).try_enter());
    }

    #[test]
    fn tally_reports_each_once() {
        let tally = Tally::new();
        tally.add(1);
        tally.add(2);
        assert_eq!([tally.take(), tally.take()], [3, 0]);
    }
}
