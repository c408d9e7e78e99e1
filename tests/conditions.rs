//! Conditional requests to the binary: who wins, and which version has which tag.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper of tests fails the test that it helps")]

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::scope;
use std::time::{Duration, SystemTime};

use http_server::http::date;
use model::wire::read_answers;
use tests::{Answer, Client, Server, exchange, request};

/// The answer to a request with one more field.
fn answer(client: &mut Client, line: &str, field: &str, content: &str) -> Answer {
    let head = String::from_utf8(request(line, content)).unwrap();
    let field = if field.is_empty() { String::new() } else { format!("\r\n{field}") };
    client.send(head.replacen("\r\nHost", &format!("{field}\r\nHost"), 1));
    client.answer(line.split(' ').next().unwrap())
}

/// Status and entity tag of the answer; an empty tag where it has none.
fn ask(client: &mut Client, line: &str, field: &str, content: &str) -> (u16, String) {
    let answer = answer(client, line, field, content);
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
        assert_eq!(ask(&mut client, "PUT /files/a", "If-None-Match: *", "other").0, 412);
        assert_eq!(ask(&mut client, "PUT /files/a", "Content-Range: bytes 0-1/2", "other").0, 400);
        assert_eq!(ask(&mut client, "PATCH /files/a", "Upload-Offset: 9", "other").0, 409);
        assert_eq!(ask(&mut client, "DELETE /files/a", "If-Match: \"x\"", "").0, 412);
        for cut_off in ["Content-Length: 9\r\n\r\nother", "Transfer-Encoding: chunked\r\n\r\n1\r\nab"] {
            for method in ["PUT", "PATCH"] {
                let mut client = server.connect();
                client.send(format!("{method} /files/a HTTP/1.1\r\nHost: h\r\n{cut_off}"));
                client.end();
                client.count_to_end();
            }
        }
        assert_eq!(ask(&mut client, "HEAD /files/a", "", ""), (200, kept.clone()));
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
    // The second in which it was is the one that had begun, before 1970 too.
    file.set_modified(SystemTime::UNIX_EPOCH - Duration::from_millis(1_000_500)).unwrap();
    for (second, expected) in [(18, 412), (19, 200), (20, 200)] {
        let field = format!("If-Unmodified-Since: Wed, 31 Dec 1969 23:43:{second} GMT");
        assert_eq!(ask(&mut client, "GET /files/a", &field, "").0, expected, "{field}");
    }
}

#[test]
fn what_was_written_just_now_was_not_modified_later() {
    let server = Server::start(&["--durability", "cache", "--quiet"]);
    let mut client = server.connect();
    let second = |answer: &Answer, name: &str| {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        date::parse(answer.field(name).unwrap().as_bytes(), now as i64).unwrap()
    };
    // Longer than a second, so that its end is among them.
    let begun = SystemTime::now();
    while begun.elapsed().unwrap() < Duration::from_millis(1100) {
        for line in ["PUT /files/a", "PATCH /files/a", "GET /files/a", "HEAD /files/a"] {
            let answer = answer(&mut client, line, "", if line.starts_with('P') { "x" } else { "" });
            let (modified, date) = (second(&answer, "last-modified"), second(&answer, "date"));
            assert!(modified <= date && date - modified <= 1, "{line}: {modified} at {date}");
        }
    }
}

