//! What can be asked of a store, and what it can answer: words without descriptors or local paths.

use std::io;

use super::condition::Condition;
use super::listing::{Listing, View};
use super::path::FilePath;
use super::version::Version;

/// One request to a store. What it works on between two operations is the caller's `Held`.
#[derive(Debug, PartialEq, Eq)]
pub enum Operation {
    /// Look the file up and hold it open for reading, where the condition holds.
    Open(FilePath, Option<Box<Condition>>),
    /// Look at entries of a directory.
    List(FilePath, Box<View>),
    /// Begin an upload: refuse it now where that can be known, else hold a place for its content.
    Stage(Intent),
    /// Add to the content of the upload that is held.
    Write(Vec<u8>),
    /// Add the last of the content and make the upload take effect, in one step.
    Publish(Vec<u8>),
    /// Begin an upload and make it take effect: its whole content is here.
    Store(Intent, Vec<u8>),
    /// Remove a file or an empty directory, where the condition holds.
    Delete(FilePath, Option<Box<Condition>>),
}

/// What an upload is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// Where its content goes.
    pub path: FilePath,
    /// What becomes of a file that is there already.
    pub mode: Mode,
    /// What has to be so when it takes effect. Most demand nothing, and pay for nothing.
    pub condition: Option<Box<Condition>>,
}

/// What an upload does to a file that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Refuse: the file must be new.
    Create,
    /// Put the content in place of the file's.
    Replace,
    /// Put the content behind the file's.
    Append,
}

/// What became of an operation.
#[derive(Debug)]
pub enum Outcome {
    /// This version of the file is held, and stays for this reader, however the file grows.
    Opened(Version),
    /// Whoever asked has this version already; nothing is held.
    NotModified(Version),
    /// A directory is there, where a file was to be opened; nothing is held.
    Directory(FilePath),
    /// These are entries of the directory.
    Listed(Box<Listing>),
    /// The upload is held and may go on.
    Staged,
    /// The content is held; here is its buffer again, empty.
    Written(Vec<u8>),
    /// The upload took effect: the file is new.
    Created(Version),
    /// The upload took effect on a file that was there.
    Updated(Version),
    /// What was there is gone.
    Deleted,
    /// Nothing changed, and nothing is held any more.
    Failed(StoreError),
}

/// Why an operation failed: what kind of cause, in which call, and what the system said.
#[derive(Debug)]
pub struct StoreError {
    /// The cause, as a client may know it.
    pub kind: StoreErrorKind,
    /// The call that failed, for the operator: `openat2`, `renameat2`.
    pub call: &'static str,
    /// What the system said; nothing where the store itself refused.
    pub source: Option<io::Error>,
}

/// The causes, one variant each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreErrorKind {
    /// Nothing is there.
    NotFound,
    /// A component above the last one is a file.
    ParentIsFile,
    /// A file is there and had to be new.
    FileExists,
    /// What is there is not what the condition demands.
    ConditionFails,
    /// The file is not as long as the append demands.
    LengthDiffers {
        /// Bytes of the file; 0 where nothing is there.
        length: u64,
    },
    /// A directory is there, or the path can only name one.
    IsDirectory,
    /// No directory has such a place in its own order.
    NoSuchPlace,
    /// More entries than are sorted, of which those behind a place were asked for.
    TooManyToSort,
    /// A directory was to be removed and has entries.
    DirectoryNotEmpty,
    /// The base directory itself was to be removed.
    IsBaseDirectory,
    /// A symbolic link, FIFO, socket or device is there or on the way.
    NotRegular,
    /// Whoever asks may not do this with what is there, or not where nothing is.
    NotPermitted,
    /// The operating system refuses: permissions, a read-only file system, a path that leaves the tree.
    Denied,
    /// The operating system takes no path or name of this length.
    NameTooLong,
    /// No space or quota.
    NoSpace,
    /// The file would be longer than the file system takes.
    FileTooLarge,
    /// Descriptors or memory are used up for now.
    Busy,
    /// The file system does not keep modification times as finely as they were set.
    TimesCutShort,
    /// The system's input or output failed.
    InputOutput,
    /// The store broke one of its own rules; nothing more is known.
    Broken,
}

impl StoreError {
    /// The store itself refuses.
    pub(super) fn refused(kind: StoreErrorKind) -> StoreError {
        StoreError { kind, call: "", source: None }
    }

