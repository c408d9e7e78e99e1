//! Histories of the binary: what clients saw over real sockets that asked at once.
//!
//! Goal: there is one order of all requests, consistent with real time, in which the reference gives
//! every client the answers that it got; also where the server dies meanwhile, or the file system
//! under it. Method: four clients with few names between them, whose answers are recorded and
//! handed to `model::linearize`.
//!
//! `CRASH_SEED` has the same requests generated again, as far as they do not depend on answers; how
//! they overlap is up to the machine. A failure prints the history.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper of tests fails the test that it helps"
)]

#[path = "histories/client.rs"]
mod client;
#[path = "histories/crash.rs"]
mod crash;
#[path = "crash/image.rs"]
mod image;
#[path = "crash/random.rs"]
mod random;
#[path = "histories/record.rs"]
mod record;
#[path = "histories/tally.rs"]
mod tally;
#[path = "histories/workload.rs"]
mod workload;

use client::{Client, run_all};
use model::linearize::{Call, Search, Verdict, check};
use model::reference::Method;
use random::Random;
use record::Record;
use tally::Tally;
use tests::{Server, depth, ledger};
use workload::Workload;

const CLIENTS: usize = 4;
const REQUESTS: usize = 25;

/// Far more steps than any history took: one that is not decided fails.
const BUDGET: u64 = 2_000_000;

/// What is refused is read past, so that no refusal ends a connection.
const CACHE: [&str; 5] = ["--quiet", "--discard-bytes-max", "1MiB", "--durability", "cache"];
const DISK: [&str; 5] = ["--quiet", "--discard-bytes-max", "1MiB", "--durability", "disk"];

/// What must be seen, each several times in a run.
const CELLS: &[(Method, &[u16])] = &[
    (Method::Get, &[200, 206, 304, 404, 412, 416]),
    (Method::Head, &[200, 304, 404, 412]),
    (Method::Post, &[201, 409, 412]),
    (Method::Put, &[200, 201, 409, 412]),
    (Method::Patch, &[200, 201, 409, 412]),
    (Method::Delete, &[200, 404, 409, 412]),
];

#[test]
fn what_concurrent_clients_see_has_an_order() {
    let mut random = Random::from_environment("histories");
    let mut tally = Tally::default();
    for flags in [&CACHE, &DISK] {
        let server = Server::start(flags);
        for _ in 0..depth().of(40, 250, 20_000) {
            // Of its own, and left out of what is recorded.
            let prefix = format!("h{}", tally.histories);
            let record = Record::default();
            let workload = Workload::new(&mut random, 2);
            let clients = (0..CLIENTS).map(|number| {
                let random = random.split();
                Client::new(number, random, &server, &record, &workload, &prefix)
            });
            let clients: Vec<Client<'_>> = clients.collect();
            let seen = run_all(clients, REQUESTS, |_| ());
            let mut history: Vec<Call> = seen.into_iter().flat_map(|seen| seen.answered).collect();
            history.extend(Client::new(0, random.split(), &server, &record, &workload, &prefix).read_all());
            tally.add(&history, expect_order(&history, tally.histories));
            std::fs::remove_dir_all(server.directory().join(&prefix)).unwrap_or_default();
        }
    }
    println!("histories:sockets {tally}");
    for (method, statuses) in CELLS {
        for status in *statuses {
            let count = tally.cells.get(&(*method, *status)).copied().unwrap_or(0);
            assert!(count >= depth().of(3, 20, 20), "{method:?} led to {status} only {count} times");
        }
    }
    let counts = [
        ("histories", tally.histories),
        ("calls", tally.calls),
        ("overlaps", tally.overlaps),
        ("staged", tally.staged),
    ];
    ledger::record("histories:sockets", &counts);
}

/// What it cost to find an order for the history of this number.
#[track_caller]
fn expect_order(history: &[Call], number: u64) -> Search {
    match check(history, BUDGET) {
        Verdict::Linearizable(search) => search,
        Verdict::NotLinearizable { story } => panic!("history {number}: {story}"),
        Verdict::Undecided => panic!("history {number}: not decided in {BUDGET} steps"),
    }
}
