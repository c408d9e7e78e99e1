//! TLS: what holds over plain sockets holds over it.
//!
//! Goal: every request is answered over TLS as without; however records are cut, nothing changes; content that
//! is cut off has no effect; a new certificate is shown to who comes later; and no peer that fails to speak TLS
//! holds anything. Method: a client that has its records in hand, at the binary.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper of tests fails the test that it helps"
)]

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::Command;

use rustls::version::{TLS12, TLS13};
use tests::{Depth, PATIENCE, Server, binary, depth, eventually, ledger};

#[path = "tls/hostile.rs"]
mod hostile;
#[path = "tls/peer.rs"]
mod peer;

use peer::Identity;

/// Bytes that are not the same anywhere.
fn content(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8 ^ (at / 251 % 256) as u8).collect()
}

fn status(answer: &(String, Vec<u8>)) -> &str {
    answer.0.get(9..12).unwrap()
}

#[test]
fn each_method_is_answered_over_each_version() {
    let identity = Identity::new();
    let server = identity.server(&[]);
    assert!(server.start_line().contains(" on https://127.0.0.1:"), "{}", server.start_line());
    for (version, name) in [(&TLS12, "a"), (&TLS13, "b")] {
        let mut trust = identity.trust();
        trust.versions = vec![version];
        let mut peer = trust.connect(server.address()).unwrap();
        assert_eq!(peer.tls.alpn_protocol(), Some(&b"http/1.1"[..]));
        let target = format!("/files/{name}");
        let mut expect = |line: &str, content: &[u8], expected: &str| {
            let answer = peer.ask(line, content);
            assert_eq!(status(&answer), expected, "{line}: {answer:?}");
            answer.1
        };
        expect(&format!("POST {target}"), b"one", "201");
        expect(&format!("POST {target}"), b"two", "409");
        assert_eq!(expect(&format!("GET {target}"), b"", "200"), b"one");
        expect(&format!("PUT {target}"), b"three", "200");
        expect(&format!("PATCH {target}"), b"four", "200");
        assert_eq!(expect(&format!("GET {target}"), b"", "200"), b"threefour");
        expect(&format!("HEAD {target}"), b"", "200");
        expect(&format!("OPTIONS {target}"), b"", "204");
        expect(&format!("DELETE {target}"), b"", "200");
        expect(&format!("GET {target}"), b"", "404");
        expect("BREW /", b"", "501");
    }
}

#[test]
fn large_content_goes_up_and_comes_down() {
    let identity = Identity::new();
    let server = identity.server(&[]);
    let large = content(20_000_000);
    for version in [&TLS12, &TLS13] {
        let mut trust = identity.trust();
        trust.versions = vec![version];
        let mut peer = trust.connect(server.address()).unwrap();
        peer.ask("PUT /files/large", &large);
        assert!(fs::read(server.directory().join("large")).unwrap() == large);
        // Each way in which a file is sent: with its head, and slice by slice; on the same connection.
        for length in [1, 16_384, 65_536, 65_537, 262_144, 1_000_000] {
            fs::write(server.directory().join("small"), &large[..length]).unwrap();
            assert!(peer.ask("GET /files/small", b"").1 == large[..length], "{length}");
        }
        assert!(peer.ask("GET /files/large", b"").1 == large);
    }
    // Nobody reads for a while: what does not fit waits, and arrives.
    let mut slow = identity.trust().connect(server.address()).unwrap();
    let request = "GET /files/large HTTP/1.1\r\nHost: h\r\n\r\n";
    slow.send(request.repeat(2)).unwrap();
    let mut other = identity.trust().connect(server.address()).unwrap();
    assert_eq!(status(&other.ask("GET /echo/a", b"")), "200");
    for _ in 0..2 {
        assert!(slow.answer("GET").1 == large);
    }
}

#[test]
fn many_requests_in_one_record_and_in_many_are_answered_in_order() {
    let identity = Identity::new();
    let server = identity.server(&[]);
    fs::write(server.directory().join("file"), content(200_000)).unwrap();
    let mut peer = identity.trust().connect(server.address()).unwrap();
    let mut requests = String::new();
    for number in 0..300 {
        requests += &format!("GET /echo/{number} HTTP/1.1\r\nHost: h\r\n\r\n");
        if number % 50 == 0 {
            requests += "GET /files/file HTTP/1.1\r\nHost: h\r\n\r\n";
        }
    }
    peer.send(&requests).unwrap();
    for number in 0..300 {
        assert_eq!(peer.answer("GET").1, number.to_string().as_bytes());
        if number % 50 == 0 {
            assert!(peer.answer("GET").1 == content(200_000));
        }
    }
}

/// Goal: the effects and answers do not depend on where the records are cut. Method: handshake, upload and
/// requests in pieces of each size.
#[test]
fn however_records_are_cut_the_answers_are_the_same() {
    let identity = Identity::new();
    let server = identity.server(&[]);
    let trust = identity.trust();
    let sizes = if depth() == Depth::Quick { 60 } else { 300 };
    for size in 1..=sizes {
        let mut peer = trust.connect_cut(server.address(), size).unwrap();
        let sent = content(size * 17);
        let put = peer.ask(&format!("PUT /files/{size}"), &sent);
        assert_eq!(status(&put), "201", "{size}");
        assert!(peer.ask(&format!("GET /files/{size}"), b"").1 == sent, "{size}");
        peer.say_end();
        let (rest, said) = peer.rest();
        assert!(rest.is_empty() && said, "{size}: {said}");
    }
    ledger::record("tls:cuts", &[("connections", sizes as u64)]);
}

