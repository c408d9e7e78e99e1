//! Outcomes on their way back to one event loop: a [`Mailbox`] that many fill and one empties.
//!
//! Property: what was posted is taken, if its owner takes once behind each wake that it was given.

use super::lock;
use crate::sync::Mutex;

/// Posted items, and who has to wake their owner.
#[derive(Debug)]
pub struct Mailbox<T> {
    items: Mutex<Vec<T>>,
}

impl<T> Mailbox<T> {
    /// Empty.
    pub fn new() -> Mailbox<T> {
        Mailbox { items: Mutex::new(Vec::new()) }
    }

    /// Posts `item`. Returns whether the caller has to wake the owner: only behind the first item
    /// of a batch, for whoever posts the next ones does so before the owner has taken the first.
    #[must_use]
    pub fn post(&self, item: T) -> bool {
        let mut items = lock(&self.items);
        items.push(item);
        items.len() == 1
    }

    /// Takes all items into `batch`, which must be empty; its memory is left in their place, so
    /// that two batches' worth of memory serves for ever.
    pub fn take(&self, batch: &mut Vec<T>) {
        debug_assert!(batch.is_empty(), "the last batch has been dealt with");
        std::mem::swap(&mut *lock(&self.items), batch);
    }
}

impl<T> Default for Mailbox<T> {
    fn default() -> Mailbox<T> {
        Mailbox::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn first_of_a_batch_wakes() {
        let mailbox = Mailbox::new();
        assert_eq!([mailbox.post('a'), mailbox.post('b')], [true, false]);
        let mut batch = Vec::new();
        mailbox.take(&mut batch);
        assert_eq!(batch, ['a', 'b']);
        assert!(mailbox.post('c'));
    }
}
