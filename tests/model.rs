//! The server agrees with the reference.
//!
//! Goal: the store, the whole connection core over it, and the binary over a socket give the answers
//! that the reference gives, and leave its tree. Method: the same requests, random, exhaustive and
//! kept, through all of them, on a real directory and on a simulated one; uploads in one operation,
//! or staged and written in parts; bytes cut at random.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper of tests fails the test that it helps")]

#[path = "model/engines.rs"]
mod engines;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

use engines::{Case, Real, through_binary, through_both};
use model::alphabet::{Request, all_sequences, read_requests, requests};
use model::reference::{Method, Reference};
use model::simulated::Simulated;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tests::{depth, ledger};

/// How often each method led to each status.
type Cells = BTreeMap<(Method, u16), u64>;

/// Every cell that the contract has for these requests.
const CELLS: &[(Method, &[u16])] = &[
    (Method::Get, &[200, 206, 301, 304, 400, 404, 412, 416]),
    (Method::Head, &[200, 301, 304, 400, 404, 412]),
    (Method::Post, &[201, 400, 409, 412]),
    (Method::Put, &[200, 201, 400, 409, 412]),
    (Method::Patch, &[200, 201, 400, 409, 412]),
    (Method::Delete, &[200, 400, 403, 404, 409, 412]),
];

#[test]
fn random_sequences_agree_with_the_reference() {
    let cases = depth().of(3000, 20_000, 5_000_000);
    let cells = random(cases, through_both::<Simulated>);
    let counts = |(method, statuses): &(Method, &'static [u16])| {
        let method = *method;
        statuses.iter().map(move |status| (method, *status))
    };
    let seldom = CELLS.iter().flat_map(counts).map(|cell| cells.get(&cell).copied().unwrap_or(0)).min();
    println!("model:random cells={cells:?}");
    ledger::record(
        "model:random",
        &[("sequences", cases.into()), ("cells", cells.len() as u64), ("each_cell", seldom.unwrap_or(0))],
    );
}

#[test]
fn random_sequences_on_a_real_directory_agree_with_the_reference() {
    let cases = depth().of(250, 2000, 200_000);
    random(cases, through_both::<Real>);
    ledger::record("model:real", &[("sequences", cases.into())]);
}

#[test]
fn random_sequences_to_the_binary_agree_with_the_reference() {
    let cases = depth().of(50, 400, 40_000);
    random(cases, through_binary);
    ledger::record("model:binary", &[("sequences", cases.into())]);
}

/// Runs random sequences of at most 40 requests, and counts what they lead to.
fn random(cases: u32, run: impl Fn(Case<'_>) -> Result<(), String>) -> Cells {
    let mut runner = TestRunner::new(Config { cases, ..Config::with_source_file(file!()) });
    let sequences =
        (prop::collection::vec(requests(), 1..=40), prop::collection::vec(1_usize..100_000, 1..20));
    let cells = RefCell::new(Cells::new());
    let result = runner.run(&sequences, |(requests, cuts)| {
        let mut reference = Reference::default();
        for request in &requests {
            let status = reference.answer(request).status;
            *cells.borrow_mut().entry((request.method, status)).or_insert(0) += 1;
        }
        run(Case { requests: &requests, cuts: &cuts }).map_err(TestCaseError::fail)
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
    cells.into_inner()
}

#[test]
fn all_short_sequences_agree_with_the_reference() {
    // Of four requests there are more than a hundred thousand.
    let sequences = all_sequences(depth().of(3, 3, 4), &["a", "a/b"]);
    for requests in &sequences {
        let case = Case { requests, cuts: &[7] };
        through_both::<Simulated>(case).unwrap_or_else(|error| panic!("{error}"));
    }
    let (step, mut real) = (depth().of(7, 1, 1), 0);
    for requests in sequences.iter().step_by(step) {
        through_both::<Real>(Case { requests, cuts: &[7] }).unwrap_or_else(|error| panic!("{error}"));
        real += 1;
    }
    ledger::record("model:exhaustive", &[("sequences", sequences.len() as u64), ("real", real)]);
}

/// What was found before, and each row of the contract: with the bytes as they come, and one by one.
#[test]
fn kept_lists_of_requests_agree_with_the_reference() {
    let lists = kept_lists();
    for (name, requests) in &lists {
        for cuts in [&[1_000_000][..], &[1000, 1], &[1]] {
            let case = Case { requests, cuts };
            let result = through_both::<Simulated>(case)
                .and_then(|()| through_both::<Real>(case))
                .and_then(|()| through_binary(case));
            result.unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
    ledger::record("model:kept", &[("lists", lists.len() as u64)]);
}

fn kept_lists() -> Vec<(String, Vec<Request>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proptest-regressions");
    let mut lists = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "requests") {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let requests = read_requests(&std::fs::read_to_string(&path).unwrap());
            lists.push((name.clone(), requests.unwrap_or_else(|error| panic!("{name}: {error}"))));
        }
    }
    lists
}