/// Goal: content that ends early has no effect, wherever its records end. Method: an upload's records, each
/// n-th byte the last one, with and without an end of the socket.
#[test]
fn content_that_is_cut_off_has_no_effect() {
    let identity = Identity::new();
    let server = identity.server(&[]);
    let trust = identity.trust();
    let head = "PUT /files/cut HTTP/1.1\r\nHost: h\r\nContent-Length: 40000\r\n\r\n";
    let request = [head.as_bytes(), &content(40_000)].concat();
    let length = trust.connect(server.address()).unwrap().seal(&request).len();
    let steps = if depth() == Depth::Quick { 20 } else { 200 };
    for end in (0..length).step_by(length / steps) {
        let mut peer = trust.connect(server.address()).unwrap();
        let records = peer.seal(&request);
        peer.stream.write_all(&records[..end]).unwrap();
        peer.cut_off();
        let (rest, _) = peer.rest();
        assert!(rest.is_empty(), "{end}: {}", rest.escape_ascii());
        assert!(!server.directory().join("cut").exists(), "{end}");
    }
    // An end that is said is one as well.
    let mut peer = trust.connect(server.address()).unwrap();
    peer.send(&request[..request.len() - 1]).unwrap();
    peer.say_end();
    let (rest, said) = peer.rest();
    assert!(said && (rest.is_empty() || rest.starts_with(b"HTTP/1.1 400")), "{}", rest.escape_ascii());
    assert!(!server.directory().join("cut").exists());
    // All of it, and then the end of the socket without a word: the request was whole.
    let mut peer = trust.connect(server.address()).unwrap();
    peer.send(&request).unwrap();
    assert_eq!(status(&peer.answer("PUT")), "201");
    eventually("all uploads are gone", || tests::staged(server.directory()) == 0);
}

#[test]
fn the_last_answer_is_followed_by_an_end_that_is_said() {
    let identity = Identity::new();
    let server = identity.server(&["--idle-seconds-max", "0.2"]);
    let trust = identity.trust();
    let closing = "GET /echo/a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    for request in [closing, "GET /echo/a HTTP/1.0\r\n\r\n", "strange\r\n\r\n", ""] {
        let mut peer = trust.connect(server.address()).unwrap();
        peer.send(request).unwrap();
        let (rest, said) = peer.rest();
        assert!(said, "{request:?}: {}", rest.escape_ascii());
        assert_eq!(rest.is_empty(), request.is_empty(), "{request:?}");
    }
}

#[test]
fn a_new_certificate_is_shown_to_who_comes_later() {
    let identity = Identity::new();
    let server = identity.server(&[]);
    let old = identity.trust();
    let mut before = old.connect(server.address()).unwrap();
    before.ask("PUT /files/a", b"content");
    identity.renew();
    // Until the server is told, it is the old one.
    assert!(old.connect(server.address()).is_ok());
    server.signal("HUP");
    let new = identity.trust();
    eventually("the new one is shown", || new.connect(server.address()).is_ok());
    let refused = old.connect(server.address()).map(drop).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidData);
    // Who was there before notices nothing.
    assert_eq!(before.ask("GET /files/a", b"").1, b"content");
    // One that cannot be used is not taken.
    fs::write(identity.certificate(), "nonsense").unwrap();
    server.signal("HUP");
    eventually("the log says so", || server.stderr().contains("the certificate stays as it is: cannot use "));
    assert_eq!(new.connect(server.address()).unwrap().ask("GET /files/a", b"").1, b"content");
    assert_eq!(before.ask("GET /files/a", b"").1, b"content");
}

#[test]
fn a_certificate_that_cannot_be_used_is_refused_at_the_start() {
    let identity = Identity::new();
    let other = Identity::new();
    let refused = |certificate: &std::path::Path, key: &std::path::Path, reason: &str| {
        let mut command = Command::new(binary());
        command.arg("--tls-certificate").arg(certificate).arg("--tls-key").arg(key);
        let output = command.args(["--port", "0", "/no/directory"]).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(stderr.contains(reason), "{stderr}");
    };
    refused(&identity.certificate(), &other.key(), "the key is that of another certificate");
    refused(&identity.key(), &identity.key(), "--tls-certificate wants CERTIFICATE sections");
    refused(&identity.certificate().join("x"), &identity.key(), "Not a directory");
}

#[test]
fn plain_and_secure_places_stand_side_by_side() {
    let identity = Identity::new();
    let server = identity.server(&["--listen", "http://127.0.0.1:0"]);
    let line = server.start_line();
    let (_, rest) = line.split_once(" and http://127.0.0.1:").unwrap();
    let port: u16 = rest.split(' ').next().unwrap().parse().unwrap();
    let mut plain = tests::Client::connect(([127, 0, 0, 1], port).into());
    assert_eq!(plain.ask("PUT /files/a", "both").status, 201);
    let mut secure = identity.trust().connect(server.address()).unwrap();
    assert_eq!(secure.ask("GET /files/a", b"").1, b"both");
}

#[test]
fn curl_is_served() {
    if Command::new("curl").arg("--version").output().is_err() {
        ledger::skipped("tls:curl", "curl is not installed");
        return;
    }
    let identity = Identity::new();
    let server = identity.server(&[]);
    let address = format!("https://localhost:{}/files/a", server.address().port());
    let curl = |words: &[&str]| {
        let mut command = Command::new("curl");
        command.args(["-sS", "--max-time", "30", "--cacert"]).arg(identity.certificate()).args(words);
        let output = command.arg(&address).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(curl(&["-X", "PUT", "--data-binary", "over TLS"]), "created /files/a\n");
    assert_eq!(curl(&[]), "over TLS");
    assert_eq!(curl(&["--tls-max", "1.2"]), "over TLS");
}
