//! A file is looked up and held open, as it is at that moment.

use std::io::{self, ErrorKind};

use super::condition::{Condition, There, Verdict};
use super::directory::{Directory, Found};
use super::operation::{Outcome, StoreError, StoreErrorKind};
use super::path::FilePath;
use super::version::Version;
use super::{Held, Store};
use crate::seeded::bug;
use crate::shared::path_locks::Reading;

/// How often links are looked at again that change meanwhile: beside a writer that does nothing but
/// replace their target, one look in four is in vain.
const ATTEMPTS_MAX: usize = 64;

impl<D: Directory> Store<D> {
    /// Opens `path`; may wait for the disk.
    pub(super) fn open(
        &self,
        path: &FilePath,
        condition: Option<&Condition>,
        held: &mut Held<D>,
    ) -> Result<Outcome, StoreError> {
        match self.open_without_links(path, condition, held) {
            Err(error) if self.follow_links && is_link(&error) => self.open_by_links(path, condition, held),
            result => result,
        }
    }

    /// The same with what is in memory, and locks that are free; nothing where it might wait.
    pub(super) fn open_cached(
        &self,
        path: &FilePath,
        condition: Option<&Condition>,
        held: &mut Held<D>,
        names: &mut D::Names,
    ) -> Option<Result<Outcome, StoreError>> {
        let reading = self.locks.try_read(path.as_bytes())?;
        let result = pinned(self.directory.open_cached(path.as_c_str(), names), &reading, path);
        if let Err(error) = &result {
            // What stands in the way is looked for by a worker.
            if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotADirectory)
                || self.follow_links && error.raw_os_error() == Some(libc::ELOOP)
            {
                return None;
            }
        }
        if matches!(result, Ok(Found::Directory)) {
            return None;
        }
        *held = Held::Nothing;
        Some(self.opened(path, result, condition, held))
    }

    fn open_without_links(
        &self,
        path: &FilePath,
        condition: Option<&Condition>,
        held: &mut Held<D>,
    ) -> Result<Outcome, StoreError> {
        let open = || {
            let reading = self.locks.read(path.as_bytes());
            pinned(self.directory.open_file(path.as_c_str()), &reading, path)
        };
        let result = match open() {
            // It may have been made a moment ago, for a file that is not there yet: nobody has seen it
            // before that file.
            Ok(Found::Directory) => {
                let _namespace = self.locks.share_namespace();
                open()
            }
            result => result,
        };
        self.opened(path, result, condition, held)
    }

    /// Opens what links lead to by its own path, so that it is locked, and kept within bounds, as
    /// if it had been asked for.
    fn open_by_links(
        &self,
        path: &FilePath,
        condition: Option<&Condition>,
        held: &mut Held<D>,
    ) -> Result<Outcome, StoreError> {
        let mut attempts_left = ATTEMPTS_MAX;
        loop {
            attempts_left -= 1;
            let (target, inode) = self
                .directory
                .resolve(path.as_c_str())
                .map_err(|error| StoreError::failed("openat2", error))?;
            let result = match FilePath::of_names(&target, path.names_directory()) {
                Some(target) => self.open_without_links(&target, condition, held),
                // Links to what the server keeps for itself lead nowhere. So do, for a moment, those to
                // a file that is just being replaced.
                None => Err(StoreError::refused(StoreErrorKind::Denied)),
            };
            // Was it moved since, or something else put in its place? Then where do they lead now?
            let same = match &result {
                Ok(Outcome::Opened(version) | Outcome::NotModified(version)) => version.inode == inode,
                Ok(_) => true,
                Err(error) => !has_moved(error) && error.kind != StoreErrorKind::Denied,
            };
            if same || attempts_left == 0 && result.is_err() {
                return result;
            }
            *held = Held::Nothing;
            if attempts_left == 0 {
                return Err(StoreError::refused(StoreErrorKind::Busy));
            }
        }
    }

    /// What it means that `path` was opened.
    fn opened(
        &self,
        path: &FilePath,
        result: io::Result<Found<D::File>>,
        condition: Option<&Condition>,
        held: &mut Held<D>,
    ) -> Result<Outcome, StoreError> {
        match result {
            // Where only a directory can be meant, a file is not what was asked for.
            Ok(Found::File(..) | Found::Shared(..)) if path.names_directory() => {
                Err(StoreError::refused(StoreErrorKind::NotFound))
            }
            Ok(Found::File(file, version) | Found::Shared(file, version)) => {
                let judge = |condition: &Condition| condition.judge(There::File(version), true);
                match condition.map_or(Verdict::Holds, judge) {
                    Verdict::Holds => {
                        *held = Held::File(file);
                        Ok(Outcome::Opened(version))
                    }
                    Verdict::NotModified => Ok(Outcome::NotModified(version)),
                    Verdict::Fails => Err(StoreError::refused(StoreErrorKind::ConditionFails)),
                }
            }
            Ok(Found::Directory) => Err(StoreError::refused(StoreErrorKind::IsDirectory)),
            Ok(Found::Other) => Err(StoreError::refused(StoreErrorKind::NotRegular)),
            Err(error) => Err(match path.parent_and_name() {
                Some((parent, _)) => self.not_opened(&parent, error),
                None => StoreError::failed("openat2", error),
            }),
        }
    }
}

/// What was opened, as far as it is final: while the file is appended to, what it was before.
fn pinned<F>(
    result: io::Result<Found<F>>,
    reading: &Reading<'_, Version>,
    path: &FilePath,
) -> io::Result<Found<F>> {
    match (result, reading.pinned(path.as_bytes())) {
        (Ok(Found::File(file, version)), Some(pinned))
            if pinned.inode == version.inode && !bug("pin_ignored_by_readers") =>
        {
            Ok(Found::File(file, *pinned))
        }
        (result, _) => result,
    }
}

/// Whether something else is there than a moment ago.
fn has_moved(error: &StoreError) -> bool {
    is_link(error) || error.source.as_ref().is_some_and(|source| source.kind() == ErrorKind::NotFound)
}

/// Whether a symbolic link is on the way.
pub(super) fn is_link(error: &StoreError) -> bool {
    error.source.as_ref().is_some_and(|source| source.raw_os_error() == Some(libc::ELOOP))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_moved_is_told_from_what_is_not_there_to_be_read() {
        let failed = |number| StoreError::failed("openat2", io::Error::from_raw_os_error(number));
        for (error, link, moved) in [
            (failed(libc::ELOOP), true, true),
            (failed(libc::ENOENT), false, true),
            (failed(libc::EIO), false, false),
            (failed(libc::EACCES), false, false),
            (StoreError::refused(StoreErrorKind::NotFound), false, false),
        ] {
            assert_eq!((is_link(&error), has_moved(&error)), (link, moved), "{error}");
        }
    }
}
