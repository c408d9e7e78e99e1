//! What tests ask the machine.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::PATIENCE;

/// Waits until `condition` holds, and fails when it never does.
#[track_caller]
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Whether file permissions do not hold for this process.
pub fn am_root() -> bool {
    std::fs::metadata("/proc/self").expect("/proc is mounted").uid() == 0
}

/// How many files this process, and a server that it starts, may have open.
pub fn open_files_max() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").expect("/proc is mounted");
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))
        .expect("the kernel limits open files");
    let soft = line.split_whitespace().next().expect("a limit has a value");
    soft.parse().unwrap_or(usize::MAX)
}

/// Makes a FIFO: std cannot.
pub fn make_fifo(path: &Path) {
    let status = Command::new("mkfifo").arg(path).status().expect("mkfifo runs");
    assert!(status.success(), "mkfifo: {status}");
}
