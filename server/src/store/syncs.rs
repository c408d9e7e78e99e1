//! Stable storage: what was promised to survive is put there before anybody hears of it.

use std::io;

use super::directory::{Directory, StagedName};
use super::operation::{StoreError, StoreErrorKind};
use super::version::Version;
use super::{Durability, Store};
use crate::seeded::bug;
use crate::shared::lock;
use crate::shared::rounds::Rounds;
use crate::shared::stamps::Stamps;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Nanoseconds that stamps may be ahead of the clock without a word: less than a start takes off.
const AHEAD_MAX: i64 = 1_000_000;
/// Nanoseconds of stamps that are reserved at once: ten million of them.
const RESERVED: i64 = 1_000_000_000;

/// How many syncs of directories had failed at some point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SyncsFailed(u64);

/// What writers that run at once share.
#[derive(Debug)]
pub(super) struct Syncs {
    stamps: Stamps,
    /// Up to here the next start knows that times may have been given.
    reserved: Mutex<i64>,
    /// Syncs of directories that have failed.
    failed_count: AtomicU64,
    /// One sync of a directory for all who changed entries in it before it began. What it said is
    /// the number of the system's error.
    folders: Rounds<i32>,
    /// The same for the places of staged files.
    areas: Rounds<i32>,
    /// One of those has failed.
    area_failed: AtomicBool,
    /// A figure on which nothing depends: no schedule has to be tried for it.
    made: std::sync::atomic::AtomicU64,
}

impl Syncs {
    pub(super) fn new(directory: &impl Directory) -> Syncs {
        let stamps = Stamps::after(directory.last_change());
        Syncs {
            stamps,
            reserved: Mutex::new(i64::MIN),
            failed_count: AtomicU64::new(0),
            folders: Rounds::new(),
            areas: Rounds::new(),
            area_failed: AtomicBool::new(false),
            made: std::sync::atomic::AtomicU64::new(0),
        }
    }
}

impl<D: Directory> Store<D> {
    /// Gives a staged file, which nobody else touches, a modification time that no other has, and says
    /// what it is by that.
    pub(super) fn stamp_staged(&self, file: &D::File) -> Result<Version, StoreError> {
        let modified = self.next_time()?;
        self.directory.set_modified(file, modified).map_err(|error| StoreError::failed("futimens", error))?;
        let version = self.version(file)?;
        // A file system of old: two versions of a file could look alike.
        if version.modified != modified {
            return Err(StoreError::refused(StoreErrorKind::TimesCutShort));
        }
        Ok(version)
    }

    /// The same for a file that was appended to, which makes it a new version at any rate.
    pub(super) fn stamp_appended(&self, file: &D::File) -> Result<Version, StoreError> {
        match self.directory.set_modified(file, self.next_time()?) {
            // utimensat(2): only the owner may set it.
            Err(error) if error.raw_os_error() != Some(libc::EPERM) => {
                Err(StoreError::failed("futimens", error))
            }
            _ => self.version(file),
        }
    }

    pub(super) fn version(&self, file: &D::File) -> Result<Version, StoreError> {
        self.directory.version(file).map_err(|error| StoreError::failed("fstat", error))
    }

    /// A time that was given to no file.
    fn next_time(&self) -> Result<i64, StoreError> {
        let now = self.directory.time();
        let modified = self.syncs.stamps.next(now);
        if modified.saturating_sub(now) > AHEAD_MAX {
            self.reserve(modified)?;
        }
        Ok(modified)
    }

    /// The clock was set back: its time no longer tells the next start what has been given.
    fn reserve(&self, modified: i64) -> Result<(), StoreError> {
        let mut reserved = lock(&self.syncs.reserved);
        if modified > *reserved {
            let until = modified.saturating_add(RESERVED);
            self.directory.reserve_times(until).map_err(|error| StoreError::failed("futimens", error))?;
            *reserved = until;
        }
        Ok(())
    }

