//! A byte at a time, or none: every wait for a peer ends, and costs nobody but that peer.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use tests::{Client, PATIENCE, Server, eventually, exchange, ledger, request};

use super::beside_a_bystander;

const LIMIT: Duration = Duration::from_secs(1);
/// Clocks and timers are read at different moments.
const EARLIEST: Duration = Duration::from_millis(900);
const BETWEEN_BYTES: Duration = Duration::from_millis(100);

const PUT_CHUNKED: &str = "PUT /files/slow HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
const POST_CHUNKED: &str = "POST /echo/a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";

#[test]
fn a_byte_every_100_ms_is_408_wherever_it_comes() {
    let server = Server::start(&["--head-seconds-max", "1", "--content-seconds-max", "1"]);
    let put = |rest: &str| (format!("{PUT_CHUNKED}{rest}"), "x");
    let cases = [
        ("GET /echo/".to_owned(), "x"),
        ("GET / HTTP/1.1\r\n".to_owned(), "x"),
        ("GET / HTTP/1.1\r\nHost: h\r\nSlow: ".to_owned(), "x"),
        ("\r\nGET / HTTP/1.1\r\nHost: h\r\nSlow:".to_owned(), " "),
        ("PUT /files/slow HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n".to_owned(), "x"),
        ("POST /echo/a HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n".to_owned(), "x"),
        (PUT_CHUNKED.to_owned(), "0"),
        put("ff\r\n"),
        put("1\r\na\r\n2;extension="),
        put("1;extension=\""),
        put("0\r\nTrailer: "),
        put("0\r\n"),
        (POST_CHUNKED.to_owned(), "0"),
        (format!("{POST_CHUNKED}ff\r\n"), "x"),
        (format!("{POST_CHUNKED}0\r\nTrailer:"), "x"),
    ];
    ledger::record("hostile:slow", &[("cases", cases.len() as u64)]);
    beside_a_bystander(&server, || {
        thread::scope(|scope| {
            for (begin, byte) in &cases {
                let server = &server;
                scope.spawn(move || {
                    let mut client = server.connect();
                    let since = Instant::now();
                    client.send(begin);
                    let mut sent = 0;
                    while client.hears_nothing_for(BETWEEN_BYTES) {
                        assert!(sent < 100, "{begin:?} and {sent} bytes more have no end");
                        client.send(byte);
                        sent += 1;
                    }
                    let answer = client.answer("GET");
                    assert_eq!((answer.status, answer.closes()), (408, true), "{begin:?}");
                    client.expect_end();
                    assert!(since.elapsed() >= EARLIEST, "{begin:?} after {:?}", since.elapsed());
                    assert!(sent > 4, "{begin:?} had time for {sent} bytes only");
                });
            }
        });
    });
    assert_eq!(exchange(&server, "GET /files/slow", "").status, 404);
}

#[test]
fn connections_that_send_nothing_are_closed_without_an_answer() {
    let server = Server::start(&["--idle-seconds-max", "2"]);
    let since = Instant::now();
    let mut silent: Vec<Client> = (0..100).map(|_| server.connect()).collect();
    beside_a_bystander(&server, || silent.iter_mut().for_each(Client::expect_end));
    assert!(since.elapsed() >= EARLIEST, "after {:?}", since.elapsed());
}

#[test]
fn slow_readers_lose_only_their_own_connections_and_hold_no_memory() {
    const PEAK_KIB_MAX: u64 = 64 * 1024;
    const LENGTH: u64 = 64 << 20;
    let server = Server::start(&["--write-seconds-max", "1", "--transfer-bytes-per-second-min", "4MiB"]);
    File::create(server.directory().join("large")).unwrap().set_len(LENGTH).unwrap();
    assert_eq!(exchange(&server, "PUT /files/a", vec![b'x'; 100_000]).status, 201);
    let descriptors = server.descriptors();
    let large = request("GET /files/large", "");
    let pipelined = request("GET /files/a", "").repeat(1000);
    beside_a_bystander(&server, || {
        let mut readers: Vec<TcpStream> = Vec::new();
        for number in 0..20 {
            let mut reader = TcpStream::connect(server.address()).unwrap();
            let asked = if number % 2 == 0 { &large } else { &pipelined };
            reader.write_all(asked).unwrap();
            // Half of them read nothing at all.
            if number % 4 < 2 {
                reader.set_read_timeout(Some(PATIENCE)).unwrap();
            }
            readers.push(reader);
        }
        // Whoever keeps the pace gets everything.
        let mut honest = server.connect();
        honest.send(&large);
        assert_eq!(honest.head("GET").status, 200);
        honest.content(LENGTH, |bytes| assert!(bytes.iter().all(|byte| *byte == 0)));
        drop(honest);
        let since = Instant::now();
        while server.descriptors() > descriptors + 4 {
            for reader in readers.iter_mut().filter(|reader| reader.read_timeout().unwrap().is_some()) {
                match reader.read(&mut [0]) {
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
                    Err(error) => panic!("{error}"),
                }
            }
            assert!(since.elapsed() < PATIENCE, "readers of a byte every 100 ms are never cut off");
            thread::sleep(BETWEEN_BYTES);
        }
    });
    eventually("the server has let go of all readers", || server.descriptors() <= descriptors);
    let peak = server.peak_memory_kib();
    println!("slow_readers: peak_memory_kib={peak} ceiling={PEAK_KIB_MAX} limit={LIMIT:?}");
    assert!(peak < PEAK_KIB_MAX, "{peak} KiB were resident");
}
