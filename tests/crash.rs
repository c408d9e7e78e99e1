//! Crashes at random instants of a server that is written to: of the process by `kill -9`, of the
//! file system by a forced shutdown of an image that is mounted for the purpose.
//!
//! Goal: what was acknowledged is there afterwards, and what was in flight is wholly there or wholly
//! not. Method: writers with files of their own, each of which knows what has to be in them; after
//! each crash another server on the same directory is asked for all of them.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper of tests fails the test that it helps"
)]

#[path = "crash/image.rs"]
mod image;
#[path = "crash/load.rs"]
mod load;
#[path = "crash/random.rs"]
mod random;
#[path = "crash/reader.rs"]
mod reader;
#[path = "crash/tags.rs"]
mod tags;
#[path = "crash/tally.rs"]
mod tally;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use image::{BTRFS, EXT4, Image, Kind, Means, XFS};
use load::{Crash, Load};
use random::Random;
use tests::{Server, depth};

/// How many crashes: more where nobody waits for the result.
/// Microseconds from the start of the load to the death of the server.
const KILLS: Range<u64> = 0..60_000;
/// The same to the crash of a file system, where syncs take their time.
const POWER_CUTS: Range<u64> = 0..150_000;

const CACHE: [&str; 3] = ["--quiet", "--durability", "cache"];
const DISK: [&str; 3] = ["--quiet", "--durability", "disk"];

#[test]
fn a_killed_server_leaves_whole_requests() {
    let mut random = Random::from_environment("crash:kill");
    let home = Arc::new(tempfile::tempdir().unwrap());
    let mut load = Load::new(&mut random);
    let mut server = Server::start_in(Arc::clone(&home), &CACHE);
    for crash in 1..=depth().of(100, 300, 2_000) {
        let instant = Duration::from_micros(random.in_range(KILLS));
        load.run(&mut server, instant, Crash::Process, Server::kill);
        server = load.restart(&home, if crash % 2 == 0 { &CACHE } else { &DISK });
    }
    load.tally.record("crash:kill");
    let long_appends = load.tally.long_appends;
    assert!(long_appends >= 10, "long appends in flight: {long_appends}");
}

#[test]
fn a_crash_of_ext4_loses_nothing_acknowledged() {
    crash_file_system(&EXT4, "crash:ext4");
}

#[test]
fn a_crash_of_xfs_loses_nothing_acknowledged() {
    crash_file_system(&XFS, "crash:xfs");
}

#[test]
fn a_crash_of_btrfs_loses_nothing_acknowledged() {
    crash_file_system(&BTRFS, "crash:btrfs");
}

fn crash_file_system(kind: &Kind, check: &str) {
    let home = Arc::new(tempfile::tempdir().unwrap());
    let Some(mut image) = Image::new(kind, &home, check) else { return };
    let mut random = Random::from_environment(check);
    let mut load = Load::new(&mut random);
    let mut server = Server::start_in(Arc::clone(&home), &DISK);
    for _ in 0..depth().of(15, 60, 1_000) {
        let instant = Duration::from_micros(random.in_range(POWER_CUTS));
        match kind.crash {
            Means::Shutdown => {
                let shutdown = image.shutdown();
                load.run(&mut server, instant, Crash::Machine, |server| {
                    shutdown.happen();
                    server.kill();
                });
            }
            // First the server, because what it says while its disk is copied would be too new.
            Means::Copy => load.run(&mut server, instant, Crash::Process, |server| {
                server.kill();
                image.copy();
            }),
        }
        drop(server);
        image.remount();
        server = load.restart(&home, &DISK);
    }
    load.tally.record(check);
}
