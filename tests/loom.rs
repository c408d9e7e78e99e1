//! Every schedule of what threads share: starts the exploration, which needs a build of its own, and
//! holds it against the list of what has to be explored, which the floors are.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use tests::ledger;

/// What belongs to one search.
struct Explored {
    executions: u64,
    seconds: f32,
}

#[test]
fn every_schedule_is_explored() {
    let mut flags = std::env::var("RUSTFLAGS").unwrap_or_default();
    flags.push_str(" --cfg loom");
    // Beside what this test was built into: `target/loom`, where nobody has said otherwise.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("loom");
    let mut command = Command::new(env!("CARGO"));
    command
        .args(["test", "--profile", "loom", "--package", "http_server", "--package", "model", "--lib"])
        .arg("--target-dir")
        .arg(target)
        .args(["schedules::", "--", "--nocapture", "--test-threads=2"])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .env("RUSTFLAGS", flags)
        // It would hide the flags.
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    // It would plant a bug; `tests/seeded_bugs.rs` does so by itself.
    command.env_remove("SEEDED_BUG");
    // A search that these end early would pass. How deep it goes is said by `VERIFY`, which is handed on.
    for (variable, _) in std::env::vars_os() {
        let variable = variable.to_string_lossy().into_owned();
        assert!(!variable.starts_with("LOOM_"), "{variable} is set, which changes the search");
    }
    let output = command.output().expect("cargo can be started");
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{errors}");

    let lines = text.lines().filter_map(|line| line.split_once("explored loom:").map(|(_, line)| line));
    let mut explored = BTreeMap::new();
    for line in lines {
        println!("loom:{line}");
        let (name, found) = read_line(line).expect("a line is `name executions=N preemptions=N seconds=N`");
        assert!(explored.insert(format!("loom:{name}"), found).is_none(), "{name} was explored twice");
    }
    // Without `--cfg loom`, or with another name, they would vanish silently.
    let expected = ledger::checks("loom:").filter(|name| *name != "loom:all").collect::<Vec<_>>();
    assert_eq!(explored.keys().map(String::as_str).collect::<Vec<_>>(), expected);
    for (name, found) in &explored {
        ledger::record(name, &[("executions", found.executions)]);
    }
    let total = explored.values().map(|found| found.executions).sum();
    let models = explored.len() as u64;
    let seconds: f32 = explored.values().map(|found| found.seconds).sum();
    println!("loom: {seconds:.0} seconds, two at a time");
    ledger::record("loom:all", &[("executions", total), ("models", models)]);
}

fn read_line(line: &str) -> Option<(&str, Explored)> {
    let mut words = line.split_ascii_whitespace();
    let name = words.next()?;
    let executions = words.next()?.strip_prefix("executions=")?.parse().ok()?;
    words.next()?.strip_prefix("preemptions=")?;
    let seconds = words.next()?.strip_prefix("seconds=")?.parse().ok()?;
    words.next().is_none().then_some((name, Explored { executions, seconds }))
}
