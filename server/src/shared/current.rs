//! What holds now, replaced as a whole: [`Current`].
//!
//! Property: whoever asks is given one whole state, the newest that was put in place before. Asked when a
//! connection comes, never by a request.

use std::sync::Arc;

use super::lock;
use crate::sync::Mutex;

/// A state that may be replaced while others use it.
#[derive(Debug)]
pub struct Current<T>(Mutex<Arc<T>>);

impl<T> Current<T> {
    /// This, for now.
    pub fn new(state: Arc<T>) -> Current<T> {
        Current(Mutex::new(state))
    }

    /// What holds now. The lock is held for the time of one addition.
    pub fn get(&self) -> Arc<T> {
        Arc::clone(&lock(&self.0))
    }

    /// Puts another one in place; who has the old one keeps it.
    pub fn replace(&self, state: Arc<T>) {
        let old = std::mem::replace(&mut *lock(&self.0), state);
        // Behind the lock: it may be the last one, and letting go of it may take a while.
        drop(old);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_replacement_holds_for_who_asks_later() {
        let current = Current::new(Arc::new(1));
        let before = current.get();
        current.replace(Arc::new(2));
        assert_eq!((*before, *current.get()), (1, 2));
    }
}
