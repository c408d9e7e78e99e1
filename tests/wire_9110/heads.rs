//! What stands in a request's head: authorities, targets, lists, values, and what means nothing.

use super::check::{Seen, bytes, check, check_each, send};

#[test]
fn host_is_one_authority_of_http() {
    let valid = [
        "h",
        "H.Example.",
        "h:80",
        "h:",
        "h:0",
        "h:65535",
        "127.0.0.1:8080",
        "[::1]",
        "[::1]:80",
        "a_b",
        "%41",
        " h \t",
        "\th",
        "xn--a.b",
        "[v1.x]",
    ];
    check_each("GET / HTTP/1.1\r\nHost:@\r\n\r\n", &valid, "200 open");
    check_each("GET http://other/ HTTP/1.1\r\nhOSt:@\r\n\r\n", &valid, "200 open");
    let refused = [
        "",
        " ",
        ":",
        ":80",
        "h:65536",
        "h:8x",
        "h:-1",
        "h: 80",
        "u@h",
        "u:p@h",
        "@",
        "h/",
        "h?q",
        "h#f",
        "a b",
        "http://h",
        "[::1",
        "::1",
        "[::1]a",
        "[]",
        "[v1]",
        "[::1%25e]",
        "h\u{e9}",
        "\"h\"",
        "h\\",
        "<h>",
        "%4",
        "h;:x",
        "a, b",
    ];
    check_each("GET / HTTP/1.1\r\nHost:@\r\n\r\n", &refused, "400 linger");
    check_each("GET http://h/ HTTP/1.1\r\nHost:@\r\n\r\n", &refused, "400 linger");
    check_each("GET / HTTP/1.0\r\nHost:@\r\n\r\n", &refused, "400 linger");
    check_each(
        "GET / HTTP/1.1\r\n@\r\n",
        &["", "Host: h\r\nHost: h\r\n", "Host: h\r\nX: y\r\nhost: i\r\n"],
        "400 linger",
    );
    check("GET / HTTP/1.0\r\n\r\n", "200 close");
}

#[test]
fn targets_are_uris_of_http() {
    let same = [
        "/echo/a",
        "/echo/a?",
        "/echo/a?b=/c?d",
        "/echo/%61",
        "/%65cho/a",
        "/%65%63%68%6F/%61",
        "http://h/echo/a",
        "HTTP://h:80/echo/a?b",
        "http://other:8080/echo/a",
        "http://h:/echo/a",
        "http://[::1]/echo/a",
    ];
    for target in same {
        assert_eq!(send(&format!("GET {target} {{}}\r\n")).last().content, b"a", "{target}");
    }
    check_each("GET @ {}\r\n", &["http://h", "http://h?a", "http://h/", "/", "/?a"], "200 open");
    check_each("GET @ {}\r\n", &["https://h/", "HTTPS://h", "https://h:443/echo/a"], "421 open");
    let refused = [
        "http:///",
        "http://",
        "http://:80/",
        "http://u@h/",
        "http://u:p@h/",
        "http://@h/",
        "http://h:65536/",
        "http://h:x/",
        "http://[::1/",
        "https:///",
        "https://u@h/",
        "ftp://h/",
        "http:/h",
        "h:80",
        "echo/a",
        "*",
        "/echo/a#b",
        "http://h/#",
        "?a",
        "http",
        "://h/",
    ];
    check_each("GET @ {}\r\n", &refused, "400 linger");
    check_each("@ * {}\r\n", &["GET", "HEAD", "PUT", "DELETE", "BREW"], "400 linger");
    check_each("GET @ {}\r\n", &["//h/echo/a", "/./echo/a", "/Echo/a", "/echo", "/%2Fecho/a"], "404 open");
    let malformed = ["/echo/%", "/echo/%zz", "/files/%2e%2E/a", "/files/a%00", "/files/a%2Fb", "/files/./a"];
    check_each("GET @ {}\r\n", &malformed, "400 open");
    // RFC 9110 §4.1: at least 8000 octets.
    check(&format!("GET /echo/{:a<7994} {{}}\r\n", ""), "200 open | content-length: 7994");
    check(&format!("GET /{:a<17000} {{}}\r\n", ""), "414 linger");
}

#[test]
fn lists_may_have_empty_elements() {
    check_each(
        "GET /echo/a {}Connection:@\r\n\r\n",
        &["close", ",close", " , ,\tclose\t,, ", "a,CLOSE", "a\r\nConnection: b\r\nconnection: close"],
        "200 close",
    );
    check_each(
        "GET /echo/a {}Connection:@\r\n\r\n",
        &["", ",", "closed", "\"close\"", "a close", "close;a=b", "keep-alive,, x"],
        "200 open",
    );
    check_each(
        "PUT /files/new {}Transfer-Encoding:@\r\n\r\n0\r\n\r\n",
        &["chunked", ", ,CHUNKED, ,", "\r\nTransfer-Encoding: chunked"],
        "201 open",
    );
    let many = ",".repeat(20_000);
    check(&format!("GET /echo/a {{}}Connection: {many}close\r\n\r\n"), "200 close");
}

