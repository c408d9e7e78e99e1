//! What is worth having again soon, for a while: [`Kept`], by number, up to a bound.
//!
//! Property: what is kept is let go by the second sweep behind it, or sooner where it is forgotten;
//! and a sweeper that waits for something to be kept is woken.

use std::collections::HashMap;
use std::sync::Arc;

use super::{lock, wait};
use crate::seeded::bug;
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::sync::{Condvar, Mutex};

/// Locks enough that event loops seldom meet. Loom needs one.
const SHARDS: usize = if cfg!(loom) { 1 } else { 16 };

/// Values that are lent to whoever asks for them, and let go by a sweeper.
///
/// Who keeps or finds lets go of nothing but what it replaces: what that may take, closing a file for
/// one, is the sweeper's. So what is full stays as it is until the next sweep.
#[derive(Debug)]
pub struct Kept<V> {
    shards: Box<[Shard<V>]>,
    /// How many a shard may have, in both of its generations.
    each_max: AtomicUsize,
    /// Something was kept since the sweeper looked last. Changed with a shard's lock held, or by the
    /// sweeper before it takes the shards' locks: so what it does not see sees what it said.
    filled: AtomicBool,
    /// What the sweeper waits with; in it, that there will be nothing more.
    closed: Mutex<bool>,
    changed: Condvar,
}

/// Cache lines of its own.
#[derive(Debug)]
#[repr(align(64))]
struct Shard<V>(Mutex<Generations<V>>);

/// What was kept since the last sweep, and between that and the one before.
#[derive(Debug)]
struct Generations<V> {
    young: HashMap<u64, Arc<V>>,
    old: HashMap<u64, Arc<V>>,
}

impl<V> Kept<V> {
    /// Room for `max` at a time; none where that is less than one for each lock.
    pub fn new(max: usize) -> Kept<V> {
        let generations = || Generations { young: HashMap::new(), old: HashMap::new() };
        Kept {
            shards: (0..SHARDS).map(|_| Shard(Mutex::new(generations()))).collect(),
            each_max: AtomicUsize::new(max / SHARDS),
            filled: AtomicBool::new(false),
            closed: Mutex::new(false),
            changed: Condvar::new(),
        }
    }

    /// What is kept under `number`.
    pub fn find(&self, number: u64) -> Option<Arc<V>> {
        let shard = lock(&self.shard(number).0);
        shard.young.get(&number).or_else(|| shard.old.get(&number)).cloned()
    }

    /// Keeps `value`, where there is room; what was kept under `number` is found no more.
    pub fn keep(&self, number: u64, value: &Arc<V>) {
        let each_max = self.each_max.load(Ordering::Relaxed);
        if each_max == 0 {
            return;
        }
        // Dropped behind the lock.
        let _before;
        let wake = {
            let mut shard = lock(&self.shard(number).0);
            let Generations { young, old } = &mut *shard;
            if young.len() + old.len() >= each_max
                && !young.contains_key(&number)
                && !old.contains_key(&number)
            {
                return;
            }
            _before = (young.insert(number, Arc::clone(value)), old.remove(&number));
            !self.filled.swap(true, Ordering::Relaxed)
        };
        if wake && !bug("sweeper_is_not_woken") {
            drop(lock(&self.closed));
            self.changed.notify_one();
        }
    }

    /// Lets go of what is kept under `number`.
    pub fn forget(&self, number: u64) {
        let mut shard = lock(&self.shard(number).0);
        let forgotten = (shard.young.remove(&number), shard.old.remove(&number));
        drop(shard);
        drop(forgotten);
    }

    /// Drops `value` where it is certain that this lets go of nothing, because it is kept.
    ///
    /// # Errors
    /// The value, where it is not.
    pub fn give_back(&self, number: u64, value: Arc<V>) -> Result<(), Arc<V>> {
        let shard = lock(&self.shard(number).0);
        let is_it = |kept: Option<&Arc<V>>| kept.is_some_and(|kept| Arc::ptr_eq(kept, &value));
        if is_it(shard.young.get(&number)) || is_it(shard.old.get(&number)) {
            // Under the lock: the one that is kept stays until it is free.
            drop(value);
            return Ok(());
        }
        Err(value)
    }

    /// Makes room for `max` from now on; what is kept beyond it stays until it is swept.
    pub fn allow(&self, max: usize) {
        self.each_max.store(max / SHARDS, Ordering::Relaxed);
    }

    /// How many are kept.
    pub fn count(&self) -> usize {
        let count = |shard: &Shard<V>| {
            let shard = lock(&shard.0);
            shard.young.len() + shard.old.len()
        };
        self.shards.iter().map(count).sum()
    }

    /// Waits until something is kept; whether there will be anything more.
    pub fn wait(&self) -> bool {
        let mut closed = lock(&self.closed);
        while !*closed && !self.filled.load(Ordering::Relaxed) {
            closed = wait(&self.changed, &self.closed, closed);
        }
        !*closed
    }

