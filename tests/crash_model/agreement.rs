//! The store on a simulated directory agrees with the reference: statuses, contents, the tree, and
//! versions, which are equal exactly where those of the reference are.

use std::cell::Cell;

use http_server::store::{Durability, Store};
use model::alphabet::{Request, all_sequences, requests};
use model::driven::{Judge, Style};
use model::simulated::Simulated;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tests::{depth, ledger};

use super::enumeration::{START, check_nothing_left};

const SECOND: i64 = 1_000_000_000;
const TICK: i64 = 20_000_000;

/// What happens before a request.
#[derive(Clone, Copy, Debug)]
enum Before {
    Nothing,
    /// The clock moves on by so many nanoseconds, or back.
    Time(i64),
    /// The process dies, and another one begins.
    Restart,
}

/// How it all is run.
#[derive(Clone, Copy, Debug)]
struct World {
    durability: Durability,
    plain: bool,
}

/// What is judged, and whether the process died.
fn compare(world: World, requests: &[(Before, Request, usize)]) -> Result<u64, String> {
    let mut time = START;
    let mut restarts = 0;
    let mut disk = Simulated::new(&Simulated::empty(time).image(), time, world.plain);
    let mut store = Store::new(disk.clone(), world.durability);
    let mut judge = Judge::default();
    for (before, request, part) in requests {
        match before {
            Before::Nothing => {}
            Before::Time(step) => {
                time += step;
                disk.set_time(time);
            }
            Before::Restart => {
                restarts += 1;
                // No start is as quick as a tick of the kernel, within which two would give stamps alike.
                time += TICK;
                disk = Simulated::new(&disk.image(), time, world.plain);
                store = Store::new(disk.clone(), world.durability);
                store.recover().map_err(|error| error.to_string())?;
            }
        }
        let style = if part.is_multiple_of(2) { Style::Whole } else { Style::Parts(*part) };
        judge.perform(&store, &request.of_whole_files(), style)?;
        check_nothing_left(&disk)?;
    }
    judge.check_tree(&disk.tree())?;
    Ok(restarts)
}

const WORLDS: [World; 4] = [
    World { durability: Durability::Disk, plain: false },
    World { durability: Durability::Disk, plain: true },
    World { durability: Durability::Cache, plain: false },
    World { durability: Durability::Cache, plain: true },
];

#[test]
fn random_sequences_agree_with_the_reference() {
    let cases = depth().of(1000, 4000, 1_000_000);
    let mut runner = TestRunner::new(Config { cases, ..Config::with_source_file(file!()) });
    let before = prop_oneof![
        6 => Just(Before::Nothing),
        2 => (-SECOND..SECOND).prop_map(Before::Time),
        1 => Just(Before::Restart),
    ];
    let parts = prop_oneof![Just(0_usize), (1000..100_000_usize)];
    let sequences =
        (prop::sample::select(&WORLDS[..]), prop::collection::vec((before, requests(), parts), 1..40));
    let restarts = Cell::new(0);
    let result = runner.run(&sequences, |(world, requests)| {
        let result = compare(world, &requests);
        restarts.set(restarts.get() + result.clone().unwrap_or(0));
        result.map(drop).map_err(TestCaseError::fail)
    });
    result.unwrap();
    ledger::record("crash_model:random", &[("sequences", cases.into()), ("restarts", restarts.get())]);
}

#[test]
fn all_short_sequences_agree_with_the_reference() {
    let mut count = 0;
    for requests in all_sequences(3, &["a", "a/b"]) {
        for world in WORLDS {
            let requests: Vec<_> =
                requests.iter().map(|request| (Before::Nothing, request.clone(), 0)).collect();
            compare(world, &requests).unwrap_or_else(|error| panic!("{world:?}: {error}"));
            count += 1;
        }
    }
    ledger::record("crash_model:exhaustive", &[("sequences", count)]);
}
