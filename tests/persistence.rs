//! How long a connection lives: kept by default, closed where either side says so.

use tests::{Client, Server, check, request};

#[test]
fn a_connection_is_kept_for_any_mix_of_requests() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    for round in 0..50 {
        let path = format!("/files/{round}");
        for (line, content, status) in [
            ("POST", "content", 201),
            ("POST", "content", 409),
            ("GET", "", 200),
            ("HEAD", "", 200),
            ("PATCH", "+more", 200),
            ("PUT", "new", 200),
            ("OPTIONS", "", 204),
            ("DELETE", "", 200),
            ("DELETE", "", 404),
            ("BREW", "", 501),
        ] {
            client.send(request(&format!("{line} {path}"), content));
            let answer = client.answer(line);
            assert_eq!((answer.status, answer.closes()), (status, false), "{line}, round {round}");
        }
    }
    client.expect_alive();
}

#[test]
fn close_is_obeyed() {
    let server = Server::start(&[]);
    for connection in ["close", "CLOSE", "keep-alive, close", "close, keep-alive", "x, close"] {
        check(
            &server,
            format!("GET /echo/a HTTP/1.1\r\nHost: h\r\nConnection: {connection}\r\n\r\n"),
            "200 close",
        );
    }
    check(&server, "HEAD /echo/a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "200 close");
    check(&server, "GET /missing HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "404 close");
    let put = "PUT /files/a HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 7\r\n\r\ncontent";
    check(&server, put, "201 close");
    check(&server, "GET /files/a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "200 close");
}

#[test]
fn requests_behind_close_are_not_answered() {
    let server = Server::start(&[]);
    let close = "GET /echo/a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    let put = request("PUT /files/after", "content");
    check(&server, [close.as_bytes(), &put].concat(), "200 close");
    check(&server, request("GET /files/after", ""), "404 keep");
}

#[test]
fn a_1_0_connection_is_closed_unless_it_is_to_be_kept() {
    let server = Server::start(&[]);
    check(&server, "GET /echo/a HTTP/1.0\r\n\r\n", "200 close");
    check(&server, "GET /echo/a HTTP/1.0\r\nHost: h\r\n\r\n", "200 close");
    let kept = check(&server, "GET /echo/a HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "200 keep");
    // RFC 9112 §9.3: a 1.0 client has to be told.
    assert!(kept.field("connection").is_some_and(|value| value.eq_ignore_ascii_case("keep-alive")));
}

#[test]
fn a_half_closed_client_gets_all_its_answers() {
    let server = Server::start(&[]);
    let large = vec![b'x'; 4 << 20];
    let send_and_end = |bytes: &[u8]| -> Client {
        let mut client = server.connect();
        client.send(bytes);
        client.end();
        client
    };
    let mut client = send_and_end(&request("PUT /files/large", &large));
    assert_eq!(client.answer("PUT").status, 201);
    client.expect_end();

    let mut client = send_and_end(&request("GET /files/large", ""));
    assert!(client.answer("GET").content == large);
    client.expect_end();

    let pipelined = request("GET /echo/a", "").repeat(100);
    let mut client = send_and_end(&pipelined);
    for _ in 0..100 {
        assert_eq!(client.answer("GET").text(), "a");
    }
    client.expect_end();

    send_and_end(b"").expect_end();
}

#[test]
fn empty_lines_before_a_request_are_passed_over() {
    // RFC 9112 §2.2.
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.send("\r\n");
    client.expect_alive();
    client.send("\r\n");
    client.expect_alive();
}
