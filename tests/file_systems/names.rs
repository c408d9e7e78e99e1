//! Names: every byte, every length, on file systems of different kinds.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

use tests::{Client, Mount, Server, ledger, may_mount};

fn encode(name: &[u8]) -> String {
    name.iter().map(|byte| format!("%{byte:02X}")).collect()
}

/// The statuses of every method that makes, changes, reads and removes a file, in this order.
const LIFE: [(&str, u16); 7] =
    [("POST", 201), ("GET", 200), ("PUT", 200), ("PATCH", 200), ("HEAD", 200), ("DELETE", 200), ("GET", 404)];

#[track_caller]
fn live(client: &mut Client, target: &str) {
    for (method, expected) in LIFE {
        let answer = client.ask(&format!("{method} /files/{target}"), if method == "GET" { "" } else { "x" });
        assert_eq!(answer.status, expected, "{method} {target}");
        assert!(answer.status != 200 || method != "GET" || answer.content == b"x", "{target}");
    }
}

/// Goal: every byte may stand in a name, alone, first, last and in the middle, in files and directories.
#[test]
fn every_byte_is_a_name() {
    let server = Server::start(&["--durability", "cache", "--quiet"]);
    let base = server.directory();
    let mut client = server.connect();
    let mut count = 0;
    for byte in (1..=255_u8).filter(|byte| *byte != b'/') {
        let shapes =
            [vec![byte], vec![byte, b'a'], vec![b'a', byte], vec![b'a', byte, b'a'], vec![byte; 255]];
        for name in shapes.iter().filter(|name| **name != b".") {
            let path = base.join(OsStr::from_bytes(name));
            let encoded = encode(name);
            assert_eq!(client.ask(&format!("PUT /files/{encoded}"), "x").status, 201, "{encoded}");
            assert_eq!(fs::read(&path).unwrap(), b"x", "{encoded}");
            assert_eq!(client.ask(&format!("DELETE /files/{encoded}"), "").status, 200, "{encoded}");
            assert!(!path.exists());
            live(&mut client, &encoded);
            live(&mut client, &format!("{encoded}/{encoded}"));
            assert_eq!(client.ask(&format!("DELETE /files/{encoded}/"), "").status, 200, "{encoded}/");
            count += 1;
        }
        // As it comes, where a target may hold it: it is the same name.
        if byte.is_ascii_graphic() && !b".%?#".contains(&byte) {
            let name = char::from(byte).to_string();
            assert_eq!(client.ask(&format!("PUT /files/{name}"), "raw").status, 201, "{name}");
            assert_eq!(client.ask(&format!("GET /files/{}", encode(&[byte])), "").text(), "raw", "{name}");
            assert_eq!(client.ask(&format!("DELETE /files/{name}"), "").status, 200, "{name}");
        }
    }
    ledger::record("file_systems:names", &[("tried", count as u64)]);
    assert_eq!(count, 254 * 5 - 1);
    let left: Vec<_> = fs::read_dir(base).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, [".http_server"]);
}

/// Names and paths below `point`, which is empty or ends in `/`, as long as they may be, and longer.
fn check_lengths(server: &Server, point: &str) {
    let mut client = server.connect();
    let mut check = |path: &str, expected: Option<u16>| {
        if expected.is_none() {
            live(&mut client, path);
            return;
        }
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] {
            let content = if method.starts_with('P') { "x" } else { "" };
            let answer = client.ask(&format!("{method} /files/{path}"), content);
            assert_eq!(Some(answer.status), expected, "{method} of {} bytes", path.len());
            if answer.closes() {
                client = server.connect();
            }
        }
    };
    for letter in ["n", "%6d", "%c3%a4"] {
        let bytes = if letter.len() > 3 { 2 } else { 1 };
        let longest = letter.repeat(255 / bytes);
        check(&format!("{point}{longest}"), None);
        check(&format!("{point}{longest}/{longest}"), None);
        check(&format!("{point}{longest}{letter}"), Some(400));
        check(&format!("{point}{longest}{letter}/below"), Some(400));
        check(&format!("{point}above/{longest}{letter}"), Some(400));
    }
    // 4,095 bytes, then 4,096, in no more than 255 a name.
    let longest = |bytes: usize| {
        let mut path = point.to_owned();
        while path.len() + 256 < bytes {
            path.push_str(&"p".repeat(249));
            path.push('/');
        }
        let rest = bytes - path.len();
        path + &"p".repeat(rest)
    };
    assert_eq!(longest(4095).len(), 4095);
    check(&longest(4095), None);
    check(&longest(4096), Some(400));
    check(&longest(6000), Some(400));
    let deep = |segments: usize| {
        let above = point.matches('/').count();
        format!("{point}{}", vec!["s"; segments - above].join("/"))
    };
    check(&deep(256), None);
    check(&deep(257), Some(400));
    check(&deep(1000), Some(400));
}

#[test]
fn names_and_paths_are_taken_up_to_their_length() {
    let server = Server::start(&["--durability", "cache", "--quiet"]);
    check_lengths(&server, "");
    check_lengths(&server, "a/b/");
    // A target beyond what a request line may be is another refusal.
    let answer = server.connect().ask(&format!("GET /files/{}", "%41".repeat(9000)), "");
    assert_eq!(answer.status, 414);
}

/// Goal: where another file system stands on the path, lengths and bytes are the same.
#[test]
fn names_are_the_same_on_other_file_systems() {
    if !may_mount("file_systems:names") {
        return;
    }
    let server = Server::start(&["--durability", "cache", "--quiet"]);
    for (number, kind) in ["memory", "disk"].into_iter().enumerate() {
        let point = server.directory().join(kind);
        fs::create_dir(&point).unwrap();
        let _mount = match number {
            0 => Mount::in_memory("size=16m", &point).unwrap(),
            _ => Mount::in_image(&server.outside("image"), "32M", &point),
        };
        check_lengths(&server, &format!("{kind}/"));
        let mut client = server.connect();
        for byte in (1..=255_u8).filter(|byte| *byte != b'/') {
            live(&mut client, &format!("{kind}/{}", encode(&[byte, b'z'])));
        }
    }
}
