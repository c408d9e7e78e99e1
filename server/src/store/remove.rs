//! Removal of a file or an empty directory.

use std::ffi::CStr;

use super::directory::{Directory, Kind};
use super::operation::{Outcome, StoreError, StoreErrorKind};
use super::path::{FilePath, ParentPath};
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
                self.directory
                    .remove_file(&folder, name)
                    .map_err(|error| StoreError::failed("unlinkat", error))?;
                self.sync_entries(&folder)?;
                Ok(Some(Outcome::Deleted))
            }
            Ok(Kind::Directory) => Ok(None),
            Ok(Kind::Other) => Err(StoreError::refused(StoreErrorKind::NotRegular)),
            Err(error) => Err(StoreError::failed("fstatat", error)),
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
            Ok(()) => {
                self.sync_entries(&folder)?;
                Ok(Outcome::Deleted)
            }
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

    pub(super) fn open_folder(&self, parent: &ParentPath) -> Result<D::Folder, StoreError> {
        self.directory.open_folder(parent.as_c_str()).map_err(|error| StoreError::failed("openat2", error))
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
