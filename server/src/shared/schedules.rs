//! Every schedule of two or three threads on what they share, under loom.
//!
//! Each test counts its executions and has a floor for them: a schedule that is no longer explored
//! is a failure. Run with `RUSTFLAGS="--cfg loom"`; `tests/loom.rs` does so.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::addresses::AddressCounts;
use super::counters::BoundedCount;
use super::mailbox::Mailbox;
use super::path_locks::PathLocks;
use super::queue::{Queue, Refused};
use crate::sync::{Arc, Condvar, Mutex, atomic, thread};

/// Explores every schedule of `model` with at most so many preemptions (`None`: any number), and
/// prints a ledger line.
fn explore(name: &str, preemptions: Option<usize>, floor: usize, model: impl Fn() + Sync + Send + 'static) {
    for variable in ["LOOM_MAX_PERMUTATIONS", "LOOM_MAX_DURATION", "LOOM_MAX_PREEMPTIONS"] {
        assert!(std::env::var_os(variable).is_none(), "{variable} would end the search early");
    }
    // Of std, so that counting is no step of the schedule.
    let count = std::sync::Arc::new(AtomicUsize::new(0));
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = preemptions;
    builder.check({
        let count = std::sync::Arc::clone(&count);
        move || {
            count.fetch_add(1, Ordering::SeqCst);
            model();
        }
    });
    let executions = count.load(Ordering::SeqCst);
    println!("loom:{name} executions={executions} floor={floor}");
    assert!(executions >= floor, "{name}: {executions} executions are fewer than {floor}");
}

fn popped(queue: &Queue<u8>) -> Vec<u8> {
    std::iter::from_fn(|| queue.pop()).collect()
}

#[test]
fn pushed_items_are_popped_once_in_order() {
    explore("queue_1p_1c", None, 220, || {
        let queue = Arc::new(Queue::new());
        let consumer = thread::spawn({
            let queue = Arc::clone(&queue);
            move || popped(&queue)
        });
        assert_eq!(queue.try_push(1, 2), Ok(()));
        assert_eq!(queue.try_push(2, 2).err().map(|_| ()), None);
        queue.close();
        assert_eq!(consumer.join().unwrap(), [1, 2]);
    });
}

#[test]
fn full_queue_refuses_and_loses_nothing() {
    explore("queue_full", None, 150, || {
        let queue = Arc::new(Queue::new());
        let consumer = thread::spawn({
            let queue = Arc::clone(&queue);
            move || popped(&queue)
        });
        let refused = [1, 2].map(|item| queue.try_push(item, 1).err());
        queue.close();
        let expected = match refused {
            [None, None] => vec![1, 2],
            [None, Some(Refused::Full(2))] => vec![1],
            other => panic!("{other:?}"),
        };
        assert_eq!(consumer.join().unwrap(), expected);
    });
}

#[test]
fn closing_wakes_every_consumer() {
    explore("queue_close_2c", None, 550, || {
        let queue = Arc::new(Queue::<u8>::new());
        let consumers = [(); 2].map(|()| {
            let queue = Arc::clone(&queue);
            thread::spawn(move || popped(&queue))
        });
        queue.close();
        for consumer in consumers {
            assert!(consumer.join().unwrap().is_empty());
        }
    });
}

#[test]
fn one_item_reaches_one_of_two_consumers() {
    explore("queue_1p_2c", None, 43000, || {
        let queue = Arc::new(Queue::new());
        let consumers = [(); 2].map(|()| {
            let queue = Arc::clone(&queue);
            thread::spawn(move || popped(&queue))
        });
        assert_eq!(queue.try_push(1, 1), Ok(()));
        queue.close();
        let all: Vec<u8> = consumers.into_iter().flat_map(|consumer| consumer.join().unwrap()).collect();
        assert_eq!(all, [1]);
    });
}

