//! Every bound on how long a client may take: a slow one is told where it can be, and its connection ends.

use std::fs::File;
use std::time::{Duration, Instant};

use tests::{Client, Server, eventually, exchange, request};

/// What the limit of each test is set to: all others are far longer.
const LIMIT: Duration = Duration::from_secs(1);
/// Clocks and timers are read at different moments.
const EARLIEST: Duration = Duration::from_millis(900);

fn server_with(flag: &str) -> Server {
    Server::start(&[flag, "1"])
}

fn expect_408(client: &mut Client, since: Instant) {
    let answer = client.answer("GET");
    assert_eq!((answer.status, answer.closes()), (408, true));
    client.expect_end();
    assert!(since.elapsed() >= EARLIEST, "after {:?}", since.elapsed());
}

#[test]
fn a_slow_head_is_408() {
    let server = server_with("--head-seconds-max");
    for start in ["G", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: h\r\n\r"] {
        let mut client = server.connect();
        let since = Instant::now();
        client.send(start);
        expect_408(&mut client, since);
    }
}

#[test]
fn a_head_gains_no_time_by_coming_byte_by_byte() {
    let server = server_with("--head-seconds-max");
    let mut client = server.connect();
    client.send("GET / HTTP/1.1\r\nHost: h\r\nEndless: ");
    let mut sent = 0;
    while client.hears_nothing_for(LIMIT / 10) {
        assert!(sent < 100, "a head took {sent} times a tenth of its time");
        client.send("x");
        sent += 1;
    }
    let answer = client.answer("GET");
    assert_eq!((answer.status, answer.closes()), (408, true));
}

#[test]
fn the_time_of_a_head_begins_with_its_first_byte() {
    let server = server_with("--head-seconds-max");
    let mut client = server.connect();
    for _ in 0..2 {
        std::thread::sleep(LIMIT + LIMIT / 10);
        // In two pieces: a head that is here when its time is looked at has none to exceed.
        client.send("GET /echo/a HTTP/1.1\r\n");
        std::thread::sleep(LIMIT / 10);
        client.send("Host: h\r\n\r\n");
        assert_eq!(client.answer("GET").text(), "a");
    }
}

#[test]
fn slow_content_is_408_and_has_no_effect() {
    let server = server_with("--content-seconds-max");
    for framing in ["Content-Length: 10\r\n\r\nhalf", "Transfer-Encoding: chunked\r\n\r\na\r\nhalf"] {
        let mut client = server.connect();
        let since = Instant::now();
        client.send(format!("PUT /files/a HTTP/1.1\r\nHost: h\r\n{framing}"));
        expect_408(&mut client, since);
    }
    assert_eq!(exchange(&server, "GET /files/a", "").status, 404);
}

#[test]
fn content_that_keeps_the_pace_may_take_longer_than_its_time() {
    let server = Server::start(&["--content-seconds-max", "1", "--transfer-bytes-per-second-min", "100"]);
    let mut client = server.connect();
    client.send("PUT /files/a HTTP/1.1\r\nHost: h\r\nContent-Length: 5000\r\n\r\n");
    for _ in 0..10 {
        client.send([b'x'; 500]);
        std::thread::sleep(LIMIT / 4);
    }
    assert_eq!(client.answer("PUT").status, 201);
}

#[test]
fn an_idle_connection_is_closed_without_an_answer() {
    let server = server_with("--idle-seconds-max");
    let since = Instant::now();
    let mut silent = server.connect();
    let mut used = server.connect();
    used.expect_alive();
    silent.expect_end();
    used.expect_end();
    assert!(since.elapsed() >= EARLIEST, "after {:?}", since.elapsed());
}

#[test]
fn a_reader_that_stops_is_cut_off() {
    // At such a pace, what the kernel takes into its buffers gains the reader no time.
    let server = Server::start(&["--write-seconds-max", "1", "--transfer-bytes-per-second-min", "1GiB"]);
    let length = 64 << 20;
    let file = File::create(server.directory().join("large")).unwrap();
    file.set_len(length).unwrap();
    let descriptors = server.descriptors();
    let mut client = server.connect();
    client.send(request("GET /files/large", ""));
    assert_eq!(client.head("GET").status, 200);
    eventually("the server has let go of the reader", || server.descriptors() <= descriptors);
    assert!(client.count_to_end() < length);
}
