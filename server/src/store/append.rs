//! Content behind the end of a file: all of it, or none.
//!
//! Property: nobody reads a part of an append, or one that is undone. Readers pin the length when
//! they open the file, for which they need the path's lock; the appender holds it to the last sync.
//! Where the process dies in between, a record among the staged files says what the file was: it
//! is there, as durable as was promised, before the first byte is written, and gone before the
//! appender hears of success.

use std::collections::BTreeSet;
use std::ffi::CStr;
use std::io;
use std::sync::{Mutex, PoisonError};

use super::Store;
use super::content::write_all;
use super::directory::{Directory, Found};
use super::operation::{Intent, Outcome, StoreError, StoreErrorKind};
use super::path::ParentPath;
use super::staged::StagedEntry;
use super::upload::{demand, place};
use super::version::Version;

/// Inodes of files whose record could not be removed. At the next start they are cut to what it
/// says, so nothing may be appended until then.
#[derive(Debug, Default)]
pub(super) struct Undoing(Mutex<BTreeSet<u64>>);

impl Undoing {
    fn contains(&self, inode: u64) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&inode)
    }

    fn insert(&self, inode: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(inode);
    }
}

impl<D: Directory> Store<D> {
    /// Appends what is in memory, which need not be staged for that; nothing where no file is there.
    pub(super) fn append_whole(
        &self,
        intent: &Intent,
        content: &[u8],
    ) -> Result<Option<Outcome>, StoreError> {
        let (parent, name) = place(intent)?;
        let _writing = self.locks.write(intent.path.as_bytes());
        let folder = match self.open_folder(&parent) {
            Ok(folder) => folder,
            Err(error) if error.kind == StoreErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let Some(target) = self.open_for_append(&folder, name)? else { return Ok(None) };
        demand(intent, Some(target.1))?;
        let write = |end: (&D::File, u64)| write_all(&*self.directory, end, content);
        self.append(&parent, &target, content.len() as u64, write)
    }

    /// The file to append to and what it is; nothing where nothing is there.
    pub(super) fn open_for_append(
        &self,
        folder: &D::Folder,
        name: &CStr,
    ) -> Result<Option<(D::File, Version)>, StoreError> {
        match self.directory.open_for_append(folder, name) {
            Ok(Found::File(file, version)) => Ok(Some((file, version))),
            Ok(Found::Directory) => Err(StoreError::refused(StoreErrorKind::IsDirectory)),
            Ok(Found::Other) => Err(StoreError::refused(StoreErrorKind::NotRegular)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::failed("openat2", error)),
        }
    }

    /// Lets `write` write so many bytes at the end of a file whose path's lock is held; nothing where
    /// another program has removed it.
    pub(super) fn append(
        &self,
        parent: &ParentPath,
        (file, before): &(D::File, Version),
        count: u64,
        write: impl FnOnce((&D::File, u64)) -> Result<(), StoreError>,
    ) -> Result<Option<Outcome>, StoreError> {
        if count == 0 {
            return Ok(Some(Outcome::Updated(*before)));
        }
        if self.undoing.contains(before.inode) {
            return Err(StoreError::refused(StoreErrorKind::InputOutput));
        }
        let record = match self.directory.record_undo(parent.as_c_str(), file, *before) {
            // linkat(2): what has no name any more gets none.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            result => result.map_err(|error| StoreError::failed("linkat", error))?,
        };
        let record = StagedEntry::of(&self.directory, record);
        let written = self
            .sync_area(record.name()?)
            .and_then(|()| write((file, before.length)))
            .and_then(|()| self.stamp(file));
        match written {
            Ok(version) => self.finish_append(file, before, version, record).map(Some),
            Err(error) => {
                let restored = self.restore(file, before.length, before.modified);
                let removed = match restored.and_then(|()| self.sync_content(file)) {
                    Ok(()) => record.remove(),
                    Err(error) => {
                        record.keep();
                        Err(error)
                    }
                };
                if removed.is_err() {
                    self.undoing.insert(before.inode);
                }
                Err(error)
            }
        }
    }

    /// All is written: the append takes effect when its record is gone.
    fn finish_append(
        &self,
        file: &D::File,
        before: &Version,
        version: Version,
        record: StagedEntry<D>,
    ) -> Result<Outcome, StoreError> {
        let name = record.name()?;
        if let Err(error) = self.sync_content(file) {
            // What a sync says that follows one that failed means nothing, so the record stays.
            let _ = self.restore(file, before.length, before.modified);
            record.keep();
            self.undoing.insert(before.inode);
            return Err(error);
        }
        let error = match record.remove().map(|()| self.sync_area(name)) {
            Ok(Ok(())) => return Ok(Outcome::Updated(version)),
            Ok(Err(error)) => error,
            Err(error) => {
                self.undoing.insert(before.inode);
                error
            }
        };
        // As before, as far as the file system still does what it is told.
        let restored = self.restore(file, before.length, before.modified);
        let _ = restored.and_then(|()| self.sync_content(file));
        Err(error)
    }
}
