//! File systems that refuse: full, read-only, out of inodes, or changed by somebody else meanwhile.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper of tests fails the test that it helps")]

#[path = "file_systems/names.rs"]
mod names;
#[path = "file_systems/permissions.rs"]
mod permissions;
#[path = "file_systems/space.rs"]
mod space;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use tests::{Client, Mount, Server, can_mount, eventually, ledger, request};

fn ask(client: &mut Client, line: &str, content: &[u8]) -> u16 {
    let head = format!("{line} HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", content.len());
    client.send([head.as_bytes(), content].concat());
    client.answer(line.split(' ').next().unwrap()).status
}

/// A server on a file system of its own in memory; nothing where that cannot be mounted.
fn server_in_memory(options: &str, flags: &[&str]) -> Option<(Server, Mount)> {
    let home = Arc::new(tempfile::tempdir().unwrap());
    let point = home.path().join("data");
    fs::create_dir(&point).unwrap();
    let Some(mount) = Mount::in_memory(options, &point) else {
        assert!(!can_mount(), "what could be mounted a moment ago");
        ledger::skipped("file_systems", "nothing can be mounted here");
        return None;
    };
    Some((Server::start_in(home, flags), mount))
}

/// What is in the server's own directory.
fn staged(base: &Path) -> usize {
    fs::read_dir(base.join(".http_server")).unwrap().count()
}

#[test]
fn a_full_disk_is_507_and_loses_nothing() {
    for durability in ["disk", "cache"] {
        let flags = ["--durability", durability, "--quiet"];
        let Some((server, _mount)) = server_in_memory("size=4m", &flags) else { return };
        let base = server.directory();
        let mut client = server.connect();
        assert_eq!(ask(&mut client, "PUT /files/kept", b"kept"), 201);
        assert_eq!(ask(&mut client, "PUT /files/log", &[b'l'; 1_000_000]), 201);
        let log = fs::metadata(base.join("log")).unwrap();
        for round in 0..3 {
            // Staged in parts, and written where the file is.
            for method in ["PUT", "POST", "PATCH"] {
                let name = if method == "POST" { "new/d/file" } else { "kept" };
                let status = ask(&mut client, &format!("{method} /files/{name}"), &[b'x'; 5_000_000]);
                assert_eq!(status, 507, "{method}, round {round}");
                client = server.connect();
            }
            // So much that one byte less is left than an append of what is gathered needs.
            let filling = filling(base, 200_000);
            fs::write(base.join("filling"), &filling).unwrap();
            assert_eq!(ask(&mut client, "PATCH /files/log", &[b'x'; 250_000]), 507);
            fs::remove_file(base.join("filling")).unwrap();
            assert_eq!(fs::read(base.join("kept")).unwrap(), b"kept");
            assert_eq!(fs::read(base.join("log")).unwrap(), [b'l'; 1_000_000]);
            assert_eq!(fs::metadata(base.join("log")).unwrap().modified().unwrap(), log.modified().unwrap());
            assert!(!base.join("new/d/file").exists());
            eventually("nothing is staged", || staged(base) == 0);
        }
        assert_eq!(ask(&mut client, "PUT /files/kept", &[b'y'; 1_000_000]), 200, "the room is back");
        assert_eq!(ask(&mut client, "PATCH /files/log", &[b'l'; 1_000_000]), 200);
        assert_eq!(fs::read(base.join("log")).unwrap(), [b'l'; 2_000_000]);
    }
}

/// As many bytes as leave `room` free.
fn filling(base: &Path, room: usize) -> Vec<u8> {
    let mut filling = vec![b'f'; 4 << 20];
    let fits = |length: usize| fs::write(base.join("filling"), vec![b'f'; length]).is_ok();
    while !fits(filling.len() + room) {
        filling.truncate(filling.len() - 4096);
    }
    filling
}