/// What a file is asked to be, on the tree of `of_real_files`; `TAG` is the tag of `a`.
const OF_REAL_FILES: &[(&str, &str, u16)] = &[
    ("GET /files/a", "If-Match: W/TAG", 412),
    ("GET /files/a", "If-Match: TAG", 200),
    ("GET /files/a", "If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT", 200),
    ("GET /files/a", "If-Unmodified-Since: Thu Jan  1 00:00:00 1970", 412),
    ("GET /files/a", "If-Unmodified-Since: Fri, 31 Dec 9999 23:59:59 GMT", 200),
    ("GET /files/link", "If-Match: \"x\"", 403),
    ("GET /files/a/b", "If-Match: *", 404),
    ("GET /files/missing", "If-Match: *", 404),
    // A file that is there is in the way of POST whatever its version.
    ("POST /files/a", "If-Match: TAG", 409),
    ("POST /files/a", "If-None-Match: \"x\"", 409),
    ("POST /files/a", "If-Match: \"x\"", 412),
    ("POST /files/a", "If-None-Match: *", 412),
    ("PUT /files/a", "If-Match: \"x\"", 412),
    ("PUT /files/a", "If-Match: W/TAG", 412),
    ("PUT /files/a", "If-None-Match: W/TAG", 412),
    ("PUT /files/a", "If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT", 412),
    ("PATCH /files/a", "If-Match: \"x\"", 412),
    ("PATCH /files/a", "If-None-Match: *", 412),
    ("PATCH /files/a", "If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT", 412),
    ("PATCH /files/a", "Upload-Offset: 6", 409),
    ("PATCH /files/a", "Upload-Offset: 8", 409),
    ("DELETE /files/a", "If-Match: \"x\"", 412),
    ("DELETE /files/a", "If-None-Match: *", 412),
    ("DELETE /files/a", "If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT", 412),
    // RFC 9110 §13.2.1: what fails anyway fails as it would without a condition.
    ("PUT /files/d", "If-Match: \"x\"", 409),
    ("POST /files/d", "If-None-Match: *", 409),
    ("PATCH /files/d", "If-Match: \"x\"", 409),
    ("PATCH /files/d", "Upload-Offset: 1", 409),
    ("PUT /files/a/b", "If-Match: *", 409),
    ("PUT /files/link", "If-Match: *", 403),
    ("DELETE /files/link", "If-Match: \"x\"", 403),
    ("DELETE /files/", "If-Match: \"x\"", 403),
    ("DELETE /files/a/b", "If-None-Match: *", 404),
    ("DELETE /files/missing", "If-None-Match: *", 404),
    ("DELETE /files/missing", "If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT", 404),
    ("DELETE /files/d", "If-Match: *", 409),
    ("DELETE /files/d", "If-None-Match: \"x\"", 409),
    ("DELETE /files/d", "If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT", 409),
    // But for these: whoever names a version is told that it is not there.
    ("DELETE /files/missing", "If-Match: *", 412),
    ("DELETE /files/d", "If-Match: \"x\"", 412),
    ("DELETE /files/d/empty", "If-Match: TAG", 412),
    ("DELETE /files/d/empty", "If-None-Match: *", 412),
    ("PUT /files/p/new", "If-Match: *", 412),
    ("PATCH /files/p/new", "If-Match: TAG", 412),
    ("POST /files/p/new", "If-Match: *", 412),
    ("PATCH /files/p/new", "Upload-Offset: 1", 409),
    ("PATCH /files/new", "Upload-Offset: 1", 409),
];

#[test]
fn who_has_the_version_is_told_so_and_no_more() {
    let server = Server::start(&["--quiet"]);
    let made = exchange(&server, "PUT /files/a", "content");
    let (tag, modified) = (made.field("etag").unwrap(), made.field("last-modified").unwrap());
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(tests::PATIENCE)).unwrap();
    let conditions = [
        format!("If-None-Match: \"x\", W/{tag}"),
        "If-None-Match: *".to_owned(),
        format!("If-Modified-Since: {modified}"),
        "If-Modified-Since: Friday, 31-Dec-60 23:59:59 GMT\r\nRange: bytes=0-1".to_owned(),
    ];
    for condition in &conditions {
        for method in ["GET", "HEAD"] {
            write!(stream, "{method} /files/a HTTP/1.1\r\nHost: h\r\n{condition}\r\n\r\n").unwrap();
        }
    }
    write!(stream, "GET /echo/end HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").unwrap();
    let mut received = Vec::new();
    stream.read_to_end(&mut received).unwrap();
    // The client of the other tests wants a length with 304.
    let answers = read_answers(&received, &[]).unwrap();
    let [not_modified @ .., end] = &answers[..] else { panic!("no answers") };
    assert_eq!((not_modified.len(), &*end.content), (2 * conditions.len(), &b"end"[..]));
    for answer in not_modified {
        let names: Vec<&str> = answer.fields.keys().map(String::as_str).collect();
        assert_eq!((answer.status, names), (304, vec!["date", "etag", "last-modified"]));
        assert_eq!((answer.field("etag"), answer.field("last-modified")), (tag, modified));
    }
}

