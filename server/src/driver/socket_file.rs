//! The file of a local socket, from the server's start to its end: [`listen`] and [`SocketFile`].

use std::fs::{self, File, Metadata, TryLockError};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::sys::local_socket;
use crate::sys::socket::Listener;

/// Attempts to be alone with a directory, and the time between two.
const ATTEMPTS_MAX: u32 = 40;
const ATTEMPT_TIME: Duration = Duration::from_millis(25);

/// Listens at `path`. What a server that died has left there is replaced.
///
/// # Errors
/// `AddrInUse` where somebody listens there, `AlreadyExists` where there is anything but a socket; else
/// what the system said.
pub fn listen(path: &Path, mode: u32) -> io::Result<(Listener, SocketFile)> {
    let _alone = be_alone_in(&above(path))?;
    match fs::symlink_metadata(path) {
        Ok(there) if !there.file_type().is_socket() => return Err(io::ErrorKind::AlreadyExists.into()),
        Ok(_) if local_socket::is_heard(path)? => return Err(io::ErrorKind::AddrInUse.into()),
        Ok(_) => fs::remove_file(path)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let listener = local_socket::listen(path, mode)?;
    let identity = identity(&fs::symlink_metadata(path)?);
    Ok((listener, SocketFile { path: path.to_owned(), identity }))
}

/// A socket's file, which vanishes with this: drop it before the socket is closed, so that nobody finds
/// a file behind which nobody listens, and no other file can have its inode meanwhile.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl SocketFile {
    /// The directory that it is in.
    pub fn directory(&self) -> PathBuf {
        above(&self.path)
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Where this fails, the file stays: the next server replaces it.
        if let Ok(_alone) = be_alone_in(&above(&self.path))
            && fs::symlink_metadata(&self.path).is_ok_and(|there| identity(&there) == self.identity)
        {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A lock on a directory, for the moment between a look at a name and its change: two servers that
/// start at once do not remove each other's sockets.
fn be_alone_in(directory: &Path) -> io::Result<File> {
    let directory = File::open(directory)?;
    for _ in 0..ATTEMPTS_MAX {
        match directory.try_lock() {
            Ok(()) => return Ok(directory),
            Err(TryLockError::WouldBlock) => thread::sleep(ATTEMPT_TIME),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Err(io::Error::new(io::ErrorKind::ResourceBusy, "another program holds a lock on its directory"))
}

fn above(path: &Path) -> PathBuf {
    match path.parent() {
        Some(above) if above != Path::new("") => above.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_socket_is_replaced_and_a_live_one_is_not() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("socket");
        let (listener, file) = listen(&path, 0o600).unwrap();
        assert_eq!(listen(&path, 0o600).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        // As a server leaves it that is killed.
        drop(listener);
        std::mem::forget(file);
        let (listener, file) = listen(&path, 0o600).unwrap();
        drop(file);
        assert!(!path.exists());
        drop(listener);
        fs::write(&path, "precious").unwrap();
        assert_eq!(listen(&path, 0o600).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }

    #[test]
    fn what_took_the_place_of_a_socket_is_not_removed() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("socket");
        let (_listener, file) = listen(&path, 0o600).unwrap();
        fs::remove_file(&path).unwrap();
        let (_other, other_file) = listen(&path, 0o600).unwrap();
        drop(file);
        assert!(path.exists());
        drop(other_file);
        assert!(!path.exists());
    }

    #[test]
    fn a_directory_that_stays_locked_is_no_reason_to_wait_for_ever() {
        let home = tempfile::tempdir().unwrap();
        let _held = be_alone_in(home.path()).unwrap();
        let refused = listen(&home.path().join("socket"), 0o600).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ResourceBusy);
    }
}
