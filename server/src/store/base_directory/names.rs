//! Where names lead, as long as the kernel says that nothing has changed: [`Names`].
//!
//! Property: what is believed of a path is what resolving it would say at that moment, but for changes
//! whose system calls have not returned yet.
//!
//! Why that holds. The kernel puts what happens to a watched directory into the queue of inotify(7) before
//! the call returns that did it, and changes of mounts likewise (proc_pid_mountinfo(5)). Before a name is
//! believed, everything in both queues is taken. A name is believed only if, from before it was resolved
//! on, every directory on the way was watched where it stands, and nothing has been told since of what it
//! depends on: that the entry got another file or lost its own; that one of the directories was moved,
//! removed, given other permissions, or that another one took its place; that anything was mounted.
//! Whether the *file* has changed does not matter here: whoever uses it asks it (`open_file.rs`).
//!
//! What cannot be relied on is not watched, and nothing below it is known: file systems that other machines
//! or layers change behind the kernel's back, directories that this process may not read, those that stand
//! in another mount namespace than it does. Nobody is told of a security module's new policy, nor of who
//! writes to the device itself. Kernels before 5.17 queue that a file was removed a moment before it is; the
//! file's own status is asked for that as well.

use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Weak};

use super::name::Name;
use super::open_file::OpenFile;
use super::{descriptor_number, or_dot};
use crate::seeded::bug;
use crate::sys::epoll::{Epoll, Readiness};
use crate::sys::file::{self, BENEATH, CACHED};
use crate::sys::inotify::{Happening, HappeningBuffer, Inotify, WatchNumber};

/// Directories of which one thread knows whether it watches them.
const DIRECTORIES_MAX: usize = 1024;
/// Names that one thread knows.
const NAMES_MAX: usize = 12_288;
/// Bytes of a path beyond which it is not worth the memory.
const PATH_BYTES_MAX: usize = 256;
/// Bytes of a directory beyond which it is not watched: to begin, the kernel goes through all of its entries
/// that it has in memory, ten thousand in a millisecond.
const DIRECTORY_BYTES_MAX: u64 = 512 * 1024;
/// Reads that look for themselves after everything was forgotten: so forgetting and learning again, which
/// takes a few milliseconds at most, costs little for each, however often directories are changed.
const RESTS: u32 = if cfg!(feature = "verification") { 4 } else { 4096 };
/// Looks at the kernel's queues for one read. Where they fill faster, it looks for itself.
const LOOKS_MAX: usize = 64;

/// What has been said of names is in the first queue, of mounts in the second.
const ENTRIES: u64 = 0;
const MOUNTS: u64 = 1;

/// What one thread knows of where names lead. Nobody shares it, so nothing is locked.
#[derive(Debug, Default)]
pub struct Names {
    /// Nothing where the kernel cannot tell of changes.
    queues: Option<Queues>,
    /// Directories by their paths, `""` being the base; those that cannot be watched have no number.
    directories: HashMap<Box<[u8]>, Option<usize>>,
    /// The same by their numbers.
    watched: Vec<Watched>,
    by_watch: HashMap<WatchNumber, usize>,
    names: HashMap<Box<[u8]>, Known>,
    /// How many changes have been told.
    changes: u64,
    /// Reads that are still to look for themselves.
    rests: u32,
    #[cfg(feature = "verification")]
    believed: u64,
}

/// Where the kernel tells what happened.
#[derive(Debug)]
struct Queues {
    either: Epoll,
    entries: Inotify,
    _mounts: File,
}

#[derive(Debug)]
struct Watched {
    watch: WatchNumber,
    /// The number of the last change of one of its entries.
    changed: u64,
}

/// Where a name leads.
#[derive(Clone, Debug)]
struct Known {
    /// As long as it is kept open: its inode's number is given to no other meanwhile.
    file: Weak<OpenFile>,
    /// The directory that it stands in.
    directory: usize,
    /// Of how many changes had been told before it was resolved.
    since: u64,
}

/// A directory in which names can be known, and of how many changes had been told: taken before a name is
/// resolved.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    directory: usize,
    since: u64,
}

impl Names {
    /// Knows nothing yet, and never will where the system has no room for watches, or the base directory
    /// lies where they are not told of everything.
    pub(super) fn of(base: BorrowedFd<'_>) -> Names {
        let told = file::file_system(base).is_ok_and(file::FileSystem::is_told_of);
        let queues = if told { Queues::open(base).ok() } else { None };
        Names { queues, ..Names::default() }
    }

    /// The file to which `path` leads, where that is known and it is open.
    pub(super) fn find(&mut self, path: &CStr) -> Option<Arc<OpenFile>> {
        self.queues.as_ref()?;
        if self.rests > 0 {
            self.rests -= 1;
            return None;
        }
        self.catch_up()?;
        let known = self.names.get(path.to_bytes())?;
        let directory = self.watched.get(known.directory)?;
        if known.since < directory.changed {
            return None;
        }
        let file = known.file.upgrade()?;
        #[cfg(feature = "verification")]
        {
            self.believed += 1;
        }
        Some(file)
    }

    /// How often something was believed.
    #[cfg(feature = "verification")]
    pub fn believed(&self) -> u64 {
        self.believed
    }

    /// Where `path` stands, if its directory is watched; to be asked before it is resolved, and behind
    /// [`Names::find`].
    pub(super) fn standing(&self, path: &CStr) -> Option<Standing> {
        let (&Some(directory), 0) = (self.directories.get(parent(path.to_bytes()))?, self.rests) else {
            return None;
        };
        Some(Standing { directory, since: self.changes })
    }

