//! Modification times that never repeat: [`Stamps`].
//!
//! Property: no two calls of [`Stamps::next`] give the same time, whatever the clock does.

use crate::seeded::bug;
use crate::sync::atomic::{AtomicI64, Ordering};

/// Nanoseconds between two stamps: as finely as every file system keeps times that is worth
/// serving from.
pub const STEP: i64 = 100;

/// The last time that was given to a file.
#[derive(Debug)]
pub struct Stamps(AtomicI64);

impl Stamps {
    /// Stamps later than `last`, in nanoseconds since 1970.
    pub fn after(last: i64) -> Stamps {
        Stamps(AtomicI64::new(round_up(last)))
    }

    /// A time that was given to nobody: `now`, or the first one behind the last where the clock
    /// has not gone on, or has been set back.
    pub fn next(&self, now: i64) -> i64 {
        let mut last = self.0.load(Ordering::Relaxed);
        loop {
            let next = round_up(now).max(last.saturating_add(if bug("stamp_repeats") { 0 } else { STEP }));
            if bug("stamp_is_not_agreed_on") {
                self.0.store(next, Ordering::Relaxed);
                return next;
            }
            // Only the number itself is agreed on, so no order with other memory is needed.
            match self.0.compare_exchange_weak(last, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return next,
                Err(other) => last = other,
            }
        }
    }
}

fn round_up(time: i64) -> i64 {
    time.saturating_add((STEP - 1) - (time.saturating_sub(1)).rem_euclid(STEP))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn stamps_follow_the_clock_and_never_repeat() {
        let stamps = Stamps::after(1000);
        assert_eq!(stamps.next(5001), 5100);
        assert_eq!(stamps.next(5001), 5200);
        assert_eq!(stamps.next(100), 5300);
        assert_eq!(stamps.next(9000), 9000);
        assert_eq!(Stamps::after(1001).next(0), 1200);
    }

    #[test]
    fn times_are_rounded_up_to_a_step() {
        for (time, expected) in [(0, 0), (1, 100), (99, 100), (100, 100), (101, 200), (-1, 0), (-100, -100)] {
            assert_eq!(round_up(time), expected, "{time}");
        }
    }
}
