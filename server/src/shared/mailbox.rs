//! Outcomes on their way back to one event loop: a [`Mailbox`] that many fill and one empties.
//!
//! Property: what was posted is taken, if its owner takes once behind each wake that it was given.

use super::lock;
use crate::seeded::bug;
use crate::sync::Mutex;

/// Posted items, and who has to wake their owner.
///
/// The wake is the caller's. Its owner forgets the wake first and takes then: a wake that comes
/// between the two costs an empty take, where the other order would lose what it stands for.
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
        if bug("mailbox_is_looked_at_again") {
            drop(items);
            items = lock(&self.items);
        }
        items.len() == if bug("mailbox_second_post_wakes") { 2 } else { 1 }
    }

    /// Takes all items, in order, behind what `batch` has. Where that is nothing, its memory is
    /// left in their place, so that two batches' worth of memory serves for ever.
    pub fn take(&self, batch: &mut Vec<T>) {
        let mut items = lock(&self.items);
        if batch.is_empty() {
            std::mem::swap(&mut *items, batch);
        } else {
            batch.append(&mut items);
        }
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
        mailbox.take(&mut batch);
        assert_eq!(batch, ['a', 'b', 'c'], "what was not yet dealt with stays");
        assert!(mailbox.post('d'));
    }

    #[test]
    fn memory_is_kept_from_batch_to_batch() {
        let mailbox = Mailbox::new();
        let mut batch = Vec::new();
        let mut turn = || {
            for item in 0..100 {
                assert_eq!(mailbox.post(item), item == 0);
            }
            mailbox.take(&mut batch);
            assert!(batch.iter().copied().eq(0..100));
            batch.clear();
            batch.as_ptr()
        };
        let warm = [turn(), turn()];
        for _ in 0..10 {
            assert_eq!([turn(), turn()], warm);
        }
    }
}
