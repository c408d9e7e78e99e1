//! One line on stderr for each request, that never holds a request up.
#![expect(clippy::panic, reason = "a helper of tests fails the test that it helps")]

use std::fs;
use std::path::Path;

use tests::{Server, Stderr, eventually, exchange, request};

/// What the server writes for so many requests. It may write behind its answers, not more than one line each.
#[track_caller]
fn log(server: Server, requests: usize) -> String {
    eventually("each request has its line", || server.stderr().lines().count() >= requests);
    let log = server.stop();
    assert_eq!(log.lines().count(), requests, "{log}");
    log
}

/// `address "request line" status bytes duration`
#[track_caller]
fn parts(line: &str) -> (&str, &str, &str, &str) {
    let parts = || {
        let (address, rest) = line.split_once(" \"")?;
        let (request_line, rest) = rest.rsplit_once("\" ")?;
        let [status, bytes, duration] = rest.split(' ').collect::<Vec<_>>().try_into().ok()?;
        let duration: &str = duration;
        duration.starts_with(|first: char| first.is_ascii_digit()).then_some((
            address,
            request_line,
            status,
            bytes,
        ))
    };
    parts().unwrap_or_else(|| panic!("no line of an access log: {line:?}"))
}

#[test]
fn each_request_has_its_line() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    let address = client.address();
    for (line, content) in [
        ("GET /echo/hello", ""),
        ("PUT /files/a", "content"),
        ("GET /files/a?query", ""),
        ("DELETE /files/a", ""),
        ("OPTIONS *", ""),
    ] {
        client.send(request(line, content));
        client.answer("GET");
    }
    let log = log(server, 5);
    let lines: Vec<_> = log.lines().map(parts).collect();
    let expected = [
        ("GET /echo/hello HTTP/1.1", "200", Some("5")),
        ("PUT /files/a HTTP/1.1", "201", None),
        ("GET /files/a?query HTTP/1.1", "200", Some("7")),
        ("DELETE /files/a HTTP/1.1", "200", None),
        ("OPTIONS * HTTP/1.1", "204", Some("0")),
    ];
    for ((from, request_line, status, bytes), (expected_line, expected_status, expected_bytes)) in
        lines.into_iter().zip(expected)
    {
        assert!(from == address.to_string() || from == address.ip().to_string(), "{from}");
        assert_eq!((request_line, status), (expected_line, expected_status));
        assert_eq!(bytes, expected_bytes.unwrap_or(bytes), "{request_line}");
    }
}

#[test]
fn no_request_can_forge_a_line_or_move_the_cursor() {
    let server = Server::start(&[]);
    let mut requests = 0;
    for byte in (0..=255).filter(|byte| !b"\r\n".contains(byte)) {
        let mut client = server.connect();
        client.send([b"GET /echo/a", &[byte][..], b"b HTTP/1.1\r\nHost: h\r\n\r\n"].concat());
        client.answer("GET");
        requests += 1;
    }
    // A quote must not end the request line before its end.
    let mut client = server.connect();
    client.send("GET /\" 200 5 0.1 HTTP/1.1\r\nHost: h\r\n\r\n");
    client.answer("GET");
    let log = log(server, requests + 1);
    let is_plain = |character: char| character == '\n' || !character.is_control();
    assert!(log.chars().all(is_plain), "{log:?}");
    for line in log.lines() {
        parts(line);
        assert_eq!(line.replace("\\\"", "").matches('"').count(), 2, "{line}");
    }
    assert!(log.contains("\"GET /echo/aAb HTTP/1.1\" 200 3 "), "{log}");
}

#[test]
fn refused_requests_have_their_line() {
    let server = Server::start(&[]);
    exchange(&server, "GET /missing", "");
    let mut client = server.connect();
    client.send("nonsense\r\n\r\n");
    assert_eq!(client.answer("GET").status, 400);
    let log = log(server, 2);
    let mut statuses: Vec<_> = log.lines().map(|line| parts(line).2).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, ["400", "404"], "{log}");
    assert!(log.contains("\"nonsense\" 400 "), "{log}");
}

