//! Other file systems below the directory: they are written to as any, and are no way out.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use http_server::store::base_directory::BaseDirectory;
use http_server::store::directory::Directory;
use tests::{Mount, Server, eventually, may_mount, request, staged, succeeds, tree};

/// Every method on a new file in new directories below `point`, with content of `length` bytes.
#[track_caller]
fn use_all(server: &Server, point: &str, length: usize) {
    let mut client = server.connect();
    let path = server.directory().join(point).join("new/folder/file");
    let (old, new) = (vec![b'o'; length], vec![b'n'; length]);
    let both = [&old[..], &new].concat();
    let mut check = |method: &str, content: &[u8], expected: u16, after: Option<&[u8]>| {
        let line = format!("{method} /files/{point}/new/folder/file");
        let answer = client.ask(&line, content);
        // Behind a refusal, too much content is not read past.
        if answer.closes() {
            client = server.connect();
        }
        assert_eq!(answer.status, expected, "{line} of {} bytes: {}", content.len(), answer.text());
        assert!(fs::read(&path).ok().as_deref() == after, "after {line} of {} bytes", content.len());
    };
    check("GET", b"", 404, None);
    check("POST", &old, 201, Some(&old));
    check("POST", &new, 409, Some(&old));
    check("PUT", &new, 200, Some(&new));
    check("PUT", &old, 200, Some(&old));
    check("PATCH", &new, 200, Some(&both));
    check("GET", b"", 200, Some(&both));
    check("DELETE", b"", 200, None);
    check("PATCH", &old, 201, Some(&old));
    check("DELETE", b"", 200, None);
    for folder in ["new/folder", "new"] {
        let line = format!("DELETE /files/{point}/{folder}");
        assert_eq!(client.ask(&line, "").status, 200, "{line}");
    }
}

/// Nothing is left below a mount point but the server's own directory, which is empty.
#[track_caller]
fn check_no_litter(server: &Server, points: &[&str]) {
    for point in points {
        let point = server.directory().join(point);
        let names = || fs::read_dir(&point).unwrap().map(|entry| entry.unwrap().file_name());
        let only_own = || names().all(|name| name == ".http_server");
        eventually("nothing is staged", || staged(&point) == 0);
        assert!(only_own(), "{:?}", names().collect::<Vec<_>>());
    }
    eventually("nothing is staged in the base directory", || staged(server.directory()) == 0);
}

fn make(path: &Path) -> PathBuf {
    fs::create_dir_all(path).unwrap();
    path.to_owned()
}

/// Goal: what kind of file system it is, and how deep others stand in it, makes no difference.
#[test]
fn each_kind_of_file_system_is_written_to() {
    if !may_mount("containment:kinds_of_mounts") {
        return;
    }
    for durability in ["disk", "cache"] {
        let server = Server::start(&["--durability", durability, "--quiet"]);
        let base = server.directory();
        let _memory = Mount::in_memory("size=64m", &make(&base.join("memory"))).unwrap();
        let _within = Mount::in_memory("size=64m", &make(&base.join("memory/deep/within"))).unwrap();
        let _disk = Mount::in_image(&server.outside("image"), "32M", &make(&base.join("disk")));
        let _bound = Mount::bound(&make(&server.outside("bound")), &make(&base.join("bound"))).unwrap();
        // It knows neither links to open files nor any that it did not make itself.
        let layers = ["lower", "upper", "work"].map(|name| make(&server.outside("memory").join(name)));
        let _layers = Mount::in_memory("size=64m", &server.outside("memory")).unwrap();
        layers.iter().for_each(|layer| fs::create_dir(layer).unwrap());
        fs::write(layers[0].join("below"), "below").unwrap();
        let [lower, upper, work] = layers.map(|layer| layer.to_str().unwrap().to_owned());
        let options = format!("lowerdir={lower},upperdir={upper},workdir={work}");
        let arguments = ["-t", "overlay", "-o", &options, "overlay"].map(OsStr::new);
        let _overlay = Mount::new(&arguments, &make(&base.join("overlay"))).unwrap();
        // And some that no temporary directory of a test is on.
        let plain = ["-t", "ramfs", "ramfs"].map(OsStr::new);
        let _plain = Mount::new(&plain, &make(&base.join("plain"))).unwrap();
        for point in ["memory", "memory/deep/within", "disk", "bound", "overlay", "plain"] {
            for length in [5, 2 << 20] {
                use_all(&server, point, length);
            }
        }
        let mut client = server.connect();
        // A file that a lower layer has is copied up, or hidden.
        assert_eq!(client.ask("PATCH /files/overlay/below", "+").status, 200);
        assert_eq!(client.ask("GET /files/overlay/below", "").text(), "below+");
        assert_eq!(client.ask("PUT /files/overlay/below", "new").status, 200);
        assert_eq!(client.ask("DELETE /files/overlay/below", "").status, 200);
        assert_eq!(client.ask("GET /files/overlay/below", "").status, 404);
        assert_eq!(fs::read(Path::new(&lower).join("below")).unwrap(), b"below");
        fs::remove_dir(base.join("disk/lost+found")).unwrap();
        check_no_litter(&server, &["memory/deep/within", "disk", "bound", "overlay", "plain"]);
        for point in ["memory", "memory/deep/within", "disk", "bound", "overlay", "plain"] {
            // It is there, and not for clients.
            assert_eq!(client.ask(&format!("GET /files/{point}/.http_server/"), "").status, 400);
            let shown = client.ask(&format!("GET /files/{point}/"), "");
            assert!(!String::from_utf8_lossy(&shown.content).contains(".http_server"), "{point}");
        }
    }
}

