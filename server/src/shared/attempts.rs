//! How often somebody guessed wrong, and how long nobody looks at the next guess: [`Attempts`].
//!
//! Property: a guess counts before it is looked at, so that none goes uncounted, however many come at
//! once; and what is remembered is no more than a table of fixed size.

use super::lock;
use crate::seeded::bug;
use crate::sync::Mutex;

/// Guesses that cost no wait.
pub const FREE: u32 = 5;
/// The longest wait, in seconds.
pub const WAIT_SECONDS_MAX: u64 = 300;
/// Without a guess for so long, nothing is held against anybody, in seconds.
pub const FORGOTTEN_SECONDS: u64 = 900;
/// Those that have a place in common: enough that nobody is pushed out who guessed often.
const WAYS: usize = 8;
const SETS: usize = if cfg!(loom) { 1 } else { 512 };

/// A table of those who guessed.
#[derive(Debug)]
pub struct Attempts(Mutex<Box<[[Guesses; WAYS]]>>);

/// One who guessed; free where there are no failures.
#[derive(Clone, Copy, Debug, Default)]
struct Guesses {
    key: u64,
    failures: u32,
    last: u64,
}

impl Guesses {
    /// When the next one is looked at. The wait doubles each time.
    fn next(&self) -> u64 {
        let Some(doubled) = self.failures.checked_sub(FREE) else { return 0 };
        self.last + 1_u64.checked_shl(doubled).unwrap_or(u64::MAX).min(WAIT_SECONDS_MAX)
    }

    fn is_forgotten(&self, now: u64) -> bool {
        self.failures == 0 || now >= self.last + FORGOTTEN_SECONDS
    }
}

impl Attempts {
    /// Nobody has guessed.
    pub fn new() -> Attempts {
        Attempts(Mutex::new(vec![[Guesses::default(); WAYS]; SETS].into()))
    }

    /// For how many seconds nobody looks at a guess of `key`; `now` is in seconds.
    pub fn wait(&self, key: u64, now: u64) -> u64 {
        let sets = lock(&self.0);
        let guesses = sets[place(key)].iter().find(|guesses| guesses.key == key);
        let guesses = guesses.filter(|guesses| !guesses.is_forgotten(now));
        guesses.map_or(0, |guesses| guesses.next().saturating_sub(now))
    }

    /// Counts a guess that is about to be looked at, as a wrong one.
    ///
    /// # Errors
    /// The seconds to wait first.
    pub fn begin(&self, key: u64, now: u64) -> Result<(), u64> {
        let mut sets = lock(&self.0);
        let set = &mut sets[place(key)];
        let mine = set.iter().position(|guesses| guesses.key == key && !guesses.is_forgotten(now));
        let free = || set.iter().position(|guesses| guesses.is_forgotten(now));
        let least = || (0..WAYS).min_by_key(|&way| (set[way].failures, set[way].last));
        let (known, way) = match mine {
            Some(way) => (true, way),
            None => (false, free().or_else(least).unwrap_or(0)),
        };
        let guesses = &mut set[way];
        if !known {
            *guesses = Guesses { key, failures: 0, last: now };
        }
        let wait = guesses.next().saturating_sub(now);
        if wait > 0 {
            return Err(wait);
        }
        if !bug("guess_is_not_counted") {
            guesses.failures = guesses.failures.saturating_add(1);
        }
        guesses.last = now;
        Ok(())
    }

    /// The last one was right: nothing is held against `key` any more.
    pub fn succeeded(&self, key: u64) {
        let mut sets = lock(&self.0);
        let mine = sets[place(key)].iter_mut().find(|guesses| guesses.key == key);
        if let Some(guesses) = mine {
            *guesses = Guesses::default();
        }
    }
}

impl Default for Attempts {
    fn default() -> Attempts {
        Attempts::new()
    }
}

fn place(key: u64) -> usize {
    usize::try_from(key % SETS as u64).unwrap_or(0)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_their_bound_and_are_forgotten() {
        let attempts = Attempts::new();
        let mut now = 1000;
        for _ in 0..FREE {
            assert_eq!(attempts.begin(7, now), Ok(()));
        }
        for expected in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            assert_eq!((attempts.wait(7, now), attempts.begin(7, now)), (expected, Err(expected)));
            assert_eq!(attempts.begin(7, now + expected - 1), Err(1));
            now += expected;
            assert_eq!((attempts.wait(7, now), attempts.begin(7, now)), (0, Ok(())));
        }
        assert_eq!(attempts.wait(8, now), 0);
        now += FORGOTTEN_SECONDS;
        for _ in 0..FREE {
            assert_eq!(attempts.begin(7, now), Ok(()));
        }
        assert_eq!(attempts.begin(7, now), Err(1));
        attempts.succeeded(7);
        assert_eq!((attempts.wait(7, now), attempts.begin(7, now)), (0, Ok(())));
    }

    #[test]
    fn who_guessed_often_is_not_pushed_out_by_who_guessed_once() {
        let attempts = Attempts::new();
        for _ in 0..FREE {
            assert_eq!(attempts.begin(0, 1000), Ok(()));
        }
        for key in 1..1000 {
            assert_eq!(attempts.begin(key * SETS as u64, 1000), Ok(()));
        }
        assert_eq!(attempts.begin(0, 1000), Err(1));
    }
}
