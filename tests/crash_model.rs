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

/// A line that says what was tried, which must not shrink.
fn ledger(name: &str, level: &str, counts: &Counts, floor: u64) {
    let Counts { histories, states, drawn, images, recovery_states } = counts;
    println!(
        "crash_model:{name} {level}={states} floor={floor} histories={histories} drawn={drawn} \
         images={images} in_recovery={recovery_states}"
    );
    assert!(*states >= floor, "{name}: {states} states at {level}, and were {floor}");
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
    ledger("states", "disk", &disk, 500_000);
    ledger("states", "cache", &cache, 8000);
    // Most of all choices are tried, and most of all disks are found more than once.
    assert!(disk.drawn * 4 < disk.states && disk.images >= 10_000, "{disk:?}");
    // A recovery may crash at each of its own calls.
    assert!(disk.recovery_states >= 700_000 && cache.recovery_states >= 7000, "{disk:?}, {cache:?}");
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
    let all = std::env::var_os("VERIFY").is_some_and(|verify| verify == "soak");
    let (beginning, count) = (Beginning::of(BEGINNING), OPERATIONS.len());
    let mut enumeration = Enumeration::new(|disk: Simulated| disk, Durability::Disk, false);
    for number in (0..count.pow(3)).step_by(if all { 1 } else { 97 }) {
        let triple = [number % count, number / count % count, number / count / count];
        let triple = [0, 1, 2].map(|place| operation(triple[place], place));
        enumeration.try_sequence(&beginning, &triple).unwrap_or_else(|error| panic!("{error}"));
    }
    ledger("triples", "disk", &enumeration.counts, 50_000);
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
    ledger("two_lives", "disk", &try_two_lives(Durability::Disk), 100_000);
    ledger("two_lives", "cache", &try_two_lives(Durability::Cache), 2000);
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
    ledger("starts", "cache", &enumeration.counts, 20_000);
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
    println!("crash_model:faults cases={} failures={failures} floor=2400", counts.histories);
    assert!(counts.histories >= 2400 && failures >= 1800, "{counts:?}, {failures} failures");
    ledger("fault_states", "all", &counts, 100_000);
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
        println!("crash_model:wrong {wrong:?} states={states}");
    }
}