#[test]
fn a_mount_point_is_not_removed() {
    if !may_mount("containment:mount_points") {
        return;
    }
    for durability in ["disk", "cache"] {
        let server = Server::start(&["--durability", durability, "--quiet"]);
        let point = make(&server.directory().join("a/mount"));
        let _mount = Mount::in_memory("size=1m", &point).unwrap();
        let mut client = server.connect();
        for target in ["/files/a/mount", "/files/a/mount/"] {
            assert_eq!(client.ask(&format!("DELETE {target}"), "").status, 403, "{target}, empty");
        }
        assert_eq!(client.ask("DELETE /files/a", "").status, 409);
        assert_eq!(client.ask("PUT /files/a/mount/file", "x").status, 201);
        assert_eq!(client.ask("DELETE /files/a/mount", "").status, 403, "with a file");
        assert_eq!(client.ask("DELETE /files/a/mount/file", "").status, 200);
        assert_eq!(client.ask("DELETE /files/a/mount", "").status, 403, "with the server's own");
        for method in ["PUT", "POST", "PATCH"] {
            assert_eq!(client.ask(&format!("{method} /files/a/mount"), "x").status, 409, "{method}");
        }
        assert_eq!(client.ask("PUT /files/a/mount/file", "x").status, 201);
    }
}

/// Goal: a death in the middle of uploads leaves nothing on any file system, and changes no file.
#[test]
fn uploads_to_a_mount_die_with_the_server() {
    if !may_mount("containment:deaths") {
        return;
    }
    for durability in ["disk", "cache"] {
        let flags = ["--durability", durability, "--quiet"];
        let mut server = Server::start(&flags);
        let point = make(&server.directory().join("mount"));
        let _mount = Mount::in_memory("size=64m", &point).unwrap();
        // First before anything was written there, then when the server knows it.
        for round in 0..3 {
            let before = (round > 0).then(|| tree(&point));
            let mut uploads = Vec::new();
            for line in ["PUT /files/mount/new", "PUT /files/mount/file", "PATCH /files/mount/file"] {
                let mut client = server.connect();
                let whole = request(line, vec![b'x'; 8 << 20]);
                client.send(&whole[..6 << 20]);
                uploads.push(client);
            }
            eventually("all are staged", || staged(server.directory()) + staged(&point) == 3);
            println!("containment:deaths round={round} staged_there={}", staged(&point));
            if round > 0 {
                // What is copied there when an upload is complete is there too short to be met.
                fs::write(point.join(".http_server/999"), "half of a copy").unwrap();
            }
            server = server.kill_and_restart(&flags);
            drop(uploads);
            assert_eq!(staged(server.directory()) + staged(&point), 0, "round {round}");
            assert!(before.is_none_or(|before| tree(&point) == before), "round {round}");
            let mut client = server.connect();
            assert_eq!(client.ask("GET /files/mount/new", "").status, 404);
            let expected = if round == 0 { 201 } else { 200 };
            assert_eq!(client.ask("PUT /files/mount/file", "content").status, expected);
            assert_eq!(client.ask("PATCH /files/mount/file", "+").status, 200);
        }
        assert_eq!(fs::read(point.join("file")).unwrap(), b"content+");
    }
}

