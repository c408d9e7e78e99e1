//! What is counted for whoever watches the server: [`Figures`] of one event loop and [`WorkerFigures`] of
//! one thread of a pool, each of which alone adds to its own, while anybody may read.
//!
//! Property: a figure that is read is one that it had; none is ever lost.

use crate::sync::atomic::{AtomicU64, Ordering};

// Each figure stands by itself: nothing else is read on its strength, so no order is needed.

/// One number with one writer: so adding is a load and a store, without a lock on the memory bus.
#[derive(Debug, Default)]
pub struct Figure(AtomicU64);

impl Figure {
    /// So many more. Only by the one thread that it belongs to.
    pub fn add(&self, count: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
    }

    /// One less, of what there are at the moment. Only by the one thread that it belongs to.
    pub fn remove_one(&self) {
        self.add(u64::MAX);
    }

    /// How many; by anybody.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Durations in steps.
#[derive(Debug, Default)]
pub struct Durations {
    /// How many fell into each step, the last one without end.
    pub steps: [Figure; STEPS.len() + 1],
    /// All of them together, in microseconds.
    pub sum: Figure,
}

/// Where each step ends, in microseconds: a request from memory takes a few tens, a disk's write some
/// thousands, a slow peer seconds.
pub const STEPS: [u64; 15] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    10_000_000,
];

impl Durations {
    /// One more of them.
    pub fn add(&self, microseconds: u64) {
        let step = STEPS.iter().position(|end| microseconds <= *end).unwrap_or(STEPS.len());
        if let Some(figure) = self.steps.get(step) {
            figure.add(1);
        }
        self.sum.add(microseconds);
    }
}

/// Methods that are told apart, with one place for all that were not understood.
pub const METHODS: usize = 11;
/// Every status code that there may be, from 100 on.
pub const STATUSES: usize = 500;
/// Kinds of rejections that are told apart, at most.
pub const REJECTIONS: usize = 64;

/// What one event loop counts. On cache lines of its own, so that no two of them write to the same one;
/// 128 bytes, as processors fetch lines in pairs.
#[derive(Debug)]
#[repr(align(128))]
pub struct Figures {
    answers: Box<[Figure]>,
    rejections: [Figure; REJECTIONS],
    /// From a request's first byte to its answer.
    pub durations: Durations,
    /// From the hand-over of a job to the pool to its outcome.
    pub jobs: Durations,
    /// Bytes that came from peers.
    pub received: Figure,
    /// Bytes that the network took.
    pub sent: Figure,
    /// Connections that were let in.
    pub accepted: Figure,
    /// Those of them that are closed.
    pub closed: Figure,
    /// Those that are open, and for which nothing is to be done.
    pub resting: Figure,
    /// Connections refused for the bound on all of them.
    pub refused_for_all: Figure,
    /// Connections refused for the bound on those of their address.
    pub refused_for_address: Figure,
    /// Connections refused, as there is no descriptor or no memory.
    pub refused_for_descriptors: Figure,
    /// Jobs for which there was no room in the queue.
    pub refused_jobs: Figure,
}

impl Figures {
    /// Nothing yet.
    pub fn new() -> Figures {
        Figures {
            answers: (0..METHODS * STATUSES).map(|_| Figure::default()).collect(),
            rejections: std::array::from_fn(|_| Figure::default()),
            durations: Durations::default(),
            jobs: Durations::default(),
            received: Figure::default(),
            sent: Figure::default(),
            accepted: Figure::default(),
            closed: Figure::default(),
            resting: Figure::default(),
            refused_for_all: Figure::default(),
            refused_for_address: Figure::default(),
            refused_for_descriptors: Figure::default(),
            refused_jobs: Figure::default(),
        }
    }

    /// Answers with a status to a method, which is given by its number, below [`METHODS`].
    pub fn answers(&self, method: usize, status: u16) -> Option<&Figure> {
        let status = usize::from(status).checked_sub(100).filter(|status| *status < STATUSES)?;
        self.answers.get(method * STATUSES + status)
    }

    /// Rejections of a kind, which is given by its number, below [`REJECTIONS`].
    pub fn rejections(&self, kind: usize) -> Option<&Figure> {
        self.rejections.get(kind)
    }
}

/// What one thread of a pool counts, on cache lines of its own as well.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct WorkerFigures {
    /// From the hand-over of a job to the moment at which it was taken.
    pub waits: Durations,
}

impl Default for Figures {
    fn default() -> Figures {
        Figures::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn each_duration_falls_into_the_step_that_it_does_not_exceed() {
        let durations = Durations::default();
        for microseconds in [0, 50, 51, 10_000_000, 10_000_001, u64::from(u32::MAX)] {
            durations.add(microseconds);
        }
        let counts: Vec<u64> = durations.steps.iter().map(Figure::get).collect();
        assert_eq!((counts[0], counts[1], counts[14], counts[15]), (2, 1, 1, 2));
        assert_eq!(counts.iter().sum::<u64>(), 6);
        assert_eq!(durations.sum.get(), 50 + 51 + 20_000_001 + u64::from(u32::MAX));
    }

    #[test]
    fn each_method_and_status_has_its_place() {
        let figures = Figures::new();
        for method in 0..METHODS {
            for status in [100, 200, 404, 599] {
                figures.answers(method, status).unwrap().add(u64::from(status) + method as u64);
            }
        }
        for method in 0..METHODS {
            for status in [100, 200, 404, 599] {
                assert_eq!(figures.answers(method, status).unwrap().get(), u64::from(status) + method as u64);
            }
        }
        assert!(figures.answers(METHODS, 100).is_none() && figures.answers(METHODS - 1, 600).is_none());
        assert!(figures.answers(0, 99).is_none() && figures.rejections(REJECTIONS).is_none());
    }

    #[test]
    fn what_is_there_at_the_moment_goes_up_and_down() {
        let figure = Figure::default();
        figure.add(2);
        figure.remove_one();
        assert_eq!(figure.get(), 1);
    }
}
