//! The counters: never beyond the bound, nobody turned away below it, nothing uncounted.

use crate::shared::counters::{BoundedCount, Tally};
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::schedules::{EVERY, FEW, explore};
use crate::sync::{Arc, thread};

#[test]
fn count_never_exceeds_its_bound() {
    explore("loom:bounded_count", FEW, 2, || {
        let shared = Arc::new((BoundedCount::new(2), AtomicUsize::new(0)));
        let enter = |shared: &(BoundedCount, AtomicUsize)| {
            let entered = shared.0.try_enter();
            if entered {
                assert!(shared.1.fetch_add(1, Ordering::Relaxed) < 2, "three are in");
                shared.1.fetch_sub(1, Ordering::Relaxed);
                shared.0.leave();
            }
            entered
        };
        let others = [(); 2].map(|()| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || enter(&shared))
        });
        let first = enter(&shared);
        let others = others.map(|other| other.join().unwrap());
        assert_eq!(shared.0.count(), 0);
        usize::from(first && others == [true; 2])
    });
}

#[test]
fn nobody_is_turned_away_below_the_bound() {
    explore("loom:bounded_count_refusal", EVERY, 3, || {
        let count = Arc::new(BoundedCount::new(1));
        let other = thread::spawn({
            let count = Arc::clone(&count);
            move || count.try_enter()
        });
        let first = count.try_enter();
        if first {
            count.leave();
        }
        let second = count.try_enter();
        match (first, other.join().unwrap(), second) {
            (true, false, true) => 0,
            (true, true, false) => 1,
            (false, true, false) => 2,
            other => panic!("there was room: {other:?}"),
        }
    });
}

#[test]
fn tally_reports_each_once() {
    explore("loom:tally", EVERY, 3, || {
        let tally = Arc::new(Tally::new());
        let others = [(); 2].map(|()| {
            let tally = Arc::clone(&tally);
            thread::spawn(move || tally.add(1))
        });
        let early = tally.take();
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(early + tally.take(), 2);
        usize::try_from(early).unwrap()
    });
}
