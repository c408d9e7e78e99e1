//! What a server left that died: undone at the next start, and only that.

use std::ffi::CStr;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use super::faulty::{Fault, Faulty};
use super::*;

fn restart(base: &Path, durability: Durability) -> RealStore {
    let store = Store::new(BaseDirectory::open(base).unwrap(), durability);
    store.recover().unwrap();
    store
}

fn version_of(store: &RealStore, encoded: &str) -> Version {
    let mut held = Held::Nothing;
    match store.run(Operation::Open(path(encoded), None), &mut held) {
        Outcome::Opened(version) => version,
        outcome => panic!("{outcome:?}"),
    }
}

/// Begins an append to `a` as the store does, and dies before its end.
fn die_while_appending(store: RealStore, content: &[u8]) {
    let folder = store.directory.open_folder(c"").unwrap();
    let Ok(Found::File(file, before)) = store.directory.open_for_append(&folder, c"a") else { panic!() };
    store.directory.record_undo(c"", &file, before).unwrap();
    store.directory.write(&file, content, before.length).unwrap();
}

#[test]
fn unfinished_append_is_undone_with_the_version() {
    for durability in [Durability::Cache, Durability::Disk] {
        let (directory, store) = store(durability);
        assert_eq!(upload(&store, Mode::Create, "a", "old"), "Created");
        assert_eq!(upload(&store, Mode::Append, "a", "er"), "Updated");
        let before = version_of(&store, "a");
        die_while_appending(store, b"half of");
        assert_eq!(fs::read(directory.path().join("a")).unwrap(), b"olderhalf of");
        let store = restart(directory.path(), durability);
        assert_eq!(tree(directory.path()), expected(&["a=older"]));
        assert_eq!(version_of(&store, "a"), before);
        assert_eq!(upload(&store, Mode::Append, "a", "new"), "Updated");
        drop(store);
        let _store = restart(directory.path(), durability);
        assert_eq!(tree(directory.path()), expected(&["a=oldernew"]));
    }
}

#[test]
fn record_follows_its_file_and_not_its_name() {
    let (directory, store) = store(Durability::Cache);
    assert_eq!(upload(&store, Mode::Create, "a", "old"), "Created");
    die_while_appending(store, b"half of");
    // Another program puts a file in its place before the next start.
    fs::write(directory.path().join("b"), "a file of somebody else's").unwrap();
    fs::rename(directory.path().join("b"), directory.path().join("a")).unwrap();
    let _store = restart(directory.path(), Durability::Cache);
    assert_eq!(tree(directory.path()), expected(&["a=a file of somebody else's"]));
}

#[test]
fn file_that_was_cut_since_is_not_made_longer() {
    let (directory, store) = store(Durability::Cache);
    assert_eq!(upload(&store, Mode::Create, "a", "old"), "Created");
    die_while_appending(store, b"half of");
    fs::write(directory.path().join("a"), "x").unwrap();
    let _store = restart(directory.path(), Durability::Cache);
    assert_eq!(tree(directory.path()), expected(&["a=x"]));
}

#[test]
fn several_records_of_a_file_undo_all() {
    let (directory, store) = store(Durability::Disk);
    assert_eq!(upload(&store, Mode::Create, "a", "old"), "Created");
    let folder = store.directory.open_folder(c"").unwrap();
    let mut lengths = Vec::new();
    for part in ["one", "two"] {
        // With a record it has two names.
        let (Ok(Found::File(file, before)) | Ok(Found::Shared(file, before))) =
            store.directory.open_for_append(&folder, c"a")
        else {
            panic!()
        };
        store.directory.record_undo(c"", &file, before).unwrap();
        store.directory.write(&file, part.as_bytes(), before.length).unwrap();
        lengths.push(before.length);
    }
    assert_eq!(lengths, [3, 6]);
    drop(store);
    let _store = restart(directory.path(), Durability::Disk);
    assert_eq!(tree(directory.path()), expected(&["a=old"]));
}