#[test]
fn two_items_keep_two_consumers_busy() {
    explore("queue_1p_2c_2i", Some(3), 3400, || {
        let queue = Arc::new(Queue::new());
        let consumers = [(); 2].map(|()| {
            let queue = Arc::clone(&queue);
            thread::spawn(move || popped(&queue))
        });
        assert_eq!([queue.try_push(1, 2), queue.try_push(2, 2)], [Ok(()), Ok(())]);
        queue.close();
        let mut all: Vec<u8> = consumers.into_iter().flat_map(|consumer| consumer.join().unwrap()).collect();
        all.sort_unstable();
        assert_eq!(all, [1, 2]);
    });
}

#[test]
fn push_against_close_is_refused_or_popped() {
    explore("queue_push_close", None, 850, || {
        let queue = Arc::new(Queue::new());
        let consumer = thread::spawn({
            let queue = Arc::clone(&queue);
            move || popped(&queue)
        });
        let producer = thread::spawn({
            let queue = Arc::clone(&queue);
            move || queue.try_push(1, 1)
        });
        queue.close();
        let expected: &[u8] = match producer.join().unwrap() {
            Ok(()) => &[1],
            Err(Refused::Closed(1)) => &[],
            other => panic!("{other:?}"),
        };
        assert_eq!(consumer.join().unwrap(), expected);
    });
}

/// What the wake of an event loop is: a count that is added to, and waited for.
#[derive(Default)]
struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Bell {
    fn ring(&self) {
        *self.rung.lock().unwrap() = true;
        self.changed.notify_one();
    }

    /// Waits for a ring; several count as one, as with an eventfd.
    fn wait(&self) {
        let mut rung = self.rung.lock().unwrap();
        while !*rung {
            rung = self.changed.wait(rung).unwrap();
        }
        *rung = false;
    }
}

fn post(mailbox: &Mailbox<u8>, bell: &Bell, item: u8) {
    if mailbox.post(item) {
        bell.ring();
    }
}

/// Takes `count` items as an event loop does: wait, take, and only then wait again.
fn take(mailbox: &Mailbox<u8>, bell: &Bell, count: usize) -> Vec<u8> {
    let mut all = Vec::new();
    let mut batch = Vec::new();
    while all.len() < count {
        bell.wait();
        mailbox.take(&mut batch);
        all.append(&mut batch);
    }
    all
}

#[test]
fn posted_outcome_is_never_missed() {
    explore("mailbox_1p", None, 70, || {
        let shared = Arc::new((Mailbox::new(), Bell::default()));
        let poster = thread::spawn({
            let shared = Arc::clone(&shared);
            move || [1, 2].map(|item| post(&shared.0, &shared.1, item))
        });
        assert_eq!(take(&shared.0, &shared.1, 2), [1, 2]);
        poster.join().unwrap();
    });
}

#[test]
fn two_posters_share_one_wake_and_lose_nothing() {
    explore("mailbox_2p", None, 7500, || {
        let shared = Arc::new((Mailbox::new(), Bell::default()));
        let posters = [1, 2].map(|item| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || post(&shared.0, &shared.1, item))
        });
        let mut all = take(&shared.0, &shared.1, 2);
        all.sort_unstable();
        assert_eq!(all, [1, 2]);
        posters.map(|poster| poster.join().unwrap());
    });
}

#[test]
fn accepted_job_is_answered_through_the_shutdown() {
    explore("shutdown", None, 9500, || {
        let queue = Arc::new(Queue::new());
        let shared = Arc::new((Mailbox::new(), Bell::default()));
        let worker = thread::spawn({
            let (queue, shared) = (Arc::clone(&queue), Arc::clone(&shared));
            move || {
                while let Some(job) = queue.pop() {
                    post(&shared.0, &shared.1, job);
                }
            }
        });
        let closer = thread::spawn({
            let queue = Arc::clone(&queue);
            move || queue.close()
        });
        if queue.try_push(1, 1).is_ok() {
            assert_eq!(take(&shared.0, &shared.1, 1), [1]);
        }
        closer.join().unwrap();
        worker.join().unwrap();
    });
}

