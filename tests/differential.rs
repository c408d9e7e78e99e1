//! Our reading of requests against two others.
//!
//! Goal: what we accept, the grammar of the RFCs and `httparse` accept with equal parts; what we
//! refuse beyond that, we refuse on purpose. Method: requests near the grammar's edges, made by
//! mutating valid ones, through all three; every difference has to stand on a list, with its
//! reason and an example.

#![allow(clippy::unwrap_used, reason = "a helper of tests fails the test that it helps")]

use std::cell::RefCell;
use std::collections::BTreeMap;

use http_server::http::content::{ContentDecoder, Piece};
use http_server::http::head::{HeadEnd, HeadLimits, HeadReader};
use http_server::http::rejection::Rejection;
use http_server::http::request::Request;
use http_server::limits::{HEAD_FIELDS_CEILING, Limits};
use model::grammar::{Parts, Reading, read};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestRunner};
use tests::{depth, ledger};

/// What we refuse, why, and an example.
type Difference = (Rejection, &'static str, &'static str);

/// What the grammar allows and we refuse.
const STRICTER_THAN_THE_GRAMMAR: &[Difference] = &[
    (
        Rejection::ContentLengthRepeated,
        "RFC 9112 §6.3 lets equal lengths be taken as one; we need not",
        "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
    ),
    (
        Rejection::ContentLength,
        "RFC 9112 §6.3: the same for a list",
        "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1, 1\r\n\r\na",
    ),
    (
        Rejection::Host,
        "RFC 9110 §4.2.1: an empty host, or a port beyond 16 bits, is none of http",
        "GET / HTTP/1.1\r\nHost:\r\n\r\n",
    ),
    (
        Rejection::Target,
        "the same in a target, and of CONNECT: RFC 9110 §9.3.6",
        "CONNECT h:70000 HTTP/1.1\r\nHost: h\r\n\r\n",
    ),
    (
        Rejection::FieldRepeated,
        "RFC 9110 §5.3: two Content-Type could be read two ways",
        "PUT / HTTP/1.1\r\nHost: h\r\nContent-Type: a\r\nContent-Type: a\r\n\r\n",
    ),
];

