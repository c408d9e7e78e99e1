//! The table of methods and states: what each method does where nothing, a file or a directory is.
#![expect(clippy::unwrap_used, reason = "a helper of tests fails the test that it helps")]

use std::fs;

use tests::{Server, check, exchange, request};

/// A server whose directory holds `file`, `empty/` and `full/file`.
fn furnished() -> Server {
    let server = Server::start(&[]);
    let directory = server.directory();
    fs::write(directory.join("file"), "old").unwrap();
    fs::create_dir(directory.join("empty")).unwrap();
    fs::create_dir(directory.join("full")).unwrap();
    fs::write(directory.join("full/file"), "kept").unwrap();
    server
}

/// One request, the status of its answer, and what the path must be afterwards.
#[track_caller]
fn row(line: &str, content: &str, expected: &str, after: Option<&str>) {
    let server = furnished();
    check(&server, request(line, content), expected);
    let path = server.directory().join(line.split_once(" /files/").unwrap().1);
    assert_eq!(fs::read_to_string(path).ok().as_deref(), after, "{line}");
    assert_eq!(fs::read_to_string(server.directory().join("full/file")).unwrap(), "kept");
}

#[test]
fn where_nothing_is_writes_create_and_the_rest_is_404() {
    row("GET /files/new", "", "404 keep", None);
    row("HEAD /files/new", "", "404 keep", None);
    row("POST /files/new", "content", "201 keep", Some("content"));
    row("PUT /files/new", "content", "201 keep", Some("content"));
    row("PATCH /files/new", "content", "201 keep", Some("content"));
    row("DELETE /files/new", "", "404 keep", None);
}

#[test]
fn where_a_file_is_each_method_does_its_own() {
    row("GET /files/file", "", "200 keep", Some("old"));
    row("HEAD /files/file", "", "200 keep", Some("old"));
    row("POST /files/file", "new", "409 keep", Some("old"));
    row("PUT /files/file", "new", "200 keep", Some("new"));
    row("PATCH /files/file", "+new", "200 keep", Some("old+new"));
    row("DELETE /files/file", "", "200 keep", None);
}

#[test]
fn where_a_directory_is_nothing_writes() {
    for directory in ["empty", "full"] {
        for method in ["POST", "PUT", "PATCH"] {
            row(&format!("{method} /files/{directory}"), "new", "409 keep", None);
            row(&format!("{method} /files/{directory}/"), "new", "409 keep", None);
        }
        row(&format!("GET /files/{directory}"), "", "301 keep", None);
        row(&format!("GET /files/{directory}/"), "", "200 keep", None);
        row(&format!("HEAD /files/{directory}/"), "", "200 keep", None);
    }
}

#[test]
fn a_directory_is_deleted_when_it_is_empty() {
    let server = furnished();
    check(&server, request("DELETE /files/empty", ""), "200 keep");
    assert!(!server.directory().join("empty").exists());
    check(&server, request("DELETE /files/empty", ""), "404 keep");
    check(&server, request("DELETE /files/full", ""), "409 keep");
    check(&server, request("DELETE /files/full/", ""), "409 keep");
    check(&server, request("DELETE /files/full/file", ""), "200 keep");
    check(&server, request("DELETE /files/full/", ""), "200 keep");
    assert!(!server.directory().join("full").exists());
}

#[test]
fn the_base_directory_is_neither_written_nor_deleted() {
    let server = Server::start(&[]);
    check(&server, request("DELETE /files/", ""), "403 keep");
    for method in ["POST", "PUT", "PATCH"] {
        check(&server, request(&format!("{method} /files/"), "content"), "409 keep");
    }
    check(&server, request("GET /files/", ""), "200 keep");
    assert!(server.directory().is_dir());
}

#[test]
fn a_trailing_slash_names_no_file() {
    row("POST /files/new/", "content", "409 keep", None);
    row("PUT /files/file/", "content", "409 keep", None);
    row("PATCH /files/file/", "content", "409 keep", None);
    row("GET /files/file/", "", "404 keep", None);
    row("DELETE /files/file/", "", "404 keep", None);
}

