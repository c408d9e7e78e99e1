//! RFC 9112 on the wire: each line is what is sent and what has to come back.

#[path = "wire_9110/check.rs"]
#[allow(dead_code, reason = "shared with the tests of RFC 9110")]
mod check;
#[path = "wire_9112/framing.rs"]
mod framing;

use check::{bytes, check, check_each, send};
use std::sync::Arc;

use http_server::limits::Limits;
use model::pump::Pump;
use model::scripted::Scripted;

#[test]
fn heads_are_octets() {
    check_each("GET / {}X:@\r\n\r\n", &[" \u{80}\u{ff}", " \u{c3}\u{28}", "\u{a0}"], "200 open");
    check_each("GET /@ {}\r\n", &["\u{80}", "\u{e9}", "\u{ff}"], "400 linger");
    check_each("GET@/ {}\r\n", &["\u{a0}", "\u{2}", "\u{b}", "\u{c}", "\t"], "400 linger");
}

#[test]
fn lines_end_in_crlf() {
    check_each(
        "@",
        &[
            "GET / HTTP/1.1\nHost: h\n\n",
            "GET / HTTP/1.1\nHost: h\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\n\n",
            "GET / HTTP/1.1\rHost: h\r\r",
            "GET / HTTP/1.1\r\nHost: h\r\rX: y\r\n\r\n",
            "GET / HTTP/1.1\r\r\nHost: h\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nX: a\nb\r\n\r\n",
            "GET /\rx HTTP/1.1\r\nHost: h\r\n\r\n",
            "GET /\nx HTTP/1.1\r\nHost: h\r\n\r\n",
            "\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
            "\rGET / HTTP/1.1\r\nHost: h\r\n\r\n",
        ],
        "400 linger",
    );
}

#[test]
fn one_empty_line_may_lead() {
    check("\r\nGET / {}\r\n", "200 open");
    check("GET / {}\r\n\r\nGET / {}\r\n", "200 200 open");
    check("PUT /files/a {}Content-Length: 1\r\n\r\na\r\nGET / {}\r\n", "200 200 open");
    check("\r\n\r\nGET / {}\r\n", "400 linger");
    check(" \r\nGET / {}\r\n", "400 linger");
    check("\r\n", "open");
}

#[test]
fn what_is_not_http_is_refused() {
    check_each(
        "@",
        &[
            "\u{16}\u{3}\u{1}\u{2}\u{0}",
            "\u{0}",
            "hello\r\n",
            "GET\r\n",
            "GET /\r\n",
            "GET / \r\n",
            "/ HTTP/1.1\r\nHost: h\r\n\r\n",
            "SSH-2.0-client\r\n",
            "HTTP/1.1 200 OK\r\nHost: h\r\n\r\n",
            "{}\r\n",
            "<html>\r\n",
        ],
        "400 linger",
    );
    check("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505 linger");
}

#[test]
fn versions_are_read_strictly() {
    check_each("GET / @\r\nHost: h\r\n\r\n", &["HTTP/1.1", "HTTP/1.2", "HTTP/1.9"], "200 open");
    check_each("GET / @\r\nHost: h\r\n\r\n", &["HTTP/0.9", "HTTP/2.0", "HTTP/3.0", "HTTP/9.9"], "505 linger");
    let refused = [
        "HTTP/1.",
        "HTTP/.1",
        "HTTP/1",
        "HTTP/11",
        "HTTP/1.10",
        "HTTP/01.1",
        "HTTP/1.01",
        "http/1.1",
        "Http/1.1",
        "HTTP 1.1",
        "HTTP/1,1",
        "HTTP/-1.1",
        "HTTP/1.1x",
        "XHTTP/1.1",
        "HTTPS/1.1",
        "RTSP/1.0",
        "HTTP/a.b",
        "HTTP/1.1\t",
        "HTTP//1.1",
        "HTTP/1..1",
        "1.1",
        "HTTP",
    ];
    check_each("GET / @\r\nHost: h\r\n\r\n", &refused, "400 linger");
}

