//! Many connections, broken ones, and what they leave behind: nothing.

use std::fs::File;
use std::time::Duration;

use tests::{Client, Server, eventually, exchange, ledger, open_files_max, request};

#[test]
fn two_thousand_connections_at_once_are_all_answered() {
    const WANTED: usize = 2000;
    /// For all that this process and the server have open besides.
    const RESERVE: usize = 200;
    let count = WANTED.min(open_files_max().saturating_sub(RESERVE));
    // Fewer where fewer open files are allowed.
    ledger::record("connections", &[("at_once", count as u64)]);
    let server = Server::start(&[]);
    assert_eq!(exchange(&server, "PUT /files/a", "content").status, 201);
    let mut clients: Vec<Client> = (0..count).map(|_| server.connect()).collect();
    for round in 0..2 {
        for (number, client) in clients.iter_mut().enumerate() {
            client.send(request(&format!("GET /echo/{round}-{number}"), ""));
            client.send(request("GET /files/a", ""));
        }
        for (number, client) in clients.iter_mut().enumerate() {
            assert_eq!(client.answer("GET").text(), format!("{round}-{number}"));
            assert_eq!(client.answer("GET").text(), "content");
        }
    }
    drop(clients);
    server.stop();
}

#[test]
fn writers_side_by_side_lose_nothing() {
    let server = Server::start(&[]);
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let server = &server;
            scope.spawn(move || {
                let mut client = server.connect();
                for number in 0..25 {
                    client.send(request(&format!("PUT /files/{writer}/{number}"), number.to_string()));
                    assert_eq!(client.answer("PUT").status, 201);
                    client.send(request("PATCH /files/log", format!("{writer} {number}\n")));
                    assert!(matches!(client.answer("PATCH").status, 200 | 201));
                }
            });
        }
    });
    let log = exchange(&server, "GET /files/log", "");
    let mut lines: Vec<&str> = log.text().lines().collect();
    assert_eq!(lines.len(), 8 * 25);
    // Each writer's lines are in the order in which they were acknowledged.
    for writer in 0..8 {
        let own = lines.iter().filter_map(|line| line.strip_prefix(&format!("{writer} ")));
        assert!(own.eq((0..25).map(|number| number.to_string())), "{lines:?}");
    }
    lines.sort_unstable();
    lines.dedup();
    assert_eq!(lines.len(), 8 * 25);
}

#[test]
fn descriptors_return_however_connections_end() {
    let server = Server::start(&[]);
    let large = File::create(server.directory().join("large")).unwrap();
    large.set_len(32 << 20).unwrap();
    let mut staying = server.connect();
    staying.expect_alive();
    // Whatever is opened once and for all is open now. So may these connections be: they hide no
    // leak, since each way to end is taken far more often.
    for line in ["PUT /files/a", "GET /files/a", "GET /echo/a", "DELETE /files/a"] {
        exchange(&server, line, "");
    }
    let before = server.descriptors();

    for number in 0..200 {
        let mut client = server.connect();
        match number % 8 {
            // Nothing was asked.
            0 => {}
            // In order.
            1 => client.expect_alive(),
            // In the middle of a head.
            2 => client.send("GET /echo/a HTTP/1.1\r\nHo"),
            // In the middle of content, once it is surely staged.
            3 => {
                client.send(
                    "PUT /files/half HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1000000\r\n\r\n",
                );
                assert_eq!(client.answer("PUT").status, 100);
                client.send(vec![b'x'; 300_000]);
            }
            // In the middle of an answer.
            4 => {
                client.send(request("GET /files/large", ""));
                client.head("GET");
            }
            // Before an answer, which then meets a reset.
            5 => client.send(request("GET /files/large", "").repeat(3)),
            // Behind a refusal, still sending.
            6 => {
                client.send(request("POST /files/large", vec![b'x'; 500_000]));
            }
            // Half-closed.
            _ => {
                client.send(request("GET /echo/a", ""));
                client.end();
            }
        }
    }
    eventually("all descriptors are back", || server.descriptors() <= before);
    staying.expect_alive();
    assert!(!server.directory().join("half").exists());
}

#[test]
fn more_connections_than_descriptors_are_survived() {
    const DESCRIPTORS: usize = 100;
    let server = Server::start_with_open_files(DESCRIPTORS, &["--threads", "2", "--pool", "2"]);
    server.connect().expect_alive();
    let waiting: Vec<Client> = (0..2 * DESCRIPTORS).map(|_| server.connect()).collect();
    std::thread::sleep(Duration::from_millis(500));
    // The ones that cannot be accepted keep the listening sockets readable.
    check_rest(&server);
    drop(waiting);
    eventually("descriptors are free again", || server.descriptors() < DESCRIPTORS / 2);
    server.connect().expect_alive();
}

#[test]
fn stalled_clients_hold_no_thread() {
    let server = Server::start(&["--threads", "1", "--pool", "1"]);
    let large = File::create(server.directory().join("large")).unwrap();
    large.set_len(32 << 20).unwrap();
    let mut stalled = Vec::new();
    for number in 0..40 {
        let mut uploading = server.connect();
        let line = format!("PUT /files/half-{number}");
        uploading.send(format!("{line} HTTP/1.1\r\nHost: h\r\nContent-Length: 900000\r\n\r\n"));
        uploading.send(vec![b'x'; 500_000]);
        let mut downloading = server.connect();
        downloading.send(request("GET /files/large", ""));
        downloading.head("GET");
        stalled.extend([uploading, downloading]);
    }
    assert_eq!(exchange(&server, "PUT /files/a", "content").status, 201);
    assert_eq!(exchange(&server, "GET /files/a", "").text(), "content");
    drop(stalled);
    server.stop();
}

#[test]
fn waiting_takes_no_processor_time() {
    let server = Server::start(&["--quiet"]);
    let large = File::create(server.directory().join("large")).unwrap();
    large.set_len(64 << 20).unwrap();

    let mut idle = server.connect();
    idle.expect_alive();
    let mut uploading = server.connect();
    uploading.send("PUT /files/half HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhalf");
    let mut stalled = server.connect();
    stalled.send(request("GET /files/large", ""));
    stalled.head("GET");
    // A peer that has ended its sending keeps its socket readable for as long as it lives.
    let mut half_closed = server.connect();
    half_closed.send(request("GET /files/large", ""));
    half_closed.head("GET");
    half_closed.end();

    std::thread::sleep(Duration::from_millis(500));
    check_rest(&server);
    idle.expect_alive();
}

/// Checks that a server that can only wait does only that.
#[track_caller]
fn check_rest(server: &Server) {
    let before = server.cpu_ticks();
    std::thread::sleep(Duration::from_secs(1));
    let ticks = server.cpu_ticks() - before;
    // One thread that spins takes about 100.
    assert!(ticks <= 20, "{ticks} ticks of 10 ms in a second of waiting");
}