#[test]
fn panicking_job_loses_no_worker() {
    explore("panicking_job", None, 4500, || {
        let queue = Arc::new(Queue::new());
        let shared = Arc::new((Mailbox::new(), Bell::default()));
        let worker = thread::spawn({
            let (queue, shared) = (Arc::clone(&queue), Arc::clone(&shared));
            move || {
                while let Some(job) = queue.pop() {
                    // `resume_unwind` panics without a report on stderr for each execution.
                    let result = catch_unwind(AssertUnwindSafe(|| match job {
                        1 => std::panic::resume_unwind(Box::new(())),
                        job => job,
                    }));
                    post(&shared.0, &shared.1, result.unwrap_or(0));
                }
            }
        });
        assert_eq!([queue.try_push(1, 2), queue.try_push(2, 2)], [Ok(()), Ok(())]);
        assert_eq!(take(&shared.0, &shared.1, 2), [0, 2]);
        queue.close();
        worker.join().unwrap();
    });
}

#[test]
fn writer_of_a_path_excludes_everybody() {
    explore("path_locks", None, 1100, || {
        let locks = Arc::new((PathLocks::new(), atomic::AtomicUsize::new(0)));
        let writers = [(); 2].map(|()| {
            let locks = Arc::clone(&locks);
            thread::spawn(move || {
                let _namespace = locks.0.share_namespace();
                let _path = locks.0.write(b"a");
                let value = locks.1.load(Ordering::Relaxed);
                locks.1.store(value + 1, Ordering::Relaxed);
                locks.1.store(value + 2, Ordering::Relaxed);
            })
        });
        if let Some(_reading) = locks.0.try_read(b"a") {
            assert_eq!(locks.1.load(Ordering::Relaxed) % 2, 0, "half a write is seen");
        }
        writers.map(|writer| writer.join().unwrap());
        assert_eq!(locks.1.load(Ordering::Relaxed), 4, "a write is lost");
    });
}

#[test]
fn removal_of_a_directory_excludes_making_in_it() {
    explore("namespace", None, 6, || {
        // Whether the directory is there, and what is in it.
        let tree = Arc::new((PathLocks::new(), atomic::AtomicBool::new(true), atomic::AtomicUsize::new(0)));
        let maker = thread::spawn({
            let tree = Arc::clone(&tree);
            move || {
                let _namespace = tree.0.share_namespace();
                let _path = tree.0.write(b"d/a");
                let made = tree.1.load(Ordering::Relaxed);
                if made {
                    tree.2.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        {
            let _namespace = tree.0.own_namespace();
            let _path = tree.0.write(b"d");
            if tree.2.load(Ordering::Relaxed) == 0 {
                tree.1.store(false, Ordering::Relaxed);
            }
        }
        maker.join().unwrap();
        let (there, entries) = (tree.1.load(Ordering::Relaxed), tree.2.load(Ordering::Relaxed));
        assert!(there || entries == 0, "something was made in a directory that is gone");
    });
}

#[test]
fn count_never_exceeds_its_bound() {
    explore("bounded_count", None, 25, || {
        let count = Arc::new((BoundedCount::new(1), atomic::AtomicUsize::new(0)));
        let enter = |count: &(BoundedCount, atomic::AtomicUsize)| {
            if count.0.try_enter() {
                assert_eq!(count.1.fetch_add(1, Ordering::Relaxed), 0, "two are in");
                count.1.fetch_sub(1, Ordering::Relaxed);
                count.0.leave();
            }
        };
        let other = thread::spawn({
            let count = Arc::clone(&count);
            move || enter(&count)
        });
        enter(&count);
        other.join().unwrap();
        assert_eq!(count.0.count(), 0);
    });
}

#[test]
fn address_never_exceeds_its_bound_and_is_forgotten() {
    explore("address_counts", None, 3400, || {
        let [one, other] = [1, 2].map(|bits: u32| std::net::IpAddr::V4(bits.into()));
        let shared = Arc::new((AddressCounts::new(1), atomic::AtomicUsize::new(0)));
        let enter = move |shared: &(AddressCounts, atomic::AtomicUsize)| {
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
        assert!(threads.map(|thread| thread.join().unwrap()).contains(&true), "nobody was let in");
        assert_eq!(shared.0.remembered(), 0);
    });
}
