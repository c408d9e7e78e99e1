//! What is around the server: time, the trace, and what is on its way: [`World`].

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http_server::connection::Memory;

use super::faults::{Fault, Faults};
use super::network::{Connection, Listening};
use super::random::Random;

/// 2024-07-03, in nanoseconds since 1970: when every run begins.
pub(super) const BEGINNING: i64 = 1_720_000_000_000_000_000;

/// Everything but the server. Nobody keeps the lock over a pause.
#[derive(Clone, Debug)]
pub(super) struct World(Arc<Mutex<State>>);

#[derive(Debug)]
pub(super) struct State {
    pub(super) random: Random,
    pub(super) faults: Faults,
    /// Nanoseconds since the beginning.
    pub(super) now: u64,
    /// How far the time of day is from where it would be.
    pub(super) set_by: i64,
    /// Steps so far: the order in which everything happened.
    pub(super) step: u64,
    /// Nothing that the server does has an effect any more.
    pub(super) dead: bool,
    pub(super) listening: Vec<Listening>,
    pub(super) connections: Vec<Connection>,
    /// The disk is full.
    pub(super) full: bool,
    /// A sync has failed since the server started.
    pub(super) sync_failed: bool,
    /// And something after it, so that what a power cut leaves is anybody's guess.
    pub(super) doubtful: bool,
    /// The most that any connection owned in memory.
    pub(super) memory: Memory,
    trace: u64,
    story: Option<Vec<String>>,
}

impl World {
    pub(super) fn new(random: Random, faults: Faults, tells: bool) -> World {
        World(Arc::new(Mutex::new(State {
            random,
            faults,
            now: 0,
            set_by: 0,
            step: 0,
            dead: false,
            listening: Vec::new(),
            connections: Vec::new(),
            full: false,
            sync_failed: false,
            doubtful: false,
            memory: Memory::default(),
            trace: 0xcbf2_9ce4_8422_2325,
            story: tells.then(Vec::new),
        })))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Puts something into the trace, and where the story is told into the story.
    pub(super) fn note(&mut self, number: u64, words: impl FnOnce() -> String) {
        for number in [self.step, self.now, number] {
            self.trace = (self.trace ^ number).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23);
        }
        if let Some(story) = &mut self.story {
            let (seconds, rest) = (self.now / 1_000_000_000, self.now % 1_000_000_000 / 1000);
            story.push(format!("{:>6} {seconds:>4}.{rest:06} {}", self.step, words()));
        }
    }

    /// The same of bytes.
    pub(super) fn note_bytes(&mut self, bytes: &[u8], words: impl FnOnce() -> String) {
        let number = bytes.iter().fold(bytes.len() as u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        self.note(number, words);
    }

    /// Whether this goes wrong here.
    pub(super) fn strike(&mut self, fault: Fault) -> bool {
        self.faults.strike(fault, &mut self.random)
    }

    /// The same, `times` less often.
    pub(super) fn seldom(&mut self, fault: Fault, times: u64) -> bool {
        self.faults.seldom(fault, times, &mut self.random)
    }

    /// The time of day, in nanoseconds since 1970.
    pub(super) fn time(&self) -> i64 {
        BEGINNING + self.now.cast_signed() + self.set_by
    }

    pub(super) fn trace(&self) -> u64 {
        self.trace
    }

    pub(super) fn take_story(&mut self) -> Vec<String> {
        self.story.take().unwrap_or_default()
    }
}
