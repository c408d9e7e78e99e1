//! What was seen, so that a test can be held to have seen enough.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Instant;

use model::linearize::{Call, Outcome, Search};
use model::reference::Method;

/// More than a connection gathers in memory.
const STAGED_BYTES: usize = 256 << 10;

/// Counts over all histories of a test.
#[derive(Debug)]
pub(crate) struct Tally {
    pub(crate) histories: u64,
    pub(crate) calls: u64,
    /// Pairs of calls of different clients that were under way at the same time.
    pub(crate) overlaps: u64,
    /// Writes that were staged.
    pub(crate) staged: u64,
    /// Requests that changed something or may have, without an answer.
    pub(crate) unheard: u64,
    pub(crate) cells: BTreeMap<(Method, u16), u64>,
    steps: u64,
    steps_most: u64,
    start: Instant,
}

impl Default for Tally {
    fn default() -> Tally {
        let [histories, calls, overlaps, staged, unheard, steps, steps_most] = [0; 7];
        let (cells, start) = (BTreeMap::new(), Instant::now());
        Tally { histories, calls, overlaps, staged, unheard, cells, steps, steps_most, start }
    }
}

impl Tally {
    pub(crate) fn add(&mut self, history: &[Call], search: Search) {
        self.histories += 1;
        self.calls += history.len() as u64;
        self.steps += search.steps;
        self.steps_most = self.steps_most.max(search.steps);
        for (number, call) in history.iter().enumerate() {
            let long = call.request.content.is_some_and(|content| content.length > STAGED_BYTES);
            self.staged += u64::from(long);
            match &call.outcome {
                Outcome::Answered { answer, .. } => {
                    *self.cells.entry((call.request.method, answer.status)).or_default() += 1;
                }
                Outcome::Unknown { .. } => {
                    let reads = matches!(call.request.method, Method::Get | Method::Head);
                    self.unheard += u64::from(!reads);
                }
            }
            let others = history[..number].iter().filter(|other| other.client != call.client);
            let overlaps = others.filter(|other| other.invoked < end(call) && call.invoked < end(other));
            self.overlaps += overlaps.count() as u64;
        }
    }
}

fn end(call: &Call) -> u64 {
    match call.outcome {
        Outcome::Answered { at, .. } => at,
        Outcome::Unknown { until } => until,
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { histories, calls, overlaps, staged, unheard, cells, steps, steps_most, start } = self;
        write!(formatter, "histories={histories} calls={calls} overlaps={overlaps} staged={staged}")?;
        write!(formatter, " unheard={unheard} steps={steps} steps_most={steps_most}")?;
        write!(formatter, " time={:?} cells={cells:?}", start.elapsed())
    }
}
