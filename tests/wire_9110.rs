//! RFC 9110 on the wire, as far as it binds an origin server: each case is what a peer sends and
//! what it must get. Here are methods, answers and expectations.

#[path = "wire_9110/check.rs"]
mod check;
#[path = "wire_9110/conditions.rs"]
mod conditions;
#[path = "wire_9110/heads.rs"]
mod heads;
#[path = "wire_9110/ranges.rs"]
mod ranges;

use std::sync::Arc;

use check::{Seen, check, check_each, inspect, send, send_to};
use http_server::clock::{Instant, Now};
use http_server::connection::{Connection, Output, Want};
use http_server::limits::Limits;
use http_server::store::operation::{Operation, Outcome, StoreError, StoreErrorKind};
use model::pump::Files;
use model::wire::read_answer;

const TARGETS: &[&str] = &[
    "/",
    "/echo/",
    "/echo/a%20b/c?d",
    "/echo/%",
    "/user-agent",
    "/files/a.html",
    "/files/empty",
    "/files/missing",
    "/files/full",
    "/files/new",
    "/files/a//b",
    "/files/../a",
    "/nothing",
    "http://h/echo/a",
    "https://h/echo/a",
    "ftp://h/",
    "*",
    "h:80",
];
const METHODS: &[&str] =
    &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "BREW", "get"];

