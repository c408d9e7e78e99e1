//! Where names lead, as an event loop knows it: never otherwise than whoever looks.
//!
//! Goal: whatever other programs do to the tree, what is opened by a name that is known is what stands there.
//! Method: random changes, as any program may make them; after each one every path is opened as event loops
//! do it, and looked at component by component, by calls that have nothing in common with that.
#![expect(clippy::unwrap_used, reason = "a helper of tests fails the test that it helps")]

use std::collections::BTreeMap;
use std::ffi::{CString, OsStr};
use std::fs::{self, File, Metadata, Permissions};
use std::io::{ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use http_server::store::base_directory::{BaseDirectory, Names};
use http_server::store::directory::{Directory, Found};
use http_server::sys::file::{Place, rename};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use tests::{Mount, depth, eventually, ledger, make_fifo, may_mount};

/// A tree, and one thread's view of it.
struct World {
    base: BaseDirectory,
    names: Names,
    /// Directories that somebody has open: what is removed meanwhile is not gone.
    open: Vec<File>,
    home: tempfile::TempDir,
}

const PATHS: [&str; 12] = ["x", "y", "a", "a/x", "a/y", "a/b", "a/b/x", "a/b/y", "b", "b/x", "b/b", "b/b/x"];

/// What a program may do to a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    Write,
    Replace,
    MakeDirectory,
    MakeFifo,
    Remove,
    RemoveAll,
    Rename,
    Exchange,
    Link,
    LinkSymbolically,
    Permit,
    Touch,
    KeepOpen,
    Nothing,
}

const CHANGES: [Change; 18] = [
    Change::Write,
    Change::Write,
    Change::Replace,
    Change::MakeDirectory,
    Change::MakeDirectory,
    Change::MakeFifo,
    Change::Remove,
    Change::RemoveAll,
    Change::Rename,
    Change::Rename,
    Change::Exchange,
    Change::Exchange,
    Change::Link,
    Change::LinkSymbolically,
    Change::Permit,
    Change::Touch,
    Change::KeepOpen,
    Change::Nothing,
];

type Step = (Change, &'static str, &'static str);

impl World {
    fn new() -> World {
        let home = tempfile::tempdir().unwrap();
        let (base, _) = BaseDirectory::open(home.path()).unwrap().keep_open(16_384);
        let world = World { names: base.names(), base, open: Vec::new(), home };
        for folder in ["a/b", "b/b"] {
            fs::create_dir_all(world.path(folder)).unwrap();
        }
        for file in ["x", "a/x", "a/b/x", "b/x", "b/b/x"] {
            fs::write(world.path(file), file).unwrap();
        }
        world
    }

    fn path(&self, path: &str) -> PathBuf {
        self.home.path().join(path)
    }

    /// Whether it could be done.
    fn change(&mut self, (change, path, other): Step) -> bool {
        let (path, other) = (self.path(path), self.path(other));
        let done = match change {
            Change::Write => {
                // A FIFO is not to be waited for.
                let how = libc::O_NONBLOCK;
                let file =
                    File::options().write(true).create(true).truncate(true).custom_flags(how).open(&path);
                file.and_then(|mut file| file.write_all(other.as_os_str().as_bytes()))
            }
            Change::Replace => {
                let new = self.path(".http_server/new");
                fs::write(&new, "new").and_then(|()| fs::rename(&new, &path))
            }
            Change::MakeDirectory => fs::create_dir(&path),
            Change::MakeFifo => {
                let free = fs::symlink_metadata(&path).is_err() && path.parent().is_some_and(Path::is_dir);
                if free {
                    make_fifo(&path);
                }
                return free;
            }
            Change::Remove => fs::remove_file(&path).or_else(|_| fs::remove_dir(&path)),
            Change::RemoveAll => fs::remove_dir_all(&path),
            Change::Rename => fs::rename(&path, &other),
            Change::Exchange => {
                let [path, other] =
                    [path, other].map(|path| CString::new(path.as_os_str().as_bytes()).unwrap());
                let root = File::open("/").unwrap();
                let place = |name| Place { directory: root.as_fd(), name };
                rename(place(&path), place(&other), libc::RENAME_EXCHANGE)
            }
            Change::Link => fs::hard_link(&other, &path),
            Change::LinkSymbolically => symlink(&other, &path),
            Change::Permit => fs::symlink_metadata(&path).and_then(|status| {
                let mode = if status.mode() & 0o004 == 0 { 0o755 } else { 0o750 };
                if status.is_symlink() {
                    Ok(())
                } else {
                    fs::set_permissions(&path, Permissions::from_mode(mode))
                }
            }),
            Change::Touch => {
                let looked = fs::symlink_metadata(&path).is_ok_and(|status| status.is_file());
                return looked
                    && File::open(&path)
                        .and_then(|file| file.set_modified(file.metadata()?.modified()?))
                        .is_ok();
            }
            Change::KeepOpen => fs::symlink_metadata(&path)
                .and_then(|status| if status.is_dir() { File::open(&path).map(Some) } else { Ok(None) })
                .map(|folder| self.open.extend(folder)),
            Change::Nothing => Ok(()),
        };
        done.is_ok()
    }

