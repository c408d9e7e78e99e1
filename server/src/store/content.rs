//! Whole content into a file, however little of it a call takes: [`write_all`] and [`copy_all`].

use std::io;

use super::directory::Directory;
use super::operation::{StoreError, StoreErrorKind};
use crate::seeded::bug;

/// Writes all of `content` at `offset`.
pub(super) fn write_all<D: Directory>(
    directory: &D,
    (file, mut offset): (&D::File, u64),
    mut content: &[u8],
) -> Result<(), StoreError> {
    while !content.is_empty() {
        let count = retry(|| directory.write(file, content, offset))
            .and_then(|count| if count == 0 { Err(io::ErrorKind::WriteZero.into()) } else { Ok(count) })
            .map_err(|error| StoreError::failed("pwrite", error))?;
        if bug("short_write_taken_for_whole") {
            break;
        }
        content = content.get(count..).unwrap_or_default();
        offset += count as u64;
    }
    Ok(())
}

/// Copies the first `length` bytes of `from` to `offset` of another file: as much work as there is
/// to copy, and none of it in the server's memory where the system can do it.
pub(super) fn copy_all<D: Directory>(
    directory: &D,
    from: &D::File,
    length: u64,
    (to, offset): (&D::File, u64),
) -> Result<(), StoreError> {
    let mut done = 0;
    while done < length {
        match retry(|| directory.copy((from, done), (to, offset + done), length - done)) {
            // copy_file_range(2): some file systems say nothing and copy nothing.
            Ok(0) => break,
            Ok(_) if bug("short_copy_taken_for_whole") => done = length,
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Unsupported => break,
            Err(error) => return Err(StoreError::failed("copy_file_range", error)),
        }
    }
    let rest = usize::try_from(length - done).unwrap_or(COPY_BYTES);
    let mut piece = vec![0; COPY_BYTES.min(rest)];
    while done < length {
        // A file may have become longer than what is to be copied of it.
        let rest = usize::try_from(length - done).unwrap_or(COPY_BYTES);
        let wanted = COPY_BYTES.min(rest);
        let count = retry(|| directory.read(from, &mut piece[..wanted], done))
            .map_err(|error| StoreError::failed("pread", error))?;
        if count == 0 {
            // Somebody cut what only the server has business with.
            return Err(StoreError::refused(StoreErrorKind::Broken));
        }
        write_all(directory, (to, offset + done), &piece[..count])?;
        done += count as u64;
    }
    Ok(())
}

/// Bytes that are copied at a time where they pass through memory.
const COPY_BYTES: usize = 256 * 1024;

/// Calls again as long as a signal interrupts.
pub(super) fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted && !bug("interrupted_call_fails") => {}
            result => return result,
        }
    }
}
