//! Content behind the end of a file: all of it, or the file is cut to what it was.
//!
//! Property: nobody reads a part of an append, or one that is undone. Readers pin the length when
//! they open the file, for which they need the path's lock; the appender holds it to the last sync.

use std::ffi::CStr;
use std::io;

use super::Store;
use super::content::write_all;
use super::directory::{Directory, Found};
use super::operation::{Intent, Outcome, StoreError, StoreErrorKind};
use super::upload::place;

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
        let write = |end: (&D::File, u64)| write_all(&*self.directory, end, content);
        self.append(&target, write).map(Some)
    }

    /// The file to append to and its length; nothing where nothing is there.
    pub(super) fn open_for_append(
        &self,
        folder: &D::Folder,
        name: &CStr,
    ) -> Result<Option<(D::File, u64)>, StoreError> {
        match self.directory.open_for_append(folder, name) {
            Ok(Found::File(file, length)) => Ok(Some((file, length))),
            Ok(Found::Directory) => Err(StoreError::refused(StoreErrorKind::IsDirectory)),
            Ok(Found::Other) => Err(StoreError::refused(StoreErrorKind::NotRegular)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::failed("openat2", error)),
        }
    }

    /// Lets `write` write at the end of a file whose path's lock is held.
    pub(super) fn append(
        &self,
        (file, length): &(D::File, u64),
        write: impl FnOnce((&D::File, u64)) -> Result<(), StoreError>,
    ) -> Result<Outcome, StoreError> {
        match write((file, *length)).and_then(|()| self.sync_content(file)) {
            Ok(()) => Ok(Outcome::Updated),
            Err(error) => {
                // As before, as far as the file system still does what it is told.
                let _ = self.directory.truncate(file, *length);
                Err(error)
            }
        }
    }
}
