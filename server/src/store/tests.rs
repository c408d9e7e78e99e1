//! The store on a real directory: how it is asked, and each row of the contract.

mod faults;
mod faulty;
mod kinds;
mod links;
mod listings;
mod pins;
mod recovery;
mod start;
mod threads;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::base_directory::{BaseDirectory, Names};
use super::directory::Found;
use super::listing::{Listing, Order, Place, View};
use super::operation::{Intent, Mode};
use super::path::FilePath;
use super::version::Version;
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
    Intent { path: path(encoded), mode, condition: None }
}

/// The outcome in one word; of a file that was opened, its content.
fn word<D: Directory>(store: &Store<D>, operation: Operation) -> String {
    let mut held = Held::Nothing;
    let outcome = store.run(operation, &mut held);
    match (outcome, held) {
        (Outcome::Opened(version), Held::File(file)) => {
            let mut content = vec![0; usize::try_from(version.length).unwrap()];
            let mut done = 0;
            while done < content.len() {
                match store.read(&file, &mut content[done..], done as u64) {
                    Ok(count) => done += count,
                    Err(error) => return format!("{:?}", StoreError::failed("pread", error).kind),
                }
            }
            String::from_utf8(content).unwrap()
        }
        (Outcome::Directory(_), Held::Nothing) => "IsDirectory".to_owned(),
        (Outcome::Failed(error), Held::Nothing) => format!("{:?}", error.kind),
        (outcome, Held::Nothing) => outcome_word(&outcome),
        (outcome, _) => panic!("{outcome:?}, and something is held"),
    }
}

/// Without the version.
fn outcome_word(outcome: &Outcome) -> String {
    let word = format!("{outcome:?}");
    word.split('(').next().unwrap_or_default().to_owned()
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
            assert!(matches!(held, Held::Nothing), "{error}, and something is held");
            return format!("{:?}", error.kind);
        }
    }
    match store.run(Operation::Publish(last), &mut held) {
        Outcome::Failed(error) => format!("{:?}", error.kind),
        outcome => outcome_word(&outcome),
    }
}

fn open<D: Directory>(store: &Store<D>, encoded: &str) -> String {
    word(store, Operation::Open(path(encoded), None))
}

/// The first page of a directory, by name.
fn list(encoded: &str, entries_max: usize, sorted_max: usize) -> Operation {
    let (order, descending, after) = (Order::Name, false, Place::Beginning);
    Operation::List(path(encoded), Box::new(View { order, descending, after, entries_max, sorted_max }))
}

