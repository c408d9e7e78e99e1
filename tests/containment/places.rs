//! Directories that are not where they were: the base directory and the server's own, moved away or
//! replaced by links, before the start and after it.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::sync::Arc;

use tests::{Server, binary, tree};

/// Goal: a server serves the directory that it was started on, whatever gets its name later.
#[test]
fn a_base_directory_that_is_replaced_lets_nobody_out() {
    let server = Server::start(&["--quiet"]);
    let (base, outside, moved) = (server.directory(), server.outside("outside"), server.outside("moved"));
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("file"), "not for them").unwrap();
    fs::write(base.join("file"), "inside").unwrap();
    fs::rename(base, &moved).unwrap();
    symlink("outside", base).unwrap();
    let before = tree(&outside);
    let mut client = server.connect();
    assert_eq!(client.ask("GET /files/file", "").text(), "inside");
    for (method, status) in [("PUT", 200), ("PATCH", 200), ("POST", 409), ("DELETE", 200), ("POST", 201)] {
        assert_eq!(client.ask(&format!("{method} /files/file"), "new").status, status, "{method}");
    }
    assert_eq!(client.ask("PUT /files/far/below", vec![b'x'; 400_000]).status, 201);
    assert_eq!(fs::read(moved.join("file")).unwrap(), b"new");
    assert_eq!(fs::read(moved.join("far/below")).unwrap(), [b'x'; 400_000]);
    assert_eq!(tree(&outside), before);
}

/// Goal: nothing is staged in, or swept from, a directory that is not the server's own. Method: a
/// link takes its name, while a server runs and before the next one starts.
#[test]
fn an_own_directory_that_is_replaced_lets_nobody_out() {
    let home = Arc::new(tempfile::tempdir().unwrap());
    let server = Server::start_in(Arc::clone(&home), &["--quiet"]);
    let (base, outside) = (home.path().join("data"), home.path().join("outside"));
    fs::create_dir(&outside).unwrap();
    // What a sweep would take for a leftover, of each kind.
    for name in ["0", "17", "undo-0-0-0"] {
        fs::write(outside.join(name), "kept").unwrap();
    }
    let before = tree(&outside);
    fs::rename(base.join(".http_server"), home.path().join("moved")).unwrap();
    symlink("../outside", base.join(".http_server")).unwrap();
    let mut client = server.connect();
    for (line, length) in [("PUT /files/a", 10), ("PUT /files/b", 400_000), ("DELETE /files/b", 0)] {
        let status = client.ask(line, vec![b'x'; length]).status;
        assert!([200, 201].contains(&status), "{line}: {status}");
    }
    assert_eq!(client.ask("GET /files/.http_server/0", "").status, 400);
    drop(server);
    let output = Command::new(binary()).args(["--port", "0"]).arg(&base).output().unwrap();
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{complaint}");
    assert!(complaint.contains("move it away"), "{complaint}");
    assert_eq!(tree(&outside), before);
}

/// Goal: what a server has written down about other file systems leads the next one nowhere else.
/// Method: somebody writes more of that, of paths that lead out.
#[test]
fn what_is_registered_leads_nobody_out() {
    let server = Server::start(&["--quiet"]);
    let outside = server.outside("outside");
    fs::create_dir_all(outside.join(".http_server")).unwrap();
    for name in ["0", "17", "undo-0-0-0"] {
        fs::write(outside.join(".http_server").join(name), "kept").unwrap();
    }
    let before = tree(&outside.join(".http_server"));
    let base = server.directory().to_owned();
    symlink(&outside, base.join("link")).unwrap();
    let registered = ["../outside".into(), outside.clone(), "link".into(), "missing".into(), "..".into()];
    for (number, target) in registered.iter().enumerate() {
        symlink(target, base.join(format!(".http_server/area-{number}"))).unwrap();
    }
    let server = server.kill_and_restart(&["--quiet"]);
    let mut client = server.connect();
    assert_eq!(client.ask("PUT /files/a", "x").status, 201);
    assert_eq!(client.ask("PUT /files/link/a", "x").status, 403);
    assert_eq!(tree(&outside.join(".http_server")), before);
}
