//! A directory whose n-th call goes wrong and which knows what is not on stable storage: [`Faulty`].

use std::collections::{BTreeSet, HashMap};
use std::ffi::CStr;
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::store::base_directory::{BaseDirectory, Names, OpenFile};
use crate::store::directory::{Directory, Entry, FolderEntry, Found, StagedName};
use crate::store::version::Version;

type File = Arc<OpenFile>;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The call fails with this error, and does nothing.
    Error(i32),
    /// The same for it and all that follow.
    ErrorFromThere(i32),
    /// The same for it and the one so many calls later.
    Twice(i32, usize),
    /// No change of a directory's entries can be put on stable storage.
    FolderSync,
    /// A read, write or copy takes only a part; other calls go well.
    Short,
    /// The same is interrupted.
    Interrupted,
    /// Each read, write or copy takes no more than [`PIECE_BYTES`].
    Pieces,
    /// A write takes nothing; other calls go well.
    Nothing,
}

/// As much as a call takes with [`Fault::Pieces`].
const PIECE_BYTES: usize = 64 * 1024;

/// A real directory, but for one call.
#[derive(Debug)]
pub(super) struct Faulty {
    inner: BaseDirectory,
    fault: Fault,
    /// Calls until the one that goes wrong.
    calls_left: AtomicUsize,
    /// Calls since then.
    calls_behind: AtomicUsize,
    repaired: AtomicBool,
    /// The file system can neither exchange two names nor copy, and nothing can be retired.
    plain: bool,
    /// Each call takes at least so long.
    pause: Duration,
    seen: Mutex<Seen>,
}

/// What became of the calls, by number of the inode.
#[derive(Debug, Default)]
struct Seen {
    unsynced_files: BTreeSet<u64>,
    unsynced_folders: BTreeSet<u64>,
    failed_syncs: BTreeSet<u64>,
    staged: HashMap<StagedName, u64>,
    records: HashMap<StagedName, Record>,
    records_removed_unsynced: bool,
    appended_unrecorded: bool,
    published_unsynced: bool,
    sync_retried: bool,
    left_staged: usize,
    staged_sync_failed: bool,
    /// Those of directories that failed, and those behind them that did not.
    folder_syncs: (usize, usize),
}

/// A record to undo an append.
#[derive(Debug)]
struct Record {
    inode: u64,
    synced: bool,
}

impl Faulty {
    /// The directory `base`, the n-th call going wrong; the first is 1, and 0 is none.
    pub(super) fn new(base: &Path, fault: Fault, nth: usize) -> Faulty {
        Faulty {
            inner: BaseDirectory::open(base).unwrap(),
            fault,
            calls_left: AtomicUsize::new(nth),
            calls_behind: AtomicUsize::new(0),
            repaired: AtomicBool::new(false),
            plain: false,
            pause: Duration::ZERO,
            seen: Mutex::default(),
        }
    }

    /// The same on a file system that lacks what a file system may lack.
    pub(super) fn plain(self, plain: bool) -> Faulty {
        Faulty { plain, ..self }
    }

    /// The same, each call taking at least so long.
    pub(super) fn pause(self, pause: Duration) -> Faulty {
        Faulty { pause, ..self }
    }

    pub(super) fn is_plain(&self) -> bool {
        self.plain
    }

    /// Whether the call has come that goes wrong.
    pub(super) fn struck(&self) -> bool {
        self.calls_left.load(Ordering::SeqCst) == 0
    }

    /// Whether a record stays by which an append will be undone.
    pub(super) fn keeps_record(&self) -> bool {
        !self.seen.lock().unwrap().records.is_empty()
    }

    /// Files that could not be unstaged, or must not be.
    pub(super) fn left_staged(&self) -> usize {
        let seen = self.seen.lock().unwrap();
        seen.left_staged + seen.records.len()
    }

