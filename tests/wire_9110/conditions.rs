//! Conditional requests, RFC 9110 §13, and the validators that they are about, §8.8.
//!
//! In a case `TAG` stands for the entity tag of a file that is there, which was last changed on
//! 6 November 1994 at 08:49:37.

use model::scripted::TAG;

use super::check::{check, check_each, send};

fn case(text: &str, expected: &str) {
    check(&text.replace("TAG", TAG), &expected.replace("TAG", TAG));
}

fn each(text: &str, cases: &[&str], expected: &str) {
    let cases: Vec<String> = cases.iter().map(|case| case.replace("TAG", TAG)).collect();
    let cases: Vec<&str> = cases.iter().map(String::as_str).collect();
    check_each(text, &cases, expected);
}

/// All that makes a request write.
const WRITES: [&str; 4] = [
    "PUT /files/@ {}Content-Length: 1\r\n$\r\na",
    "PATCH /files/@ {}Content-Length: 1\r\n$\r\na",
    "POST /files/@ {}Content-Length: 1\r\n$\r\na",
    "DELETE /files/@ {}$\r\n",
];

/// The same condition on every write to the file `name`.
fn write(name: &str, condition: &str, expected: [&str; 4]) {
    for (text, expected) in WRITES.iter().zip(expected) {
        case(&text.replace('@', name).replace('$', &format!("{condition}\r\n")), expected);
    }
}

const FAILS: [&str; 4] = ["412 open"; 4];
const HOLDS: [&str; 4] = ["200 open", "200 open", "201 open", "200 open"];

#[test]
fn validators_come_with_reads_and_writes_and_with_nothing_else() {
    case("GET /files/a {}\r\n", "200 open | etag: TAG");
    case("HEAD /files/a {}\r\n", "200 open | etag: TAG");
    // RFC 9110 §8.8.2.1: the time of the answer, where the file's is later.
    case("GET /files/a {}\r\n", "200 open | last-modified: Thu, 01 Jan 1970 00:00:00 GMT");
    for text in [
        "PUT /files/a {}Content-Length: 1\r\n\r\na",
        "PATCH /files/a {}Content-Length: 1\r\n\r\na",
        "POST /files/a {}Content-Length: 1\r\n\r\na",
    ] {
        assert!(send(text).last().field("etag").starts_with('"'), "{text}");
    }
    for text in ["DELETE /files/a {}\r\n", "GET /files/missing {}\r\n", "GET /echo/a {}\r\n", "GET / {}\r\n"]
    {
        assert_eq!(send(text).last().field("etag"), "", "{text}");
    }
}

#[test]
fn if_match_compares_strongly() {
    let holding = [
        "*",
        "TAG",
        "\"x\", TAG",
        "TAG,\"x\"",
        ", ,TAG",
        "TAG\r\nIf-Match: \"x\"",
        "\"x\"\r\nIF-match: ,\r\nX: y\r\nif-match:TAG",
        "\"a,b\", TAG",
        "\"*\", \"\\\", \"\u{e9}\", \"\",\tTAG\t",
        "W/\"x\", W/TAG, TAG",
    ];
    each("GET /files/a {}If-Match: @\r\n\r\n", &holding, "200 open");
    for tags in holding {
        write("a", &format!("If-Match: {tags}"), HOLDS);
    }
    let failing = [
        "\"x\"",
        "W/TAG",
        "\"\"",
        "",
        ",",
        "\"*\"",
        "\"1-0-64\"",
        "\"x\", W/TAG",
        // RFC 9110 §8.8.3.2: character by character.
        "\"1-AE1B981BC490A05-64\"",
        "\"01-ae1b981bc490a05-64\"",
        "\"1-ae1b981bc490a05-064\"",
        "\"1-ae1b981bc490a05-64-\"",
        "\"1-ae1b981bc490a05-64-0\"",
    ];
    each("GET /files/a {}If-Match: @\r\n\r\n", &failing, "412 open");
    each("HEAD /files/a {}If-Match: @\r\n\r\n", &failing, "412 open");
    for tags in failing {
        write("a", &format!("If-Match: {tags}"), FAILS);
    }
}

