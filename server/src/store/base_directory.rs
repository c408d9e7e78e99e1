//! The real directory tree: [`BaseDirectory`], by system calls beneath one descriptor.

mod start;

use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use super::directory::{Directory, Found, Kind, StagedName, Wait};
use crate::sys::file::{self, BENEATH, CACHED, Place};
#[cfg(test)]
pub(crate) use crate::sys::identity;
pub use start::OpenError;
use start::{Problem, make_durable, open_staging};

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

/// Made with this mode but for the umask, as any program's files.
const FILE_MODE: libc::mode_t = 0o666;
/// The same for directories.
const FOLDER_MODE: libc::mode_t = 0o777;

impl BaseDirectory {
    /// Makes `path` ready to be served: makes it where it is missing, makes sure that no other
    /// server uses it, and removes what one left behind that died.
    ///
    /// # Errors
    /// Everything that stands in the way of keeping the store's promises there.
    pub fn open(path: &Path) -> Result<BaseDirectory, OpenError> {
        make_durable(path)?;
        let base = File::open(path).map_err(|error| OpenError::call(path, "open", error))?;
        // Before anything is made in it: on a kernel that cannot keep requests in, none are served.
        match file::open_beneath(base.as_fd(), c".", libc::O_PATH, BENEATH | CACHED) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                return Err(OpenError::new(path, Problem::NoOpenat2(error)));
            }
            _ => {}
        }
        let no_proc = |error| OpenError::new(path, Problem::NoProc(error));
        let descriptors = File::open("/proc/self/fd").map_err(no_proc)?;
        // A directory of that name need not be what the kernel makes of it.
        let mut name = DecimalName::default();
        let name = name.of(descriptor_number(base.as_fd()));
        file::open_at(descriptors.as_fd(), name, libc::O_PATH | libc::O_DIRECTORY, 0).map_err(no_proc)?;
        let staging = open_staging(path, base.as_fd())?;
        Ok(BaseDirectory { base, staging, descriptors, staged: AtomicU64::new(0) })
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
        let descriptor = name.of(descriptor_number(named.as_fd()));
        let file = file::open_at(self.descriptors.as_fd(), descriptor, flags, 0)?;
        Ok(Found::File(File::from(file), status.length))
    }

    /// A name in the staging directory that this server has given to nothing else.
    fn next_staged(&self) -> StagedName {
        StagedName(self.staged.fetch_add(1, Ordering::Relaxed))
    }

    fn staged_place<'a>(&'a self, name: &'a mut DecimalName, staged: StagedName) -> Place<'a> {
        Place { directory: self.staging.as_fd(), name: name.of(staged.0) }
    }
}

impl Directory for BaseDirectory {
    type File = File;
    type Folder = File;

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

    fn open_folder(&self, path: &CStr) -> io::Result<File> {
        // For reading, because what only names a directory cannot be synced.
        let flags = libc::O_RDONLY | libc::O_DIRECTORY;
        Ok(File::from(file::open_beneath(self.base.as_fd(), or_dot(path), flags, BENEATH)?))
    }

    fn may_change_entries(&self, folder: &File) -> io::Result<()> {
        file::may_change_entries(folder.as_fd())
    }

    fn look_up(&self, folder: &File, name: &CStr) -> io::Result<Kind> {
        Ok(kind(file::status_at(folder.as_fd(), name)?.format))
    }

    fn open_for_append(&self, folder: &File, name: &CStr) -> io::Result<Found<File>> {
        let flags = libc::O_PATH | libc::O_NOFOLLOW;
        let named = file::open_beneath(folder.as_fd(), name, flags, BENEATH)?;
        self.reopen(&named, libc::O_WRONLY)
    }

    fn make_folder(&self, folder: &File, name: &CStr) -> io::Result<()> {
        file::make_directory_at(folder.as_fd(), name, FOLDER_MODE)
    }

    fn stage(&self) -> io::Result<(File, StagedName)> {
        let flags = libc::O_RDWR | libc::O_CREAT | libc::O_EXCL;
        let mut name = DecimalName::default();
        loop {
            let staged = self.next_staged();
            match file::open_at(self.staging.as_fd(), name.of(staged.0), flags, FILE_MODE) {
                // Something that the sweep did not take for a leftover: there are names enough.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                result => return Ok((File::from(result?), staged)),
            }
        }
    }

    fn write(&self, file: &File, content: &[u8], offset: u64) -> io::Result<usize> {
        file.write_at(content, offset)
    }

