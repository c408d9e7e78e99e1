//! A descriptor that whoever needs it shares: [`OpenFile`], and what a kept one was when it was opened.

use std::fs::File;
use std::ops::Deref;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::sys::file::Status;

/// A file or directory. Where it is shared nobody relies on its position.
#[derive(Debug)]
pub struct OpenFile {
    file: File,
    opened: Option<Opened>,
}

/// All that tells whether it would be opened again as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Opened {
    device: u64,
    length: u64,
    modified: i64,
    /// With it who may open it; and where the file system gives the inode new content, that it did.
    changed: i64,
}

impl OpenFile {
    /// For one user, or for those who look at nothing but its content.
    pub(super) fn new(file: impl Into<File>) -> OpenFile {
        OpenFile { file: file.into(), opened: None }
    }

    /// Open for reading since its status was this.
    pub(super) fn since(descriptor: OwnedFd, status: &Status) -> OpenFile {
        OpenFile { file: descriptor.into(), opened: Some(Opened::of(status)) }
    }

    /// Whether a file whose status is this now is the same one, and nothing about it has changed.
    /// As long as this one is open its inode's number is given to no other.
    pub(super) fn is_as(&self, status: &Status) -> bool {
        self.opened == Some(Opened::of(status))
    }
}

impl Opened {
    fn of(status: &Status) -> Opened {
        let &Status { device, length, modified, changed, .. } = status;
        Opened { device, length, modified, changed }
    }
}

impl Deref for OpenFile {
    type Target = File;

    fn deref(&self) -> &File {
        &self.file
    }
}

impl AsFd for OpenFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}
