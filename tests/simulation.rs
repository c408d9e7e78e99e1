//! The whole server in simulation keeps its promises, whatever the seed.
//!
//! Goal: the real event loops, sessions, connections, pool and store give answers that some order of
//! the requests explains, lose nothing, leave nothing and stay within their memory, whatever goes
//! wrong around them, also across crashes. Method: `model::simulation`, many seeds, each twice; and
//! the lists of requests that the other engines get. A failure names its seed:
//! `cargo run -p model --bin simulate -- --seed N` tells its story.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper of tests fails the test that it helps")]

use std::ops::Range;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use http_server::limits::Limits;
use model::alphabet::{Request, all_sequences, read_requests, requests};
use model::reference::Method;
use model::simulation::faults::NAMES;
use model::simulation::total::Total;
use model::simulation::{Report, replay, run};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tests::{Depth, depth, ledger};

const THREADS: usize = 2;

/// What must be seen, each several times in a run.
const CELLS: &[(Method, &[u16])] = &[
    (Method::Get, &[200, 206, 301, 304, 400, 404, 412, 416, 500, 503]),
    (Method::Head, &[200, 301, 304, 400, 404, 412, 500, 503]),
    (Method::Post, &[201, 400, 409, 412, 500, 503, 507]),
    (Method::Put, &[200, 201, 400, 409, 412, 500, 503, 507]),
    (Method::Patch, &[200, 201, 400, 409, 412, 500, 503, 507]),
    (Method::Delete, &[200, 400, 404, 409, 412, 500, 503]),
];

#[test]
fn whatever_goes_wrong_the_promises_are_kept() {
    let seeds = seeds(depth().of(2000, 20_000, 5_000_000));
    let total = Mutex::new((Total::default(), 0));
    on_threads(seeds, |seed| {
        let report = run(seed, false);
        let again = run(seed, false);
        // What is not the same again could not be looked into.
        if report.trace != again.trace {
            return Err(format!("two traces: {:016x}, {:016x}", report.trace, again.trace));
        }
        let peaceful = is_peaceful(&report);
        if peaceful {
            expect_all_answered(&report)?;
        }
        let mut total = total.lock().unwrap();
        total.0.add(&report);
        total.1 += u64::from(peaceful);
        report.broken.map_or(Ok(()), Err)
    });
    let (total, peaceful) = total.into_inner().unwrap();
    println!("{total}");
    let rarest = total.faults.iter().zip(NAMES).min().map(|(count, (_, name))| (*count, name));
    let cells = CELLS.iter().flat_map(|(method, statuses)| statuses.iter().map(|status| (*method, *status)));
    let count = |cell: (Method, u16)| (total.statuses.get(&cell).copied().unwrap_or(0), cell);
    let seldom = cells.map(count).min().unwrap();
    println!("simulation rarest={rarest:?} seldom={seldom:?}");
    ledger::record(
        "simulation",
        &[
            ("seeds", total.runs),
            ("peaceful", peaceful),
            ("steps", total.steps),
            ("calls", total.calls),
            ("crashes", total.probes),
            ("faults", total.faults.iter().sum()),
            ("rarest_fault", rarest.map_or(0, |(count, _)| count)),
            ("each_cell", seldom.0),
        ],
    );
}

/// Where nothing goes wrong and no bound is narrow, every request has its answer, and no answer is
/// that the server could not.
fn expect_all_answered(report: &Report) -> Result<(), String> {
    let failed: Vec<_> = report.statuses.keys().filter(|(_, status)| *status >= 500).collect();
    if report.unanswered > 0 || !failed.is_empty() {
        return Err(format!("{} are unanswered; {failed:?}, though nothing went wrong", report.unanswered));
    }
    Ok(())
}

fn is_peaceful(report: &Report) -> bool {
    report.setting.limits == Limits::default()
        && NAMES.iter().all(|(fault, _)| !report.faults.enabled(*fault))
}

/// The seeds that showed the bugs which were found so; each names one that can be switched on, and
/// shows it then (`tests/seeded_bugs/list.rs`).
#[test]
fn seeds_that_broke_a_promise_once_keep_it() {
    let text = include_str!("../proptest-regressions/simulation.seeds");
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let seeds: Vec<u64> =
        lines.map(|line| line.split_whitespace().next().unwrap().parse().unwrap()).collect();
    for seed in &seeds {
        let report = run(*seed, false);
        assert_eq!(report.broken, None, "seed {seed}");
    }
    ledger::record("simulation:kept", &[("seeds", seeds.len() as u64)]);
}

#[test]
fn lists_of_requests_agree_with_the_reference() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proptest-regressions");
    let mut lists: Vec<Vec<Request>> = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "requests") {
            lists.push(read_requests(&std::fs::read_to_string(&path).unwrap()).unwrap());
        }
    }
    let kept = lists.len() as u64;
    lists.extend(all_sequences(3, &["a", "a/b"]));
    on_threads(0..lists.len() as u64, |seed| {
        replay(&lists[usize::try_from(seed).unwrap()], seed).broken.map_or(Ok(()), Err)
    });
    ledger::record("simulation:lists", &[("kept", kept), ("exhaustive", lists.len() as u64 - kept)]);
}

#[test]
fn random_sequences_agree_with_the_reference() {
    let cases = depth().of(500, 20_000, 5_000_000);
    let shares = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let cases = cases / u32::try_from(THREADS).unwrap();
                let mut runner = TestRunner::new(Config { cases, ..Config::with_source_file(file!()) });
                let sequences = (prop::collection::vec(requests(), 1..=40), any::<u64>());
                runner
                    .run(&sequences, |(requests, seed)| {
                        replay(&requests, seed)
                            .broken
                            .map_or(Ok(()), |broken| Err(TestCaseError::fail(broken)))
                    })
                    .unwrap();
                shares.fetch_add(cases.into(), Ordering::Relaxed);
            });
        }
    });
    ledger::record("simulation:random", &[("sequences", shares.into_inner())]);
}

/// So many seeds: the first ones, or such as nobody has tried, where hours are spent.
fn seeds(count: u64) -> Range<u64> {
    let from = match (std::env::var("SIMULATION_SEED"), depth()) {
        (Ok(seed), _) => seed.parse().unwrap(),
        (Err(_), Depth::Soak) => {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
            u64::try_from(now.as_micros()).unwrap()
        }
        (Err(_), _) => 1,
    };
    println!("seeds from SIMULATION_SEED={from}");
    from..from + count
}

/// Runs all of them, and fails with the first that fails.
fn on_threads(seeds: Range<u64>, check: impl Fn(u64) -> Result<(), String> + Sync) {
    let next = AtomicU64::new(seeds.start);
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            if let Err(broken) = check(seed) {
                next.store(seeds.end, Ordering::Relaxed);
                panic!("seed {seed}: {broken}");
            }
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
    });
}