    /// Opens each path as an event loop does, and compares with what stands there.
    fn check(&mut self) -> Result<(), String> {
        for path in PATHS {
            let name = CString::new(path).unwrap();
            let opened = self.base.open_cached(&name, &mut self.names);
            let stands = self.stands(path);
            let same = match (&opened, &stands) {
                (Ok(Found::File(file, version)), Some(there)) => {
                    let status = file.metadata().unwrap();
                    there.is_file()
                        && (version.inode, version.length) == (there.ino(), there.len())
                        && (status.dev(), status.ino()) == (there.dev(), there.ino())
                }
                (Ok(Found::Directory), Some(there)) => there.is_dir(),
                (Ok(Found::Other), Some(there)) => !there.is_file() && !there.is_dir(),
                // A worker looks.
                (Err(error), _) if error.kind() == ErrorKind::WouldBlock => true,
                (Err(_), Some(there)) if there.is_symlink() => true,
                (Err(_), Some(_)) | (Ok(_), None) => false,
                (Err(_), None) => true,
                (Ok(Found::Shared(..)), _) => false,
            };
            if !same {
                return Err(format!("{path}: opened {opened:?}, stands {stands:?}"));
            }
        }
        Ok(())
    }

    /// What stands at `path`, over no link.
    fn stands(&self, path: &str) -> Option<Metadata> {
        let mut at = self.home.path().to_owned();
        let mut status = fs::symlink_metadata(&at).ok()?;
        for component in path.split('/') {
            if !status.is_dir() {
                return None;
            }
            at.push(component);
            status = fs::symlink_metadata(&at).ok()?;
        }
        Some(status)
    }

    /// Reads each path until it is known, as far as it can be.
    fn learn(&mut self) {
        for _ in 0..12 {
            self.check().unwrap();
        }
    }
}

#[test]
fn what_is_known_is_what_stands_there() {
    let cases = depth().of(100, 400, 20_000);
    let mut runner = TestRunner::new(Config { cases, ..Config::with_source_file(file!()) });
    let step = || (select(&CHANGES[..]), select(&PATHS[..]), select(&PATHS[..]));
    let steps = prop::collection::vec((step(), 0_usize..8), 1..30);
    let (believed, done) = (AtomicU64::new(0), std::cell::RefCell::new(BTreeMap::<Change, u64>::new()));
    let result = runner.run(&steps, |steps| {
        let mut world = World::new();
        for (step, reads) in steps {
            for _ in 0..reads {
                world
                    .check()
                    .map_err(|difference| TestCaseError::fail(format!("before {step:?}: {difference}")))?;
            }
            if world.change(step) {
                *done.borrow_mut().entry(step.0).or_default() += 1;
            }
            world
                .check()
                .map_err(|difference| TestCaseError::fail(format!("behind {step:?}: {difference}")))?;
        }
        believed.fetch_add(world.names.believed(), Ordering::Relaxed);
        Ok(())
    });
    println!("names: {:?}", done.borrow());
    result.unwrap();
    let rarest = done.borrow().values().copied().min().unwrap_or(0);
    let kinds = done.borrow().len() as u64;
    ledger::record(
        "names:random",
        &[("cases", cases.into()), ("believed", believed.into_inner()), ("kinds", kinds), ("rarest", rarest)],
    );
}

