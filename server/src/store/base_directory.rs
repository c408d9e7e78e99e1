//! The real directory tree: [`BaseDirectory`], by system calls beneath one descriptor.

use std::ffi::{CStr, OsStr};
use std::fs::{DirBuilder, File, TryLockError};
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::directory::{Directory, Found, Kind, StagedName, Wait};
use super::path::RESERVED_NAME;
use crate::sys::file::{self, BENEATH, CACHED, Place};

/// A directory tree on the machine's file systems, and the staging directory in it.
#[derive(Debug)]
pub struct BaseDirectory {
    base: File,
    /// In the base directory, so that a rename out of it stays within a file system. Its lock is
    /// held as long as the server lives.
    staging: File,
    /// `/proc/self/fd`, by which a descriptor that only names a file is opened for real.
    descriptors: File,
    staged: AtomicU64,
}

/// A directory could not be made ready to be served: for the operator, in one line.
#[derive(Debug)]
pub struct OpenError {
    path: PathBuf,
    problem: Problem,
}

#[derive(Debug)]
enum Problem {
    Call(&'static str, io::Error),
    NotDirectory,
    InUse,
    NoOpenat2(io::Error),
    NoProc(io::Error),
}

/// Made with this mode but for the umask, as any program's files.
const FILE_MODE: libc::mode_t = 0o666;
/// The same for directories.
const FOLDER_MODE: libc::mode_t = 0o777;
/// Only the server itself has business in its staging directory.
const STAGING_MODE: u32 = 0o700;

impl BaseDirectory {
    /// Makes `path` ready to be served: makes it where it is missing, makes sure that no other
    /// server uses it, and removes what one left behind that died.
    ///
    /// # Errors
    /// Everything that stands in the way of keeping the store's promises there.
    pub fn open(path: &Path) -> Result<BaseDirectory, OpenError> {
        let problem = |problem| OpenError { path: path.to_owned(), problem };
        let call = |name| move |error| problem(Problem::Call(name, error));
        match std::fs::create_dir_all(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(problem(Problem::NotDirectory));
            }
            result => result.map_err(call("mkdir"))?,
        }
        let base = File::open(path).map_err(call("open"))?;
        // Before anything is made in it: on a kernel that cannot keep requests in, none are served.
        match file::open_beneath(base.as_fd(), c".", libc::O_PATH, BENEATH | CACHED) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                return Err(problem(Problem::NoOpenat2(error)));
            }
            _ => {}
        }
        let descriptors = File::open("/proc/self/fd").map_err(|error| problem(Problem::NoProc(error)))?;
        let staging_path = path.join(OsStr::from_bytes(RESERVED_NAME));
        match DirBuilder::new().mode(STAGING_MODE).create(&staging_path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            result => result.map_err(call("mkdir"))?,
        }
        let mut name = RESERVED_NAME.to_vec();
        name.push(0);
        let name = CStr::from_bytes_until_nul(&name).unwrap_or_default();
        let staging = file::open_beneath(base.as_fd(), name, libc::O_RDONLY | libc::O_DIRECTORY, BENEATH)
            .map_err(call("openat2"))?;
        let staging = File::from(staging);
        match staging.try_lock() {
            Err(TryLockError::WouldBlock) => return Err(problem(Problem::InUse)),
            Err(TryLockError::Error(error)) => return Err(call("flock")(error)),
            Ok(()) => {}
        }
        let directory = BaseDirectory { base, staging, descriptors, staged: AtomicU64::new(0) };
        directory.sweep(&staging_path).map_err(call("unlinkat"))?;
        Ok(directory)
    }

    /// Removes what a server staged that died. Nobody else has the directory now.
    fn sweep(&self, staging_path: &Path) -> io::Result<()> {
        for entry in std::fs::read_dir(staging_path)? {
            let mut name = entry?.file_name().as_bytes().to_vec();
            name.push(0);
            let name = CStr::from_bytes_until_nul(&name).unwrap_or_default();
            file::remove_file_at(self.staging.as_fd(), name)?;
        }
        Ok(())
    }

    /// Opens a regular file for real that `named` only names.
    fn reopen(&self, named: &OwnedFd, flags: libc::c_int) -> io::Result<Found<File>> {
        let status = file::status(named.as_fd())?;
        match kind(status.format) {
            Kind::Directory => return Ok(Found::Directory),
            Kind::Other => return Ok(Found::Other),
            Kind::File => {}
        }
        let mut name = DecimalName::default();
        // Neither a terminal nor a lease of another program is to be waited for.
        let flags = flags | libc::O_NONBLOCK | libc::O_NOCTTY;
        let descriptor = name.of(named.as_raw_fd().unsigned_abs().into());
        let file = file::open_at(self.descriptors.as_fd(), descriptor, flags, 0)?;
        Ok(Found::File(File::from(file), status.length))
    }

    fn staged_place<'a>(&'a self, name: &'a mut DecimalName, staged: StagedName) -> Place<'a> {
        Place { directory: self.staging.as_fd(), name: name.of(staged.0) }
    }
}

impl Directory for BaseDirectory {
    type File = File;
    type Folder = OwnedFd;

    fn open_file(&self, path: &CStr, wait: Wait) -> io::Result<Found<File>> {
        let cached = if wait == Wait::Never { CACHED } else { 0 };
        let named = file::open_beneath(self.base.as_fd(), or_dot(path), libc::O_PATH, BENEATH | cached)?;
        self.reopen(&named, libc::O_RDONLY)
    }

    fn read_cached(&self, file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        file::read_cached(file.as_fd(), buffer, offset)
    }

