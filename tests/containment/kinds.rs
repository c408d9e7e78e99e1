//! What is neither a file nor a directory: links anywhere on a path, FIFOs, sockets and devices.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use tests::{Client, Mount, Server, eventually, ledger, make_fifo, may_mount, succeeds, tree};

const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/// What is answered at once takes no longer than this on any machine.
const AT_ONCE: Duration = Duration::from_secs(10);

/// The status of each method on `/files/PATH`; no answer tells the secret.
fn statuses(client: &mut Client, path: &str) -> Vec<u16> {
    let status = |method: &&str| {
        let content = if method.starts_with('P') { "written" } else { "" };
        let answer = client.ask(&format!("{method} /files/{path}"), content);
        let told = answer.content.windows(12).any(|bytes| bytes == b"not for them");
        assert!(!told, "{method} {path} got out");
        answer.status
    };
    METHODS.iter().map(status).collect()
}

/// A server whose directory has `file` and `real/inner/file`; beside it is `outside/secret`.
fn furnished(flags: &[&str]) -> Server {
    let server = Server::start(flags);
    let (base, outside) = (server.directory(), server.outside("outside"));
    fs::create_dir_all(base.join("real/inner")).unwrap();
    fs::write(base.join("file"), "inside").unwrap();
    fs::write(base.join("real/inner/file"), "inside").unwrap();
    fs::create_dir_all(outside.join("sub")).unwrap();
    fs::write(outside.join("secret"), "not for them").unwrap();
    fs::write(outside.join("sub/secret"), "not for them").unwrap();
    server
}

/// Goal: no link is followed, replaced or removed, wherever it stands on a path and leads to.
/// Method: links of each kind at each depth, and below each of them paths of each kind; afterwards
/// everything is as it was, down to the times of change.
#[test]
fn links_in_any_place_are_403_and_stay() {
    for flags in [&["--quiet"][..], &["--quiet", "--follow-symlinks"]] {
        let server = furnished(flags);
        let (base, outside) = (server.directory(), server.outside("outside"));
        let places = ["", "real/", "real/inner/"];
        let mut names = Vec::new();
        for (depth, place) in places.iter().enumerate() {
            let up = "../".repeat(depth);
            let targets = [
                outside.join("secret"),
                outside.clone(),
                format!("{up}../outside/secret").into(),
                format!("{up}../outside").into(),
                format!("{up}real/../../outside").into(),
                base.join("file"),
                base.join("real"),
                format!("{up}file").into(),
                format!("{up}real/inner").into(),
                "nowhere".into(),
                base.join("nowhere/at/all"),
                outside.join("made"),
                "..".into(),
                ".".into(),
                "/".into(),
                "/dev/null".into(),
                "/proc/self/root".into(),
                "/proc/thread-self/cwd".into(),
                "/proc/self/fd/1".into(),
                format!("{up}.http_server").into(),
                // A link to a link; one to itself; two that lead to each other.
                "0".into(),
                "21".into(),
                "23".into(),
                "22".into(),
            ];
            for (number, target) in targets.iter().enumerate() {
                symlink(target, base.join(place).join(number.to_string())).unwrap();
                names.push(format!("{place}{number}"));
            }
        }
        let before = (tree(base), tree(&outside));
        let mut client = server.connect();
        let mut count = 0;
        for name in &names {
            for below in ["", "/", "/secret", "/sub/secret", "/file", "/new", "/new/deeper", "/etc/passwd"] {
                let path = format!("{name}{below}");
                let found = statuses(&mut client, &path);
                count += found.len();
                if below == "/" {
                    check_directory(&found, &path);
                } else if flags.len() == 1 {
                    assert_eq!(found, [403; 6], "{path}");
                } else {
                    // Reads may follow those that stay inside; nothing else may.
                    assert_eq!(found[2..], [403; 4], "{path}");
                    // openat2(2): while anybody renames anything, the kernel may not be sure of `..`.
                    let known = [200, 301, 403, 404, 503];
                    assert!(found[..2].iter().all(|status| known.contains(status)), "{path}: {found:?}");
                }
            }
        }
        assert_eq!((tree(base), tree(&outside)), before);
        ledger::record("containment:links", &[("links", names.len() as u64), ("requests", count as u64)]);
    }
}

/// What can only be a directory and is none: content for it is refused before anybody looks.
#[track_caller]
fn check_directory(found: &[u16], path: &str) {
    let (reads, writes, removal) = (&found[..2], &found[2..5], found[5]);
    assert!(reads.iter().all(|status| [200, 301, 403, 404, 503].contains(status)), "{path}: {found:?}");
    assert!(writes.iter().all(|status| [403, 409].contains(status)), "{path}: {found:?}");
    assert_eq!(removal, 403, "{path}");
}

