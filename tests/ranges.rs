//! Range requests to the binary: just the bytes, over whatever way they leave.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper of tests fails the test that it helps")]

use std::fs;
use std::process::Command;

use tests::{Answer, Client, Server, request};

/// Content of which no two stretches are alike.
fn content(length: usize) -> Vec<u8> {
    (0..length as u32 / 4 + 1)
        .flat_map(|word| word.wrapping_mul(2_654_435_761).to_le_bytes())
        .take(length)
        .collect()
}

fn get(client: &mut Client, name: &str, ranges: &str) -> Answer {
    let head = String::from_utf8(request(&format!("GET /files/{name}"), "")).unwrap();
    client.send(head.replacen("\r\nHost", &format!("\r\nRange: bytes={ranges}\r\nHost"), 1));
    client.answer("GET")
}

/// The parts of a `multipart/byteranges`, each as its first byte and its content.
fn parts(answer: &Answer) -> Vec<(usize, Vec<u8>)> {
    let boundary = answer.field("content-type").unwrap().split_once("boundary=").unwrap().1;
    let delimiter = format!("--{boundary}");
    let mut rest = &answer.content[..];
    let mut parts = Vec::new();
    loop {
        rest = rest.strip_prefix(delimiter.as_bytes()).unwrap();
        if rest == b"--\r\n" {
            return parts;
        }
        let head_length = rest.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
        let head = str::from_utf8(&rest[..head_length]).unwrap();
        let range = head.split_once("Content-Range: bytes ").unwrap().1;
        let (first, last) = range.split_once('/').unwrap().0.split_once('-').unwrap();
        let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
        let end = head_length + last + 1 - first;
        parts.push((first, rest[head_length..end].to_vec()));
        rest = rest[end..].strip_prefix(b"\r\n").unwrap();
    }
}

// Lengths on both sides of what is sent with its head (64 KiB) and of a slice of sendfile (256 KiB).
#[test]
fn parts_are_just_the_bytes_that_they_name() {
    const LENGTH: usize = 1_500_000;
    let server = Server::start(&[]);
    let content = content(LENGTH);
    fs::write(server.directory().join("a"), &content).unwrap();
    let mut client = server.connect();
    let mut sent = Vec::new();
    for length in [1, 100, 65_535, 65_536, 65_537, 262_143, 262_144, 262_145, 600_000, LENGTH] {
        for first in [0, 1, 4095, LENGTH / 2, LENGTH - length.min(LENGTH)] {
            let answer = get(&mut client, "a", &format!("{first}-{}", first + length - 1));
            let end = (first + length).min(LENGTH);
            assert_eq!(answer.status, 206);
            assert_eq!(answer.field("content-range"), Some(&*format!("bytes {first}-{}/{LENGTH}", end - 1)));
            assert!(answer.content == content[first..end], "{length} bytes from {first}");
            sent.push(answer.content.len());
        }
        let answer = get(&mut client, "a", &format!("-{length}"));
        assert!(answer.content == content[LENGTH - length..]);
        sent.push(answer.content.len());
        // Small parts and large ones by turns, in no order.
        let ranges =
            format!("1000000-{},0-9,{}-,500000-{}", 999_999 + length, LENGTH - 100, 499_999 + length / 3 + 1);
        let answer = get(&mut client, "a", &ranges);
        match answer.status {
            206 if answer.field("content-range").is_none() => {
                let parts = parts(&answer);
                assert!(parts.len() >= 2, "{ranges}");
                for (first, part) in parts {
                    assert!(part == content[first..first + part.len()], "{ranges}");
                }
            }
            status => panic!("{status} for {ranges}"),
        }
        sent.push(answer.content.len());
    }
    // Several at once, which leave by one connection in their order.
    let head = |ranges: &str| format!("GET /files/a HTTP/1.1\r\nHost: h\r\nRange: bytes={ranges}\r\n\r\n");
    client.send([head("0-0,700000-999999"), head("5-9"), head("9999999-"), head("0-99999,200000-")].concat());
    let answers: Vec<Answer> = (0..4).map(|_| client.answer("GET")).collect();
    assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [206, 206, 416, 206]);
    assert_eq!(parts(&answers[0])[1].1, content[700_000..1_000_000]);
    assert_eq!(answers[1].content, content[5..10]);
    assert_eq!(parts(&answers[3])[1].1, content[200_000..]);
    sent.extend(answers.iter().map(|answer| answer.content.len()));
    drop(client);
    // The log has what was sent, part heads included.
    let log = server.stop();
    let logged: Vec<usize> =
        log.lines().map(|line| line.rsplit(' ').nth(1).unwrap().parse().unwrap()).collect();
    assert_eq!(logged, sent);
}