    fn read(&self, file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        file.read_at(buffer, offset)
    }

    fn open_folder(&self, path: &CStr) -> io::Result<OwnedFd> {
        // For reading, because what only names a directory cannot be synced.
        file::open_beneath(self.base.as_fd(), or_dot(path), libc::O_RDONLY | libc::O_DIRECTORY, BENEATH)
    }

    fn look_up(&self, folder: &OwnedFd, name: &CStr) -> io::Result<Kind> {
        Ok(kind(file::status_at(folder.as_fd(), name)?.format))
    }

    fn open_for_append(&self, folder: &OwnedFd, name: &CStr) -> io::Result<Found<File>> {
        let flags = libc::O_PATH | libc::O_NOFOLLOW;
        let named = file::open_beneath(folder.as_fd(), name, flags, BENEATH)?;
        self.reopen(&named, libc::O_WRONLY)
    }

    fn make_folder(&self, folder: &OwnedFd, name: &CStr) -> io::Result<()> {
        file::make_directory_at(folder.as_fd(), name, FOLDER_MODE)
    }

    fn stage(&self) -> io::Result<(File, StagedName)> {
        let staged = StagedName(self.staged.fetch_add(1, Ordering::Relaxed));
        let flags = libc::O_RDWR | libc::O_CREAT | libc::O_EXCL;
        let mut name = DecimalName::default();
        let file = file::open_at(self.staging.as_fd(), name.of(staged.0), flags, FILE_MODE)?;
        Ok((File::from(file), staged))
    }

    fn write(&self, file: &File, content: &[u8], offset: u64) -> io::Result<usize> {
        file.write_at(content, offset)
    }

    fn truncate(&self, file: &File, length: u64) -> io::Result<()> {
        file.set_len(length)
    }

    fn sync_file(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn sync_folder(&self, folder: &OwnedFd) -> io::Result<()> {
        File::from(folder.try_clone()?).sync_all()
    }

    fn publish_new(&self, staged: StagedName, folder: &OwnedFd, name: &CStr) -> io::Result<()> {
        let mut buffer = DecimalName::default();
        let (from, to) = (self.staged_place(&mut buffer, staged), Place { directory: folder.as_fd(), name });
        match file::rename(from, to, libc::RENAME_NOREPLACE) {
            // rename(2): a file system need not have the flag. link(2) refuses a name that is taken.
            Err(error) if is_unsupported(&error) => {
                file::link(from, to)?;
                file::remove_file_at(from.directory, from.name)
            }
            result => result,
        }
    }

    fn exchange(&self, staged: StagedName, folder: &OwnedFd, name: &CStr) -> io::Result<()> {
        let mut buffer = DecimalName::default();
        let (from, to) = (self.staged_place(&mut buffer, staged), Place { directory: folder.as_fd(), name });
        match file::rename(from, to, libc::RENAME_EXCHANGE) {
            Err(error) if is_unsupported(&error) => Err(io::ErrorKind::Unsupported.into()),
            result => result,
        }
    }

    fn publish_over(&self, staged: StagedName, folder: &OwnedFd, name: &CStr) -> io::Result<()> {
        let mut buffer = DecimalName::default();
        let (from, to) = (self.staged_place(&mut buffer, staged), Place { directory: folder.as_fd(), name });
        file::rename(from, to, 0)
    }

    fn unstage(&self, staged: StagedName) -> io::Result<()> {
        let mut buffer = DecimalName::default();
        let place = self.staged_place(&mut buffer, staged);
        file::remove_file_at(place.directory, place.name)
    }

    fn remove_file(&self, folder: &OwnedFd, name: &CStr) -> io::Result<()> {
        file::remove_file_at(folder.as_fd(), name)
    }

    fn remove_folder(&self, folder: &OwnedFd, name: &CStr) -> io::Result<()> {
        file::remove_directory_at(folder.as_fd(), name)
    }
}

fn kind(format: libc::mode_t) -> Kind {
    match format {
        libc::S_IFREG => Kind::File,
        libc::S_IFDIR => Kind::Directory,
        _ => Kind::Other,
    }
}

/// openat2(2) takes no empty path.
fn or_dot(path: &CStr) -> &CStr {
    if path.is_empty() { c"." } else { path }
}

fn is_unsupported(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOSYS | libc::EOPNOTSUPP))
}

/// A number as a name, without an allocation.
#[derive(Debug, Default)]
struct DecimalName([u8; 21]);

impl DecimalName {
    fn of(&mut self, number: u64) -> &CStr {
        self.0 = [0; 21];
        // 20 digits are as many as 64 bits can have, so the last byte stays NUL.
        let _ = write!(&mut self.0[..20], "{number}");
        CStr::from_bytes_until_nul(&self.0).unwrap_or_default()
    }
}

impl AsFd for BaseDirectory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.base.as_fd()
    }
}

impl std::fmt::Display for OpenError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = self.path.display();
        match &self.problem {
            Problem::Call(name, error) => write!(formatter, "cannot serve {path}: {name}: {error}"),
            Problem::NotDirectory => write!(formatter, "cannot serve {path}: it is not a directory"),
            Problem::InUse => write!(formatter, "cannot serve {path}: another http_server serves it already"),
            Problem::NoOpenat2(error) => {
                write!(formatter, "cannot serve {path}: openat2: {error}; it takes Linux 5.12 or later")
            }
            Problem::NoProc(error) => {
                write!(formatter, "cannot serve {path}: /proc/self/fd: {error}; /proc has to be mounted")
            }
        }
    }
}

impl std::error::Error for OpenError {}
