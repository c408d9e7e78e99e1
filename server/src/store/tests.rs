//! The store on a real directory: each row of the contract, each kind of thing, many threads at
//! once, and each call going wrong.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::AtomicUsize;
use std::thread;

use super::base_directory::BaseDirectory;
use super::faults::{Fault, Faulty};
use super::operation::{Intent, Mode};
use super::*;

type RealStore = Store<BaseDirectory>;

fn store(durability: Durability) -> (tempfile::TempDir, RealStore) {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::new(BaseDirectory::open(directory.path()).unwrap(), durability);
    (directory, store)
}

fn path(encoded: &str) -> FilePath {
    FilePath::parse(encoded.as_bytes()).unwrap()
}

fn intent(mode: Mode, encoded: &str) -> Intent {
    Intent { path: path(encoded), mode }
}

/// The outcome in one word; of a file that was opened, its content.
fn word<D: Directory>(store: &Store<D>, operation: Operation) -> String {
    let mut held = Held::Nothing;
    let outcome = store.run(operation, &mut held);
    match (outcome, held) {
        (Outcome::Opened { length }, Held::File(file)) => {
            let mut content = vec![0; usize::try_from(length).unwrap()];
            assert_eq!(store.read(&file, &mut content, 0).unwrap() as u64, length);
            String::from_utf8(content).unwrap()
        }
        (Outcome::Failed(error), Held::Nothing) => format!("{:?}", error.kind),
        (outcome, Held::Nothing) => format!("{outcome:?}"),
        (outcome, _) => panic!("{outcome:?}, and something is held"),
    }
}

fn upload<D: Directory>(store: &Store<D>, mode: Mode, encoded: &str, content: &str) -> String {
    word(store, Operation::Store(intent(mode, encoded), content.into()))
}

/// The same in parts.
fn streamed<D: Directory>(store: &Store<D>, mode: Mode, encoded: &str, parts: [&str; 2]) -> String {
    let mut held = Held::Nothing;
    let [first, last] = parts.map(|part| part.as_bytes().to_vec());
    for operation in [Operation::Stage(intent(mode, encoded)), Operation::Write(first)] {
        if let Outcome::Failed(error) = store.run(operation, &mut held) {
            return format!("{:?}", error.kind);
        }
    }
    match store.run(Operation::Publish(last), &mut held) {
        Outcome::Failed(error) => format!("{:?}", error.kind),
        outcome => format!("{outcome:?}"),
    }
}

fn open<D: Directory>(store: &Store<D>, encoded: &str) -> String {
    word(store, Operation::Open(path(encoded)))
}

fn delete<D: Directory>(store: &Store<D>, encoded: &str) -> String {
    word(store, Operation::Delete(path(encoded)))
}

/// Every file and directory with its content, the server's own directory included.
fn tree(base: &Path) -> BTreeMap<String, String> {
    let mut tree = BTreeMap::new();
    for entry in fs::read_dir(base).unwrap().map(Result::unwrap) {
        let name = String::from_utf8(entry.file_name().as_bytes().to_vec()).unwrap();
        if entry.file_type().unwrap().is_dir() {
            let inner = self::tree(&entry.path());
            tree.extend(inner.into_iter().map(|(path, content)| (format!("{name}/{path}"), content)));
            tree.insert(format!("{name}/"), String::new());
        } else {
            tree.insert(name, fs::read_to_string(entry.path()).unwrap());
        }
    }
    tree
}

/// The tree of a base directory with these files, `path=content`.
fn expected(files: &[&str]) -> BTreeMap<String, String> {
    let own = [(".http_server/".to_owned(), String::new())];
    let files = files.iter().map(|file| file.split_once('=').unwrap_or((file, "")));
    own.into_iter().chain(files.map(|(path, content)| (path.to_owned(), content.to_owned()))).collect()
}

