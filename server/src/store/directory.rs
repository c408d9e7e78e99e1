//! What the store needs of a file system, call by call: [`Directory`], the seam below which a
//! real, a simulated, a failing or a crashing one fits.

use std::ffi::CStr;
use std::io;

/// A tree of files below one base directory. Each method is one system call or a few; none
/// follows a symbolic link, none leaves the tree. Those with a body are what a file system may lack.
pub trait Directory: Send + Sync + 'static {
    /// An open regular file.
    type File: Send + Sync + 'static;
    /// An open directory of the tree.
    type Folder: Send;

    /// Opens what `path` names for reading; nothing but a regular file is opened for real.
    ///
    /// # Errors
    /// `WouldBlock` with [`Wait::Never`] where the answer is not in the kernel's caches.
    fn open_file(&self, path: &CStr, wait: Wait) -> io::Result<Found<Self::File>>;
    /// Reads from `offset` what is in memory already, which may be less than asked for.
    ///
    /// # Errors
    /// `WouldBlock` where the disk would have to be asked.
    fn read_cached(&self, file: &Self::File, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Reads from `offset`; less than asked for is no error, nothing means the end.
    ///
    /// # Errors
    /// What the system said; the same holds for all that follow.
    fn read(&self, file: &Self::File, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Opens the directory that `path` names; the base directory where it is empty.
    ///
    /// # Errors
    /// See [`Directory::read`].
    fn open_folder(&self, path: &CStr) -> io::Result<Self::Folder>;
    /// Whether entries of `folder` may be made and removed, as far as permissions tell.
    ///
    /// # Errors
    /// What making one would say.
    fn may_change_entries(&self, _folder: &Self::Folder) -> io::Result<()> {
        Ok(())
    }
    /// What `name` is; a symbolic link is not followed.
    ///
    /// # Errors
    /// See [`Directory::read`].
    fn look_up(&self, folder: &Self::Folder, name: &CStr) -> io::Result<Kind>;
    /// Opens the regular file `name` for writing.
    ///
    /// # Errors
    /// See [`Directory::read`].
    fn open_for_append(&self, folder: &Self::Folder, name: &CStr) -> io::Result<Found<Self::File>>;
    /// Makes the directory `name`.
    ///
    /// # Errors
    /// See [`Directory::read`].
    fn make_folder(&self, folder: &Self::Folder, name: &CStr) -> io::Result<()>;

    /// Makes an empty file that no client can reach.
    ///
    /// # Errors
    /// See [`Directory::read`].
    fn stage(&self) -> io::Result<(Self::File, StagedName)>;
    /// Writes at `offset`; less than given may be written.
    ///
    /// # Errors
    /// See [`Directory::read`].
    fn write(&self, file: &Self::File, content: &[u8], offset: u64) -> io::Result<usize>;
    /// Copies up to `length` bytes from an offset of a file to one of another; fewer may be copied.
    ///
    /// # Errors
    /// `Unsupported` where they have to be read and written.
    fn copy(&self, _from: (&Self::File, u64), _to: (&Self::File, u64), _length: u64) -> io::Result<u64> {
        Err(io::ErrorKind::Unsupported.into())
    }
    /// Cuts the file to `length` bytes.
    ///
    /// # Errors
    /// See [`Directory::read`].
    fn truncate(&self, file: &Self::File, length: u64) -> io::Result<()>;
    /// Puts the file's content on stable storage.
    ///
    /// # Errors
    /// See [`Directory::read`]. Never to be tried again on the same file: what could not be
    /// written counts as written from then on.
    fn sync_file(&self, file: &Self::File) -> io::Result<()>;
    /// Puts the directory's entries on stable storage.
    ///
    /// # Errors
    /// As [`Directory::sync_file`].
    fn sync_folder(&self, folder: &Self::Folder) -> io::Result<()>;
    /// Moves a staged file to `name`, which must be new.
    ///
    /// # Errors
    /// `AlreadyExists` where it is not; the file stays staged.
    fn publish_new(&self, staged: StagedName, folder: &Self::Folder, name: &CStr) -> io::Result<()>;
    /// Makes a staged file and the file `name` change places in one step.
    ///
    /// # Errors
    /// `Unsupported` where the file system cannot.
    fn exchange(&self, staged: StagedName, folder: &Self::Folder, name: &CStr) -> io::Result<()>;
    /// Moves a staged file to `name`, in place of the file that is there.
    ///
    /// # Errors
    /// See [`Directory::read`].
    fn publish_over(&self, staged: StagedName, folder: &Self::Folder, name: &CStr) -> io::Result<()>;
    /// Moves the file `name` to where no client can reach it, as if it had been staged there.
    ///
    /// # Errors
    /// `CrossesDevices` where that is on another file system; the file stays where it is.
    fn retire(&self, _folder: &Self::Folder, _name: &CStr) -> io::Result<StagedName> {
        Err(io::ErrorKind::CrossesDevices.into())
    }
    /// Removes a staged file.
    ///
    /// # Errors
    /// See [`Directory::read`].
    fn unstage(&self, staged: StagedName) -> io::Result<()>;
    /// Removes the file `name`.
    ///
    /// # Errors
    /// See [`Directory::read`].
    fn remove_file(&self, folder: &Self::Folder, name: &CStr) -> io::Result<()>;
    /// Removes the empty directory `name`.
    ///
    /// # Errors
    /// See [`Directory::read`].
    fn remove_folder(&self, folder: &Self::Folder, name: &CStr) -> io::Result<()>;
}

/// Whether a call may wait for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// In a worker.
    Allowed,
    /// In an event loop.
    Never,
}

/// What a name turned out to be.
#[derive(Debug)]
pub enum Found<F> {
    /// A regular file, open, so many bytes long when it was opened.
    File(F, u64),
    /// A directory.
    Directory,
    /// Neither: it was not opened.
    Other,
}

/// What a name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link, FIFO, socket or device.
    Other,
}

/// The name of a staged file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StagedName(pub u64);