/// Goal: each way in which a path can come to lead elsewhere is noticed, one at a time, when everything is known.
#[test]
fn each_change_is_noticed_at_once() {
    use Change::{
        Exchange, KeepOpen, Link, LinkSymbolically, MakeDirectory, Permit, Remove, RemoveAll, Rename,
        Replace, Write,
    };
    let ways: &[&[Step]] = &[
        &[(Replace, "a/b/x", "x")],
        &[(Remove, "a/b/x", "x")],
        &[(Rename, "a/b/x", "a/b/y")],
        &[(Rename, "x", "a/b/x")],
        &[(Exchange, "a/b/x", "x")],
        &[(Exchange, "a/b/x", "b")],
        &[(Link, "y", "x"), (Remove, "x", "x"), (Rename, "b/x", "x")],
        &[(Rename, "a/b", "a/y")],
        &[(Rename, "a", "y"), (Rename, "b", "a")],
        &[(Rename, "a", "y"), (LinkSymbolically, "a", "y")],
        &[(Exchange, "a", "b")],
        &[(Exchange, "a/b", "b/b")],
        &[(Exchange, "a/b", "a/x")],
        // The directory that is removed stays in the kernel's mind as long as somebody has it open.
        &[
            (KeepOpen, "a/b", "x"),
            (RemoveAll, "a/b", "x"),
            (MakeDirectory, "a/b", "x"),
            (Write, "a/b/x", "x"),
        ],
        &[(KeepOpen, "a/b", "x"), (Remove, "a/b/x", "x"), (Rename, "b/b", "a/b")],
        &[(Permit, "a", "x"), (Rename, "a/b/x", "a/b/y")],
    ];
    let mut noticed = 0;
    for way in ways {
        let mut world = World::new();
        world.learn();
        let before = world.names.believed();
        world.check().unwrap();
        assert_eq!(world.names.believed(), before + 5, "all five files are known");
        for &step in *way {
            assert!(world.change(step), "{step:?}");
            // Twice: what is learned from what stands now is not what stood.
            for _ in 0..2 {
                world.check().unwrap_or_else(|difference| panic!("behind {step:?}: {difference}"));
            }
            noticed += 1;
        }
        // And what is learned anew is right again.
        world.learn();
        let changes = [(Rename, "a/b/x", "y"), (Rename, "x", "b/b/x"), (RemoveAll, "b", "b")];
        for step in changes {
            world.change(step);
            world.check().unwrap_or_else(|difference| panic!("later, behind {step:?}: {difference}"));
        }
    }
    ledger::record("names:ways", &[("noticed", noticed)]);
}

#[test]
fn who_may_open_it_no_more_is_noticed() {
    let mut world = World::new();
    world.learn();
    for path in ["a", "a/b", "a/b/x", ""] {
        let known = |world: &mut World| {
            let before = world.names.believed();
            world.check().unwrap();
            world.names.believed() - before
        };
        assert_eq!(known(&mut world), 5, "{path}");
        let mode = fs::metadata(world.path(path)).unwrap().mode();
        fs::set_permissions(world.path(path), Permissions::from_mode(mode ^ 0o001)).unwrap();
        assert!(known(&mut world) < 5, "{path} has other permissions");
        world.learn();
    }
}

#[test]
fn what_is_mounted_is_noticed() {
    if !may_mount("names:mounts") {
        return;
    }
    let mut world = World::new();
    for path in ["a", "a/b", "b"] {
        world.learn();
        let before = world.names.believed();
        world.check().unwrap();
        assert_eq!(world.names.believed(), before + 5);
        let mount = Mount::in_memory("size=1m", &world.path(path)).unwrap();
        world.check().unwrap();
        world.learn();
        fs::write(world.path(path).join("x"), "mounted").unwrap();
        world.learn();
        // At once, though files on it are open.
        drop(mount);
        world.check().unwrap();
        let mount = Mount::bound(&world.path("b/b"), &world.path(path)).unwrap();
        world.check().unwrap();
        world.learn();
        fs::remove_file(world.path(path).join("x")).unwrap();
        world.check().unwrap();
        // At once, though files on it are open.
        drop(mount);
        world.check().unwrap();
        fs::write(world.path("b/b/x"), "again").unwrap();
    }
    // A file can be mounted over another one.
    world.learn();
    let mount = Mount::bound(&world.path("x"), &world.path("a/x")).unwrap();
    world.check().unwrap();
    drop(mount);
    world.check().unwrap();
}

