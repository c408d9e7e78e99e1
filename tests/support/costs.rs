//! What a request costs, as written down in `tests/costs.txt`: [`costs`].

use super::ledger;

/// A line each: the workload, what is counted, how many for one request.
const COSTS: &str = include_str!("../costs.txt");

/// Holds what was measured against what is written down: more than so much more, or less, of it is
/// wrong. All is printed before anything fails.
pub fn check(what: &str, measured: &[(&str, f64)], more: impl Fn(f64) -> f64) {
    let mut wrong = Vec::new();
    for &(name, cost) in measured {
        println!("costs: {name} {what}={cost:.2}");
        let known = of(name, what).unwrap_or_else(|| panic!("{name} {what} is not in costs.txt"));
        let more = more(known);
        if cost > known + more {
            wrong.push(format!("{name}: {cost:.2} {what} instead of {known}"));
        }
        if cost < known - 2.0 * more {
            wrong.push(format!("{name}: only {cost:.2} {what}: let costs.txt say so instead of {known}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    ledger::record("costs", &[(what, measured.len() as u64)]);
}

fn of(name: &str, what: &str) -> Option<f64> {
    let words = |line: &'static str| line.split_ascii_whitespace().collect::<Vec<_>>();
    let line = COSTS.lines().map(words).find(|words| words.len() == 3 && words[..2] == [name, what])?;
    line[2].parse().ok()
}