    /// A call failed.
    pub(super) fn failed(call: &'static str, source: io::Error) -> StoreError {
        StoreError { kind: StoreErrorKind::of(&source), call, source: Some(source) }
    }
}

impl StoreErrorKind {
    /// What an error of the system means, where the call has no meaning of its own for it.
    fn of(error: &io::Error) -> StoreErrorKind {
        let number = error.raw_os_error().unwrap_or(match error.kind() {
            io::ErrorKind::NotFound => libc::ENOENT,
            io::ErrorKind::CrossesDevices => libc::EXDEV,
            io::ErrorKind::ResourceBusy => libc::EBUSY,
            io::ErrorKind::StorageFull => libc::ENOSPC,
            // An offset beyond what the system counts in.
            io::ErrorKind::InvalidInput => libc::EFBIG,
            _ => 0,
        });
        match number {
            libc::ENOENT => StoreErrorKind::NotFound,
            libc::ENOTDIR => StoreErrorKind::ParentIsFile,
            libc::EEXIST => StoreErrorKind::FileExists,
            libc::EISDIR => StoreErrorKind::IsDirectory,
            libc::ENOTEMPTY => StoreErrorKind::DirectoryNotEmpty,
            // openat2(2): a symbolic link on the way, and one was not to be followed.
            libc::ELOOP => StoreErrorKind::NotRegular,
            // EXDEV, openat2(2): the path leaves the directory beneath which it was to stay.
            // EBUSY, rmdir(2): another file system is mounted there. ETXTBSY: a program runs from it.
            libc::EACCES | libc::EPERM | libc::EROFS | libc::EXDEV | libc::EBUSY | libc::ETXTBSY => {
                StoreErrorKind::Denied
            }
            libc::ENAMETOOLONG => StoreErrorKind::NameTooLong,
            libc::ENOSPC | libc::EDQUOT => StoreErrorKind::NoSpace,
            libc::EFBIG => StoreErrorKind::FileTooLarge,
            libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::EAGAIN => StoreErrorKind::Busy,
            _ => StoreErrorKind::InputOutput,
        }
    }
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.source {
            Some(source) => write!(formatter, "{:?} in {}: {source}", self.kind, self.call),
            None => write!(formatter, "{:?}", self.kind),
        }
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    #[test]
    fn errors_of_the_system_mean_what_their_numbers_say() {
        for (number, kind) in [
            (libc::ENOENT, StoreErrorKind::NotFound),
            (libc::ENOTDIR, StoreErrorKind::ParentIsFile),
            (libc::EEXIST, StoreErrorKind::FileExists),
            (libc::EISDIR, StoreErrorKind::IsDirectory),
            (libc::ENOTEMPTY, StoreErrorKind::DirectoryNotEmpty),
            (libc::ELOOP, StoreErrorKind::NotRegular),
            (libc::EACCES, StoreErrorKind::Denied),
            (libc::EXDEV, StoreErrorKind::Denied),
            (libc::EBUSY, StoreErrorKind::Denied),
            (libc::ENAMETOOLONG, StoreErrorKind::NameTooLong),
            (libc::ENOSPC, StoreErrorKind::NoSpace),
            (libc::EFBIG, StoreErrorKind::FileTooLarge),
            (libc::EMFILE, StoreErrorKind::Busy),
            (libc::EIO, StoreErrorKind::InputOutput),
        ] {
            let error = StoreError::failed("call", io::Error::from_raw_os_error(number));
            assert_eq!(error.kind, kind, "{number}");
            assert!(error.source().is_some(), "{number}");
        }
        assert!(StoreError::refused(StoreErrorKind::Denied).source().is_none());
    }

    #[test]
    fn errors_without_a_number_mean_what_their_kinds_say() {
        for (without, kind) in [
            (io::ErrorKind::NotFound, StoreErrorKind::NotFound),
            (io::ErrorKind::CrossesDevices, StoreErrorKind::Denied),
            (io::ErrorKind::ResourceBusy, StoreErrorKind::Denied),
            (io::ErrorKind::StorageFull, StoreErrorKind::NoSpace),
            (io::ErrorKind::InvalidInput, StoreErrorKind::FileTooLarge),
            (io::ErrorKind::UnexpectedEof, StoreErrorKind::InputOutput),
        ] {
            assert_eq!(StoreError::failed("call", without.into()).kind, kind, "{without:?}");
        }
    }
}
