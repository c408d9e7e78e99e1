//! Who may touch which path when: [`PathLocks`], so that each request takes effect at one point.
//!
//! Property: a path is changed by one at a time, nobody reads it in the moments of the change that
//! must not be seen, and while a directory is being removed nobody makes anything. A change that
//! takes long can pin what was there, so that readers need not wait for it. Order, so that nobody
//! waits in a circle: to change a path before the namespace, the namespace before to read it or to be
//! alone with it, and never two of any. So whoever has a share of the namespace waits for no change.

use super::{lock, read, write};
use crate::seeded::bug;
use crate::sync::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Locks enough that a reader seldom meets the writer of another path: with 32 writers at work,
/// one in 32. Loom needs no more than a collision and none.
const SHARDS: usize = if cfg!(loom) { 2 } else { 1024 };

/// A lock for each path, many of which share one, and one for the namespace.
///
/// Waiting is for workers. An event loop has [`PathLocks::try_read`], which never waits. std's lock
/// lets no new reader in before a writer that waits, so readers starve no writer; and whoever
/// reads a path and waits to read it once more may wait for ever.
#[derive(Debug)]
pub struct PathLocks<P> {
    namespace: RwLock<()>,
    paths: Box<[Shard<P>]>,
}

/// Cache lines of its own, so that event loops that read different files do not share one.
#[derive(Debug)]
#[repr(align(64))]
struct Shard<P> {
    /// Held by whoever changes one of its paths.
    changing: Mutex<()>,
    /// Read by readers; written by whoever must not be seen. In it what is pinned.
    seen: RwLock<Vec<Pin<P>>>,
}

/// What readers of a path take for what is there.
#[derive(Debug)]
struct Pin<P> {
    path: Box<[u8]>,
    pinned: P,
}

/// Nothing is changed unseen while this is held.
#[derive(Debug)]
#[must_use = "the lock is held as long as this is"]
pub struct Reading<'a, P>(RwLockReadGuard<'a, Vec<Pin<P>>>);

/// Nobody else changes the path while this is held; readers come and go.
#[derive(Debug)]
#[must_use = "the lock is held as long as this is"]
pub struct Changing<'a, P> {
    shard: &'a Shard<P>,
    path: &'a [u8],
    _changing: MutexGuard<'a, ()>,
}

/// Nobody else reads the path while this is held.
#[derive(Debug)]
#[must_use = "the lock is held as long as this is"]
pub struct Alone<'a, P>(RwLockWriteGuard<'a, Vec<Pin<P>>>, &'a [u8]);

/// A share of the namespace, or all of it.
#[derive(Debug)]
#[must_use = "the lock is held as long as this is"]
pub struct Namespace<G>(G);

impl<P> PathLocks<P> {
    /// All free.
    pub fn new() -> PathLocks<P> {
        let shard = |_| Shard { changing: Mutex::new(()), seen: RwLock::new(Vec::new()) };
        PathLocks { namespace: RwLock::new(()), paths: (0..SHARDS).map(shard).collect() }
    }

    /// Waits until nobody is alone with `path`.
    pub fn read(&self, path: &[u8]) -> Reading<'_, P> {
        Reading(read(&self.shard(path).seen))
    }

    /// The same without waiting; nothing where somebody is alone with `path`, or waits to be.
    pub fn try_read(&self, path: &[u8]) -> Option<Reading<'_, P>> {
        match self.shard(path).seen.try_read() {
            Ok(guard) => Some(Reading(guard)),
            Err(std::sync::TryLockError::Poisoned(poisoned)) => Some(Reading(poisoned.into_inner())),
            Err(std::sync::TryLockError::WouldBlock) => None,
        }
    }

    /// Waits until nobody changes `path`.
    pub fn change<'a>(&'a self, path: &'a [u8]) -> Changing<'a, P> {
        let shard = self.shard(path);
        Changing { shard, path, _changing: lock(&shard.changing) }
    }

    /// Waits until nobody removes a directory: for whoever makes one, or anything in one.
    pub fn share_namespace(&self) -> Namespace<RwLockReadGuard<'_, ()>> {
        Namespace(read(&self.namespace))
    }

    /// Waits until nobody makes anything: for whoever removes a directory.
    pub fn own_namespace(&self) -> Namespace<RwLockWriteGuard<'_, ()>> {
        Namespace(write(&self.namespace))
    }

    fn shard(&self, path: &[u8]) -> &Shard<P> {
        &self.paths[shard_index(path)]
    }
}

impl<P> Reading<'_, P> {
    /// What is to be taken for what is there, where that is pinned.
    pub fn pinned(&self, path: &[u8]) -> Option<&P> {
        let pin = self.0.iter().find(|pin| *pin.path == *path && !bug("pin_is_overlooked"));
        pin.map(|pin| &pin.pinned)
    }
}