#[test]
fn time_of_a_recovery_goes_by_what_was_left() {
    let (directory, store) = store(Durability::Cache);
    // A tree that a walk would have to read.
    for name in ["d/a", "d/e/b", "c"] {
        assert_eq!(upload(&store, Mode::Create, name, "x"), "Created");
    }
    drop(store);
    let closed = directory.path().join("d");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
    for number in 0..50 {
        fs::write(directory.path().join(format!(".http_server/{number}")), "left").unwrap();
    }
    let _store = restart(directory.path(), Durability::Cache);
    assert_eq!(listing(&directory.path().join(".http_server")), [""; 0]);
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn clock_that_was_set_back_repeats_no_version() {
    let (directory, store) = store(Durability::Cache);
    assert_eq!(upload(&store, Mode::Create, "a", "x"), "Created");
    drop(store);
    // As if the clock had been an hour ahead when something was staged last.
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(3600);
    fs::File::open(directory.path().join(".http_server")).unwrap().set_modified(later).unwrap();
    let store = restart(directory.path(), Durability::Cache);
    assert_eq!(upload(&store, Mode::Replace, "a", "y"), "Updated");
    let later = later.duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    assert!(i128::from(version_of(&store, "a").modified) > i128::try_from(later).unwrap());
}

// Goal: no two versions of a path are equal, of one size and within one tick of any clock. Method:
// every way in which a version comes to be, again and again, each compared with all before it.
#[test]
fn no_two_versions_are_equal() {
    let (_directory, store) = store(Durability::Cache);
    let mut seen = std::collections::HashSet::new();
    for round in 0..300 {
        let mode = if round % 3 == 0 { Mode::Create } else { Mode::Replace };
        assert_ne!(upload(&store, mode, "a", "x"), "FileExists");
        assert!(seen.insert(version_of(&store, "a")), "round {round}");
        assert_eq!(upload(&store, Mode::Append, "a", "y"), "Updated");
        assert!(seen.insert(version_of(&store, "a")), "round {round}");
        let unchanged = version_of(&store, "a");
        assert_eq!(upload(&store, Mode::Append, "a", ""), "Updated");
        assert_eq!(upload(&store, Mode::Create, "a", "z"), "FileExists");
        assert_eq!(version_of(&store, "a"), unchanged);
        if round % 3 == 2 {
            assert_eq!(delete(&store, "a"), "Deleted");
        }
    }
}

/// A leftover of each kind on its own, and what the kernel calls it.
#[test]
fn leftovers_are_known_by_their_names() {
    let (directory, store) = store(Durability::Cache);
    assert_eq!(upload(&store, Mode::Create, "a", "old"), "Created");
    let folder = store.directory.open_folder(c"").unwrap();
    let Ok(Found::File(file, before)) = store.directory.open_for_append(&folder, c"a") else { panic!() };
    let record = store.directory.record_undo(c"", &file, before).unwrap();
    let (_, staged) = store.directory.stage(None::<&CStr>).unwrap();
    let mut leftovers = store.directory.leftovers().unwrap();
    leftovers.sort();
    assert_eq!(leftovers, [record, staged]);
    assert_eq!(record.undo, Some((3, before.modified)));
    let names = listing(&directory.path().join(".http_server"));
    assert!(names.iter().any(|name| name.starts_with("undo-")), "{names:?}");
}

/// Goal: what could not be undone is not served. Method: each call of a recovery fails once.
#[test]
fn a_recovery_that_fails_says_so_and_the_next_one_goes_on() {
    let mut failed = 0;
    for nth in 1.. {
        let (directory, store) = store(Durability::Disk);
        assert_eq!(upload(&store, Mode::Create, "a", "old"), "Created");
        let before = version_of(&store, "a");
        die_while_appending(store, b"half of");
        fs::write(directory.path().join(".http_server/77"), "left").unwrap();
        let faulty = Faulty::new(directory.path(), Fault::Error(libc::EIO), nth);
        let store = Store::new(faulty, Durability::Disk);
        let result = store.recover();
        if !store.directory.struck() {
            break;
        }
        failed += usize::from(result.is_err());
        drop(store);
        // Only that something of its own is left need not stop it.
        assert!(result.is_err() || fs::read_to_string(directory.path().join("a")).unwrap() == "old");
        let inode_and_time = |version: Version| (version.inode, version.modified);
        let metadata = fs::metadata(directory.path().join("a")).unwrap();
        let time = metadata.mtime() * 1_000_000_000 + metadata.mtime_nsec();
        assert!(result.is_err() || inode_and_time(before) == (metadata.ino(), time), "call {nth}");
        let store = restart(directory.path(), Durability::Disk);
        assert_eq!(tree(directory.path()), expected(&["a=old"]), "call {nth}");
        assert_eq!(version_of(&store, "a"), before, "call {nth}");
    }
    assert!(failed >= 8, "{failed}");
}
