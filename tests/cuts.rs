//! The chief property of the core.
//!
//! Goal: how the bytes arrive does not matter. Method: a stream of requests, some malformed, is
//! sent whole and cut at random; the answers, the operations and the end must be the same.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use http_server::limits::Limits;
use model::pump::Pump;
use model::scripted::Scripted;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use tests::{depth, ledger};

fn limits() -> Arc<Limits> {
    Arc::new(Limits {
        target_bytes_max: 60,
        head_bytes_max: 200,
        head_fields_max: 5,
        content_bytes_max: 600,
        content_buffer_bytes_max: 20,
        discard_bytes_max: 50,
        chunk_overhead_bytes_max: 40,
        requests_per_connection_max: 8,
        ..Limits::default()
    })
}

/// Everything that can be seen of a connection: answers, operations, end.
fn observe<'a>(parts: impl Iterator<Item = &'a [u8]>, finish: bool) -> (Vec<u8>, Vec<String>, Option<bool>) {
    let mut pump = Pump::new(Scripted::default(), limits());
    for part in parts {
        pump.send(part);
    }
    if finish {
        pump.finish();
    }
    // How many bytes lie unread when the end comes is a matter of cutting, and lingering with it.
    (pump.output().to_vec(), pump.operations().to_vec(), pump.end().map(|_| true))
}

fn request_lines() -> impl Strategy<Value = String> {
    let methods = select(vec!["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW", "G(T", ""]);
    let targets = select(vec![
        "/",
        "/echo/a%20b",
        "/echo/%",
        "/user-agent",
        "/files/a",
        "/files/empty",
        "/files/missing",
        "/files/full",
        "/files/full-later",
        "/files/new",
        "/files/a//b",
        "/files/..",
        "*",
        "http://h/echo/x",
        "x",
        "/a b",
        "/echo/0123456789012345678901234567890123456789012345678901234567890123456789",
    ]);
    let versions =
        select(vec!["HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/1.x", "\u{1}"]);
    (methods, targets, versions).prop_map(|(method, target, version)| format!("{method} {target} {version}"))
}

fn field_lines() -> impl Strategy<Value = String> {
    let fields = vec![
        "Connection: close",
        "Connection: keep-alive",
        "Expect: 100-continue",
        "Expect: other",
        "User-Agent: u",
        "Host: h",
        "A : b",
        " folded",
        "Name",
        "X: \u{e9}",
        "X: a\nb",
        "X: a\rb",
        "Content-Length: 2",
        "If-Match: \"1-ae1b981bc490a05-65\"",
        "If-None-Match: W/\"1-ae1b981bc490a05-64\", \"x\"",
        "If-None-Match: malformed",
        "If-Modified-Since: Sun Nov  6 08:49:37 1994",
        "Range: bytes=0-1, 90-",
        "Range: bytes=1-2",
        "Range: bytes=900-",
        "If-Range: \"1-ae1b981bc490a05-64\"",
        "Upload-Offset: 1",
        "X: 0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789",
    ];
    prop::collection::vec(select(fields), 0..4)
        .prop_map(|fields| fields.into_iter().map(|field| format!("{field}\r\n")).collect())
}

/// Field lines that frame content, and the content.
fn contents() -> impl Strategy<Value = (String, String)> {
    let length =
        (0_usize..70).prop_map(|length| (format!("Content-Length: {length}\r\n"), "c".repeat(length)));
    let chunk = (
        1_usize..40,
        select(vec!["", ";a", ";a=\"b\"", " ", ";", ";aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"]),
        select(vec!["\r\n", "\r\n", "\r\n", "\r\n", "\n", "x"]),
    )
        .prop_map(|(size, extension, end)| format!("{size:x}{extension}\r\n{}{end}", "d".repeat(size)));
    let trailers = select(vec!["", "", "T: u\r\n", "T u\r\n"]);
    let chunked = (prop::collection::vec(chunk, 0..4), trailers).prop_map(|(chunks, trailers)| {
        ("Transfer-Encoding: chunked\r\n".to_owned(), format!("{}0\r\n{trailers}\r\n", chunks.concat()))
    });
    prop_oneof![3 => Just((String::new(), String::new())), 2 => length, 2 => chunked]
}

fn requests() -> impl Strategy<Value = String> {
    let usual = select(vec![
        "GET /echo/a HTTP/1.1",
        "GET /files/a HTTP/1.1",
        "PUT /files/a HTTP/1.1",
        "POST /files/new HTTP/1.1",
        "DELETE /files/a HTTP/1.1",
    ])
    .prop_map(str::to_owned);
    let line = prop_oneof![3 => usual, 2 => request_lines()];
    let fields = prop_oneof![3 => Just(String::new()), 1 => field_lines()];
    let before = select(vec!["", "", "", "\r\n", "\r\n\r\n", "\n"]);
    (before, line, fields, contents()).prop_map(|(before, line, fields, (framing, content))| {
        format!("{before}{line}\r\nHost: h\r\n{fields}{framing}\r\n{content}")
    })
}

#[test]
fn cutting_changes_nothing() {
    let cases = depth().of(60_000, 120_000, 20_000_000);
    let mut runner = TestRunner::new(Config { cases, ..Config::with_source_file(file!()) });
    let streams =
        (prop::collection::vec(requests(), 1..7), prop::collection::vec(1_usize..90, 1..40), any::<bool>());
    let statuses = RefCell::new(BTreeMap::new());
    let operations = RefCell::new(BTreeMap::new());
    let result = runner.run(&streams, |(requests, cuts, finish)| {
        let stream = requests.concat().into_bytes();
        let whole = observe(std::iter::once(&stream[..]), finish);
        let byte_by_byte = observe(stream.chunks(1), finish);
        prop_assert_eq!(&whole, &byte_by_byte);
        let mut rest = &stream[..];
        let mut sizes = cuts.iter().copied().cycle();
        let parts = std::iter::from_fn(|| {
            let (part, behind) = rest.split_at(sizes.next()?.min(rest.len()));
            rest = behind;
            (!part.is_empty()).then_some(part)
        });
        prop_assert_eq!(&whole, &observe(parts, finish));
        for status in whole.0.split(|&byte| byte == b'\n').filter_map(|line| line.strip_prefix(b"HTTP/1.1 "))
        {
            *statuses.borrow_mut().entry(String::from_utf8_lossy(&status[..3]).into_owned()).or_insert(0) +=
                1;
        }
        for operation in &whole.1 {
            let name = operation.split('(').next().unwrap_or_default().to_owned();
            *operations.borrow_mut().entry(name).or_insert(0) += 1;
        }
        Ok(())
    });
    println!("cuts: {statuses:?} {operations:?}");
    result.unwrap();
    ledger::record("cuts", &[("cases", cases.into())]);
    let few = |seen: &RefCell<BTreeMap<String, u32>>, name: &str| {
        seen.borrow().get(name).is_none_or(|count| *count < 20)
    };
    let statuses_wanted =
        "100 200 201 204 206 304 400 404 405 412 413 414 416 417 431 501 505 507".split(' ');
    let missing: Vec<_> = statuses_wanted.filter(|status| few(&statuses, status)).collect();
    assert!(missing.is_empty(), "the streams hardly ever led to {missing:?}");
    let operations_wanted = ["Open", "Stage", "Write", "Publish", "Store", "Delete"];
    let missing: Vec<_> =
        operations_wanted.into_iter().filter(|operation| few(&operations, operation)).collect();
    assert!(missing.is_empty(), "the streams hardly ever led to {missing:?}");
}