#[test]
fn if_none_match_compares_weakly() {
    let failing = [
        "*",
        "TAG",
        "W/TAG",
        "\"x\", W/TAG",
        "W/\"x\",,TAG ,",
        "\"x\"\r\nIf-None-Match: TAG",
        "TAG\r\nif-none-match: \"x\"",
    ];
    each("GET /files/a {}If-None-Match: @\r\n\r\n", &failing, "304 open");
    each("HEAD /files/a {}If-None-Match: @\r\n\r\n", &failing, "304 open");
    for tags in failing {
        write("a", &format!("If-None-Match: {tags}"), FAILS);
    }
    let holding = ["\"x\"", "W/\"x\"", "", ", ,", "\"*\"", "\"x\", \"y\"", "\"1-AE1B981BC490A05-64\""];
    each("GET /files/a {}If-None-Match: @\r\n\r\n", &holding, "200 open");
    for tags in holding {
        write("a", &format!("If-None-Match: {tags}"), HOLDS);
    }
}

#[test]
fn lists_that_are_malformed_are_refused() {
    let malformed = [
        "x",
        "\"x",
        "x\"",
        "\"",
        "TAG TAG",
        "TAGTAG",
        "*, TAG",
        "TAG, *",
        "*,",
        "**",
        "W/*",
        "*\r\n@: *",
        "*\r\n@: TAG",
        "TAG\r\n@: *",
        "TAG\r\n@: x",
        "w/TAG",
        "W/ TAG",
        "W/",
        "\"a b\"",
        "\"a\tb\"",
        "TAG;q=1",
        "TAG; TAG",
        "'a'",
    ];
    for field in ["If-Match", "If-None-Match"] {
        for tags in malformed {
            let line = format!("{field}: {}", tags.replace('@', field));
            case(&format!("GET /files/a {{}}{line}\r\n\r\n"), "400 open");
            write("a", &line, ["400 open"; 4]);
        }
    }
    // Where nothing depends on it, it means nothing.
    case("GET /echo/a {}If-Match: x\r\n\r\n", "200 open");
}

#[test]
fn where_nothing_is_only_if_match_fails() {
    let created = ["201 open", "201 open", "201 open"];
    for (condition, expected) in [
        ("If-Match: *", ["412 open"; 3]),
        ("If-Match: TAG", ["412 open"; 3]),
        ("If-None-Match: *", created),
        ("If-None-Match: TAG", created),
        ("If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT", created),
        ("If-Modified-Since: Fri, 31 Dec 9999 23:59:59 GMT", created),
    ] {
        for (text, expected) in WRITES.iter().zip(expected) {
            case(&text.replace('@', "new").replace('$', &format!("{condition}\r\n")), expected);
        }
    }
    case("DELETE /files/missing {}If-Match: *\r\n\r\n", "412 open");
    case("DELETE /files/missing {}If-None-Match: *\r\n\r\n", "404 open");
    // RFC 9110 §13.2.1: what would be no success is answered as without a condition.
    let reads = [
        "If-Match: *",
        "If-Match: \"x\"",
        "If-None-Match: *",
        "If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT",
    ];
    for condition in reads {
        case(&format!("HEAD /files/missing {{}}{condition}\r\n\r\n"), "404 open");
        case(&format!("GET /files/missing {{}}{condition}\r\n\r\n"), "404 open");
    }
}

/// The second of the file, in each format that RFC 9110 §5.6.7 has, the one before, and the one after.
const SAME: [&str; 3] =
    ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"];
const BEFORE: [&str; 3] =
    ["Sun, 06 Nov 1994 08:49:36 GMT", "Sunday, 06-Nov-94 08:49:36 GMT", "Sun Nov  6 08:49:36 1994"];
const AFTER: [&str; 3] =
    ["Sun, 06 Nov 1994 08:49:38 GMT", "Sunday, 06-Nov-94 08:49:38 GMT", "Sun Nov  6 08:49:38 1994"];
/// No dates, or more than one.
const NO_DATES: [&str; 15] = [
    "",
    "yesterday",
    "784111777",
    "1994-11-06T08:49:37Z",
    "\"Sun, 06 Nov 1994 08:49:37 GMT\"",
    "Sun, 6 Nov 1994 08:49:37 GMT",
    "Son, 06 Nov 1994 08:49:37 GMT",
    "sun, 06 nov 1994 08:49:37 gmt",
    "Sun, 06 Nov 1994 24:00:00 GMT",
    "Sun, 06 Nov 1994 08:49:37",
    "Sun, 06-Nov-94 08:49:37 GMT",
    "Sun Nov  6 08:49:37 1994 GMT",
    "Sun, 06 Nov 1994 08:49:37 UTC",
    "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
    "Sun, 31 Feb 1994 08:49:37 GMT",
];

