//! What is kept for a while: the sweeper misses nothing, and only what stays is given back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize as Count, Ordering};

use crate::shared::kept::Kept;
use crate::sync::schedules::{EVERY, FEW, explore};
use crate::sync::thread;

/// Tells when it is let go of.
struct Told(Arc<Count>);

impl Drop for Told {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

// A lost wake shows as a deadlock. The second comes before the first is swept, or behind it.
#[test]
fn what_is_kept_is_swept() {
    explore("loom:kept_swept", FEW, 2, || {
        let kept = Arc::new(Kept::new(64));
        let values = Arc::new([Arc::new(1), Arc::new(2)]);
        let keeper = thread::spawn({
            let (kept, values) = (Arc::clone(&kept), Arc::clone(&values));
            move || [0, 1].map(|at| kept.keep(at as u64, &values[at]))
        });
        let sweep = || {
            assert!(kept.wait());
            kept.sweep();
        };
        sweep();
        let both = kept.find(0).is_some() && kept.find(1).is_some();
        keeper.join().unwrap();
        while values.iter().any(|value| Arc::strong_count(value) > 1) {
            sweep();
        }
        usize::from(both)
    });
}

#[test]
fn what_is_given_back_is_not_the_last() {
    explore("loom:kept_given_back", EVERY, 2, || {
        let (kept, gone) = (Arc::new(Kept::new(64)), Arc::new(Count::new(0)));
        let value = Arc::new(Told(Arc::clone(&gone)));
        kept.keep(1, &value);
        let sweeper = thread::spawn({
            let kept = Arc::clone(&kept);
            move || [(); 2].map(|()| kept.sweep())
        });
        let refused = kept.give_back(1, value).err();
        sweeper.join().unwrap();
        // The sweeper let go of it, or who was refused still has it.
        assert_eq!(gone.load(Ordering::Relaxed), usize::from(refused.is_none()));
        usize::from(refused.is_some())
    });
}

#[test]
fn closing_ends_the_sweeper() {
    explore("loom:kept_closed", FEW, 2, || {
        let kept = Arc::new(Kept::new(64));
        let keeper = thread::spawn({
            let kept = Arc::clone(&kept);
            move || kept.keep(1, &Arc::new(1))
        });
        let closer = thread::spawn({
            let kept = Arc::clone(&kept);
            move || kept.close()
        });
        let mut sweeps = 0;
        while kept.wait() {
            kept.sweep();
            sweeps += 1;
        }
        keeper.join().unwrap();
        closer.join().unwrap();
        usize::from(sweeps > 0)
    });
}
