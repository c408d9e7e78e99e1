//! The ledger: what each check has covered, a line each, held against the floors in
//! `tests/floors.txt`: [`record`].

use std::collections::BTreeSet;
use std::io::Write;

use super::depth::{Depth, depth};

/// A line each: the check, what is counted, the floor of a quick run, that of a full one.
const FLOORS: &str = include_str!("../floors.txt");

/// Prints the line of `check`, and fails where a count is below its floor: coverage does not shrink
/// unseen. A count without a floor fails as well.
pub fn record(check: &str, counts: &[(&str, u64)]) {
    let mut line = format!("ledger: {check}");
    let mut below = Vec::new();
    for (what, count) in counts {
        let floor = floor(check, what).unwrap_or_else(|| panic!("{check} {what} has no floor"));
        line.push_str(&format!(" {what}={count} floor={floor}"));
        if *count < floor {
            below.push(*what);
        }
    }
    write(&line);
    assert!(below.is_empty(), "below the floor: {below:?} in {line}");
}

/// The checks that have floors and begin so, in order.
pub fn checks(prefix: &str) -> impl Iterator<Item = &'static str> {
    let checks = FLOORS.lines().filter_map(|line| line.split_ascii_whitespace().next());
    checks.filter(move |check| check.starts_with(prefix)).collect::<BTreeSet<_>>().into_iter()
}

/// Prints that `check` was not made, and why.
pub fn skipped(check: &str, reason: &str) {
    write(&format!("ledger: {check} skipped=1 {reason}"));
}

/// To stdout, which is shown where a test fails, and to the file that `LEDGER` names: there all
/// lines of a run are together.
fn write(line: &str) {
    println!("{line}");
    if let Some(path) = std::env::var_os("LEDGER") {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
        // One write, so that lines of tests that run at once stay whole.
        file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes())).expect("LEDGER is a file");
    }
}

fn floor(check: &str, what: &str) -> Option<u64> {
    let line = FLOORS.lines().map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    let line = line.into_iter().find(|words| words.len() == 4 && words[0] == check && words[1] == what)?;
    let column = if depth() == Depth::Quick { 2 } else { 3 };
    line.get(column)?.parse().ok()
}