/// What `httparse` takes for a head and we refuse.
const STRICTER_THAN_HTTPARSE: &[Difference] = &[
    (Rejection::BareLineFeed, "RFC 9112 §2.2: a line ends in CRLF", "GET / HTTP/1.1\nHost: h\n\n"),
    (
        Rejection::LeadingEmptyLines,
        "RFC 9112 §2.2: one empty line is enough",
        "\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
    ),
    (Rejection::Target, "RFC 9112 §3.2", "GET h HTTP/1.1\r\nHost: h\r\n\r\n"),
    (Rejection::RequestLineByte, "RFC 9112 §3.2", "GET /\u{e9} HTTP/1.1\r\nHost: h\r\n\r\n"),
    (Rejection::HostMissing, "RFC 9112 §3.2", "GET / HTTP/1.1\r\n\r\n"),
    (Rejection::HostRepeated, "RFC 9112 §3.2", "GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n"),
    (Rejection::Host, "RFC 9112 §3.2", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
    (Rejection::ContentLength, "RFC 9112 §6.3", "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\n"),
    (
        Rejection::ContentLengthRepeated,
        "RFC 9112 §6.3",
        "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    ),
    (
        Rejection::BothLengths,
        "RFC 9112 §6.3",
        "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    ),
    (
        Rejection::TransferEncoding,
        "RFC 9112 §6.3",
        "GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n",
    ),
    (
        Rejection::TransferCodingUnknown,
        "RFC 9112 §6.1",
        "GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    ),
    (
        Rejection::TransferEncodingInHttp10,
        "RFC 9112 §6.1",
        "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
    ),
    (
        Rejection::FieldRepeated,
        "RFC 9110 §5.3",
        "GET / HTTP/1.1\r\nHost: h\r\nContent-Type: a\r\nContent-Type: b\r\n\r\n",
    ),
];

/// Our verdict.
#[derive(Debug, PartialEq)]
enum Ours {
    Request { method: Vec<u8>, content: Vec<u8>, length: usize, head: HeadEnd },
    Refused(Rejection),
    Incomplete,
}

fn ours(bytes: &[u8]) -> Ours {
    try_ours(bytes).unwrap_or_else(Ours::Refused)
}

fn try_ours(bytes: &[u8]) -> Result<Ours, Rejection> {
    let limits = Limits::default();
    let head_limits = HeadLimits {
        target_bytes_max: limits.target_bytes_max,
        head_bytes_max: limits.head_bytes_max,
        head_fields_max: limits.head_fields_max,
    };
    let Some(head) = HeadReader::default().find_end(bytes, &head_limits)? else {
        return Ok(Ours::Incomplete);
    };
    let request = Request::parse::<HEAD_FIELDS_CEILING>(bytes, head)?;
    let method = request.line.split(|byte| *byte == b' ').next().unwrap_or_default().to_vec();
    let mut decoder = ContentDecoder::new(request.framing, limits.chunk_overhead_bytes_max);
    let mut rest = &bytes[head.length..];
    let mut content = Vec::new();
    loop {
        match decoder.next(&mut rest)? {
            Piece::Data(data) => content.extend_from_slice(data),
            Piece::Incomplete => return Ok(Ours::Incomplete),
            Piece::End => {
                return Ok(Ours::Request { method, content, length: bytes.len() - rest.len(), head });
            }
        }
    }
}

/// How a request was judged, for the count; an error where the verdicts do not go together.
fn compare(bytes: &[u8]) -> Result<&'static str, String> {
    let ours = ours(bytes);
    let differs = |who: &str, what: &dyn std::fmt::Debug| {
        Err(format!("{who}: {what:?}\nwe: {ours:?}\non {}", bytes.escape_ascii()))
    };
    let listed =
        |list: &[Difference], rejection: Rejection| list.iter().any(|(listed, ..)| *listed == rejection);
    match (&ours, read(bytes)) {
        (Ours::Request { method, content, length, .. }, Reading::Request(parts)) => {
            let Parts { method: their_method, content: their_content, length: their_length, .. } = &*parts;
            if (method, content, length) != (their_method, their_content, their_length) {
                return differs("the grammar", &parts);
            }
        }
        (Ours::Refused(rejection), Reading::Request(parts)) => {
            if !listed(STRICTER_THAN_THE_GRAMMAR, *rejection) {
                return differs("the grammar", &parts);
            }
        }
        (Ours::Request { .. }, reading) => return differs("the grammar", &reading),
        (Ours::Incomplete, Reading::Request(parts)) => return differs("the grammar", &parts),
        (Ours::Incomplete | Ours::Refused(_), Reading::Refused(_)) => {}
    }
    let mut places = [httparse::EMPTY_HEADER; 64];
    let mut theirs = httparse::Request::new(&mut places);
    let parsed = theirs.parse(bytes);
    match (&ours, parsed) {
        (Ours::Request { head, method, .. }, Ok(httparse::Status::Complete(length))) => {
            let same = length == head.length
                && theirs.headers.len() == head.fields
                && theirs.method.map(str::as_bytes) == Some(method);
            if !same {
                return differs("httparse", &theirs);
            }
        }
        // httparse knows no minor version beyond 1: RFC 9110 §2.5 has it read as 1.1.
        (Ours::Request { .. }, Err(httparse::Error::Version)) => return Ok("request of a later version"),
        (Ours::Request { .. }, parsed) => return differs("httparse", &parsed),
        (Ours::Refused(rejection), Ok(httparse::Status::Complete(_)))
            if is_of_the_head(*rejection) && !listed(STRICTER_THAN_HTTPARSE, *rejection) =>
        {
            return differs("httparse", &theirs);
        }
        _ => {}
    }
    Ok(match ours {
        Ours::Request { .. } => "request",
        Ours::Refused(_) => "refused",
        Ours::Incomplete => "incomplete",
    })
}

/// httparse reads heads alone.
fn is_of_the_head(rejection: Rejection) -> bool {
    !matches!(
        rejection,
        Rejection::ChunkSize
            | Rejection::ChunkExtension
            | Rejection::ChunkEnd
            | Rejection::Trailer
            | Rejection::ChunkOverhead
    )
}

fn valid_requests() -> impl Strategy<Value = Vec<u8>> {
    // What is usual is drawn more often than what is at an edge.
    let method = mostly("PUT", &["GET", "POST", "OPTIONS", "CONNECT", "X-Y"]);
    let target = mostly("/", &["/a?b", "*", "http://h/", "http://h:80", "https://[::1]/x", "h:80", "/%41|^"]);
    let version = mostly("HTTP/1.1", &["HTTP/1.0", "HTTP/1.5", "HTTP/2.0"]);
    const HOSTS: &[&str] = &["host:[::1]:80\r\n", "Host: %41.b:\r\n", "Host:\r\n", "Host: h:70000\r\n", ""];
    let host = mostly("Host: h\r\n", HOSTS);
    const OTHER: &[&str] = &[
        "X: y\r\n",
        "X:\r\n",
        "X: \u{e9}\t z \r\n",
        "Connection: close\r\n",
        "Content-Type: a\r\n",
        "Content-Type: a\r\nContent-Type: b\r\n",
        "Host: h\r\n",
    ];
    let fields = mostly("", OTHER);
    let sound = vec![
        ("", ""),
        ("Content-Length: 3\r\n", "abc"),
        ("Content-Length: 003\r\n", "abc"),
        ("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n"),
        ("Transfer-Encoding: Chunked\r\n", "03;a;b=c;d=\"e\\\"\"\r\nabc\r\n0\r\nT: u\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", "1 ; a = b\r\na\r\n00\r\n\r\n"),
    ];
    let doubtful = vec![
        ("Content-Length: 3, 3\r\n", "abc"),
        ("Content-Length: 3\r\nContent-Length: 3\r\n", "abc"),
        ("Content-Length: 3\r\nContent-Length: 4\r\n", "abcd"),
        ("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding: gzip\r\n", ""),
    ];
    let framing = prop_oneof![4 => select(sound), 1 => select(doubtful)];
    (method, target, version, host, fields, framing).prop_map(
        |(method, target, version, host, fields, (framing, content))| {
            format!("{method} {target} {version}\r\n{host}{fields}{framing}\r\n{content}").into_bytes()
        },
    )
}

/// `usual` in five of six cases, else one of `others`.
fn mostly(usual: &'static str, others: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop_oneof![5 => Just(usual), 1 => select(others)]
}

/// One small change at a place.
#[derive(Clone, Debug)]
enum Change {
    Insert(&'static [u8]),
    Replace(&'static [u8]),
    Remove,
    Repeat,
    /// Nothing comes from here on.
    Cut,
}

fn changes() -> impl Strategy<Value = Vec<(Index, Change)>> {
    let pieces: Vec<&'static [u8]> = vec![
        b" ",
        b"\t",
        b"\r",
        b"\n",
        b"\r\n",
        b"\r\n ",
        b":",
        b",",
        b";",
        b"=",
        b"\"",
        b"\\",
        b"0",
        b"1",
        b"9",
        b"f",
        b"x",
        b"-",
        b"+",
        b"%",
        b"#",
        b"/",
        b"@",
        b"[",
        b"]",
        b"\0",
        b"\x7f",
        b"\x80",
        b"\xff",
        b"(",
        b"chunked",
        b"Host: h\r\n",
        b"Content-Length: 1\r\n",
    ];
    let change = prop_oneof![
        select(pieces.clone()).prop_map(Change::Insert),
        select(pieces).prop_map(Change::Replace),
        Just(Change::Remove),
        Just(Change::Repeat),
        Just(Change::Cut),
    ];
    prop_oneof![2 => Just(Vec::new()), 6 => prop::collection::vec((any::<Index>(), change), 1..4)]
}

fn apply(mut bytes: Vec<u8>, changes: &[(Index, Change)]) -> Vec<u8> {
    for (index, change) in changes {
        if bytes.is_empty() {
            break;
        }
        let at = index.index(bytes.len());
        match change {
            Change::Insert(piece) => drop(bytes.splice(at..at, piece.iter().copied())),
            Change::Replace(piece) => drop(bytes.splice(at..=at, piece.iter().copied())),
            Change::Remove => drop(bytes.remove(at)),
            Change::Repeat => bytes.insert(at, bytes[at]),
            Change::Cut => bytes.truncate(at),
        }
    }
    bytes
}

#[test]
fn three_readings_agree_but_for_what_is_listed() {
    let cases = depth().of(100_000, 400_000, 50_000_000);
    let mut runner = TestRunner::new(Config { cases, ..Config::with_source_file(file!()) });
    let verdicts = RefCell::new(BTreeMap::new());
    let result = runner.run(&(valid_requests(), changes()), |(bytes, changes)| {
        let verdict = compare(&apply(bytes, &changes)).map_err(TestCaseError::fail)?;
        *verdicts.borrow_mut().entry(verdict).or_insert(0) += 1;
        Ok(())
    });
    result.unwrap();
    println!("differential: {:?}", verdicts.borrow());
    let count = |verdict| verdicts.borrow().get(verdict).copied().unwrap_or(0);
    let counts = ["request", "request of a later version", "refused", "incomplete"].map(count);
    let [accepted, later, refused, incomplete] = counts;
    ledger::record(
        "differential",
        &[
            ("cases", cases.into()),
            ("accepted", accepted),
            ("later_version", later),
            ("refused", refused),
            ("incomplete", incomplete),
        ],
    );
}

#[test]
fn each_listed_difference_is_one() {
    for (rejection, reason, example) in STRICTER_THAN_THE_GRAMMAR {
        assert_eq!(ours(example.as_bytes()), Ours::Refused(*rejection), "{reason}");
        assert!(matches!(read(example.as_bytes()), Reading::Request(_)), "{rejection:?}: {reason}");
    }
    for (rejection, reason, example) in STRICTER_THAN_HTTPARSE {
        assert_eq!(ours(example.as_bytes()), Ours::Refused(*rejection), "{reason}");
        let mut places = [httparse::EMPTY_HEADER; 64];
        let parsed = httparse::Request::new(&mut places).parse(example.as_bytes());
        assert!(matches!(parsed, Ok(httparse::Status::Complete(_))), "{rejection:?}: {reason}");
    }
}

#[test]
fn the_grammar_reads_known_requests() {
    let check = |bytes: &str, expected: Option<(&str, &str)>| match (read(bytes.as_bytes()), expected) {
        (Reading::Request(parts), Some((method, content))) => {
            assert_eq!(
                (&parts.method[..], &parts.content[..]),
                (method.as_bytes(), content.as_bytes()),
                "{bytes:?}"
            );
            assert_eq!(parts.length, bytes.len(), "{bytes:?}");
        }
        (Reading::Refused(_), None) => {}
        (reading, expected) => assert_eq!((None, Some(reading)), (expected, None), "{bytes:?}"),
    };
    check("GET / HTTP/1.1\r\nHost: h\r\n\r\n", Some(("GET", "")));
    check("\r\nPUT / HTTP/1.0\r\nContent-Length: 2\r\n\r\nab", Some(("PUT", "ab")));
    check(
        "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2;a=\"\\\"\"\r\nab\r\n0\r\nA: b\r\n\r\n",
        Some(("PUT", "ab")),
    );
    check("GET / HTTP/1.1\r\n\r\n", None);
    check("GET  / HTTP/1.1\r\nHost: h\r\n\r\n", None);
    check("GET / HTTP/1.1\nHost: h\n\n", None);
    check("GET / HTTP/1.1\r\nHost : h\r\n\r\n", None);
    check("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2 \r\nab\r\n0\r\n\r\n", None);
    check("GET / HTTP/1.1\r\nHo", None);
}
