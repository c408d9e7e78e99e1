//! A directory whose n-th call goes wrong.

use std::ffi::CStr;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::base_directory::BaseDirectory;
use super::directory::{Directory, Found, Kind, StagedName, Wait};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The call fails with this error, and does nothing.
    Error(i32),
    /// A write takes only a part; other calls go well.
    Short,
}

/// A real directory, but for one call.
#[derive(Debug)]
pub(super) struct Faulty {
    pub(super) inner: BaseDirectory,
    /// Calls until the one that goes wrong.
    pub(super) calls_left: AtomicUsize,
    pub(super) fault: Fault,
}

impl Faulty {
    /// Counts a call; whether it is the one.
    fn strikes(&self) -> bool {
        let left = |left: usize| left.checked_sub(1);
        self.calls_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, left) == Ok(1)
    }

    fn call<T>(&self, call: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        match self.fault {
            Fault::Error(errno) if self.strikes() => Err(io::Error::from_raw_os_error(errno)),
            _ => call(),
        }
    }
}

impl Directory for Faulty {
    type File = std::fs::File;
    type Folder = OwnedFd;

    fn open_file(&self, path: &CStr, wait: Wait) -> io::Result<Found<Self::File>> {
        self.call(|| self.inner.open_file(path, wait))
    }

    fn read_cached(&self, file: &Self::File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.call(|| self.inner.read_cached(file, buffer, offset))
    }

    fn read(&self, file: &Self::File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.call(|| self.inner.read(file, buffer, offset))
    }

    fn open_folder(&self, path: &CStr) -> io::Result<OwnedFd> {
        self.call(|| self.inner.open_folder(path))
    }

    fn look_up(&self, folder: &OwnedFd, name: &CStr) -> io::Result<Kind> {
        self.call(|| self.inner.look_up(folder, name))
    }

    fn open_for_append(&self, folder: &OwnedFd, name: &CStr) -> io::Result<Found<Self::File>> {
        self.call(|| self.inner.open_for_append(folder, name))
    }

    fn make_folder(&self, folder: &OwnedFd, name: &CStr) -> io::Result<()> {
        self.call(|| self.inner.make_folder(folder, name))
    }

    fn stage(&self) -> io::Result<(Self::File, StagedName)> {
        self.call(|| self.inner.stage())
    }

    fn write(&self, file: &Self::File, content: &[u8], offset: u64) -> io::Result<usize> {
        let short = self.fault == Fault::Short && self.strikes();
        let content = if short { &content[..content.len().div_ceil(2)] } else { content };
        self.call(|| self.inner.write(file, content, offset))
    }

    fn truncate(&self, file: &Self::File, length: u64) -> io::Result<()> {
        self.call(|| self.inner.truncate(file, length))
    }

    fn sync_file(&self, file: &Self::File) -> io::Result<()> {
        self.call(|| self.inner.sync_file(file))
    }

    fn sync_folder(&self, folder: &OwnedFd) -> io::Result<()> {
        self.call(|| self.inner.sync_folder(folder))
    }

    fn publish_new(&self, staged: StagedName, folder: &OwnedFd, name: &CStr) -> io::Result<()> {
        self.call(|| self.inner.publish_new(staged, folder, name))
    }

    fn exchange(&self, staged: StagedName, folder: &OwnedFd, name: &CStr) -> io::Result<()> {
        self.call(|| self.inner.exchange(staged, folder, name))
    }

    fn publish_over(&self, staged: StagedName, folder: &OwnedFd, name: &CStr) -> io::Result<()> {
        self.call(|| self.inner.publish_over(staged, folder, name))
    }

    fn unstage(&self, staged: StagedName) -> io::Result<()> {
        self.call(|| self.inner.unstage(staged))
    }

    fn remove_file(&self, folder: &OwnedFd, name: &CStr) -> io::Result<()> {
        self.call(|| self.inner.remove_file(folder, name))
    }

    fn remove_folder(&self, folder: &OwnedFd, name: &CStr) -> io::Result<()> {
        self.call(|| self.inner.remove_folder(folder, name))
    }
}
