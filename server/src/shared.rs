//! All that two threads touch: on the `sync` shim, free of system calls, small enough for loom.

pub mod addresses;
pub mod attempts;
pub mod counters;
pub mod current;
pub mod figures;
pub mod kept;
pub mod mailbox;
pub mod path_locks;
pub mod queue;
pub mod rounds;
#[cfg(test)]
#[cfg(loom)]
mod schedules;
pub mod stamps;
pub mod verified;

use std::sync::{LockResult, PoisonError, TryLockResult};

use crate::sync::{Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

// A lock is poisoned where somebody panicked who held it. What the locks here guard is whole after
// every statement, so whoever comes next goes on.

/// Waits until nobody else has what `mutex` guards.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    obtain(|| mutex.try_lock(), || mutex.lock())
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    obtain(|| lock.try_read(), || lock.read())
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    obtain(|| lock.try_write(), || lock.write())
}

/// Waits to be notified; may also return without, so the caller looks again at what it waits for.
fn wait<'a, T>(condition: &Condvar, mutex: &'a Mutex<T>, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    #[cfg(all(feature = "verification", not(loom)))]
    if let Some(give_way) = crate::sync::turns::give_way() {
        drop(guard);
        give_way();
        return lock(mutex);
    }
    let _ = mutex;
    condition.wait(guard).unwrap_or_else(PoisonError::into_inner)
}

/// A lock, whenever it is free: by blocking, or in a simulation by giving way to who holds it.
fn obtain<G>(attempt: impl Fn() -> TryLockResult<G>, block: impl FnOnce() -> LockResult<G>) -> G {
    #[cfg(all(feature = "verification", not(loom)))]
    while let Some(give_way) = crate::sync::turns::give_way() {
        match attempt() {
            Ok(guard) => return guard,
            Err(std::sync::TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
            Err(std::sync::TryLockError::WouldBlock) => give_way(),
        }
    }
    let _ = attempt;
    block().unwrap_or_else(PoisonError::into_inner)
}
