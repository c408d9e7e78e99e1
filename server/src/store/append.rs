//! Content behind the end of a file: all of it, or none.
//!
//! Property: nobody reads a part of an append, or one that is undone. Until its last sync readers
//! are given the version that was there, whose length they keep to however the file grows. Where the
//! process dies in between, a record among the staged files says what the file was: it is there, as
//! durable as was promised, before the first byte is written, and gone before the appender hears of
//! success.

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
use crate::seeded::bug;
use crate::shared::path_locks::Changing;

impl<D: Directory> Store<D> {
    /// Appends what is in memory, which need not be staged for that; nothing where it has to be: where
    /// no file is there, or one with other names.
    pub(super) fn append_whole(
        &self,
        intent: &Intent,
        content: &[u8],
    ) -> Result<Option<Outcome>, StoreError> {
        let (parent, name) = place(intent)?;
        let changing = self.locks.change(intent.path.as_bytes());
        // What is refused for the sake of a directory has to be there for others, too.
        let namespace = self.locks.share_namespace();
        let folder = match self.open_folder(&parent) {
            Ok(folder) => folder,
            Err(error) if error.kind == StoreErrorKind::NotFound => return Ok(None),
            Err(error) if !self.above_is_final(&parent, &error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let Some(target) = self.open_for_append(&folder, name, &changing)? else { return Ok(None) };
        demand(intent, Some(target.version))?;
        if target.shared {
            return Ok(None);
        }
        // It may take long. Nobody removes the file meanwhile, because its path is being changed.
        drop(namespace);
        let write = |end: (&D::File, u64)| write_all(&*self.directory, end, content);
        self.append(&changing, &parent, &target, content.len() as u64, write)
    }

    /// The file to append to and what it is for clients; nothing where nothing is there.
    pub(super) fn open_for_append(
        &self,
        folder: &D::Folder,
        name: &CStr,
        changing: &Changing<'_, Version>,
    ) -> Result<Option<AppendTarget<D>>, StoreError> {
        let pinned = changing.pinned().filter(|_| !bug("pin_ignored_by_appends"));
        let target = |file, version: Version, shared| {
            // What was left of an append that failed is not there for anybody.
            let version = pinned.filter(|pinned| pinned.inode == version.inode).unwrap_or(version);
            Ok(Some(AppendTarget { file, version, shared }))
        };
        match self.directory.open_for_append(folder, name) {
            Ok(Found::File(file, version)) => target(file, version, false),
            Ok(Found::Shared(file, version)) => target(file, version, true),
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
        AppendTarget { file, version: before, .. }: &AppendTarget<D>,
        count: u64,
        write: impl FnOnce((&D::File, u64)) -> Result<(), StoreError>,
    ) -> Result<Option<Outcome>, StoreError> {
        if count == 0 && !bug("empty_append_makes_a_version") {
            return Ok(Some(Outcome::Updated(*before)));
        }
        refuse_undone(changing, before)?;
        self.refuse_unsynced_area()?;
        let record = match self.directory.record_undo(parent.as_c_str(), file, *before) {
            // linkat(2): what has no name any more gets none.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            result => result.map_err(|error| StoreError::failed("linkat", error))?,
        };
        let record = StagedEntry::of(&self.directory, record);
        if !bug("append_is_not_pinned") {
            changing.pin(*before);
        }
        let end = before.length.saturating_sub(u64::from(bug("append_begins_a_byte_early")));
        let written = self
            .sync_area(record.name()?)
            .and_then(|()| write((file, end)))
            .and_then(|()| self.stamp_appended(file));
        let error = match written {
            Ok(_) if bug("append_is_shown_before_its_sync") => {
                changing.alone().unpin();
                self.finish_append(parent, file, before, record).map_err(|unfinished| unfinished.error)?;
                return self.version(file).map(|version| Some(Outcome::Updated(version)));
            }
            Ok(version) => match self.finish_append(parent, file, before, record) {
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
        parent: &ParentPath,
        file: &D::File,
        before: &Version,
        record: StagedEntry<D>,
    ) -> Result<(), Unfinished> {
        let unfinished = |error, undone| Unfinished { error, undone };
        let name = record.name().map_err(|error| unfinished(error, false))?;
        if bug("record_stays") {
            record.keep();
            return Ok(());
        }
        if !bug("record_goes_before_the_sync")
            && let Err(error) = self.sync_content(file)
        {
            // What a sync says that follows one that failed means nothing, so the record stays.
            let _ = self.restore(file, before.length, before.modified);
            record.keep();
            return Err(unfinished(error, false));
        }
        let error = match record.remove().map(|()| self.sync_area(name)) {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error,
            Err(error) => {
                // The record stays, and says the same.
                let _ = self.restore(file, before.length, before.modified);
                return Err(unfinished(error, false));
            }
        };
        // Again, for as long as it takes to cut the file.
        let record = self.directory.record_undo(parent.as_c_str(), file, *before);
        let record = record.map(|record| StagedEntry::of(&self.directory, record));
        let restored = self.restore(file, before.length, before.modified);
        let undone = restored.and_then(|()| self.sync_content(file)).is_ok();
        match record {
            Ok(record) if undone => {
                let undone = record.remove().is_ok();
                Err(unfinished(error, undone))
            }
            Ok(record) => {
                record.keep();
                Err(unfinished(error, false))
            }
            Err(_) => Err(unfinished(error, undone)),
        }
    }
}

/// A record may have stayed that will cut this file at the next start: nothing is built on it.
pub(super) fn refuse_undone(changing: &Changing<'_, Version>, version: &Version) -> Result<(), StoreError> {
    match changing.pinned() {
        Some(pinned) if pinned.inode == version.inode => {
            Err(StoreError::refused(StoreErrorKind::InputOutput))
        }
        _ => Ok(()),
    }
}

/// The file that is appended to.
pub(super) struct AppendTarget<D: Directory> {
    pub(super) file: D::File,
    pub(super) version: Version,
    /// It has other names, which are other files to a client.
    pub(super) shared: bool,
}

/// An append that failed at its end.
struct Unfinished {
    error: StoreError,
    /// The file is what it was, and no record says that it is to become that.
    undone: bool,
}