    /// Keeps in mind to what `path` led.
    pub(super) fn keep(&mut self, path: &CStr, standing: Standing, file: &Arc<OpenFile>) {
        let (path, Standing { directory, since }) = (path.to_bytes(), standing);
        let known = Known { file: Arc::downgrade(file), directory, since };
        if let Some(place) = self.names.get_mut(path) {
            *place = known;
        } else if path.len() <= PATH_BYTES_MAX {
            if self.names.len() >= NAMES_MAX {
                self.names.clear();
            }
            self.names.insert(path.into(), known);
        }
    }

    /// Begins to watch the directories above `path`, so that it can be known from its next resolution on.
    /// Takes no wait: what is not in the kernel's caches is not watched.
    pub(super) fn learn(&mut self, base: BorrowedFd<'_>, path: &CStr) {
        let path = path.to_bytes();
        if self.queues.is_none() || self.rests > 0 || path.len() > PATH_BYTES_MAX {
            return;
        }
        // Outermost first: so when one is resolved all above it are watched, and whatever makes its path
        // lead elsewhere from then on is told of them.
        let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
        for end in std::iter::once(0).chain(ends) {
            let directory = &path[..end];
            match self.directories.get(directory) {
                Some(Some(_)) => continue,
                // Of whatever is below one that is not watched, not everything would be told.
                Some(None) => return,
                None => {}
            }
            if self.directories.len() >= DIRECTORIES_MAX {
                return self.forget();
            }
            let Some(watched) = self.watch(base, directory) else { return };
            self.directories.insert(directory.into(), watched);
            if watched.is_none() {
                return;
            }
        }
    }

    /// Begins to watch one; nothing where that is to be tried another time, and no number where it cannot be.
    fn watch(&mut self, base: BorrowedFd<'_>, directory: &[u8]) -> Option<Option<usize>> {
        let (path, flags) = (CString::new(directory).ok()?, libc::O_PATH | libc::O_DIRECTORY);
        let named = file::open_beneath(base, or_dot(&path), flags, BENEATH | CACHED).ok()?;
        let long = file::status(named.as_fd()).is_ok_and(|status| status.length > DIRECTORY_BYTES_MAX);
        if long || !file::file_system(named.as_fd()).is_ok_and(file::FileSystem::is_told_of) {
            return Some(None);
        }
        let mut name = Name::default();
        let itself = name.numbered("/proc/self/fd/", descriptor_number(named.as_fd()));
        let happening = Happening::ENTRY.and(Happening::ITSELF);
        // Also one that has two paths is not watched by the second: what happens to it tells of one.
        let Ok(watch) = self.queues.as_ref()?.entries.watch(itself, happening) else { return Some(None) };
        let number = self.watched.len();
        self.watched.push(Watched { watch, changed: 0 });
        self.by_watch.insert(watch, number);
        Some(Some(number))
    }

    /// Takes everything that the kernel has to tell; nothing where it does not come to an end.
    fn catch_up(&mut self) -> Option<()> {
        for _ in 0..LOOKS_MAX {
            match self.queues.as_ref()?.either.look() {
                Ok(None) => return Some(()),
                Ok(Some(MOUNTS)) => self.forget(),
                Ok(Some(_)) => self.take_entries(),
                // EINTR: whatever the reason, nothing was looked at.
                Err(_) => return None,
            }
        }
        None
    }

    fn take_entries(&mut self) {
        let mut buffer = HappeningBuffer::default();
        let Some(Ok(happenings)) = self.queues.as_ref().map(|queues| queues.entries.take(&mut buffer)) else {
            return;
        };
        let mut all = false;
        for (watch, what) in happenings {
            if what.has(Happening::UNTOLD) && !bug("lost_changes_are_not_noticed") {
                all = true;
            }
            // Of one that is forgotten the end may still be told.
            let Some(&number) = self.by_watch.get(&watch) else { continue };
            let moved = Happening::ITSELF.and(Happening::DIRECTORY);
            if what.has(moved) && !bug("moved_directory_is_not_noticed") {
                all = true;
            }
            self.changes += 1;
            if let Some(watched) = self.watched.get_mut(number)
                && !bug("changed_entry_is_not_noticed")
            {
                watched.changed = self.changes;
            }
        }
        if all {
            self.forget();
        }
    }

    /// Forgets everything, and rests for a while.
    fn forget(&mut self) {
        if let Some(queues) = &self.queues {
            self.watched.iter().for_each(|watched| queues.entries.forget(watched.watch));
        }
        self.directories.clear();
        self.watched.clear();
        self.by_watch.clear();
        self.names.clear();
        self.rests = RESTS;
    }
}

impl Queues {
    fn open(base: BorrowedFd<'_>) -> io::Result<Queues> {
        let (either, entries) = (Epoll::new()?, Inotify::new()?);
        let mut mounts = File::open("/proc/self/mountinfo")?;
        // Of mounts in another namespace nothing would be told. The first number is that of the mount.
        let (mut list, own) = (String::new(), file::mount(base)?.to_string());
        mounts.read_to_string(&mut list)?;
        if !list.lines().any(|line| line.split(' ').next() == Some(&own)) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        either.add_lasting(entries.as_fd(), Readiness::READABLE, ENTRIES)?;
        either.add_lasting(mounts.as_fd(), Readiness::PRIORITY, MOUNTS)?;
        Ok(Queues { either, entries, _mounts: mounts })
    }
}

/// The path of the directory in which `path` stands.
fn parent(path: &[u8]) -> &[u8] {
    path.iter().rposition(|byte| *byte == b'/').map_or(b"", |at| &path[..at])
}
