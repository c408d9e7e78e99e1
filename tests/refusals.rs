//! Heads that could be read in two ways are refused and their connection closed; and a refusal
//! reaches its client, whatever the client was sending.

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
