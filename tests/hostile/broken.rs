//! Connections that break or end at any point of a request or an answer.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use tests::{PATIENCE, Server, eventually, exchange, ledger, request};

use super::{beside_a_bystander, leave_unread};

/// xorshift64: the same numbers in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

#[test]
fn resets_at_any_point_harm_nobody_and_leave_nothing() {
    const CONNECTIONS: usize = 300;
    let server = Server::start(&[]);
    File::create(server.directory().join("large")).unwrap().set_len(32 << 20).unwrap();
    let chunked = "PUT /files/reset HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    let samples: [Vec<u8>; 6] = [
        request("GET /echo/a", "").repeat(3),
        request("GET /files/large", ""),
        request("POST /echo/a", vec![b'x'; 10_000]),
        // Cut short, or an end that is missing: neither may take effect.
        request("PUT /files/reset", vec![b'x'; 600_000])[..599_999].to_vec(),
        format!("{chunked}ff;e=\"q\"\r\n{}\r\n0\r\nTrailer: t\r\n", "x".repeat(255)).into_bytes(),
        request("DELETE /files/none", ""),
    ];
    exchange(&server, "PUT /files/first", "content");
    let descriptors = server.descriptors();
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    beside_a_bystander(&server, || {
        for number in 0..CONNECTIONS {
            let mut client = server.connect();
            // An answer that stays unread makes a reset of the close, whatever comes behind it.
            client.send(request("GET /echo/unread", ""));
            leave_unread(&mut client);
            let sample = &samples[number % samples.len()];
            client.send(&sample[..=numbers.below(sample.len())]);
            if numbers.below(2) == 0 {
                std::thread::sleep(std::time::Duration::from_micros(numbers.below(2000) as u64));
            }
        }
    });
    ledger::record("hostile:resets", &[("connections", CONNECTIONS as u64)]);
    eventually("all descriptors are back", || server.descriptors() <= descriptors);
    assert_eq!(exchange(&server, "GET /files/reset", "").status, 404);
}

#[test]
fn half_close_at_any_point_of_a_request_has_its_answer() {
    let server = Server::start(&[]);
    let get = request("GET /echo/a", "");
    let fixed = request("PUT /files/half", "content");
    let chunked = b"PUT /files/half HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\
        7;e=\"q\"\r\ncontent\r\n0\r\nTrailer: t\r\n\r\n";
    let mut connections = 0;
    beside_a_bystander(&server, || {
        // Each alone, and behind a request that is whole.
        for (first, second) in [(&[][..], &get[..]), (&get, &fixed), (&get, chunked)] {
            for cut in 0..=second.len() {
                let shown = second[..cut].escape_ascii().to_string();
                let mut client = server.connect();
                client.send(first);
                client.send(&second[..cut]);
                client.end();
                if !first.is_empty() {
                    assert_eq!(client.answer("GET").text(), "a", "{shown}");
                }
                if cut > 0 {
                    let answer = client.answer("GET");
                    if cut < second.len() {
                        assert_eq!((answer.status, answer.closes()), (400, true), "{shown}");
                    } else {
                        assert!(matches!(answer.status, 200 | 201), "{shown}: {}", answer.status);
                    }
                }
                client.expect_end();
                let whole = cut == second.len() && !first.is_empty();
                assert_eq!(server.directory().join("half").exists(), whole, "{shown}");
                connections += 1;
            }
            let _ = std::fs::remove_file(server.directory().join("half"));
        }
    });
    ledger::record("hostile:half_close", &[("connections", connections as u64)]);
}

#[test]
fn nothing_behind_connection_close_is_looked_at() {
    let server = Server::start(&[]);
    assert_eq!(exchange(&server, "PUT /files/kept", "content").status, 201);
    let last = "GET /echo/last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    let behind = [
        request("DELETE /files/kept", ""),
        b"\0\xff garbage \r\n\r\n".to_vec(),
        vec![b'x'; 1 << 20],
        request("GET /echo/more", "").repeat(10_000),
    ];
    beside_a_bystander(&server, || {
        for garbage in &behind {
            let mut client = server.connect();
            client.send([last.as_bytes(), garbage].concat());
            let answer = client.answer("GET");
            assert_eq!((answer.status, answer.text(), answer.closes()), (200, "last", true));
            client.expect_end();
            // When it comes later the connection may be closed, which resets it; but the answer was sent.
            let mut stream = TcpStream::connect(server.address()).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            stream.write_all(last.as_bytes()).unwrap();
            let _ = stream.write_all(garbage);
            let mut received = Vec::new();
            if let Err(error) = stream.read_to_end(&mut received) {
                assert_eq!(error.kind(), ErrorKind::ConnectionReset);
            }
            let received = String::from_utf8(received).unwrap();
            assert_eq!(received.matches("HTTP/1.1 ").count(), 1, "{received:?}");
            assert!(received.ends_with("\r\n\r\nlast"), "{received:?}");
        }
    });
    assert_eq!(exchange(&server, "GET /files/kept", "").text(), "content");
}