impl<P: Clone> Changing<'_, P> {
    /// Waits until nobody reads the path.
    pub fn alone(&self) -> Alone<'_, P> {
        Alone(write(&self.shard.seen), self.path)
    }

    /// What is pinned for readers of the path.
    pub fn pinned(&self) -> Option<P> {
        Reading(read(&self.shard.seen)).pinned(self.path).cloned()
    }

    /// Lets readers take this for what is there, until it is unpinned: however long that takes, one
    /// for a path.
    pub fn pin(&self, pinned: P) {
        let mut alone = self.alone();
        alone.unpin();
        alone.0.push(Pin { path: self.path.into(), pinned });
    }
}

impl<P> Alone<'_, P> {
    /// What is there is there for readers again.
    pub fn unpin(&mut self) {
        let path = self.1;
        self.0.retain(|pin| *pin.path != *path && !bug("unpin_forgets_all"));
    }
}

impl<P> Default for PathLocks<P> {
    fn default() -> PathLocks<P> {
        PathLocks::new()
    }
}

/// The same in every run. Whoever seeks collisions gains waiting where writing the path itself
/// would give the same.
fn shard_index(path: &[u8]) -> usize {
    // FNV-1a: short, and spread enough for names.
    let hash = path.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash % SHARDS as u64) as usize
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::*;
    use crate::sync::atomic::{AtomicBool, Ordering};

    #[test]
    fn reading_does_not_wait_for_reading_and_gives_way_to_writing() {
        let locks = PathLocks::<()>::new();
        let reading = locks.read(b"a");
        let changing = locks.change(b"a");
        assert!(locks.try_read(b"a").is_some());
        drop(reading);
        let alone = changing.alone();
        assert!(locks.try_read(b"a").is_none());
        assert!(locks.try_read(b"b").is_some());
        drop(alone);
        assert!(locks.try_read(b"a").is_some());
    }

    #[test]
    fn readers_see_what_is_pinned_for_their_path_alone() {
        let locks = PathLocks::new();
        // Enough names that some share a lock.
        let names: Vec<String> = (0..3000).map(|number| format!("{number}")).collect();
        for name in &names {
            locks.change(name.as_bytes()).pin(name.clone());
        }
        locks.change(b"7").pin("new".to_owned());
        for name in &names {
            let expected = if name == "7" { "new" } else { name };
            assert_eq!(locks.read(name.as_bytes()).pinned(name.as_bytes()).unwrap(), expected);
            let changing = locks.change(name.as_bytes());
            assert_eq!(changing.pinned().unwrap(), expected);
            changing.alone().unpin();
            assert!(changing.pinned().is_none());
        }
        assert!(locks.paths.iter().all(|shard| read(&shard.seen).is_empty()), "nothing is remembered");
    }

    #[test]
    fn writer_that_waits_keeps_new_readers_out() {
        let (locks, written) = (PathLocks::<()>::new(), AtomicBool::new(false));
        thread::scope(|scope| {
            let reading = locks.read(b"a");
            scope.spawn(|| {
                let changing = locks.change(b"a");
                let _alone = changing.alone();
                written.store(true, Ordering::Relaxed);
            });
            // Ten seconds at most: then a stream of readers would starve the writer.
            let kept_out = (0..10_000).any(|_| {
                thread::sleep(Duration::from_millis(1));
                locks.try_read(b"a").is_none()
            });
            assert!(!written.load(Ordering::Relaxed), "the writer waits for the reader");
            drop(reading);
            assert!(kept_out);
        });
        assert!(written.into_inner());
    }

    #[test]
    fn locks_outlive_a_panic_of_their_holder() {
        let locks = PathLocks::<()>::new();
        let panicked = thread::scope(|scope| {
            scope
                .spawn(|| {
                    let _namespace = locks.own_namespace();
                    let changing = locks.change(b"a");
                    let _alone = changing.alone();
                    std::panic::resume_unwind(Box::new(()));
                })
                .join()
                .is_err()
        });
        assert!(panicked && locks.namespace.is_poisoned() && locks.shard(b"a").seen.is_poisoned());
        assert!(locks.try_read(b"a").is_some());
        let _namespace = locks.share_namespace();
        let changing = locks.change(b"a");
        let _alone = changing.alone();
        assert!(locks.try_read(b"a").is_none());
    }

    // Goal: paths that look alike do not crowd. Method: 64 names a shard, of the kinds that trees
    // of files have; with an even hash the fullest shard has about 95 (8 standard deviations: 128).
    #[test]
    fn alike_paths_are_spread_evenly() {
        let kinds: [fn(usize) -> String; 4] = [
            |n| format!("{n}"),
            |n| format!("file-{n:05}.txt"),
            |n| format!("{:02x}/{:02x}/object", n % 256, n / 256),
            |n| format!("{:0200}", n * 1024),
        ];
        for kind in kinds {
            let mut counts = [0; SHARDS];
            (0..64 * SHARDS).for_each(|n| counts[shard_index(kind(n).as_bytes())] += 1);
            let fullest = counts.iter().max().copied().unwrap_or(0);
            assert!(fullest <= 128, "{fullest} paths like {} share a lock", kind(1));
        }
    }
}
