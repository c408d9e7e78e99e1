//! What lies in the staging directory is owned: [`StagedEntry`], so that nothing is left there.

use std::ffi::CStr;
use std::io;
use std::sync::Arc;

use super::directory::{Directory, StagedName};
use super::operation::{StoreError, StoreErrorKind};

/// Owns a name in the staging directory: whatever is there under it is removed with it.
pub(super) struct StagedEntry<D: Directory> {
    directory: Arc<D>,
    /// Nothing once the file has another name.
    name: Option<StagedName>,
}

impl<D: Directory> StagedEntry<D> {
    /// A new file, empty; with `near`, on the file system of that directory.
    pub(super) fn new(
        directory: &Arc<D>,
        near: Option<&CStr>,
    ) -> Result<(StagedEntry<D>, D::File), StoreError> {
        let (file, name) = directory.stage(near).map_err(|error| match error.kind() {
            // Whoever makes an upload has done nothing wrong where our own directory is gone.
            io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists => {
                StoreError { kind: StoreErrorKind::InputOutput, ..StoreError::failed("openat", error) }
            }
            _ => StoreError::failed("openat", error),
        })?;
        Ok((StagedEntry::of(directory, name), file))
    }

    /// What has been put there.
    pub(super) fn of(directory: &Arc<D>, name: StagedName) -> StagedEntry<D> {
        StagedEntry { directory: Arc::clone(directory), name: Some(name) }
    }

    /// The name, for as long as the entry has it.
    pub(super) fn name(&self) -> Result<StagedName, StoreError> {
        self.name.ok_or(StoreError::refused(StoreErrorKind::Broken))
    }

    /// The file has another name from now on.
    pub(super) fn published(&mut self) {
        self.name = None;
    }

    /// Removes it now, where it matters whether that succeeds. Where it does not, it stays.
    pub(super) fn remove(mut self) -> Result<(), StoreError> {
        match self.name.take() {
            Some(name) => self.directory.unstage(name).map_err(|error| StoreError::failed("unlinkat", error)),
            None => Ok(()),
        }
    }

    /// Leaves it to the next start.
    pub(super) fn keep(mut self) {
        self.name = None;
    }
}

impl<D: Directory> Drop for StagedEntry<D> {
    fn drop(&mut self) {
        if let Some(name) = self.name.take() {
            // Nobody can be told; what remains is swept at the next start.
            let _ = self.directory.unstage(name);
        }
    }
}
