//! What the store needs of a file system, call by call: [`Directory`], the seam below which a
//! real, a simulated, a failing or a crashing one fits.

use std::ffi::CStr;
use std::io;
use std::ops::ControlFlow;

use super::version::Version;

/// A tree of files below one base directory. Each method is one system call or a few; none but
/// [`Directory::resolve`] follows a symbolic link, none leaves the tree. Those with a body are what a
/// file system may lack.
pub trait Directory: Send + Sync + 'static {
    /// An open regular file.
    type File: Send + Sync + 'static;
    /// An open directory of the tree.
    type Folder: Send;
    /// What one thread knows of where names lead, so that it need not look each time; by default
    /// nothing, for ever.
    type Names: Default + Send;

    /// Opens what `path` names for reading; nothing but a regular file is opened for real.
    ///
    /// # Errors
    /// See [`Directory::read`].
    fn open_file(&self, path: &CStr) -> io::Result<Found<Self::File>>;
    /// The same without waiting for the disk.
    ///
    /// # Errors
    /// `WouldBlock` where the answer is not in the kernel's caches.
    fn open_cached(&self, path: &CStr, names: &mut Self::Names) -> io::Result<Found<Self::File>>;
    /// Nothing is known yet.
    fn names(&self) -> Self::Names;
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

    /// Lets go of a file whose inode has this number, where nothing can come of that, because it
    /// stays open at any rate.
    ///
    /// # Errors
    /// The file, where this would close it.
    fn give_back(&self, file: Self::File, _inode: u64) -> Result<(), Self::File> {
        Err(file)
    }
    /// Keeps no file open whose inode has this number: it has lost its name.
    fn forget(&self, _inode: u64) {}

    /// Opens the directory that `path` names; the base directory where it is empty.
    ///
    /// # Errors
    /// See [`Directory::read`].
    fn open_folder(&self, path: &CStr) -> io::Result<Self::Folder>;
    /// Whether what is staged would have to be copied to come into `folder`, as far as can be told at
    /// once: whether it is on another device.
    fn is_elsewhere(&self, _folder: &Self::Folder) -> bool {
        false
    }
    /// Whether entries of `folder` may be made and removed, as far as permissions tell.
    ///
    /// # Errors
    /// What making one would say.
    fn may_change_entries(&self, _folder: &Self::Folder) -> io::Result<()> {
        Ok(())
    }
    /// Tells this directory from every other: its device and inode.
    ///
    /// # Errors
    /// See [`Directory::read`].
    fn folder_key(&self, folder: &Self::Folder) -> io::Result<(u64, u64)>;
    /// What `name` is; a symbolic link is not followed.
    ///
    /// # Errors
    /// See [`Directory::read`].
    fn look_up(&self, folder: &Self::Folder, name: &CStr) -> io::Result<Entry>;
    /// Calls with each entry of `folder` from a position on, 0 being the beginning, until that breaks;
    /// also with what is none for a client. An entry that is there all the time comes exactly once, if
    /// each position is that behind the one before.
    ///
    /// # Errors
    /// `InvalidInput` where there can be no such position.
    fn read_folder(
        &self,
        folder: &Self::Folder,
        from: i64,
        each: &mut dyn FnMut(FolderEntry<'_>) -> ControlFlow<()>,
    ) -> io::Result<()>;
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

    /// Makes an empty file that no client can reach; with `near`, on the file system of that
    /// directory, or of the innermost one on the way to it that is there.
    ///
    /// # Errors
    /// `CrossesDevices` where `near` has no file system of its own.
    fn stage(&self, near: Option<&CStr>) -> io::Result<(Self::File, StagedName)>;
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
    /// What the file is now.
    ///
    /// # Errors
    /// See [`Directory::read`].
    fn version(&self, file: &Self::File) -> io::Result<Version>;
    /// Sets the file's modification time, in nanoseconds since 1970.
    ///
    /// # Errors
    /// See [`Directory::read`].
    fn set_modified(&self, file: &Self::File, modified: i64) -> io::Result<()>;
    /// The time by which files are stamped, in nanoseconds since 1970.
    fn time(&self) -> i64;
    /// A time that is later than every stamp that a server before this one gave, as far as it was
    /// not later than its clock or reserved.
    fn last_change(&self) -> i64 {
        0
    }
    /// Lets [`Directory::last_change`] be no earlier than this from the next start on.
    ///
    /// # Errors
    /// See [`Directory::read`].
    fn reserve_times(&self, _until: i64) -> io::Result<()> {
        Ok(())
    }
    /// Puts the file's content, length and modification time on stable storage.
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
    /// Moves the file `name`, in the directory `near`, to where no client can reach it, as if it
    /// had been staged there.
    ///
    /// # Errors
    /// `CrossesDevices` where there is no such place on its file system; the file stays.
    fn retire(&self, _near: &CStr, _folder: &Self::Folder, _name: &CStr) -> io::Result<StagedName> {
        Err(io::ErrorKind::CrossesDevices.into())
    }
    /// Records that `file`, which is in the directory `near`, is to become `before` again, unless
    /// the record is unstaged: a second name for it among the staged ones.
    ///
    /// # Errors
    /// See [`Directory::read`].
    fn record_undo(&self, near: &CStr, file: &Self::File, before: Version) -> io::Result<StagedName>;
    /// Puts on stable storage which names are staged where this one is or was.
    ///
    /// # Errors
    /// As [`Directory::sync_file`].
    fn sync_staged(&self, staged: StagedName) -> io::Result<()>;
    /// Removes a staged file.
    ///
    /// # Errors
    /// See [`Directory::read`].
    fn unstage(&self, staged: StagedName) -> io::Result<()>;
    /// Everything that a server before this one staged and left.
    ///
    /// # Errors
    /// See [`Directory::read`].
    fn leftovers(&self) -> io::Result<Vec<StagedName>>;
    /// Opens a staged file for writing.
    ///
    /// # Errors
    /// See [`Directory::read`].
    fn open_staged(&self, staged: StagedName) -> io::Result<Self::File>;
    /// The path to which links in the base directory lead from `path`, relative to it, and the number
    /// of the inode that is there. The path may be that of something else by now.
    ///
    /// # Errors
    /// What stands in the way; `Unsupported` where links are never followed.
    fn resolve(&self, _path: &CStr) -> io::Result<(Vec<u8>, u64)> {
        Err(io::ErrorKind::Unsupported.into())
    }
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

/// What a name turned out to be.
#[derive(Debug)]
pub enum Found<F> {
    /// A regular file, open, and what it was when it was opened.
    File(F, Version),
    /// The same, to be written to, where it has other names beside this one.
    Shared(F, Version),
    /// A directory.
    Directory,
    /// Neither: it was not opened.
    Other,
}

impl<F> Found<F> {
    /// The same with something else for the open file.
    pub fn map<G>(self, make: impl FnOnce(F) -> G) -> Found<G> {
        match self {
            Found::File(file, version) => Found::File(make(file), version),
            Found::Shared(file, version) => Found::Shared(make(file), version),
            Found::Directory => Found::Directory,
            Found::Other => Found::Other,
        }
    }
}

/// What a name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A regular file.
    File(Version),
    /// A directory.
    Directory,
    /// A symbolic link, FIFO, socket or device.
    Other,
}

/// A name that was read from a directory.
#[derive(Clone, Copy, Debug)]
pub struct FolderEntry<'a> {
    /// The name.
    pub name: &'a CStr,
    /// It is certain that this is neither a file nor a directory.
    pub is_other: bool,
    /// The position behind it.
    pub next: i64,
}

/// The name of a staged file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StagedName {
    /// Which of the places for staged files; 0 is the one in the base directory.
    pub area: u32,
    /// Tells it from every other there.
    pub number: u64,
    /// Of a record to undo an append: length and modification time to restore.
    pub undo: Option<(u64, i64)>,
}
