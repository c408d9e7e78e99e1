//! Every schedule of what two threads share: starts the exploration, which needs a build of its
//! own, and holds its ledger against the list of what has to be explored.

use std::path::Path;
use std::process::Command;

/// The models, each of which prints a ledger line. Without `--cfg loom` they would vanish silently.
const MODELS: [&str; 31] = [
    "address_counts",
    "bounded_count",
    "bounded_count_refusal",
    "kept_closed",
    "kept_given_back",
    "kept_swept",
    "mailbox_1p",
    "mailbox_2p",
    "mailbox_post_take",
    "namespace",
    "namespace_remover",
    "panicking_job",
    "path_locks",
    "path_locks_both",
    "path_locks_pinned",
    "path_locks_readers",
    "queue_1p_1c",
    "queue_1p_2c",
    "queue_1p_2c_2i",
    "queue_2p_2c",
    "queue_2p_full",
    "queue_close_2c",
    "queue_full",
    "queue_push_close",
    "queue_stolen_wake",
    "rounds_2",
    "rounds_3",
    "shutdown",
    "shutdown_2w",
    "stamps",
    "tally",
];

#[test]
fn every_schedule_is_explored() {
    let mut flags = std::env::var("RUSTFLAGS").unwrap_or_default();
    flags.push_str(" --cfg loom");
    // Beside what this test was built into: `target/loom`, where nobody has said otherwise.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("loom");
    let output = Command::new(env!("CARGO"))
        .args(["test", "--profile", "loom", "--package", "http_server", "--lib", "--target-dir"])
        .arg(target)
        .args(["shared::schedules", "--", "--nocapture", "--test-threads=2"])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .env("RUSTFLAGS", flags)
        // It would hide the flags.
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .output()
        .expect("cargo can be started");
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{errors}");

    let mut explored = Vec::new();
    let mut total = 0;
    for ledger in text.lines().filter_map(|line| line.split_once("loom:").map(|(_, ledger)| ledger)) {
        println!("loom:{ledger}");
        let (name, executions, floor) =
            read_ledger(ledger).expect("a ledger line is `name executions=N floor=N`");
        assert!(floor > 0 && executions >= floor, "{ledger}");
        explored.push(name);
        total += executions;
    }
    explored.sort_unstable();
    assert_eq!(explored, MODELS);
    println!("loom executions={total}");
}

fn read_ledger(ledger: &str) -> Option<(&str, u64, u64)> {
    let mut words = ledger.split_ascii_whitespace();
    let name = words.next()?;
    let executions = words.next()?.strip_prefix("executions=")?.parse().ok()?;
    let floor = words.next()?.strip_prefix("floor=")?.parse().ok()?;
    words.next().is_none().then_some((name, executions, floor))
}
