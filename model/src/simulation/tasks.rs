//! Threads of the server as coroutines of one thread: [`Tasks`]. One runs until it pauses, and the
//! scheduler chooses who is next.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use generator::{Generator, Gn};
use http_server::sync::turns;

use super::random::Random;

/// Why a task lets others run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pause {
    /// Others may come first.
    Step,
    /// It waits for a lock or for work: until somebody else has done something.
    Blocked,
    /// It sleeps until then, in nanoseconds.
    Until(u64),
    /// It waits for events of this event loop, or until then.
    Events(usize, Option<u64>),
    /// It is over.
    Over,
}

/// Words of its stack, of which only those are in memory that it touches.
const STACK_WORDS: usize = 48 * 1024;

struct Task {
    name: &'static str,
    generator: Generator<'static, (), Pause>,
    pause: Pause,
    /// What had been done when it was last blocked.
    blocked_at: u64,
    /// How likely it is to be chosen, beside others.
    weight: u64,
}

/// Everything that would be a thread.
#[derive(Default)]
pub(super) struct Tasks {
    tasks: Vec<Task>,
    /// Steps that any of them made without being blocked.
    done: u64,
    /// How often they were roused since.
    roused: u32,
    /// What the first one said that panicked.
    pub(super) panic: Option<String>,
}

/// Lets others run. To be called from a task only.
#[expect(
    deprecated,
    reason = "the way without a handle, from below a trait that knows of none; loom's way, too"
)]
pub(super) fn pause(pause: Pause) {
    generator::yield_with(pause);
}

impl Tasks {
    /// Adds one that runs `body`.
    pub(super) fn spawn(&mut self, name: &'static str, weight: u64, body: impl FnOnce() + Send + 'static) {
        let generator = Gn::<()>::new_opt(STACK_WORDS, move || {
            body();
            Pause::Over
        });
        self.tasks.push(Task { name, generator, pause: Pause::Step, blocked_at: 0, weight });
    }

    /// The tasks that can go on, each with its weight.
    pub(super) fn runnable(&self, now: u64, has_events: impl Fn(usize) -> bool) -> Vec<(usize, u64)> {
        let able = |task: &Task| match task.pause {
            Pause::Step => true,
            Pause::Blocked => task.blocked_at != self.done,
            Pause::Until(until) => until <= now,
            Pause::Events(event_loop, until) => {
                has_events(event_loop) || until.is_some_and(|until| until <= now)
            }
            Pause::Over => false,
        };
        let tasks = self.tasks.iter().enumerate();
        tasks.filter(|(_, task)| able(task)).map(|(number, task)| (number, task.weight)).collect()
    }

    /// When the first of those that wait for a time can go on.
    pub(super) fn next_time(&self) -> Option<u64> {
        let time = |task: &Task| match task.pause {
            Pause::Until(until) | Pause::Events(_, Some(until)) => Some(until),
            _ => None,
        };
        self.tasks.iter().filter_map(time).min()
    }

    /// Lets one go on until it pauses; its name, and why it paused.
    pub(super) fn step(&mut self, number: usize) -> (&'static str, Pause) {
        let task = &mut self.tasks[number];
        let blocked = task.pause == Pause::Blocked;
        turns::set(Some(|| pause(Pause::Blocked)));
        let result = catch_unwind(AssertUnwindSafe(|| task.generator.resume()));
        turns::set(None);
        task.pause = match result {
            Ok(pause) => pause.unwrap_or(Pause::Over),
            Err(panic) => {
                self.panic.get_or_insert_with(|| said(&*panic));
                Pause::Over
            }
        };
        // One that is blocked once more may all the same have done something: see `rouse`.
        let (name, pause) = (task.name, task.pause);
        if !blocked || pause != Pause::Blocked {
            self.stir();
        }
        if pause == Pause::Blocked {
            self.tasks[number].blocked_at = self.done;
        }
        (name, pause)
    }

    /// Something has happened: whoever is blocked looks again.
    pub(super) fn stir(&mut self) {
        self.done += 1;
        self.roused = 0;
    }

    /// Nothing seems to happen: whoever is blocked looks again all the same, a few times; whether it
    /// is worth it.
    pub(super) fn rouse(&mut self) -> bool {
        const ROUNDS: u32 = 3;
        self.done += 1;
        self.roused += 1;
        self.roused <= ROUNDS
    }

    /// Whether none is left.
    pub(super) fn are_over(&self) -> bool {
        self.tasks.iter().all(|task| task.pause == Pause::Over)
    }

    /// What those are at that are left.
    pub(super) fn left(&self) -> String {
        let left = self.tasks.iter().filter(|task| task.pause != Pause::Over);
        left.map(|task| format!("{} {:?}", task.name, task.pause)).collect::<Vec<_>>().join(", ")
    }

    /// Lets all go on until none is left, sleeping or not; whether they came to their end.
    pub(super) fn run_out(&mut self, steps_max: usize, random: &mut Random) -> bool {
        for _ in 0..steps_max {
            let left: Vec<usize> =
                (0..self.tasks.len()).filter(|task| self.tasks[*task].pause != Pause::Over).collect();
            if left.is_empty() {
                self.tasks.clear();
                return true;
            }
            self.step(*random.pick(&left));
        }
        // Their stacks cannot be unwound: what holds them would have to be asked first.
        self.tasks.drain(..).filter(|task| task.pause != Pause::Over).for_each(std::mem::forget);
        false
    }
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic".to_owned())
}
