//! Every schedule of two or three clients that ask one store at once, under loom: [`explore_store`].
//!
//! Goal: each request takes effect at one point between its call and its return. Method: the real store
//! stands on the simulated directory, each call of which is a step of its own; what the clients hear,
//! and what is there behind them, has to be what the reference says in some order that time allows.
//! Where it is to be durable, so has what a power cut leaves at the moment of each answer.
//! Run with `RUSTFLAGS="--cfg loom"`, as `tests/loom.rs` does; `tests/floors.txt` is the list.

mod appends;
mod directories;
mod durable;
mod files;
mod power_cut;
mod servers;
mod wire;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use http_server::store::{Durability, Store};
use http_server::sync::schedules::{Preemptions, explore};
use http_server::sync::thread;

use crate::alphabet::Request;
use crate::driven::{Judge, Style, perform};
use crate::linearize::{self, Call, Outcome, Verdict};
use crate::reference::{Answer, Method};
use crate::simulated::{Image, Simulated};
use power_cut::Moment;

/// The store's clock, which stands still.
const TIME: i64 = 1_000_000_000_000_000_000;
/// Bytes of a client's stack: loom's own choice is too little for a store.
const STACK_BYTES: usize = 256 * 1024;
/// More steps than any search takes for so few requests.
const SEARCH_STEPS_MAX: u64 = 10_000;

/// Who asks what, in the words of [`Request`]. Tags are counted from 1, as they are first seen.
struct Story {
    durability: Durability,
    style: Style,
    /// The file system can only rename.
    no_exchange: bool,
    /// One after the other, by nobody in particular.
    before: &'static [&'static str],
    /// At once, each one after the other.
    clients: &'static [&'static [&'static str]],
    /// When all have heard.
    after: &'static [&'static str],
    /// What the clients may hear: the statuses of one client and the next, with a length where something
    /// was read. Each has to be heard in some schedule, and nothing else in any.
    heard: &'static [&'static str],
}

/// What most stories have in common.
const PLAIN: Story = Story {
    durability: Durability::Cache,
    style: Style::Whole,
    no_exchange: false,
    before: &[],
    clients: &[],
    after: &[],
    heard: &[],
};

/// Explores the schedules of a story.
fn explore_store(name: &'static str, preemptions: Preemptions, story: &'static Story) {
    explore(name, preemptions, story.heard.len(), move || {
        let play = thread::Builder::new().stack_size(STACK_BYTES).spawn(move || play(story));
        play.unwrap().join().unwrap()
    });
}

/// One schedule: which of what may be heard was heard.
fn play(story: &'static Story) -> usize {
    let stage = Arc::new(Stage::new(story));
    stage.ask_all(usize::MAX, story.before, story.style);
    let others: Vec<_> = (1..story.clients.len())
        .map(|client| {
            let stage = Arc::clone(&stage);
            let ask = move || stage.ask_all(client, story.clients[client], story.style);
            thread::Builder::new().stack_size(STACK_BYTES).spawn(ask).unwrap()
        })
        .collect();
    let mut heard = vec![stage.ask_all(0, story.clients[0], story.style)];
    heard.extend(others.into_iter().map(|other| other.join().unwrap()));
    stage.ask_all(usize::MAX, story.after, story.style);
    stage.check();
    let heard = heard.join(" | ");
    let place = story.heard.iter().position(|may_be| *may_be == heard);
    place.unwrap_or_else(|| panic!("{heard:?} is none of {:?}", story.heard))
}

/// A store, and what was asked of it. Locks and counts are of std, so that they are no steps.
struct Stage {
    directory: Simulated,
    store: Store<Simulated>,
    durability: Durability,
    time: AtomicU64,
    record: Mutex<Record>,
}

#[derive(Default)]
struct Record {
    calls: Vec<Call>,
    judge: Judge,
    /// Those at which somebody heard of what is to survive a power cut.
    moments: Vec<Moment>,
}

impl Stage {
    fn new(story: &Story) -> Stage {
        let directory = Simulated::new(&Image::empty(), TIME, story.no_exchange);
        let store = Store::new(directory.clone(), story.durability);
        Stage {
            directory,
            store,
            durability: story.durability,
            time: AtomicU64::new(0),
            record: Mutex::default(),
        }
    }

    fn ask_all(&self, client: usize, lines: &[&str], style: Style) -> String {
        let heard = lines.iter().map(|line| self.ask(client, line, style));
        heard.collect::<Vec<_>>().join(" ")
    }

    /// Asks, and takes note of the answer. Its status, and the length of what was read.
    fn ask(&self, client: usize, line: &str, style: Style) -> String {
        let request: Request = line.parse().unwrap();
        let (number, condition) = {
            let mut record = self.record();
            let (request, outcome) = (request.clone(), Outcome::Unknown { until: u64::MAX });
            let condition = record.judge.condition(&request);
            record.calls.push(Call { client, request, invoked: self.now(), outcome });
            (record.calls.len() - 1, condition)
        };
        let answered = perform(&self.store, &request, condition, style).unwrap();
        let mut record = self.record();
        let versions = &mut record.judge.versions;
        let version = answered.version.map(|version| {
            let number = versions.number(&version).unwrap_or(versions.count() as u64 + 1);
            versions.learn(Some(number), Some(version)).unwrap();
            number
        });
        let read = answered.read.as_ref().filter(|_| request.method == Method::Get);
        let heard = match read {
            Some(content) => format!("{}:{}", answered.status, content.len()),
            None => answered.status.to_string(),
        };
        let answer =
            Answer { status: answered.status, read: answered.read, version, length: answered.length };
        let at = self.now();
        record.calls[number].outcome = Outcome::Answered { at, answer };
        if self.durability == Durability::Disk && client != usize::MAX {
            let (events, calls) = (self.directory.events(), record.calls.clone());
            record.moments.push(Moment { events, calls, at });
        }
        heard
    }

    /// Whether the answers are those of some order, and nothing is left behind.
    fn check(&self) {
        let record = self.record();
        match linearize::check(&record.calls, SEARCH_STEPS_MAX) {
            Verdict::Linearizable(_) => {}
            Verdict::NotLinearizable { story } => panic!("in no order:\n{story}"),
            Verdict::Undecided => panic!("the search came to no end"),
        }
        assert!(self.directory.staged().is_empty(), "staged: {:?}", self.directory.staged());
        assert_eq!(self.directory.handles(), 0, "files are still open");
        let history = self.directory.history();
        for moment in &record.moments {
            moment.check(&history, &record);
        }
    }

    fn now(&self) -> u64 {
        self.time.fetch_add(1, Ordering::Relaxed)
    }

    fn record(&self) -> std::sync::MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