    /// What of these requests a power cut could take back, and what they did wrong.
    pub(super) fn not_durable(&self) -> Vec<&'static str> {
        let seen = self.seen.lock().unwrap();
        let claims = [
            (!seen.unsynced_files.is_empty(), "content is not synced"),
            (!seen.unsynced_folders.is_empty(), "a name is not synced"),
            (seen.published_unsynced, "a file got its name before its content was synced"),
            (seen.sync_retried, "a sync that had failed was tried again"),
            (seen.records_removed_unsynced, "an append could be undone that was acknowledged"),
            (seen.appended_unrecorded, "content was appended before its record was synced"),
        ];
        claims.into_iter().filter_map(|(holds, claim)| holds.then_some(claim)).collect()
    }

    /// Whether a power cut would leave the entries of this directory as they are.
    pub(super) fn is_durable(&self, folder: &Path) -> bool {
        !self.seen.lock().unwrap().unsynced_folders.contains(&std::fs::metadata(folder).unwrap().ino())
    }

    /// Whether the names of staged files could not be synced.
    pub(super) fn staged_sync_failed(&self) -> bool {
        self.seen.lock().unwrap().staged_sync_failed
    }

    /// How many syncs of directories failed, and how many went well behind one that did.
    pub(super) fn folder_syncs(&self) -> (usize, usize) {
        self.seen.lock().unwrap().folder_syncs
    }

    /// All goes well from now on.
    pub(super) fn repair(&self) {
        self.repaired.store(true, Ordering::SeqCst);
    }

    /// Counts a call; whether it is the one.
    fn strikes(&self) -> bool {
        if self.repaired.load(Ordering::SeqCst) {
            return false;
        }
        let left = |left: usize| left.checked_sub(1);
        match self.calls_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, left) {
            Ok(left) => left == 1,
            Err(_) => match self.fault {
                Fault::ErrorFromThere(_) => true,
                Fault::Twice(_, later) => self.calls_behind.fetch_add(1, Ordering::SeqCst) + 1 == later,
                _ => false,
            },
        }
    }

    fn call<T>(&self, call: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        std::thread::sleep(self.pause);
        match self.fault {
            Fault::Error(errno) | Fault::ErrorFromThere(errno) | Fault::Twice(errno, _) if self.strikes() => {
                Err(io::Error::from_raw_os_error(errno))
            }
            _ => call(),
        }
    }

    /// As much of `length` as a read, write or copy takes.
    fn part(&self, length: usize) -> io::Result<usize> {
        match self.fault {
            Fault::Pieces => Ok(length.min(PIECE_BYTES)),
            Fault::Short if self.strikes() => Ok(length.div_ceil(2)),
            Fault::Interrupted if self.strikes() => Err(io::ErrorKind::Interrupted.into()),
            _ => Ok(length),
        }
    }

    /// Calls, and then notes what has come of it.
    fn noted<T>(
        &self,
        call: impl FnOnce() -> io::Result<T>,
        note: impl FnOnce(&mut Seen, &io::Result<T>),
    ) -> io::Result<T> {
        let result = self.call(call);
        note(&mut self.seen.lock().unwrap(), &result);
        result
    }

    /// A call that changes entries of `folder`.
    fn changes(&self, folder: &File, call: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        self.noted(call, |seen, result| {
            if result.is_ok() {
                seen.unsynced_folders.insert(inode(folder));
            }
        })
    }

    /// The same where a staged file gets a name by it.
    fn publishes(
        &self,
        staged: StagedName,
        folder: &File,
        call: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        self.changes(folder, call)?;
        let mut seen = self.seen.lock().unwrap();
        let unsynced = seen.staged.get(&staged).is_some_and(|inode| seen.unsynced_files.contains(inode));
        seen.published_unsynced |= unsynced;
        Ok(())
    }
}

impl Seen {
    /// What is no staged file is appended to.
    fn writes_to(&mut self, inode: u64) {
        self.unsynced_files.insert(inode);
        let staged = self.staged.values().any(|staged| *staged == inode);
        let recorded = self.records.values().any(|record| record.inode == inode && record.synced);
        self.appended_unrecorded |= !staged && !recorded;
    }
}