/// Goal: a directory that is reached in two ways is still one. Method: one from elsewhere at two
/// places. The kernel moves nothing from one mount to another, though it is the same file system.
#[test]
fn one_directory_at_two_places_is_written_to_by_both() {
    if !may_mount("containment:two_places") {
        return;
    }
    let server = Server::start(&["--quiet"]);
    let base = server.directory();
    let elsewhere = make(&server.outside("elsewhere"));
    let _first = Mount::bound(&elsewhere, &make(&base.join("first"))).unwrap();
    let _second = Mount::bound(&elsewhere, &make(&base.join("second"))).unwrap();
    for point in ["first", "second", "first"] {
        for length in [5, 2 << 20] {
            use_all(&server, point, length);
        }
    }
    check_no_litter(&server, &["first", "second"]);
    let mut client = server.connect();
    assert_eq!(client.ask("PUT /files/first/file", "one").status, 201);
    assert_eq!(client.ask("PATCH /files/second/file", " and the same").status, 200);
    assert_eq!(client.ask("GET /files/first/file", "").text(), "one and the same");
}

/// The same of a directory of the tree that is mounted at another place in it.
#[test]
fn a_directory_of_the_tree_at_another_place_is_written_to_by_both() {
    if !may_mount("containment:own_place") {
        return;
    }
    let server = Server::start(&["--quiet"]);
    let base = server.directory();
    let _mount = Mount::bound(&make(&base.join("a/folder")), &make(&base.join("b"))).unwrap();
    for point in ["a/folder", "b", "a/folder", "b"] {
        for length in [5, 2 << 20] {
            use_all(&server, point, length);
        }
    }
    check_no_litter(&server, &["a/folder", "b"]);
    let mut client = server.connect();
    assert_eq!(client.ask("PUT /files/a/folder/file", "one").status, 201);
    assert_eq!(client.ask("PATCH /files/b/file", " and the same").status, 200);
    assert_eq!(client.ask("GET /files/a/folder/file", "").text(), "one and the same");
    assert_eq!(client.ask("DELETE /files/b", "").status, 403);
}

/// Goal: what the operator mounts and unmounts while the server runs is taken as it is.
#[test]
fn a_mount_that_comes_and_goes_is_written_to_while_it_is_there() {
    if !may_mount("containment:remounts") {
        return;
    }
    let server = Server::start(&["--quiet"]);
    let point = make(&server.directory().join("mount"));
    for round in 0..3 {
        use_all(&server, "mount", 2 << 20);
        assert_eq!(server.connect().ask("PUT /files/mount/below", "below").status / 100, 2);
        let mount = Mount::in_memory("size=64m", &point).unwrap();
        use_all(&server, "mount", 2 << 20);
        assert_eq!(server.connect().ask("GET /files/mount/below", "").status, 404, "round {round}");
        assert_eq!(server.connect().ask("PUT /files/mount/file", "x").status, 201, "round {round}");
        drop(mount);
        assert_eq!(server.connect().ask("GET /files/mount/file", "").status, 404, "round {round}");
        assert_eq!(server.connect().ask("GET /files/mount/below", "").text(), "below");
    }
}

/// Goal: two servers that write to the same directory from elsewhere do not sweep each other's uploads.
/// Whether the second one may write there is its own affair; that it says 5xx or 403 and harms nobody is not.
#[test]
fn two_servers_with_one_mount_do_each_other_no_harm() {
    if !may_mount("containment:two_servers") {
        return;
    }
    let (first, mut second) = (Server::start(&["--quiet"]), Server::start(&["--quiet"]));
    let elsewhere = make(&first.outside("elsewhere"));
    let _mounts = [&first, &second]
        .map(|server| Mount::bound(&elsewhere, &make(&server.directory().join("mount"))).unwrap());
    assert_eq!(first.connect().ask("PUT /files/mount/file", "first").status, 201);
    let mut upload = first.connect();
    let whole = request("PUT /files/mount/large", vec![b'x'; 4 << 20]);
    upload.send(&whole[..2 << 20]);
    eventually("its content is staged", || staged(first.directory()) + staged(&elsewhere) == 1);
    for round in 0..2 {
        let answer = second.connect().ask("PUT /files/mount/file", "second");
        println!("containment:two_servers round={round} second={}", answer.status);
        assert!([200, 403, 500, 503].contains(&answer.status), "{}", answer.text());
        let now = first.connect().ask("GET /files/mount/file", "");
        assert_eq!(now.text(), if answer.status == 200 { "second" } else { "first" });
        assert_eq!(second.connect().ask("GET /files/mount/file", "").text(), now.text());
        second = second.kill_and_restart(&["--quiet"]);
    }
    upload.send(&whole[2 << 20..]);
    assert_eq!(upload.answer("PUT").status, 201);
    assert_eq!(fs::read(elsewhere.join("large")).unwrap(), [b'x'; 4 << 20]);
}

