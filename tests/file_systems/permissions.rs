//! What the operating system refuses is 403 and changes nothing: permissions, and marks that hold
//! even for root.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

use tests::{Mount, Server, am_root, may_mount, staged, succeeds, tree};

const NOBODY: u32 = 65_534;

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Gives what a test has made to the server's user, where that is another.
fn give_away(path: &Path) {
    if am_root() {
        chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
}

/// Content that is gathered, and content that is staged.
const LENGTHS: [usize; 2] = [5, 400_000];

/// Each line is answered with its status, whatever the length of its content; the tree stays as it is.
#[track_caller]
fn check_refused(server: &Server, lines: &[(&str, u16)]) {
    let before = tree(server.directory());
    for (line, expected) in lines {
        for length in LENGTHS {
            let length = if line.starts_with('P') { length } else { 0 };
            let answer = server.connect().ask(line, vec![b'x'; length]);
            assert_eq!(answer.status, *expected, "{line} with {length} bytes: {}", answer.text());
        }
    }
    assert_eq!(tree(server.directory()), before);
    assert_eq!(staged(server.directory()), 0);
}

#[test]
fn what_may_not_be_read_or_changed_is_403() {
    for durability in ["disk", "cache"] {
        let server = Server::start_unprivileged(&["--durability", durability, "--quiet"]);
        let base = server.directory();
        for name in ["closed", "listed", "hidden", "hidden/below"] {
            fs::create_dir(base.join(name)).unwrap();
        }
        for name in ["none", "readable", "closed/file", "listed/file", "hidden/file", "hidden/below/file"] {
            fs::write(base.join(name), "kept").unwrap();
            give_away(&base.join(name));
        }
        set_mode(&base.join("none"), 0o000);
        set_mode(&base.join("readable"), 0o444);
        set_mode(&base.join("hidden/below"), 0o755);
        for (name, mode) in [("closed", 0o555), ("listed", 0o444), ("hidden", 0o000)] {
            give_away(&base.join(name));
            set_mode(&base.join(name), mode);
        }
        check_refused(
            &server,
            &[
                ("GET /files/none", 403),
                ("HEAD /files/none", 403),
                ("PATCH /files/none", 403),
                ("PATCH /files/readable", 403),
                ("POST /files/closed/new", 403),
                ("PUT /files/closed/new", 403),
                ("PATCH /files/closed/new", 403),
                ("PUT /files/closed/far/new", 403),
                ("PUT /files/closed/file", 403),
                ("POST /files/closed/file", 409),
                ("DELETE /files/closed/file", 403),
                ("DELETE /files/closed", 409),
                ("GET /files/hidden/file", 403),
                ("HEAD /files/hidden/below/file", 403),
                ("GET /files/hidden/missing", 403),
                ("POST /files/hidden/new", 403),
                ("PUT /files/hidden/file", 403),
                ("PUT /files/hidden/below/new", 403),
                ("PUT /files/hidden/far/new", 403),
                ("PATCH /files/hidden/file", 403),
                ("DELETE /files/hidden/file", 403),
                ("DELETE /files/hidden/missing", 403),
                ("DELETE /files/hidden/below/file", 403),
                ("GET /files/listed/file", 403),
                ("PUT /files/listed/new", 403),
                ("DELETE /files/listed/file", 403),
            ],
        );
        let mut client = server.connect();
        assert_eq!(client.ask("GET /files/closed/file", "").text(), "kept");
        assert_eq!(client.ask("GET /files/readable", "").text(), "kept");
        // To remove or replace a file is a change of its directory, not of the file.
        for name in ["none", "readable"] {
            assert_eq!(client.ask(&format!("PUT /files/{name}"), "new").status, 200, "{name}");
            assert_eq!(client.ask(&format!("GET /files/{name}"), "").text(), "new", "{name}");
            set_mode(&base.join(name), if name == "none" { 0 } else { 0o444 });
            assert_eq!(client.ask(&format!("DELETE /files/{name}"), "").status, 200, "{name}");
            assert!(!base.join(name).exists(), "{name}");
        }
        for name in ["closed", "listed", "hidden"] {
            set_mode(&base.join(name), 0o755);
        }
    }
}

/// Goal: what root alone may do with another's file, the server does not.
#[test]
fn a_file_of_somebody_else_in_a_sticky_directory_is_403() {
    if !may_mount("file_systems:sticky") {
        return;
    }
    for durability in ["disk", "cache"] {
        let server = Server::start_unprivileged(&["--durability", durability, "--quiet"]);
        let shared = server.directory().join("shared");
        fs::create_dir(&shared).unwrap();
        set_mode(&shared, 0o1777);
        fs::write(shared.join("root's"), "kept").unwrap();
        fs::create_dir(shared.join("folder")).unwrap();
        check_refused(
            &server,
            &[
                ("PUT /files/shared/root's", 403),
                ("PATCH /files/shared/root's", 403),
                ("DELETE /files/shared/root's", 403),
                ("DELETE /files/shared/folder", 403),
            ],
        );
        let mut client = server.connect();
        assert_eq!(client.ask("GET /files/shared/root's", "").text(), "kept");
        // Everybody may write it, but only its owner may set its time, which tells versions apart.
        fs::write(shared.join("everybody's"), "kept").unwrap();
        set_mode(&shared.join("everybody's"), 0o666);
        for content in ["+".repeat(10), "+".repeat(400_000)] {
            let old = fs::read(shared.join("everybody's")).unwrap();
            let status = server.connect().ask("PATCH /files/shared/everybody's", &content).status;
            println!("file_systems:everybody durability={durability} status={status}");
            let now = fs::read(shared.join("everybody's")).unwrap();
            match status {
                200 => assert!(now == [&old[..], content.as_bytes()].concat()),
                403 => assert!(now == old),
                other => panic!("{other}"),
            }
            assert_eq!(staged(server.directory()), 0);
        }
        assert_eq!(client.ask("PUT /files/shared/own", "x").status, 201);
        assert_eq!(client.ask("DELETE /files/shared/own", "").status, 200);
    }
}

/// A mark of `chattr` that is taken off again: else nobody could remove what a test has made.
struct Marked<'a>(&'a Path, char);

