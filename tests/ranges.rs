//! Range requests to the binary: just the bytes, over whatever way they leave.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper of tests fails the test that it helps"
)]

use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::scope;
use std::time::Instant;

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
    for ranges in ["0-9", "0-9,1000-", "9999999-"] {
        client.send(format!("HEAD /files/a HTTP/1.1\r\nHost: h\r\nRange: bytes={ranges}\r\n\r\n"));
        let answer = client.answer("HEAD");
        let length = answer.field("content-length").map(str::to_owned);
        assert_eq!((answer.status, length), (200, Some(LENGTH.to_string())), "{ranges}");
        sent.push(0);
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

// A short file may be less than one send; the last byte of a long one lies behind several.
#[test]
fn files_of_every_length_are_cut_at_their_end() {
    let server = Server::start(&["--quiet"]);
    let mut client = server.connect();
    for length in [1, 2, 65_535, 65_536, 65_537, 262_143, 262_144, 262_145, 300 << 10] {
        let content = content(length);
        fs::write(server.directory().join("a"), &content).unwrap();
        let last = length - 1;
        let half = length / 2;
        for (ranges, first, end) in [
            ("0-".to_owned(), 0, length),
            (format!("0-{last}"), 0, length),
            (format!("0-{length}"), 0, length),
            (format!("{last}-"), last, length),
            (format!("{last}-{last}"), last, length),
            (format!("{last}-{length}"), last, length),
            ("-1".to_owned(), last, length),
            (format!("-{length}"), 0, length),
            (format!("-{}", length + 1), 0, length),
            (format!("{half}-,0-{half}"), 0, length),
        ] {
            let answer = get(&mut client, "a", &ranges);
            let range = format!("bytes {first}-{}/{length}", end - 1);
            assert_eq!((answer.status, answer.field("content-range")), (206, Some(&*range)), "{ranges}");
            assert!(answer.content == content[first..end], "{ranges} of {length}");
        }
        for ranges in [format!("{length}-"), format!("{length}-{}", length + 1), "-0".to_owned()] {
            let answer = get(&mut client, "a", &ranges);
            assert_eq!(
                (answer.status, answer.field("content-range")),
                (416, Some(&*format!("bytes */{length}")))
            );
        }
    }
}

// RFC 9110 §15.3.7.2: in the order in which they were asked for, those that became one at the
// place of the first of them.
#[test]
fn parts_keep_their_order() {
    let server = Server::start(&["--quiet"]);
    let content = content(300 << 10);
    fs::write(server.directory().join("a.html"), &content).unwrap();
    let mut client = server.connect();
    for (ranges, expected) in [
        ("-1,0-0,5000-5099", &[(307_199, 307_200), (0, 1), (5000, 5100)][..]),
        ("5000-5099,0-0,-1", &[(5000, 5100), (0, 1), (307_199, 307_200)]),
        ("0-9,5000-5009,900000-", &[(0, 10), (5000, 5010)]),
        ("9000-9009,0-9,9010-9019,5-14", &[(9000, 9020), (0, 15)]),
        ("9000-9009,0-9,300000-,8000-10000", &[(8000, 10_001), (0, 10), (300_000, 307_200)]),
        ("0-9,9000-9009,5000-5009,0-8999", &[(0, 9010)]),
        ("0-9,91-99", &[(0, 10), (91, 100)]),
        ("0-9,90-99", &[(0, 100)]),
        ("90-99,0-9", &[(0, 100)]),
        ("0-65535,65700-131235,131400-", &[(0, 65_536), (65_700, 131_236), (131_400, 307_200)]),
        ("0-262143,262300-", &[(0, 262_144), (262_300, 307_200)]),
    ] {
        let answer = get(&mut client, "a.html", ranges);
        assert_eq!(answer.status, 206, "{ranges}");
        if let [(first, end)] = *expected {
            let range = format!("bytes {first}-{}/307200", end - 1);
            assert_eq!(answer.field("content-range"), Some(&*range), "{ranges}");
            assert!(answer.content == content[first..end], "{ranges}");
            continue;
        }
        assert_eq!(answer.field("content-range"), None, "{ranges}");
        let parts = parts(&answer);
        assert_eq!(parts.len(), expected.len(), "{ranges}");
        for (part, (first, end)) in parts.iter().zip(expected) {
            assert!(part.0 == *first && part.1 == content[*first..*end], "{ranges} from {first}");
        }
    }
    // As many as may be, the small ones and the large one in one answer.
    let ranges: Vec<String> = (0..99).map(|part| format!("{}-{}", part * 200, part * 200 + part)).collect();
    let parts = parts(&get(&mut client, "a.html", &format!("{},30000-", ranges.join(","))));
    assert_eq!(parts.len(), 100);
    assert!(parts.iter().all(|(first, part)| *part == content[*first..first + part.len()]));
    assert_eq!(parts.iter().map(|(_, part)| part.len()).sum::<usize>(), 99 * 100 / 2 + (300 << 10) - 30_000);
}

#[test]
fn parts_of_a_sparse_file_are_exact() {
    const MIB: usize = 1 << 20;
    let server = Server::start(&["--quiet"]);
    let file = fs::File::create(server.directory().join("sparse")).unwrap();
    file.set_len(100 * MIB as u64).unwrap();
    let mark = |number: usize| format!("mark {number:3}").into_bytes();
    for number in 0..100 {
        std::os::unix::fs::FileExt::write_at(&file, &mark(number), (number * MIB) as u64).unwrap();
    }
    let mut expected = vec![0; 100 * MIB];
    (0..100).for_each(|number| expected[number * MIB..][..8].copy_from_slice(&mark(number)));
    let mut client = server.connect();
    assert!(
        get(&mut client, "sparse", &format!("{}-{}", 7 * MIB - 3, 99 * MIB + 4)).content
            == expected[7 * MIB - 3..99 * MIB + 5]
    );
    let ranges = format!("{}-,0-65535,{}-{},70000-332144", 99 * MIB + 1, 50 * MIB - 1, 53 * MIB);
    let parts = parts(&get(&mut client, "sparse", &ranges));
    let firsts: Vec<usize> = parts.iter().map(|(first, _)| *first).collect();
    assert_eq!(firsts, [99 * MIB + 1, 0, 50 * MIB - 1, 70_000]);
    let lengths: Vec<usize> = parts.iter().map(|(_, part)| part.len()).collect();
    assert_eq!(lengths, [MIB - 1, 65_536, 3 * MIB + 2, 262_145]);
    assert!(parts.iter().all(|(first, part)| *part == expected[*first..first + part.len()]));
}

// Goal: what is put together by If-Range is one version. Method: halves of a file are asked for,
// the second of the version of the first, while others replace and lengthen it; each version has
// one byte alone.
#[test]
fn parts_of_two_versions_never_become_one() {
    const HALF: usize = 150 << 10;
    const TIMES: usize = 25;
    let server = Server::start(&["--durability", "cache", "--quiet"]);
    let content = |change: usize| vec![b'a' + (change % 26) as u8; 2 * HALF];
    let put = |client: &mut Client, change: usize| {
        client.send(request("PUT /files/a", content(change)));
        client.answer("PUT").status
    };
    assert_eq!(put(&mut server.connect(), 0), 201);
    let (enough, begun) = (AtomicBool::new(false), Instant::now());
    scope(|scope| {
        scope.spawn(|| {
            let mut client = server.connect();
            let mut changes = 1..;
            while !enough.load(Ordering::Relaxed) && begun.elapsed() < tests::PATIENCE {
                assert_eq!(put(&mut client, changes.next().unwrap()), 200);
            }
        });
        let mut client = server.connect();
        let (mut same, mut other) = (0, 0);
        while (same < TIMES || other < TIMES) && begun.elapsed() < tests::PATIENCE {
            let first = get(&mut client, "a", &format!("0-{}", HALF - 1));
            let tag = first.field("etag").unwrap();
            let fields = format!("Range: bytes={HALF}-\r\nIf-Range: {tag}");
            client.send(format!("GET /files/a HTTP/1.1\r\nHost: h\r\n{fields}\r\n\r\n"));
            let second = client.answer("GET");
            let (is_part, is_same) = (second.status == 206, second.field("etag") == Some(tag));
            let begin = if is_part { &first.content[..] } else { &[] };
            let whole = [begin, &second.content].concat();
            if is_part != is_same || whole.len() != 2 * HALF || whole.iter().any(|byte| *byte != whole[0]) {
                enough.store(true, Ordering::Relaxed);
                panic!("{} bytes of {:?} behind {tag}", whole.len(), second.fields);
            }
            *(if is_part { &mut same } else { &mut other }) += 1;
        }
        enough.store(true, Ordering::Relaxed);
        assert!(same >= TIMES && other >= TIMES, "{same} times the same version, {other} times another");
    });
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
    let several = curl(&["-r", "0-9,100000-399999"]);
    assert!(several.windows(300_000).any(|window| window == &content[100_000..]));
    let code = |arguments: &[&str]| {
        let all = [arguments, &["-o", "/dev/null", "-w", "%{http_code} %{size_download}"]].concat();
        String::from_utf8(curl(&all)).unwrap()
    };
    assert_eq!(code(&["-z", "2 Jan 2999"]), "304 0");
    assert_eq!(code(&["-z", "2 Jan 1999"]), "200 400000");
    let refused = |arguments: &[&str]| code(arguments)[..3].to_owned();
    assert_eq!(refused(&["-z", "-2 Jan 1999"]), "412");
    let tags = server.outside("tags");
    let tags = tags.to_str().unwrap();
    assert_eq!(code(&["--etag-save", tags]), "200 400000");
    assert_eq!(code(&["--etag-compare", tags]), "304 0");
    let tag = fs::read_to_string(tags).unwrap();
    assert_eq!(code(&["-H", &format!("If-None-Match: W/{}", tag.trim())]), "304 0");
    assert_eq!(code(&["-H", "If-None-Match: \"x\""]), "200 400000");
    assert_eq!(refused(&["-r", "400000-"]), "416");
    assert_eq!(code(&["-r", "0-9", "-H", &format!("If-Range: {}", tag.trim())]), "206 10");
    assert_eq!(code(&["-r", "0-9", "-H", "If-Range: \"x\""]), "200 400000");
    assert_eq!(refused(&["-T", partial.to_str().unwrap(), "-H", "If-None-Match: *"]), "412");
    fs::write(server.directory().join("a"), b"other").unwrap();
    assert_eq!(code(&["--etag-compare", tags]), "200 5");
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
