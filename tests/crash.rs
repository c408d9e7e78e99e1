//! Servers that die, and what is left of what they were told.
//!
//! Goal: whatever instant it is, everything that was acknowledged is there, the request that was under
//! way is wholly there or wholly not, and nothing of the server's own is left. Method: clients that
//! write to names of their own until the connection breaks, and then read every name again from a
//! server that was started anew on the same directory. `VERIFY=soak` lets it happen many more times.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper of tests fails the test that it helps")]

#[path = "crash/image.rs"]
mod image;
#[path = "crash/load.rs"]
mod load;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use image::{FileSystem, Image};
use load::{Files, InFlight, Random};
use tests::{Server, am_root};

const CLIENTS: u64 = 4;

/// What was found out about requests that were under way, by method: there, and absent.
#[derive(Debug, Default)]
struct Ledger {
    crashes: usize,
    acknowledged: u64,
    under_way: BTreeMap<&'static str, [u64; 2]>,
}

fn soak() -> bool {
    std::env::var("VERIFY").is_ok_and(|depth| depth == "soak")
}

fn random() -> Random {
    let seed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as u64;
    println!("crash: seed {seed}");
    Random(seed | 1)
}

/// Lets all clients write until `crash` has happened, within `microseconds` from now. It is given a flag
/// by which it can say that what clients hear from then on counts as not heard.
fn write_until(
    server: &Server,
    files: Vec<Files>,
    random: &mut Random,
    microseconds: u64,
    crash: impl FnOnce(&AtomicBool),
) -> Vec<Files> {
    let deaf = &AtomicBool::new(false);
    let address = server.address();
    std::thread::scope(|scope| {
        let clients: Vec<_> = files
            .into_iter()
            .map(|files| {
                let random = Random(random.next() | 1);
                scope.spawn(move || load::write_until_broken(address, files, random, deaf))
            })
            .collect();
        std::thread::sleep(Duration::from_micros(random.below(microseconds)));
        crash(deaf);
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    })
}

/// Reads every name, and holds it against what its client knows.
fn check(server: &Server, files: &mut [Files], ledger: &mut Ledger) {
    let mut client = server.connect();
    for files in files {
        ledger.acknowledged += std::mem::take(&mut files.acknowledged);
        let in_flight = files.in_flight.take();
        for (name, known) in &mut files.contents {
            client.send(format!("GET /files/{name} HTTP/1.1\r\nHost: h\r\n\r\n"));
            let answer = client.answer("GET");
            let there = match answer.status {
                200 => Some(answer.content),
                404 => None,
                status => panic!("{status} for {name}"),
            };
            match &in_flight {
                Some(InFlight { name: begun, method, result }) if begun == name => {
                    let (done, not) = (there == *result, there == *known);
                    assert!(done || not, "{method} of {name} was torn: {}", load::difference(&there, known));
                    ledger.under_way.entry(*method).or_default()[usize::from(!done)] += 1;
                    *known = there;
                }
                _ => assert!(there == *known, "{name} was lost: {}", load::difference(&there, known)),
            }
        }
    }
    let own: Vec<_> = std::fs::read_dir(server.directory().join(".http_server")).unwrap().collect();
    assert!(own.is_empty(), "leftovers: {own:?}");
}

#[test]
fn killed_servers_lose_and_tear_nothing() {
    let rounds = if soak() { 2000 } else { 60 };
    let mut random = random();
    for durability in ["cache", "disk"] {
        let flags = ["--durability", durability, "--quiet"];
        let mut ledger = Ledger::default();
        let mut server = Server::start(&flags);
        let mut files: Vec<Files> = (0..CLIENTS).map(Files::new).collect();
        for _ in 0..rounds / 2 {
            let pid = server.pid();
            files = write_until(&server, files, &mut random, 60_000, |_| load::kill(pid));
            assert!(files.iter().all(|files| !files.refused), "a sound file system was said to fail");
            server = server.kill_and_restart(&flags);
            check(&server, &mut files, &mut ledger);
            ledger.crashes += 1;
        }
        println!("crash:kill durability={durability} {ledger:?}");
        assert!(ledger.acknowledged > 20 * rounds / 2, "{ledger:?}");
        // Each method was under way when the server died, and some requests were there, others not.
        let [there, absent] = ledger.under_way.values().fold([0; 2], |[a, b], [c, d]| [a + c, b + d]);
        assert!(ledger.under_way.len() == 4 && there >= 2 && absent >= 10, "{ledger:?}");
    }
}

#[test]
fn file_systems_that_are_shut_down_keep_what_was_acknowledged() {
    let rounds = if soak() { 300 } else { 6 };
    let mut random = random();
    let (mut tried, mut skipped) = (0, 0);
    for file_system in [FileSystem::Ext4, FileSystem::Xfs] {
        let home = Arc::new(tempfile::tempdir().unwrap());
        let Some(mut image) = Image::mount(file_system, &home) else {
            println!("crash:shutdown {file_system:?} skipped");
            skipped += 1;
            continue;
        };
        let flags = ["--durability", "disk", "--quiet"];
        let mut ledger = Ledger::default();
        let mut files: Vec<Files> = (0..CLIENTS).map(Files::new).collect();
        for _ in 0..rounds {
            let server = Server::start_in(Arc::clone(&home), &flags);
            files = write_until(&server, files, &mut random, 150_000, |deaf| {
                // Power that is cut lets no answer out any more. A file system that is shut down lets the
                // server go on, and XFS has fsync of a directory succeed whose changes it just gave up.
                deaf.store(true, Ordering::SeqCst);
                image.shut_down();
            });
            drop(server);
            image.mount_again();
            let server = Server::start_in(Arc::clone(&home), &flags);
            check(&server, &mut files, &mut ledger);
            ledger.crashes += 1;
            drop(server);
        }
        println!("crash:shutdown {file_system:?} {ledger:?}");
        assert!(ledger.acknowledged > rounds, "{ledger:?}");
        tried += 1;
    }
    println!("crash:shutdown tried={tried} skipped={skipped}");
    let possible = am_root() && std::env::var_os("CI").is_some();
    assert!(!possible || skipped == 0, "`.ci/run` installs what this takes");
}
