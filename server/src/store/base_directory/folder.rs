//! The names in a directory, from a position on: [`read`].

use std::fs::File;
use std::io::{self, ErrorKind, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::os::fd::AsFd;

use super::open_file::OpenFile;
use crate::store::directory::FolderEntry;
use crate::sys::{entries, file};

/// Bytes of entries that are read at a time.
const ENTRIES_BYTES: usize = 32 * 1024;

/// Calls with each entry from a position on, until that breaks.
pub(super) fn read(
    folder: &OpenFile,
    from: i64,
    each: &mut dyn FnMut(FolderEntry<'_>) -> ControlFlow<()>,
) -> io::Result<()> {
    // Opened anew: reading moves the position, and the base directory's descriptor is everybody's.
    let flags = libc::O_RDONLY | libc::O_DIRECTORY;
    let mut folder = File::from(file::open_at(folder.as_fd(), c".", flags, 0)?);
    if from != 0 {
        folder.seek(SeekFrom::Start(u64::try_from(from).map_err(|_| ErrorKind::InvalidInput)?))?;
    }
    let mut buffer = vec![0; ENTRIES_BYTES];
    loop {
        let count = entries::read(folder.as_fd(), &mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        for entries::Entry { name, kind, next } in entries::of(&buffer[..count]) {
            if name == c"." || name == c".." {
                continue;
            }
            let is_other = !matches!(kind, libc::DT_REG | libc::DT_DIR | libc::DT_UNKNOWN);
            if each(FolderEntry { name, is_other, next }).is_break() {
                return Ok(());
            }
        }
    }
}
