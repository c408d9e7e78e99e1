//! Every bound on what a client may send: just within, and just beyond.

use std::process::Command;
use std::time::Duration;

use tests::{Server, check, eventually, request};

#[test]
fn a_target_beyond_its_limit_is_414() {
    let server = Server::start(&["--target-bytes-max", "100"]);
    let within = "/echo/".to_owned() + &"x".repeat(94);
    check(&server, request(&format!("GET {within}"), ""), "200 keep");
    check(&server, request(&format!("GET {within}x"), ""), "414 close");
    check(&server, request(&format!("GET {within}?{within}"), ""), "414 close");
}

#[test]
fn a_head_beyond_its_limit_is_431() {
    let server = Server::start(&["--head-bytes-max", "1KiB", "--target-bytes-max", "512"]);
    let with_padding = |length: usize| {
        let start = "GET /echo/a HTTP/1.1\r\nHost: h\r\nPadding: ";
        let padding = "x".repeat(length - start.len() - 4);
        let head = format!("{start}{padding}\r\n\r\n");
        assert_eq!(head.len(), length);
        head
    };
    check(&server, with_padding(1024), "200 keep");
    check(&server, with_padding(1025), "431 close");
    check(&server, with_padding(100_000), "431 close");
    // A head that never ends is refused when it passes the limit, not when its time is up.
    let endless = with_padding(100_000);
    check(&server, endless.trim_end(), "431 close");
}

#[test]
fn fields_beyond_their_limit_are_431() {
    let server = Server::start(&["--head-fields-max", "5"]);
    let with_fields =
        |count: usize| format!("GET /echo/a HTTP/1.1\r\nHost: h\r\n{}\r\n", "A: b\r\n".repeat(count - 1));
    check(&server, with_fields(5), "200 keep");
    check(&server, with_fields(6), "431 close");
}

#[test]
fn content_beyond_its_limit_is_413_and_has_no_effect() {
    let server = Server::start(&["--content-bytes-max", "1000"]);
    check(&server, request("PUT /files/a", [b'x'; 1000]), "201 keep");
    check(&server, request("PATCH /files/a", [b'x'; 1000]), "200 keep");
    for method in ["POST", "PUT", "PATCH"] {
        let mut client = server.connect();
        client.send(request(&format!("{method} /files/b"), [b'x'; 1001]));
        assert_eq!(client.answer(method).status, 413, "{method}");
    }
    let chunked = |length: usize| {
        let head = "PUT /files/b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
        format!("{head}{}0\r\n\r\n", "1\r\nx\r\n".repeat(length))
    };
    let mut client = server.connect();
    client.send(chunked(1001));
    assert_eq!(client.answer("PUT").status, 413);
    check(&server, request("GET /files/b", ""), "404 keep");
    check(&server, chunked(1000), "201 keep");
}

#[test]
fn chunk_extensions_and_trailers_beyond_their_limit_are_400() {
    let server = Server::start(&["--chunk-overhead-bytes-max", "1KiB"]);
    let with = |extension: usize, trailer: usize| {
        let (extension, trailer) = ("e".repeat(extension), "t".repeat(trailer));
        let head = "PUT /files/a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
        format!("{head}7;{extension}\r\ncontent\r\n0\r\nTrailer: {trailer}\r\n\r\n")
    };
    check(&server, with(400, 400), "201 keep");
    check(&server, with(2000, 1), "400 close");
    check(&server, with(1, 2000), "400 close");
}

#[test]
fn unwanted_content_is_read_past_up_to_its_limit() {
    let server = Server::start(&["--discard-bytes-max", "1000"]);
    check(&server, request("POST /echo/a", [b'x'; 1000]), "405 keep");
    check(&server, request("POST /echo/a", [b'x'; 1001]), "405 close");
}

#[test]
fn the_last_request_of_a_connection_closes_it() {
    let server = Server::start(&["--requests-per-connection-max", "3"]);
    let mut client = server.connect();
    client.send(request("GET /echo/a", "").repeat(5));
    for last in [false, false, true] {
        assert_eq!(client.answer("GET").closes(), last);
    }
    client.expect_end();
}

#[test]
fn a_connection_beyond_the_limit_is_503_and_harms_no_other() {
    let server = Server::start(&["--connections-max", "3"]);
    let mut clients: Vec<_> = (0..3).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.expect_alive();
    }
    for _ in 0..5 {
        let mut refused = server.connect();
        let answer = refused.answer("GET");
        assert_eq!((answer.status, answer.closes()), (503, true));
        refused.expect_end();
    }
    for client in &mut clients {
        client.expect_alive();
    }
    // When one leaves, another may come.
    drop(clients.pop());
    eventually("a connection is accepted again", || {
        // A refused one is told so unasked.
        let mut client = server.connect();
        let accepted = client.hears_nothing_for(Duration::from_millis(100));
        if accepted {
            client.expect_alive();
        }
        accepted
    });
}

#[test]
fn a_connection_beyond_the_limit_of_its_address_is_503_and_harms_no_other() {
    let server = Server::start(&["--connections-per-address-max", "2", "--threads", "2"]);
    let mut clients: Vec<_> = (0..2).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.expect_alive();
    }
    for _ in 0..5 {
        let mut refused = server.connect();
        let answer = refused.answer("GET");
        assert_eq!((answer.status, answer.closes()), (503, true));
        refused.expect_end();
        // curl, as std cannot choose the address that it connects from.
        assert_eq!(status_from("127.0.0.2", &server), "200");
        assert_eq!(status_from("127.0.0.1", &server), "503");
    }
    for client in &mut clients {
        client.expect_alive();
    }
    drop(clients.pop());
    eventually("the address has room again", || status_from("127.0.0.1", &server) == "200");
}

/// The status that curl is answered when it connects from `address`.
#[expect(clippy::expect_used, reason = "a helper of tests fails the test that it helps")]
fn status_from(address: &str, server: &Server) -> String {
    let url = format!("http://{}/echo/a", server.address());
    let output = Command::new("curl")
        .args([
            "-s",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}",
            "--max-time",
            "60",
            "--interface",
            address,
            &url,
        ])
        .output()
        .expect("curl runs");
    String::from_utf8(output.stdout).expect("a status is text")
}
