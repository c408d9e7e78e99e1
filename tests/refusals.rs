//! Heads that could be read in two ways are refused and their connection closed; and a refusal
//! reaches its client, whatever the client was sending.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use tests::{Server, check, exchange, request};

#[test]
fn malformed_heads_are_400_and_close() {
    let server = Server::start(&[]);
    for head in [
        // Host: missing, repeated, malformed.
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
        // Line ends.
        "GET / HTTP/1.1\nHost: h\n\n",
        "GET / HTTP/1.1\r\nHost: h\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nA: b\rc\r\n\r\n",
        // Field lines.
        "GET / HTTP/1.1\r\nHost : h\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n folded\r\n\r\n",
        "GET / HTTP/1.1\r\n A: b\r\nHost: h\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\n: no name\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nA(b): c\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nA: \0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nA: \x07\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nA: \x7f\r\n\r\n",
        // Request lines.
        "GET  / HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /  HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET / HTTP/1.1 \r\nHost: h\r\n\r\n",
        "GET /\r\nHost: h\r\n\r\n",
        "GET / HTTP/1.1 more\r\nHost: h\r\n\r\n",
        "GET / http/1.1\r\nHost: h\r\n\r\n",
        "GET / HTTP/1\r\nHost: h\r\n\r\n",
        "GET / HTTP/11\r\nHost: h\r\n\r\n",
        "GET /a\tb HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /a\x01b HTTP/1.1\r\nHost: h\r\n\r\n",
        "(GET) / HTTP/1.1\r\nHost: h\r\n\r\n",
        "\x16\x03\x01\x02\0\x01\0\x01\r\n\r\n",
    ] {
        check(&server, head, "400 close");
    }
}

/// Goal: whoever asks for documents gets each error as one, with what its sentence says, and nobody else does.
#[test]
fn an_error_is_a_document_for_whoever_asks_for_one() {
    let server = Server::start(&[]);
    assert_eq!(exchange(&server, "PUT /files/there", "x").status, 201);
    assert_eq!(exchange(&server, "PUT /files/folder/a", "x").status, 201);
    for (line, fields, status, code) in [
        ("GET /files/missing", "", 404, "nothing-there"),
        ("GET /files/a/../b", "", 400, "path-dot-segment"),
        ("GET /missing", "", 404, "no-resource"),
        ("DELETE /echo/a", "", 405, "method-not-allowed"),
        ("BREW /", "", 501, "method-unknown"),
        ("POST /files/there", "Content-Length: 0\r\n", 409, "file-exists"),
        ("DELETE /files/folder", "", 409, "directory-not-empty"),
        ("GET /files/there", "If-Match: \"x\"\r\n", 412, "condition-fails"),
        ("GET /files/there", "Range: bytes=5-\r\n", 416, "range"),
        ("PATCH /files/there", "Content-Length: 0\r\nUpload-Offset: 9\r\n", 409, "length-differs"),
        ("PUT /files/b", "Transfer-Encoding: chunked\r\n", 400, "chunk-size"),
    ] {
        let ask = |accept: &str| {
            let head = format!("{line} HTTP/1.1\r\nHost: h\r\n{fields}Accept: {accept}\r\n\r\n");
            let content = if code == "chunk-size" { "no size\r\n" } else { "" };
            let mut client = server.connect();
            client.send([head.as_bytes(), content.as_bytes()].concat());
            client.answer(line.split(' ').next().unwrap_or_default())
        };
        let plain = ask("*/*");
        assert_eq!((plain.status, plain.field("content-type")), (status, Some("text/plain; charset=utf-8")));
        for accept in [
            "text/html, image/jpeg, */*;q=0.8",
            "application/*",
            "application/problem+json;q=0.5, text/plain",
        ] {
            assert_eq!(ask(accept).content, plain.content, "{line}");
        }
        for accept in [
            "application/problem+json",
            "Application/JSON",
            "text/plain;q=0.1, application/*;q=0.2, image/jpeg",
        ] {
            let answer = ask(accept);
            assert_eq!((answer.status, answer.closes()), (status, plain.closes()), "{line}");
            assert_eq!(answer.field("content-type"), Some("application/problem+json"), "{line}");
            assert_eq!(answer.field("vary"), Some("Accept"));
            for name in ["allow", "content-range", "upload-offset"] {
                assert_eq!(answer.field(name), plain.field(name), "{line}");
            }
            let document: serde_json::Value = serde_json::from_str(answer.text()).unwrap();
            let reason = plain.text().trim_end();
            assert_eq!(document["type"], "about:blank");
            assert_eq!((&document["status"], &document["code"]), (&status.into(), &code.into()), "{line}");
            assert_eq!(document["detail"], reason);
        }
    }
    // What is no error stays what it is.
    let head = "GET /files/there HTTP/1.1\r\nHost: h\r\nAccept: application/json\r\n\r\n";
    assert_eq!(check(&server, head, "200 keep").text(), "x");
}

#[test]
fn nothing_behind_a_refused_head_is_obeyed() {
    let server = Server::start(&[]);
    let smuggled = request("PUT /files/smuggled", "content");
    for head in [
        "GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n",
        "PUT /files/a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ] {
        check(&server, [head.as_bytes(), &smuggled].concat(), "400 close");
    }
    assert_eq!(exchange(&server, "GET /files/smuggled", "").status, 404);
}

#[test]
fn a_refusal_keeps_the_connection_when_little_is_left_unread() {
    let server = Server::start(&[]);
    check(&server, request("PUT /files/there", "old"), "201 keep");
    for length in [1, 1000, 256 * 1024] {
        let content = vec![b'x'; length];
        check(&server, request("POST /files/there", &content), "409 keep");
        check(&server, request("POST /echo/a", &content), "405 keep");
        check(&server, request("PUT /files/..", &content), "400 keep");
    }
    let chunks = "POST /files/there HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n7\r\ncontent\r\n0\r\n\r\n";
    check(&server, chunks, "409 keep");
}

#[test]
fn a_refusal_reaches_a_client_that_sends_on() {
    let server = Server::start(&[]);
    check(&server, request("PUT /files/there", "old"), "201 keep");
    // Closing with bytes unread would make the kernel send a reset, which destroys the answer.
    let content = vec![b'x'; 8 << 20];
    for _ in 0..5 {
        let mut client = server.connect();
        client.send(request("POST /files/there", &content));
        std::thread::sleep(Duration::from_millis(50));
        let answer = client.answer("POST");
        assert_eq!((answer.status, answer.closes()), (409, true));
        client.expect_end();
    }
    assert_eq!(exchange(&server, "GET /files/there", "").text(), "old");
}
