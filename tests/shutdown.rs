//! How the server ends: in order when it is asked to, and without harm when it is killed.

use std::fs::File;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use tests::{Server, eventually, exchange, request};

/// Far longer than a test takes, so that only an end in order comes before it.
const LONG_GRACE: [&str; 2] = ["--grace", "50"];
/// Far shorter than [`LONG_GRACE`], far longer than anything that is done at once.
const AT_ONCE: Duration = Duration::from_secs(20);

const HALF_AN_UPLOAD: &str =
    "PUT /files/a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 8\r\n\r\n";

/// Signals the server and waits until it listens no more.
fn drain(server: &Server, signal: &str) {
    server.signal(signal);
    eventually("nothing listens any more", || TcpStream::connect(server.address()).is_err());
}

#[test]
fn idle_connections_are_closed_at_once() {
    for signal in ["TERM", "INT"] {
        let mut server = Server::start(&LONG_GRACE);
        let mut unused = server.connect();
        let mut used = server.connect();
        used.expect_alive();
        let since = Instant::now();
        server.signal(signal);
        // It may not have been accepted yet.
        assert_eq!(unused.count_to_end(), 0);
        used.expect_end();
        assert_eq!(server.expect_exit().code(), Some(0), "{signal}");
        assert!(since.elapsed() < AT_ONCE, "{signal}: after {:?}", since.elapsed());
    }
}

#[test]
fn an_upload_under_way_is_finished() {
    let mut server = Server::start(&LONG_GRACE);
    let mut client = server.connect();
    client.send(HALF_AN_UPLOAD);
    assert_eq!(client.answer("PUT").status, 100);
    client.send("half");
    drain(&server, "TERM");
    assert!(server.is_running());
    client.send("half");
    assert_eq!(client.answer("PUT").status, 201);
    client.expect_end();
    assert_eq!(server.expect_exit().code(), Some(0));
    assert_eq!(std::fs::read_to_string(server.directory().join("a")).unwrap(), "halfhalf");
}

#[test]
fn a_download_under_way_is_finished() {
    let mut server = Server::start(&LONG_GRACE);
    let length = 64 << 20;
    let file = File::create(server.directory().join("large")).unwrap();
    file.set_len(length).unwrap();
    let mut client = server.connect();
    client.send(request("GET /files/large", ""));
    assert_eq!(client.head("GET").status, 200);
    drain(&server, "TERM");
    assert!(server.is_running());
    client.content(length, |_| {});
    client.expect_end();
    assert_eq!(server.expect_exit().code(), Some(0));
}

#[test]
fn after_the_grace_period_the_rest_is_cut_off() {
    let mut server = Server::start(&["--grace", "0.5"]);
    let mut client = server.connect();
    client.send(HALF_AN_UPLOAD);
    assert_eq!(client.answer("PUT").status, 100);
    let since = Instant::now();
    drain(&server, "TERM");
    assert_eq!(server.expect_exit().code(), Some(0));
    assert!(since.elapsed() >= Duration::from_millis(400), "after {:?}", since.elapsed());
    assert!(since.elapsed() < AT_ONCE, "after {:?}", since.elapsed());
    client.count_to_end();
    assert!(!server.directory().join("a").exists());
}

#[test]
fn a_second_signal_ends_the_server_at_once() {
    let mut server = Server::start(&LONG_GRACE);
    let mut client = server.connect();
    client.send(HALF_AN_UPLOAD);
    assert_eq!(client.answer("PUT").status, 100);
    let since = Instant::now();
    drain(&server, "TERM");
    assert!(server.is_running());
    server.signal("TERM");
    server.expect_exit();
    assert!(since.elapsed() < AT_ONCE, "after {:?}", since.elapsed());
}

#[test]
fn a_killed_server_starts_again_on_its_port_with_its_files() {
    let mut server = Server::start(&[]);
    for round in 0..3 {
        let port = server.address().port();
        let mut client = server.connect();
        client.send(request(&format!("PUT /files/{round}"), "kept"));
        assert_eq!(client.answer("PUT").status, 201);
        let mut uploading = server.connect();
        uploading
            .send(format!("PUT /files/half-{round} HTTP/1.1\r\nHost: h\r\nContent-Length: 8\r\n\r\nhalf"));
        // Both connections are open when it dies: the kernel remembers its end of them.
        server = server.kill_and_restart(&[]);
        assert_eq!(server.address().port(), port);
        for earlier in 0..=round {
            assert_eq!(exchange(&server, &format!("GET /files/{earlier}"), "").text(), "kept");
            assert_eq!(exchange(&server, &format!("GET /files/half-{earlier}"), "").status, 404);
        }
    }
    server.stop();
}
