//! Calls on files and directories relative to a descriptor, and reading without waiting.

use std::ffi::CStr;
use std::io;
use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::call::{check, check_count, retry};

/// How openat2(2) resolves: within the directory, and over no link of any kind.
pub const BENEATH: u64 = libc::RESOLVE_BENEATH | libc::RESOLVE_NO_SYMLINKS | libc::RESOLVE_NO_MAGICLINKS;
/// The same, but over symbolic links that lead nowhere else.
pub const WITHIN: u64 = libc::RESOLVE_BENEATH | libc::RESOLVE_NO_MAGICLINKS;
/// With [`BENEATH`]: only what is in the kernel's caches, else `WouldBlock`.
pub const CACHED: u64 = libc::RESOLVE_CACHED;

/// What fstat(2) says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// The bits of `S_IFMT`.
    pub format: libc::mode_t,
    /// Bytes, of a regular file.
    pub length: u64,
    /// The number of the inode.
    pub inode: u64,
    /// The device that it is on.
    pub device: u64,
    /// How many names it has.
    pub names: u64,
    /// When its content was last changed, in nanoseconds since 1970; the nearest that 64 bits hold.
    pub modified: i64,
    /// The same for anything about it, who may open it for one.
    pub changed: i64,
}

/// openat2(2), closed on exec.
///
/// # Errors
/// What the call said.
pub fn open_beneath(
    directory: BorrowedFd<'_>,
    path: &CStr,
    flags: libc::c_int,
    resolve: u64,
) -> io::Result<OwnedFd> {
    // SAFETY: all zero is a valid value of this plain struct, and what openat2(2) asks of the
    // fields that are not used.
    let mut how: libc::open_how = unsafe { MaybeUninit::zeroed().assume_init() };
    how.flags = (flags | libc::O_CLOEXEC) as u64;
    how.resolve = resolve;
    let descriptor = retry(|| {
        let (directory, path) = (directory.as_raw_fd(), path.as_ptr());
        // SAFETY: `path` ends in NUL and `how` has the size that is said; both outlive the call.
        check_count(unsafe {
            libc::syscall(libc::SYS_openat2, directory, path, &raw const how, size_of::<libc::open_how>())
        } as libc::ssize_t)
    })?;
    // SAFETY: openat2 returned this descriptor just now, so nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor as libc::c_int) })
}

