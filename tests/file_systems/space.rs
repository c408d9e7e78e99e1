//! Full disks of another kind: a real one, one below the directory, and one that many fill at once.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use tests::{Client, Mount, Server, eventually, may_mount, staged, tree};

/// One request on a connection that is left behind where the server ends it.
fn ask(server: &Server, client: &mut Client, line: &str, length: usize) -> u16 {
    let answer = client.ask(line, vec![b'x'; length]);
    if answer.closes() {
        *client = server.connect();
    }
    answer.status
}

/// Goal: on a disk that is full, files keep their content, and what was refused gives its room back.
/// Method: `place` is a path below which there is room for some megabytes.
#[track_caller]
fn check_full(server: &Server, place: &str) {
    let point = server.directory().join(place);
    let mut client = server.connect();
    assert_eq!(ask(server, &mut client, &format!("PUT /files/{place}kept"), 1000), 201);
    assert_eq!(ask(server, &mut client, &format!("PUT /files/{place}log"), 300_000), 201);
    // Then filled, by a client, until only little fits.
    let mut refused = 0;
    for number in 0..1000 {
        let length = [1_000_000, 100_000, 10_000, 0][refused.min(3)];
        let line = format!("PUT /files/{place}fill/{number}");
        match ask(server, &mut client, &line, length) {
            201 if length > 0 => {}
            507 | 201 => refused += 1,
            other => panic!("{line} of {length} bytes: {other}"),
        }
        if refused > 4 {
            break;
        }
    }
    assert!(refused > 4, "it does not get full");
    let tags = |client: &mut Client| {
        ["kept", "log"].map(|name| {
            let answer = client.ask(&format!("HEAD /files/{place}{name}"), "");
            answer.field("etag").map(str::to_owned)
        })
    };
    let before = (tree(&point), tags(&mut client));
    for length in [200_000, 2_000_000] {
        for (method, name) in [
            ("PUT", "new"),
            ("POST", "new"),
            ("PATCH", "new"),
            ("PUT", "kept"),
            ("PATCH", "kept"),
            ("PATCH", "log"),
        ] {
            let line = format!("{method} /files/{place}{name}");
            assert_eq!(ask(server, &mut client, &line, length), 507, "{line} of {length} bytes");
            eventually("nothing is staged", || staged(&point) + staged(server.directory()) == 0);
        }
    }
    // What an append begins with may change the time of change of status; nothing that a client sees.
    let without_times = |tree: BTreeMap<PathBuf, String>| -> Vec<_> {
        let content = |line: &str| line.rsplit_once(") ").map(|(_, content)| content.to_owned());
        tree.into_iter().map(|(path, line)| (path, content(&line))).collect()
    };
    assert!(without_times(tree(&point)) == without_times(before.0), "a file has changed");
    assert_eq!(tags(&mut client), before.1);
    assert_eq!(fs::read(point.join("log")).unwrap(), [b'x'; 300_000]);
    assert_eq!(client.ask(&format!("GET /files/{place}kept"), "").content, [b'x'; 1000]);
    // To remove needs no room, and gives some.
    let mut removed = 0;
    while ask(server, &mut client, &format!("DELETE /files/{place}fill/{removed}"), 0) == 200 && removed < 2 {
        removed += 1;
    }
    assert!(removed > 0);
    assert_eq!(ask(server, &mut client, &format!("PATCH /files/{place}log"), 200_000), 200, "there is room");
    assert_eq!(ask(server, &mut client, &format!("PUT /files/{place}new"), 200_000), 201, "there is room");
    assert_eq!(fs::metadata(point.join("log")).unwrap().len(), 500_000);
}

/// A server on a disk of its own. What is mounted goes first, then the directory that it is mounted in.
fn server_on_a_disk(bytes: &str, flags: &[&str]) -> (Server, Mount) {
    let home = Arc::new(tempfile::tempdir().unwrap());
    let point = home.path().join("data");
    fs::create_dir(&point).unwrap();
    let mount = Mount::in_image(&home.path().join("image"), bytes, &point);
    (Server::start_in(home, flags), mount)
}

#[test]
fn a_full_disk_of_its_own_is_507() {
    if !may_mount("file_systems:full_disk") {
        return;
    }
    for durability in ["disk", "cache"] {
        let (server, _mount) = server_on_a_disk("8M", &["--durability", durability, "--quiet"]);
        check_full(&server, "");
    }
}

#[test]
fn a_full_disk_below_the_directory_is_507_and_the_rest_goes_on() {
    if !may_mount("file_systems:full_below") {
        return;
    }
    for durability in ["disk", "cache"] {
        let server = Server::start(&["--durability", durability, "--quiet"]);
        for name in ["memory", "disk"] {
            let point = server.directory().join(name);
            fs::create_dir(&point).unwrap();
            let _mount = match name {
                "memory" => Mount::in_memory("size=4m", &point).unwrap(),
                _ => Mount::in_image(&server.outside("image"), "8M", &point),
            };
            check_full(&server, &format!("{name}/"));
            let mut client = server.connect();
            assert_eq!(client.ask(&format!("PUT /files/beside-{name}"), "x").status, 201);
        }
    }
}

