//! No way out of the directory, and other file systems within it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper of tests fails the test that it helps")]

#[path = "containment/kinds.rs"]
mod kinds;
#[path = "containment/mounts.rs"]
mod mounts;
#[path = "containment/places.rs"]
mod places;
#[path = "containment/spellings.rs"]
mod spellings;
#[path = "containment/swaps.rs"]
mod swaps;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;

use tests::{Client, Mount, Server, can_mount, ledger, request};

fn ask(client: &mut Client, line: &str, content: &str) -> (u16, Vec<u8>) {
    client.send(request(line, content));
    let answer = client.answer(line.split(' ').next().unwrap());
    (answer.status, answer.content)
}

#[test]
fn links_of_the_kernel_are_not_followed() {
    for flags in [&["--quiet"][..], &["--quiet", "--follow-symlinks"]] {
        let server = Server::start(flags);
        fs::write(server.outside("secret"), "secret").unwrap();
        let secret = server.outside("secret");
        for (name, target) in [
            ("root", Path::new("/proc/self/root")),
            ("cwd", Path::new("/proc/self/cwd")),
            ("descriptor", Path::new("/proc/self/fd/0")),
            ("absolute", &*secret),
            ("up", Path::new("../secret")),
            ("round", Path::new("sub/../../secret")),
        ] {
            symlink(target, server.directory().join(name)).unwrap();
        }
        let mut client = server.connect();
        for name in ["root", "root/etc/passwd", "cwd/x", "descriptor", "absolute", "up", "round"] {
            for method in ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE"] {
                let content = if ["PUT", "POST", "PATCH"].contains(&method) { "x" } else { "" };
                let (status, _) = ask(&mut client, &format!("{method} /files/{name}"), content);
                // A link by way of a directory that is not there leads nowhere.
                let nowhere = name == "round" && flags.len() > 1 && ["GET", "HEAD"].contains(&method);
                assert_eq!(status, if nowhere { 404 } else { 403 }, "{method} {name}, {flags:?}");
            }
        }
        assert_eq!(fs::read(&secret).unwrap(), b"secret");
    }
}

#[test]
fn reads_follow_links_where_that_is_asked_for() {
    let server = Server::start(&["--follow-symlinks"]);
    fs::create_dir(server.directory().join("d")).unwrap();
    fs::write(server.directory().join("d/file.txt"), "content").unwrap();
    symlink("d", server.directory().join("current")).unwrap();
    let mut client = server.connect();
    client.send(request("GET /files/current/file.txt", ""));
    let linked = client.answer("GET");
    client.send(request("GET /files/d/file.txt", ""));
    let direct = client.answer("GET");
    assert_eq!((linked.status, linked.text()), (200, "content"));
    assert_eq!(linked.field("etag"), direct.field("etag"));
    assert_eq!(ask(&mut client, "PUT /files/current/file.txt", "x").0, 403);
    assert_eq!(ask(&mut client, "DELETE /files/current", "").0, 403);
}

