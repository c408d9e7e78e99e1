//! The real directory tree: [`BaseDirectory`], by system calls beneath one descriptor.

mod areas;
mod folder;
mod name;
mod names;
mod open_file;
mod start;

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::directory::{Directory, Entry, FolderEntry, Found, StagedName};
use super::version::Version;
use crate::clock;
use crate::seeded::bug;
use crate::shared::kept::Kept;
use crate::sys::file::{self, BENEATH, CACHED, Place, Status, WITHIN};
#[cfg(test)]
pub(crate) use crate::sys::{file::make_node, identity};
use areas::Areas;
use name::Name;
pub use names::Names;
pub use open_file::OpenFile;
pub use start::OpenError;
use start::{Problem, make_durable, open_staging};

/// A directory tree on the machine's file systems, and the staging directories in it.
#[derive(Debug)]
pub struct BaseDirectory {
    base: Arc<OpenFile>,
    areas: Areas,
    /// `/proc/self/fd`, by which a descriptor that only names a file is opened for real.
    descriptors: File,
    last_change: i64,
    /// The one that the base directory is on.
    device: u64,
    /// Files that were opened for reading a moment ago, by the numbers of their inodes.
    kept: Arc<Kept<OpenFile>>,
}

/// Made with this mode but for the umask, as any program's files.
const FILE_MODE: libc::mode_t = 0o666;
/// The same for directories.
const FOLDER_MODE: libc::mode_t = 0o777;
/// How often a path is resolved again that is being renamed.
const RENAMED_MAX: usize = 8;
/// Nanoseconds by which the kernel's own time stamps may lag behind its clock: a tick, at most.
const KERNEL_TICK: i64 = 12_000_000;

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
        let mut name = Name::default();
        let name = name.numbered("", descriptor_number(base.as_fd()));
        file::open_at(descriptors.as_fd(), name, libc::O_PATH | libc::O_DIRECTORY, 0).map_err(no_proc)?;
        let (staging, made) = open_staging(path, base.as_fd())?;
        let call = |name| move |error| OpenError::call(path, name, error);
        let status = file::status(staging.as_fd()).map_err(call("fstat"))?;
        let areas = base.try_clone().and_then(|base| Areas::open(base, staging)).map_err(call("readdir"))?;
        // Where nothing was ever staged, no time was ever given.
        let last_change = if made { 0 } else { status.modified.saturating_add(KERNEL_TICK) };
        let last_change = last_change.max(areas.reserved_times());
        let ahead = last_change.saturating_sub(clock::unix_nanoseconds());
        if let Ok(ahead @ 1..) = u64::try_from(ahead)
            && ahead <= KERNEL_TICK as u64
        {
            // A start right behind an end: so stamps need not begin ahead of the clock.
            std::thread::sleep(Duration::from_nanos(ahead));
        }
        let (base, kept) = (Arc::new(OpenFile::new(base)), Arc::new(Kept::new(0)));
        Ok(BaseDirectory { base, areas, descriptors, last_change, device: status.device, kept })
    }

    /// The same, where up to `max` files stay open that were opened for reading, so that they need
    /// not be opened again; until they are swept out of the other thing.
    pub fn keep_open(self, max: usize) -> (BaseDirectory, Arc<Kept<OpenFile>>) {
        let kept = Arc::new(Kept::new(max));
        (BaseDirectory { kept: Arc::clone(&kept), ..self }, kept)
    }

    /// What `path` leads to, named and not opened.
    fn name(&self, path: &CStr, resolve: u64) -> io::Result<OwnedFd> {
        let how = if bug("links_followed_by_reads") { WITHIN } else { BENEATH };
        file::open_beneath(self.base.as_fd(), or_dot(path), libc::O_PATH, how | resolve)
    }

    /// Opens a regular file for reading that `named` only names, unless it is open: that it is the
    /// same one, and as it was, is certain before it is used. What opening goes through, links to
    /// descriptors, costs as much as all other calls of a small file's request.
    fn open_to_read(&self, named: &OwnedFd) -> io::Result<Found<Arc<OpenFile>>> {
        let status = file::status(named.as_fd())?;
        match self.kept_as(&status) {
            Some(kept) => Ok(Found::File(kept, version(&status))),
            None => self.open_and_keep(named, &status),
        }
    }

    /// The file of this status, where it is open.
    fn kept_as(&self, status: &Status) -> Option<Arc<OpenFile>> {
        let as_it_was = |kept: &Arc<OpenFile>| kept.is_as(status) || bug("kept_file_is_not_compared");
        self.kept.find(status.inode).filter(as_it_was)
    }

    /// The file to which `path` is known to lead, where it is open and as it was.
    fn open_known(path: &CStr, names: &mut Names) -> Option<Found<Arc<OpenFile>>> {
        let kept = names.find(path)?;
        let status = file::status(kept.as_fd()).ok()?;
        (kept.is_as(&status) && status.names > 0).then(|| Found::File(kept, version(&status)))
    }

    fn open_and_keep(&self, named: &OwnedFd, status: &Status) -> io::Result<Found<Arc<OpenFile>>> {
        Ok(match self.reopen(named, status, libc::O_RDONLY)? {
            Found::File(descriptor, version) => {
                let file = Arc::new(OpenFile::since(descriptor, status));
                self.kept.keep(status.inode, &file);
                Found::File(file, version)
            }
            other => other.map(|descriptor| Arc::new(OpenFile::new(descriptor))),
        })
    }

    /// Opens a regular file for real that `named` only names.
    fn reopen(&self, named: &OwnedFd, status: &Status, flags: libc::c_int) -> io::Result<Found<OwnedFd>> {
        let version = match entry(status) {
            Entry::Directory => return Ok(Found::Directory),
            Entry::Other => return Ok(Found::Other),
            Entry::File(version) => version,
        };
        let mut name = Name::default();
        // Neither a terminal nor a lease of another program is to be waited for.
        let flags = flags | libc::O_NONBLOCK | libc::O_NOCTTY;
        let descriptor = name.numbered("", descriptor_number(named.as_fd()));
        let file = file::open_at(self.descriptors.as_fd(), descriptor, flags, 0)?;
        let shared = status.names > 1 && flags & libc::O_ACCMODE != libc::O_RDONLY;
        Ok(if shared { Found::Shared(file, version) } else { Found::File(file, version) })
    }

    /// Calls with the place of a staged file.
    fn staged<T>(&self, staged: StagedName, call: impl FnOnce(Place<'_>) -> io::Result<T>) -> io::Result<T> {
        let folder = self.areas.folder(staged.area)?;
        let mut buffer = Name::default();
        call(Place { directory: folder.as_fd(), name: buffer.staged(staged) })
    }

    /// The absolute path of what a descriptor names.
    fn path_of(&self, descriptor: BorrowedFd<'_>) -> io::Result<Vec<u8>> {
        let mut buffer = Name::default();
        let name = buffer.numbered("", descriptor_number(descriptor));
        file::read_link(Place { directory: self.descriptors.as_fd(), name })
    }
}