#[test]
fn each_row_of_the_contract_holds() {
    for durability in [Durability::Cache, Durability::Disk] {
        let (directory, store) = store(durability);
        assert_eq!(open(&store, "a"), "NotFound");
        assert_eq!(delete(&store, "a"), "NotFound");
        assert_eq!(upload(&store, Mode::Create, "a", "one"), "Created");
        assert_eq!(open(&store, "a"), "one");
        assert_eq!(upload(&store, Mode::Create, "a", "two"), "FileExists");
        assert_eq!(upload(&store, Mode::Replace, "a", "two"), "Updated");
        assert_eq!(upload(&store, Mode::Append, "a", " three"), "Updated");
        assert_eq!(streamed(&store, Mode::Append, "a", [" four", " five"]), "Updated");
        assert_eq!(open(&store, "a"), "two three four five");
        assert_eq!(upload(&store, Mode::Replace, "d/e/b", "b"), "Created");
        assert_eq!(streamed(&store, Mode::Append, "d/f/c", ["c", "c"]), "Created");
        assert_eq!(streamed(&store, Mode::Create, "d/f/c", ["c", "c"]), "FileExists");
        assert_eq!(streamed(&store, Mode::Replace, "d/f/c", ["d", "d"]), "Updated");
        assert_eq!(
            tree(directory.path()),
            expected(&["a=two three four five", "d/", "d/e/", "d/e/b=b", "d/f/", "d/f/c=dd"])
        );
        for mode in [Mode::Create, Mode::Replace, Mode::Append] {
            assert_eq!(upload(&store, mode, "d", "x"), "IsDirectory");
            assert_eq!(upload(&store, mode, "x/", "x"), "IsDirectory");
            assert_eq!(upload(&store, mode, "", "x"), "IsDirectory");
            assert_eq!(upload(&store, mode, "a/b", "x"), "ParentIsFile");
            assert_eq!(upload(&store, mode, "a/b/c", "x"), "ParentIsFile");
        }
        for (encoded, expected) in [
            ("d", "IsDirectory"),
            ("d/", "IsDirectory"),
            ("", "IsDirectory"),
            ("a/", "NotFound"),
            ("a/b", "ParentIsFile"),
        ] {
            assert_eq!(open(&store, encoded), expected, "{encoded:?}");
        }
        for (encoded, expected) in [
            ("d", "DirectoryNotEmpty"),
            ("", "IsBaseDirectory"),
            ("a/", "NotFound"),
            ("a/b", "ParentIsFile"),
            ("x/y", "NotFound"),
            ("d/e/b", "Deleted"),
            ("d/e", "Deleted"),
            ("d/f/c", "Deleted"),
            ("d/f/", "Deleted"),
            ("a", "Deleted"),
        ] {
            assert_eq!(delete(&store, encoded), expected, "{encoded:?}");
        }
        assert_eq!(tree(directory.path()), expected(&["d/"]));
    }
}

#[test]
fn only_files_and_directories_exist() {
    let (directory, store) = store(Durability::Cache);
    let base = directory.path();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "secret").unwrap();
    fs::write(base.join("file"), "file").unwrap();
    std::os::unix::fs::symlink(outside.path(), base.join("out")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("secret"), base.join("absolute")).unwrap();
    std::os::unix::fs::symlink("file", base.join("inside")).unwrap();
    std::os::unix::fs::symlink("nowhere", base.join("dangling")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(base.join("socket")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(base.join("fifo")).status().unwrap().success());
    let before = listing(base);
    for name in
        ["out", "absolute", "inside", "dangling", "socket", "fifo", "out/secret", "out/new", "inside/x"]
    {
        let below = name.contains('/');
        assert_eq!(open(&store, name), "NotRegular", "{name}");
        for mode in [Mode::Create, Mode::Replace, Mode::Append] {
            assert_eq!(upload(&store, mode, name, "x"), "NotRegular", "{name}");
            assert_eq!(streamed(&store, mode, name, ["x", "y"]), "NotRegular", "{name}");
        }
        assert_eq!(delete(&store, name), "NotRegular", "{name}");
        assert!(below || fs::symlink_metadata(base.join(name)).is_ok(), "{name} is still there");
    }
    assert_eq!(listing(base), before);
    assert_eq!(listing(outside.path()), ["secret"]);
    assert_eq!(fs::read_to_string(outside.path().join("secret")).unwrap(), "secret");
}