#[test]
fn what_does_not_hold_of_real_files_changes_nothing() {
    let long = "x".repeat(300_000);
    for durability in ["cache", "disk"] {
        let server = Server::start(&["--durability", durability, "--quiet"]);
        let directory = server.directory();
        fs::create_dir_all(directory.join("d/empty")).unwrap();
        std::os::unix::fs::symlink("a", directory.join("link")).unwrap();
        let tag = exchange(&server, "PUT /files/a", "content").field("etag").unwrap().to_owned();
        for (line, field, expected) in OF_REAL_FILES {
            // Some content is gathered, some is staged.
            let contents = if line.starts_with('P') { &["x", &*long][..] } else { &[""] };
            for content in contents {
                let answer = answer(&mut server.connect(), line, &field.replace("TAG", &tag), content);
                assert_eq!(answer.status, *expected, "{line} {field}, {} bytes", content.len());
                let at = answer.field("upload-offset").map(str::to_owned);
                let differs = field.starts_with("Upload-Offset") && !line.ends_with("/d");
                let length = if line.ends_with("/a") { "7" } else { "0" };
                assert_eq!(at, differs.then(|| length.to_owned()), "{line} {field}");
            }
            assert_eq!(fs::read(directory.join("a")).unwrap(), b"content", "{line} {field}");
            assert!(directory.join("d/empty").is_dir() && !directory.join("p").exists(), "{line} {field}");
            assert!(!directory.join("new").exists(), "{line} {field}");
        }
        let mut client = server.connect();
        assert_eq!(ask(&mut client, "HEAD /files/a", "", "").1, tag);
        // And what holds does, and what only readers ask is nothing to writers.
        let (status, longer) =
            ask(&mut client, "PATCH /files/a", &format!("Upload-Offset: 7\r\nIf-Match: {tag}"), "!");
        assert_eq!((status, fs::read(directory.join("a")).unwrap()), (200, b"content!".to_vec()));
        assert_eq!(ask(&mut client, "DELETE /files/a", &format!("If-Match: {tag}"), "").0, 412);
        assert_eq!(ask(&mut client, "DELETE /files/a", &format!("If-Match: \"x\", {longer}"), "").0, 200);
        assert_eq!(ask(&mut client, "DELETE /files/d/empty", "If-Match: *", "").0, 200);
        assert_eq!(ask(&mut client, "DELETE /files/d", "If-None-Match: \"x\"", "").0, 200);
        assert_eq!(ask(&mut client, "PATCH /files/p/new", "Upload-Offset: 0", "x").0, 201);
        let since = "If-Modified-Since: Fri, 31 Dec 9999 23:59:59 GMT";
        assert_eq!(ask(&mut client, "PATCH /files/p/new", since, "x").0, 200);
        assert_eq!(ask(&mut client, "PUT /files/p/new", since, &long).0, 200);
        assert_eq!(ask(&mut client, "DELETE /files/p/new", since, "").0, 200);
    }
}

/// So many clients make the same request at once; how many had each status.
fn race(server: &Server, clients: usize, line: &str, field: &str) -> [usize; 4] {
    let statuses: Vec<u16> = scope(|scope| {
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
    const CLIENTS: usize = 16;
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
            let tag = ask(&mut client, &format!("HEAD /files/{name}"), "", "").1;
            let patch = format!("PATCH /files/{name}");
            assert_eq!(race(&server, CLIENTS, &patch, &format!("If-Match: {tag}")), [1, 0, 0, CLIENTS - 1]);
            // Whoever deletes a version deletes it once.
            let tag = ask(&mut client, &format!("HEAD /files/{name}"), "", "").1;
            assert_eq!(
                race(&server, 4, &format!("DELETE /files/{name}"), &format!("If-Match: {tag}")),
                [1, 0, 0, 3]
            );
            // One version, and all that can become of it.
            let tag = ask(&mut client, &put, "", "x").1;
            let statuses = scope(|scope| {
                let change = |method: &'static str| {
                    let (mut client, line, field) =
                        (server.connect(), format!("{method} /files/{name}"), format!("If-Match: {tag}"));
                    let content = if method == "DELETE" { "" } else { "y" };
                    scope.spawn(move || ask(&mut client, &line, &field, content).0)
                };
                let methods = ["PUT", "DELETE", "PATCH"].into_iter().cycle().take(CLIENTS);
                let clients: Vec<_> = methods.map(change).collect();
                clients.into_iter().map(|client| client.join().unwrap()).collect::<Vec<_>>()
            });
            assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
            assert_eq!(statuses.iter().filter(|status| **status == 412).count(), CLIENTS - 1, "{statuses:?}");
        }
    }
}

// Goal: with tags no update is lost. Method: clients count up one number, each only from the
// version that it has read; all that was acknowledged must be in it.
#[test]
fn who_changes_what_it_has_read_loses_no_update() {
    const CLIENTS: usize = 8;
    const UPDATES: usize = 25;
    let server = Server::start(&["--durability", "cache", "--quiet"]);
    assert_eq!(exchange(&server, "PUT /files/number", "0").status, 201);
    let together = Barrier::new(CLIENTS);
    let in_vain: usize = scope(|scope| {
        let count_up = || {
            let (mut client, mut done, mut in_vain) = (server.connect(), 0, 0);
            together.wait();
            while done < UPDATES {
                let read = answer(&mut client, "GET /files/number", "", "");
                let number: usize = read.text().parse().unwrap();
                let field = format!("If-Match: {}", read.field("etag").unwrap());
                match ask(&mut client, "PUT /files/number", &field, &format!("{}", number + 1)).0 {
                    200 => done += 1,
                    412 => in_vain += 1,
                    status => assert_eq!(status, 200),
                }
            }
            in_vain
        };
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(count_up)).collect();
        clients.into_iter().map(|client| client.join().unwrap()).sum()
    });
    assert_eq!(exchange(&server, "GET /files/number", "").text(), (CLIENTS * UPDATES).to_string());
    assert!(in_vain > 0, "nobody was ever in another's way");
}

