//! Jobs on their way to whoever is free: a [`Queue`] with many producers and many consumers.
//!
//! Property: what was pushed is popped exactly once, before or after closing; no item waits while
//! consumers sleep and none of them is on its way; and closing wakes everybody who sleeps.

use std::collections::VecDeque;

use super::{lock, wait};
use crate::seeded::bug;
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
    /// Consumers that sleep, or are woken and not yet here again.
    sleepers: usize,
    /// One of them is on its way, and will see to the next when it is here.
    waking: bool,
    /// Here and not beside the lock: nobody can fall asleep between looking at it and its change.
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

impl<T> State<T> {
    /// Whether the caller has to wake a consumer, which is then on its way. One at a time: a wake is a
    /// system call, and each consumer that comes is two changes of threads, while one that need not
    /// wait may take all the items before a second one has come. Whoever takes an item wakes the next
    /// where more are left, so consumers that have to wait get company before they do.
    fn wakes(&mut self) -> bool {
        let wakes = !self.waking && self.sleepers > 0 && !self.items.is_empty();
        if wakes {
            self.waking = true;
        }
        wakes
    }
}

impl<T> Queue<T> {
    /// Empty and open.
    pub fn new() -> Queue<T> {
        let state = State { items: VecDeque::new(), sleepers: 0, waking: false, closed: false };
        Queue { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Appends `item`, unless `waiting_max` items wait already. The bound is the caller's: work
    /// that goes on may have a higher one than work that begins.
    ///
    /// # Errors
    /// The item again, with the reason.
    pub fn try_push(&self, item: T, waiting_max: usize) -> Result<(), Refused<T>> {
        let open = bug("queue_is_open_a_moment_ago") && !lock(&self.state).closed;
        let room = bug("queue_has_room_a_moment_ago") && self.waiting() < waiting_max;
        let mut state = lock(&self.state);
        if state.closed && !open {
            return Err(Refused::Closed(item));
        }
        if state.items.len() >= waiting_max && !room {
            return Err(Refused::Full(item));
        }
        state.items.push_back(item);
        let wake = state.wakes();
        // Whoever is woken finds the lock free.
        drop(state);
        if wake && !bug("queue_push_wakes_nobody") {
            self.changed.notify_one();
        }
        Ok(())
    }

    /// Takes the oldest item, waiting for one; nothing where the queue is closed and empty.
    pub fn pop(&self) -> Option<T> {
        let mut state = lock(&self.state);
        loop {
            if bug("queue_close_forgets_items") && state.closed {
                return None;
            }
            if let Some(item) = state.items.pop_front() {
                let wake = state.wakes();
                drop(state);
                if wake && !bug("queue_pop_wakes_nobody") {
                    self.changed.notify_one();
                }
                return Some(item);
            }
            if state.closed {
                return None;
            }
            state.sleepers += 1;
            state = wait(&self.changed, &self.state, state);
            state.sleepers -= 1;
            if !bug("queue_one_wake_for_ever") {
                state.waking = false;
            }
        }
    }

    /// Takes no more items; those that wait can still be popped.
    pub fn close(&self) {
        lock(&self.state).closed = true;
        if bug("queue_close_wakes_one") {
            return self.changed.notify_one();
        }
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
        assert_eq!(queue.try_push('a', 0), Err(Refused::Full('a')));
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
        // Full as well: that it is closed is said first, for no room will help.
        assert_eq!(queue.try_push('b', 1), Err(Refused::Closed('b')));
        assert_eq!([queue.pop(), queue.pop()], [Some('a'), None]);
    }

    #[test]
    fn memory_is_kept_from_job_to_job() {
        let queue = Queue::new();
        let capacity = || lock(&queue.state).items.capacity();
        let turn = |jobs| {
            for job in 0..jobs {
                assert_eq!(queue.try_push(job, jobs), Ok(()));
            }
            for job in 0..jobs {
                assert_eq!(queue.pop(), Some(job));
            }
        };
        turn(100);
        let warm = capacity();
        assert!(warm >= 100);
        for jobs in 0..100 {
            turn(jobs);
            assert_eq!(capacity(), warm);
        }
    }

    #[test]
    fn sleeper_is_counted_until_it_is_back() {
        let queue = Queue::new();
        let sleepers = || lock(&queue.state).sleepers;
        let slept = std::thread::scope(|scope| {
            let consumer = scope.spawn(|| queue.pop());
            // Ten seconds at most.
            let slept = (0..10_000).any(|_| {
                std::thread::sleep(std::time::Duration::from_millis(1));
                sleepers() == 1
            });
            assert_eq!(queue.try_push('a', 1), Ok(()));
            assert_eq!(consumer.join().unwrap(), Some('a'));
            slept
        });
        assert!(slept);
        assert_eq!(sleepers(), 0, "a push would wake nobody, at the price of a system call");
    }

    // Goal: one consumer at a time is woken, and only for what is there. Method: every state.
    #[test]
    fn one_sleeper_at_a_time_is_woken_where_something_waits() {
        for (waiting, sleepers, waking) in (0..3)
            .flat_map(|waiting| (0..3).map(move |sleepers| (waiting, sleepers)))
            .flat_map(|(waiting, sleepers)| [false, true].map(|waking| (waiting, sleepers, waking)))
        {
            let items: VecDeque<char> = (0..waiting).map(|_| 'a').collect();
            let mut state = State { items, sleepers, waking, closed: false };
            let expected = waiting > 0 && sleepers > 0 && !waking;
            assert_eq!(state.wakes(), expected, "{waiting} {sleepers} {waking}");
            assert_eq!(state.waking, waking || expected, "{waiting} {sleepers} {waking}");
        }
    }

    #[test]
    fn queue_outlives_a_panic_under_its_lock() {
        let queue = Queue::new();
        assert_eq!(queue.try_push('a', 2), Ok(()));
        let panicked = std::thread::scope(|scope| {
            scope
                .spawn(|| {
                    let _state = queue.state.lock();
                    std::panic::resume_unwind(Box::new(()));
                })
                .join()
                .is_err()
        });
        assert!(panicked && queue.state.is_poisoned());
        assert_eq!(queue.try_push('b', 2), Ok(()));
        queue.close();
        assert_eq!([queue.pop(), queue.pop(), queue.pop()], [Some('a'), Some('b'), None]);
    }
}