    /// Puts content on stable storage, where that was promised.
    pub(super) fn sync_content(&self, file: &D::File) -> Result<(), StoreError> {
        match self.durability {
            Durability::Cache => Ok(()),
            Durability::Disk if bug("content_not_synced") => Ok(()),
            Durability::Disk => {
                self.count_sync();
                self.directory.sync_file(file).map_err(|error| StoreError::failed("fsync", error))
            }
        }
    }

    /// Before a change of names: which syncs had failed by then.
    pub(super) fn syncs_failed(&self) -> SyncsFailed {
        SyncsFailed(self.syncs.failed_count.load(Ordering::SeqCst))
    }

    /// Puts a change of names on stable storage, where that was promised.
    ///
    /// Where another sync has failed since the change was begun, it may have been this change that it
    /// could not put there, and no later sync will tell of that: then this one has failed, too.
    pub(super) fn sync_entries(&self, folder: &D::Folder, before: SyncsFailed) -> Result<(), StoreError> {
        if self.durability == Durability::Cache || bug("names_not_synced") {
            return Ok(());
        }
        let sync = || {
            self.count_sync();
            self.directory.sync_folder(folder).map_err(number).inspect_err(|_| self.sync_fails())
        };
        let result = match self.directory.folder_key(folder) {
            Ok(key) => self.syncs.folders.join(key, sync),
            // Then it is not shared.
            Err(_) => sync(),
        };
        result.map_err(failed)?;
        if self.syncs_failed() == before || bug("sync_behind_a_failed_one_counts") {
            Ok(())
        } else {
            Err(failed(libc::EIO))
        }
    }

    /// The same for a change that was taken back because its own sync failed: a power cut would else
    /// bring about what was answered as an error. Where this fails as well, nothing more can be done.
    pub(super) fn sync_undone(&self, folder: &D::Folder) {
        if !bug("undo_not_synced") {
            let _ = self.sync_entries(folder, self.syncs_failed());
        }
    }

    /// The same for what is staged.
    pub(super) fn sync_area(&self, staged: StagedName) -> Result<(), StoreError> {
        if self.durability == Durability::Cache || bug("record_not_synced") {
            return Ok(());
        }
        // What a rename takes out of there is a change of both directories.
        let sync = || {
            self.count_sync();
            self.directory.sync_staged(staged).map_err(number).inspect_err(|_| {
                if !bug("failed_area_is_not_its_neighbour_s") {
                    self.sync_fails();
                }
            })
        };
        self.syncs.areas.join((0, staged.area.into()), sync).map_err(|number| {
            self.syncs.area_failed.store(true, Ordering::Relaxed);
            failed(number)
        })?;
        // Another sync that failed meanwhile may have been about the same name.
        self.refuse_unsynced_area()
    }

    fn count_sync(&self) {
        self.syncs.made.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }

    /// Calls that put something on stable storage, so far.
    pub fn syncs_made(&self) -> u64 {
        self.syncs.made.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Whether appends are refused until the next start, as a sync of a staging directory has failed.
    pub fn refuses_appends(&self) -> bool {
        self.syncs.area_failed.load(Ordering::Relaxed)
    }

    /// A sync of a directory fails: whoever changed names since it began is not to rely on the next.
    fn sync_fails(&self) {
        self.syncs.failed_count.fetch_add(1, Ordering::SeqCst);
    }

    /// The places of staged files stay open, and what a sync says that follows one that failed means
    /// nothing: a record that seems to be gone could come back, and undo what was acknowledged.
    pub(super) fn refuse_unsynced_area(&self) -> Result<(), StoreError> {
        if self.syncs.area_failed.load(Ordering::Relaxed) {
            return Err(StoreError::refused(StoreErrorKind::InputOutput));
        }
        Ok(())
    }
}

fn number(error: io::Error) -> i32 {
    error.raw_os_error().unwrap_or(libc::EIO)
}

fn failed(number: i32) -> StoreError {
    StoreError::failed("fsync", io::Error::from_raw_os_error(number))
}
