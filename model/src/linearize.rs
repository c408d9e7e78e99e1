//! Whether the answers of a concurrent history are those that the reference gives in some order:
//! [`check`].
//!
//! A memoised search by Wing and Gong, as Lowe has it: an order is built call by call, each of
//! which had begun before any call that is left out so far came back, and what has been tried
//! once, a set of calls and the state behind them, is not tried again. A version of the reference
//! gets its tag where an order first sees it, one to one.

mod search;
mod state;
mod story;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::alphabet::Request;
use crate::reference::Answer;
use search::{Found, Order};

/// One request of a history and what came of it. Times are positions in one total order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Who asked.
    pub client: usize,
    /// What was asked. Versions in its terms are tag numbers; a number that no answer has means a
    /// tag that no file ever had. Who names a tag has it from an answer that came before.
    pub request: Request,
    /// When it was asked.
    pub invoked: u64,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered.
    Answered {
        /// When.
        at: u64,
        /// Its version is the number of the tag that was seen: tags are counted from 1, as the
        /// recorder first sees them. What a `HEAD` reads is known by its length alone.
        answer: Answer,
    },
    /// Nobody knows: a 5xx, a lost connection, a crash. It took effect once, behind `invoked` and not
    /// behind `until`, or never; or it made some of the parents that it needed, and nothing else.
    Unknown {
        /// When at the latest.
        until: u64,
    },
}

/// What a search cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// How many calls were tried, each behind some others.
    pub steps: u64,
    /// How many pairs of calls and a state were remembered.
    pub states: u64,
    /// How many independent parts there were.
    pub parts: u64,
}

/// What a history turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There is such an order.
    Linearizable(Search),
    /// There is none.
    NotLinearizable {
        /// The history, and how far an order comes.
        story: String,
    },
    /// More steps were needed than the search was given.
    Undecided,
}

/// Looks for an order of the calls in which the reference gives their answers, in so many steps.
pub fn check(history: &[Call], budget: u64) -> Verdict {
    let parts = parts(history);
    if let Some(tag) = tag_of_two(&parts) {
        let whole: Vec<&Call> = history.iter().collect();
        let story = format!("tag {tag} stands for files of two names\n{}", story::history(&whole));
        return Verdict::NotLinearizable { story };
    }
    let mut spent = Search { parts: parts.len() as u64, ..Search::default() };
    for part in parts.values() {
        match Order::new(part).find(&mut spent, budget) {
            Found::All => {}
            Found::No(longest) => return Verdict::NotLinearizable { story: story::tell(part, &longest) },
            Found::BudgetSpent => return Verdict::Undecided,
        }
    }
    Verdict::Linearizable(spent)
}

/// The calls by the first name of their paths. No request reads or changes what is below another
/// one, but for conditions with tags, which name versions of files below its own or none that it
/// could meet. So each part is a history of an object of its own, and orders of the parts can be
/// merged into one of the whole (Herlihy and Wing). Where a name could be written in two ways, all
/// is one part.
fn parts(history: &[Call]) -> BTreeMap<&str, Vec<&Call>> {
    let escaped = history.iter().any(|call| call.request.path.contains('%'));
    let mut parts: BTreeMap<&str, Vec<&Call>> = BTreeMap::new();
    for call in history {
        let first = call.request.path.split('/').next().unwrap_or_default();
        parts.entry(if escaped { "" } else { first }).or_default().push(call);
    }
    parts
}

/// A tag that was seen in two parts: of no two versions, whatever their paths, it may be the same.
fn tag_of_two(parts: &BTreeMap<&str, Vec<&Call>>) -> Option<u64> {
    let mut first_seen = BTreeMap::new();
    let calls = parts.iter().flat_map(|(part, calls)| calls.iter().map(move |call| (*part, call)));
    let mut seen = calls.filter_map(|(part, call)| Some((part, call.tag()?)));
    seen.find(|(part, tag)| *first_seen.entry(*tag).or_insert(*part) != *part).map(|(_, tag)| tag)
}

impl Call {
    /// The tag that its answer has.
    fn tag(&self) -> Option<u64> {
        match &self.outcome {
            Outcome::Answered { answer, .. } => answer.version,
            Outcome::Unknown { .. } => None,
        }
    }

    /// When it was over at the latest.
    fn end(&self) -> u64 {
        match self.outcome {
            Outcome::Answered { at, .. } => at,
            Outcome::Unknown { until } => until,
        }
    }

    fn is_answered(&self) -> bool {
        matches!(self.outcome, Outcome::Answered { .. })
    }
}
