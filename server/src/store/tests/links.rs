//! Reads that follow symbolic links, where that is allowed: within the tree, and no others.

use std::os::unix::fs::symlink;

use super::*;

fn following() -> (tempfile::TempDir, RealStore) {
    let (directory, store) = store(Durability::Cache);
    (directory, store.follow_links(true))
}

#[test]
fn links_that_stay_inside_are_followed_by_reads_alone() {
    let (directory, store) = following();
    let base = directory.path();
    assert_eq!(upload(&store, Mode::Create, "d/e/file", "content"), "Created");
    symlink("d/e/file", base.join("to-file")).unwrap();
    symlink("d", base.join("to-folder")).unwrap();
    symlink("../../to-folder/e", base.join("d/e/around")).unwrap();
    symlink("to-file", base.join("chain")).unwrap();
    for name in ["to-file", "to-folder/e/file", "d/e/around/file", "chain", "d/e/around/around/file"] {
        assert_eq!(open(&store, name), "content", "{name}");
        for mode in [Mode::Create, Mode::Replace, Mode::Append] {
            assert_eq!(upload(&store, mode, name, "x"), "NotRegular", "{name}");
        }
        assert_eq!(delete(&store, name), "NotRegular", "{name}");
        assert_eq!(open(&store, &format!("{name}/")), "NotFound", "{name}");
    }
    symlink(".", base.join("to-base")).unwrap();
    assert_eq!(open(&store, "to-base"), "IsDirectory");
    assert_eq!(open(&store, "to-base/d/e/file"), "content");
    assert_eq!(open(&store, "to-folder"), "IsDirectory");
    assert_eq!(open(&store, "to-folder/e/missing"), "NotFound");
    assert_eq!(open(&store, "d/e/file"), "content");
}

#[test]
fn links_that_lead_elsewhere_are_not_followed() {
    let (directory, store) = following();
    let base = directory.path();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "secret").unwrap();
    symlink(outside.path().join("secret"), base.join("absolute")).unwrap();
    symlink(outside.path(), base.join("folder")).unwrap();
    // Absolute, though it leads back.
    fs::write(base.join("file"), "content").unwrap();
    symlink(base.join("file"), base.join("back")).unwrap();
    symlink(format!("../{}/secret", outside.path().file_name().unwrap().to_str().unwrap()), base.join("up"))
        .unwrap();
    symlink("nowhere", base.join("dangling")).unwrap();
    symlink("loop", base.join("loop")).unwrap();
    // proc(5): a link that leads wherever the process has its root.
    symlink(Path::new("/proc/self/root").join("etc/passwd"), base.join("magic")).unwrap();
    make_node(&base.join("fifo"), libc::S_IFIFO, 0).unwrap();
    symlink("fifo", base.join("to-fifo")).unwrap();
    for (name, expected) in [
        ("absolute", "Denied"),
        ("folder/secret", "Denied"),
        ("back", "Denied"),
        ("up", "Denied"),
        ("magic", "Denied"),
        ("dangling", "NotFound"),
        ("dangling/x", "NotFound"),
        ("loop", "NotRegular"),
        ("to-fifo", "NotRegular"),
        ("to-fifo/x", "ParentIsFile"),
    ] {
        assert_eq!(open(&store, name), expected, "{name}");
    }
}

#[test]
fn what_the_server_keeps_for_itself_is_not_reached_by_links() {
    let (directory, store) = following();
    let base = directory.path();
    fs::write(base.join(".http_server/17"), "staged").unwrap();
    symlink(".http_server", base.join("own")).unwrap();
    symlink(".http_server/17", base.join("staged")).unwrap();
    for name in ["own/17", "own", "staged"] {
        assert_eq!(open(&store, name), "Denied", "{name}");
    }
}

// Goal: a reader by a link waits for a writer as any other, so it sees no part of an append.
#[test]
fn links_are_no_way_around_the_lock_of_their_target() {
    let (directory, store) = following();
    assert_eq!(upload(&store, Mode::Create, "file", "content"), "Created");
    symlink("file", directory.path().join("link")).unwrap();
    let changing = store.locks.change(b"file");
    let writing = changing.alone();
    let condition = None;
    let outcome =
        store.run_cached(Operation::Open(path("link"), condition), &mut Held::Nothing, &mut Names::default());
    assert_eq!(outcome.unwrap_err(), Operation::Open(path("link"), None));
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| open(&store, "link"));
        std::thread::sleep(std::time::Duration::from_millis(50));
        assert!(!reader.is_finished(), "the reader waits");
        drop(writing);
        assert_eq!(reader.join().unwrap(), "content");
    });
}

// Goal: a reader by a link sees its target, however that is replaced meanwhile, and never another file.
// Method: the file that has the name that the kernel gives to one that was deleted.
#[test]
fn links_lead_to_their_target_while_it_is_replaced() {
    let (directory, store) = following();
    assert_eq!(upload(&store, Mode::Create, "t", "good"), "Created");
    assert_eq!(upload(&store, Mode::Create, "t%20(deleted)", "evil"), "Created");
    symlink("t", directory.path().join("link")).unwrap();
    let over = std::sync::atomic::AtomicBool::new(false);
    let words = std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..4000 {
                if round % 4 == 0 {
                    assert_eq!(delete(&store, "t"), "Deleted");
                }
                upload(&store, Mode::Replace, "t", "good");
            }
            over.store(true, std::sync::atomic::Ordering::SeqCst);
        });
        let mut words = BTreeMap::new();
        while !over.load(std::sync::atomic::Ordering::SeqCst) {
            *words.entry(open(&store, "link")).or_insert(0) += 1;
        }
        words
    });
    println!("store:links {words:?}");
    assert!(words.keys().all(|word| ["good", "NotFound", "Busy"].contains(&&**word)), "{words:?}");
    assert!(words["good"] > 100, "{words:?}");
}