fn listing(base: &Path) -> Vec<String> {
    let names = fs::read_dir(base).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[test]
fn fifo_is_never_opened() {
    use std::os::unix::fs::OpenOptionsExt;
    let (directory, store) = store(Durability::Cache);
    let fifo = directory.path().join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    assert_eq!(open(&store, "fifo"), "NotRegular");
    // fifo(7): opening for writing without waiting fails as long as nobody has it open to read.
    let writer = fs::OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(&fifo);
    assert_eq!(writer.unwrap_err().raw_os_error(), Some(libc::ENXIO));
}

#[test]
fn upload_that_is_dropped_leaves_nothing() {
    let (directory, store) = store(Durability::Cache);
    let mut held = Held::Nothing;
    assert!(matches!(store.run(Operation::Stage(intent(Mode::Create, "a/b")), &mut held), Outcome::Staged));
    assert!(
        matches!(store.run(Operation::Write(b"x".to_vec()), &mut held), Outcome::Written(buffer) if buffer.is_empty())
    );
    assert_eq!(listing(&directory.path().join(".http_server")).len(), 1);
    store.discard(held);
    assert_eq!(tree(directory.path()), expected(&[]));
}

#[test]
fn operations_that_fit_nothing_held_are_refused() {
    let (_directory, store) = store(Durability::Cache);
    assert_eq!(word(&store, Operation::Write(b"x".to_vec())), "Broken");
    assert_eq!(word(&store, Operation::Publish(b"x".to_vec())), "Broken");
}

#[test]
fn leftovers_are_swept_and_a_second_server_is_refused() {
    let (directory, store) = store(Durability::Cache);
    let error = BaseDirectory::open(directory.path()).unwrap_err().to_string();
    assert!(error.contains("another http_server"), "{error}");
    drop(store);
    fs::write(directory.path().join(".http_server/17"), "half a file").unwrap();
    let store = Store::new(BaseDirectory::open(directory.path()).unwrap(), Durability::Cache);
    assert_eq!(tree(directory.path()), expected(&[]));
    assert_eq!(upload(&store, Mode::Create, "a", "x"), "Created");
}

#[test]
fn directories_that_cannot_be_served_are_refused_in_one_line() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    for path in [file.clone(), file.join("below")] {
        let error = BaseDirectory::open(&path).unwrap_err().to_string();
        assert!(error.contains("file") && !error.contains('\n'), "{error}");
    }
    BaseDirectory::open(&directory.path().join("made/when/missing")).unwrap();
}

#[test]
fn cached_open_gives_back_what_might_wait() {
    let (_directory, store) = store(Durability::Cache);
    assert_eq!(upload(&store, Mode::Create, "a", "x"), "Created");
    let mut held = Held::Nothing;
    let outcome = store.run_cached(Operation::Open(path("a")), &mut held);
    assert!(matches!((outcome, held), (Ok(Outcome::Opened { length: 1 }), Held::File(_))));
    let writing = store.locks.write(b"a");
    let outcome = store.run_cached(Operation::Open(path("a")), &mut Held::Nothing);
    assert_eq!(outcome.unwrap_err(), Operation::Open(path("a")));
    drop(writing);
    let outcome = store.run_cached(Operation::Delete(path("a")), &mut Held::Nothing);
    assert_eq!(outcome.unwrap_err(), Operation::Delete(path("a")));
}

#[test]
fn concurrent_creations_have_one_winner_and_appends_are_whole() {
    let (_directory, store) = store(Durability::Cache);
    const THREADS: usize = 8;
    const ROUNDS: usize = 40;
    for round in 0..ROUNDS {
        let name = format!("d{round}/file");
        let outcomes: Vec<String> = thread::scope(|scope| {
            let create = |thread| {
                let (store, name) = (&store, &name);
                scope.spawn(move || upload(store, Mode::Create, name, &format!("{thread}")))
            };
            (0..THREADS)
                .map(create)
                .collect::<Vec<_>>()
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        assert_eq!(outcomes.iter().filter(|outcome| *outcome == "Created").count(), 1, "{outcomes:?}");
        assert_eq!(outcomes.iter().filter(|outcome| *outcome == "FileExists").count(), THREADS - 1);
    }
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let store = &store;
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let line = format!("{thread} {round} {}\n", "x".repeat(1000));
                    let (first, last) = line.split_at(round * 10);
                    let outcome = match round % 2 {
                        0 => upload(store, Mode::Append, "log", &line),
                        _ => streamed(store, Mode::Append, "log", [first, last]),
                    };
                    assert!(matches!(&outcome[..], "Created" | "Updated"), "{outcome}");
                }
            });
        }
    });
    let content = open(&store, "log");
    let mut lines: Vec<&str> = content.lines().collect();
    assert!(lines.iter().all(|line| line.ends_with(&"x".repeat(1000))));
    lines.sort_unstable();
    lines.dedup();
    assert_eq!(lines.len(), THREADS * ROUNDS);
}

