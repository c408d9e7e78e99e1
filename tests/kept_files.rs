//! Files that stay open for whoever reads them again: nobody gets anything by that but time.
#![expect(clippy::unwrap_used, reason = "a helper of tests fails the test that it helps")]

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

use tests::{Client, Server, eventually, make_fifo};

/// Reads a file, twice, so that it is open.
fn read(client: &mut Client, path: &str) {
    for _ in 0..2 {
        assert_eq!(client.ask(&format!("GET {path}"), "").status, 200, "{path}");
    }
}

/// Goal: what is read is what is there at that time, whoever changed it. Method: a file that is open is
/// changed by another program in each way there is, and read again at once.
#[test]
fn what_another_program_does_to_an_open_file_is_seen() {
    // By a user for whom permissions hold.
    let server = Server::start_unprivileged(&["--quiet"]);
    let mut client = server.connect();
    let path = server.directory().join("a");
    let other = server.outside("other");
    type Change<'a> = (&'a dyn Fn(), u16, &'a str);
    let changes: [Change; 8] = [
        (&|| fs::write(&path, "new").unwrap(), 200, "new"),
        (
            &|| {
                fs::write(&other, "another").unwrap();
                fs::rename(&other, &path).unwrap();
            },
            200,
            "another",
        ),
        (&|| fs::File::options().write(true).open(&path).unwrap().set_len(1).unwrap(), 200, "o"),
        (&|| fs::set_permissions(&path, Permissions::from_mode(0o000)).unwrap(), 403, ""),
        (&|| fs::remove_file(&path).unwrap(), 404, ""),
        (&|| exchange(&path, || make_fifo(&path)), 403, ""),
        (&|| exchange(&path, || symlink("/etc/hostname", &path).unwrap()), 403, ""),
        (&|| fs::rename(&path, &other).unwrap(), 404, ""),
    ];
    for (number, (change, status, content)) in changes.into_iter().enumerate() {
        let _ = fs::remove_file(&path);
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
        read(&mut client, "/files/a");
        change();
        let answer = client.ask("GET /files/a", "");
        assert_eq!(answer.status, status, "change {number}");
        if status == 200 {
            assert_eq!(answer.text(), content, "change {number}");
        }
    }
}

fn exchange(path: &std::path::Path, make: impl FnOnce()) {
    fs::remove_file(path).unwrap();
    make();
}

/// How many files the server has open that have no name any more.
fn nameless(server: &Server) -> usize {
    let descriptors = fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap();
    let targets = descriptors.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
    targets.filter(|target| target.to_string_lossy().ends_with(" (deleted)")).count()
}

#[test]
fn a_file_that_a_request_replaces_or_removes_is_closed() {
    for durability in ["disk", "cache"] {
        let server = Server::start(&["--quiet", "--durability", durability]);
        let mut client = server.connect();
        for method in ["PUT", "DELETE"] {
            fs::write(server.directory().join("a"), "content").unwrap();
            read(&mut client, "/files/a");
            let content = if method == "PUT" { "new" } else { "" };
            assert_eq!(client.ask(&format!("{method} /files/a"), content).status, 200);
            assert_eq!(nameless(&server), 0, "{method} {durability}");
        }
    }
}

#[test]
fn a_file_that_another_program_removes_is_closed_after_a_while() {
    let server = Server::start(&["--quiet"]);
    let mut client = server.connect();
    assert_eq!(client.ask("GET /echo/a", "").status, 200);
    let before = server.descriptors();
    for number in 0..100 {
        let name = format!("{number}");
        fs::write(server.directory().join(&name), "content").unwrap();
        read(&mut client, &format!("/files/{name}"));
        fs::remove_file(server.directory().join(&name)).unwrap();
    }
    assert!(nameless(&server) > 0, "this is a test of files that stay open");
    eventually("they are closed", || nameless(&server) == 0);
    assert_eq!(server.descriptors(), before);
}

/// With as few descriptors as connections need, none is taken for files.
#[test]
fn files_stay_open_only_where_connections_need_no_descriptors() {
    let server = Server::start_with_open_files(500, &["--quiet", "--threads", "1", "--pool", "4"]);
    let connections: Vec<Client> = (0..120).map(|_| server.connect()).collect();
    let mut client = server.connect();
    eventually("they are counted", || {
        for number in 0..300 {
            let name = format!("{number}");
            fs::write(server.directory().join(&name), "content").unwrap();
            read(&mut client, &format!("/files/{name}"));
        }
        server.descriptors() < 400
    });
    drop(connections);
}