// The same with appends, each of which goes by the length that it was told.
#[test]
fn who_appends_where_it_was_told_appends_once() {
    const CLIENTS: usize = 8;
    const LINES: usize = 25;
    let server = Server::start(&["--durability", "cache", "--quiet"]);
    scope(|scope| {
        for number in 0..CLIENTS {
            let mut client = server.connect();
            scope.spawn(move || {
                let mut offset = "0".to_owned();
                for line in 0..LINES {
                    let line = format!("{number} {line}\n");
                    loop {
                        let field = format!("Upload-Offset: {offset}");
                        let answer = answer(&mut client, "PATCH /files/log", &field, &line);
                        match answer.status {
                            200 | 201 => break,
                            status => assert_eq!(status, 409),
                        }
                        offset = answer.field("upload-offset").unwrap().to_owned();
                    }
                    offset = (offset.parse::<usize>().unwrap() + line.len()).to_string();
                }
            });
        }
    });
    let log = fs::read_to_string(server.directory().join("log")).unwrap();
    let lines: BTreeSet<&str> = log.lines().collect();
    assert_eq!((log.lines().count(), lines.len()), (CLIENTS * LINES, CLIENTS * LINES));
}

// Goal: nobody is given the tag of what is not final. Method: readers ask while one client
// appends; what they were given must be among what it was given.
#[test]
fn every_tag_that_is_read_is_of_a_version_that_was_made() {
    const APPENDS: usize = 400;
    let server = Server::start(&["--durability", "disk", "--quiet"]);
    let first = exchange(&server, "PUT /files/a", "x").field("etag").unwrap().to_owned();
    let (appending, begun) = (AtomicBool::new(true), SystemTime::now());
    let (tags, read) = scope(|scope| {
        let readers = [(); 2].map(|()| {
            scope.spawn(|| {
                let (mut client, mut read) = (server.connect(), BTreeSet::new());
                while appending.load(Ordering::Relaxed) && begun.elapsed().unwrap() < tests::PATIENCE {
                    let answer = answer(&mut client, "HEAD /files/a", "", "");
                    let field = |name| answer.field(name).unwrap().to_owned();
                    read.insert((field("etag"), field("content-length")));
                }
                read
            })
        });
        let mut client = server.connect();
        let mut tags = BTreeSet::from([(first, "1".to_owned())]);
        for length in 2..APPENDS + 2 {
            let (status, tag) = ask(&mut client, "PATCH /files/a", "", "x");
            assert_eq!(status, 200);
            tags.insert((tag, length.to_string()));
        }
        appending.store(false, Ordering::Relaxed);
        (tags, readers.map(|reader| reader.join().unwrap()).into_iter().flatten().collect::<BTreeSet<_>>())
    });
    assert!(read.is_subset(&tags), "{:?}", read.difference(&tags).next());
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
        ("PATCH /files/a HTTP/1.1\r\nIf-Match: \"x\"", 412),
        ("PATCH /files/b HTTP/1.1\r\nUpload-Offset: 6", 409),
        ("PUT /files/a HTTP/1.1\r\nIf-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT", 412),
        ("PUT /files/b/c HTTP/1.1\r\nIf-Match: *", 412),
    ] {
        let method = line.split(' ').next().unwrap();
        for more in ["Expect: 100-continue\r\n", ""] {
            let mut client = server.connect();
            // None of it is sent.
            client.send(format!("{line}\r\nHost: h\r\n{more}Content-Length: 8388608\r\n\r\n"));
            let answer = client.answer(method);
            assert_eq!((answer.status, answer.closes()), (expected, true), "{line}");
        }
        // Who waits, and has little, waits as well.
        let mut client = server.connect();
        client.send(format!("{line}\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"));
        assert_eq!(client.answer(method).status, expected, "{line}");
        // Who does not say how much it is is told when the buffer is full.
        let mut client = server.connect();
        client.send(format!("{line}\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"));
        client.send(format!("8000\r\n{:a<32768}\r\n", "").repeat(24));
        assert_eq!(client.answer(method).status, expected, "{line}");
    }
    assert!(!server.directory().join("b").exists());
    assert_eq!(fs::read(server.directory().join("a")).unwrap(), b"content");
}
