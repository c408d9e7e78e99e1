//! All that two threads touch: on the `sync` shim, free of system calls, small enough for loom.

pub mod addresses;
pub mod counters;
pub mod mailbox;
pub mod path_locks;
pub mod queue;
pub mod rounds;
#[cfg(test)]
#[cfg(loom)]
mod schedules;
pub mod stamps;

use std::sync::PoisonError;

use crate::sync::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

// A lock is poisoned where somebody panicked who held it. What the locks here guard is whole after
// every statement, so whoever comes next goes on.

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