#[test]
fn below_a_file_nothing_is_and_nothing_is_made() {
    for path in ["file/below", "file/far/below"] {
        for method in ["GET", "HEAD", "DELETE"] {
            row(&format!("{method} /files/{path}"), "", "404 keep", None);
        }
        for method in ["POST", "PUT", "PATCH"] {
            row(&format!("{method} /files/{path}"), "content", "409 keep", None);
        }
    }
}

#[test]
fn parents_are_made_as_needed() {
    for method in ["POST", "PUT", "PATCH"] {
        row(&format!("{method} /files/a/b/c/file"), "content", "201 keep", Some("content"));
        row(&format!("{method} /files/full/b/file"), "content", "201 keep", Some("content"));
    }
}

#[test]
fn refused_requests_make_no_parents() {
    let server = furnished();
    check(&server, request("GET /files/a/b", ""), "404 keep");
    check(&server, request("DELETE /files/a/b", ""), "404 keep");
    let broken = "PUT /files/a/b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n";
    check(&server, broken, "400 close");
    assert!(!server.directory().join("a").exists());
}

#[test]
fn a_created_file_is_where_location_says() {
    let server = Server::start(&[]);
    let answer = check(&server, request("POST /files/a/file.txt", "content"), "201 keep");
    assert_eq!(answer.field("location"), Some("/files/a/file.txt"));
    for target in ["/files/%20%25%3F%23", "/files/%ff%fe/%e2%82%ac", "/files/a%2Bb+c", "/files/x?query"] {
        let answer = check(&server, request(&format!("PUT {target}"), target), "201 keep");
        let location = answer.field("location").unwrap().to_owned();
        let there = check(&server, request(&format!("GET {location}"), ""), "200 keep");
        assert_eq!(there.text(), target, "{location}");
    }
}

#[test]
fn every_byte_and_every_length_comes_back() {
    let server = Server::start(&[]);
    let bytes: Vec<u8> = (0..=255).cycle().take(1 << 20).collect();
    for length in [0, 1, 255, 4095, 4096, 65_535, 65_536, 65_537, 262_144, 262_145, 1 << 20] {
        let content = &bytes[..length];
        let line = format!("/files/{length}");
        check(&server, request(&format!("POST {line}"), content), "201 keep");
        assert_eq!(fs::read(server.directory().join(length.to_string())).unwrap(), content);
        let answer = check(&server, request(&format!("GET {line}"), ""), "200 keep");
        assert!(answer.content == content, "{length}");
        check(&server, request(&format!("PATCH {line}"), content), "200 keep");
        let answer = check(&server, request(&format!("GET {line}"), ""), "200 keep");
        assert!(answer.content == [content, content].concat(), "{length}, appended to itself");
        check(&server, request(&format!("PUT {line}"), "short"), "200 keep");
        assert_eq!(exchange(&server, &format!("GET {line}"), "").text(), "short");
    }
}

#[test]
fn a_file_that_the_owner_changes_is_read_as_it_is() {
    let server = furnished();
    assert_eq!(exchange(&server, "GET /files/file", "").text(), "old");
    fs::write(server.directory().join("file"), "changed by hand").unwrap();
    assert_eq!(exchange(&server, "GET /files/file", "").text(), "changed by hand");
    fs::remove_file(server.directory().join("file")).unwrap();
    assert_eq!(exchange(&server, "GET /files/file", "").status, 404);
}

#[test]
fn content_type_is_by_extension_and_never_sniffed() {
    let server = Server::start(&[]);
    for (name, expected) in [
        ("a.txt", "text/plain"),
        ("a.html", "text/html"),
        ("a", "application/octet-stream"),
        ("a.no-such-extension", "application/octet-stream"),
    ] {
        check(&server, request(&format!("PUT /files/{name}"), "<html>"), "201 keep");
        let answer = exchange(&server, &format!("GET /files/{name}"), "");
        let kind = answer.field("content-type").unwrap();
        assert_eq!(kind.split(';').next(), Some(expected), "{name}");
        assert_eq!(answer.field("x-content-type-options"), Some("nosniff"), "{name}");
    }
}
