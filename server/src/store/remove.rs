//! Removal of a file or an empty directory.

use std::ffi::CStr;
use std::io;

use super::directory::{Directory, Kind};
use super::operation::{Outcome, StoreError, StoreErrorKind};
use super::path::{FilePath, ParentPath};
use super::staged::StagedEntry;
use super::{Durability, Store};

impl<D: Directory> Store<D> {
    pub(super) fn remove(&self, path: &FilePath) -> Result<Outcome, StoreError> {
        let (parent, name) =
            path.parent_and_name().ok_or(StoreError::refused(StoreErrorKind::IsBaseDirectory))?;
        if let Some(outcome) = self.remove_file(path, &parent, name)? {
            return Ok(outcome);
        }
        self.remove_folder(path, &parent, name)
    }

    /// Removes a file; nothing where a directory is there.
    fn remove_file(
        &self,
        path: &FilePath,
        parent: &ParentPath,
        name: &CStr,
    ) -> Result<Option<Outcome>, StoreError> {
        let _namespace = self.locks.share_namespace();
        let _writing = self.locks.write(path.as_bytes());
        let folder = self.open_folder(parent)?;
        match self.directory.look_up(&folder, name) {
            Ok(Kind::File) if path.names_directory() => Err(StoreError::refused(StoreErrorKind::NotFound)),
            Ok(Kind::File) => {
                self.remove_name(&folder, name)?;
                Ok(Some(Outcome::Deleted))
            }
            Ok(Kind::Directory) => Ok(None),
            Ok(Kind::Other) => Err(StoreError::refused(StoreErrorKind::NotRegular)),
            Err(error) => Err(StoreError::failed("fstatat", error)),
        }
    }

    /// Removes a file. What has to be durable is put aside until it is, so that it can be put back.
    fn remove_name(&self, folder: &D::Folder, name: &CStr) -> Result<(), StoreError> {
        let removed = |result: io::Result<()>| result.map_err(|error| StoreError::failed("unlinkat", error));
        if self.durability == Durability::Cache {
            return removed(self.directory.remove_file(folder, name));
        }
        match self.directory.retire(folder, name) {
            Ok(staged_name) => {
                let mut entry = StagedEntry::of(&self.directory, staged_name);
                self.sync_entries(folder).inspect_err(|_| {
                    if self.directory.publish_new(staged_name, folder, name).is_ok() {
                        entry.published();
                    }
                })
            }
            // Another file system is mounted on the way: then it cannot be put back.
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                removed(self.directory.remove_file(folder, name))?;
                self.sync_entries(folder)
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
    ) -> Result<Outcome, StoreError> {
        let _namespace = self.locks.own_namespace();
        let _writing = self.locks.write(path.as_bytes());
        let folder = self.open_folder(parent)?;
        match self.directory.remove_folder(&folder, name) {
            Ok(()) => match self.sync_entries(&folder) {
                Ok(()) => Ok(Outcome::Deleted),
                Err(error) => {
                    // As before but for owner and permissions, as far as that can be had.
                    let _ = self.directory.make_folder(&folder, name);
                    Err(error)
                }
            },
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

    /// Puts a change of names on stable storage, where that was promised.
    pub(super) fn sync_entries(&self, folder: &D::Folder) -> Result<(), StoreError> {
        match self.durability {
            Durability::Cache => Ok(()),
            Durability::Disk => {
                self.directory.sync_folder(folder).map_err(|error| StoreError::failed("fsync", error))
            }
        }
    }
}
