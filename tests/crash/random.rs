//! Numbers from a seed, which is printed, so that a run can be tried again. The instants of crashes
//! come from it too; where in the server's work they fall is up to the machine.

use std::ops::Range;
use std::time::{SystemTime, UNIX_EPOCH};

/// splitmix64.
pub(crate) struct Random(u64);

impl Random {
    /// From `CRASH_SEED`, or else different in every run.
    pub(crate) fn from_environment(test: &str) -> Random {
        let seed = match std::env::var("CRASH_SEED") {
            Ok(seed) => seed.parse().expect("CRASH_SEED is a number"),
            Err(_) => {
                let nanoseconds =
                    SystemTime::now().duration_since(UNIX_EPOCH).expect("1970 is over").as_nanos();
                nanoseconds as u64
            }
        };
        println!("{test} CRASH_SEED={seed}");
        Random(seed)
    }

    /// Another sequence, for another thread.
    pub(crate) fn split(&mut self) -> Random {
        Random(self.next())
    }

    pub(crate) fn in_range(&mut self, range: Range<u64>) -> u64 {
        range.start + self.next() % (range.end - range.start)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