/// Goal: what stands in the place of the server's own directory on another file system is not followed.
#[test]
fn a_mount_with_a_link_for_the_server_s_own_directory_lets_nobody_out() {
    if !may_mount("containment:own_on_mounts") {
        return;
    }
    let mut server = Server::start(&["--quiet"]);
    let point = make(&server.directory().join("mount"));
    let _mount = Mount::in_memory("size=16m", &point).unwrap();
    let outside = make(&server.outside("outside"));
    fs::write(outside.join("0"), "not for them").unwrap();
    std::os::unix::fs::symlink(&outside, point.join(".http_server")).unwrap();
    fs::write(point.join("file"), "old").unwrap();
    let before = tree(&outside);
    let mut client = server.connect();
    for (line, length) in [("PUT /files/mount/new", 5), ("PUT /files/mount/file", 400_000)] {
        let status = server.connect().ask(line, vec![b'x'; length]).status;
        println!("containment:own_on_mounts {line} {status}");
        assert!([403, 500, 503].contains(&status), "{line}: {status}");
    }
    assert_eq!(client.ask("GET /files/mount/file", "").text(), "old");
    assert_eq!(client.ask("GET /files/mount/.http_server/0", "").status, 400);
    // Not by another name: what is mounted has to go before the directory that it is mounted in.
    server = server.kill_and_restart(&["--quiet"]);
    server.connect().expect_alive();
    assert_eq!(tree(&outside), before);
}

// Every file system in memory has the same number for its root: what is synced for one is none for another.
#[test]
fn directories_of_two_file_systems_are_told_apart() {
    if !may_mount("containment:keys") {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let points = ["a", "b"].map(|name| home.path().join(name));
    let _mounts = points.clone().map(|point| {
        fs::create_dir(&point).unwrap();
        Mount::in_memory("size=1m", &point).unwrap()
    });
    let base = BaseDirectory::open(home.path()).unwrap();
    let key = |path| base.folder_key(&base.open_folder(path).unwrap()).unwrap();
    let inode = |path: &Path| std::os::unix::fs::MetadataExt::ino(&fs::metadata(path).unwrap());
    assert_eq!(inode(&points[0]), inode(&points[1]));
    assert_ne!(key(c"a"), key(c"b"));
}

// Where times have whole seconds only, two versions of one length would have one tag.
#[test]
fn a_file_system_that_cuts_times_short_is_not_written_to() {
    if !may_mount("containment:times") {
        return;
    }
    let server = Server::start(&["--quiet"]);
    let (point, image) = (server.directory().join("m"), server.outside("image"));
    fs::create_dir(&point).unwrap();
    fs::File::create(&image).unwrap().set_len(16 << 20).unwrap();
    assert!(succeeds(Command::new("mkfs.ext4").args(["-q", "-I", "128"]).arg(&image)));
    let arguments = [OsStr::new("-o"), OsStr::new("loop"), image.as_os_str()];
    let _mount = Mount::new(&arguments, &point).unwrap();
    fs::write(point.join("there"), "content").unwrap();
    let mut client = server.connect();
    for content in ["x".to_owned(), "x".repeat(600_000)] {
        client.send(request("PUT /files/m/new", &content));
        let answer = client.answer("PUT");
        assert_eq!(answer.status, 403);
        assert!(answer.text().contains("times"), "{}", answer.text());
    }
    client.send(request("GET /files/m/there", ""));
    assert_eq!(client.answer("GET").text(), "content");
    assert!(!point.join("new").exists() && staged(&point) == 0);
}
