//! Who may touch which path when: [`PathLocks`], so that each request takes effect at one point.
//!
//! Property: while a path is being written nobody else reads or writes it, and while a directory
//! is being removed nobody makes anything. Order, so that nobody waits in a circle: the namespace
//! before a path, and never two of either.

use super::{read, write};
use crate::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Locks enough that two paths seldom share one; loom needs no more than a collision and none.
const SHARDS: usize = if cfg!(loom) { 2 } else { 256 };

/// A lock for each path, many of which share one, and one for the namespace.
///
/// Waiting is for workers. An event loop has [`PathLocks::try_read`], which never waits. std's lock
/// lets no new reader in before a writer that waits, so readers starve no writer.
#[derive(Debug)]
pub struct PathLocks {
    namespace: RwLock<()>,
    paths: Box<[RwLock<()>]>,
}

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
        PathLocks { namespace: RwLock::new(()), paths: (0..SHARDS).map(|_| RwLock::new(())).collect() }
    }

    /// Waits until nobody writes `path`.
    pub fn read(&self, path: &[u8]) -> Reading<'_> {
        Reading(read(self.shard(path)))
    }

    /// The same without waiting; nothing where somebody writes `path` now.
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
        // FNV-1a: short, the same in every run, and spread enough for names. Whoever seeks
        // collisions gains waiting of their own requests, and nothing else.
        let hash = path.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        &self.paths[(hash % SHARDS as u64) as usize]
    }
}

impl Default for PathLocks {
    fn default() -> PathLocks {
        PathLocks::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

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
}
