//! What stands between a path on the command line and a directory that can be served, and
//! [`OpenError`], which says so to the operator.

use std::ffi::{CStr, OsStr};
use std::fs::{DirBuilder, File, TryLockError};
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::store::path::RESERVED_NAME;
use crate::sys::file::{self, BENEATH};

/// Only the server itself has business in its staging directory.
pub(super) const STAGING_MODE: u32 = 0o700;

/// A directory could not be made ready to be served: for the operator, in one line.
#[derive(Debug)]
pub struct OpenError {
    path: PathBuf,
    problem: Problem,
}

#[derive(Debug)]
pub(super) enum Problem {
    /// This call failed.
    Call(&'static str, io::Error),
    /// Something else has the name.
    NotDirectory,
    /// The server's own name is taken.
    StagingTaken,
    /// The file system takes different names for one.
    FoldsCase,
    /// Another server holds the lock.
    InUse,
    /// The kernel cannot keep requests in.
    NoOpenat2(io::Error),
    /// There is no way to open what a descriptor names.
    NoProc(io::Error),
}

impl OpenError {
    pub(super) fn new(path: &Path, problem: Problem) -> OpenError {
        OpenError { path: path.to_owned(), problem }
    }

    pub(super) fn call(path: &Path, name: &'static str, error: io::Error) -> OpenError {
        OpenError::new(path, Problem::Call(name, error))
    }
}

/// Makes the directory `path` and those above it where they are missing. What is acknowledged in
/// one must not vanish with it, so what was made is put on stable storage.
pub(super) fn make_durable(path: &Path) -> Result<(), OpenError> {
    // mkdir(2) makes no `x/.`.
    let path: PathBuf = path.components().collect();
    let missing: Vec<&Path> = path.ancestors().take_while(|path| path.symlink_metadata().is_err()).collect();
    std::fs::create_dir_all(&path).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
            OpenError::new(&path, Problem::NotDirectory)
        }
        _ => OpenError::call(&path, "mkdir", error),
    })?;
    // The one above a relative path's first component has no name of its own.
    for made in missing.iter().rev().filter(|made| !made.as_os_str().is_empty()) {
        let above = made.join("..");
        let folder = File::open(&above).map_err(|error| OpenError::call(&above, "open", error))?;
        folder.sync_all().map_err(|error| OpenError::call(&above, "fsync", error))?;
    }
    Ok(())
}

/// Makes the staging directory of `base` ready: no other server has it. Its lock is held for
/// as long as it is open.
/// Says, too, whether it was made just now.
pub(super) fn open_staging(base_path: &Path, base: BorrowedFd<'_>) -> Result<(File, bool), OpenError> {
    let path = base_path.join(OsStr::from_bytes(RESERVED_NAME));
    let made = match DirBuilder::new().mode(STAGING_MODE).create(&path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
        result => result.map(|()| true).map_err(|error| OpenError::call(&path, "mkdir", error))?,
    };
    if made {
        // Records in it are relied on after a power cut.
        let synced = File::open(base_path).and_then(|base| base.sync_all());
        synced.map_err(|error| OpenError::call(base_path, "fsync", error))?;
    }
    let flags = libc::O_RDONLY | libc::O_DIRECTORY;
    let staging = with_nul(RESERVED_NAME, |name| file::open_beneath(base, name, flags, BENEATH));
    let staging = File::from(staging.map_err(|error| match error.raw_os_error() {
        Some(libc::ENOTDIR | libc::ELOOP) => OpenError::new(&path, Problem::StagingTaken),
        _ => OpenError::call(&path, "openat2", error),
    })?);
    // Clients reach every name but ours byte for byte, so no other may lead there.
    if names(base, &RESERVED_NAME.to_ascii_uppercase(), &staging)
        .map_err(|error| OpenError::call(&path, "fstat", error))?
    {
        return Err(OpenError::new(base_path, Problem::FoldsCase));
    }
    match staging.try_lock() {
        Err(TryLockError::WouldBlock) => return Err(OpenError::new(base_path, Problem::InUse)),
        Err(TryLockError::Error(error)) => return Err(OpenError::call(&path, "flock", error)),
        Ok(()) => {}
    }
    Ok((staging, made))
}