#[test]
fn every_answer_keeps_the_rules_of_all() {
    let behind_line = [
        "\r\n",
        "Connection: close\r\n\r\n",
        "Expect: 100-continue\r\nContent-Length: 2\r\n\r\nab",
        "Expect: other\r\n\r\n",
        "Content-Range: bytes 0-1/9\r\nContent-Length: 2\r\n\r\nab",
        "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
        "Content-Length: x\r\n\r\n",
        "Content-Length: 2000000000000\r\n\r\n",
    ];
    for method in METHODS {
        for target in TARGETS {
            for behind in behind_line {
                send(&format!("{method} {target} {{}}{behind}"));
            }
            send(&format!("{method} {target} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
        }
    }
}

#[test]
fn head_is_get_without_content_everywhere() {
    let same = |get: Seen, head: Seen, text: &str| {
        let of = |seen: &Seen| {
            let answers = seen.answers.iter().map(|answer| (answer.status, answer.fields.clone()));
            (answers.collect::<Vec<_>>(), seen.end, seen.operations.clone())
        };
        assert_eq!(of(&get), of(&head), "{text:?}");
        assert!(head.answers.iter().all(|answer| answer.content.is_empty()), "{text:?}");
        assert!(!get.answers.is_empty(), "{text:?}");
    };
    let behind_targets = [
        " {}\r\n",
        " {}User-Agent: u\r\nConnection: close\r\n\r\n",
        " {}Expect: other\r\n\r\n",
        " {}Content-Length: 2\r\nExpect: 100-continue\r\n\r\nab",
        " {}Content-Length: 300000\r\n\r\n",
        " {}Transfer-Encoding: chunked\r\n\r\nx",
        " {}Content-Length: 1\r\nContent-Length: 1\r\n\r\n",
        " HTTP/1.0\r\n\r\n",
        " HTTP/1.1\r\n\r\n",
        " HTTP/3.0\r\n\r\n",
        " HTTP/x\r\n\r\n",
    ];
    for target in TARGETS {
        for behind in behind_targets {
            let text = format!("{target}{behind}");
            same(send(&format!("GET {text}")), send(&format!("HEAD {text}")), &text);
        }
    }
    for (kind, ..) in FAILURES {
        let files = Failing(*kind);
        let head = send_to(&files, "HEAD /files/a {}\r\n");
        same(send_to(&files, "GET /files/a {}\r\n"), head, &format!("{kind:?}"));
    }
    let long = format!("/{:a<17000} {{}}\r\n", "");
    same(send(&format!("GET {long}")), send(&format!("HEAD {long}")), "a long target");
}

/// Files that can do nothing, for one reason.
#[derive(Clone, Copy)]
struct Failing(StoreErrorKind);

impl Files for Failing {
    fn run(&mut self, _: Operation) -> Outcome {
        Outcome::Failed(StoreError { kind: self.0, call: "failing", source: None })
    }

    fn read(&mut self, _: u64, _: usize) -> Vec<u8> {
        Vec::new()
    }
}

/// What goes wrong; what a reader, a writer and a remover are told.
const FAILURES: &[(StoreErrorKind, u16, u16, u16)] = &[
    (StoreErrorKind::NotFound, 404, 404, 404),
    (StoreErrorKind::ParentIsFile, 404, 409, 404),
    (StoreErrorKind::FileExists, 409, 409, 409),
    (StoreErrorKind::IsDirectory, 404, 409, 409),
    (StoreErrorKind::NoSuchPlace, 400, 400, 400),
    (StoreErrorKind::TooManyToSort, 409, 409, 409),
    (StoreErrorKind::DirectoryNotEmpty, 409, 409, 409),
    (StoreErrorKind::IsBaseDirectory, 403, 403, 403),
    (StoreErrorKind::NotRegular, 403, 403, 403),
    (StoreErrorKind::NotPermitted, 403, 403, 403),
    (StoreErrorKind::Denied, 403, 403, 403),
    (StoreErrorKind::NameTooLong, 414, 414, 414),
    (StoreErrorKind::NoSpace, 507, 507, 507),
    (StoreErrorKind::FileTooLarge, 413, 413, 413),
    (StoreErrorKind::Busy, 503, 503, 503),
    (StoreErrorKind::InputOutput, 500, 500, 500),
    (StoreErrorKind::Broken, 500, 500, 500),
];

#[test]
fn each_failure_has_its_status_and_says_why() {
    for &(kind, read, write, delete) in FAILURES {
        for (method, expected) in
            [("GET", read), ("POST", write), ("PUT", write), ("PATCH", write), ("DELETE", delete)]
        {
            let seen = send_to(&Failing(kind), &format!("{method} /files/a {{}}\r\n"));
            assert_eq!(seen.verdict(), format!("{expected} open"), "{kind:?} {method}");
        }
    }
    // The one answer that no request precedes.
    let now = Now::new(Instant::default(), 0);
    let mut output = Output::default();
    let (_, want) = Connection::refused(Arc::new(Limits::default()), &now, &mut output);
    assert_eq!(want, Want::Close { linger: true });
    let (answer, _) = read_answer(&output.bytes, false).expect("well-formed").expect("whole");
    inspect(&answer, false, "a connection beyond the bound");
    assert_eq!((answer.status, answer.field("connection")), (503, "close"));
}

#[test]
fn methods_are_known_by_their_exact_names() {
    check_each("@ / {}\r\n", &["GET", "HEAD"], "200 open");
    check_each("@ / {}\r\n", &["POST", "PUT", "PATCH", "DELETE"], "405 open | allow: GET, HEAD, OPTIONS");
    let unknown = ["get", "Get", "GETT", "GE", "put", "PROPFIND", "TRACE", "!#$%&'*+-.^_`|~0aZ"];
    check_each("@ / {}\r\n", &unknown, "501 open");
    check_each("@ /nothing {}\r\n", &unknown, "501 open");
    check_each("@ /files/a {}Content-Length: 2\r\n\r\nabGET / {}\r\n", &unknown, "501 200 open");
    check_each("@ /nothing {}\r\n", &["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"], "404 open");
    check_each("@ / {}\r\n", &["G@T", "G\u{e9}T", "\"GET\"", "GE(T", "GET:", "[GET]"], "400 linger");
    check("CONNECT h:443 {}\r\n", "501 open");
    check_each("CONNECT @ {}\r\n", &["h:", "h", ":443", "h:65536", "h:x", "u@h:443", "/", "*"], "400 linger");
}

/// A resource allows exactly what it does not refuse with 405, and says the same in both places.
#[test]
fn allow_lists_the_methods_of_the_resource() {
    for target in ["/", "/echo/a", "/user-agent", "/files/a", "/files/"] {
        let options = send(&format!("OPTIONS {target} {{}}\r\n"));
        let allow = options.last().field("allow").to_owned();
        let allowed: Vec<&str> = allow.split(", ").collect();
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
            let seen = send(&format!("{method} {target} {{}}\r\n"));
            let refused = seen.last().status == 405;
            assert_eq!(refused, !allowed.contains(&method), "{method} {target}");
            assert!(!refused || seen.last().field("allow") == allow, "{method} {target}");
        }
        let patch = options.last().field("accept-patch");
        assert_eq!(patch.is_empty(), !allowed.contains(&"PATCH"), "{target}: RFC 5789 §3.1");
    }
    let all = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
    check("OPTIONS * {}\r\n", &format!("204 open | allow: {all} | content-length: "));
    check("OPTIONS http://h {}\r\n", &format!("204 open | allow: {all}"));
    check("OPTIONS /echo/a {}Content-Length: 2\r\n\r\nab", "204 open | allow: GET, HEAD, OPTIONS");
    check("OPTIONS /files/../a {}\r\n", "400 open");
}

#[test]
fn safe_methods_change_nothing() {
    for target in TARGETS {
        for behind in ["\r\n", "Content-Length: 2\r\n\r\nab", "Expect: 100-continue\r\n\r\n"] {
            for method in ["GET", "HEAD", "OPTIONS", "TRACE", "get", "BREW"] {
                let seen = send(&format!("{method} {target} {{}}{behind}"));
                let reads = |operation: &String| operation.starts_with("Open(");
                assert!(seen.operations.iter().all(reads), "{method} {target}: {:?}", seen.operations);
                assert!(seen.operations.is_empty() || matches!(method, "GET" | "HEAD"), "{method} {target}");
            }
        }
    }
}

#[test]
fn continue_is_sent_once_and_only_for_content_that_is_wanted() {
    let asked = "PUT /files/new {}Expect: 100-continue\r\nContent-Length: 3\r\n\r\n";
    check(asked, "100 open");
    check(&format!("{asked}abc"), "100 201 open");
    check(&format!("{asked}abc{asked}abc"), "100 201 100 201 open");
    check(&format!("GET /echo/a {{}}\r\n{asked}"), "200 100 open");
    check("GET /echo/a {}Expect: 100-continue\r\nContent-Length: 1\r\n\r\na", "100 200 open");
    check(
        "PUT /files/new {}Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        "100 201 open",
    );
    check_each(
        "PUT /files/new {}Expect: @\r\nContent-Length: 1\r\n\r\na",
        &[
            "100-Continue",
            "100-CONTINUE",
            ",100-continue,,",
            "100-continue, 100-continue",
            "\t100-continue \t",
        ],
        "100 201 open",
    );
    check_each(
        "PUT /files/new @\r\n",
        &[
            "{}Expect: 100-continue\r\n",
            "{}Expect: 100-continue\r\nContent-Length: 0\r\n",
            "{}Expect:\r\n",
            "{}Expect: ,\r\n",
        ],
        "201 open",
    );
    check(
        "PUT /files/new HTTP/1.2\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na",
        "100 201 open",
    );
    check_each(
        "PUT /files/new HTTP/1.0\r\nExpect: @\r\nContent-Length: 1\r\n\r\na",
        &["100-continue", "other"],
        "201 close",
    );
}

/// RFC 9110 §10.1.1: who waits before its content is answered without it, and learns that the
/// connection will be closed.
#[test]
fn refusal_stands_in_place_of_continue() {
    let waiting = "@Expect: 100-continue\r\nContent-Length: 3\r\n\r\n";
    check_each(waiting, &["PUT /files/missing {}", "PATCH /nothing {}"], "404 linger");
    check_each(waiting, &["PUT /files/full {}"], "507 linger");
    check_each(
        waiting,
        &["PUT /files/../a {}", "PUT /files/a {}Content-Range: bytes 0-1/2\r\n"],
        "400 linger",
    );
    check_each(waiting, &["PUT /echo/a {}", "POST / {}"], "405 linger | allow: GET, HEAD, OPTIONS");
    check_each(waiting, &["BREW /files/a {}"], "501 linger");
    check_each(waiting, &["PUT https://h/files/a {}"], "421 linger");
    let large = "@ {}Expect: 100-continue\r\nContent-Length: 1099511627777\r\n\r\n";
    check_each(large, &["PUT /files/a", "POST /files/a", "DELETE /files/a"], "413 linger");
    check_each(large, &["GET /echo/a", "GET /"], "200 linger");
    let unmet = [
        "other",
        "100-continue, other",
        "other, 100-continue",
        "100-continue\r\nExpect: other",
        "\"100-continue\"",
        "100-continue;a=b",
        "100-continue=1",
        "100-continu",
        "100-continue 100-continue",
        "a=\"b, 100-continue, c\"",
    ];
    check_each("GET /echo/a {}Expect: @\r\n\r\n", &unmet, "417 open");
    check_each("PUT /files/a {}Content-Length: 3\r\nExpect: @\r\n\r\n", &unmet, "417 linger");
    check_each("PUT /files/a {}Content-Length: 3\r\nExpect: @\r\n\r\nabcGET / {}\r\n", &unmet, "417 linger");
}

#[test]
fn partial_put_is_refused_and_nothing_else_with_its_range() {
    let ranges = ["bytes 0-1/9", "bytes */9", "bytes 0-1/*", "lines 1-2/3", "x", ""];
    let text = "@ {}Content-Length: 2\r\nContent-Range: #\r\n\r\nabGET /echo/a {}\r\n";
    for range in ranges {
        let text = text.replace('#', range);
        check_each(&text, &["PUT /files/a", "PUT /files/new"], "400 200 open");
        check_each(&text, &["POST /files/a"], "201 200 open");
        check_each(&text, &["PATCH /files/a", "DELETE /files/a", "GET /files/a"], "200 200 open");
        check_each(&text, &["PUT /echo/a"], "405 200 open");
        assert!(send(&text.replace('@', "PUT /files/a")).operations.is_empty(), "{range:?}");
    }
    let late = "PUT /files/a {}Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Range: bytes 0-1/2\r\n\r\n";
    check(late, "200 open");
}

#[test]
fn writes_say_what_became_of_them() {
    let said = |text: &str| {
        let seen = send(text);
        let content = String::from_utf8(seen.last().content.clone()).expect("text");
        format!("{} {}", seen.verdict(), content.trim_end())
    };
    assert_eq!(said("PUT /files/new {}\r\n"), "201 open created /files/new");
    assert_eq!(said("PATCH /files/new {}\r\n"), "201 open created /files/new");
    assert_eq!(said("POST /files/a/%c3%a9%2B {}\r\n"), "201 open created /files/a/%C3%A9%2B");
    assert_eq!(said("PUT /files/a {}\r\n"), "200 open replaced");
    assert_eq!(said("PATCH /files/a {}\r\n"), "200 open appended");
    assert_eq!(said("DELETE /files/a {}\r\n"), "200 open deleted");
}

#[test]
fn versions_of_the_major_that_is_spoken_are_answered() {
    check_each("GET / HTTP/1.@\r\nHost: h\r\n\r\n", &["1", "2", "9"], "200 open");
    check("GET / HTTP/1.0\r\n\r\n", "200 close");
    check_each("GET / HTTP/@\r\nHost: h\r\n\r\n", &["2.0", "0.9", "3.1", "9.9"], "505 linger");
    let refused = send("GET / HTTP/2.0\r\n\r\n");
    assert!(refused.last().content.windows(8).any(|window| window == b"HTTP/1.1"));
}