#[test]
fn if_modified_since_is_for_reads() {
    let get = "GET /files/a {}If-Modified-Since: @\r\n\r\n";
    each(get, &BEFORE, "200 open");
    each(get, &SAME, "304 open");
    each(get, &AFTER, "304 open");
    each(get, &NO_DATES, "200 open");
    each(&get.replace("GET", "HEAD"), &SAME, "304 open");
    each(&get.replace("GET", "HEAD"), &BEFORE, "200 open");
    // A leap second is the 60th, and an earlier one comes before what follows it.
    case(&get.replace('@', "Sun, 06 Nov 1994 08:48:60 GMT"), "200 open");
    case(&get.replace('@', "Sun, 06 Nov 1994 08:49:60 GMT"), "304 open");
    case(&get.replace('@', "Wed, 31 Dec 1969 23:59:59 GMT"), "200 open");
    for again in ["x", SAME[0], ""] {
        case(&get.replace('@', &format!("{}\r\nIf-Modified-Since: {again}", SAME[0])), "200 open");
    }
    for date in SAME.iter().chain(&AFTER).chain(&BEFORE) {
        write("a", &format!("If-Modified-Since: {date}"), HOLDS);
    }
}

#[test]
fn if_unmodified_since_is_for_all() {
    let get = "GET /files/a {}If-Unmodified-Since: @\r\n\r\n";
    each(get, &BEFORE, "412 open");
    each(get, &SAME, "200 open");
    each(get, &AFTER, "200 open");
    each(get, &NO_DATES, "200 open");
    for date in BEFORE {
        write("a", &format!("If-Unmodified-Since: {date}"), FAILS);
    }
    each(&get.replace("GET", "HEAD"), &BEFORE, "412 open");
    case(&get.replace('@', "Wed, 31 Dec 1969 23:59:59 GMT"), "412 open");
    for again in ["x", BEFORE[0], ""] {
        case(&get.replace('@', &format!("{}\r\nIf-Unmodified-Since: {again}", BEFORE[0])), "200 open");
    }
    for date in SAME.iter().chain(&AFTER).chain(&NO_DATES) {
        write("a", &format!("If-Unmodified-Since: {date}"), HOLDS);
    }
}

// RFC 9110 §13.2.2.
#[test]
fn conditions_have_their_order() {
    let [before, same, after] = [BEFORE[0], SAME[0], AFTER[0]];
    let get = |fields: String, expected: &str| case(&format!("GET /files/a {{}}{fields}\r\n\r\n"), expected);
    // Beside a tag the date of the same kind is of no account.
    get(format!("If-Match: TAG\r\nIf-Unmodified-Since: {before}"), "200 open");
    get(format!("If-Unmodified-Since: {same}\r\nIf-Match: \"x\""), "412 open");
    get(format!("If-None-Match: \"x\"\r\nIf-Modified-Since: {same}"), "200 open");
    get(format!("If-Modified-Since: {before}\r\nIf-None-Match: TAG"), "304 open");
    // What must be so is looked at before what must not be.
    get("If-None-Match: TAG\r\nIf-Match: \"x\"".to_owned(), "412 open");
    get("If-None-Match: TAG\r\nIf-Match: TAG".to_owned(), "304 open");
    get(format!("If-Modified-Since: {same}\r\nIf-Unmodified-Since: {before}"), "412 open");
    get(format!("If-Unmodified-Since: {same}\r\nIf-Modified-Since: {same}"), "304 open");
    get(format!("If-Unmodified-Since: {before}\r\nIf-None-Match: TAG"), "412 open");
    get(format!("If-Match: \"x\"\r\nIf-Modified-Since: {after}"), "412 open");
    get(format!("If-Match: TAG\r\nIf-Modified-Since: {same}"), "304 open");
    let all = |date: &str| {
        format!(
            "If-Match: TAG\r\nIf-Unmodified-Since: {date}\r\nIf-None-Match: TAG\r\nIf-Modified-Since: {date}"
        )
    };
    for date in [before, same, after] {
        get(all(date), "304 open");
        write("a", &all(date), FAILS);
        get(all(date).replace("If-None-Match: TAG", "If-None-Match: \"x\""), "200 open");
        get(all(date).replace("If-None-Match: TAG", "If-None-Match:"), "200 open");
        get(all(date).replace("If-Match: TAG", "If-Match:"), "412 open");
    }
    // A date that is none takes nothing from the others, and a list that is none is seen behind them.
    get("If-Unmodified-Since: x\r\nIf-None-Match: TAG".to_owned(), "304 open");
    get(format!("If-Unmodified-Since: x\r\nIf-Modified-Since: {same}"), "304 open");
    get("If-Modified-Since: x\r\nIf-Match: \"x\"".to_owned(), "412 open");
    get("If-Match: \"x\"\r\nIf-None-Match: x".to_owned(), "400 open");
    write("a", "If-Match: TAG\r\nIf-None-Match: TAG", FAILS);
    write("a", &format!("If-Match: TAG\r\nIf-Unmodified-Since: {before}"), HOLDS);
    write("a", &format!("If-None-Match: \"x\"\r\nIf-Unmodified-Since: {before}"), FAILS);
    write("a", &format!("If-Unmodified-Since: {same}\r\nIf-None-Match: *"), FAILS);
}

