//! The queue: nothing lost, nothing doubled, nobody left asleep.

use crate::shared::queue::{Queue, Refused};
use crate::sync::schedules::{EVERY, FEW, explore};
use crate::sync::{Arc, thread};

/// Runs `body` in a thread of its own.
fn spawn<R: 'static>(
    queue: &Arc<Queue<u8>>,
    body: impl FnOnce(&Queue<u8>) -> R + 'static,
) -> thread::JoinHandle<R> {
    let queue = Arc::clone(queue);
    thread::spawn(move || body(&queue))
}

/// All items until the queue is closed and empty.
fn drain(queue: &Queue<u8>) -> Vec<u8> {
    std::iter::from_fn(|| queue.pop()).collect()
}

/// Pushes, where there has to be room.
fn push(queue: &Queue<u8>, item: u8) {
    assert_eq!(queue.try_push(item, 3), Ok(()));
}

/// Which of two consumers got which of two items.
fn which_got_which(consumers: [thread::JoinHandle<Option<u8>>; 2]) -> usize {
    match consumers.map(|consumer| consumer.join().unwrap()) {
        [Some(1), Some(2)] => 0,
        [Some(2), Some(1)] => 1,
        other => panic!("{other:?}"),
    }
}

#[test]
fn pushed_items_are_popped_once_in_order() {
    explore("loom:queue_1p_1c", EVERY, 1, || {
        let queue = Arc::new(Queue::new());
        let consumer = spawn(&queue, drain);
        push(&queue, 1);
        push(&queue, 2);
        queue.close();
        assert_eq!(consumer.join().unwrap(), [1, 2]);
        0
    });
}

#[test]
fn full_queue_refuses_and_loses_nothing() {
    explore("loom:queue_full", EVERY, 2, || {
        let queue = Arc::new(Queue::new());
        let consumer = spawn(&queue, drain);
        let refused = [1, 2].map(|item| queue.try_push(item, 1).err());
        queue.close();
        let popped = consumer.join().unwrap();
        match (refused, &popped[..]) {
            ([None, None], [1, 2]) => 0,
            ([None, Some(Refused::Full(2))], [1]) => 1,
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn producers_share_one_bound() {
    explore("loom:queue_2p_full", EVERY, 2, || {
        let queue = Arc::new(Queue::new());
        let producers = [1, 2].map(|item| spawn(&queue, move |queue| queue.try_push(item, 1)));
        let pushed = producers.map(|producer| producer.join().unwrap());
        match (pushed, queue.waiting(), queue.pop()) {
            ([Ok(()), Err(Refused::Full(2))], 1, Some(1)) => 0,
            ([Err(Refused::Full(1)), Ok(())], 1, Some(2)) => 1,
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn one_item_reaches_one_of_two_consumers() {
    explore("loom:queue_1p_2c", EVERY, 2, || {
        let queue = Arc::new(Queue::new());
        let consumers = [(); 2].map(|()| spawn(&queue, drain));
        push(&queue, 1);
        queue.close();
        let popped = consumers.map(|consumer| consumer.join().unwrap());
        match popped.each_ref().map(Vec::as_slice) {
            [[1], []] => 0,
            [[], [1]] => 1,
            other => panic!("{other:?}"),
        }
    });
}

// Nothing is closed here: only the pushes can wake, and each has to wake another consumer.
#[test]
fn every_item_wakes_a_sleeper() {
    explore("loom:queue_1p_2c_2i", EVERY, 2, || {
        let queue = Arc::new(Queue::new());
        let consumers = [(); 2].map(|()| spawn(&queue, Queue::pop));
        push(&queue, 1);
        push(&queue, 2);
        which_got_which(consumers)
    });
}

// A consumer that was awake takes what another was woken for; the next item wakes again.
#[test]
fn item_whose_predecessor_was_taken_by_another_wakes_again() {
    explore("loom:queue_stolen_wake", EVERY, 3, || {
        let queue = Arc::new(Queue::new());
        let consumer = spawn(&queue, Queue::pop);
        push(&queue, 1);
        let thief = spawn(&queue, |queue| {
            let stolen = queue.pop();
            push(queue, 3);
            stolen
        });
        push(&queue, 2);
        match (consumer.join().unwrap(), thief.join().unwrap(), queue.pop()) {
            (Some(1), Some(2), Some(3)) => 0,
            (Some(2), Some(1), Some(3)) => 1,
            (Some(3), Some(1), Some(2)) => 2,
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn two_producers_and_two_consumers_lose_and_double_nothing() {
    explore("loom:queue_2p_2c", FEW, 2, || {
        let queue = Arc::new(Queue::new());
        let producer = spawn(&queue, |queue| push(queue, 1));
        let consumers = [(); 2].map(|()| spawn(&queue, Queue::pop));
        push(&queue, 2);
        producer.join().unwrap();
        which_got_which(consumers)
    });
}

#[test]
fn closing_wakes_every_consumer() {
    explore("loom:queue_close_2c", EVERY, 1, || {
        let queue = Arc::new(Queue::new());
        let consumers = [(); 2].map(|()| spawn(&queue, Queue::pop));
        queue.close();
        assert_eq!(consumers.map(|consumer| consumer.join().unwrap()), [None, None]);
        0
    });
}

#[test]
fn push_against_close_is_refused_or_popped() {
    explore("loom:queue_push_close", EVERY, 2, || {
        let queue = Arc::new(Queue::new());
        let consumer = spawn(&queue, drain);
        let producer = spawn(&queue, |queue| queue.try_push(1, 1));
        queue.close();
        match (producer.join().unwrap(), &consumer.join().unwrap()[..]) {
            (Ok(()), [1]) => 0,
            (Err(Refused::Closed(1)), []) => 1,
            other => panic!("{other:?}"),
        }
    });
}
