//! The entries of a directory, with the positions that std keeps to itself.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::call::{check_count, retry};

/// An entry, as getdents64(2) writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Its name.
    pub name: &'a CStr,
    /// What it is, `DT_REG` for one; `DT_UNKNOWN` where the file system does not say.
    pub kind: u8,
    /// The position of the next entry.
    pub next: i64,
}

/// getdents64(2): reads entries from the directory's position on, and moves it. None means the end.
///
/// # Errors
/// What the call said; `InvalidInput` where there is no room for one entry.
pub fn read(directory: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    retry(|| {
        let (directory, length) = (directory.as_raw_fd(), buffer.len());
        // SAFETY: `buffer` is borrowed mutably, and as long as is said.
        let count = unsafe { libc::syscall(libc::SYS_getdents64, directory, buffer.as_mut_ptr(), length) };
        check_count(count as libc::ssize_t)
    })
}

/// The entries that were read.
pub fn of(mut bytes: &[u8]) -> impl Iterator<Item = Entry<'_>> {
    std::iter::from_fn(move || {
        let (entry, length) = first(bytes)?;
        bytes = bytes.get(length..)?;
        Some(entry)
    })
}

/// The first one and its length, by the layout of `linux_dirent64`: inode, offset, length, kind, name.
fn first(bytes: &[u8]) -> Option<(Entry<'_>, usize)> {
    let next = i64::from_ne_bytes(*bytes.get(8..)?.first_chunk()?);
    let length = usize::from(u16::from_ne_bytes(*bytes.get(16..)?.first_chunk()?));
    let kind = *bytes.get(18)?;
    let name = CStr::from_bytes_until_nul(bytes.get(19..length)?).ok()?;
    Some((Entry { name, kind, next }, length))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs::File;
    use std::io::{Seek, SeekFrom};
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn all_entries_are_read_from_every_position() {
        let directory = tempfile::tempdir().unwrap();
        let names: BTreeSet<String> = (0..300).map(|number| format!("name-{number}")).collect();
        for name in &names {
            std::fs::write(directory.path().join(name), "").unwrap();
        }
        let mut folder = File::open(directory.path()).unwrap();
        // Each entry alone: the next one is sought by the position behind it.
        let (mut seen, mut position, mut buffer) = (Vec::new(), 0, vec![0; 400]);
        loop {
            folder.seek(SeekFrom::Start(position)).unwrap();
            let count = read(folder.as_fd(), &mut buffer).unwrap();
            let Some(entry) = of(&buffer[..count]).next() else { break };
            seen.push((entry.name.to_str().unwrap().to_owned(), entry.kind));
            position = entry.next as u64;
        }
        assert_eq!(seen.len(), 302);
        let seen: BTreeSet<_> = seen.into_iter().filter(|(name, _)| !name.starts_with('.')).collect();
        assert_eq!(seen, names.into_iter().map(|name| (name, libc::DT_REG)).collect());
    }

    #[test]
    fn what_is_cut_short_is_no_entry() {
        let mut bytes = vec![0; 24];
        bytes[16] = 24;
        bytes[19] = b'a';
        assert_eq!(of(&bytes).map(|entry| entry.name.to_owned()).collect::<Vec<_>>(), [c"a".to_owned()]);
        for length in 0..24 {
            assert_eq!(of(&bytes[..length]).count(), 0, "{length}");
        }
    }
}
