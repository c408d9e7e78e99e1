//! Places that no client can reach: [`Areas`], one in the base directory, and one on each other
//! file system that was written to, because a rename stays within a file system.

use std::ffi::{CStr, CString};
use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use super::name::Name;
use super::or_dot;
use super::start::{STAGING_MODE, names};
use crate::store::directory::StagedName;
use crate::store::path::{RESERVED_NAME, RESERVED_NAME_C};
use crate::sys::file::{self, BENEATH, Place};

/// Links in the first area by which a server finds the others again begin like this.
const REGISTERED: &[u8] = b"area-";

/// The file whose time is that up to which times may have been given, where the clock was behind them.
const RESERVED_TIMES: &CStr = c"times";

/// The staging directories in use. Each has a lock that keeps other servers out.
#[derive(Debug)]
pub(super) struct Areas {
    base: File,
    first: Arc<File>,
    others: RwLock<Vec<Other>>,
    /// The next name.
    number: AtomicU64,
}

#[derive(Debug)]
struct Other {
    folder: Arc<File>,
    /// By which mount it was opened: a rename stays within a mount.
    mount: u64,
    /// Device and inode of the directory that it lies in.
    root: (u64, u64),
}

impl Areas {
    /// The area in `base`, which is locked, and those that are registered in it.
    pub(super) fn open(base: File, first: File) -> io::Result<Areas> {
        let areas = Areas {
            base,
            first: Arc::new(first),
            others: RwLock::new(Vec::new()),
            number: AtomicU64::new(0),
        };
        let mut others: Vec<Other> = Vec::new();
        for (_, path) in areas.registered()? {
            // What is not mounted today, or is another server's, is left as it is.
            if let Ok(root) = areas.open_root(&path)
                && let Ok(folder) = file::open_beneath(root.as_fd(), RESERVED_NAME_C, OPEN_AREA, BENEATH)
                && let Ok(folder) = lock(File::from(folder), &root, &others)
                && !folds_case(&root, &folder)?
            {
                let (mount, root) = (file::mount(root.as_fd())?, identity(&root)?);
                others.push(Other { folder: Arc::new(folder), mount, root });
            }
        }
        areas.others.write().unwrap_or_else(PoisonError::into_inner).append(&mut others);
        Ok(areas)
    }

    /// The directory of an area.
    pub(super) fn folder(&self, area: u32) -> io::Result<Arc<File>> {
        let Some(other) = area.checked_sub(1) else { return Ok(Arc::clone(&self.first)) };
        let others = self.others.read().unwrap_or_else(PoisonError::into_inner);
        others.get(other as usize).map(|other| Arc::clone(&other.folder)).ok_or(ErrorKind::NotFound.into())
    }

    /// A name that this server has given to nothing else.
    pub(super) fn next(&self, area: u32) -> StagedName {
        StagedName { area, number: self.number.fetch_add(1, Ordering::Relaxed), undo: None }
    }

