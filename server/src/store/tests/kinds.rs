//! What is neither a file nor a directory does not exist for a client.

use std::os::unix::fs::{MetadataExt, PermissionsExt};

use super::*;
use crate::store::base_directory::identity::{NOBODY, become_nobody};

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
    make_node(&base.join("fifo"), libc::S_IFIFO, 0).unwrap();
    // mknod(2) may be refused to root, too.
    let device = make_node(&base.join("null"), libc::S_IFCHR, libc::makedev(1, 3)).is_ok();
    println!("store:kinds device={device}");
    let before = listing(base);
    let names = ["out", "absolute", "inside", "dangling", "socket", "fifo"];
    let below = ["out/secret", "out/new", "out/new/x", "inside/x", "dangling/x", "socket/x", "fifo/x/y"];
    for name in names.into_iter().chain(below).chain(device.then_some("null")) {
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

#[test]
fn fifo_is_never_opened() {
    use std::os::unix::fs::OpenOptionsExt;
    let (directory, store) = store(Durability::Cache);
    let fifo = directory.path().join("fifo");
    make_node(&fifo, libc::S_IFIFO, 0).unwrap();
    assert_eq!(open(&store, "fifo"), "NotRegular");
    // fifo(7): opening for writing without waiting fails as long as nobody has it open to read.
    let writer = fs::OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(&fifo);
    assert_eq!(writer.unwrap_err().raw_os_error(), Some(libc::ENXIO));
}

/// Goal: what the system refuses is refused, and as early as it is known. Method: a thread with
/// nobody's rights, where root runs the tests.
#[test]
fn refusals_of_the_system_are_denied() {
    let directory = tempfile::tempdir().unwrap();
    let _ = std::os::unix::fs::chown(directory.path(), Some(NOBODY), Some(NOBODY));
    for name in ["other", "undone"] {
        let path = directory.path().join(name);
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    }
    let base = directory.path().to_owned();
    let cases = std::thread::spawn(move || {
        let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
        if is_root && let Err(error) = become_nobody() {
            println!("store:denied cases=0 ({error})");
            return 0;
        }
        denied_cases(&base)
    });
    let cases = cases.join().unwrap();
    println!("store:denied cases={cases}");
}

fn denied_cases(base: &Path) -> usize {
    let set_mode = |name: &str, mode| {
        fs::set_permissions(base.join(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    for folder in ["closed", "kept"] {
        fs::create_dir(base.join(folder)).unwrap();
        fs::write(base.join(folder).join("file"), "old").unwrap();
    }
    fs::write(base.join("secret"), "secret").unwrap();
    fs::write(base.join("box"), "old").unwrap();
    set_mode("box", 0o200);
    set_mode("closed", 0);
    set_mode("kept", 0o555);
    set_mode("secret", 0);
    let store = Store::new(BaseDirectory::open(base).unwrap(), Durability::Disk);
    let mut cases = 0;
    let mut denied = |word: String| {
        assert_eq!(word, "Denied");
        cases += 1;
    };
    for name in ["secret", "closed/file", "closed/missing"] {
        denied(open(&store, name));
    }
    for mode in [Mode::Create, Mode::Replace, Mode::Append] {
        for name in ["closed/file", "closed/new", "kept/new", "kept/new/below"] {
            denied(upload(&store, mode, name, "new"));
            denied(streamed(&store, mode, name, ["n", "ew"]));
        }
    }
    // Before any content is taken.
    for mode in [Mode::Create, Mode::Replace, Mode::Append] {
        denied(word(&store, Operation::Stage(intent(mode, "kept/new"))));
    }
    denied(upload(&store, Mode::Replace, "kept/file", "new"));
    denied(word(&store, Operation::Stage(intent(Mode::Replace, "kept/file"))));
    denied(upload(&store, Mode::Append, "secret", "new"));
    denied(delete(&store, "kept/file"));
    denied(delete(&store, "closed/file"));
    // To append changes no entry, and needs no right to.
    assert_eq!(streamed(&store, Mode::Append, "kept/file", ["n", "ew"]), "Updated");
    assert_eq!(open(&store, "kept/file"), "oldnew");
    // Nor does it take the right to read.
    assert_eq!(upload(&store, Mode::Append, "box", "new"), "Updated");
    // utimensat(2): the time of somebody else's file cannot be set, and that is no reason to refuse.
    assert_eq!(upload(&store, Mode::Append, "other", "new"), "Updated");
    let folder = store.directory.open_folder(c"").unwrap();
    let Ok(Found::File(file, before)) = store.directory.open_for_append(&folder, c"undone") else { panic!() };
    store.directory.record_undo(c"", &file, before).unwrap();
    store.directory.write(&file, b"half of", before.length).unwrap();
    drop((file, folder, store));
    Store::new(BaseDirectory::open(base).unwrap(), Durability::Disk).recover().unwrap();
    let error = BaseDirectory::open(&base.join("kept/new")).unwrap_err().to_string();
    assert!(error.contains("mkdir") && error.contains("read and write there"), "{error}");
    for folder in ["closed", "kept"] {
        set_mode(folder, 0o755);
    }
    set_mode("secret", 0o600);
    set_mode("box", 0o600);
    let files = ["closed/", "closed/file=old", "kept/", "kept/file=oldnew", "secret=secret"];
    let files = [&files[..], &["box=oldnew", "other=oldnew", "undone=old"]].concat();
    assert_eq!(tree(base), expected(&files));
    cases
}
