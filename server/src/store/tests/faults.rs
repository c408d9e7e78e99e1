//! Each call of the file system goes wrong once, in each way.

use super::faulty::{Fault, Faulty};
use super::*;

type FaultyOperation = fn(&Store<Faulty>) -> String;

/// What is tried on a tree of `file=old` and an empty directory, and the tree that it leads to.
const OPERATIONS: &[(FaultyOperation, &[&str])] = &[
    (|store| open(store, "file"), &["file=old", "empty/"]),
    (|store| upload(store, Mode::Create, "new", "new"), &["file=old", "empty/", "new=new"]),
    (
        |store| upload(store, Mode::Create, "d/e/new", "new"),
        &["file=old", "empty/", "d/", "d/e/", "d/e/new=new"],
    ),
    (|store| streamed(store, Mode::Create, "d/new", ["ne", "w"]), &["file=old", "empty/", "d/", "d/new=new"]),
    (|store| upload(store, Mode::Replace, "file", "new"), &["file=new", "empty/"]),
    (|store| upload(store, Mode::Replace, "empty/new", "new"), &["file=old", "empty/", "empty/new=new"]),
    (|store| streamed(store, Mode::Replace, "file", ["ne", "w"]), &["file=new", "empty/"]),
    (|store| upload(store, Mode::Append, "file", "new"), &["file=oldnew", "empty/"]),
    (|store| upload(store, Mode::Append, "new", "new"), &["file=old", "empty/", "new=new"]),
    (|store| streamed(store, Mode::Append, "file", ["ne", "w"]), &["file=oldnew", "empty/"]),
    (|store| streamed(store, Mode::Append, "d/new", ["ne", "w"]), &["file=old", "empty/", "d/", "d/new=new"]),
    (|store| delete(store, "file"), &["empty/"]),
    (|store| delete(store, "empty"), &["file=old"]),
];
const OLD: &[&str] = &["file=old", "empty/"];
const SUCCESSES: &[&str] = &["Created", "Updated", "Deleted", "old"];

const FAULTS: &[(Fault, &str)] = &[
    (Fault::Error(libc::ENOSPC), "NoSpace"),
    (Fault::Error(libc::EMFILE), "Busy"),
    (Fault::Error(libc::EACCES), "Denied"),
    (Fault::Error(libc::EIO), "InputOutput"),
    (Fault::Short, "no error"),
    (Fault::Interrupted, "no error"),
    (Fault::Nothing, "InputOutput"),
];

/// Goal: after an error the tree is as before, after none as it should be; what is acknowledged is
/// durable, nothing stays staged, no descriptor stays open, and the store goes on. Method: each
/// operation with the first, second, … call going wrong, until it no longer comes to that call.
#[test]
fn each_call_can_fail_and_leaves_old_or_new() {
    let mut tried = 0;
    let mut failed = 0;
    for durability in [Durability::Cache, Durability::Disk] {
        for plain in [false, true] {
            // The first errors differ in their kinds alone.
            for (fault, kind) in &FAULTS[if plain { 3 } else { 0 }..] {
                for (number, operation) in OPERATIONS.iter().enumerate() {
                    for nth in 1.. {
                        let case = format!("operation {number}, {fault:?} at {nth}, {durability:?}, {plain}");
                        let directory = base();
                        let faulty = Faulty::new(directory.path(), *fault, nth).plain(plain);
                        let store = Store::new(faulty, durability);
                        let word = check(&case, &store, directory.path(), operation);
                        tried += 1;
                        if !SUCCESSES.contains(&&word[..]) {
                            failed += 1;
                            assert_eq!(&word, kind, "{case}");
                        }
                        if !store.directory.struck() {
                            break;
                        }
                    }
                }
            }
        }
    }
    println!("store:faults cases={tried} failures={failed}");
    assert!(tried >= 1400 && failed >= 1000, "{tried} cases, {failed} failures");
}

