//! Content of any size passes through a bounded piece of memory, in both directions.

use std::time::Duration;

use tests::{Client, Server, eventually, exchange, request};

const GIB: u64 = 1 << 30;
/// What the server may ever have resident.
const PEAK_KIB_MAX: u64 = 64 * 1024;

#[track_caller]
fn check_peak(server: &Server) {
    let peak = server.peak_memory_kib();
    println!("peak_memory_kib={peak} ceiling={PEAK_KIB_MAX}");
    assert!(peak < PEAK_KIB_MAX, "{peak} KiB were resident");
}

/// Content in which every eight bytes differ from all others: a piece that is lost, doubled or moved shows.
struct Pattern {
    position: u64,
}

impl Pattern {
    const WORD: u64 = 8;

    fn word(index: u64) -> [u8; 8] {
        // An odd factor maps different numbers to different numbers.
        index.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()
    }

    /// The next bytes; `bytes` is a whole number of words.
    fn fill(&mut self, bytes: &mut [u8]) {
        for word in bytes.chunks_exact_mut(8) {
            word.copy_from_slice(&Pattern::word(self.position / Pattern::WORD));
            self.position += Pattern::WORD;
        }
    }

    /// Checks that `bytes` come next.
    fn check(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let within = (self.position % Pattern::WORD) as usize;
            let expected = &Pattern::word(self.position / Pattern::WORD)[within..];
            let length = expected.len().min(bytes.len());
            assert!(bytes[..length] == expected[..length], "wrong content at byte {}", self.position);
            self.position += length as u64;
            bytes = &bytes[length..];
        }
    }
}

fn upload(client: &mut Client, length: u64, frame: impl Fn(&mut Client, &[u8])) {
    let mut pattern = Pattern { position: 0 };
    let mut piece = vec![0; 1 << 16];
    while pattern.position < length {
        pattern.fill(&mut piece);
        frame(client, &piece);
    }
}

fn download_and_check(client: &mut Client, target: &str, length: u64) {
    client.send(request(&format!("GET {target}"), ""));
    let head = client.head("GET");
    assert_eq!(head.status, 200);
    assert_eq!(head.field("content-length"), Some(&*length.to_string()));
    let mut pattern = Pattern { position: 0 };
    client.content(length, |bytes| pattern.check(bytes));
}

#[test]
fn a_gibibyte_goes_up_and_down_in_64_mib() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.send(format!("POST /files/large HTTP/1.1\r\nHost: h\r\nContent-Length: {GIB}\r\n\r\n"));
    upload(&mut client, GIB, |client, piece| client.send(piece));
    assert_eq!(client.answer("POST").status, 201);
    download_and_check(&mut client, "/files/large", GIB);
    client.expect_alive();
    check_peak(&server);
}

#[test]
fn chunks_of_any_number_go_up_in_64_mib() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    let length = GIB / 8;
    client.send("PUT /files/large HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    upload(&mut client, length, |client, piece| {
        client.send(format!("{:x}\r\n", piece.len()));
        client.send(piece);
        client.send("\r\n");
    });
    client.send("0\r\n\r\n");
    assert_eq!(client.answer("PUT").status, 201);
    download_and_check(&mut client, "/files/large", length);
    check_peak(&server);
}

#[test]
fn answers_that_nobody_reads_hold_requests_back() {
    let server = Server::start(&[]);
    assert_eq!(exchange(&server, "PUT /files/a", vec![b'x'; 100_000]).status, 201);
    // 2 GB of answers are asked for on each and none is read: the server must stop reading requests.
    let requests = request("GET /files/a", "").repeat(20_000);
    let mut clients: Vec<Client> = (0..4).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.send_while_taken(&requests, Duration::from_millis(500));
    }
    // It has done what it will do when its processor time stands still.
    eventually("the server rests", || {
        let before = server.cpu_ticks();
        std::thread::sleep(Duration::from_millis(300));
        server.cpu_ticks() == before
    });
    check_peak(&server);
    server.connect().expect_alive();
}
