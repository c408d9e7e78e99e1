//! What many runs came to together: [`Total`].

use std::collections::BTreeMap;
use std::fmt::{Display, Formatter, Result};

use http_server::connection::Memory;

use super::Report;
use super::faults::NAMES;
use crate::reference::Method;

/// Sums over runs.
#[derive(Debug, Default)]
#[expect(missing_docs, reason = "each is the sum of what is called the same in a `Report`")]
pub struct Total {
    pub runs: u64,
    pub steps: u64,
    pub calls: u64,
    /// Steps of the longest search for an order.
    pub searched_max: u64,
    pub probes: u64,
    pub unanswered: u64,
    pub memory: Memory,
    /// In the order of [`NAMES`].
    pub faults: [u64; NAMES.len()],
    pub statuses: BTreeMap<(Method, u16), u64>,
}

impl Total {
    /// One run more.
    pub fn add(&mut self, report: &Report) {
        self.runs += 1;
        self.steps += report.steps;
        self.calls += report.calls;
        self.searched_max = self.searched_max.max(report.searched);
        self.probes += report.probes;
        self.unanswered += report.unanswered;
        self.memory = larger(self.memory, report.memory);
        for (sum, (fault, _)) in self.faults.iter_mut().zip(NAMES) {
            *sum += report.faults.counted(fault);
        }
        for (cell, count) in &report.statuses {
            *self.statuses.entry(*cell).or_insert(0) += count;
        }
    }

    /// Those of others as well.
    pub fn join(&mut self, other: &Total) {
        self.runs += other.runs;
        self.steps += other.steps;
        self.calls += other.calls;
        self.searched_max = self.searched_max.max(other.searched_max);
        self.probes += other.probes;
        self.unanswered += other.unanswered;
        self.memory = larger(self.memory, other.memory);
        for (sum, count) in self.faults.iter_mut().zip(other.faults) {
            *sum += count;
        }
        for (cell, count) in &other.statuses {
            *self.statuses.entry(*cell).or_insert(0) += count;
        }
    }
}

/// The larger of each.
pub(super) fn larger(one: Memory, other: Memory) -> Memory {
    Memory {
        unread: one.unread.max(other.unread),
        content: one.content.max(other.content),
        unsent: one.unsent.max(other.unsent),
    }
}

impl Display for Total {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        let Total { runs, steps, calls, searched_max, probes, unanswered, memory, faults, statuses } = self;
        writeln!(out, "{runs} runs of {steps} steps, {calls} requests to files, {unanswered} unanswered")?;
        writeln!(out, "{probes} crashes looked into, {searched_max} steps of the longest search")?;
        writeln!(out, "the most of one connection: {memory:?}")?;
        for (count, (_, name)) in faults.iter().zip(NAMES) {
            writeln!(out, "{name}: {count}")?;
        }
        for ((method, status), count) in statuses {
            writeln!(out, "{} {status}: {count}", method.name())?;
        }
        Ok(())
    }
}
