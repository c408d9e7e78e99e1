//! Content behind the end of a file: all of it, or none.
//!
//! Property: nobody reads a part of an append, or one that is undone. Until its last sync readers
//! are given the version that was there, whose length they keep to however the file grows. Where the process dies in between, a record among the staged files says what the file was: it
//! is there, as durable as was promised, before the first byte is written, and gone before the
//! appender hears of success.

use std::ffi::CStr;
use std::io;

use super::Store;
use super::content::write_all;
use super::directory::{Directory, Found};
use super::operation::{Intent, Outcome, StoreError, StoreErrorKind};
use super::path::ParentPath;
use super::staged::StagedEntry;
use super::upload::{demand, place};
use super::version::Version;
use crate::shared::path_locks::Changing;

impl<D: Directory> Store<D> {
    /// Appends what is in memory, which need not be staged for that; nothing where no file is there.
    pub(super) fn append_whole(
        &self,
        intent: &Intent,
        content: &[u8],
    ) -> Result<Option<Outcome>, StoreError> {
        let (parent, name) = place(intent)?;
        let changing = self.locks.change(intent.path.as_bytes());
        let folder = match self.open_folder(&parent) {
            Ok(folder) => folder,
            Err(error) if error.kind == StoreErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let Some(target) = self.open_for_append(&folder, name)? else { return Ok(None) };
        demand(intent, Some(target.1))?;
        let write = |end: (&D::File, u64)| write_all(&*self.directory, end, content);
        self.append(&changing, &parent, &target, content.len() as u64, write)
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

    /// Lets `write` write so many bytes at the end of a file whose path nobody else changes; nothing
    /// where another program has removed it.
    pub(super) fn append(
        &self,
        changing: &Changing<'_, Version>,
        parent: &ParentPath,
        (file, before): &(D::File, Version),
        count: u64,
        write: impl FnOnce((&D::File, u64)) -> Result<(), StoreError>,
    ) -> Result<Option<Outcome>, StoreError> {
        if count == 0 {
            return Ok(Some(Outcome::Updated(*before)));
        }
        // A record stayed that will cut this file at the next start: nothing is built on it.
        if changing.pinned().is_some_and(|pinned| pinned.inode == before.inode) {
            return Err(StoreError::refused(StoreErrorKind::InputOutput));
        }
        let record = match self.directory.record_undo(parent.as_c_str(), file, *before) {
            // linkat(2): what has no name any more gets none.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            result => result.map_err(|error| StoreError::failed("linkat", error))?,
        };
        let record = StagedEntry::of(&self.directory, record);
        changing.pin(*before);
        let written = self
            .sync_area(record.name()?)
            .and_then(|()| write((file, before.length)))
            .and_then(|()| self.stamp(file));
        let error = match written {
            Ok(version) => match self.finish_append(file, before, record) {
                Ok(()) => {
                    changing.alone().unpin();
                    return Ok(Some(Outcome::Updated(version)));
                }
                Err(Unfinished { error, undone: true }) => error,
                // It stays pinned.
                Err(Unfinished { error, undone: false }) => return Err(error),
            },
            Err(error) => {
                let restored = self.restore(file, before.length, before.modified);
                if restored.and_then(|()| self.sync_content(file)).is_err() {
                    record.keep();
                    return Err(error);
                }
                if record.remove().is_err() {
                    return Err(error);
                }
                error
            }
        };
        changing.alone().unpin();
        Err(error)
    }

    /// All is written: the append is final when its record is gone.
    fn finish_append(
        &self,
        file: &D::File,
        before: &Version,
        record: StagedEntry<D>,
    ) -> Result<(), Unfinished> {
        let unfinished = |error, undone| Unfinished { error, undone };
        let name = record.name().map_err(|error| unfinished(error, false))?;
        if let Err(error) = self.sync_content(file) {
            // What a sync says that follows one that failed means nothing, so the record stays.
            let _ = self.restore(file, before.length, before.modified);
            record.keep();
            return Err(unfinished(error, false));
        }
        let (error, recorded) = match record.remove().map(|()| self.sync_area(name)) {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => (error, false),
            Err(error) => (error, true),
        };
        let restored = self.restore(file, before.length, before.modified);
        let undone = restored.and_then(|()| self.sync_content(file)).is_ok() && !recorded;
        Err(unfinished(error, undone))
    }
}

/// An append that failed at its end.
struct Unfinished {
    error: StoreError,
    /// The file is what it was, and no record says that it is to become that.
    undone: bool,
}
