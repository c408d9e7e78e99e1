//! Guesses that come at once: each counts, and no more are looked at than are free.

use crate::shared::attempts::{Attempts, FREE};
use crate::sync::schedules::{EVERY, explore};
use crate::sync::{Arc, thread};

#[test]
fn guesses_at_once_are_all_counted() {
    explore("loom:attempts", EVERY, 2, || {
        let attempts = Arc::new(Attempts::new());
        for _ in 1..FREE {
            assert_eq!(attempts.begin(1, 100), Ok(()));
        }
        // One guess is free, and two come.
        let threads = [(); 2].map(|()| {
            let attempts = Arc::clone(&attempts);
            thread::spawn(move || attempts.begin(1, 100).is_ok())
        });
        let other = attempts.begin(2, 100);
        assert_eq!(other, Ok(()), "one is held responsible for another");
        let looked_at = threads.map(|thread| thread.join().unwrap());
        assert_eq!(looked_at.iter().filter(|looked_at| **looked_at).count(), 1, "a guess went uncounted");
        assert_eq!(attempts.wait(1, 100), 1);
        usize::from(looked_at[0])
    });
}