impl<'a> Marked<'a> {
    fn new(path: &'a Path, mark: char) -> Marked<'a> {
        assert!(succeeds(Command::new("chattr").arg(format!("+{mark}")).arg(path)), "chattr");
        Marked(path, mark)
    }
}

impl Drop for Marked<'_> {
    fn drop(&mut self) {
        let _ = Command::new("chattr").arg(format!("-{}", self.1)).arg(self.0).output();
    }
}

#[test]
fn what_cannot_be_changed_by_anybody_is_403() {
    if !may_mount("file_systems:marks") {
        return;
    }
    for durability in ["disk", "cache"] {
        let server = Server::start(&["--durability", durability, "--quiet"]);
        let point = server.directory().join("disk");
        fs::create_dir(&point).unwrap();
        let _mount = Mount::in_image(&server.outside("image"), "16M", &point);
        for name in ["immutable", "frozen", "growing"] {
            fs::create_dir(point.join(name)).unwrap();
            fs::write(point.join(name).join("file"), "kept").unwrap();
        }
        // The server's own directory there is made first, which the times of the mount point show.
        assert_eq!(server.connect().ask("PUT /files/disk/other", "x").status, 201);
        let (file, folder) = (point.join("immutable/file"), point.join("frozen"));
        let growing = point.join("growing/file");
        let _marks = [Marked::new(&file, 'i'), Marked::new(&folder, 'i'), Marked::new(&growing, 'a')];
        check_refused(
            &server,
            &[
                ("PUT /files/disk/immutable/file", 403),
                ("PATCH /files/disk/immutable/file", 403),
                ("DELETE /files/disk/immutable/file", 403),
                ("PUT /files/disk/frozen/new", 403),
                ("PUT /files/disk/frozen/file", 403),
                ("PUT /files/disk/frozen/far/new", 403),
                ("POST /files/disk/frozen/new", 403),
                ("DELETE /files/disk/frozen/file", 403),
                ("DELETE /files/disk/frozen", 403),
                ("PUT /files/disk/growing/file", 403),
                ("DELETE /files/disk/growing/file", 403),
                // It could not be undone.
                ("PATCH /files/disk/growing/file", 403),
            ],
        );
        let mut client = server.connect();
        for name in ["immutable", "frozen", "growing"] {
            assert_eq!(client.ask(&format!("GET /files/disk/{name}/file"), "").text(), "kept");
        }
        assert_eq!(client.ask("PATCH /files/disk/frozen/file", "+").status, 200, "the file is not marked");
        assert_eq!(staged(&point), 0);
    }
}
