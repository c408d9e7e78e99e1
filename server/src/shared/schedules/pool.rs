//! Queue, worker and mailbox together: the way of a job, through shutdown and panic.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::mailbox::Post;
use crate::shared::queue::{Queue, Refused};
use crate::sync::schedules::{EVERY, FEW, explore};
use crate::sync::{Arc, thread};

/// The job that panics, and what is posted for it.
const BAD: u8 = 1;
const BROKEN: u8 = 0;

/// A thread of the pool: a job that panics costs an outcome and no worker.
fn worker(queue: &Arc<Queue<u8>>, post: &Arc<Post>) -> thread::JoinHandle<()> {
    let (queue, post) = (Arc::clone(queue), Arc::clone(post));
    thread::spawn(move || {
        while let Some(job) = queue.pop() {
            // `resume_unwind` panics without a report on stderr for each execution.
            let result = catch_unwind(AssertUnwindSafe(|| match job {
                BAD => resume_unwind(Box::new(())),
                job => job,
            }));
            post.post(result.unwrap_or(BROKEN));
        }
    })
}

#[test]
fn accepted_job_is_answered_through_the_shutdown() {
    explore("loom:shutdown", EVERY, 2, || {
        let (queue, post) = (Arc::new(Queue::new()), Post::new());
        let worker = worker(&queue, &post);
        let closer = thread::spawn({
            let queue = Arc::clone(&queue);
            move || queue.close()
        });
        let outcome = match queue.try_push(2, 1) {
            Ok(()) => {
                assert_eq!(post.take(1), [2]);
                0
            }
            Err(refused) => {
                assert_eq!(refused, Refused::Closed(2));
                1
            }
        };
        closer.join().unwrap();
        worker.join().unwrap();
        outcome
    });
}

#[test]
fn two_workers_answer_what_waits_when_the_queue_closes() {
    explore("loom:shutdown_2w", FEW, 2, || {
        let (queue, post) = (Arc::new(Queue::new()), Post::new());
        let workers = [(); 2].map(|()| worker(&queue, &post));
        assert_eq!([2, 3].map(|job| queue.try_push(job, 2)), [Ok(()), Ok(())]);
        queue.close();
        let mut outcomes = post.take(2);
        for worker in workers {
            worker.join().unwrap();
        }
        outcomes.sort_unstable();
        assert_eq!(outcomes, [2, 3]);
        post.batches() - 1
    });
}

#[test]
fn panicking_job_loses_no_worker() {
    explore("loom:panicking_job", EVERY, 2, || {
        let (queue, post) = (Arc::new(Queue::new()), Post::new());
        let worker = worker(&queue, &post);
        assert_eq!([BAD, 2].map(|job| queue.try_push(job, 2)), [Ok(()), Ok(())]);
        assert_eq!(post.take(2), [BROKEN, 2]);
        queue.close();
        worker.join().unwrap();
        post.batches() - 1
    });
}