/// Goal: a FIFO is never opened, in neither direction. Method: somebody waits at it, whom the kernel
/// lets go on as soon as anybody else opens it; and one worker serves all, who would be stuck.
#[test]
fn fifos_and_sockets_are_403_and_never_opened() {
    let server = furnished(&["--quiet", "--threads", "1", "--pool", "1"]);
    let base = server.directory();
    let waiting: Vec<_> = [("read", true), ("written", false)]
        .into_iter()
        .map(|(name, writes)| {
            let path = base.join(name);
            make_fifo(&path);
            let open = OpenOptions::new().read(!writes).write(writes).clone();
            let its_path = path.clone();
            let waiting = std::thread::spawn(move || open.open(its_path).map(drop));
            (path, writes, waiting)
        })
        .collect();
    make_fifo(&base.join("real/alone"));
    let _socket = UnixListener::bind(base.join("socket")).unwrap();
    let before = tree(base);
    let start = Instant::now();
    let mut client = server.connect();
    for path in ["read", "written", "real/alone", "socket"] {
        assert_eq!(statuses(&mut client, path), [403; 6], "{path}");
        check_directory(&statuses(&mut client, &format!("{path}/")), path);
        for status in statuses(&mut client, &format!("{path}/below")) {
            assert!([403, 404, 409].contains(&status), "{path}/below: {status}");
        }
        // Content that is staged, and a client that asks first.
        for method in ["POST", "PUT", "PATCH"] {
            let line = format!("{method} /files/{path}");
            let answer = server.connect().ask(&line, [b'x'; 400_000]);
            assert_eq!(answer.status, 403, "{line}");
            let mut asking = server.connect();
            asking.send(format!(
                "{line} HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
            ));
            assert_eq!(asking.answer(method).status, 403, "{line}");
        }
        client.expect_alive();
        server.connect().expect_alive();
    }
    assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
    assert_eq!(client.ask("GET /files/file", "").text(), "inside", "the worker is not stuck");
    assert_eq!(tree(base), before);
    for (path, writes, waiting) in waiting {
        assert!(!waiting.is_finished(), "{} was opened", path.display());
        // Both at once, which waits for nobody.
        let other = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        eventually("whoever waited goes on", || waiting.is_finished());
        waiting.join().unwrap().unwrap();
        drop(other);
        println!("containment:fifo writer_waits={writes}");
    }
}

#[test]
fn devices_are_403_and_never_opened() {
    if !may_mount("containment:devices") {
        return;
    }
    let server = furnished(&["--quiet", "--threads", "1", "--pool", "1"]);
    let base = server.directory();
    // Nothing; zeros without end; full for whoever writes; a terminal, to which nobody may be bound;
    // one that has no driver; and a disk.
    let devices = [("c", "1", "3"), ("c", "1", "5"), ("c", "1", "7"), ("c", "5", "0"), ("c", "250", "250")];
    for (number, (kind, major, minor)) in devices.into_iter().chain([("b", "7", "250")]).enumerate() {
        let path = base.join(format!("device{number}"));
        assert!(succeeds(Command::new("mknod").arg(&path).args([kind, major, minor])), "mknod");
    }
    let before = tree(base);
    let start = Instant::now();
    let mut client = server.connect();
    for number in 0..6 {
        let path = format!("device{number}");
        assert_eq!(statuses(&mut client, &path), [403; 6], "{path}");
        assert_eq!(server.connect().ask(&format!("PUT /files/{path}"), [b'x'; 400_000]).status, 403);
        assert_eq!(server.connect().ask(&format!("PATCH /files/{path}"), [b'x'; 400_000]).status, 403);
    }
    assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
    assert_eq!(client.ask("GET /files/file", "").text(), "inside", "the worker is not stuck");
    assert_eq!(tree(base), before);
}

/// Goal: the kernel's own links, which lead anywhere without a path, lead nobody out. Method: the
/// server's entry in `/proc` is mounted below its directory; its links lead to the machine's root, to
/// where the server was started, and to its program.
#[test]
fn links_of_the_kernel_that_are_mounted_are_403() {
    if !may_mount("containment:links_of_the_kernel") {
        return;
    }
    for flags in [&["--quiet"][..], &["--quiet", "--follow-symlinks"]] {
        let server = furnished(flags);
        let point = server.directory().join("process");
        fs::create_dir(&point).unwrap();
        let entry = Path::new("/proc").join(server.pid().to_string());
        let _mount = Mount::bound(&entry, &point).expect("root can mount");
        let outside = server.outside("outside");
        let before = tree(&outside);
        let mut client = server.connect();
        // What is written goes nowhere but into this test's own directory, even if it gets out.
        let below = outside.to_str().unwrap().strip_prefix('/').unwrap();
        let top = "process/root";
        for path in [
            format!("{top}/{below}/secret"),
            format!("{top}/{below}/new/file"),
            format!("process/task/{}/{}/{below}/secret", server.pid(), "root"),
            "process/exe".to_owned(),
            "process/cwd".to_owned(),
            "process/cwd/new".to_owned(),
            "process/fd/0".to_owned(),
            "process/ns/mnt".to_owned(),
        ] {
            assert_eq!(statuses(&mut client, &path), [403; 6], "{path}, {flags:?}");
        }
        assert_eq!(tree(&outside), before);
    }
}
