//! Directories, files and links that another program exchanges while requests run.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::fd::AsFd;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use http_server::sys::file::{Place, rename};
use tests::{Server, ledger, tree};

const CLIENTS: usize = 3;

/// Exchanges `this` and `that` in `folder` as fast as it goes, until it is `over`; how often.
fn exchange_names(folder: &Path, over: &AtomicBool) -> u64 {
    let folder = File::open(folder).unwrap();
    let place = |name| Place { directory: folder.as_fd(), name };
    let mut exchanges = 0;
    while !over.load(Ordering::Relaxed) {
        rename(place(c"this"), place(c"that"), libc::RENAME_EXCHANGE).unwrap();
        exchanges += 1;
    }
    exchanges
}

/// Lets clients ask for `requests` again and again, while `this` and `that` in the server's directory
/// are exchanged. No answer holds the secret, and outside nothing is touched: each name that is made
/// or removed there, even for a moment, changes the times of its directory.
#[track_caller]
fn check(what: &str, server: &Server, time: Duration, requests: &[(&str, usize)]) -> BTreeMap<u16, u64> {
    let outside = tree(&server.outside("outside"));
    let over = AtomicBool::new(false);
    let (exchanges, statuses) = std::thread::scope(|scope| {
        let swapping = scope.spawn(|| exchange_names(server.directory(), &over));
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                scope.spawn(|| {
                    let mut statuses = BTreeMap::new();
                    let mut client = server.connect();
                    let start = Instant::now();
                    while start.elapsed() < time {
                        for (line, length) in requests {
                            let answer = client.ask(line, vec![b'w'; *length]);
                            let told = answer.content.windows(12).any(|bytes| bytes == b"not for them");
                            assert!(!told, "{line} got out");
                            *statuses.entry(answer.status).or_insert(0) += 1;
                            if answer.closes() {
                                client = server.connect();
                            }
                        }
                    }
                    statuses
                })
            })
            .collect();
        let mut all = BTreeMap::new();
        // Whatever becomes of the clients, the exchanges end.
        let results: Vec<_> = clients.into_iter().map(|client| client.join()).collect();
        over.store(true, Ordering::Relaxed);
        for (status, count) in results.into_iter().flat_map(Result::unwrap) {
            *all.entry(status).or_insert(0) += count;
        }
        (swapping.join().unwrap(), all)
    });
    assert_eq!(tree(&server.outside("outside")), outside, "{what}: outside has been touched");
    let answers: u64 = statuses.values().sum();
    println!("containment:swaps of={what} answers={statuses:?}");
    ledger::record("containment:swaps", &[("exchanges", exchanges), ("answers", answers)]);
    let known = [200, 201, 301, 403, 404, 409, 503];
    assert!(statuses.keys().all(|status| known.contains(status)), "{what}: {statuses:?}");
    statuses
}

/// `outside/secret` and `outside/sub/secret` beside the server's directory.
fn with_outside(flags: &[&str]) -> Server {
    let server = Server::start(flags);
    let outside = server.outside("outside");
    fs::create_dir_all(outside.join("sub")).unwrap();
    fs::write(outside.join("secret"), "not for them").unwrap();
    fs::write(outside.join("sub/secret"), "not for them").unwrap();
    server
}

/// Goal: nobody gets out by a directory that becomes a link, wherever it stands on the path, and
/// however much is still to be made below it.
#[test]
fn a_directory_that_becomes_a_link_lets_nobody_out() {
    for flags in [
        &["--durability", "cache", "--quiet"][..],
        &["--durability", "cache", "--quiet", "--follow-symlinks"],
    ] {
        let server = with_outside(flags);
        let base = server.directory();
        fs::create_dir_all(base.join("this/sub")).unwrap();
        fs::write(base.join("this/secret"), "inside").unwrap();
        symlink("../outside", base.join("that")).unwrap();
        let what = if flags.len() > 3 { "directory_followed" } else { "directory" };
        let statuses = check(
            what,
            &server,
            Duration::from_millis(1200),
            &[
                ("GET /files/this/secret", 0),
                ("GET /files/this/sub/secret", 0),
                ("DELETE /files/this/secret", 0),
                ("PUT /files/this/secret", 10),
                ("PATCH /files/this/secret", 10),
                // Staged, and published long after it was begun.
                ("PUT /files/this/secret", 200_000),
                ("PUT /files/this/new/far/below", 10),
                ("DELETE /files/this/new/far/below", 0),
                ("DELETE /files/this/new/far", 0),
                ("DELETE /files/this/new", 0),
                ("POST /files/this/sub/new", 10),
                ("GET /files/that/sub/new", 0),
                ("DELETE /files/this/sub/new", 0),
                ("DELETE /files/this/sub/secret", 0),
                ("DELETE /files/this/sub", 0),
            ],
        );
        assert!(statuses[&200] >= 10 && statuses[&201] >= 3 && statuses[&403] >= 10, "{statuses:?}");
    }
}

/// Goal: nobody reads, changes or removes a file outside by a link that takes a file's place. The link
/// itself may lose its name to a request that took it for the file: that is no way out.
#[test]
fn a_file_that_becomes_a_link_lets_nobody_out() {
    let server = with_outside(&["--durability", "cache", "--quiet"]);
    let base = server.directory();
    fs::write(base.join("this"), "inside").unwrap();
    symlink("../outside/secret", base.join("that")).unwrap();
    let statuses = check(
        "file",
        &server,
        Duration::from_millis(1200),
        &[
            ("GET /files/this", 0),
            ("HEAD /files/that", 0),
            ("GET /files/that", 0),
            ("PATCH /files/this", 10),
            ("PATCH /files/that", 10),
            ("POST /files/this", 10),
            ("GET /files/this/", 0),
            ("GET /files/this/below", 0),
            ("PUT /files/this/below", 10),
        ],
    );
    assert!(statuses[&200] >= 10 && statuses[&403] >= 10, "{statuses:?}");
}
