//! Who may touch which path when: [`PathLocks`], so that each request takes effect at one point.
//!
//! Property: while a path is being written nobody else reads or writes it, and while a directory
//! is being removed nobody makes anything. Order, so that nobody waits in a circle: the namespace
//! before a path, and never two of either.

use super::{read, write};
use crate::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Locks enough that a reader seldom meets the writer of another path: with 32 writers at work,
/// one in 32. Loom needs no more than a collision and none.
const SHARDS: usize = if cfg!(loom) { 2 } else { 1024 };

/// A lock for each path, many of which share one, and one for the namespace.
///
/// Waiting is for workers. An event loop has [`PathLocks::try_read`], which never waits. std's lock
/// lets no new reader in before a writer that waits, so readers starve no writer; and whoever
/// reads a path and waits to read it once more may wait for ever.
#[derive(Debug)]
pub struct PathLocks {
    namespace: RwLock<()>,
    paths: Box<[Shard]>,
}

/// A cache line of its own, so that event loops that read different files do not share one.
#[derive(Debug)]
#[repr(align(64))]
struct Shard(RwLock<()>);

/// The path is not written while this is held.
#[derive(Debug)]
#[must_use = "the lock is held as long as this is"]
pub struct Reading<'a>(#[expect(dead_code, reason = "held, not read")] RwLockReadGuard<'a, ()>);

/// The path is neither read nor written by anybody else while this is held.
#[derive(Debug)]
#[must_use = "the lock is held as long as this is"]
pub struct Writing<'a>(#[expect(dead_code, reason = "held, not read")] RwLockWriteGuard<'a, ()>);

impl PathLocks {
    /// All free.
    pub fn new() -> PathLocks {
        let paths = (0..SHARDS).map(|_| Shard(RwLock::new(()))).collect();
        PathLocks { namespace: RwLock::new(()), paths }
    }

    /// Waits until nobody writes `path`.
    pub fn read(&self, path: &[u8]) -> Reading<'_> {
        Reading(read(self.shard(path)))
    }

    /// The same without waiting; nothing where somebody writes `path` now, or waits to.
    pub fn try_read(&self, path: &[u8]) -> Option<Reading<'_>> {
        match self.shard(path).try_read() {
            Ok(guard) => Some(Reading(guard)),
            Err(std::sync::TryLockError::Poisoned(poisoned)) => Some(Reading(poisoned.into_inner())),
            Err(std::sync::TryLockError::WouldBlock) => None,
        }
    }

    /// Waits until nobody reads or writes `path`.
    pub fn write(&self, path: &[u8]) -> Writing<'_> {
        Writing(write(self.shard(path)))
    }

    /// Waits until nobody removes a directory: for whoever makes one, or anything in one.
    pub fn share_namespace(&self) -> Reading<'_> {
        Reading(read(&self.namespace))
    }

    /// Waits until nobody makes anything: for whoever removes a directory.
    pub fn own_namespace(&self) -> Writing<'_> {
        Writing(write(&self.namespace))
    }

    fn shard(&self, path: &[u8]) -> &RwLock<()> {
        &self.paths[shard_index(path)].0
    }
}

impl Default for PathLocks {
    fn default() -> PathLocks {
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
        let locks = PathLocks::new();
        let reading = locks.read(b"a");
        assert!(locks.try_read(b"a").is_some());
        drop(reading);
        let writing = locks.write(b"a");
        assert!(locks.try_read(b"a").is_none());
        assert!(locks.try_read(b"b").is_some());
        drop(writing);
        assert!(locks.try_read(b"a").is_some());
    }

    #[test]
    fn writer_that_waits_keeps_new_readers_out() {
        let (locks, written) = (PathLocks::new(), AtomicBool::new(false));
        thread::scope(|scope| {
            let reading = locks.read(b"a");
            scope.spawn(|| {
                let _writing = locks.write(b"a");
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
        let locks = PathLocks::new();
        let panicked = thread::scope(|scope| {
            scope
                .spawn(|| {
                    let _namespace = locks.own_namespace();
                    let _writing = locks.write(b"a");
                    std::panic::resume_unwind(Box::new(()));
                })
                .join()
                .is_err()
        });
        assert!(panicked && locks.namespace.is_poisoned() && locks.shard(b"a").is_poisoned());
        assert!(locks.try_read(b"a").is_some());
        let _namespace = locks.share_namespace();
        let _writing = locks.write(b"a");
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