/// openat(2), closed on exec.
///
/// # Errors
/// What the call said.
pub fn open_at(
    directory: BorrowedFd<'_>,
    path: &CStr,
    flags: libc::c_int,
    mode: libc::mode_t,
) -> io::Result<OwnedFd> {
    let flags = flags | libc::O_CLOEXEC;
    // SAFETY: `path` ends in NUL and outlives the call.
    let descriptor =
        retry(|| check(unsafe { libc::openat(directory.as_raw_fd(), path.as_ptr(), flags, mode) }))?;
    // SAFETY: openat returned this descriptor just now, so nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// fstat(2).
///
/// # Errors
/// What the call said.
pub fn status(descriptor: BorrowedFd<'_>) -> io::Result<Status> {
    let mut status = MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: `status` is room for one, and all bytes of it are initialised.
    check(unsafe { libc::fstat(descriptor.as_raw_fd(), status.as_mut_ptr()) })?;
    // SAFETY: every byte was initialised, and this plain struct has no invalid values.
    Ok(from_stat(&unsafe { status.assume_init() }))
}

/// fstatat(2) of a name, without following a link.
///
/// # Errors
/// What the call said.
pub fn status_at(directory: BorrowedFd<'_>, name: &CStr) -> io::Result<Status> {
    let mut status = MaybeUninit::<libc::stat>::zeroed();
    let (directory, flags) = (directory.as_raw_fd(), libc::AT_SYMLINK_NOFOLLOW);
    // SAFETY: `name` ends in NUL; `status` is room for one, and all bytes of it are initialised.
    check(unsafe { libc::fstatat(directory, name.as_ptr(), status.as_mut_ptr(), flags) })?;
    // SAFETY: every byte was initialised, and this plain struct has no invalid values.
    Ok(from_stat(&unsafe { status.assume_init() }))
}

fn from_stat(status: &libc::stat) -> Status {
    Status {
        format: status.st_mode & libc::S_IFMT,
        length: u64::try_from(status.st_size).unwrap_or(0),
        inode: status.st_ino,
        device: status.st_dev,
        names: status.st_nlink,
        modified: nanoseconds(status.st_mtime, status.st_mtime_nsec),
        changed: nanoseconds(status.st_ctime, status.st_ctime_nsec),
    }
}

/// Nanoseconds of a second.
const NANOSECONDS: i64 = 1_000_000_000;

fn nanoseconds(seconds: i64, nanoseconds: i64) -> i64 {
    seconds.saturating_mul(NANOSECONDS).saturating_add(nanoseconds)
}

/// futimens(2): sets the modification time, in nanoseconds since 1970, and leaves the other one.
///
/// # Errors
/// What the call said.
pub fn set_modified(descriptor: BorrowedFd<'_>, modified: i64) -> io::Result<()> {
    let accessed = libc::timespec { tv_sec: 0, tv_nsec: libc::UTIME_OMIT };
    let seconds = modified.div_euclid(NANOSECONDS);
    let modified = libc::timespec { tv_sec: seconds, tv_nsec: modified.rem_euclid(NANOSECONDS) };
    let times = [accessed, modified];
    // SAFETY: `times` has the two elements that the call reads.
    check(unsafe { libc::futimens(descriptor.as_raw_fd(), times.as_ptr()) }).map(drop)
}

/// statx(2): which mount the file that a descriptor names is on.
///
/// # Errors
/// What the call said; `Unsupported` where the kernel does not tell.
pub fn mount(descriptor: BorrowedFd<'_>) -> io::Result<u64> {
    let mut status = MaybeUninit::<libc::statx>::zeroed();
    let (itself, flags) = (c"".as_ptr(), libc::AT_EMPTY_PATH);
    // SAFETY: the empty path ends in NUL; `status` is room for one, and all bytes of it are
    // initialised.
    check(unsafe {
        libc::statx(descriptor.as_raw_fd(), itself, flags, libc::STATX_MNT_ID, status.as_mut_ptr())
    })?;
    // SAFETY: every byte was initialised, and this plain struct has no invalid values.
    let status = unsafe { status.assume_init() };
    if status.stx_mask & libc::STATX_MNT_ID == 0 {
        return Err(io::ErrorKind::Unsupported.into());
    }
    Ok(status.stx_mnt_id)
}

/// fstatfs(2): of which kind the file system is that a descriptor names something of.
///
/// # Errors
/// What the call said.
pub fn file_system(descriptor: BorrowedFd<'_>) -> io::Result<FileSystem> {
    let mut status = MaybeUninit::<libc::statfs64>::zeroed();
    // SAFETY: `status` is room for one, and all bytes of it are initialised.
    check(unsafe { libc::fstatfs64(descriptor.as_raw_fd(), status.as_mut_ptr()) })?;
    // SAFETY: every byte was initialised, and this plain struct has no invalid values.
    Ok(FileSystem(unsafe { status.assume_init() }.f_type))
}

/// The magic number of a kind of file systems (statfs(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileSystem(libc::__fsword_t);

impl FileSystem {
    /// Whether names on it are changed by this machine's kernel alone, and by no other way than its
    /// system calls: so it tells of each change whoever watches a directory.
    pub fn is_told_of(self) -> bool {
        [
            libc::EXT4_SUPER_MAGIC,
            libc::XFS_SUPER_MAGIC,
            libc::BTRFS_SUPER_MAGIC,
            libc::F2FS_SUPER_MAGIC,
            libc::TMPFS_MAGIC,
        ]
        .contains(&self.0)
    }
}

/// mkdirat(2).
///
/// # Errors
/// What the call said.
pub fn make_directory_at(directory: BorrowedFd<'_>, name: &CStr, mode: libc::mode_t) -> io::Result<()> {
    // SAFETY: `name` ends in NUL and outlives the call.
    check(unsafe { libc::mkdirat(directory.as_raw_fd(), name.as_ptr(), mode) }).map(drop)
}

/// mknod(2): a FIFO, a socket or a device, as `mode` says. A child process in place of this would hold
/// the locks of all who run beside it, until it has become another program.
///
/// # Errors
/// What the call said.
#[cfg(test)]
pub(crate) fn make_node(path: &CStr, mode: libc::mode_t, device: libc::dev_t) -> io::Result<()> {
    // SAFETY: `path` ends in NUL and outlives the call.
    check(unsafe { libc::mknod(path.as_ptr(), mode, device) }).map(drop)
}

/// unlinkat(2) of a file.
///
/// # Errors
/// What the call said.
pub fn remove_file_at(directory: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
    // SAFETY: `name` ends in NUL and outlives the call.
    check(unsafe { libc::unlinkat(directory.as_raw_fd(), name.as_ptr(), 0) }).map(drop)
}

/// unlinkat(2) of an empty directory.
///
/// # Errors
/// What the call said.
pub fn remove_directory_at(directory: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
    // SAFETY: `name` ends in NUL and outlives the call.
    check(unsafe { libc::unlinkat(directory.as_raw_fd(), name.as_ptr(), libc::AT_REMOVEDIR) }).map(drop)
}

/// faccessat2(2) of a directory itself: whether the process may change its entries.
///
/// # Errors
/// What the call said; what it says where it may not.
pub fn may_change_entries(directory: BorrowedFd<'_>) -> io::Result<()> {
    let (directory, itself) = (directory.as_raw_fd(), c"".as_ptr());
    let (mode, flags) = (libc::W_OK | libc::X_OK, libc::AT_EMPTY_PATH | libc::AT_EACCESS);
    // SAFETY: the empty path ends in NUL and lives as long as the program.
    let result = unsafe { libc::syscall(libc::SYS_faccessat2, directory, itself, mode, flags) };
    check_count(result as libc::ssize_t).map(drop)
}

/// A name in a directory.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The directory.
    pub directory: BorrowedFd<'a>,
    /// The name.
    pub name: &'a CStr,
}