    /// Calls `make` with the first area, and where that is on another file system, with the one
    /// on that of the directory `near`.
    pub(super) fn near<T>(
        &self,
        near: &CStr,
        mut make: impl FnMut(u32, BorrowedFd<'_>) -> io::Result<T>,
    ) -> io::Result<T> {
        match make(0, self.first.as_fd()) {
            Err(error) if error.kind() == ErrorKind::CrossesDevices => {
                let area = self.area_near(near)?;
                make(area, self.folder(area)?.as_fd())
            }
            result => result,
        }
    }

    /// The area on the file system of the directory `near`, which has to be another one than that
    /// of the base directory.
    pub(super) fn area_near(&self, near: &CStr) -> io::Result<u32> {
        let path = self.mount_point(near)?;
        let root = self.open_root(&path)?;
        let (mount, identity) = (file::mount(root.as_fd())?, identity(&root)?);
        let is_it = |other: &Other| (other.mount, other.root) == (mount, identity);
        let find = |others: &[Other]| others.iter().position(is_it);
        let found = find(&self.others.read().unwrap_or_else(PoisonError::into_inner));
        let index = match found {
            Some(index) => index,
            None => {
                let mut others = self.others.write().unwrap_or_else(PoisonError::into_inner);
                match find(&others) {
                    Some(index) => index,
                    None => {
                        let folder = Arc::new(self.make_area(&root, &path, &others)?);
                        others.push(Other { folder, mount, root: identity });
                        others.len() - 1
                    }
                }
            }
        };
        u32::try_from(index + 1).map_err(|_| ErrorKind::StorageFull.into())
    }

    /// Keeps a time for the next start, as that of a file.
    pub(super) fn reserve_times(&self, until: i64) -> io::Result<()> {
        let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_NOFOLLOW;
        let file = File::from(file::open_at(self.first.as_fd(), RESERVED_TIMES, flags, 0o600)?);
        file::set_modified(file.as_fd(), until)?;
        file.sync_all()?;
        self.first.sync_all()
    }

    /// The time that a server before this one has kept; long ago where none has.
    pub(super) fn reserved_times(&self) -> i64 {
        file::status_at(self.first.as_fd(), RESERVED_TIMES).map_or(i64::MIN, |status| status.modified)
    }

    /// Everything that is staged: to be called before anything is.
    pub(super) fn leftovers(&self) -> io::Result<Vec<StagedName>> {
        let others = self.others.read().unwrap_or_else(PoisonError::into_inner);
        let mut leftovers = staged_in(&self.first, 0)?;
        for (index, other) in others.iter().enumerate() {
            let area = u32::try_from(index + 1).map_err(|_| ErrorKind::StorageFull)?;
            // What is mounted at two places is looked through once.
            if !others[..index].iter().any(|earlier| earlier.root == other.root) {
                leftovers.append(&mut staged_in(&other.folder, area)?);
            }
        }
        let next = leftovers.iter().map(|name| name.number.saturating_add(1)).max().unwrap_or(0);
        self.number.fetch_max(next, Ordering::Relaxed);
        Ok(leftovers)
    }

    /// The outermost directory on the file system of `near`, or of the innermost directory on the
    /// way to it that is there.
    fn mount_point(&self, near: &CStr) -> io::Result<CString> {
        let mut path = near.to_bytes();
        let above = |path: &'_ [u8]| memchr::memrchr(b'/', path).unwrap_or(0);
        let mount = |path: &[u8]| -> io::Result<u64> {
            let path = CString::new(path).map_err(|_| ErrorKind::InvalidInput)?;
            let flags = libc::O_PATH | libc::O_DIRECTORY;
            file::mount(file::open_beneath(self.base.as_fd(), or_dot(&path), flags, BENEATH)?.as_fd())
        };
        let its = loop {
            match mount(path) {
                Err(error) if error.kind() == ErrorKind::NotFound && !path.is_empty() => {
                    path = &path[..above(path)];
                }
                result => break result?,
            }
        };
        while !path.is_empty() {
            let outer = &path[..above(path)];
            if mount(outer)? != its {
                return CString::new(path).map_err(|_| ErrorKind::InvalidInput.into());
            }
            path = outer;
        }
        Err(ErrorKind::CrossesDevices.into())
    }

    fn open_root(&self, path: &CStr) -> io::Result<File> {
        let flags = libc::O_RDONLY | libc::O_DIRECTORY;
        Ok(File::from(file::open_beneath(self.base.as_fd(), path, flags, BENEATH)?))
    }

    /// Makes an area in `root`. It is registered first, so that what is left in it is found.
    fn make_area(&self, root: &File, path: &CStr, others: &[Other]) -> io::Result<File> {
        let registered = self.registered()?;
        if !registered.iter().any(|(_, known)| known.as_c_str() == path) {
            let free = registered.iter().map(|(number, _)| number.saturating_add(1)).max().unwrap_or(0);
            let mut buffer = Name::default();
            let name = buffer.numbered("area-", free);
            file::make_link(path, Place { directory: self.first.as_fd(), name })?;
            self.first.sync_all()?;
        }
        match file::make_directory_at(root.as_fd(), RESERVED_NAME_C, STAGING_MODE) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let folder = File::from(file::open_beneath(root.as_fd(), RESERVED_NAME_C, OPEN_AREA, BENEATH)?);
        let folder = lock(folder, root, others)?;
        if folds_case(root, &folder)? {
            // Clients would reach it by another name.
            file::remove_directory_at(root.as_fd(), RESERVED_NAME_C)?;
            return Err(ErrorKind::ResourceBusy.into());
        }
        root.sync_all()?;
        // What was mounted after the start may hold what an earlier server left. Nothing may be
        // written there before the next start has recovered it.
        if !is_ours(root, others)? && !staged_in(&folder, 0)?.is_empty() {
            return Err(ErrorKind::ResourceBusy.into());
        }
        Ok(folder)
    }

    /// The numbers and paths of other areas that this or an earlier server has made.
    fn registered(&self) -> io::Result<Vec<(u64, CString)>> {
        let mut registered = Vec::new();
        for entry in entries(&self.first)? {
            let name = entry?.file_name();
            let number =
                name.as_bytes().strip_prefix(REGISTERED).and_then(|number| str::from_utf8(number).ok());
            let Some(number) = number.and_then(|number| number.parse().ok()) else { continue };
            let name = CString::new(name.as_bytes()).map_err(|_| ErrorKind::InvalidData)?;
            let path = file::read_link(Place { directory: self.first.as_fd(), name: &name });
            if let Ok(path) = path.and_then(|path| CString::new(path).map_err(io::Error::from)) {
                registered.push((number, path));
            }
        }
        Ok(registered)
    }
}

fn folds_case(root: &File, folder: &File) -> io::Result<bool> {
    names(root.as_fd(), &RESERVED_NAME.to_ascii_uppercase(), folder)
}

const OPEN_AREA: libc::c_int = libc::O_RDONLY | libc::O_DIRECTORY;

/// Whether this server has the area in `root`, by way of another mount.
fn is_ours(root: &File, others: &[Other]) -> io::Result<bool> {
    let identity = identity(root)?;
    Ok(others.iter().any(|other| other.root == identity))
}

/// Keeps other servers out, for as long as it is open.
fn lock(folder: File, root: &File, others: &[Other]) -> io::Result<File> {
    if is_ours(root, others)? {
        return Ok(folder);
    }
    match folder.try_lock() {
        Ok(()) => Ok(folder),
        Err(TryLockError::WouldBlock) => Err(ErrorKind::ResourceBusy.into()),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Files with a name that a server gives to what it stages.
fn staged_in(folder: &File, area: u32) -> io::Result<Vec<StagedName>> {
    let mut names = Vec::new();
    for entry in entries(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            names.extend(Name::read_staged(entry.file_name().as_bytes(), area));
        }
    }
    Ok(names)
}

fn entries(folder: &File) -> io::Result<std::fs::ReadDir> {
    // By descriptor: the path may lead elsewhere by now.
    std::fs::read_dir(format!("/proc/self/fd/{}", folder.as_raw_fd()))
}

fn identity(file: &File) -> io::Result<(u64, u64)> {
    let metadata = file.metadata()?;
    Ok((metadata.dev(), metadata.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(path: &std::path::Path) -> File {
        File::open(path).unwrap()
    }

    #[test]
    fn a_directory_is_told_from_every_other() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let identity = |path: &std::path::Path| identity(&open(path)).unwrap();
        assert_eq!(identity(one.path()), identity(&one.path().join(".")));
        assert_ne!(identity(one.path()), identity(other.path()));
        let areas = [Other { folder: Arc::new(open(one.path())), mount: 1, root: identity(one.path()) }];
        assert!(is_ours(&open(one.path()), &areas).unwrap());
        assert!(!is_ours(&open(other.path()), &areas).unwrap());
        assert!(!is_ours(&open(one.path()), &[]).unwrap());
    }

    #[test]
    fn times_that_are_reserved_are_known_to_the_next_start() {
        let directory = tempfile::tempdir().unwrap();
        let areas = || Areas::open(open(directory.path()), open(directory.path())).unwrap();
        assert_eq!(areas().reserved_times(), i64::MIN);
        for until in [7_000_000_100, 7_000_000_200] {
            areas().reserve_times(until).unwrap();
            assert_eq!(areas().reserved_times(), until);
        }
    }

    // Where there is but one file system there is no other place to stage on.
    #[test]
    fn the_place_of_another_file_system_is_there_only_where_there_is_one() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(directory.path().join("a/b")).unwrap();
        std::fs::write(directory.path().join("file"), "").unwrap();
        let areas = Areas::open(open(directory.path()), open(directory.path())).unwrap();
        for near in [c"", c"a", c"a/b", c"a/b/missing/below"] {
            let error = areas.mount_point(near).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::CrossesDevices, "{near:?}");
        }
        assert_eq!(areas.mount_point(c"file/below").unwrap_err().kind(), ErrorKind::NotADirectory);
    }
}
