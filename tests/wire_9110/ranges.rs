//! Range requests, RFC 9110 §14, of a file of 100 bytes: the alphabet again and again.
//!
//! In a case `TAG` stands for the file's entity tag.

use model::scripted::{FILE_BYTES, TAG};

use super::check::{check, check_each, send};

/// The bytes of the file.
fn file() -> Vec<u8> {
    (0..FILE_BYTES).map(|number| b'a' + (number % 26) as u8).collect()
}

/// Checks that `Range: value` is answered by one part, `first-last`.
fn part(value: &str, first: usize, last: usize) {
    let text = format!("GET /files/a {{}}Range: {value}\r\n\r\n");
    check(&text, &format!("206 open | content-range: bytes {first}-{last}/100 | etag: {TAG}"));
    let seen = send(&text);
    assert_eq!(seen.last().content, file()[first..=last], "{value}");
    assert_eq!(seen.last().field("content-length"), (last + 1 - first).to_string(), "{value}");
}

/// Checks that it is answered as if it were not there.
fn whole(text: &str) {
    let seen = send(&text.replace("TAG", TAG));
    assert_eq!(seen.verdict(), "200 open", "{text:?}");
    assert_eq!(seen.last().field("content-range"), "", "{text:?}");
    assert_eq!(seen.last().field("content-length"), "100", "{text:?}");
}

#[test]
fn one_range_is_one_part() {
    part("bytes=0-0", 0, 0);
    part("bytes=10-19", 10, 19);
    part("bytes=90-", 90, 99);
    part("bytes=-7", 93, 99);
    part("bytes=0-", 0, 99);
    part("BYTES=0-1", 0, 1);
    // Beyond the end there is nothing.
    part("bytes=95-200", 95, 99);
    part("bytes=-101", 0, 99);
    part("bytes=99-18446744073709551615", 99, 99);
    part("bytes=0-99999999999999999999999999", 0, 99);
    part("bytes=-99999999999999999999999999", 0, 99);
    // What there is of several, where that is one.
    part("bytes=0-1,200-300", 0, 1);
    part("bytes=200-,5-6,300-", 5, 6);
    part("bytes= 7-8 ,, ", 7, 8);
    part("bytes=0-10,5-20,15-30", 0, 30);
    part("bytes=0-1,10-11", 0, 11);
}

#[test]
fn ranges_that_are_not_there_are_416() {
    let unsatisfiable =
        ["100-", "100-200", "-0", "18446744073709551615-", "99999999999999999999-", "100-,200-"];
    check_each(
        "GET /files/a {}Range: bytes=@\r\n\r\n",
        &unsatisfiable,
        "416 open | content-range: bytes */100",
    );
    check("GET /files/empty {}Range: bytes=0-\r\n\r\n", "416 open | content-range: bytes */0");
    let many = vec!["0-1"; 101].join(",");
    check(&format!("GET /files/a {{}}Range: bytes={many}\r\n\r\n"), "416 open | content-range: bytes */100");
    part(&format!("bytes={}", vec!["0-1"; 100].join(",")), 0, 1);
}

#[test]
fn what_is_no_range_of_bytes_is_ignored() {
    for value in [
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=,",
        "bytes=5-4",
        "bytes=a-b",
        "bytes=0-1;2-3",
        "lines=0-1",
        "bytes:0-1",
    ] {
        whole(&format!("GET /files/a {{}}Range: {value}\r\n\r\n"));
    }
    // One part that is malformed spoils all, and two fields are none.
    whole("GET /files/a {}Range: bytes=0-1,x\r\n\r\n");
    whole("GET /files/a {}Range: bytes=0-1\r\nRange: bytes=2-3\r\n\r\n");
    // RFC 9110 §14.2: a range means something to GET alone.
    whole("HEAD /files/a {}Range: bytes=0-1\r\n\r\n");
    whole("HEAD /files/a {}Range: bytes=200-\r\n\r\n");
    check("PATCH /files/a {}Range: bytes=0-1\r\nContent-Length: 1\r\n\r\na", "200 open");
    check("GET /echo/abc {}Range: bytes=0-1\r\n\r\n", "200 open | content-length: 3");
    check("GET /files/missing {}Range: bytes=0-1\r\n\r\n", "404 open");
    // The last bytes of nothing are nothing, which no field can say.
    check("GET /files/empty {}Range: bytes=-5\r\n\r\n", "200 open | content-length: 0");
}

#[test]
fn a_range_is_of_the_version_that_if_range_names() {
    check(
        &format!("GET /files/a {{}}If-Range: {TAG}\r\nRange: bytes=0-1\r\n\r\n"),
        "206 open | content-range: bytes 0-1/100",
    );
    for of in [
        "\"x\"",
        "W/TAG",
        "TAG, TAG",
        "*",
        "",
        "x",
        "TAG\r\nIf-Range: TAG",
        // RFC 9110 §13.1.5, §8.8.2.2: nobody can tell that a date is a strong validator.
        "Sun, 06 Nov 1994 08:49:37 GMT",
    ] {
        whole(&format!("GET /files/a {{}}If-Range: {of}\r\nRange: bytes=0-1\r\n\r\n"));
        whole(&format!("GET /files/a {{}}If-Range: {of}\r\nRange: bytes=200-\r\n\r\n"));
    }
    // Without a range it means nothing.
    whole("GET /files/a {}If-Range: TAG\r\n\r\n");
}

#[test]
fn conditions_are_looked_at_before_ranges() {
    let range = "Range: bytes=200-\r\n\r\n";
    check(&format!("GET /files/a {{}}If-None-Match: {TAG}\r\n{range}"), "304 open");
    check(&format!("GET /files/a {{}}If-Match: \"x\"\r\n{range}"), "412 open");
    check(&format!("GET /files/a {{}}If-Match: {TAG}\r\n{range}"), "416 open");
}

#[test]
fn several_ranges_are_parts_of_one_content() {
    let seen = send("GET /files/a {}Range: bytes=99-99, 0-2,200-\r\n\r\n");
    assert_eq!(seen.verdict(), "206 open");
    let boundary = format!("part-of-{}", TAG.trim_matches('"'));
    let media_type = format!("multipart/byteranges; boundary={boundary}");
    assert_eq!(seen.last().field("content-type"), media_type);
    // RFC 9110 §15.3.7.2: no Content-Range of the whole.
    assert_eq!(seen.last().field("content-range"), "");
    let head = |range: &str| {
        format!(
            "--{boundary}\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes {range}/100\r\n\r\n"
        )
    };
    let expected = format!("{}v\r\n{}abc\r\n--{boundary}--\r\n", head("99-99"), head("0-2"));
    assert_eq!(String::from_utf8_lossy(&seen.last().content), expected);
    assert_eq!(seen.last().field("content-length"), expected.len().to_string());
    // The next request is found behind it.
    let text = "GET /files/a {}Range: bytes=0-0,99-99\r\n\r\nGET /echo/next {}\r\n";
    let seen = send(text);
    assert_eq!(seen.verdict(), "206 200 open");
    assert_eq!(seen.last().content, b"next");
}

#[test]
fn ranges_are_offered_where_they_are_served() {
    check("GET /files/a {}\r\n", "200 open | accept-ranges: bytes");
    check("HEAD /files/a {}\r\n", "200 open | accept-ranges: bytes");
    check("OPTIONS /files/a {}\r\n", "204 open | accept-ranges: bytes");
    check("GET /echo/a {}\r\n", "200 open | accept-ranges: ");
}