/// One operation on a store whose directory may fail; its word.
fn check(
    case: &str,
    store: &Store<Faulty>,
    base: &Path,
    (operation, new): &(FaultyOperation, &[&str]),
) -> String {
    let word = operation(store);
    let case = format!("{case}: {word}");
    let succeeded = SUCCESSES.contains(&&word[..]);
    let disk = store.durability == Durability::Disk;
    assert!(succeeded || store.directory.struck(), "{case}");

    let mut after = tree(base);
    let staged = |path: &str| path.starts_with(".http_server/") && path.len() > ".http_server/".len();
    let left = after.keys().filter(|path| staged(path)).count();
    assert_eq!(left, store.directory.left_staged(), "{case}: {after:?}");
    let undoing = store.directory.keeps_record();
    assert!(left == 0 || succeeded || word == "Busy" || undoing, "{case}");
    after.retain(|path, _| !staged(path));
    if succeeded {
        assert_eq!(after, expected(new), "{case}");
        assert!(!disk || store.directory.not_durable().is_empty(), "{case}: {:?}", store.directory);
    } else {
        // Where a file that was replaced or removed cannot be had back, it stays gone.
        let unreturnable = store.directory.is_plain() && disk && after == expected(new);
        // A failed request may leave parents that it made.
        after.retain(|path, _| !matches!(&path[..], "d/" | "d/e/"));
        assert!(unreturnable || after == expected(OLD), "{case}: {after:?}");
    }

    // The base directory, twice, and the staging directory.
    assert_eq!(open_descriptors(base), 3, "{case}");
    // No lock is held any more, and nobody builds on what is not durable.
    store.directory.repair();
    // What will be undone at the next start is not built upon, nor what may be.
    let undoing = undoing || store.refuse_unsynced_area().is_err();
    let more = upload(store, Mode::Append, "file", "more");
    assert_eq!(more == "InputOutput", undoing, "{case}: {more}");
    assert_eq!(upload(store, Mode::Create, "d/e/next", "next"), "Created", "{case}");
    for folder in ["", "d", "d/e"] {
        assert!(!disk || store.directory.is_durable(&base.join(folder)), "{case}: {folder:?}");
    }
    word
}

/// What each failing call comes to, a line for each error, operation and durability: the words of the
/// first, second, ... call failing, repeated ones counted.
const WORDS: &str = include_str!("words.txt");

/// Goal: what an error is taken for, and which of them are gone around, changes only on purpose. Method:
/// as above with errors that have a meaning at one call or another, against a list that is kept.
#[test]
fn each_failing_call_comes_to_what_is_written_down() {
    let errors = [
        ("EIO", libc::EIO),
        ("EEXIST", libc::EEXIST),
        ("ENOTDIR", libc::ENOTDIR),
        ("ENOENT", libc::ENOENT),
        ("EXDEV", libc::EXDEV),
        ("EOPNOTSUPP", libc::EOPNOTSUPP),
    ];
    let mut found = String::new();
    for (name, errno) in errors {
        for (number, (operation, _)) in OPERATIONS.iter().enumerate() {
            for durability in [Durability::Cache, Durability::Disk] {
                let words = words(*operation, durability, errno);
                found.push_str(&format!("{name} {number} {durability:?}:{words}\n"));
            }
        }
    }
    let differs: Vec<&str> = found.lines().filter(|line| !WORDS.lines().any(|kept| kept == *line)).collect();
    assert!(found == WORDS, "not in the list:\n{}", differs.join("\n"));
}

fn words(operation: FaultyOperation, durability: Durability, errno: i32) -> String {
    let mut words: Vec<(String, usize)> = Vec::new();
    for nth in 1.. {
        let directory = base();
        let store = Store::new(Faulty::new(directory.path(), Fault::Error(errno), nth), durability);
        let word = operation(&store);
        if !store.directory.struck() {
            break;
        }
        match words.last_mut() {
            Some((last, count)) if *last == word => *count += 1,
            _ => words.push((word, 1)),
        }
    }
    words.iter().map(|(word, count)| format!(" {word}*{count}")).collect()
}

