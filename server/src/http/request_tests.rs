//! Heads as data: what they mean, or why they are refused.

use super::super::head::{HeadLimits, HeadReader};
use super::*;

const LIMITS: HeadLimits = HeadLimits { target_bytes_max: 100, head_bytes_max: 4096, head_fields_max: 40 };

fn parse(head: &[u8]) -> Result<Request<'_>, Rejection> {
    let end = HeadReader::default().find_end(head, &LIMITS)?.expect("the head is complete");
    Request::parse::<40>(head, end)
}

/// The framing or the refusal of a POST with `fields`.
fn check(fields: &str, expected: Result<Framing, Rejection>) {
    let head = format!("POST / HTTP/1.1\r\nHost: h\r\n{fields}\r\n");
    let framing = parse(head.as_bytes()).map(|request| request.framing);
    assert_eq!(framing, expected, "{fields:?}");
}

#[test]
fn length_is_one_decimal_number() {
    check("", Ok(Framing::Length(0)));
    check("Content-Length: 5\r\n", Ok(Framing::Length(5)));
    check("content-LENGTH:\t 0005 \t\r\n", Ok(Framing::Length(5)));
    for refused in ["", "-1", "+1", "0x1", "1, 1", "1 1", "99999999999999999999", "1.0", "a", "\"1\""] {
        check(&format!("Content-Length: {refused}\r\n"), Err(Rejection::ContentLength));
    }
    check("Content-Length: 5\r\nContent-Length: 5\r\n", Err(Rejection::ContentLengthRepeated));
}

#[test]
fn chunked_is_the_only_and_last_coding() {
    check("Transfer-Encoding: chunked\r\n", Ok(Framing::Chunked));
    check("Transfer-Encoding: ,Chunked ,\r\n", Ok(Framing::Chunked));
    check("Transfer-Encoding: \r\nTransfer-Encoding: chunked\r\n", Ok(Framing::Chunked));
    check("Transfer-Encoding: gzip, chunked\r\n", Err(Rejection::TransferCodingUnknown));
    check("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", Err(Rejection::TransferCodingUnknown));
    for refused in [
        "",
        "gzip",
        "chunked, gzip",
        "chunked, chunked",
        "xchunked",
        "chunked;a=b",
        "\"chunked\"",
        "identity",
    ] {
        check(&format!("Transfer-Encoding: {refused}\r\n"), Err(Rejection::TransferEncoding));
    }
    check("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", Err(Rejection::TransferEncoding));
    check("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", Err(Rejection::TransferEncoding));
}

