//! The store on a simulated directory: it agrees with the reference, a call that fails leaves old
//! or new, and so does every crash.
//!
//! Goal: what was acknowledged is there after a crash at any point, and what was under way wholly
//! or not at all. Method: each operation and each pair of them, a crash behind each call with each
//! choice of what had reached the disk, and the recovery from that, which may crash as well.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper of tests fails the test that it helps")]

#[path = "crash_model/agreement.rs"]
mod agreement;
#[path = "crash_model/broken.rs"]
mod broken;
#[path = "crash_model/enumeration.rs"]
mod enumeration;
#[path = "crash_model/found.rs"]
mod found;
#[path = "crash_model/real.rs"]
mod real;

use broken::{Broken, WRONG};
use enumeration::{Beginning, Counts, Enumeration};
use http_server::store::Durability;
use model::alphabet::Request;
use model::driven::Style;
use model::simulated::{Fault, Simulated};
use tests::{depth, ledger};

/// What is there at first: a file that ends shortly before the end of a block, one in a directory,
/// and an empty directory.
const BEGINNING: &[&str] = &["PUT a 1:4090", "PUT d/f 2:5", "PUT e/x 3:5", "DELETE e/x"];

/// What is tried, in whole (0) or in parts of so many bytes. Content that crosses the end of a
/// block can be torn.
const OPERATIONS: &[(&str, usize)] = &[
    ("POST n 1:5", 0),
    ("POST p/q/n 1:5", 3),
    ("PUT a 1:4100", 0),
    ("PUT a 1:5", 2),
    ("PUT e/n 1:5", 0),
    ("PUT p/q 1:5", 0),
    ("PATCH a 1:10", 0),
    ("PATCH a 1:10", 4),
    ("PATCH a 1:0", 0),
    ("PATCH n 1:5", 0),
    ("PATCH d/f 1:5 upload-offset=5", 3),
    ("DELETE a", 0),
    ("DELETE d/f", 0),
    ("DELETE d", 0),
    ("DELETE e", 0),
    // These are refused, at least where nothing came before.
    ("POST a 1:5", 0),
    ("PUT a 1:5 if-match=9", 0),
    ("PUT a/n 1:5", 3),
    ("PUT e 1:5", 0),
    ("PATCH a 1:5 upload-offset=5", 4),
];

/// One of them, with content that no other place in a sequence has.
fn operation(number: usize, place: usize) -> (Request, Style) {
    let (text, part) = OPERATIONS[number];
    let mut request: Request = text.parse().unwrap();
    if let Some(content) = &mut request.content {
        content.number = u32::try_from(10 + place).unwrap();
    }
    (request, if part == 0 { Style::Whole } else { Style::Parts(part) })
}

/// What was tried, which must not shrink.
fn record(check: &str, counts: &Counts) {
    let Counts { histories, states, images, recovery_states, .. } = *counts;
    let counts = [("histories", histories), ("states", states), ("images", images)];
    ledger::record(check, &[&counts[..], &[("in_recovery", recovery_states)]].concat());
}

fn pairs() -> impl Iterator<Item = [(Request, Style); 2]> {
    let numbers = 0..OPERATIONS.len();
    numbers
        .clone()
        .flat_map(move |first| numbers.clone().map(move |second| [operation(first, 0), operation(second, 1)]))
}

/// Every pair, which has each operation alone in it.
fn try_pairs(durability: Durability) -> Counts {
    let beginning = Beginning::of(BEGINNING);
    let mut counts = Counts::default();
    for plain in [false, true] {
        let mut enumeration = Enumeration::new(|disk: Simulated| disk, durability, plain);
        for pair in pairs() {
            enumeration.try_sequence(&beginning, &pair).unwrap_or_else(|error| panic!("{error}"));
        }
        counts += enumeration.counts;
    }
    counts
}

#[test]
fn every_crash_of_every_pair_leaves_what_is_allowed() {
    let (disk, cache) = (try_pairs(Durability::Disk), try_pairs(Durability::Cache));
    record("crash_model:pairs_disk", &disk);
    record("crash_model:pairs_cache", &cache);
    assert!(disk.drawn * 4 < disk.states, "most of all choices are tried: {disk:?}");
}

/// Goal: what a recovery leaves is as good a beginning as any. Method: a crash in the middle of one
/// operation, a recovery, and every crash of another one.
fn try_two_lives(durability: Durability) -> Counts {
    let beginning = Beginning::of(BEGINNING);
    let mut counts = Counts::default();
    for plain in [false, true] {
        let mut enumeration = Enumeration::new(|disk: Simulated| disk, durability, plain).choices_max(1 << 4);
        for (first, second) in two_lives() {
            enumeration.try_two_lives(&beginning, &first, &second).unwrap_or_else(|error| panic!("{error}"));
        }
        counts += enumeration.counts;
    }
    counts
}

