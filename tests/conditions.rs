//! Conditional requests to the binary: who wins, and which version has which tag.

#![allow(clippy::unwrap_used, reason = "a helper of tests fails the test that it helps")]

use std::collections::BTreeSet;
use std::fs::File;
use std::time::{Duration, SystemTime};

use tests::{Client, Server, request};

/// Status and entity tag of the answer; an empty tag where it has none.
fn ask(client: &mut Client, line: &str, field: &str, content: &str) -> (u16, String) {
    let head = String::from_utf8(request(line, content)).unwrap();
    let field = if field.is_empty() { String::new() } else { format!("\r\n{field}") };
    client.send(head.replacen("\r\nHost", &format!("{field}\r\nHost"), 1));
    let answer = client.answer(line.split(' ').next().unwrap());
    (answer.status, answer.field("etag").unwrap_or_default().to_owned())
}

fn tag(client: &mut Client, name: &str) -> String {
    ask(client, &format!("GET /files/{name}"), "", "").1
}

#[test]
fn no_two_versions_have_one_tag() {
    const ROUNDS: usize = 250;
    let flags = ["--durability", "cache", "--quiet"];
    let mut server = Server::start(&flags);
    let mut seen = BTreeSet::new();
    for round in 0..4 {
        let mut client = server.connect();
        for _ in 0..ROUNDS {
            // Of one length, within one tick of the clock, and with inodes that are used again.
            for (line, content) in [("PUT /files/a", "x"), ("PATCH /files/a", "y"), ("PUT /files/a", "z")] {
                let (status, made) = ask(&mut client, line, "", content);
                assert!(matches!(status, 200 | 201), "{line}: {status}");
                assert_eq!(tag(&mut client, "a"), made, "{line}");
                assert!(seen.insert(made), "{line}: a tag comes twice");
            }
            assert_eq!(ask(&mut client, "DELETE /files/a", "", "").0, 200);
            assert!(seen.insert(ask(&mut client, "POST /files/a", "", "x").1), "a tag comes twice");
        }
        let kept = tag(&mut client, "a");
        // What fails changes nothing.
        assert_eq!(ask(&mut client, "POST /files/a", "", "other").0, 409);
        assert_eq!(ask(&mut client, "PUT /files/a", "If-Match: \"x\"", "other").0, 412);
        assert_eq!(ask(&mut client, "PATCH /files/a", "Upload-Offset: 9", "other").0, 409);
        assert_eq!(ask(&mut client, "PATCH /files/a", "", ""), (200, kept.clone()));
        server = server.kill_and_restart(&flags);
        assert_eq!(tag(&mut server.connect(), "a"), kept, "after start {round}");
    }
    assert_eq!(seen.len(), 4 * ROUNDS * 4);
}

#[test]
fn last_modified_is_never_later_than_date() {
    let server = Server::start(&["--quiet"]);
    let file = File::create(server.directory().join("a")).unwrap();
    let mut client = server.connect();
    for (modified, expected) in [
        (SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777), Some("Sun, 06 Nov 1994 08:49:37 GMT")),
        (SystemTime::UNIX_EPOCH - Duration::from_secs(1000), Some("Thu, 01 Jan 1970 00:00:00 GMT")),
        (SystemTime::now() + Duration::from_secs(100_000), None),
    ] {
        file.set_modified(modified).unwrap();
        client.send(request("GET /files/a", ""));
        let answer = client.answer("GET");
        assert_eq!(answer.status, 200);
        match expected {
            Some(date) => assert_eq!(answer.field("last-modified"), Some(date)),
            None => assert_eq!(answer.field("last-modified"), answer.field("date")),
        }
    }
}

/// So many clients make the same request at once; how many had each status.
fn race(server: &Server, clients: usize, line: &str, field: &str) -> [usize; 4] {
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..clients)
            .map(|number| {
                let mut client = server.connect();
                // Some content is gathered, some is staged.
                let content = format!("{number}").repeat(if number % 4 == 0 { 150_000 } else { 1 });
                scope.spawn(move || ask(&mut client, line, field, &content).0)
            })
            .collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    let counts = [200, 201, 409, 412].map(|status| statuses.iter().filter(|other| **other == status).count());
    assert_eq!(counts.iter().sum::<usize>(), statuses.len(), "{line}: {statuses:?}");
    counts
}

#[test]
fn of_those_who_want_the_same_one_wins() {
    const CLIENTS: usize = 12;
    for durability in ["cache", "disk"] {
        let server = Server::start(&["--durability", durability, "--quiet"]);
        let mut client = server.connect();
        for round in 0..15 {
            let name = format!("{round}/file");
            assert_eq!(race(&server, CLIENTS, &format!("POST /files/p{name}"), ""), [0, 1, CLIENTS - 1, 0]);
            let put = format!("PUT /files/{name}");
            assert_eq!(race(&server, CLIENTS, &put, "If-None-Match: *"), [0, 1, 0, CLIENTS - 1]);
            let tag = tag(&mut client, &name);
            assert_eq!(race(&server, CLIENTS, &put, &format!("If-Match: {tag}")), [1, 0, 0, CLIENTS - 1]);
            let patch = format!("PATCH /files/log{round}");
            assert_eq!(race(&server, CLIENTS, &patch, "Upload-Offset: 0"), [0, 1, CLIENTS - 1, 0]);
            // Whoever deletes a version deletes it once.
            let tag = ask(&mut client, &format!("HEAD /files/{name}"), "", "").1;
            let deleted = std::thread::scope(|scope| {
                let delete = || {
                    let (mut client, tag, name) = (server.connect(), &tag, &name);
                    let delete = format!("DELETE /files/{name}");
                    scope.spawn(move || ask(&mut client, &delete, &format!("If-Match: {tag}"), "").0)
                };
                let clients: Vec<_> = (0..4).map(|_| delete()).collect();
                clients.into_iter().map(|client| client.join().unwrap()).collect::<Vec<_>>()
            });
            assert_eq!(deleted.iter().filter(|status| **status == 200).count(), 1, "{deleted:?}");
            assert_eq!(deleted.iter().filter(|status| **status == 412).count(), 3, "{deleted:?}");
        }
    }
}

#[test]
fn a_doomed_upload_is_refused_before_its_content() {
    let server = Server::start(&["--quiet"]);
    let mut client = server.connect();
    assert_eq!(ask(&mut client, "PUT /files/a", "", "content").0, 201);
    for (line, expected) in [
        ("PUT /files/a HTTP/1.1\r\nIf-Match: \"x\"", 412),
        ("PUT /files/a HTTP/1.1\r\nIf-None-Match: *", 412),
        ("POST /files/a HTTP/1.1", 409),
        ("PATCH /files/a HTTP/1.1\r\nUpload-Offset: 6", 409),
        ("PUT /files/b/c HTTP/1.1\r\nIf-Match: *", 412),
    ] {
        let method = line.split(' ').next().unwrap();
        for more in ["Expect: 100-continue\r\n", ""] {
            let mut client = server.connect();
            // None of it is sent.
            client.send(format!("{line}\r\nHost: h\r\n{more}Content-Length: 8000000\r\n\r\n"));
            assert_eq!(client.answer(method).status, expected, "{line}");
        }
    }
    assert!(!server.directory().join("b").exists());
    assert_eq!(std::fs::read(server.directory().join("a")).unwrap(), b"content");
}
