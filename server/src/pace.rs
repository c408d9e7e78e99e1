//! How long a peer may take to move bytes of a number that nobody knows beforehand.

use std::time::Duration;

use crate::clock::Instant;

/// A transfer's time, used up by waiting and earned back by moving bytes.
///
/// A peer that stops has `time_max`; one that keeps below the least pace runs out of time sooner
/// or later; one that keeps above it never does. What is earned never exceeds `time_max`, so a
/// fast start buys no long stall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    deadline: Instant,
    time_max: Duration,
    bytes_per_second_min: u64,
}

impl Pace {
    /// A transfer that begins now.
    pub fn new(now: Instant, time_max: Duration, bytes_per_second_min: u64) -> Pace {
        Pace { deadline: now.after(time_max), time_max, bytes_per_second_min: bytes_per_second_min.max(1) }
    }

    /// `bytes` have been moved.
    pub fn moved(&mut self, bytes: u64, now: Instant) {
        let nanoseconds = u128::from(bytes) * 1_000_000_000 / u128::from(self.bytes_per_second_min);
        let earned = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
        self.deadline = self.deadline.after(earned).min(now.after(self.time_max));
    }

    /// When the time is used up.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn at(seconds: u64) -> Instant {
        Instant::from_nanoseconds(seconds * SECOND)
    }

    /// The second in which a peer that moves `bytes` each second from 0 on runs out of time.
    fn runs_out(bytes: u64) -> Option<u64> {
        let mut pace = Pace::new(at(0), Duration::from_secs(60), 1000);
        (1..10_000).find(|&second| {
            let expired = pace.deadline() <= at(second);
            pace.moved(bytes, at(second));
            expired
        })
    }

    #[test]
    fn only_a_pace_below_the_least_runs_out() {
        assert_eq!(runs_out(0), Some(60));
        assert_eq!(runs_out(10), Some(61));
        assert_eq!(runs_out(500), Some(119));
        assert_eq!(runs_out(1000), None);
    }

    #[test]
    fn fast_start_buys_no_long_stall() {
        let mut pace = Pace::new(at(0), Duration::from_secs(60), 1000);
        pace.moved(u64::MAX, at(1));
        assert_eq!(pace.deadline(), at(61));
    }
}