    fn copy(&self, from: (&File, u64), to: (&File, u64), length: u64) -> io::Result<u64> {
        let count = file::copy_range((from.0.as_fd(), from.1), (to.0.as_fd(), to.1), length);
        count.map(|count| count as u64).map_err(|error| match error.kind() {
            // copy_file_range(2): between two file systems not every kernel copies.
            io::ErrorKind::CrossesDevices => io::ErrorKind::Unsupported.into(),
            _ => or_unsupported(error),
        })
    }

    fn truncate(&self, file: &File, length: u64) -> io::Result<()> {
        file.set_len(length)
    }

    fn sync_file(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn sync_folder(&self, folder: &File) -> io::Result<()> {
        folder.sync_all()
    }

    fn publish_new(&self, staged: StagedName, folder: &File, name: &CStr) -> io::Result<()> {
        let mut buffer = DecimalName::default();
        let (from, to) = (self.staged_place(&mut buffer, staged), Place { directory: folder.as_fd(), name });
        match file::rename(from, to, libc::RENAME_NOREPLACE) {
            // rename(2): a file system need not have the flag.
            Err(error) if is_unsupported(&error) => link_to_new(from, to),
            result => result,
        }
    }

    fn exchange(&self, staged: StagedName, folder: &File, name: &CStr) -> io::Result<()> {
        let mut buffer = DecimalName::default();
        let (from, to) = (self.staged_place(&mut buffer, staged), Place { directory: folder.as_fd(), name });
        file::rename(from, to, libc::RENAME_EXCHANGE).map_err(or_unsupported)
    }

    fn publish_over(&self, staged: StagedName, folder: &File, name: &CStr) -> io::Result<()> {
        let mut buffer = DecimalName::default();
        let (from, to) = (self.staged_place(&mut buffer, staged), Place { directory: folder.as_fd(), name });
        file::rename(from, to, 0)
    }

    fn retire(&self, folder: &File, name: &CStr) -> io::Result<StagedName> {
        let mut buffer = DecimalName::default();
        let staged = self.next_staged();
        let (from, to) = (Place { directory: folder.as_fd(), name }, self.staged_place(&mut buffer, staged));
        file::rename(from, to, 0)?;
        Ok(staged)
    }

    fn unstage(&self, staged: StagedName) -> io::Result<()> {
        let mut buffer = DecimalName::default();
        let place = self.staged_place(&mut buffer, staged);
        file::remove_file_at(place.directory, place.name)
    }

    fn remove_file(&self, folder: &File, name: &CStr) -> io::Result<()> {
        file::remove_file_at(folder.as_fd(), name)
    }

    fn remove_folder(&self, folder: &File, name: &CStr) -> io::Result<()> {
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

/// Moves a staged file to a name that must be new, where rename(2) cannot tell: link(2) can on
/// every file system that has it.
fn link_to_new(from: Place<'_>, to: Place<'_>) -> io::Result<()> {
    file::link(from, to)?;
    // The file is where it belongs. A second name that stays is swept at the next start.
    let _ = file::remove_file_at(from.directory, from.name);
    Ok(())
}

fn is_unsupported(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOSYS | libc::EOPNOTSUPP))
}

fn or_unsupported(error: io::Error) -> io::Error {
    if is_unsupported(&error) { io::ErrorKind::Unsupported.into() } else { error }
}

fn descriptor_number(descriptor: BorrowedFd<'_>) -> u64 {
    descriptor.as_raw_fd().unsigned_abs().into()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_takes_the_place_of_a_rename_that_the_file_system_lacks() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("staged"), "new").unwrap();
        std::fs::write(directory.path().join("taken"), "old").unwrap();
        let folder = File::open(directory.path()).unwrap();
        let place = |name| Place { directory: folder.as_fd(), name };
        let error = link_to_new(place(c"staged"), place(c"taken")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(directory.path().join("staged")).unwrap(), b"new");
        link_to_new(place(c"staged"), place(c"free")).unwrap();
        assert_eq!(std::fs::read(directory.path().join("free")).unwrap(), b"new");
        assert!(!directory.path().join("staged").exists());
        assert_eq!(std::fs::read(directory.path().join("taken")).unwrap(), b"old");
    }

    #[test]
    fn what_must_be_new_replaces_nothing() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("taken"), "old").unwrap();
        let base = BaseDirectory::open(directory.path()).unwrap();
        let (_, staged) = base.stage().unwrap();
        let error = base.publish_new(staged, &base.base, c"taken").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(directory.path().join("taken")).unwrap(), b"old");
        base.publish_new(staged, &base.base, c"free").unwrap();
        assert!(directory.path().join("free").exists());
    }

    #[test]
    fn numbers_are_names() {
        let mut name = DecimalName::default();
        assert_eq!(name.of(0), c"0");
        assert_eq!(name.of(u64::MAX), c"18446744073709551615");
        assert_eq!(name.of(7), c"7");
    }
}
