//! The primitives that two threads may share: std's, or loom's when loom explores the schedules.

#[cfg(loom)]
pub use loom::{
    sync::{Arc, Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard, atomic},
    thread,
};
#[cfg(not(loom))]
pub use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard, atomic},
    thread,
};

#[cfg(loom)]
pub mod schedules;
#[cfg(all(feature = "verification", not(loom)))]
pub mod turns;
