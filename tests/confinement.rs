//! What the running server has given up.
//!
//! Goal: a file outside of what the server needs cannot be opened by it, though its user may; and it serves,
//! reloads and ends all the same. Method: the one file that it opens again when it is told to, the
//! certificate, is made a link to a place that it has no business in, with and without confinement.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper of tests fails the test that it helps"
)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use tempfile::TempDir;
use tests::{Server, eventually, ledger};

/// A certificate and its key in a directory of its own.
fn pair_in(home: &TempDir, name: &str) {
    let directory = home.path().join(name);
    fs::create_dir(&directory).unwrap();
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(directory.join("certificate"), pair.cert.pem()).unwrap();
    fs::write(directory.join("key"), pair.signing_key.serialize_pem()).unwrap();
}

/// Points `named/certificate` and `named/key` to those in `to`.
fn point(home: &TempDir, to: &str) {
    for file in ["certificate", "key"] {
        let link = home.path().join("named").join(file);
        let _ = fs::remove_file(&link);
        symlink(Path::new("..").join(to).join(file), link).unwrap();
    }
}

fn start(home: &TempDir, flags: &[&str]) -> Server {
    let path = |name: &str| home.path().join("named").join(name).to_str().unwrap().to_owned();
    let (certificate, key) = (path("certificate"), path("key"));
    Server::start(&[&["--tls-certificate", &certificate, "--tls-key", &key], flags].concat())
}

/// Reloads, and waits until the log says what came of it.
fn reload(server: &Server, expected: &str) {
    let before = server.stderr().matches(expected).count();
    server.signal("HUP");
    eventually("the log says so", || server.stderr().matches(expected).count() > before);
}

#[test]
fn what_the_server_does_not_need_it_cannot_open() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("named")).unwrap();
    ["first", "elsewhere"].iter().for_each(|name| pair_in(&home, name));
    point(&home, "first");
    let server = start(&home, &[]);
    if !server.start_line().contains("confined by Landlock ") {
        ledger::skipped("confinement:running", "the kernel has no Landlock that is new enough");
        return;
    }
    // Where it was at the start, directly or by a link, it is found again.
    reload(&server, "the certificate was read again");
    point(&home, "elsewhere");
    reload(&server, "named/certificate: Permission denied");
    // Whoever is not confined may open it: it was that which forbade it.
    let free = start(&home, &["--landlock=false"]);
    assert!(free.start_line().contains("not confined"), "{}", free.start_line());
    point(&home, "first");
    reload(&free, "the certificate was read again");
    point(&home, "first");
    reload(&server, "the certificate was read again");
    ledger::record("confinement:running", &[("refused", 1)]);
}