#[test]
fn request_lines_have_three_parts() {
    let refused = [
        "GET  / HTTP/1.1",
        "GET /  HTTP/1.1",
        " GET / HTTP/1.1",
        "GET / HTTP/1.1 ",
        "GET\t/ HTTP/1.1",
        "GET /\tHTTP/1.1",
        "GET /a b HTTP/1.1",
        "GET / / HTTP/1.1",
        "GET",
        "GET /",
        "GET HTTP/1.1",
        "GET  HTTP/1.1",
        "/ HTTP/1.1",
        "G@T / HTTP/1.1",
        "G(ET / HTTP/1.1",
        "GET: / HTTP/1.1",
        "\"GET\" / HTTP/1.1",
        "GET,PUT / HTTP/1.1",
        "[GET] / HTTP/1.1",
    ];
    for line in refused {
        check(&format!("{line}\r\nHost: h\r\n\r\n"), "400 linger");
    }
    check_each("@ / {}\r\n", &["get", "Get", "GETT", "!#$%&'*+-.^_`|~", "1"], "501 open");
}

#[test]
fn request_lines_have_bounds() {
    let target = |bytes: usize| format!("GET /echo/{:a<1$} {{}}\r\n", "", bytes - 6);
    check(&target(8000), "200 open");
    check(&target(16 * 1024), "200 open");
    check(&target(16 * 1024 + 1), "414 linger");
    check(&format!("GET /{:a<1$}", "", 40_000), "414 linger");
    check(&format!("{:A<1$}", "", 40_000), "501 linger");
    check(&format!("{:A<1$} / {{}}\r\n", "", 37), "501 linger");
    check(&format!("GET / {{}}X: {:a<1$}", "", 40_000), "431 linger");
    check(&format!("GET / {{}}{}", "X: y\r\n".repeat(200)), "431 linger");
    check(&format!("GET / {{}}{}\r\n", "X: y\r\n".repeat(99)), "200 open");
    check(&format!("GET / {{}}{}\r\n", "X: y\r\n".repeat(100)), "431 linger");
}

#[test]
fn targets_have_four_forms() {
    check_each(
        "GET @ {}\r\n",
        &["/", "/?", "/?q=/x?y", "http://h", "http://h/", "HTTP://H:80/?q", "http://other/"],
        "200 open",
    );
    check_each("OPTIONS @ {}\r\n", &["*", "/", "http://h", "http://h:80", "/files/a"], "204 open");
    let refused = [
        "*",
        "h",
        "h:80",
        "?q",
        "a/b",
        "#",
        "/#",
        "/a#b",
        "http:",
        "http:/",
        "http://",
        "http:///",
        "http://@h/",
        "http://u:p@h/",
        "ftp://h/",
        "file:///a",
        "http://h:x/",
        "http://[::1/",
        "//h/#",
        "\\",
        "http//h/",
        "://h/",
    ];
    check_each("GET @ {}\r\n", &refused, "400 linger");
    check_each("OPTIONS @ {}\r\n", &["**", "*/", "*?q", "h:80", "http://"], "400 linger");
    check_each("CONNECT @ {}\r\n", &["h:80", "[::1]:443", "1.2.3.4:0"], "501 open");
    check_each(
        "CONNECT @ {}\r\n",
        &["/", "*", "h", "h:", ":80", "h:99999", "http://h:80/", "h:80/", "u@h:80", "h:80?q"],
        "400 linger",
    );
    // Dots are not resolved: what they name is nothing, and refused below /files/.
    check_each(
        "GET @ {}\r\n",
        &["/../", "/./echo/a", "/echo/../x/../../nothing/..".get(..3).unwrap_or("/.."), "//"],
        "404 open",
    );
    check_each(
        "GET /files/@ {}\r\n",
        &["..", "%2e%2e", "a/../b", ".", "a//b", "%00", "a%2Fb", "%", "%g1", "%1"],
        "400 open",
    );
}