/// Goal: where not even the server's own directory can be made, nothing is.
#[test]
fn a_mount_without_room_for_anything_is_507() {
    if !may_mount("file_systems:no_room") {
        return;
    }
    for durability in ["disk", "cache"] {
        let server = Server::start(&["--durability", durability, "--quiet"]);
        let point = server.directory().join("mount");
        fs::create_dir(&point).unwrap();
        // The root and two files.
        let _mount = Mount::in_memory("size=1m,nr_inodes=3", &point).unwrap();
        fs::write(point.join("one"), "1").unwrap();
        fs::write(point.join("two"), "2").unwrap();
        let before = tree(&point);
        let mut client = server.connect();
        for length in [5, 400_000] {
            for line in [
                "PUT /files/mount/new",
                "PUT /files/mount/one",
                "POST /files/mount/a/b",
                "PATCH /files/mount/one",
            ] {
                assert_eq!(ask(&server, &mut client, line, length), 507, "{line} of {length} bytes");
            }
        }
        assert_eq!(tree(&point), before);
        assert_eq!(client.ask("GET /files/mount/one", "").text(), "1");
        // A durable removal puts the file aside first, for which there is no place; else it needs none.
        let status = ask(&server, &mut client, "DELETE /files/mount/two", 0);
        println!("file_systems:no_room durability={durability} removal={status}");
        assert!(status == 200 || (durability == "disk" && status == 507), "{durability}: {status}");
        assert_eq!(point.join("two").exists(), status != 200);
    }
}

/// Goal: twenty clients that fill a disk at once, by every method, get 2xx or 507, and what they were
/// told is so.
#[test]
fn many_clients_fill_a_disk_by_every_method() {
    const CLIENTS: usize = 20;
    const PART: usize = 150_000;
    if !may_mount("file_systems:many") {
        return;
    }
    for durability in ["disk", "cache"] {
        let (server, _mount) = server_on_a_disk("16M", &["--durability", durability, "--quiet"]);
        let told: Vec<(usize, usize, usize)> = std::thread::scope(|scope| {
            let fill = |number: usize| {
                let server = &server;
                scope.spawn(move || {
                    let mut client = server.connect();
                    let (mut length, mut taken, mut refused) = (0, 0, 0);
                    for round in 0..20 {
                        // Appended from memory, and from what was staged.
                        let part = if round % 3 == 0 { 2 * PART } else { PART / 2 };
                        let line = format!("PATCH /files/{number}/log");
                        match ask(server, &mut client, &line, part) {
                            200 | 201 => {
                                length += part;
                                taken += 1;
                            }
                            507 => refused += 1,
                            other => panic!("{line}: {other}"),
                        }
                    }
                    (length, taken, refused)
                })
            };
            let clients: Vec<_> = (0..CLIENTS).map(fill).collect();
            clients.into_iter().map(|client| client.join().unwrap()).collect()
        });
        let taken: usize = told.iter().map(|(_, taken, _)| taken).sum();
        let refused: usize = told.iter().map(|(_, _, refused)| refused).sum();
        println!("file_systems:many durability={durability} taken={taken} refused={refused}");
        assert!(taken >= 20 && refused >= 20 && taken + refused == 20 * CLIENTS);
        eventually("nothing is staged", || staged(server.directory()) == 0);
        for (number, (length, _, _)) in told.iter().enumerate() {
            let content = fs::read(server.directory().join(format!("{number}/log"))).unwrap_or_default();
            assert!(content == vec![b'x'; *length], "{number}: {} bytes, {length} told", content.len());
        }
    }
}

#[test]
fn a_read_only_file_system_below_the_directory_is_403_and_is_read() {
    if !may_mount("file_systems:read_only") {
        return;
    }
    for durability in ["disk", "cache"] {
        for known in [false, true] {
            let server = Server::start(&["--durability", durability, "--quiet"]);
            let point = server.directory().join("disk");
            fs::create_dir(&point).unwrap();
            let mount = Mount::in_image(&server.outside("image"), "8M", &point);
            fs::write(point.join("file"), "kept").unwrap();
            fs::create_dir(point.join("empty")).unwrap();
            let mut client = server.connect();
            if known {
                assert_eq!(client.ask("PUT /files/disk/file", "kept").status, 200);
            }
            mount.set_read_only(true);
            let before = tree(&point);
            for length in [5, 400_000] {
                for line in [
                    "PUT /files/disk/file",
                    "PATCH /files/disk/file",
                    "PUT /files/disk/new",
                    "POST /files/disk/new",
                    "PATCH /files/disk/new",
                    "PUT /files/disk/far/new",
                ] {
                    let status = ask(&server, &mut client, line, length);
                    assert_eq!(status, 403, "{line} of {length} bytes, known={known}");
                }
            }
            for line in ["DELETE /files/disk/file", "DELETE /files/disk/empty"] {
                assert_eq!(ask(&server, &mut client, line, 0), 403, "{line}, known={known}");
            }
            assert_eq!(client.ask("GET /files/disk/file", "").text(), "kept");
            assert_eq!(client.ask("GET /files/disk/missing", "").status, 404);
            assert_eq!(tree(&point), before);
            assert_eq!(staged(server.directory()), 0);
            assert_eq!(client.ask("PUT /files/beside", "x").status, 201);
            mount.set_read_only(false);
            assert_eq!(client.ask("PUT /files/disk/file", "new").status, 200, "writable again");
        }
    }
}
