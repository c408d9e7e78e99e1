//! One call for all who wait for it: [`Rounds`], by which writers that run at once share a sync.
//!
//! Property: whoever asks gets the result of a call that began after it asked; calls for one key
//! never run at once, and nobody waits while no call runs.

use std::collections::BTreeMap;

use super::{lock, wait};
use crate::seeded::bug;
use crate::sync::{Arc, Condvar, Mutex};

/// What calls are told apart by: of a directory its device and inode.
pub type RoundKey = (u64, u64);

/// For each key, the call that runs and the one that is next.
#[derive(Debug)]
pub struct Rounds<E> {
    keys: Mutex<BTreeMap<RoundKey, Key<E>>>,
    ended: Condvar,
}

/// Gone while nobody asks for it.
#[derive(Debug)]
struct Key<E> {
    running: bool,
    /// The call that whoever asks now has to wait for: it has not begun.
    next: Arc<Round<E>>,
    /// Those who ask at the moment.
    present: usize,
}

/// What came of one call; nothing before its end, or where it panicked.
type Round<E> = Mutex<Option<Result<(), E>>>;

impl<E: Clone> Rounds<E> {
    /// None runs.
    pub fn new() -> Rounds<E> {
        Rounds { keys: Mutex::new(BTreeMap::new()), ended: Condvar::new() }
    }

    /// Makes `call`, or has the result of another one for this key that begins from now on.
    ///
    /// # Errors
    /// What that call said.
    pub fn join(&self, key: RoundKey, call: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        let mut keys = lock(&self.keys);
        let entry = keys.entry(key).or_insert_with(|| Key { running: false, next: empty(), present: 0 });
        entry.present += 1;
        let round = Arc::clone(&entry.next);
        loop {
            if let Some(result) = lock(&round).clone() {
                leave(&mut keys, key);
                return result;
            }
            match keys.get_mut(&key) {
                Some(entry) if entry.running => {
                    keys = wait(&self.ended, &self.keys, keys);
                }
                Some(entry) => {
                    entry.running = true;
                    if !bug("round_is_joined_late") {
                        entry.next = empty();
                    }
                    break;
                }
                // Whoever is present keeps the key.
                None => break,
            }
        }
        drop(keys);
        let _running = Running { rounds: self, key };
        let result = call();
        *lock(&round) = Some(result.clone());
        result
    }
}

impl<E: Clone> Default for Rounds<E> {
    fn default() -> Rounds<E> {
        Rounds::new()
    }
}

/// A call that runs; also one that panics comes to its end.
struct Running<'a, E> {
    rounds: &'a Rounds<E>,
    key: RoundKey,
}

impl<E> Drop for Running<'_, E> {
    fn drop(&mut self) {
        let mut keys = lock(&self.rounds.keys);
        if let Some(entry) = keys.get_mut(&self.key) {
            entry.running = false;
        }
        leave(&mut keys, self.key);
        if bug("round_end_wakes_nobody") {
            return;
        }
        if bug("round_end_wakes_one") {
            return self.rounds.ended.notify_one();
        }
        self.rounds.ended.notify_all();
    }
}

fn leave<E>(keys: &mut BTreeMap<RoundKey, Key<E>>, key: RoundKey) {
    if let Some(entry) = keys.get_mut(&key) {
        entry.present -= 1;
        if entry.present == 0 {
            keys.remove(&key);
        }
    }
}

fn empty<E>() -> Arc<Round<E>> {
    Arc::new(Mutex::new(None))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sync::atomic::{AtomicUsize, Ordering};
    use crate::sync::thread;

    // Goal: those who ask while a call runs share the next one. Method: the first call ends only
    // when all the others have asked.
    #[test]
    fn those_who_ask_meanwhile_share_one_call() {
        let (rounds, calls) = (Rounds::<i32>::new(), AtomicUsize::new(0));
        let present = || lock(&rounds.keys).get(&(7, 0)).map_or(0, |key| key.present);
        let call = || {
            calls.fetch_add(1, Ordering::Relaxed);
            Err(5)
        };
        thread::scope(|scope| {
            scope.spawn(|| {
                rounds.join((7, 0), || {
                    // Ten seconds at most.
                    let asked = (0..10_000).any(|_| {
                        thread::sleep(Duration::from_millis(1));
                        present() == 9
                    });
                    assert!(asked);
                    calls.fetch_add(1, Ordering::Relaxed);
                    Ok(())
                })
            });
            while present() == 0 {
                thread::yield_now();
            }
            let (rounds, call) = (&rounds, &call);
            let others: Vec<_> = (0..8).map(|_| scope.spawn(move || rounds.join((7, 0), call))).collect();
            for other in others {
                assert_eq!(other.join().unwrap(), Err(5));
            }
        });
        assert_eq!(calls.into_inner(), 2);
        assert!(lock(&rounds.keys).is_empty(), "nothing is remembered");
    }

    #[test]
    fn call_that_panics_holds_nobody_up() {
        let rounds = Rounds::<i32>::new();
        let panicked = thread::scope(|scope| {
            scope.spawn(|| rounds.join((1, 0), || std::panic::resume_unwind(Box::new(())))).join().is_err()
        });
        assert!(panicked);
        assert_eq!(rounds.join((1, 0), || Err(3)), Err(3));
        assert_eq!(rounds.join((1, 1), || Ok(())), Ok(()));
        assert!(lock(&rounds.keys).is_empty());
    }
}
