//! Every schedule of what two threads share: starts the exploration, which needs a build of its
//! own, and holds its ledger against the list of what has to be explored.

use std::path::Path;
use std::process::Command;

/// The models, each of which prints a ledger line. Without `--cfg loom` they would vanish silently.
const MODELS: [&str; 14] = [
    "address_counts",
    "bounded_count",
    "mailbox_1p",
    "mailbox_2p",
    "namespace",
    "panicking_job",
    "path_locks",
    "queue_1p_1c",
    "queue_1p_2c",
    "queue_1p_2c_2i",
    "queue_close_2c",
    "queue_full",
    "queue_push_close",
    "shutdown",
];

#[test]
fn every_schedule_is_explored() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let output = Command::new(env!("CARGO"))
        .args([
            "test",
            "--profile",
            "loom",
            "--package",
            "http_server",
            "--lib",
            "--target-dir",
            "target/loom",
        ])
        .args(["shared::schedules", "--", "--nocapture", "--test-threads=2"])
        .current_dir(workspace)
        .env("RUSTFLAGS", "--cfg loom")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .output()
        .expect("cargo can be started");
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{errors}");
    let mut explored = Vec::new();
    let mut total = 0;
    for line in text.lines().filter_map(|line| line.split_once("loom:").map(|(_, ledger)| ledger)) {
        println!("loom:{line}");
        let (name, executions, floor) =
            read_ledger(line).expect("a ledger line is `name executions=N floor=N`");
        assert!(floor > 0 && executions >= floor, "{line}");
        explored.push(name);
        total += executions;
    }
    explored.sort_unstable();
    assert_eq!(explored, MODELS);
    println!("loom executions={total}");
}

fn read_ledger(line: &str) -> Option<(&str, u64, u64)> {
    let mut words = line.split_ascii_whitespace();
    let name = words.next()?;
    let executions = words.next()?.strip_prefix("executions=")?.parse().ok()?;
    let floor = words.next()?.strip_prefix("floor=")?.parse().ok()?;
    Some((name, executions, floor))
}