/// Goal: what undoes a failed append may fail as well, and still nobody sees a part of it or builds
/// on it. Method: as above, two calls going wrong.
#[test]
fn each_two_calls_of_an_append_can_fail_and_nobody_sees_it() {
    let mut struck = 0;
    for durability in [Durability::Cache, Durability::Disk] {
        for number in [7, 9] {
            for (later, nth) in (1..8).flat_map(|later| (1..16).map(move |nth| (later, nth))) {
                let directory = base();
                let faulty = Faulty::new(directory.path(), Fault::Twice(libc::EIO, later), nth);
                let store = Store::new(faulty, durability);
                let word = OPERATIONS[number].0(&store);
                let case = format!("operation {number}, at {nth} and {later} later, {durability:?}: {word}");
                struck += usize::from(store.directory.struck());
                store.directory.repair();
                let content = if SUCCESSES.contains(&&word[..]) { "oldnew" } else { "old" };
                assert_eq!(open(&store, "file"), content, "{case}");
                let more = upload(&store, Mode::Append, "file", "more");
                drop(store);
                let store = Store::new(BaseDirectory::open(directory.path()).unwrap(), durability);
                store.recover().unwrap();
                let after = fs::read_to_string(directory.path().join("file")).unwrap();
                match &more[..] {
                    "Updated" => assert_eq!(after, format!("{content}more"), "{case}"),
                    // Where there is not even a record, it may come out whole.
                    "InputOutput" => assert!(after == content || after == "oldnew", "{case}: {after}"),
                    other => panic!("{case}: {other}"),
                }
            }
        }
    }
    println!("store:two_faults struck={struck}");
    assert!(struck > 200, "{struck} cases");
}

/// Goal: a file system that dies harms nothing that was there. Method: as above, all calls failing
/// from one on; then the next start.
#[test]
fn all_calls_failing_leave_whole_files_after_the_next_start() {
    let mut tried = 0;
    for durability in [Durability::Cache, Durability::Disk] {
        for (number, (operation, new)) in OPERATIONS.iter().enumerate() {
            for nth in 1.. {
                let directory = base();
                let fault = Fault::ErrorFromThere(libc::EIO);
                let store = Store::new(Faulty::new(directory.path(), fault, nth), durability);
                let word = operation(&store);
                let struck = store.directory.struck();
                drop(store);
                let store = Store::new(BaseDirectory::open(directory.path()).unwrap(), durability);
                store.recover().unwrap();
                drop(store);
                let case = format!("operation {number}, failing from {nth}, {durability:?}: {word}");
                let mut after = tree(directory.path());
                let succeeded = SUCCESSES.contains(&&word[..]);
                let whole = after == expected(new);
                after.retain(|path, _| !matches!(&path[..], "d/" | "d/e/"));
                let old = after == expected(OLD);
                assert!(if succeeded { whole } else { whole || old }, "{case}: {after:?}");
                tried += 1;
                if !struck {
                    break;
                }
            }
        }
    }
    println!("store:dying cases={tried}");
    assert!(tried > 150, "{tried} cases");
}

#[test]
fn content_is_copied_whole_by_whatever_means_there_are() {
    let content = "0123456789".repeat(70_000);
    let (first, last) = content.split_at(123_456);
    for plain in [false, true] {
        for fault in [Fault::Short, Fault::Interrupted] {
            for nth in 0..8 {
                let directory = base();
                let faulty = Faulty::new(directory.path(), fault, nth).plain(plain);
                let store = Store::new(faulty, Durability::Cache);
                assert_eq!(streamed(&store, Mode::Append, "file", [first, last]), "Updated");
                assert_eq!(
                    fs::read_to_string(directory.path().join("file")).unwrap(),
                    format!("old{content}")
                );
                assert_eq!(
                    store.directory.struck(),
                    nth <= if plain { 8 } else { 3 },
                    "{plain}, {fault:?} at {nth}"
                );
            }
        }
    }
}

#[test]
fn an_event_loop_leaves_to_a_worker_what_takes_more_calls() {
    for errno in [libc::EAGAIN, libc::ENOTDIR] {
        let directory = base();
        let store = Store::new(Faulty::new(directory.path(), Fault::Error(errno), 1), Durability::Cache);
        let outcome =
            store.run_cached(Operation::Open(path("file"), None), &mut Held::Nothing, &mut Names::default());
        assert_eq!(outcome.unwrap_err(), Operation::Open(path("file"), None));
        let outcome =
            store.run_cached(Operation::Open(path("file"), None), &mut Held::Nothing, &mut Names::default());
        assert!(matches!(outcome, Ok(Outcome::Opened(Version { length: 3, .. }))), "{outcome:?}");
    }
}