    /// Lets go of what was kept before the last sweep.
    pub fn sweep(&self) {
        self.filled.store(false, Ordering::Relaxed);
        let mut left = false;
        for shard in &self.shards {
            let mut generations = lock(&shard.0);
            let young = std::mem::take(&mut generations.young);
            let swept = std::mem::replace(&mut generations.old, young);
            left |= !generations.old.is_empty();
            drop(generations);
            drop(swept);
        }
        if left {
            self.filled.store(true, Ordering::Relaxed);
        }
    }

    /// Keeps the sweeper waiting no more.
    pub fn close(&self) {
        *lock(&self.closed) = true;
        self.changed.notify_all();
    }

    fn shard(&self, number: u64) -> &Shard<V> {
        // Fibonacci hashing: inodes are given out in rows.
        let spread = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        &self.shards[spread as usize % SHARDS]
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn kept(max: usize) -> Kept<&'static str> {
        Kept::new(max)
    }

    fn found(kept: &Kept<&'static str>, number: u64) -> Option<&'static str> {
        kept.find(number).map(|value| *value)
    }

    #[test]
    fn what_is_kept_is_found_until_the_second_sweep() {
        let kept = kept(1024);
        let value = Arc::new("a");
        kept.keep(1, &value);
        assert_eq!((found(&kept, 1), found(&kept, 2)), (Some("a"), None));
        kept.sweep();
        assert_eq!(found(&kept, 1), Some("a"));
        kept.sweep();
        assert_eq!(found(&kept, 1), None);
        assert_eq!(Arc::strong_count(&value), 1);
    }

    #[test]
    fn finding_does_not_make_it_younger() {
        let kept = kept(1024);
        kept.keep(1, &Arc::new("a"));
        kept.sweep();
        assert_eq!(found(&kept, 1), Some("a"));
        kept.sweep();
        assert_eq!(found(&kept, 1), None);
    }

    #[test]
    fn what_is_kept_last_is_found_and_what_is_forgotten_is_not() {
        let kept = kept(1024);
        let (first, second) = (Arc::new("a"), Arc::new("b"));
        kept.keep(1, &first);
        kept.sweep();
        kept.keep(1, &second);
        assert_eq!((found(&kept, 1), Arc::strong_count(&first)), (Some("b"), 1));
        kept.sweep();
        kept.forget(1);
        assert_eq!((found(&kept, 1), Arc::strong_count(&second)), (None, 1));
        assert!(kept.shards.iter().all(|shard| lock(&shard.0).old.is_empty()));
    }

    #[test]
    fn no_more_is_kept_than_there_is_room_for() {
        let room = 4 * SHARDS;
        let (full, none) = (kept(room), kept(SHARDS - 1));
        for number in 0..1000 {
            full.keep(number, &Arc::new("a"));
            none.keep(number, &Arc::new("a"));
        }
        let count = |kept: &Kept<_>| (0..1000).filter(|number| found(kept, *number).is_some()).count();
        assert_eq!((count(&full), count(&none)), (room, 0));
        full.sweep();
        // In place of old ones, and of no others.
        (0..1000).for_each(|number| full.keep(number, &Arc::new("b")));
        assert_eq!(full.count(), room);
        full.sweep();
        assert_eq!(full.count(), room);
        full.allow(2 * SHARDS);
        full.sweep();
        full.sweep();
        (0..1000).for_each(|number| full.keep(number, &Arc::new("b")));
        assert_eq!(full.count(), 2 * SHARDS);
        full.allow(0);
        full.forget(0);
        full.sweep();
        full.keep(0, &Arc::new("c"));
        full.sweep();
        assert_eq!(full.count(), 0);
    }

    #[test]
    fn what_is_kept_is_replaced_also_where_there_is_no_more_room() {
        let kept = kept(SHARDS);
        for value in ["a", "b"] {
            kept.keep(1, &Arc::new(value));
            assert_eq!((found(&kept, 1), kept.count()), (Some(value), 1));
        }
    }

    #[test]
    fn only_what_is_kept_is_given_back() {
        let kept = kept(1024);
        let (value, other) = (Arc::new("a"), Arc::new("a"));
        kept.keep(1, &value);
        assert_eq!(kept.give_back(1, Arc::clone(&value)), Ok(()));
        assert_eq!(kept.give_back(1, Arc::clone(&other)), Err(other));
        kept.forget(1);
        assert_eq!(kept.give_back(1, Arc::clone(&value)), Err(value));
    }

    #[test]
    fn the_sweeper_waits_until_something_is_kept_and_as_long_as_anything_is() {
        let kept = kept(1024);
        std::thread::scope(|scope| {
            let sweeper = scope.spawn(|| {
                let mut sweeps = 0;
                while kept.wait() {
                    kept.sweep();
                    sweeps += 1;
                }
                sweeps
            });
            let value = Arc::new("a");
            for _ in 0..3 {
                kept.keep(1, &value);
                while Arc::strong_count(&value) > 1 {
                    std::thread::yield_now();
                }
            }
            kept.close();
            assert!(sweeper.join().unwrap() >= 6);
        });
    }
}
