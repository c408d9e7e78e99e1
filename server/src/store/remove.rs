//! Removal of a file or an empty directory.

use std::ffi::CStr;
use std::io;

use super::condition::{Condition, There, Verdict};
use super::directory::{Directory, Entry};
use super::operation::{Outcome, StoreError, StoreErrorKind};
use super::path::{FilePath, ParentPath};
use super::staged::StagedEntry;
use super::{Durability, Store};
use crate::seeded::bug;

/// How often it is looked again what stands above a path.
const ATTEMPTS_MAX: usize = 8;

impl<D: Directory> Store<D> {
    pub(super) fn remove(
        &self,
        path: &FilePath,
        condition: Option<&Condition>,
    ) -> Result<Outcome, StoreError> {
        let (parent, name) =
            path.parent_and_name().ok_or(StoreError::refused(StoreErrorKind::IsBaseDirectory))?;
        for _ in 0..ATTEMPTS_MAX {
            let removed = match self.remove_file(path, &parent, name, condition) {
                Ok(false) => self.remove_folder(path, &parent, name, condition),
                Ok(true) => Ok(()),
                Err(error) => Err(error),
            };
            match removed {
                Ok(()) => return Ok(Outcome::Deleted),
                // What stood in the way, or was missing, was taken back.
                Err(error) if !self.above_is_final(&parent, &error) => {}
                // Whoever names a version is told that it is not there.
                Err(error) if error.kind == StoreErrorKind::NotFound => {
                    demand(condition, There::Nothing)?;
                    return Err(error);
                }
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::refused(StoreErrorKind::Busy))
    }

    /// Removes a file; not where a directory is there.
    fn remove_file(
        &self,
        path: &FilePath,
        parent: &ParentPath,
        name: &CStr,
        condition: Option<&Condition>,
    ) -> Result<bool, StoreError> {
        let changing = self.locks.change(path.as_bytes());
        let _namespace = self.locks.share_namespace();
        let folder = self.open_folder(parent)?;
        match self.directory.look_up(&folder, name) {
            Ok(Entry::File(_)) if path.names_directory() => {
                Err(StoreError::refused(StoreErrorKind::NotFound))
            }
            Ok(Entry::File(version)) => {
                let pinned = changing.pinned().filter(|pinned| pinned.inode == version.inode);
                demand(condition, There::File(pinned.unwrap_or(version)))?;
                let mut alone = changing.alone();
                self.remove_name(parent, &folder, name)?;
                alone.unpin();
                drop(alone);
                self.directory.forget(version.inode);
                Ok(true)
            }
            Ok(Entry::Directory) => Ok(false),
            Ok(Entry::Other) => Err(StoreError::refused(StoreErrorKind::NotRegular)),
            Err(error) => Err(StoreError::failed("fstatat", error)),
        }
    }

    /// Removes a file. What has to be durable is put aside until it is, so that it can be put back.
    fn remove_name(&self, parent: &ParentPath, folder: &D::Folder, name: &CStr) -> Result<(), StoreError> {
        let removed = |result: io::Result<()>| result.map_err(|error| StoreError::failed("unlinkat", error));
        if self.durability == Durability::Cache {
            return removed(self.directory.remove_file(folder, name));
        }
        let before = self.syncs_failed();
        match self.directory.retire(parent.as_c_str(), folder, name) {
            Ok(staged_name) => {
                let mut entry = StagedEntry::of(&self.directory, staged_name);
                self.sync_entries(folder, before).inspect_err(|_| {
                    if self.directory.publish_new(staged_name, folder, name).is_ok() {
                        entry.published();
                    }
                    self.sync_undone(folder);
                })
            }
            // There is no such place on its file system: then it cannot be put back.
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                removed(self.directory.remove_file(folder, name))?;
                self.sync_entries(folder, before)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let still_there = self.directory.look_up(folder, name).is_ok();
                let error = StoreError::failed("renameat2", error);
                // Then it is our own directory that is gone.
                let kind = if still_there { StoreErrorKind::InputOutput } else { error.kind };
                Err(StoreError { kind, ..error })
            }
            Err(error) => Err(StoreError::failed("renameat2", error)),
        }
    }

    /// Removes an empty directory, while nobody makes anything in it.
    fn remove_folder(
        &self,
        path: &FilePath,
        parent: &ParentPath,
        name: &CStr,
        condition: Option<&Condition>,
    ) -> Result<(), StoreError> {
        let changing = self.locks.change(path.as_bytes());
        let _namespace = if bug("directory_removed_beside_others") {
            Err(self.locks.share_namespace())
        } else {
            Ok(self.locks.own_namespace())
        };
        let _alone = changing.alone();
        let folder = self.open_folder(parent)?;
        demand(condition, There::Directory)?;
        let before = self.syncs_failed();
        match self.directory.remove_folder(&folder, name) {
            Ok(()) => self.sync_entries(&folder, before).inspect_err(|_| {
                // As before but for owner and permissions, as far as that can be had.
                let _ = self.directory.make_folder(&folder, name);
                self.sync_undone(&folder);
            }),
            // rmdir(2): a file system may say either where there are entries.
            Err(error) if error.raw_os_error() == Some(libc::EEXIST) => Err(StoreError {
                kind: StoreErrorKind::DirectoryNotEmpty,
                ..StoreError::failed("unlinkat", error)
            }),
            // It has become a file since: as if it had not been there.
            Err(error) if error.raw_os_error() == Some(libc::ENOTDIR) => {
                Err(StoreError { kind: StoreErrorKind::NotFound, ..StoreError::failed("unlinkat", error) })
            }
            Err(error) => Err(StoreError::failed("unlinkat", error)),
        }
    }
}

fn demand(condition: Option<&Condition>, there: There) -> Result<(), StoreError> {
    match condition.map_or(Verdict::Holds, |condition| condition.judge(there, false)) {
        Verdict::Holds => Ok(()),
        Verdict::Fails | Verdict::NotModified => Err(StoreError::refused(StoreErrorKind::ConditionFails)),
    }
}