#[test]
fn field_values_are_trimmed_opaque_and_bounded() {
    let value = |field: &str| send(&format!("GET /user-agent {{}}{field}\r\n\r\n")).last().content.clone();
    for (field, expected) in [
        ("User-Agent: a/1 (b; c)", "a/1 (b; c)"),
        ("uSER-aGENT:\t  a\t b \t ", "a\t b"),
        ("User-Agent:", ""),
        ("User-Agent: \t ", ""),
        ("User-Agent: \"a, b\\\"", "\"a, b\\\""),
        ("User-Agent: \u{80}\u{e9}\u{ff}", "\u{80}\u{e9}\u{ff}"),
        ("User-Agent: a\r\nUser-Agent: b", "a"),
        ("X-User-Agent: a", ""),
    ] {
        assert_eq!(value(field), bytes(expected), "{field:?}");
    }
    check("GET /user-agent {}\r\n", "200 open | vary: User-Agent | content-type: text/plain");
    for control in (0_u8..32).chain([127]).filter(|byte| *byte != b'\t') {
        for name in ["User-Agent", "X"] {
            let text = format!("GET / {{}}{name}: a{}b\r\n\r\n", char::from(control));
            check(&text, "400 linger");
        }
    }
    let names = ["!#$%&'*+-.^_`|~09azAZ", "X", "0", "Accept"];
    check_each("GET / {}@: a\r\n@: b\r\n\r\n", &names, "200 open");
    check_each(
        "GET / {}@: a\r\n\r\n",
        &["", "a b", "a ", "a@", "(a)", "a/b", "\u{e9}", "\"a\"", "a,b"],
        "400 linger",
    );
    check_each(
        "PUT /files/a {}@: b\r\n@: b\r\n\r\n",
        &["Content-Type", "Content-Range", "Content-Length"],
        "400 linger",
    );
    check(&format!("GET / {{}}A: {:a<32000}\r\n\r\n", ""), "200 open");
    check(&format!("GET / {{}}A: {:a<33000}\r\n\r\n", ""), "431 linger");
    check(&format!("GET / {{}}{}\r\n", "A: b\r\n".repeat(99)), "200 open");
    check(&format!("GET / {{}}{}\r\n", "A: b\r\n".repeat(100)), "431 linger");
}

/// Fields of no meaning to this server, or none with these methods, change nothing at all.
#[test]
fn fields_without_meaning_here_are_ignored() {
    let fields = [
        "X-Unknown: a",
        "Accept: image/png",
        "Accept: ;;,",
        "Accept: text/plain;q=0",
        "Accept-Charset: x",
        "Accept-Encoding: gzip, *;q=0",
        "Accept-Encoding:",
        "Accept-Language: tlh",
        "TE: trailers, deflate;q=0.5",
        "TE: chunked\r\nConnection: TE",
        "Via: 1.0 a, 1.1 b",
        "Max-Forwards: 0",
        "Max-Forwards: x",
        "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
        "Upgrade: websocket\r\nConnection: upgrade",
        "Upgrade: HTTP/1.0",
        "From: a@b",
        "Referer: /a#b",
        "Referer: \u{ff}",
        "Content-Encoding: gzip",
        "Content-Encoding: identity, x",
        "Content-Language: tlh",
        "Content-Location: /files/other",
        "Content-Type: a",
        "Content-Type: application/json-patch+json",
        "Authorization: Basic YTpi",
        "Proxy-Authorization: x",
        "Cookie: a=b\r\nCookie: c=d",
        "Date: x",
        "Trailer: Content-Length",
        "Range: lines=1-2",
        "Cache-Control: no-store",
        "Pragma: no-cache",
        "Keep-Alive: timeout=1",
        "Proxy-Connection: close",
        "Allow: PUT",
        "Location: /",
        "Server: x",
        "Age: -1",
        "Expires: 0",
        "ETag: x",
        "Last-Modified: x",
        "Retry-After: x",
        "Content-MD5: x",
        "HTTP2-Settings: x",
    ];
    let requests = [
        "GET /echo/a",
        "GET /files/a.html",
        "HEAD /files/a",
        "OPTIONS /files/a",
        "OPTIONS *",
        "DELETE /files/a",
        "POST /files/a",
        "PUT /files/new",
        "PUT /files/a",
        "PATCH /files/a",
        "POST /echo/a",
        "BREW /",
        "TRACE /",
    ];
    for request in requests {
        for content in ["\r\n", "Content-Length: 2\r\n\r\nab"] {
            let plain = send(&format!("{request} {{}}{content}"));
            for field in fields {
                let seen = send(&format!("{request} {{}}{field}\r\n{content}"));
                assert_eq!(seen, plain, "{field:?} with {request}");
            }
        }
    }
    check("PUT /files/new HTTP/1.0\r\nUpgrade: HTTP/1.1\r\nConnection: upgrade\r\n\r\n", "201 close");
}

#[test]
fn trailers_are_no_part_of_the_head() {
    let trailers = [
        "Expect: other",
        "Connection: close",
        "Content-Length: 7",
        "Transfer-Encoding: gzip",
        "Host: a\r\nHost: b",
        "Content-Range: bytes 0-1/2",
        "Content-Type: a\r\nContent-Type: b",
        "X: \u{e9}\t,,",
        "X:",
        "If-Match: \"a\"",
    ];
    let text = "@ {}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n#\r\n\r\nGET /echo/a {}\r\n";
    for trailer in trailers {
        check(&text.replace('@', "PUT /files/new").replace('#', trailer), "201 200 open");
        check(&text.replace('@', "DELETE /files/a").replace('#', trailer), "200 200 open");
    }
    check(&text.replace('@', "PUT /files/new").replace('#', "X : a"), "400 linger");
}

/// RFC 9110 §2.3: what this server writes itself it can also read.
#[test]
fn longest_location_can_be_asked_for() {
    let path = vec!["%fF".repeat(255); 16].join("/");
    let created = send(&format!("POST /files/{path} {{}}\r\n"));
    let location = created.last().field("location").to_owned();
    assert_eq!(created.verdict(), "201 open");
    let read = send(&format!("GET {location} {{}}\r\n"));
    assert_eq!(read.verdict(), "200 open");
    let path_of = |seen: &Seen| seen.operations[0].split('"').nth(1).map(str::to_owned);
    assert_eq!(path_of(&created), path_of(&read));
}