/// renameat2(2) with these flags.
///
/// # Errors
/// What the call said.
pub fn rename(from: Place<'_>, to: Place<'_>, flags: libc::c_uint) -> io::Result<()> {
    let (from_directory, from_name) = (from.directory.as_raw_fd(), from.name.as_ptr());
    let (to_directory, to_name) = (to.directory.as_raw_fd(), to.name.as_ptr());
    // SAFETY: both names end in NUL and outlive the call.
    check(unsafe { libc::renameat2(from_directory, from_name, to_directory, to_name, flags) }).map(drop)
}

/// linkat(2), without following a link.
///
/// # Errors
/// What the call said.
pub fn link(from: Place<'_>, to: Place<'_>) -> io::Result<()> {
    let (from_directory, from_name) = (from.directory.as_raw_fd(), from.name.as_ptr());
    let (to_directory, to_name) = (to.directory.as_raw_fd(), to.name.as_ptr());
    // SAFETY: both names end in NUL and outlive the call.
    check(unsafe { libc::linkat(from_directory, from_name, to_directory, to_name, 0) }).map(drop)
}

/// linkat(2) of what a descriptor names, by its name in `descriptors`, which is `/proc/self/fd`: a
/// second name for it, wherever the first one is by now.
///
/// # Errors
/// What the call said.
pub fn link_descriptor(from: Place<'_>, to: Place<'_>) -> io::Result<()> {
    let (from_directory, from_name) = (from.directory.as_raw_fd(), from.name.as_ptr());
    let (to_directory, to_name) = (to.directory.as_raw_fd(), to.name.as_ptr());
    let flags = libc::AT_SYMLINK_FOLLOW;
    // SAFETY: both names end in NUL and outlive the call.
    check(unsafe { libc::linkat(from_directory, from_name, to_directory, to_name, flags) }).map(drop)
}

