//! Jobs on their way to whoever is free: a [`Queue`] with many producers and many consumers.
//!
//! Property: what was pushed is popped exactly once, before or after closing; and closing wakes
//! everybody who waits.

use std::collections::VecDeque;

use super::lock;
use crate::sync::{Condvar, Mutex};

/// A first-in, first-out queue whose producers never wait.
#[derive(Debug)]
pub struct Queue<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

#[derive(Debug)]
struct State<T> {
    /// Keeps its memory, so that a job costs no allocation once the queue has been as long before.
    items: VecDeque<T>,
    closed: bool,
}

/// Why an item was not taken, with the item.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused<T> {
    /// As many items wait as may.
    Full(T),
    /// The queue is closed.
    Closed(T),
}

impl<T> Queue<T> {
    /// Empty and open.
    pub fn new() -> Queue<T> {
        Queue { state: Mutex::new(State { items: VecDeque::new(), closed: false }), changed: Condvar::new() }
    }

    /// Appends `item`, unless `waiting_max` items wait already. The bound is the caller's: work
    /// that goes on may have a higher one than work that begins.
    ///
    /// # Errors
    /// The item again, with the reason.
    pub fn try_push(&self, item: T, waiting_max: usize) -> Result<(), Refused<T>> {
        let mut state = lock(&self.state);
        if state.closed {
            return Err(Refused::Closed(item));
        }
        if state.items.len() >= waiting_max {
            return Err(Refused::Full(item));
        }
        state.items.push_back(item);
        drop(state);
        // One item is work for one consumer; one that is busy looks again before it waits.
        self.changed.notify_one();
        Ok(())
    }

    /// Takes the oldest item, waiting for one; nothing where the queue is closed and empty.
    pub fn pop(&self) -> Option<T> {
        let mut state = lock(&self.state);
        loop {
            if let Some(item) = state.items.pop_front() {
                return Some(item);
            }
            if state.closed {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
    }

    /// Takes no more items; those that wait can still be popped.
    pub fn close(&self) {
        lock(&self.state).closed = true;
        self.changed.notify_all();
    }

    /// How many items wait.
    pub fn waiting(&self) -> usize {
        lock(&self.state).items.len()
    }
}

impl<T> Default for Queue<T> {
    fn default() -> Queue<T> {
        Queue::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn order_is_kept_and_the_bound_is_exact() {
        let queue = Queue::new();
        assert_eq!(queue.try_push('a', 2), Ok(()));
        assert_eq!(queue.try_push('b', 2), Ok(()));
        assert_eq!(queue.try_push('c', 2), Err(Refused::Full('c')));
        assert_eq!(queue.try_push('c', 3), Ok(()));
        assert_eq!(queue.waiting(), 3);
        assert_eq!([queue.pop(), queue.pop(), queue.pop()], [Some('a'), Some('b'), Some('c')]);
    }

    #[test]
    fn closed_queue_is_emptied_and_takes_no_more() {
        let queue = Queue::new();
        assert_eq!(queue.try_push('a', 1), Ok(()));
        queue.close();
        assert_eq!(queue.try_push('b', 9), Err(Refused::Closed('b')));
        assert_eq!([queue.pop(), queue.pop()], [Some('a'), None]);
    }
}
