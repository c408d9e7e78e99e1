//! Which file a target names, which targets name none, and that nothing outside is ever reached.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;

use tests::{Server, check, exchange, make_fifo, request};

#[test]
fn names_are_bytes_decoded_exactly_once() {
    let server = Server::start(&[]);
    for (target, name) in [
        ("plain", &b"plain"[..]),
        ("%70lain%2e", b"plain."),
        ("%2541", b"%41"),
        ("%ff%fe", b"\xff\xfe"),
        ("%C3%A4", b"\xc3\xa4"),
        ("a%CC%88", b"a\xcc\x88"),
        ("a%5C%0A%22", b"a\\\n\""),
        ("...", b"..."),
        (".hidden", b".hidden"),
        ("UPPER", b"UPPER"),
        ("upper", b"upper"),
        ("a+b&c=d;e:f@g!$'()*,~", b"a+b&c=d;e:f@g!$'()*,~"),
        ("with?query%zz/../", b"with"),
    ] {
        check(&server, request(&format!("POST /files/{target}"), target), "201 keep");
        let path = server.directory().join(OsStr::from_bytes(name));
        assert_eq!(fs::read_to_string(path).unwrap(), target);
        assert_eq!(exchange(&server, &format!("GET /files/{target}"), "").text(), target);
    }
}

#[test]
fn the_longest_names_and_paths_are_taken() {
    let server = Server::start(&[]);
    let segment = "s".repeat(255);
    check(&server, request(&format!("PUT /files/{segment}"), "a"), "201 keep");
    check(&server, request(&format!("PUT /files/{}", "%41".repeat(255)), "a"), "201 keep");
    // 256 segments of a byte each.
    let deep = vec!["d"; 256].join("/");
    check(&server, request(&format!("PUT /files/{deep}"), "deep"), "201 keep");
    assert_eq!(exchange(&server, &format!("GET /files/{deep}"), "").text(), "deep");
    // 15 × 256 + 255 = 4,095 bytes.
    let long = vec![&*segment; 16].join("/").replacen("sss", "ttt", 1);
    assert_eq!(long.len(), 4095);
    check(&server, request(&format!("PUT /files/{long}"), "long"), "201 keep");
    assert_eq!(exchange(&server, &format!("GET /files/{long}"), "").text(), "long");
}

#[test]
fn targets_that_name_no_file_are_400() {
    let server = Server::start(&[]);
    let many = vec!["d"; 257].join("/");
    let long_segment = "s".repeat(256);
    let long_path = vec!["s".repeat(200); 21].join("/");
    for path in [
        ".",
        "..",
        "../outside",
        "a/../../outside",
        "a/./b",
        "%2e%2e/outside",
        "%2E./outside",
        "..%2foutside",
        "a%2Fb",
        "a%00b",
        "%",
        "%4",
        "%zz",
        "%2",
        "/",
        "a//b",
        "//a",
        "a//",
        ".http_server",
        ".http_server/a",
        "%2ehttp_server/a",
        "a/.http_server",
        &many,
        &long_segment,
        &long_path,
    ] {
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] {
            let content = if method.starts_with('P') { "content" } else { "" };
            check(&server, request(&format!("{method} /files/{path}"), content), "400 keep");
        }
    }
    assert!(!server.outside("outside").exists());
}

#[test]
fn what_is_no_file_is_403_and_left_alone() {
    let server = Server::start(&[]);
    let directory = server.directory();
    let outside = server.outside("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret"), "secret").unwrap();
    fs::write(directory.join("file"), "file").unwrap();
    fs::create_dir(directory.join("folder")).unwrap();
    for (target, name) in [
        ("../outside/secret", "to_outside"),
        ("file", "to_file"),
        ("folder", "to_folder"),
        ("nowhere", "to_nowhere"),
        ("to_itself", "to_itself"),
        ("../outside", "to_outside_folder"),
    ] {
        symlink(target, directory.join(name)).unwrap();
    }
    symlink(&outside, directory.join("to_absolute")).unwrap();
    make_fifo(&directory.join("fifo"));
    let _socket = UnixListener::bind(directory.join("socket")).unwrap();

    for path in [
        "to_outside",
        "to_file",
        "to_folder",
        "to_nowhere",
        "to_itself",
        "to_outside_folder",
        "to_outside_folder/secret",
        "to_absolute/secret",
        "to_folder/new",
        "fifo",
        "socket",
    ] {
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] {
            let content = if method.starts_with('P') { "content" } else { "" };
            check(&server, request(&format!("{method} /files/{path}"), content), "403 keep");
        }
    }

    assert_eq!(fs::read_link(directory.join("to_file")).unwrap().to_str(), Some("file"));
    assert!(fs::symlink_metadata(directory.join("fifo")).is_ok());
    assert!(fs::symlink_metadata(directory.join("socket")).is_ok());
    assert_eq!(fs::read_to_string(directory.join("file")).unwrap(), "file");
    assert_eq!(fs::read_dir(directory.join("folder")).unwrap().count(), 0);
    assert!(!directory.join("nowhere").exists());
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    assert_eq!(fs::read_to_string(outside.join("secret")).unwrap(), "secret");
}

#[test]
fn what_the_system_refuses_is_403_and_changes_nothing() {
    let server = Server::start_unprivileged(&[]);
    let directory = server.directory();
    let file = directory.join("file");
    fs::write(&file, "content").unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o000)).unwrap();
    let closed = directory.join("closed");
    fs::create_dir(&closed).unwrap();
    fs::write(closed.join("file"), "content").unwrap();
    fs::set_permissions(&closed, Permissions::from_mode(0o555)).unwrap();
    for line in [
        "GET /files/file",
        "HEAD /files/file",
        "PATCH /files/file",
        "POST /files/closed/new",
        "PUT /files/closed/new",
        "PUT /files/closed/far/new",
        "PATCH /files/closed/new",
        "PUT /files/closed/file",
        "DELETE /files/closed/file",
    ] {
        let content = if line.starts_with('P') { "new" } else { "" };
        check(&server, request(line, content), "403 keep");
    }
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    assert_eq!(fs::read_to_string(file).unwrap(), "content");
    assert_eq!(fs::read_to_string(closed.join("file")).unwrap(), "content");
    assert_eq!(fs::read_dir(&closed).unwrap().count(), 1);
    fs::set_permissions(&closed, Permissions::from_mode(0o755)).unwrap();
}