#[test]
fn readers_see_whole_versions_while_writers_replace() {
    let (_directory, store) = store(Durability::Cache);
    let version = |number: usize| format!("{number:08}").repeat(5000);
    assert_eq!(upload(&store, Mode::Create, "a", &version(0)), "Created");
    thread::scope(|scope| {
        let (store, version) = (&store, &version);
        scope.spawn(move || {
            for number in 1..200 {
                assert_eq!(upload(store, Mode::Replace, "a", &version(number)), "Updated");
            }
        });
        for _ in 0..2 {
            scope.spawn(move || {
                for _ in 0..200 {
                    let content = open(store, "a");
                    assert_eq!(content, version(content[..8].parse().unwrap()));
                }
            });
        }
    });
}

#[test]
fn removal_of_a_directory_loses_nothing_that_was_acknowledged() {
    let (_directory, store) = store(Durability::Cache);
    thread::scope(|scope| {
        let store = &store;
        let remover = scope.spawn(move || (0..2000).filter(|_| delete(store, "d") == "Deleted").count());
        for number in 0..200 {
            assert_eq!(upload(store, Mode::Create, "d/a", &format!("{number}")), "Created");
            assert_eq!(open(store, "d/a"), format!("{number}"));
            assert_eq!(delete(store, "d/a"), "Deleted");
            thread::yield_now();
        }
        remover.join().unwrap();
    });
}

/// Goal: after an error the file is as before, and nothing is left behind. Method: each operation
/// with the first, second, … call going wrong in each way, until it no longer comes to that call.
#[test]
fn each_call_can_fail_and_leaves_old_or_new() {
    let mut tried = 0;
    let mut failed = 0;
    let faults = [libc::EIO, libc::ENOSPC, libc::EINTR, libc::EMFILE, libc::EACCES].map(Fault::Error);
    for durability in [Durability::Cache, Durability::Disk] {
        for fault in faults.into_iter().chain([Fault::Short]) {
            for (number, (operation, new)) in OPERATIONS.iter().enumerate() {
                for nth in 1.. {
                    let directory = tempfile::tempdir().unwrap();
                    fs::write(directory.path().join("file"), "old").unwrap();
                    let inner = BaseDirectory::open(directory.path()).unwrap();
                    let store =
                        Store::new(Faulty { inner, calls_left: AtomicUsize::new(nth), fault }, durability);
                    let word = operation(&store);
                    let struck = store.directory.calls_left.load(std::sync::atomic::Ordering::SeqCst) == 0;
                    let case = format!("operation {number}, {fault:?} at call {nth}, {durability:?}: {word}");
                    let mut after = tree(directory.path());
                    if matches!(&word[..], "Created" | "Updated" | "Deleted") {
                        // What could not be unstaged is swept at the next start.
                        let staged = |path: &str| path.starts_with(".http_server/") && path.len() > 13;
                        let left = after.keys().filter(|path| staged(path)).count();
                        assert!(left <= usize::from(struck), "{case}: {after:?}");
                        after.retain(|path, _| !staged(path));
                        after.retain(|path, _| !path.ends_with('/') || path.starts_with('.'));
                        assert_eq!(after, expected(new), "{case}");
                    } else {
                        failed += 1;
                        assert!(struck, "{case}");
                        // A failed request may leave parents that it made.
                        after.retain(|path, _| !matches!(&path[..], "d/" | "d/e/"));
                        // A name that is gone stays gone, though its going may not be durable.
                        let gone = new.is_empty() && after == expected(new);
                        assert!(gone || after == expected(&["file=old"]), "{case}: {after:?}");
                    }
                    tried += 1;
                    if !struck {
                        break;
                    }
                }
            }
        }
    }
    println!("store faults: cases={tried} failures={failed}");
    assert!(tried > 300 && failed > 150, "{tried} cases, {failed} failures");
}

type FaultyOperation = fn(&Store<Faulty>) -> String;

/// What is tried on a tree with `file=old`, and the files that it leads to.
const OPERATIONS: &[(FaultyOperation, &[&str])] = &[
    (|store| upload(store, Mode::Create, "new", "new"), &["file=old", "new=new"]),
    (|store| upload(store, Mode::Create, "d/e/new", "new"), &["file=old", "d/e/new=new"]),
    (|store| upload(store, Mode::Replace, "file", "new"), &["file=new"]),
    (|store| upload(store, Mode::Append, "file", "new"), &["file=oldnew"]),
    (|store| upload(store, Mode::Append, "new", "new"), &["file=old", "new=new"]),
    (|store| streamed(store, Mode::Replace, "file", ["ne", "w"]), &["file=new"]),
    (|store| streamed(store, Mode::Append, "file", ["ne", "w"]), &["file=oldnew"]),
    (|store| delete(store, "file"), &[]),
];
