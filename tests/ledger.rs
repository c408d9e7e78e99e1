//! The ledger's floors are what they seem: each line is well formed, stands there once, and is held
//! by a check that records it.

#![allow(clippy::unwrap_used, reason = "a helper of tests fails the test that it helps")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const FLOORS: &str = include_str!("floors.txt");

/// What is wrong with the floors, where the sources of the checks are these.
fn check(floors: &str, sources: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for line in floors.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let [check, counter, quick, full] = words[..] else {
            wrong.push(format!("{line:?} has not four words"));
            continue;
        };
        if !seen.insert((check, counter)) {
            wrong.push(format!("{check} {counter} stands there twice"));
        }
        match (quick.parse::<u64>(), full.parse::<u64>()) {
            (Ok(quick @ 1..), Ok(full)) if full >= quick => {}
            _ => wrong.push(format!("{line:?}: both floors are numbers, the second no less than the first")),
        }
        // Both by name, as a word of its own.
        for word in [check, counter] {
            if !sources.contains(&format!("\"{word}\"")) {
                wrong.push(format!("nobody records {word:?} of {line:?}"));
            }
        }
    }
    wrong
}

/// The text of all sources below a folder.
fn read_sources(folder: &Path, sources: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            read_sources(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.insert(path.to_str().unwrap().to_owned(), std::fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn each_floor_is_held_by_a_check() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = BTreeMap::new();
    for folder in [tests, &tests.join("../server/src"), &tests.join("../model/src")] {
        read_sources(folder, &mut sources);
    }
    sources.retain(|path, _| !path.ends_with("tests/ledger.rs"));
    let sources = sources.into_values().collect::<Vec<_>>().concat();
    let wrong = check(FLOORS, &sources);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(FLOORS.lines().count() > 20, "the floors are there");
}

#[test]
fn what_is_wrong_with_a_floor_is_found() {
    let sources = "record(\"a\", &[(\"n\", 1)])";
    assert!(check("# of n\n\na n 1 2\n", sources).is_empty());
    for wrong in
        ["a n 1", "a n 1 2 3", "a n 0 2", "a n 2 1", "a n 1 x", "b n 1 2", "a m 1 2", "a n 1 2\na n 1 2"]
    {
        assert_eq!(check(wrong, sources).len(), 1, "{wrong}");
    }
}
