//! The mailbox: no outcome missed, and no more wakes than batches.

use crate::shared::mailbox::Mailbox;
use crate::sync::atomic::Ordering;
use crate::sync::schedules::{Count, EVERY, explore};
use crate::sync::{Arc, Condvar, Mutex, thread};

/// A mailbox, and what wakes its owner as an eventfd does.
pub(super) struct Post {
    mailbox: Mailbox<u8>,
    rung: Mutex<bool>,
    changed: Condvar,
    /// How often its owner was woken, and found something.
    rings: Count,
    batches: Count,
}

impl Post {
    pub(super) fn new() -> Arc<Post> {
        let (rings, batches) = (Count::new(0), Count::new(0));
        let (mailbox, rung, changed) = (Mailbox::new(), Mutex::new(false), Condvar::new());
        Arc::new(Post { mailbox, rung, changed, rings, batches })
    }

    /// Posts as a worker does.
    pub(super) fn post(&self, item: u8) {
        if self.mailbox.post(item) {
            self.rings.fetch_add(1, Ordering::Relaxed);
            *self.rung.lock().unwrap() = true;
            self.changed.notify_one();
        }
    }

    /// Takes until `count` items are here, as an event loop does: wait, forget the wake, take,
    /// wait again. A lost wake shows as a deadlock.
    pub(super) fn take(&self, count: usize) -> Vec<u8> {
        let mut all = Vec::new();
        self.take_behind(&mut all, count);
        all
    }

    fn take_behind(&self, all: &mut Vec<u8>, count: usize) {
        while all.len() < count {
            self.wait();
            self.take_now(all);
        }
    }

    fn take_now(&self, all: &mut Vec<u8>) {
        let before = all.len();
        self.mailbox.take(all);
        self.batches.fetch_add(usize::from(all.len() > before), Ordering::Relaxed);
    }

    /// In how many batches it all came, once all have done.
    pub(super) fn batches(&self) -> usize {
        let batches = self.batches.load(Ordering::Relaxed);
        assert_eq!(self.rings.load(Ordering::Relaxed), batches, "one wake a batch");
        batches
    }

    /// Several rings count as one.
    fn wait(&self) {
        let mut rung = self.rung.lock().unwrap();
        while !*rung {
            rung = self.changed.wait(rung).unwrap();
        }
        *rung = false;
    }
}

#[test]
fn posted_outcome_is_never_missed() {
    explore("loom:mailbox_1p", EVERY, 3, || {
        let post = Post::new();
        let poster = thread::spawn({
            let post = Arc::clone(&post);
            move || [1, 2, 3].map(|item| post.post(item))
        });
        assert_eq!(post.take(3), [1, 2, 3]);
        poster.join().unwrap();
        post.batches() - 1
    });
}

#[test]
fn two_posters_share_a_wake_and_lose_nothing() {
    explore("loom:mailbox_2p", EVERY, 2, || {
        let post = Post::new();
        let posters = [1, 2].map(|item| {
            let post = Arc::clone(&post);
            thread::spawn(move || post.post(item))
        });
        let mut all = post.take(2);
        all.sort_unstable();
        assert_eq!(all, [1, 2]);
        for poster in posters {
            poster.join().unwrap();
        }
        post.batches() - 1
    });
}

// Taking without having been woken, as when a server ends: what is not taken now wakes.
#[test]
fn post_against_take_is_taken_or_wakes() {
    explore("loom:mailbox_post_take", EVERY, 3, || {
        let post = Post::new();
        let poster = thread::spawn({
            let post = Arc::clone(&post);
            move || [1, 2].map(|item| post.post(item))
        });
        let mut all = Vec::new();
        post.take_now(&mut all);
        let early = all.len();
        post.take_behind(&mut all, 2);
        assert_eq!(all, [1, 2]);
        poster.join().unwrap();
        assert!(post.batches() <= 2);
        early
    });
}
