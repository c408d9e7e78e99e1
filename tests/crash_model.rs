//! The store on a simulated directory: it agrees with the reference, a call that fails leaves old
//! or new, and so does every crash.
//!
//! Goal: what was acknowledged is there after a crash at any point, and what was under way wholly
//! or not at all. Method: each operation and each pair of them, a crash behind each call with each
//! choice of what had reached the disk, and the recovery from that, which may crash as well.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper of tests fails the test that it helps")]

#[path = "crash_model/driver.rs"]
mod driver;
#[path = "crash_model/enumeration.rs"]
mod enumeration;

use driver::Style;
use enumeration::{Beginning, Counts, Enumeration};
use http_server::store::Durability;
use model::alphabet::Request;
use model::simulated::Simulated;

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

/// Every pair, which has each operation alone in it.
fn try_pairs(durability: Durability) -> Counts {
    let beginning = Beginning::of(BEGINNING);
    let mut counts = Counts::default();
    for plain in [false, true] {
        let mut enumeration = Enumeration::new(|disk: Simulated| disk, durability, plain);
        for first in 0..OPERATIONS.len() {
            for second in 0..OPERATIONS.len() {
                let pair = [operation(first, 0), operation(second, 1)];
                enumeration.try_sequence(&beginning, &pair).unwrap_or_else(|error| panic!("{error}"));
            }
        }
        counts += enumeration.counts;
    }
    counts
}

#[test]
fn every_crash_of_every_pair_leaves_what_is_allowed() {
    let started = std::time::Instant::now();
    let disk = try_pairs(Durability::Disk);
    let cache = try_pairs(Durability::Cache);
    println!("{disk:?} {cache:?} {:?}", started.elapsed());
}
