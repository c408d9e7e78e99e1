//! The same question answered without any thought: all orders of all choices, each from its start.

use std::collections::BTreeMap;

use super::super::{Call, Outcome};
use crate::reference::{Answer, Method, Reference, Terms, Versions};

/// What an order does with a call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Whole,
    Parents(usize),
}

/// Whether some order of the calls gives their answers.
pub(super) fn is_linearizable(history: &[Call]) -> bool {
    extend(history, &mut Vec::new())
}

fn extend(history: &[Call], order: &mut Vec<(usize, Step)>) -> bool {
    let missing = |number: usize, order: &[(usize, Step)]| order.iter().all(|(taken, _)| *taken != number);
    let complete = (0..history.len()).all(|number| !history[number].is_answered() || !missing(number, order));
    if complete && replay(history, order) {
        return true;
    }
    for number in 0..history.len() {
        if !missing(number, order) {
            continue;
        }
        let parents =
            if history[number].is_answered() { 0 } else { history[number].request.path.matches('/').count() };
        for step in (0..=parents).map(|count| if count == 0 { Step::Whole } else { Step::Parents(count) }) {
            order.push((number, step));
            let found = in_time(history, order) && extend(history, order);
            order.pop();
            if found {
                return true;
            }
        }
    }
    false
}

/// Whether the last call of an order was not over before one that stands earlier had begun.
fn in_time(history: &[Call], order: &[(usize, Step)]) -> bool {
    let Some(((last, _), earlier)) = order.split_last() else { return true };
    earlier.iter().all(|(number, _)| history[*number].invoked < history[*last].end())
}

/// Whether the reference gives these answers in this order.
fn replay(history: &[Call], order: &[(usize, Step)]) -> bool {
    let mut reference = Reference::default();
    let mut versions: BTreeMap<u64, u64> = BTreeMap::new();
    let mut tags: BTreeMap<u64, u64> = BTreeMap::new();
    for (number, step) in order {
        let request = &history[*number].request;
        let version = |tag: &u64| versions.get(tag).copied().unwrap_or(u64::MAX);
        let of = |wanted: &Option<Versions>| {
            wanted.as_ref().map(|wanted| match wanted {
                Versions::Any => Versions::Any,
                Versions::Of(tags) => Versions::Of(tags.iter().map(version).collect()),
            })
        };
        let terms = Terms {
            if_match: of(&request.terms.if_match),
            if_none_match: of(&request.terms.if_none_match),
            if_range: request.terms.if_range.as_ref().map(version),
            ..request.terms.clone()
        };
        let mut whole = reference.clone();
        let given = whole.request(request.method, &request.path, &request.content_bytes(), &terms);
        match (step, &history[*number].outcome) {
            (Step::Whole, Outcome::Unknown { .. }) => reference = whole,
            (Step::Whole, Outcome::Answered { answer, .. }) => {
                reference = whole;
                if !same(request.method, &given, answer) {
                    return false;
                }
                if let (Some(version), Some(tag)) = (given.version, answer.version) {
                    let known = *versions.entry(tag).or_insert(version) == version;
                    if !known || *tags.entry(version).or_insert(tag) != tag {
                        return false;
                    }
                }
            }
            (Step::Parents(count), _) => {
                if given.status != 201 {
                    return false;
                }
                let end = request.path.match_indices('/').nth(count - 1).unwrap().0;
                let file = format!("{}/only-for-its-parents", &request.path[..end]);
                reference.request(Method::Put, &file, b"", &Terms::default());
                reference.request(Method::Delete, &file, b"", &Terms::default());
            }
        }
    }
    true
}

fn same(method: Method, given: &Answer, answer: &Answer) -> bool {
    let seen = |answer: &Answer| {
        let read =
            answer.read.clone().map(|read| if method == Method::Head { vec![0; read.len()] } else { read });
        (answer.status, read, answer.version.is_some(), answer.length)
    };
    seen(given) == seen(answer)
}
