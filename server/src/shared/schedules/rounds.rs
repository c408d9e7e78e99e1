//! The rounds: nobody has the result of a call that began before it asked, no two calls at once,
//! and nobody is left waiting.

use crate::shared::rounds::Rounds;
use crate::shared::stamps::Stamps;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::schedules::{EVERY, FEW, Preemptions, explore};
use crate::sync::{Arc, thread};

/// Something that a call makes durable: what was changed, and how much of it was synced.
struct Disk {
    rounds: Rounds<()>,
    changed: AtomicUsize,
    synced: AtomicUsize,
    running: AtomicUsize,
    calls: AtomicUsize,
}

impl Disk {
    fn change_and_sync(&self) {
        let change = self.changed.fetch_add(1, Ordering::SeqCst) + 1;
        let result = self.rounds.join((1, 0), || {
            assert_eq!(self.running.fetch_add(1, Ordering::SeqCst), 0, "two calls at once");
            self.calls.fetch_add(1, Ordering::SeqCst);
            self.synced.store(self.changed.load(Ordering::SeqCst), Ordering::SeqCst);
            self.running.fetch_sub(1, Ordering::SeqCst);
            Ok(())
        });
        assert_eq!(result, Ok(()));
        assert!(self.synced.load(Ordering::SeqCst) >= change, "a change is not synced");
    }
}

fn explore_changes(name: &'static str, preemptions: Preemptions, threads: usize) {
    explore(name, preemptions, threads - 1, move || {
        let disk = Arc::new(Disk {
            rounds: Rounds::new(),
            changed: AtomicUsize::new(0),
            synced: AtomicUsize::new(0),
            running: AtomicUsize::new(0),
            calls: AtomicUsize::new(0),
        });
        let others: Vec<_> = (1..threads)
            .map(|_| {
                let disk = Arc::clone(&disk);
                thread::spawn(move || disk.change_and_sync())
            })
            .collect();
        disk.change_and_sync();
        for other in others {
            other.join().unwrap();
        }
        // Of two each has a call of its own; of three, two may share one.
        usize::from(disk.calls.load(Ordering::SeqCst) < threads)
    });
}

#[test]
fn change_is_synced_by_a_call_that_begins_behind_it() {
    explore_changes("loom:rounds_2", EVERY, 2);
}

#[test]
fn changes_share_a_call() {
    explore_changes("loom:rounds_3", FEW, 3);
}

#[test]
fn stamps_are_given_once() {
    explore("loom:stamps", EVERY, 2, || {
        let stamps = Arc::new(Stamps::after(0));
        let other = thread::spawn({
            let stamps = Arc::clone(&stamps);
            move || stamps.next(0)
        });
        let (first, second) = (stamps.next(0), other.join().unwrap());
        assert_ne!(first, second);
        usize::from(first < second)
    });
}