#[test]
fn ranges_of_a_file_beyond_32_bits_are_exact() {
    const LENGTH: u64 = 5 << 30;
    let server = Server::start(&["--quiet"]);
    let file = fs::File::create(server.directory().join("sparse")).unwrap();
    file.set_len(LENGTH).unwrap();
    std::os::unix::fs::FileExt::write_at(&file, b"mark", (4 << 30) + 5).unwrap();
    let mut client = server.connect();
    let first = (4_u64 << 30) + 4;
    assert_eq!(get(&mut client, "sparse", &format!("{first}-{}", first + 5)).content, b"\0mark\0");
    assert_eq!(get(&mut client, "sparse", "-2").content, b"\0\0");
    let answer = get(&mut client, "sparse", &format!("{LENGTH}-"));
    assert_eq!((answer.status, answer.field("content-range")), (416, Some(&*format!("bytes */{LENGTH}"))));
    let parts = parts(&get(&mut client, "sparse", &format!("0-1,{first}-{}", first + 5)));
    assert_eq!(parts[1], (usize::try_from(first).unwrap(), b"\0mark\0".to_vec()));
}

#[test]
fn curl_asks_for_parts_and_goes_on_where_it_was_cut_off() {
    let server = Server::start(&["--quiet"]);
    let content = content(400_000);
    fs::write(server.directory().join("a"), &content).unwrap();
    let url = format!("http://{}/files/a", server.address());
    let curl = |arguments: &[&str]| {
        let output = Command::new("curl").args(["-s", "-S"]).args(arguments).arg(&url).output();
        let output = output.expect("curl is installed: the tour needs it");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    assert!(curl(&["-r", "100000-299999"]) == content[100_000..300_000]);
    let partial = server.outside("partial");
    fs::write(&partial, &content[..123_456]).unwrap();
    curl(&["-C", "-", "-o", partial.to_str().unwrap()]);
    assert!(fs::read(&partial).unwrap() == content);
    let code = curl(&["-z", "2 Jan 2999", "-o", "/dev/null", "-w", "%{http_code}"]);
    assert_eq!(code, b"304");
}

/// Goal: however many parts are asked for, a peer that reads nothing costs no more memory than one answer.
/// Method: 100 parts of 60 KB for peers that read nothing; resident memory beside the number of peers.
#[test]
fn parts_that_nobody_reads_are_not_gathered() {
    const CLIENTS: u64 = 60;
    let server = Server::start(&["--quiet", "--threads", "1"]);
    fs::write(server.directory().join("a"), content(14_000_000)).unwrap();
    let ranges: Vec<String> =
        (0..100).map(|part| format!("{}-{}", part * 131_072, part * 131_072 + 60_000)).collect();
    let head = format!("GET /files/a HTTP/1.1\r\nHost: h\r\nRange: bytes={}\r\n\r\n", ranges.join(","));
    let before = server.memory_kib();
    let clients: Vec<Client> = (0..CLIENTS)
        .map(|_| {
            let mut client = server.connect();
            client.send(&head);
            client
        })
        .collect();
    // One that is served behind them all.
    let answer = get(&mut server.connect(), "a", "0-9");
    assert_eq!(answer.status, 206);
    let each = server.memory_kib().saturating_sub(before) / CLIENTS;
    println!("ranges:unread kib_each={each}");
    // What sockets hold is not the server's: with all parts gathered it is 35 KiB on the average.
    assert!(each < 22, "{each} KiB each");
    drop(clients);
}