#[test]
fn a_quiet_server_writes_nothing() {
    let server = Server::start(&["--quiet"]);
    exchange(&server, "GET /echo/a", "");
    exchange(&server, "GET /missing", "");
    assert_eq!(server.stop(), "");
}

#[test]
fn a_reader_that_never_comes_holds_nothing_up() {
    let mut server = Server::start_with(&[], Stderr::Stuck);
    let mut client = server.connect();
    let target = format!("/echo/{}", "x".repeat(1000));
    // 4 MB of lines: many times what a pipe holds.
    for _ in 0..40 {
        client.send(request(&format!("GET {target}"), "").repeat(100));
        for _ in 0..100 {
            assert_eq!(client.answer("GET").status, 200);
        }
    }
    server.connect().expect_alive();
    server.signal("TERM");
    assert_eq!(server.expect_exit().code(), Some(0));
}

/// What a file holds once it has so many lines.
#[track_caller]
fn file(path: &Path, lines: usize) -> String {
    let read = || fs::read_to_string(path).unwrap_or_default();
    eventually("each request has its line", || read().lines().count() >= lines);
    read()
}

#[test]
fn each_format_says_what_its_readers_expect() {
    let request =
        "GET /echo/a%22b HTTP/1.1\r\nHost: h\r\nReferer: http://r/\"x\r\nUser-Agent: agent/1 \u{ff}\r\n\r\n";
    let request: Vec<u8> = request.chars().map(|character| character as u8).collect();
    for (format, begin, end) in [
        ("short", "127.0.0.1:", "ms"),
        ("common", "127.0.0.1 - - [", "+0000] \"GET /echo/a%22b HTTP/1.1\" 200 3"),
        ("combined", "127.0.0.1 - - [", "\" 200 3 \"http://r/\\x22x\" \"agent/1 \\xff\""),
        ("json", "{\"time\":\"2", ",\"referrer\":\"http://r/\\\\x22x\",\"user_agent\":\"agent/1 \\\\xff\"}"),
    ] {
        let server = Server::start(&["--log-format", format]);
        let mut client = server.connect();
        client.send(&request);
        assert_eq!(client.answer("GET").status, 200);
        let log = log(server, 1);
        assert!(log.starts_with(begin) && log.trim_end().ends_with(end), "{format}: {log}");
    }
}

#[test]
fn a_file_takes_the_lines_and_is_begun_anew_on_sighup() {
    let home = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let (path, old) = (home.path().join("access.log"), home.path().join("access.log.1"));
    let server = Server::start(&["--log-format", "common", "--log-file", path.to_str().unwrap_or_default()]);
    exchange(&server, "GET /echo/one", "");
    assert!(file(&path, 1).contains("\"GET /echo/one HTTP/1.1\" 200 3"));
    fs::rename(&path, &old).unwrap_or_else(|error| panic!("{error}"));
    server.signal("HUP");
    eventually("the file is there again", || path.exists());
    exchange(&server, "GET /echo/two", "");
    assert!(file(&path, 1).contains("/echo/two"));
    assert_eq!(file(&old, 1).lines().count(), 1);
    // Nothing of it is on stderr.
    assert_eq!(server.stop(), "");
}

#[test]
fn a_file_that_cannot_be_had_ends_the_start_with_what_to_do() {
    let home = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let path = home.path().join("missing").join("access.log");
    let output = std::process::Command::new(tests::binary())
        .args(["--port=0", "--log-file"])
        .args([&path, &home.path().join("data")])
        .output()
        .unwrap_or_else(|error| panic!("{error}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), stderr.lines().count()), (Some(1), 1), "{stderr}");
    assert!(stderr.contains("cannot append to the log") && stderr.contains("--log-file"), "{stderr}");
    assert!(!home.path().join("data").exists(), "the directory was made");
}

/// Lines that cannot be written are lost, and requests go on; it is said once.
#[test]
fn a_full_disk_costs_lines_and_is_said_once() {
    let server = Server::start(&["--log-file", "/dev/full"]);
    for _ in 0..3 {
        exchange(&server, "GET /echo/a", "");
    }
    eventually("it is said", || server.stderr().contains("the log cannot be written"));
    assert_eq!(server.stop().lines().count(), 1);
}