/// symlinkat(2).
///
/// # Errors
/// What the call said.
pub fn make_link(target: &CStr, at: Place<'_>) -> io::Result<()> {
    // SAFETY: both names end in NUL and outlive the call.
    check(unsafe { libc::symlinkat(target.as_ptr(), at.directory.as_raw_fd(), at.name.as_ptr()) }).map(drop)
}

/// readlinkat(2): the path that a link holds.
///
/// # Errors
/// What the call said; `InvalidData` where it is longer than any path.
pub fn read_link(at: Place<'_>) -> io::Result<Vec<u8>> {
    let mut target = vec![0; PATH_BYTES];
    let (directory, name) = (at.directory.as_raw_fd(), at.name.as_ptr());
    // SAFETY: `name` ends in NUL, and `target` is as long as is said.
    let length =
        check_count(unsafe { libc::readlinkat(directory, name, target.as_mut_ptr().cast(), target.len()) })?;
    if length == target.len() {
        return Err(io::ErrorKind::InvalidData.into());
    }
    target.truncate(length);
    Ok(target)
}

/// PATH_MAX, and as much again for what is mounted above.
const PATH_BYTES: usize = 8192;

/// copy_file_range(2): copies within the kernel, which may share the blocks of both files.
///
/// # Errors
/// What the call said.
pub fn copy_range(
    (from, from_offset): (BorrowedFd<'_>, u64),
    (to, to_offset): (BorrowedFd<'_>, u64),
    length: u64,
) -> io::Result<usize> {
    let offset = |offset| libc::off64_t::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput);
    let (mut from_offset, mut to_offset) = (offset(from_offset)?, offset(to_offset)?);
    let (from, to) = (from.as_raw_fd(), to.as_raw_fd());
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    retry(|| {
        let (from_offset, to_offset) = (&raw mut from_offset, &raw mut to_offset);
        // SAFETY: both offsets are valid places for the call to read and advance.
        check_count(unsafe { libc::copy_file_range(from, from_offset, to, to_offset, length, 0) })
    })
}

/// Reads from there on, as far as the file goes.
///
/// # Errors
/// What pread said.
pub fn read(descriptor: BorrowedFd<'_>, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let offset = libc::off_t::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput)?;
    let descriptor = descriptor.as_raw_fd();
    retry(|| {
        // SAFETY: the pointer and the length are those of `buffer`.
        check_count(unsafe { libc::pread(descriptor, buffer.as_mut_ptr().cast(), buffer.len(), offset) })
    })
}

/// preadv2(2) with `RWF_NOWAIT`: what of the range is in memory, from its beginning.
///
/// # Errors
/// `WouldBlock` where nothing is, or where the file system cannot tell.
pub fn read_cached(descriptor: BorrowedFd<'_>, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let offset = libc::off_t::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput)?;
    let descriptor = descriptor.as_raw_fd();
    let result = retry(|| {
        // SAFETY: `part` is one element that names all of `buffer`, which is borrowed mutably.
        check_count(unsafe { libc::preadv2(descriptor, &raw const part, 1, offset, libc::RWF_NOWAIT) })
    });
    match result {
        Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => Err(io::ErrorKind::WouldBlock.into()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn paths_stay_beneath() {
        let directory = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc", directory.path().join("link")).unwrap();
        let base = std::fs::File::open(directory.path()).unwrap();
        let open = |path: &CStr| open_beneath(base.as_fd(), path, libc::O_PATH, BENEATH).map(drop);
        assert!(open(c".").is_ok());
        assert_eq!(open(c"..").unwrap_err().raw_os_error(), Some(libc::EXDEV));
        assert_eq!(open(c"/etc").unwrap_err().raw_os_error(), Some(libc::EXDEV));
        assert_eq!(open(c"link").unwrap_err().raw_os_error(), Some(libc::ELOOP));
        assert_eq!(open(c"link/passwd").unwrap_err().raw_os_error(), Some(libc::ELOOP));
        assert_eq!(open(c"missing").unwrap_err().raw_os_error(), Some(libc::ENOENT));
    }
}