// RFC 9110 §15.4.5.
#[test]
fn not_modified_says_which_version_and_little_else() {
    for condition in [format!("If-None-Match: W/{TAG}"), format!("If-Modified-Since: {}", SAME[2])] {
        for more in ["", "Range: bytes=0-1\r\n"] {
            for method in ["GET", "HEAD"] {
                let seen = send(&format!("{method} /files/a.html {{}}{condition}\r\n{more}\r\n"));
                assert_eq!(seen.verdict(), "304 open");
                let names: Vec<&str> = seen.last().fields.keys().map(String::as_str).collect();
                assert_eq!(names, ["date", "etag", "last-modified"]);
                assert_eq!(seen.last().field("etag"), TAG);
                assert_eq!(seen.last().content, b"");
            }
        }
    }
    // It ends with its head.
    let get = format!("GET /files/a {{}}If-None-Match: {TAG}\r\n");
    let seen = send(&format!("{get}\r\n{get}\r\nGET /echo/next {{}}\r\n"));
    assert_eq!(seen.verdict(), "304 304 200 open");
    assert_eq!(seen.last().content, b"next");
    case(&format!("{get}Connection: close\r\n\r\n"), "304 close");
    case("GET /files/a HTTP/1.0\r\nIf-None-Match: TAG\r\n\r\n", "304 close");
    case(&format!("{get}Content-Length: 3\r\nExpect: 100-continue\r\n\r\nabc"), "100 304 open");
}

#[test]
fn other_methods_and_resources_know_no_conditions() {
    for text in ["OPTIONS /files/a {}If-Match: \"x\"\r\n\r\n", "OPTIONS * {}If-None-Match: *\r\n\r\n"] {
        case(text, "204 open");
    }
    for path in ["/", "/echo/a", "/user-agent"] {
        case(&format!("GET {path} {{}}If-Match: \"x\"\r\n\r\n"), "200 open");
        case(&format!("GET {path} {{}}If-None-Match: *\r\n\r\n"), "200 open");
    }
    case("OPTIONS /files/a {}If-Match: x\r\n\r\n", "204 open");
    case("OPTIONS /files/a {}If-None-Match: *, *\r\n\r\n", "204 open");
    case("CONNECT h:80 {}If-Match: \"x\"\r\n\r\n", "501 open");
    case("TRACE /files/a {}If-Match: \"x\"\r\n\r\n", "501 open");
    // The usual checks come first.
    case("GET /files/.. {}If-Match: \"x\"\r\n\r\n", "400 open");
    case("PUT /files/full {}If-Match: TAG\r\nContent-Length: 1\r\n\r\na", "507 open");
    for condition in ["If-Match: \"x\"", "If-None-Match: *", "If-Match: x"] {
        let fields = |more: &str| format!("{{}}{condition}\r\n{more}\r\n");
        case(&format!("PUT /echo/a {}", fields("")), "405 open");
        case(&format!("GET /nothing {}", fields("")), "404 open");
        case(&format!("BREW /files/a {}", fields("")), "501 open");
        case(&format!("GET https://h/files/a {}", fields("")), "421 open");
        case(&format!("GET /files/a {}", fields("Expect: other\r\n")), "417 open");
        case(&format!("PUT /files/a {}", fields("Content-Range: bytes 0-1/2\r\n")), "400 open");
        case(&format!("GET /files/a {}", fields("Content-Length: x\r\n")), "400 linger");
    }
    for fields in ["If-Match: \"x\"", "If-None-Match: *"] {
        let large = format!("PUT /files/a {{}}{fields}\r\nContent-Length: 1099511627777\r\n\r\n");
        case(&large, "413 linger");
    }
}