#[test]
fn field_lines_are_read_strictly() {
    check_each(
        "GET / {}@\r\n\r\n",
        &["X:", "X:y", "X: y ", "X:\ty\t", "x-Y_z.1!: a", "X: a: b", "X: ,;\"(", "X:y:"],
        "200 open",
    );
    let refused = [
        "X : y",
        "X\t: y",
        " X: y",
        "\tX: y",
        "X",
        ":",
        ": y",
        "X y: z",
        "X(: y",
        "X\u{e9}: y",
        "X@: y",
        "X/: y",
        "X[: y",
        "X: \u{0}",
        "X: a\u{0}b",
        "X: \u{7f}",
        "X: \u{1}",
        "X: \u{1b}",
        "X: \u{8}",
        "X\u{0}: y",
        "=X: y",
        "{X}: y",
    ];
    check_each("GET / {}@\r\n\r\n", &refused, "400 linger");
}

#[test]
fn folded_lines_are_refused() {
    check_each(
        "GET / HTTP/1.1\r\n@\r\n",
        &[
            "Host: h\r\nX: a\r\n b\r\n",
            "Host: h\r\nX: a\r\n\tb\r\n",
            "Host:\r\n h\r\n",
            " Host: h\r\n",
            "\tX: y\r\nHost: h\r\n",
            "Host: h\r\n \r\n",
            "Host: h\r\nX:\r\n \r\n",
        ],
        "400 linger",
    );
}

#[test]
fn connections_stay_as_agreed() {
    check_each(
        "GET / {}Connection:@\r\n\r\n",
        &["", " keep-alive", " x", " closed", " \"close\"", " keep-alive, x"],
        "200 open",
    );
    check_each(
        "GET / {}Connection:@\r\n\r\n",
        &[" close", " Close", "x,CLOSE", " keep-alive, close", ",close,", " close, keep-alive"],
        "200 close",
    );
    check_each(
        "GET / HTTP/1.0\r\nConnection:@\r\n\r\n",
        &[" keep-alive", " Keep-Alive", " x,keep-alive"],
        "200 open | connection: keep-alive",
    );
    check_each(
        "GET / HTTP/1.0\r\nConnection:@\r\n\r\n",
        &["", " close", " keep-alive, close", " x"],
        "200 close",
    );
    check("GET / {}Connection: x\r\nConnection: close\r\n\r\nGET / {}\r\n", "200 linger");
    check("PUT /files/a {}Connection: close\r\nContent-Length: 1\r\n\r\naPUT /files/b {}\r\n", "200 linger");
    assert_eq!(send("GET /files/a {}Connection: close\r\n\r\nDELETE /files/a {}\r\n").operations.len(), 1);
    check("BREW / {}Connection: close\r\n\r\n", "501 close");
}

#[test]
fn requests_that_end_early_have_no_effect() {
    for text in [
        "G",
        "GET / HTTP/1.1\r\n",
        "GET / {}",
        "PUT /files/a {}Content-Length: 2\r\n\r\na",
        "DELETE /files/a {}Content-Length: 2\r\n\r\na",
        "PUT /files/a {}Transfer-Encoding: chunked\r\n\r\n",
        "PUT /files/a {}Transfer-Encoding: chunked\r\n\r\n1",
        "PUT /files/a {}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
        "PUT /files/a {}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n",
        "PUT /files/a {}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nA: b\r\n",
    ] {
        let mut pump = Pump::new(Scripted::default(), Arc::new(Limits::default()));
        pump.send(&bytes(text));
        pump.finish();
        assert!(pump.output().starts_with(b"HTTP/1.1 400 "), "{text:?}");
        assert_eq!((pump.operations().len(), pump.end()), (0, Some(true)), "{text:?}");
    }
}

#[test]
fn answers_are_well_formed() {
    for text in [
        "GET / {}\r\n",
        "HEAD /files/a {}\r\n",
        "OPTIONS * {}\r\n",
        "GET /files/missing {}\r\n",
        "POST /files/a {}\r\n",
        "PUT /files/a {}Content-Length: 1\r\nExpect: 100-continue\r\n\r\na",
        "nonsense\r\n",
    ] {
        for answer in send(text).answers {
            assert_eq!(answer.field("transfer-encoding"), "", "{text:?}");
            let framed = !answer.field("content-length").is_empty();
            assert_eq!(framed, !matches!(answer.status, 100 | 204), "{text:?}");
        }
    }
}