#[test]
fn two_framings_are_none() {
    check("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", Err(Rejection::BothLengths));
    check("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", Err(Rejection::BothLengths));
    let old = parse(b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_eq!(old, Err(Rejection::TransferEncodingInHttp10));
}

#[test]
fn field_lines_are_a_name_a_colon_and_a_value() {
    check("A: \u{e9}\tb\r\nA:\r\n", Ok(Framing::Length(0)));
    for refused in [
        "A : b",
        " A: b",
        "A",
        ":b",
        "A\u{e9}: b",
        "A: b\u{0}",
        "A: b\u{7f}",
        "A: b\u{1}",
        "A(: b",
        "\"A\": b",
    ] {
        check(&format!("{refused}\r\n"), Err(Rejection::Field));
    }
    // RFC 9112 §5.2: a folded line is refused.
    check("A: b\r\n c\r\n", Err(Rejection::Field));
    check("A: b\r\n\tc\r\n", Err(Rejection::Field));
}

#[test]
fn host_stands_there_once() {
    let host =
        |fields: &str, version: &str| parse(format!("GET / {version}\r\n{fields}\r\n").as_bytes()).err();
    assert_eq!(host("Host: h:80\r\n", "HTTP/1.1"), None);
    assert_eq!(host("Host:\r\n", "HTTP/1.1"), Some(Rejection::Host));
    assert_eq!(host("", "HTTP/1.1"), Some(Rejection::HostMissing));
    assert_eq!(host("", "HTTP/1.0"), None);
    assert_eq!(host("Host: a\r\nhost: a\r\n", "HTTP/1.1"), Some(Rejection::HostRepeated));
    assert_eq!(host("Host: a\r\nhost: a\r\n", "HTTP/1.0"), Some(Rejection::HostRepeated));
    assert_eq!(host("Host: a b\r\n", "HTTP/1.1"), Some(Rejection::Host));
    let absolute = parse(b"GET http://h/a HTTP/1.1\r\n\r\n").err();
    assert_eq!(absolute, Some(Rejection::HostMissing));
}

#[test]
fn fields_of_one_value_stand_there_once() {
    for name in ["Content-Type", "content-range"] {
        check(&format!("{name}: a\r\n"), Ok(Framing::Length(0)));
        check(&format!("{name}: a\r\n{name}: a\r\n"), Err(Rejection::FieldRepeated));
    }
    // Among them names that are as long as one that may not.
    for name in ["Accept", "X", "X-Request-Id", "X-Request-Num"] {
        check(&format!("{name}: a\r\n{name}: b\r\n"), Ok(Framing::Length(0)));
    }
}

#[test]
fn connection_options_decide_about_persistence() {
    let persistent = |version: &str, fields: &str| {
        let head = format!("GET / {version}\r\nHost: h\r\n{fields}\r\n");
        parse(head.as_bytes()).map(|request| request.persistent)
    };
    for (version, fields, expected) in [
        ("HTTP/1.1", "", true),
        ("HTTP/1.1", "Connection: close\r\n", false),
        ("HTTP/1.1", "Connection: a, CLOSE\r\n", false),
        ("HTTP/1.1", "Connection: keep-alive\r\nConnection: close\r\n", false),
        ("HTTP/1.1", "Connection: closed\r\n", true),
        ("HTTP/1.0", "", false),
        ("HTTP/1.0", "Connection: Keep-Alive\r\n", true),
        ("HTTP/1.0", "Connection: keep-alive, close\r\n", false),
    ] {
        assert_eq!(persistent(version, fields), Ok(expected), "{version} {fields:?}");
    }
}

#[test]
fn only_100_continue_can_be_expected() {
    let expectation = |version: &str, fields: &str| {
        let head = format!("PUT / {version}\r\nHost: h\r\n{fields}\r\n");
        parse(head.as_bytes()).map(|request| request.expectation)
    };
    for (version, fields, expected) in [
        ("HTTP/1.1", "", Expectation::Nothing),
        ("HTTP/1.1", "Expect: 100-Continue\r\n", Expectation::Continue),
        ("HTTP/1.1", "Expect: 100-continue, other\r\n", Expectation::Unknown),
        ("HTTP/1.1", "Expect: other\r\nExpect: 100-continue\r\n", Expectation::Unknown),
        ("HTTP/1.0", "Expect: 100-continue\r\n", Expectation::Nothing),
        ("HTTP/1.0", "Expect: other\r\n", Expectation::Nothing),
    ] {
        assert_eq!(expectation(version, fields), Ok(expected), "{version} {fields:?}");
    }
}

#[test]
fn many_fields_are_read_like_few() {
    for count in [0, 23, 24, 25, 39] {
        let fields: String = (1..count).map(|number| format!("A{number}: b\r\n")).collect();
        let head = format!("GET / HTTP/1.1\r\nHost: h\r\n{fields}User-Agent: u\r\n\r\n");
        let request = parse(head.as_bytes());
        assert_eq!(request.map(|request| request.user_agent), Ok(Some(&b"u"[..])), "{count}");
    }
}

#[test]
fn a_field_is_known_by_its_name_and_not_by_its_length() {
    // As long as each name that is looked for.
    for length in [4, 5, 6, 8, 10, 12, 13, 14, 17, 19] {
        let head = format!("POST / HTTP/1.1\r\nHost: h\r\n{}: 1\r\n\r\n", "x".repeat(length));
        let plain = parse(b"POST / HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
        let request = parse(head.as_bytes()).unwrap();
        assert_eq!(request.user_agent, None, "{length}");
        assert_eq!(request.framing, plain.framing, "{length}");
    }
}