/// Whether `name` leads to `folder`.
pub(super) fn names(base: BorrowedFd<'_>, name: &[u8], folder: &File) -> io::Result<bool> {
    let Ok(other) = with_nul(name, |name| file::open_beneath(base, name, libc::O_PATH, BENEATH)) else {
        return Ok(false);
    };
    let (other, folder) = (File::from(other).metadata()?, folder.metadata()?);
    Ok((other.dev(), other.ino()) == (folder.dev(), folder.ino()))
}

/// Calls `run` with `name` as the kernel takes it.
fn with_nul<T>(name: &[u8], run: impl FnOnce(&CStr) -> T) -> T {
    let mut bytes = name.to_vec();
    bytes.push(0);
    run(CStr::from_bytes_until_nul(&bytes).unwrap_or_default())
}

impl std::fmt::Display for OpenError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Quoted, because a path may hold a line end.
        write!(formatter, "cannot serve {:?}: ", self.path)?;
        match &self.problem {
            Problem::Call(name, error) => write!(formatter, "{name}: {error}; {}", advice(error.kind())),
            Problem::NotDirectory => {
                formatter.write_str("it is not a directory; name one, or a path where one can be made")
            }
            Problem::StagingTaken => formatter.write_str(
                "it is not a directory; the server needs this name for unfinished uploads: move it away",
            ),
            Problem::FoldsCase => formatter.write_str(
                "its file system takes upper case for lower; name a directory on one that does not",
            ),
            Problem::InUse => formatter
                .write_str("another http_server serves it already; stop that one, or name another directory"),
            Problem::NoOpenat2(error) => write!(
                formatter,
                "openat2: {error}; it takes Linux 5.12 or later, and a sandbox that allows the call"
            ),
            Problem::NoProc(error) => write!(formatter, "/proc/self/fd: {error}; /proc has to be mounted"),
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.problem {
            Problem::Call(_, error) | Problem::NoOpenat2(error) | Problem::NoProc(error) => Some(error),
            Problem::NotDirectory | Problem::StagingTaken | Problem::FoldsCase | Problem::InUse => None,
        }
    }
}

/// What an operator can do about an error.
fn advice(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::PermissionDenied => "let the server's user read and write there",
        io::ErrorKind::ReadOnlyFilesystem => "make it writable: unfinished uploads are kept there",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room there",
        _ => "look at the file system that it is on, or name another directory",
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn another_name_of_the_staging_directory_is_found() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("upper")).unwrap();
        std::fs::create_dir(directory.path().join("UPPER")).unwrap();
        let base = File::open(directory.path()).unwrap();
        let upper = File::open(directory.path().join("upper")).unwrap();
        let leads = |name: &[u8]| names(base.as_fd(), name, &upper).unwrap();
        assert!(leads(b"upper") && !leads(b"UPPER") && !leads(b"missing"));
    }

    #[test]
    fn each_problem_is_one_line_that_names_the_path_and_what_to_do() {
        let error = || io::Error::from_raw_os_error(libc::ENOSYS);
        for (problem, advice) in [
            (Problem::Call("mkdir", error()), "name another directory"),
            (Problem::Call("mkdir", io::Error::from_raw_os_error(libc::EROFS)), "make it writable"),
            (Problem::Call("mkdir", io::Error::from_raw_os_error(libc::EACCES)), "read and write there"),
            (Problem::Call("mkdir", io::Error::from_raw_os_error(libc::ENOSPC)), "make room"),
            (Problem::NotDirectory, "name one"),
            (Problem::StagingTaken, "move it away"),
            (Problem::FoldsCase, "on one that does not"),
            (Problem::InUse, "stop that one"),
            (Problem::NoOpenat2(error()), "Linux 5.12"),
            (Problem::NoProc(error()), "has to be mounted"),
        ] {
            let error = OpenError::new(Path::new("a\nb"), problem);
            let line = error.to_string();
            let source = std::error::Error::source(&error).map(ToString::to_string);
            assert_eq!(source.is_some(), line.contains("(os error "), "{line}");
            assert!(line.starts_with("cannot serve \"a\\nb\": ") && line.contains(advice), "{line}");
            assert_eq!(line.lines().count(), 1);
        }
    }
}
