//! The path locks: exclusion, and no circle of waiting in the order that they document.

use crate::shared::path_locks::PathLocks;
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::sync::schedules::{EVERY, explore};
use crate::sync::{Arc, thread};

/// A file whose writing takes two steps, and a directory with so many entries.
struct Tree {
    locks: PathLocks<usize>,
    /// Odd while half written.
    version: AtomicUsize,
    directory_is_there: AtomicBool,
    entries: AtomicUsize,
}

impl Tree {
    fn new() -> Arc<Tree> {
        Arc::new(Tree {
            locks: PathLocks::new(),
            version: AtomicUsize::new(0),
            directory_is_there: AtomicBool::new(true),
            entries: AtomicUsize::new(0),
        })
    }

    fn write(&self) {
        let changing = self.locks.change(b"a");
        let _alone = changing.alone();
        let version = self.version.load(Ordering::Relaxed);
        self.version.store(version + 1, Ordering::Relaxed);
        self.version.store(version + 2, Ordering::Relaxed);
    }

    /// The same without being alone but at the end: until then the old version is pinned.
    fn write_pinned(&self) {
        let changing = self.locks.change(b"a");
        let version = self.version.load(Ordering::Relaxed);
        changing.pin(version);
        self.version.store(version + 1, Ordering::Relaxed);
        self.version.store(version + 2, Ordering::Relaxed);
        changing.alone().unpin();
    }

    /// The version, as a worker reads it: first what is there, then whether that counts.
    fn read(&self) -> usize {
        let reading = self.locks.read(b"a");
        let version = self.version.load(Ordering::Relaxed);
        reading.pinned(b"a").copied().unwrap_or(version)
    }

    /// The version, as an event loop reads it.
    fn try_read(&self) -> Option<usize> {
        let reading = self.locks.try_read(b"a")?;
        let version = self.version.load(Ordering::Relaxed);
        Some(reading.pinned(b"a").copied().unwrap_or(version))
    }

    /// Makes `path`, if its directory is there.
    fn make(&self, path: &[u8]) {
        let changing = self.locks.change(path);
        let _namespace = self.locks.share_namespace();
        let _alone = changing.alone();
        if self.directory_is_there.load(Ordering::Relaxed) {
            self.entries.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Removes the directory, if it is empty.
    fn remove_directory(&self) {
        let changing = self.locks.change(b"d");
        let _namespace = self.locks.own_namespace();
        let _alone = changing.alone();
        if self.entries.load(Ordering::Relaxed) == 0 {
            self.directory_is_there.store(false, Ordering::Relaxed);
        }
    }

    /// Whether the directory is there, once all have done.
    fn check(&self) -> usize {
        let entries = self.entries.load(Ordering::Relaxed);
        let there = self.directory_is_there.load(Ordering::Relaxed);
        assert_eq!(there, entries > 0, "something was made in a directory that is gone");
        usize::from(there)
    }
}

fn spawn<R: 'static>(tree: &Arc<Tree>, body: impl FnOnce(&Tree) -> R + 'static) -> thread::JoinHandle<R> {
    let tree = Arc::clone(tree);
    thread::spawn(move || body(&tree))
}

#[test]
fn writers_of_a_path_exclude_each_other_and_an_event_loop() {
    explore("loom:path_locks", EVERY, 4, || {
        let tree = Tree::new();
        let event_loop = spawn(&tree, Tree::try_read);
        let writer = spawn(&tree, Tree::write);
        tree.write();
        writer.join().unwrap();
        assert_eq!(tree.version.load(Ordering::Relaxed), 4, "a write is lost");
        match event_loop.join().unwrap() {
            Some(version @ (0 | 2 | 4)) => version / 2,
            None => 3,
            Some(version) => panic!("half a write is seen: {version}"),
        }
    });
}

#[test]
fn reader_that_waits_sees_whole_writes() {
    explore("loom:path_locks_readers", EVERY, 4, || {
        let tree = Tree::new();
        let writer = spawn(&tree, Tree::write);
        let reader = spawn(&tree, Tree::read);
        let versions = [tree.read(), reader.join().unwrap()];
        writer.join().unwrap();
        let [0 | 2, 0 | 2] = versions else { panic!("half a write is seen: {versions:?}") };
        versions[0] + versions[1] / 2
    });
}

#[test]
fn reader_of_a_pinned_path_sees_old_or_new() {
    explore("loom:path_locks_pinned", EVERY, 3, || {
        let tree = Tree::new();
        let writer = spawn(&tree, Tree::write_pinned);
        let versions = [tree.read(), tree.read()];
        writer.join().unwrap();
        match versions {
            [0, 0] => 0,
            [0, 2] => 1,
            [2, 2] => 2,
            _ => panic!("half a write is seen, or one that is undone: {versions:?}"),
        }
    });
}

#[test]
fn pinned_and_other_writes_exclude_each_other() {
    explore("loom:path_locks_both", EVERY, 3, || {
        let tree = Tree::new();
        let event_loop = spawn(&tree, Tree::try_read);
        let writer = spawn(&tree, Tree::write_pinned);
        tree.write();
        writer.join().unwrap();
        assert_eq!(tree.version.load(Ordering::Relaxed), 4, "a write is lost");
        match event_loop.join().unwrap() {
            Some(version @ (0 | 2 | 4)) => version / 2,
            None => 0,
            Some(version) => panic!("half a write is seen: {version}"),
        }
    });
}

// The paths share a lock or do not; makers and remover wait for each other in every way there is,
// and a circle would show as a deadlock.
#[test]
fn removal_of_a_directory_excludes_making_in_it() {
    explore("loom:namespace", EVERY, 2, || {
        let tree = Tree::new();
        let makers = [b"d/a", b"d/b"].map(|path| spawn(&tree, |tree| tree.make(path)));
        tree.remove_directory();
        for maker in makers {
            maker.join().unwrap();
        }
        tree.check()
    });
}

// Loom's search depends on who starts: the same with the remover in a thread.
#[test]
fn making_excludes_removal_of_its_directory() {
    explore("loom:namespace_remover", EVERY, 2, || {
        let tree = Tree::new();
        let remover = spawn(&tree, Tree::remove_directory);
        let maker = spawn(&tree, |tree| tree.make(b"d/a"));
        tree.make(b"d/b");
        maker.join().unwrap();
        remover.join().unwrap();
        tree.check()
    });
}