/// Goal: what comes of two operations is as good a beginning as any. Method: triples, some of them,
/// and all with `VERIFY=soak`.
#[test]
fn every_crash_of_triples_leaves_what_is_allowed() {
    let (beginning, count) = (Beginning::of(BEGINNING), OPERATIONS.len());
    let mut enumeration = Enumeration::new(|disk: Simulated| disk, Durability::Disk, false);
    for number in (0..count.pow(3)).step_by(depth().of(97, 41, 1)) {
        let triple = [number % count, number / count % count, number / count / count];
        let triple = [0, 1, 2].map(|place| operation(triple[place], place));
        enumeration.try_sequence(&beginning, &triple).unwrap_or_else(|error| panic!("{error}"));
    }
    record("crash_model:triples", &enumeration.counts);
}

/// What is under way at the first crash: what leaves most to recover from.
const FIRST: [&str; 4] = ["POST p/q/n 1:5", "PUT a 1:4100", "PATCH a 1:10", "DELETE a"];
/// What comes after the recovery: it builds on what is there, or takes its place, or removes it.
const SECOND: [&str; 3] = ["PATCH a 1:10", "PUT a 1:5", "DELETE a"];

fn two_lives() -> impl Iterator<Item = ((Request, Style), (Request, Style))> {
    let of = |names: &'static [&str]| {
        (0..OPERATIONS.len()).filter(move |number| names.contains(&OPERATIONS[*number].0))
    };
    of(&FIRST)
        .flat_map(move |first| of(&SECOND).map(move |second| (operation(first, 0), operation(second, 1))))
}

#[test]
fn every_crash_after_a_recovery_leaves_what_is_allowed() {
    record("crash_model:two_lives_disk", &try_two_lives(Durability::Disk));
    record("crash_model:two_lives_cache", &try_two_lives(Durability::Cache));
}

/// Goal: what was not promised stops no server from starting. Method: power cuts where only the
/// death of the process is provided for; the next start goes on with what is there.
#[test]
fn after_a_power_cut_at_the_level_of_the_cache_a_start_succeeds() {
    let beginning = Beginning::of(BEGINNING);
    let mut enumeration = Enumeration::new(|disk: Simulated| disk, Durability::Cache, false);
    for pair in pairs() {
        enumeration.try_starts(&beginning, &pair).unwrap_or_else(|error| panic!("{error}"));
    }
    let Counts { histories, states, .. } = enumeration.counts;
    ledger::record("crash_model:starts", &[("histories", histories), ("states", states)]);
}

/// Goal: a call that fails leaves old or new, and nothing else behind. Method: each operation, the
/// first, second, … call of which goes wrong, until it no longer comes to that call; then a crash.
#[test]
fn each_call_can_fail_and_each_crash_leaves_old_or_new() {
    const EIO: i32 = 5;
    const ENOSPC: i32 = 28;
    let beginning = Beginning::of(BEGINNING);
    let (mut counts, mut failures) = (Counts::default(), 0);
    let faults = [
        Fault::Error(EIO),
        Fault::Error(ENOSPC),
        Fault::ErrorFromThere(EIO),
        Fault::Short,
        Fault::Interrupted,
    ];
    for (durability, plain) in
        [Durability::Disk, Durability::Cache].map(|level| [(level, false), (level, true)]).concat()
    {
        let mut enumeration = Enumeration::new(|disk: Simulated| disk, durability, plain).choices_max(1 << 6);
        for (number, fault) in (0..OPERATIONS.len()).flat_map(|number| faults.map(|fault| (number, fault))) {
            for nth in 1.. {
                let tried = enumeration.try_fault(&beginning, &operation(number, 0), fault, nth);
                let (struck, failed) =
                    tried.unwrap_or_else(|error| panic!("{durability:?}, {plain}: {error}"));
                let short = matches!(fault, Fault::Short | Fault::Interrupted);
                assert!(!short || !failed, "a transfer that went half way, or not at all, is gone on with");
                failures += u64::from(failed);
                if !struck {
                    break;
                }
            }
        }
        counts += enumeration.counts;
    }
    ledger::record("crash_model:failures", &[("answered_so", failures)]);
    record("crash_model:faults", &counts);
}

/// Goal: the enumeration sees what is wrong. Method: protocols that break one rule each.
#[test]
fn wrong_protocols_are_caught() {
    for wrong in WRONG {
        let beginning = Beginning::of(BEGINNING);
        let wrap = |disk: Simulated| Broken::new(disk, wrong);
        let mut enumeration = Enumeration::new(wrap, Durability::Disk, false);
        let found = pairs().find_map(|pair| enumeration.try_sequence(&beginning, &pair).err());
        let found = found.or_else(|| {
            two_lives()
                .find_map(|(first, second)| enumeration.try_two_lives(&beginning, &first, &second).err())
        });
        let states = enumeration.counts.states;
        let caught = found.is_some_and(|found| found.contains("crash at"));
        assert!(caught, "{wrong:?} was not caught in {states} states");
    }
    ledger::record("crash_model:wrong", &[("caught", WRONG.len() as u64)]);
}