impl Directory for BaseDirectory {
    type File = Arc<OpenFile>;
    type Folder = Arc<OpenFile>;
    type Names = Names;

    fn open_file(&self, path: &CStr) -> io::Result<Found<Arc<OpenFile>>> {
        let named = self.name(path, 0)?;
        self.open_to_read(&named)
    }

    fn open_cached(&self, path: &CStr, names: &mut Names) -> io::Result<Found<Arc<OpenFile>>> {
        if let Some(found) = BaseDirectory::open_known(path, names) {
            return Ok(found);
        }
        // Before it is resolved: what happens from here on will be told.
        let standing = names.standing(path);
        let named = self.name(path, CACHED)?;
        let status = file::status(named.as_fd())?;
        let Some(kept) = self.kept_as(&status) else { return self.open_and_keep(&named, &status) };
        // Who is read for the second time in a few seconds may be read for the third time.
        match standing {
            Some(standing) => names.keep(path, standing, &kept),
            None => names.learn(self.base.as_fd(), path),
        }
        Ok(Found::File(kept, version(&status)))
    }

    fn names(&self) -> Names {
        Names::of(self.base.as_fd())
    }

    fn give_back(&self, file: Arc<OpenFile>, inode: u64) -> Result<(), Arc<OpenFile>> {
        self.kept.give_back(inode, file)
    }

    fn forget(&self, inode: u64) {
        self.kept.forget(inode);
    }

    fn read_cached(&self, file: &Arc<OpenFile>, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        file::read_cached(file.as_fd(), buffer, offset)
    }

    fn read(&self, file: &Arc<OpenFile>, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        file.read_at(buffer, offset)
    }

    fn open_folder(&self, path: &CStr) -> io::Result<Arc<OpenFile>> {
        if path.is_empty() {
            return Ok(Arc::clone(&self.base));
        }
        // For reading, because what only names a directory cannot be synced.
        let flags = libc::O_RDONLY | libc::O_DIRECTORY;
        let folder = file::open_beneath(self.base.as_fd(), path, flags, BENEATH)?;
        Ok(Arc::new(OpenFile::new(folder)))
    }