/// Goal: nobody relies on a sync behind another one that failed, which may have been the one that
/// had the change to put on stable storage. Method: one sync fails between a change and its own.
#[test]
fn a_change_is_not_durable_where_another_sync_failed_meanwhile() {
    let directory = base();
    // open_folder, folder_key, sync_folder.
    let store = Store::new(Faulty::new(directory.path(), Fault::Error(libc::EIO), 3), Durability::Disk);
    let file = path("file");
    let folder = store.open_folder(&file.parent_and_name().unwrap().0).unwrap();
    let begun = store.syncs_failed();
    assert!(store.sync_entries(&folder, store.syncs_failed()).is_err(), "somebody else's");
    assert_eq!(store.sync_entries(&folder, begun).unwrap_err().kind, StoreErrorKind::InputOutput);
    assert!(store.sync_entries(&folder, store.syncs_failed()).is_ok(), "of what was begun since");
}

fn base() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("file"), "old").unwrap();
    fs::create_dir(directory.path().join("empty")).unwrap();
    directory
}

/// Descriptors of this process on something below `base`.
fn open_descriptors(base: &Path) -> usize {
    let descriptors = fs::read_dir("/proc/self/fd").unwrap();
    let targets = descriptors.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
    targets.filter(|target| target.starts_with(base)).count()
}

/// Goal: no more is copied than was asked for. Method: calls that take a part, a file that is longer.
#[test]
fn no_more_is_copied_than_was_asked_for() {
    for plain in [false, true] {
        for nth in 1..6 {
            let directory = base();
            let store =
                Store::new(Faulty::new(directory.path(), Fault::Short, nth).plain(plain), Durability::Cache);
            let (from, _) = store.directory.stage(None).unwrap();
            let (to, _) = store.directory.stage(None).unwrap();
            let content = b"0123456789".repeat(40_000);
            crate::store::content::write_all(&*store.directory, (&from, 0), &content).unwrap();
            crate::store::content::copy_all(&*store.directory, &from, 300_000, (&to, 5)).unwrap();
            assert_eq!(store.directory.version(&to).unwrap().length, 300_005, "{nth}, {plain}");
        }
    }
}

/// Goal: where links are never followed nobody is told where one leads. Method: a directory that
/// does not say, and a store that would ask.
#[test]
fn a_directory_without_links_follows_none() {
    let directory = base();
    std::os::unix::fs::symlink("file", directory.path().join("link")).unwrap();
    let faulty = Faulty::new(directory.path(), Fault::Short, 0);
    let store = Store::new(faulty, Durability::Cache).follow_links(true);
    assert_eq!(open(&store, "link"), "InputOutput");
    assert_eq!(open(&store, "file"), "old");
}

/// Goal: behind a sync of the staged names that failed no append is acknowledged any more, and all
/// else goes on. Method: the first such sync of an append fails, everything after it goes well.
#[test]
fn appends_end_where_staged_names_could_not_be_synced() {
    let failures = (1..20).filter(|nth| {
        let directory = base();
        let store =
            Store::new(Faulty::new(directory.path(), Fault::Error(libc::EIO), *nth), Durability::Disk);
        let failed = upload(&store, Mode::Append, "file", "new") == "InputOutput";
        store.directory.repair();
        let failed = failed && store.directory.staged_sync_failed();
        assert_eq!(store.refuses_appends(), failed, "{nth}");
        if failed {
            assert_eq!(upload(&store, Mode::Create, "other", "x"), "Created", "{nth}");
            assert_eq!(upload(&store, Mode::Append, "other", "y"), "InputOutput", "{nth}");
            assert_eq!(open(&store, "file"), "old", "{nth}");
        }
        failed
    });
    assert_eq!(failures.count(), 2);
}

/// Goal: what is taken back is put on stable storage as well. Method: the sync of each change of
/// names fails once; how often that directory is synced.
#[test]
fn what_is_taken_back_is_synced_again() {
    let mut taken_back = 0;
    for (number, (operation, _)) in OPERATIONS.iter().enumerate() {
        for nth in 1..40 {
            let directory = base();
            let faulty = Faulty::new(directory.path(), Fault::Error(libc::EIO), nth);
            let store = Store::new(faulty, Durability::Disk);
            let word = operation(&store);
            let (failed, synced) = store.directory.folder_syncs();
            if failed == 1 && word == "InputOutput" {
                assert!(synced > 0, "operation {number}, at {nth}");
                taken_back += 1;
            }
        }
    }
    assert!(taken_back >= 8, "{taken_back}");
}