/// RFC 9110 §6.5.1: what comes behind the content is no part of the head.
#[test]
fn conditions_behind_the_content_are_none() {
    for line in ["If-Match: \"x\"", "If-None-Match: *", "Upload-Offset: 7", "If-Match: x"] {
        let behind = format!("{{}}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n{line}\r\n\r\n");
        for method in ["PUT", "PATCH"] {
            case(&format!("{method} /files/a {behind}"), "200 open");
        }
    }
}

#[test]
fn a_doomed_upload_is_refused_before_its_content() {
    let asked = "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n";
    case(&format!("PUT /files/a {{}}If-Match: \"x\"\r\n{asked}"), "412 linger");
    case(&format!("PUT /files/a {{}}If-Match: TAG\r\n{asked}abc"), "100 200 open");
    case(&format!("PATCH /files/a {{}}Upload-Offset: 99\r\n{asked}"), "409 linger | upload-offset: 100");
    case(&format!("PATCH /files/a {{}}Upload-Offset: 100\r\n{asked}abc"), "100 200 open");
    case(&format!("PUT /files/a {{}}If-None-Match: *\r\n{asked}"), "412 linger");
    case(&format!("PUT /files/new {{}}If-Match: *\r\n{asked}"), "412 linger");
    case(&format!("PUT /files/new {{}}If-None-Match: *\r\n{asked}abc"), "100 201 open");
    case(&format!("PUT /files/a {{}}If-Unmodified-Since: {}\r\n{asked}", BEFORE[1]), "412 linger");
    case(&format!("PUT /files/a {{}}If-Match: x\r\n{asked}"), "400 linger");
    case(&format!("PATCH /files/a {{}}Upload-Offset: x\r\n{asked}"), "400 linger");
    // One that is too long to be gathered asks before its content is read.
    let seen = send("PUT /files/a {}If-Match: \"x\"\r\nContent-Length: 900000\r\n\r\n");
    assert!(seen.operations.iter().any(|operation| operation.starts_with("Stage")), "{:?}", seen.operations);
    assert_eq!(seen.verdict(), "412 linger");
    // Of one that does not say how long it is, what fills the buffer is read, and no more than may
    // be thrown away.
    let chunks = format!("8000\r\n{:a<32768}\r\n", "").repeat(24);
    let text = format!("PUT /files/a {{}}If-Match: \"x\"\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
    assert_eq!(send(&text).verdict(), "412 linger");
}

#[test]
fn an_append_can_say_how_long_the_file_has_to_be() {
    let patch = "PATCH /files/@ {}Content-Length: 1\r\n$\r\na";
    let patch = |name: &str, fields: &str, expected: &str| {
        case(&patch.replace('@', name).replace('$', &format!("{fields}\r\n")), expected);
    };
    patch("a", "Upload-Offset: 100", "200 open");
    patch("a", "Upload-Offset: 0100", "200 open");
    patch("a", "Upload-Offset: 99", "409 open | upload-offset: 100");
    patch("a", "Upload-Offset: 18446744073709551615", "409 open | upload-offset: 100");
    patch("new", "Upload-Offset: 0", "201 open");
    patch("new", "Upload-Offset: 1", "409 open | upload-offset: 0");
    patch("a", "upload-OFFSET:\t100 ", "200 open");
    patch("a", "Upload-Offset: 0", "409 open | upload-offset: 100");
    patch("a", "Upload-Offset: 101", "409 open | upload-offset: 100");
    patch("a", "Upload-Offset: 100\r\nIf-Match: TAG", "200 open");
    // The condition is looked at first.
    patch("a", "Upload-Offset: 99\r\nIf-Match: \"x\"", "412 open | upload-offset: ");
    patch("a", "Upload-Offset: 99\r\nIf-Match: TAG", "409 open | upload-offset: 100");
    patch("new", "Upload-Offset: 1\r\nIf-Match: *", "412 open");
    let no_numbers =
        ["", "x", "-1", "+1", "1,1", "1 1", "0x64", "100.0", "18446744073709551616", "1\r\nUpload-Offset: 1"];
    for malformed in no_numbers {
        patch("a", &format!("Upload-Offset: {malformed}"), "400 open");
    }
    // It is about appends alone.
    case("PUT /files/a {}Upload-Offset: 1\r\nContent-Length: 1\r\n\r\na", "200 open");
    case("POST /files/a {}Upload-Offset: x\r\nContent-Length: 1\r\n\r\na", "201 open");
    case("GET /files/a {}Upload-Offset: 1\r\n\r\n", "200 open");
}