/// Goal: where something on the way cannot be watched, nothing below it is known. Method: a directory of a file
/// system that is not, with one below that could be, is moved.
#[test]
fn nothing_is_known_below_what_is_not_watched() {
    if !may_mount("names:unwatched") {
        return;
    }
    let mut world = World::new();
    let open = |world: &mut World| world.base.open_cached(c"a/b/d/x", &mut world.names);
    let _outer = Mount::new(&["-t", "ramfs", "ramfs"].map(OsStr::new), &world.path("a")).unwrap();
    fs::create_dir_all(world.path("a/b/d")).unwrap();
    let _inner = Mount::in_memory("size=1m", &world.path("a/b/d")).unwrap();
    fs::write(world.path("a/b/d/x"), "x").unwrap();
    for _ in 0..12 {
        assert!(matches!(open(&mut world).unwrap(), Found::File(..)));
    }
    assert_eq!(world.names.believed(), 0);
    fs::rename(world.path("a/b"), world.path("a/c")).unwrap();
    assert!(open(&mut world).is_err());
}

/// Goal: where more happens than the kernel keeps in mind, nothing is believed. Method: its queue is filled, and
/// then two directories change places.
#[test]
fn more_changes_than_are_told_are_noticed() {
    let mut world = World::new();
    fs::write(world.path("y"), "y").unwrap();
    world.learn();
    let max: usize =
        fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap().trim().parse().unwrap();
    for number in 0..max + 100 {
        // What is told twice in a row is told once.
        assert!(world.change((Change::Permit, ["x", "y"][number % 2], "x")));
    }
    assert!(world.change((Change::Exchange, "a", "b")));
    for _ in 0..12 {
        world.check().unwrap();
    }
}

/// Goal: where mounts are not told of, nothing is known. Method: the tree as another mount namespace has it.
#[test]
fn nothing_is_known_of_another_namespace() {
    if !may_mount("names:namespace") {
        return;
    }
    let mut elsewhere =
        Command::new("unshare").args(["-m", "--propagation", "private", "sleep", "60"]).spawn().unwrap();
    let world = World::new();
    let there = PathBuf::from(format!("/proc/{}/root", elsewhere.id()));
    let own = |path: &str| fs::read_link(path).unwrap();
    let namespace = format!("/proc/{}/ns/mnt", elsewhere.id());
    eventually("it has a namespace of its own", || own(&namespace) != own("/proc/self/ns/mnt"));
    let path = there.join(world.home.path().strip_prefix("/").unwrap()).join("b");
    let (base, _) = BaseDirectory::open(&path).unwrap().keep_open(1024);
    let mut names = base.names();
    for _ in 0..12 {
        assert!(matches!(base.open_cached(c"b/x", &mut names).unwrap(), Found::File(..)));
    }
    assert_eq!(names.believed(), 0);
    elsewhere.kill().unwrap();
    elsewhere.wait().unwrap();
}

#[test]
fn a_very_long_directory_is_not_watched() {
    let mut world = World::new();
    let before = |world: &World| world.names.believed();
    for number in 0..40_000 {
        fs::write(world.path(&format!("a/{}{number}", "n".repeat(200))), "").unwrap();
        if fs::metadata(world.path("a")).unwrap().len() > 600 * 1024 {
            break;
        }
    }
    world.learn();
    let known = before(&world);
    world.check().unwrap();
    // Neither what is in it, nor what is below.
    assert_eq!(before(&world), known + 3);
}

#[test]
fn what_is_known_is_bounded() {
    let mut world = World::new();
    let open = |world: &mut World, path: &str| {
        world.base.open_cached(&CString::new(path).unwrap(), &mut world.names).unwrap();
    };
    // More directories than are watched: they give way, and those that come next are known again.
    for number in 0..1500 {
        let path = format!("d{number}/x");
        fs::create_dir(world.path(&format!("d{number}"))).unwrap();
        fs::write(world.path(&path), "x").unwrap();
        for _ in 0..3 {
            open(&mut world, &path);
        }
    }
    world.learn();
    let before = world.names.believed();
    world.check().unwrap();
    assert_eq!(world.names.believed(), before + 5);
    // A path that is longer than it is worth is looked at each time.
    let long = ["n"; 3].map(|name| name.repeat(100)).join("/");
    fs::create_dir_all(world.path(&long).parent().unwrap()).unwrap();
    fs::write(world.path(&long), "x").unwrap();
    let before = world.names.believed();
    (0..12).for_each(|_| open(&mut world, &long));
    assert_eq!(world.names.believed(), before);
}