/// Goal: what is mounted below the directory is as good as the rest of it. Method: each method, with
/// content that is gathered and content that is staged, on a file system in memory and on a directory
/// from elsewhere; then the server dies in the middle of an upload.
#[test]
fn other_file_systems_are_written_to_as_any() {
    for durability in ["disk", "cache"] {
        let flags = ["--durability", durability, "--quiet"];
        let mut server = Server::start(&flags);
        let elsewhere = server.outside("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        let points = ["memory", "a/bound"].map(|name| server.directory().join(name));
        points.iter().for_each(|point| fs::create_dir_all(point).unwrap());
        let mounts = (Mount::in_memory("size=64m", &points[0]), Mount::bound(&elsewhere, &points[1]));
        let (Some(_memory), Some(_bound)) = mounts else {
            assert!(!can_mount(), "what could be mounted a moment ago");
            ledger::skipped("containment:mounts", "nothing can be mounted here");
            return;
        };
        for point in ["memory", "a/bound"] {
            for content in ["small".to_owned(), "0123456789".repeat(200_000)] {
                let mut client = server.connect();
                let file = format!("/files/{point}/new/d/file");
                let mut check = |method: &str, content: &str, expected: u16, after: Option<&str>| {
                    let (status, _) = ask(&mut client, &format!("{method} {file}"), content);
                    assert_eq!(status, expected, "{method} {file} of {} bytes, {durability}", content.len());
                    let (status, there) = ask(&mut client, &format!("GET {file}"), "");
                    let there = (status == 200).then_some(there);
                    assert!(there.as_deref() == after.map(str::as_bytes), "after {method} {file}");
                };
                check("POST", &content, 201, Some(&content));
                check("POST", "other", 409, Some(&content));
                check("PUT", &content.to_uppercase(), 200, Some(&content.to_uppercase()));
                let twice = content.to_uppercase() + &content;
                check("PATCH", &content, 200, Some(&twice));
                check("DELETE", "", 200, None);
                check("PATCH", &content, 201, Some(&content));
                check("PUT", "new", 200, Some("new"));
                check("DELETE", "", 200, None);
                check("PUT", &content, 201, Some(&content));
                check("DELETE", "", 200, None);
                for folder in ["new/d", "new"] {
                    assert_eq!(ask(&mut client, &format!("DELETE /files/{point}/{folder}"), "").0, 200);
                }
                assert_eq!(ask(&mut client, &format!("DELETE /files/{point}"), "").0 / 100, 4);
            }
            let mut client = server.connect();
            // What lies there beside it is the server's own, and out of reach.
            assert_eq!(ask(&mut client, &format!("GET /files/{point}/.http_server/0"), "").0, 400);
            let left = server.directory().join(point).join(".http_server");
            assert_eq!(fs::read_dir(left).unwrap().count(), 0, "{point}");
        }
        // Leftovers of any kind, as a death would leave them.
        let own = points[0].join(".http_server");
        fs::write(points[0].join("log"), "whole, and a part").unwrap();
        fs::hard_link(points[0].join("log"), own.join("undo-5-5-0")).unwrap();
        fs::write(own.join("6"), "half of an upload").unwrap();
        server = server.kill_and_restart(&flags);
        assert_eq!(fs::read_dir(&own).unwrap().count(), 0);
        assert_eq!(ask(&mut server.connect(), "GET /files/memory/log", ""), (200, b"whole".to_vec()));
    }
}

#[test]
fn a_directory_has_one_server_whatever_it_is_called() {
    let server = Server::start(&["--quiet"]);
    let link = server.outside("link");
    symlink(server.directory(), &link).unwrap();
    let elsewhere = Arc::new(tempfile::tempdir().unwrap());
    let bound = elsewhere.path().join("data");
    fs::create_dir(&bound).unwrap();
    let mount = Mount::bound(server.directory(), &bound);
    for path in [Some(&link), mount.as_ref().map(|_| &bound)].into_iter().flatten() {
        let output =
            std::process::Command::new(tests::binary()).args(["--port", "0"]).arg(path).output().unwrap();
        let complaint = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{complaint}");
        assert!(complaint.contains("another http_server serves it already"), "{complaint}");
    }
    assert_eq!(ask(&mut server.connect(), "PUT /files/a", "x").0, 201);
}

/// openat2(2) came with Linux 5.6: what a kernel without it says is what `strace` lets this one say.
#[test]
fn a_kernel_that_cannot_keep_requests_in_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let output = std::process::Command::new("strace")
        .args(["-f", "-o", "/dev/null", "-e", "trace=openat2", "-e", "inject=openat2:error=ENOSYS"])
        .arg(tests::binary())
        .args(["--port", "0"])
        .arg(home.path().join("data"))
        .output();
    let Ok(output) = output else {
        ledger::skipped("containment:kernel", "strace is missing");
        return;
    };
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{complaint}");
    assert!(complaint.contains("openat2") && complaint.contains("Linux 5.12"), "{complaint}");
    assert_eq!(complaint.lines().count(), 1, "{complaint}");
}
