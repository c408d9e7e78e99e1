//! How content is framed and when it takes effect: wholly or not at all.

use std::fs;

use tests::{Server, check, eventually, exchange, request};

/// A request in chunks, as given.
fn chunked(line: &str, chunks: &str) -> String {
    format!("{line} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}")
}

#[test]
fn chunks_are_joined_and_their_extensions_and_trailers_ignored() {
    let server = Server::start(&[]);
    for (index, (chunks, expected)) in [
        ("0\r\n\r\n", ""),
        ("7\r\ncontent\r\n0\r\n\r\n", "content"),
        ("4\r\ncont\r\n003\r\nent\r\n000\r\n\r\n", "content"),
        ("A\r\n0123456789\r\na\r\nabcdefghij\r\n0\r\n\r\n", "0123456789abcdefghij"),
        ("7;name=value;other=\"quoted\"\r\ncontent\r\n0;last\r\n\r\n", "content"),
        ("7\r\ncontent\r\n0\r\nTrailer: value\r\nOther: value\r\n\r\n", "content"),
        ("2\r\n\r\n\r\n0\r\n\r\n", "\r\n"),
    ]
    .into_iter()
    .enumerate()
    {
        check(&server, chunked(&format!("PUT /files/{index}"), chunks), "201 keep");
        assert_eq!(exchange(&server, &format!("GET /files/{index}"), "").text(), expected, "{chunks:?}");
    }
}

#[test]
fn malformed_chunks_are_400_and_have_no_effect() {
    let server = Server::start(&[]);
    for chunks in [
        "\r\n",
        ";extension\r\n",
        "x\r\n",
        "-1\r\n",
        "+7\r\ncontent\r\n",
        "0x7\r\ncontent\r\n",
        "7\ncontent\n0\n\n",
        "7 7\r\n",
        "7\r\ncontent!\r\n",
        "7\r\ncontent0\r\n\r\n",
        "7\r\ncontent\r\nz\r\n",
        "fffffffffffffffff\r\n",
    ] {
        check(&server, chunked("PUT /files/new", chunks), "400 close");
        assert!(!server.directory().join("new").exists(), "{chunks:?}");
    }
}

#[test]
fn what_could_be_framed_in_two_ways_is_400() {
    let server = Server::start(&[]);
    for framing in [
        "Content-Length: 7\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 7\r\n",
        "Content-Length: 7\r\nContent-Length: 8\r\n",
        "Content-Length: 7, 8\r\n",
        "Content-Length: -7\r\n",
        "Content-Length: +7\r\n",
        "Content-Length: 7 7\r\n",
        "Content-Length: 0x7\r\n",
        "Content-Length:\r\n",
        "Content-Length: 18446744073709551616\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: chunked, gzip\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding:\r\n",
    ] {
        let request = format!("PUT /files/new HTTP/1.1\r\nHost: h\r\n{framing}\r\n7\r\ncontent\r\n0\r\n\r\n");
        check(&server, request, "400 close");
        assert!(!server.directory().join("new").exists(), "{framing:?}");
    }
}

#[test]
fn content_that_ends_early_has_no_effect() {
    let server = Server::start(&[]);
    check(&server, request("PUT /files/there", "old"), "201 keep");
    let lengthed = "HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf";
    let in_chunks = "HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n";
    let mut clients = Vec::new();
    for start in [lengthed, in_chunks] {
        for line in [
            "POST /files/new",
            "PUT /files/new",
            "PATCH /files/new",
            "PUT /files/there",
            "PATCH /files/there",
        ] {
            let mut client = server.connect();
            client.send(format!("{line} {start}"));
            clients.push(client);
        }
    }
    // Half of them leave, half only end their sending.
    let staying = clients.split_off(clients.len() / 2);
    drop(clients);
    for mut client in staying {
        client.end();
        client.count_to_end();
    }
    assert_eq!(exchange(&server, "GET /files/new", "").status, 404);
    assert_eq!(exchange(&server, "GET /files/there", "").text(), "old");
    // Nor does anything stay behind that was staged for them.
    eventually("no staged file is left", || {
        let reserved = server.directory().join(".http_server");
        files_below(&reserved) == 0
    });
}

fn files_below(directory: &std::path::Path) -> usize {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| if entry.path().is_dir() { files_below(&entry.path()) } else { 1 }).sum()
}

#[test]
fn content_is_invited_where_it_is_expected() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    for (line, status) in [("POST /files/a", 201), ("PATCH /files/a", 200), ("PUT /files/a", 200)] {
        client
            .send(format!("{line} HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\nContent-Length: 7\r\n\r\n"));
        assert_eq!(client.answer("POST").status, 100, "{line}");
        client.send("content");
        assert_eq!(client.answer("POST").status, status, "{line}");
    }
    client.send(
        "PUT /files/b HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    assert_eq!(client.answer("PUT").status, 100);
    client.send("7\r\ncontent\r\n0\r\n\r\n");
    assert_eq!(client.answer("PUT").status, 201);
    client.expect_alive();
}

#[test]
fn content_that_does_not_wait_is_taken() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client
        .send("PUT /files/a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 7\r\n\r\ncontent");
    let mut answer = client.answer("PUT");
    if answer.status == 100 {
        answer = client.answer("PUT");
    }
    assert_eq!(answer.status, 201);
    client.expect_alive();
}

#[test]
fn content_that_would_be_refused_is_not_invited() {
    let server = Server::start(&["--content-bytes-max", "1KiB"]);
    check(&server, request("PUT /files/there", "old"), "201 keep");
    for (line, length, expected) in [
        ("POST /files/there", 7, "409 close"),
        ("PUT /files/there/below", 7, "409 close"),
        ("PUT /files/..", 7, "400 close"),
        ("PUT /files/new", 1025, "413 close"),
        ("POST /echo/a", 7, "405 close"),
        ("POST /missing", 7, "404 close"),
        ("BREW /files/new", 7, "501 close"),
    ] {
        let head =
            format!("{line} HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n");
        check(&server, head, expected);
    }
    assert_eq!(exchange(&server, "GET /files/there", "").text(), "old");
}

#[test]
fn an_unknown_expectation_is_417() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.send("PUT /files/a HTTP/1.1\r\nHost: h\r\nExpect: more\r\nContent-Length: 7\r\n\r\ncontent");
    assert_eq!(client.answer("PUT").status, 417);
    assert_eq!(exchange(&server, "GET /files/a", "").status, 404);
}

#[test]
fn a_1_0_client_is_never_invited() {
    // RFC 9110 §10.1.1: it would not understand the 100.
    let server = Server::start(&[]);
    check(
        &server,
        "PUT /files/a HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 7\r\n\r\ncontent",
        "201 close",
    );
}

#[test]
fn a_file_beyond_the_limit_of_the_process_is_refused_and_changes_nothing() {
    // In blocks of 512 bytes.
    let server = Server::start_limited("-f", 16, &[]);
    let mut client = server.connect();
    client.send(request("PUT /files/a", "small"));
    assert_eq!(client.answer("PUT").status, 201);
    for method in ["PUT", "PATCH"] {
        client.send(request(&format!("{method} /files/a"), "x".repeat(10_000)));
        assert_eq!(client.answer(method).status, 413, "{method}");
        client.send(request("GET /files/a", ""));
        assert_eq!(client.answer("GET").text(), "small");
    }
    assert_eq!(std::fs::read_dir(server.directory().join(".http_server")).unwrap().count(), 0);
}