fn delete<D: Directory>(store: &Store<D>, encoded: &str) -> String {
    word(store, Operation::Delete(path(encoded), None))
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

/// A FIFO or a device.
fn make_node(path: &Path, kind: libc::mode_t, device: libc::dev_t) -> io::Result<()> {
    let path = std::ffi::CString::new(path.as_os_str().as_bytes()).unwrap();
    crate::store::base_directory::make_node(&path, kind | 0o600, device)
}

fn listing(base: &Path) -> Vec<String> {
    let names = fs::read_dir(base).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
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
fn cached_open_gives_back_what_might_wait() {
    let (_directory, store) = store(Durability::Cache);
    assert_eq!(upload(&store, Mode::Create, "a", "x"), "Created");
    let mut held = Held::Nothing;
    let outcome = store.run_cached(Operation::Open(path("a"), None), &mut held, &mut Names::default());
    assert!(matches!((outcome, held), (Ok(Outcome::Opened(Version { length: 1, .. })), Held::File(_))));
    let changing = store.locks.change(b"a");
    let writing = changing.alone();
    let outcome =
        store.run_cached(Operation::Open(path("a"), None), &mut Held::Nothing, &mut Names::default());
    assert_eq!(outcome.unwrap_err(), Operation::Open(path("a"), None));
    drop(writing);
    let outcome =
        store.run_cached(Operation::Delete(path("a"), None), &mut Held::Nothing, &mut Names::default());
    assert_eq!(outcome.unwrap_err(), Operation::Delete(path("a"), None));
}

#[test]
fn cached_open_leaves_an_upload_to_a_worker() {
    let (_directory, store) = store(Durability::Cache);
    let mut held = Held::Nothing;
    assert!(matches!(store.run(Operation::Stage(intent(Mode::Create, "a")), &mut held), Outcome::Staged));
    let outcome = store.run_cached(Operation::Open(path("a"), None), &mut held, &mut Names::default());
    assert_eq!(outcome.unwrap_err(), Operation::Open(path("a"), None));
    assert!(matches!(store.run(Operation::Publish(b"x".to_vec()), &mut held), Outcome::Created(_)));
    assert!(matches!(held, Held::Nothing));
    // A name that the kernel has not seen yet may need the disk.
    let outcome =
        store.run_cached(Operation::Open(path("never-seen"), None), &mut held, &mut Names::default());
    assert_eq!(outcome.unwrap_err(), Operation::Open(path("never-seen"), None));
    assert_eq!(open(&store, "never-seen"), "NotFound");
}

#[test]
fn cached_reads_give_what_is_in_memory() {
    let (_directory, store) = store(Durability::Cache);
    assert_eq!(upload(&store, Mode::Create, "a", "0123456789"), "Created");
    let mut held = Held::Nothing;
    store.run_cached(Operation::Open(path("a"), None), &mut held, &mut Names::default()).unwrap();
    let Held::File(file) = held else { panic!("{held:?}") };
    let mut buffer = [0; 4];
    match store.read_cached(&file, &mut buffer, 3) {
        Ok(count) => assert_eq!((count, &buffer), (4, b"3456")),
        // preadv2(2): some file systems cannot tell.
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
    }
    assert_eq!(store.read(&file, &mut buffer, 8).unwrap(), 2);
    assert_eq!(&buffer[..2], b"89");
    assert_eq!(store.read(&file, &mut buffer, 10).unwrap(), 0);
}

#[test]
fn append_costs_what_is_appended() {
    const LENGTH: u64 = 1 << 40;
    let (directory, store) = store(Durability::Cache);
    let sparse = fs::File::create(directory.path().join("sparse")).unwrap();
    sparse.set_len(LENGTH).unwrap();
    assert_eq!(upload(&store, Mode::Append, "sparse", "one"), "Updated");
    assert_eq!(streamed(&store, Mode::Append, "sparse", ["t", "wo"]), "Updated");
    let mut held = Held::Nothing;
    let outcome = store.run(Operation::Open(path("sparse"), None), &mut held);
    assert!(matches!(outcome, Outcome::Opened(version) if version.length == LENGTH + 6), "{outcome:?}");
    let Held::File(file) = held else { panic!("{held:?}") };
    let mut end = [0; 8];
    assert_eq!(store.read(&file, &mut end, LENGTH - 2).unwrap(), 8);
    assert_eq!(&end, b"\0\0onetwo");
}

#[test]
fn published_files_have_ordinary_permissions() {
    use std::os::unix::fs::PermissionsExt;
    let (directory, store) = store(Durability::Cache);
    fs::write(directory.path().join("plain"), "").unwrap();
    assert_eq!(upload(&store, Mode::Create, "a", "x"), "Created");
    let mode = |name| fs::metadata(directory.path().join(name)).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode("a"), mode("plain"));
    assert_eq!(mode(".http_server"), 0o700);
}

#[test]
fn errors_have_their_kinds() {
    for (errno, kind) in [
        (libc::ENOENT, StoreErrorKind::NotFound),
        (libc::ENOTDIR, StoreErrorKind::ParentIsFile),
        (libc::EISDIR, StoreErrorKind::IsDirectory),
        (libc::ENOTEMPTY, StoreErrorKind::DirectoryNotEmpty),
        (libc::ELOOP, StoreErrorKind::NotRegular),
        (libc::EACCES, StoreErrorKind::Denied),
        (libc::EPERM, StoreErrorKind::Denied),
        (libc::EROFS, StoreErrorKind::Denied),
        (libc::EXDEV, StoreErrorKind::Denied),
        (libc::ENAMETOOLONG, StoreErrorKind::NameTooLong),
        (libc::ENOSPC, StoreErrorKind::NoSpace),
        (libc::EDQUOT, StoreErrorKind::NoSpace),
        (libc::EFBIG, StoreErrorKind::FileTooLarge),
        (libc::EMFILE, StoreErrorKind::Busy),
        (libc::ENFILE, StoreErrorKind::Busy),
        (libc::ENOMEM, StoreErrorKind::Busy),
        (libc::EIO, StoreErrorKind::InputOutput),
        (libc::EINVAL, StoreErrorKind::InputOutput),
    ] {
        let error = StoreError::failed("openat2", io::Error::from_raw_os_error(errno));
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.to_string().contains("openat2"), "{error}");
    }
}
