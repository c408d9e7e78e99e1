//! How a case is driven: [`check`] sends it and holds what came back against what was expected.
//!
//! An expectation is a verdict, and fields of the last answer: `100 201 open | location: /files/a`.
//! The verdict lists all statuses, interim ones too, and what becomes of the connection. Whatever
//! is sent goes through twice, whole and byte by byte, and every answer is held against
//! [`inspect`], the rules that hold for all of them.

#![expect(clippy::panic, clippy::expect_used, reason = "a test says what is wrong by failing")]

use std::sync::Arc;

use http_server::limits::Limits;
use model::pump::{Files, Pump};
use model::scripted::Scripted;
use model::wire::{WireAnswer, read_answer};

/// What came of sending something.
#[derive(Debug, PartialEq)]
pub(super) struct Seen {
    pub(super) answers: Vec<WireAnswer>,
    pub(super) end: &'static str,
    pub(super) operations: Vec<String>,
}

impl Seen {
    pub(super) fn verdict(&self) -> String {
        let codes = self.answers.iter().map(|answer| format!("{} ", answer.status));
        codes.chain([self.end.to_owned()]).collect()
    }

    pub(super) fn last(&self) -> &WireAnswer {
        self.answers.last().expect("an answer")
    }
}

/// `{}` stands for what every request of HTTP/1.1 needs; one character is one byte.
pub(super) fn bytes(text: &str) -> Vec<u8> {
    let text = text.replace("{}", "HTTP/1.1\r\nHost: h\r\n");
    text.chars().map(|character| u8::try_from(u32::from(character)).expect("a byte")).collect()
}

pub(super) fn send_to<F: Files + Clone>(files: &F, text: &str) -> Seen {
    let sent = bytes(text);
    let head_only = text.starts_with("HEAD ");
    let mut pump = Pump::new(files.clone(), Arc::new(Limits::default()));
    pump.send(&sent);
    let mut answers = Vec::new();
    let mut rest = pump.output();
    while !rest.is_empty() {
        let (answer, length) = read_answer(rest, head_only)
            .unwrap_or_else(|error| panic!("{error}, answering {text:?}"))
            .unwrap_or_else(|| panic!("{} cut short, answering {text:?}", rest.escape_ascii()));
        inspect(&answer, head_only, text);
        rest = &rest[length..];
        answers.push(answer);
    }
    let end = match pump.end() {
        None => "open",
        Some(false) => "close",
        Some(true) => "linger",
    };
    if let Some(last) = answers.last().filter(|answer| answer.status >= 200) {
        assert_eq!(last.field("connection") == "close", end != "open", "{text:?}");
    }
    if sent.len() < 2000 {
        let mut slow = Pump::new(files.clone(), Arc::new(Limits::default()));
        sent.iter().for_each(|byte| slow.send(&[*byte]));
        assert_eq!(slow.output(), pump.output(), "byte by byte: {text:?}");
        assert_eq!(slow.operations(), pump.operations(), "byte by byte: {text:?}");
    }
    let operations = pump.operations().to_vec();
    Seen { answers, end, operations }
}

pub(super) fn send(text: &str) -> Seen {
    send_to(&Scripted::default(), text)
}

pub(super) fn check(text: &str, expected: &str) {
    let seen = send(text);
    let mut parts = expected.split(" | ");
    assert_eq!(Some(&*seen.verdict()), parts.next(), "{text:?}");
    for part in parts {
        let (name, value) = part.split_once(": ").expect("a field");
        assert_eq!(seen.last().field(name), value, "{name}, answering {text:?}");
    }
}

/// Cases of one form: each replaces the `@` in `text`.
pub(super) fn check_each(text: &str, cases: &[&str], expected: &str) {
    cases.iter().for_each(|case| check(&text.replace('@', case), expected));
}

const FIELDS_SENT: &[&str] = &[
    "accept-patch",
    "accept-ranges",
    "allow",
    "cache-control",
    "connection",
    "content-length",
    "content-range",
    "content-security-policy",
    "content-type",
    "date",
    "etag",
    "last-modified",
    "location",
    "referrer-policy",
    "retry-after",
    "upload-offset",
    "vary",
    "x-content-type-options",
];

/// What holds for every answer, whatever was asked.
pub(super) fn inspect(answer: &WireAnswer, head_only: bool, text: &str) {
    let interim = answer.status < 200;
    for (name, value) in &answer.fields {
        assert!(FIELDS_SENT.contains(&&**name) && !interim, "{name}: {value}, answering {text:?}");
        assert!(!value.is_empty() && value.trim() == value, "{name}: {value:?}, answering {text:?}");
        assert!(value.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{name}: {value:?}");
    }
    if interim {
        return;
    }
    assert_eq!(answer.field("date"), "Thu, 01 Jan 1970 00:00:00 GMT", "{text:?}");
    assert!(matches!(answer.field("connection"), "" | "close" | "keep-alive"), "{text:?}");
    let without_content = matches!(answer.status, 204 | 304);
    for name in ["content-type", "content-length", "x-content-type-options"] {
        assert_eq!(answer.field(name).is_empty(), without_content, "{name}, answering {text:?}");
    }
    assert!(!head_only || answer.content.is_empty(), "{text:?}");
    if answer.status >= 400 {
        assert_eq!(answer.field("content-type"), "text/plain; charset=utf-8", "{text:?}");
        let line = answer.content.strip_suffix(b"\n");
        let explains = line.is_some_and(|line| line.len() > 5 && !line.contains(&b'\n'));
        assert!(explains || head_only, "{:?}, answering {text:?}", answer.content);
    }
    assert_eq!(answer.status == 503, !answer.field("retry-after").is_empty(), "{text:?}");
    assert_eq!(matches!(answer.status, 201 | 301), !answer.field("location").is_empty(), "{text:?}");
    let (tag, modified) = (answer.field("etag"), answer.field("last-modified"));
    assert_eq!(tag.is_empty(), modified.is_empty(), "{text:?}");
    assert!(tag.is_empty() || matches!(answer.status, 200 | 201 | 206 | 304), "{text:?}");
    // RFC 9110 §8.8.2.1: not later than the answer.
    assert!(modified.is_empty() || modified == answer.field("date"), "{text:?}");
    let multipart = answer.field("content-type").starts_with("multipart/byteranges; boundary=");
    let part = !answer.field("content-range").is_empty();
    assert_eq!(part, answer.status == 416 || answer.status == 206 && !multipart, "{text:?}");
    let allow = answer.field("allow");
    assert_eq!(matches!(answer.status, 204 | 405), !allow.is_empty(), "{text:?}");
}
