//! The counts of each address: never beyond the bound, and nothing remembered of who has left.

use std::net::IpAddr;

use crate::shared::addresses::AddressCounts;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::schedules::{EVERY, explore};
use crate::sync::{Arc, thread};

#[test]
fn address_never_exceeds_its_bound_and_is_forgotten() {
    explore("loom:address_counts", EVERY, 2, || {
        let [one, other] = [1, 2].map(|bits: u32| IpAddr::V4(bits.into()));
        let shared = Arc::new((AddressCounts::new(1), AtomicUsize::new(0)));
        let enter = move |shared: &(AddressCounts, AtomicUsize)| {
            let entered = shared.0.try_enter(one);
            if entered {
                assert_eq!(shared.1.fetch_add(1, Ordering::Relaxed), 0, "two of one address are in");
                shared.1.fetch_sub(1, Ordering::Relaxed);
                shared.0.leave(one);
            }
            entered
        };
        let threads = [(); 2].map(|()| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || enter(&shared))
        });
        assert!(shared.0.try_enter(other), "one address takes the place of another");
        shared.0.leave(other);
        let entered = threads.map(|thread| thread.join().unwrap());
        assert!(entered.contains(&true), "nobody was let in");
        assert_eq!(shared.0.remembered(), 0);
        usize::from(entered == [true; 2])
    });
}