fn inode(file: &File) -> u64 {
    file.metadata().unwrap().ino()
}

impl Directory for Faulty {
    type File = File;
    type Folder = File;
    type Names = Names;

    fn open_file(&self, path: &CStr) -> io::Result<Found<File>> {
        self.call(|| self.inner.open_file(path))
    }

    fn open_cached(&self, path: &CStr, names: &mut Names) -> io::Result<Found<File>> {
        self.call(|| self.inner.open_cached(path, names))
    }

    fn names(&self) -> Names {
        self.inner.names()
    }

    fn read_cached(&self, file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.call(|| self.inner.read_cached(file, buffer, offset))
    }

    fn read(&self, file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let length = self.part(buffer.len())?;
        self.call(|| self.inner.read(file, &mut buffer[..length], offset))
    }

    fn open_folder(&self, path: &CStr) -> io::Result<File> {
        self.call(|| self.inner.open_folder(path))
    }

    fn may_change_entries(&self, folder: &File) -> io::Result<()> {
        self.call(|| self.inner.may_change_entries(folder))
    }

    fn folder_key(&self, folder: &File) -> io::Result<(u64, u64)> {
        self.call(|| self.inner.folder_key(folder))
    }

    fn look_up(&self, folder: &File, name: &CStr) -> io::Result<Entry> {
        self.call(|| self.inner.look_up(folder, name))
    }

