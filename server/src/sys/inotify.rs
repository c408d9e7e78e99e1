//! inotify(7): what happens to directories and their entries, [`Inotify`].

use std::ffi::CStr;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::call::{check, check_count, retry};

/// What happened; a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Happening(u32);

impl Happening {
    /// An entry of the directory got another file, lost its file, or the file's status changed.
    pub const ENTRY: Happening =
        Happening(libc::IN_MOVED_FROM | libc::IN_MOVED_TO | libc::IN_DELETE | libc::IN_ATTRIB);
    /// The directory itself was moved or removed, or is no longer watched for whatever reason.
    pub const ITSELF: Happening =
        Happening(libc::IN_MOVE_SELF | libc::IN_DELETE_SELF | libc::IN_UNMOUNT | libc::IN_IGNORED);
    /// More happened than the kernel keeps in mind.
    pub const UNTOLD: Happening = Happening(libc::IN_Q_OVERFLOW);
    /// It happened to a directory, the one that is watched or one in it.
    pub const DIRECTORY: Happening = Happening(libc::IN_ISDIR);

    /// Both sets in one.
    pub const fn and(self, other: Happening) -> Happening {
        Happening(self.0 | other.0)
    }

    /// Whether the sets have anything in common.
    pub const fn has(self, other: Happening) -> bool {
        self.0 & other.0 != 0
    }
}

/// The number of a watch; the next one has another for two thousand million times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WatchNumber(libc::c_int);

/// Directories that are watched. What happened is told in order, and is there to be taken when the
/// call returns that did it.
#[derive(Debug)]
pub struct Inotify(OwnedFd);

/// Room for some hundred events.
pub struct HappeningBuffer([u8; 8192]);

impl Default for HappeningBuffer {
    fn default() -> HappeningBuffer {
        HappeningBuffer([0; 8192])
    }
}

impl Inotify {
    /// Nothing is watched yet.
    ///
    /// # Errors
    /// Where descriptors, memory or `max_user_instances` are used up.
    pub fn new() -> io::Result<Inotify> {
        // SAFETY: takes no pointers.
        let descriptor = check(unsafe { libc::inotify_init1(libc::IN_CLOEXEC | libc::IN_NONBLOCK) })?;
        // SAFETY: inotify_init1 returned this descriptor just now, so nobody else owns it.
        Ok(Inotify(unsafe { OwnedFd::from_raw_fd(descriptor) }))
    }

    /// Watches the directory to which `path` leads.
    ///
    /// # Errors
    /// `AlreadyExists` where it is watched; others as the call said.
    pub fn watch(&self, path: &CStr, happening: Happening) -> io::Result<WatchNumber> {
        let mask = happening.0 & !(libc::IN_ISDIR | libc::IN_IGNORED | libc::IN_UNMOUNT);
        let mask = mask | libc::IN_ONLYDIR | libc::IN_MASK_CREATE;
        // SAFETY: `path` ends in NUL and outlives the call.
        check(unsafe { libc::inotify_add_watch(self.0.as_raw_fd(), path.as_ptr(), mask) }).map(WatchNumber)
    }

    /// Watches it no more. What had happened before may still be told.
    pub fn forget(&self, number: WatchNumber) {
        // SAFETY: takes no pointers. It fails only where the watch is gone.
        unsafe { libc::inotify_rm_watch(self.0.as_raw_fd(), number.0) };
    }

    /// Takes what happened, as much as there is room for.
    ///
    /// # Errors
    /// `WouldBlock` where nothing did.
    pub fn take<'a>(
        &self,
        buffer: &'a mut HappeningBuffer,
    ) -> io::Result<impl Iterator<Item = (WatchNumber, Happening)> + use<'a>> {
        let descriptor = self.0.as_raw_fd();
        let count = retry(|| {
            // SAFETY: the pointer and the length are those of `buffer`.
            check_count(unsafe {
                libc::read(descriptor, buffer.0.as_mut_ptr().cast(), size_of::<HappeningBuffer>())
            })
        })?;
        let mut rest = &buffer.0[..count];
        Ok(std::iter::from_fn(move || {
            let (number, happening, length) = first(rest)?;
            rest = rest.get(length..).unwrap_or_default();
            Some((WatchNumber(number), Happening(happening)))
        }))
    }
}

/// Watch and mask of the first event in `bytes`, and how long it is with its name.
fn first(bytes: &[u8]) -> Option<(libc::c_int, u32, usize)> {
    let four = |at: usize| Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let length = size_of::<libc::inotify_event>() + four(12)? as usize;
    Some((four(0)?.cast_signed(), four(4)?, length))
}

impl AsFd for Inotify {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    const ALL: Happening = Happening::ENTRY.and(Happening::ITSELF);

    fn taken(inotify: &Inotify) -> Vec<(WatchNumber, Happening)> {
        let mut buffer = HappeningBuffer::default();
        inotify.take(&mut buffer).map(Iterator::collect).unwrap_or_default()
    }

    #[test]
    fn what_happens_is_told_when_the_call_has_returned() {
        let home = tempfile::tempdir().unwrap();
        let (path, inotify) = (home.path().join("a"), Inotify::new().unwrap());
        std::fs::create_dir(&path).unwrap();
        let watch =
            |path: &std::path::Path| inotify.watch(&CString::new(path.as_os_str().as_bytes()).unwrap(), ALL);
        let number = watch(&path).unwrap();
        assert_eq!(watch(&path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(
            inotify.take(&mut HappeningBuffer::default()).err().unwrap().kind(),
            io::ErrorKind::WouldBlock
        );

        for name in ["x", "y"] {
            std::fs::write(path.join(name), "").unwrap();
        }
        assert_eq!(taken(&inotify), [], "what is new had no name before");
        std::fs::rename(path.join("x"), path.join("y")).unwrap();
        let events = taken(&inotify);
        assert!(!events.is_empty());
        assert!(events.iter().all(|&(of, what)| of == number && what.has(Happening::ENTRY)));
        assert!(!events.iter().any(|&(_, what)| what.has(Happening::DIRECTORY)));

        std::fs::create_dir(path.join("b")).unwrap();
        std::fs::remove_dir(path.join("b")).unwrap();
        assert!(taken(&inotify).iter().any(|&(_, what)| what.has(Happening::DIRECTORY)));
        std::fs::rename(&path, home.path().join("c")).unwrap();
        assert!(taken(&inotify).iter().any(|&(_, what)| what.has(Happening::ITSELF)));
        inotify.forget(number);
        assert!(taken(&inotify).iter().all(|&(_, what)| what.has(Happening::ITSELF)));
        assert_ne!(watch(&home.path().join("c")).unwrap(), number);
    }
}
