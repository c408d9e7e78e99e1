//! What has no end, and what is announced and does not come: refused at a bound, and never held in memory.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;

use tests::{Client, PATIENCE, Server, eventually, exchange, ledger};

use super::beside_a_bystander;

/// Far more than the server may take before it refuses, and may read past afterwards.
const FLOOD_BYTES: usize = 64 << 20;
const PEAK_KIB_MAX: u64 = 64 * 1024;

const CHUNKED: &str = "PUT /files/endless HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";

/// Sends `begin`, and then `again` and again, for as long as the server takes it; the status of
/// the answer, which is read meanwhile, and how many bytes were taken.
fn flood(server: &Server, begin: &str, again: &str) -> (String, usize) {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    let mut reader = stream.try_clone().unwrap();
    let answer = thread::spawn(move || {
        let mut answer = Vec::new();
        // Whoever goes on sending without end is reset at last, long after the answer.
        if let Err(error) = reader.read_to_end(&mut answer) {
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        }
        String::from_utf8(answer).unwrap()
    });
    let piece = again.repeat(1 + 16_384 / again.len());
    let mut sent = 0;
    let mut result = stream.write_all(begin.as_bytes());
    while result.is_ok() && sent < FLOOD_BYTES {
        result = stream.write_all(piece.as_bytes());
        sent += piece.len();
    }
    let answer = answer.join().unwrap();
    let (head, _) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{begin:?}: {answer:?}"));
    assert!(head.contains("\r\nConnection: close"), "{begin:?}: {head}");
    let status = head.split(' ').nth(1).unwrap_or_default();
    (status.to_owned(), sent)
}

#[test]
fn whatever_has_no_end_is_refused_at_its_bound() {
    let server = Server::start(&["--content-bytes-max", "1MiB", "--linger-seconds-max", "1"]);
    let chunked = |rest: &str| format!("{CHUNKED}{rest}");
    let head = |rest: &str| format!("GET / HTTP/1.1\r\nHost: h\r\n{rest}");
    let cases = [
        (String::new(), "G", "501"),
        (String::new(), "\r\n", "400"),
        ("GET /".to_owned(), "x", "414"),
        // Where the target would have ended nobody knows.
        ("GET / ".to_owned(), "H", "414"),
        (head(""), "N", "431"),
        (head("Endless: "), "x", "431"),
        (head(""), "A: b\r\n", "431"),
        (chunked(""), "0", "400"),
        (chunked("1;"), "e", "400"),
        (chunked("1;e=\""), "q", "400"),
        (chunked("1"), ";e=1", "400"),
        (chunked(""), "1;e=1\r\nx\r\n", "400"),
        (chunked("0\r\nTrailer: "), "t", "400"),
        (chunked("0\r\n"), "T: t\r\n", "400"),
        (chunked(""), "400\r\n0123456789abcdef\r\n", "400"),
        (chunked("ffffffffffffffff\r\n"), "x", "413"),
        (chunked(""), "10\r\n0123456789abcdef\r\n", "413"),
        // Nobody wants this content: the answer does not wait for it.
        (head("Content-Length: 1048577\r\n\r\n"), "x", "200"),
    ];
    ledger::record("hostile:endless", &[("cases", cases.len() as u64), ("flood_bytes", FLOOD_BYTES as u64)]);
    beside_a_bystander(&server, || {
        for (begin, again, expected) in &cases {
            let (status, sent) = flood(&server, begin, again);
            println!("endless: {:?} {again:?} status={status} sent={sent}", begin.lines().last());
            assert_eq!(status, *expected, "{begin:?} {again:?}");
            assert!(sent < FLOOD_BYTES, "{begin:?} {again:?} was taken to the end");
        }
    });
    assert_eq!(exchange(&server, "GET /files/endless", "").status, 404);
    let peak = server.peak_memory_kib();
    println!("endless: peak_memory_kib={peak} ceiling={PEAK_KIB_MAX}");
    assert!(peak < PEAK_KIB_MAX, "{peak} KiB were resident");
}

#[test]
fn announced_sizes_take_no_memory() {
    const CONNECTIONS: u64 = 200;
    /// Beside what the connections themselves take, with room for the allocator.
    const BYTES_EACH_MAX: u64 = 8 * 1024;
    let server = Server::start(&[]);
    let announce = |number: u64| {
        let begin = format!("PUT /files/announced-{number} HTTP/1.1\r\nHost: h\r\n");
        match number % 3 {
            0 => format!("{begin}Content-Length: {}\r\n\r\n", 1_u64 << 40),
            1 => format!("{begin}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n", 1_u64 << 40),
            // With one byte of it, so that something is held.
            _ => format!("{begin}Content-Length: {}\r\n\r\nx", 1_u64 << 40),
        }
    };
    // Whatever is made once is made now.
    for number in 0..100 {
        assert_eq!(exchange(&server, &format!("PUT /files/{number}"), "content").status, 201);
    }
    let (before, descriptors) = (server.memory_kib(), server.descriptors());
    let mut clients: Vec<Client> = Vec::new();
    beside_a_bystander(&server, || {
        for number in 0..CONNECTIONS {
            let mut client = server.connect();
            client.send(announce(number));
            clients.push(client);
        }
        // Each has its socket, and two of three, which announced a length, a file to put it in.
        let staged = CONNECTIONS as usize * 8 / 5;
        eventually("all have announced", || server.descriptors() >= descriptors + staged);
        server.connect().expect_alive();
    });
    let bytes_each = server.memory_kib().saturating_sub(before) * 1024 / CONNECTIONS;
    println!("announced: connections={CONNECTIONS} bytes_each={bytes_each} ceiling={BYTES_EACH_MAX}");
    assert!(bytes_each < BYTES_EACH_MAX, "{bytes_each} bytes for each announcement");
}
