//! What a test has seen, so that it can be held to have seen enough.

use std::collections::BTreeMap;
use std::fmt;

use model::reference::Method;
use tests::ledger;

const METHODS: [Method; 4] = [Method::Post, Method::Put, Method::Patch, Method::Delete];

/// Counts over all crashes of a test.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) crashes: usize,
    pub(crate) acknowledged: usize,
    /// What was in flight in a crash, by method: it is there, or it is not.
    pub(crate) there: BTreeMap<Method, usize>,
    pub(crate) absent: BTreeMap<Method, usize>,
    /// Appends in flight that are copied, because they are too long to be held in memory.
    pub(crate) long_appends: usize,
    /// Writes in flight that a reader had seen already.
    pub(crate) read_early: usize,
    /// Crashes that left something in the staging directory.
    pub(crate) swept: usize,
}

impl Tally {
    /// Writes the line of the ledger. Each method has to have been in flight so often at least.
    #[track_caller]
    pub(crate) fn record(&self, check: &str) {
        println!("{check} {self}");
        let of = |counts: &BTreeMap<Method, usize>, method| counts.get(&method).copied().unwrap_or(0);
        let in_flight = METHODS.map(|method| of(&self.there, method) + of(&self.absent, method));
        let counts = [
            ("crashes", self.crashes),
            ("acknowledged", self.acknowledged),
            ("each_in_flight", in_flight.into_iter().min().unwrap_or(0)),
            ("there", sum(&self.there)),
            ("absent", sum(&self.absent)),
            ("left_something", self.swept),
        ];
        ledger::record(check, &counts.map(|(what, count)| (what, count as u64)));
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (there, absent) = (sum(&self.there), sum(&self.absent));
        write!(formatter, "crashes={} acknowledged={}", self.crashes, self.acknowledged)?;
        write!(formatter, " in_flight_there={there} in_flight_absent={absent}")?;
        write!(formatter, " long_appends={} swept={}", self.long_appends, self.swept)?;
        write!(formatter, " read_early={}", self.read_early)?;
        write!(formatter, " there={:?} absent={:?}", self.there, self.absent)
    }
}

fn sum(counts: &BTreeMap<Method, usize>) -> usize {
    counts.values().sum()
}