    fn is_elsewhere(&self, folder: &Arc<OpenFile>) -> bool {
        file::status(folder.as_fd()).is_ok_and(|status| status.device != self.device)
    }

    fn may_change_entries(&self, folder: &Arc<OpenFile>) -> io::Result<()> {
        file::may_change_entries(folder.as_fd())
    }

    fn folder_key(&self, folder: &Arc<OpenFile>) -> io::Result<(u64, u64)> {
        let status = file::status(folder.as_fd())?;
        Ok((status.device, status.inode))
    }

    fn look_up(&self, folder: &Arc<OpenFile>, name: &CStr) -> io::Result<Entry> {
        Ok(entry(&file::status_at(folder.as_fd(), name)?))
    }

    fn read_folder(
        &self,
        folder: &Arc<OpenFile>,
        from: i64,
        each: &mut dyn FnMut(FolderEntry<'_>) -> ControlFlow<()>,
    ) -> io::Result<()> {
        folder::read(folder, from, each)
    }

    fn open_for_append(&self, folder: &Arc<OpenFile>, name: &CStr) -> io::Result<Found<Arc<OpenFile>>> {
        let flags = libc::O_PATH | libc::O_NOFOLLOW;
        let named = file::open_beneath(folder.as_fd(), name, flags, BENEATH)?;
        // For reading too: what has other names is copied.
        let status = file::status(named.as_fd())?;
        let found = match self.reopen(&named, &status, libc::O_RDWR) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                self.reopen(&named, &status, libc::O_WRONLY)
            }
            result => result,
        };
        Ok(found?.map(|descriptor| Arc::new(OpenFile::new(descriptor))))
    }

    fn make_folder(&self, folder: &Arc<OpenFile>, name: &CStr) -> io::Result<()> {
        file::make_directory_at(folder.as_fd(), name, FOLDER_MODE)
    }

    fn stage(&self, near: Option<&CStr>) -> io::Result<(Arc<OpenFile>, StagedName)> {
        let area = near.map_or(Ok(0), |near| self.areas.area_near(near))?;
        let flags = libc::O_RDWR | libc::O_CREAT | libc::O_EXCL;
        loop {
            let staged = self.areas.next(area);
            let open = |place: Place<'_>| file::open_at(place.directory, place.name, flags, FILE_MODE);
            match self.staged(staged, open) {
                // Something that no server staged: there are names enough.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                result => return Ok((Arc::new(OpenFile::new(result?)), staged)),
            }
        }
    }

    fn write(&self, file: &Arc<OpenFile>, content: &[u8], offset: u64) -> io::Result<usize> {
        file.write_at(content, offset)
    }

    fn copy(&self, from: (&Arc<OpenFile>, u64), to: (&Arc<OpenFile>, u64), length: u64) -> io::Result<u64> {
        let count = file::copy_range((from.0.as_fd(), from.1), (to.0.as_fd(), to.1), length);
        count.map(|count| count as u64).map_err(|error| match error.kind() {
            // copy_file_range(2): between two file systems not every kernel copies.
            io::ErrorKind::CrossesDevices => io::ErrorKind::Unsupported.into(),
            _ => or_unsupported(error),
        })
    }

    fn truncate(&self, file: &Arc<OpenFile>, length: u64) -> io::Result<()> {
        file.set_len(length)
    }

    fn version(&self, file: &Arc<OpenFile>) -> io::Result<Version> {
        Ok(version(&file::status(file.as_fd())?))
    }

    fn set_modified(&self, file: &Arc<OpenFile>, modified: i64) -> io::Result<()> {
        file::set_modified(file.as_fd(), modified)
    }

    fn time(&self) -> i64 {
        clock::unix_nanoseconds()
    }

    fn last_change(&self) -> i64 {
        self.last_change
    }

    fn reserve_times(&self, until: i64) -> io::Result<()> {
        self.areas.reserve_times(until)
    }

    fn sync_file(&self, file: &Arc<OpenFile>) -> io::Result<()> {
        if bug("time_not_synced") {
            return file.sync_data();
        }
        // Not fdatasync: the modification time tells versions apart after a power cut, too.
        file.sync_all()
    }

    fn sync_folder(&self, folder: &Arc<OpenFile>) -> io::Result<()> {
        if bug("folder_sync_forgotten") {
            return Ok(());
        }
        folder.sync_all()
    }

    fn publish_new(&self, staged: StagedName, folder: &Arc<OpenFile>, name: &CStr) -> io::Result<()> {
        let to = Place { directory: folder.as_fd(), name };
        self.staged(staged, |from| {
            match file::rename(from, to, if bug("create_replaces") { 0 } else { libc::RENAME_NOREPLACE }) {
                // rename(2): a file system need not have the flag.
                Err(error) if is_unsupported(&error) => link_to_new(from, to),
                result => result,
            }
        })
    }

    fn exchange(&self, staged: StagedName, folder: &Arc<OpenFile>, name: &CStr) -> io::Result<()> {
        let to = Place { directory: folder.as_fd(), name };
        self.staged(staged, |from| file::rename(from, to, libc::RENAME_EXCHANGE).map_err(or_unsupported))
    }

    fn publish_over(&self, staged: StagedName, folder: &Arc<OpenFile>, name: &CStr) -> io::Result<()> {
        let to = Place { directory: folder.as_fd(), name };
        self.staged(staged, |from| file::rename(from, to, 0))
    }

    fn retire(&self, near: &CStr, folder: &Arc<OpenFile>, name: &CStr) -> io::Result<StagedName> {
        let from = Place { directory: folder.as_fd(), name };
        self.areas.near(near, |area, directory| {
            let (staged, mut buffer) = (self.areas.next(area), Name::default());
            file::rename(from, Place { directory, name: buffer.staged(staged) }, 0)?;
            Ok(staged)
        })
    }

    fn record_undo(&self, near: &CStr, file: &Arc<OpenFile>, before: Version) -> io::Result<StagedName> {
        let mut buffer = Name::default();
        let name = buffer.numbered("", descriptor_number(file.as_fd()));
        let from = Place { directory: self.descriptors.as_fd(), name };
        let undo = Some((before.length, before.modified));
        self.areas.near(near, |area, directory| {
            loop {
                let (staged, mut buffer) = (StagedName { undo, ..self.areas.next(area) }, Name::default());
                match file::link_descriptor(from, Place { directory, name: buffer.staged(staged) }) {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                    result => return result.map(|()| staged),
                }
            }
        })
    }

    fn sync_staged(&self, staged: StagedName) -> io::Result<()> {
        self.areas.folder(staged.area)?.sync_all()
    }

    fn unstage(&self, staged: StagedName) -> io::Result<()> {
        self.staged(staged, |place| file::remove_file_at(place.directory, place.name))
    }

    fn leftovers(&self) -> io::Result<Vec<StagedName>> {
        self.areas.leftovers()
    }

    fn open_staged(&self, staged: StagedName) -> io::Result<Arc<OpenFile>> {
        let flags = libc::O_WRONLY | libc::O_NOFOLLOW;
        let open = |place: Place<'_>| file::open_beneath(place.directory, place.name, flags, BENEATH);
        Ok(Arc::new(OpenFile::new(self.staged(staged, open)?)))
    }

    fn resolve(&self, path: &CStr) -> io::Result<(Vec<u8>, u64)> {
        let open = || file::open_beneath(self.base.as_fd(), or_dot(path), libc::O_PATH, WITHIN);
        // openat2(2): EAGAIN where somebody renamed on the way just then.
        let mut attempts = (0..RENAMED_MAX).map(|_| open());
        let renamed = |error: &io::Error| error.kind() == io::ErrorKind::WouldBlock;
        let named = attempts.find(|result| !result.as_ref().is_err_and(renamed)).unwrap_or_else(open)?;
        let (base, target) = (self.path_of(self.base.as_fd())?, self.path_of(named.as_fd())?);
        let inode = file::status(named.as_fd())?.inode;
        // The root directory's path ends in a slash, as no other does.
        let base = base.strip_suffix(b"/").unwrap_or(&base);
        match target.strip_prefix(base) {
            Some([]) => Ok((Vec::new(), inode)),
            Some([b'/', target @ ..]) => Ok((target.to_vec(), inode)),
            // It was moved out of the tree since.
            _ => Err(io::Error::from_raw_os_error(libc::ENOENT)),
        }
    }

    fn remove_file(&self, folder: &Arc<OpenFile>, name: &CStr) -> io::Result<()> {
        file::remove_file_at(folder.as_fd(), name)
    }

    fn remove_folder(&self, folder: &Arc<OpenFile>, name: &CStr) -> io::Result<()> {
        file::remove_directory_at(folder.as_fd(), name)
    }
}

fn entry(status: &Status) -> Entry {
    match status.format {
        libc::S_IFREG => Entry::File(version(status)),
        libc::S_IFDIR => Entry::Directory,
        _ => Entry::Other,
    }
}

fn version(status: &Status) -> Version {
    Version { inode: status.inode, modified: status.modified, length: status.length }
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

#[cfg(test)]
mod tests;