#[test]
fn many_clients_that_fill_a_disk_harm_nobody() {
    let Some((server, _mount)) = server_in_memory("size=8m", &["--quiet"]) else { return };
    let base = server.directory();
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let upload = |number: usize| {
            let server = &server;
            scope.spawn(move || {
                let mut statuses = Vec::new();
                for round in 0..4 {
                    let line = format!("PUT /files/{number}/{round}");
                    statuses.push(ask(&mut server.connect(), &line, &[b'x'; 700_000]));
                }
                statuses
            })
        };
        let clients: Vec<_> = (0..20).map(upload).collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    let count = |status| statuses.iter().filter(|other| **other == status).count();
    println!("file_systems:full created={} refused={}", count(201), count(507));
    assert!(count(201) >= 4 && count(201) <= 11, "{statuses:?}");
    assert_eq!(count(201) + count(507), 80, "{statuses:?}");
    eventually("nothing is staged", || staged(base) == 0);
    let mut files = 0;
    for number in 0..20 {
        for round in 0..4 {
            if let Ok(content) = fs::read(base.join(format!("{number}/{round}"))) {
                assert!(content == [b'x'; 700_000]);
                files += 1;
            }
        }
    }
    assert_eq!(files, count(201));
}

#[test]
fn a_disk_without_inodes_is_507() {
    let Some((server, _mount)) = server_in_memory("size=8m,nr_inodes=12", &["--quiet"]) else { return };
    let mut client = server.connect();
    let statuses: Vec<u16> =
        (0..20).map(|number| ask(&mut client, &format!("PUT /files/{number}"), b"x")).collect();
    assert_eq!(statuses.first(), Some(&201));
    assert_eq!(statuses.last(), Some(&507), "{statuses:?}");
    // In memory a record takes one, too. To remove gives one back.
    assert_eq!(ask(&mut client, "PATCH /files/0", b"y"), 507);
    assert_eq!(ask(&mut client, "DELETE /files/1", b""), 200);
    assert_eq!(ask(&mut client, "PATCH /files/0", b"y"), 200);
    assert_eq!(ask(&mut client, "PUT /files/2", b"z"), 200);
    assert_eq!(fs::read(server.directory().join("0")).unwrap(), b"xy");
}

#[test]
fn a_read_only_file_system_is_403_and_is_read() {
    let Some((server, mount)) = server_in_memory("size=8m", &["--quiet"]) else { return };
    let mut client = server.connect();
    assert_eq!(ask(&mut client, "PUT /files/d/file", b"content"), 201);
    mount.set_read_only(true);
    for line in ["PUT /files/d/file", "PATCH /files/d/file", "POST /files/new", "PUT /files/x/y/z"] {
        assert_eq!(ask(&mut client, line, b"other"), 403, "{line}");
        assert_eq!(ask(&mut server.connect(), line, &[b'x'; 600_000]), 403, "{line}");
    }
    assert_eq!(ask(&mut client, "DELETE /files/d/file", b""), 403);
    client.send(request("GET /files/d/file", ""));
    assert_eq!(client.answer("GET").text(), "content");
    mount.set_read_only(false);
    assert_eq!(ask(&mut client, "PATCH /files/d/file", b"!"), 200);
}

#[test]
fn a_read_only_base_directory_is_refused_at_the_start() {
    let home = tempfile::tempdir().unwrap();
    let point = home.path().join("data");
    fs::create_dir(&point).unwrap();
    let Some(_mount) = Mount::in_memory("size=1m,ro", &point) else { return };
    let output =
        std::process::Command::new(tests::binary()).args(["--port", "0"]).arg(&point).output().unwrap();
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{complaint}");
    assert!(complaint.contains("make it writable"), "{complaint}");
}

/// Goal: an answer that cannot be completed ends its connection, and no other. Method: somebody cuts
/// the file while a reader that is slow has taken a part of it.
#[test]
fn a_file_that_shrinks_while_it_is_sent_ends_that_connection() {
    const LENGTH: u64 = 256 << 20;
    let server = Server::start(&["--quiet"]);
    let path = server.directory().join("large");
    let file = fs::File::create(&path).unwrap();
    file.set_len(LENGTH).unwrap();
    let mut bystander = server.connect();
    let mut client = server.connect();
    client.send(request("GET /files/large", ""));
    let head = client.head("GET");
    assert_eq!(head.field("content-length"), Some(LENGTH.to_string().as_str()));
    file.set_len(1 << 20).unwrap();
    let received = client.count_to_end();
    assert!(received < LENGTH, "{received} bytes");
    assert_eq!(ask(&mut bystander, "PUT /files/other", b"x"), 201);
    assert_eq!(ask(&mut server.connect(), "GET /echo/a", b""), 200);
}