    fn read_folder(
        &self,
        folder: &File,
        from: i64,
        each: &mut dyn FnMut(FolderEntry<'_>) -> ControlFlow<()>,
    ) -> io::Result<()> {
        self.call(|| self.inner.read_folder(folder, from, each))
    }

    fn open_for_append(&self, folder: &File, name: &CStr) -> io::Result<Found<File>> {
        self.call(|| self.inner.open_for_append(folder, name))
    }

    fn make_folder(&self, folder: &File, name: &CStr) -> io::Result<()> {
        self.changes(folder, || self.inner.make_folder(folder, name))
    }

    fn stage(&self, near: Option<&CStr>) -> io::Result<(File, StagedName)> {
        self.noted(
            || self.inner.stage(near),
            |seen, result| {
                if let Ok((file, staged)) = result {
                    seen.unsynced_files.insert(inode(file));
                    seen.staged.insert(*staged, inode(file));
                }
            },
        )
    }

    fn write(&self, file: &File, content: &[u8], offset: u64) -> io::Result<usize> {
        if self.fault == Fault::Nothing && self.strikes() {
            return Ok(0);
        }
        let content = &content[..self.part(content.len())?];
        self.seen.lock().unwrap().writes_to(inode(file));
        self.call(|| self.inner.write(file, content, offset))
    }

    fn copy(&self, from: (&File, u64), to: (&File, u64), length: u64) -> io::Result<u64> {
        if self.plain {
            return self.call(|| Err(io::ErrorKind::Unsupported.into()));
        }
        let length = self.part(usize::try_from(length).unwrap())? as u64;
        self.seen.lock().unwrap().writes_to(inode(to.0));
        self.call(|| self.inner.copy(from, to, length))
    }

    fn truncate(&self, file: &File, length: u64) -> io::Result<()> {
        self.seen.lock().unwrap().unsynced_files.insert(inode(file));
        self.call(|| self.inner.truncate(file, length))
    }

    fn version(&self, file: &File) -> io::Result<Version> {
        self.call(|| self.inner.version(file))
    }

    fn set_modified(&self, file: &File, modified: i64) -> io::Result<()> {
        self.seen.lock().unwrap().unsynced_files.insert(inode(file));
        self.call(|| self.inner.set_modified(file, modified))
    }

    fn time(&self) -> i64 {
        self.inner.time()
    }

    fn sync_file(&self, file: &File) -> io::Result<()> {
        self.noted(
            || self.inner.sync_file(file),
            |seen, result| {
                seen.sync_retried |= seen.failed_syncs.contains(&inode(file));
                match result {
                    Ok(()) => seen.unsynced_files.remove(&inode(file)),
                    Err(_) => seen.failed_syncs.insert(inode(file)),
                };
            },
        )
    }

    fn sync_folder(&self, folder: &File) -> io::Result<()> {
        self.noted(
            || match self.fault {
                Fault::FolderSync => Err(io::Error::from_raw_os_error(libc::EIO)),
                _ => self.inner.sync_folder(folder),
            },
            |seen, result| {
                let (failed, synced) = &mut seen.folder_syncs;
                match result {
                    Ok(()) => {
                        *synced += usize::from(*failed > 0);
                        seen.unsynced_folders.remove(&inode(folder));
                    }
                    Err(_) => *failed += 1,
                }
            },
        )
    }

    fn publish_new(&self, staged: StagedName, folder: &File, name: &CStr) -> io::Result<()> {
        self.publishes(staged, folder, || self.inner.publish_new(staged, folder, name))
    }

    fn exchange(&self, staged: StagedName, folder: &File, name: &CStr) -> io::Result<()> {
        if self.plain {
            return self.call(|| Err(io::ErrorKind::Unsupported.into()));
        }
        self.publishes(staged, folder, || self.inner.exchange(staged, folder, name))
    }

    fn publish_over(&self, staged: StagedName, folder: &File, name: &CStr) -> io::Result<()> {
        self.publishes(staged, folder, || self.inner.publish_over(staged, folder, name))
    }

    fn retire(&self, near: &CStr, folder: &File, name: &CStr) -> io::Result<StagedName> {
        if self.plain {
            return self.call(|| Err(io::ErrorKind::CrossesDevices.into()));
        }
        let mut retired = None;
        self.changes(folder, || {
            retired = Some(self.inner.retire(near, folder, name)?);
            Ok(())
        })?;
        Ok(retired.unwrap())
    }

    fn record_undo(&self, near: &CStr, file: &File, before: Version) -> io::Result<StagedName> {
        self.noted(
            || self.inner.record_undo(near, file, before),
            |seen, result| {
                if let Ok(staged) = result {
                    seen.records.insert(*staged, Record { inode: inode(file), synced: false });
                }
            },
        )
    }

    fn sync_staged(&self, staged: StagedName) -> io::Result<()> {
        self.noted(
            || self.inner.sync_staged(staged),
            |seen, result| {
                seen.staged_sync_failed |= result.is_err();
                if result.is_ok() {
                    seen.records.values_mut().for_each(|record| record.synced = true);
                    seen.records_removed_unsynced = false;
                }
            },
        )
    }

    fn leftovers(&self) -> io::Result<Vec<StagedName>> {
        self.call(|| self.inner.leftovers())
    }

    fn open_staged(&self, staged: StagedName) -> io::Result<File> {
        self.call(|| self.inner.open_staged(staged))
    }

    fn unstage(&self, staged: StagedName) -> io::Result<()> {
        self.noted(
            || self.inner.unstage(staged),
            |seen, result| {
                if staged.undo.is_none() {
                    seen.left_staged += usize::from(result.is_err());
                } else if result.is_ok() {
                    seen.records_removed_unsynced |= seen.records.remove(&staged).is_some();
                }
                // What it is now, nobody asks for.
                let inode = seen.staged.remove(&staged).unwrap_or_default();
                seen.unsynced_files.remove(&inode);
            },
        )
    }

    fn remove_file(&self, folder: &File, name: &CStr) -> io::Result<()> {
        self.changes(folder, || self.inner.remove_file(folder, name))
    }

    fn remove_folder(&self, folder: &File, name: &CStr) -> io::Result<()> {
        self.changes(folder, || self.inner.remove_folder(folder, name))
    }
}
