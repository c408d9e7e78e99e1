//! Numbers from a seed: [`Random`].

use std::ops::Range;

/// splitmix64: the same numbers from the same seed, on every machine.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The numbers of this seed.
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// Any number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One of the range, which is not empty.
    pub fn within(&mut self, range: Range<u64>) -> u64 {
        range.start + self.draw() % (range.end - range.start).max(1)
    }

    /// A place in a list of so many, at least one.
    pub fn below(&mut self, count: usize) -> usize {
        (self.draw() % count.max(1) as u64) as usize
    }

    /// True so many times out of so many.
    pub fn chance(&mut self, times: u64, of: u64) -> bool {
        self.draw() % of < times
    }

    /// One of these.
    pub fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }

    /// A length up to `most`, short ones and the whole more often than others.
    pub fn length(&mut self, most: usize) -> usize {
        match self.below(4) {
            0 => 1.min(most),
            1 => most,
            2 => most.min(1 + self.below(16)),
            _ => most.min(1 + self.below(most)),
        }
    }
}
