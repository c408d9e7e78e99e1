//! Sockets that have a path in place of an address (unix(7)): [`listen`] and [`is_heard`].

use std::ffi::CString;
use std::io;
use std::mem::{offset_of, size_of};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::call::check;
use super::socket::{Listener, stream_socket};

/// Makes a socket at `path`, where nothing may be, that all whom the permissions `mode` allow to
/// write may connect to: nobody else, not even for a moment.
///
/// # Errors
/// `AddrInUse` where something is there; else what socket, bind, chmod or listen said.
pub fn listen(path: &Path, mode: u32) -> io::Result<Listener> {
    let socket = stream_socket(libc::AF_UNIX)?;
    let (address, length) = address(path)?;
    // SAFETY: the pointer and the length are those of `address`.
    check(unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) })?;
    let file = CString::new(path.as_os_str().as_bytes())?;
    // Before anybody can connect: until it listens, that is refused.
    // SAFETY: `file` ends with a zero byte.
    check(unsafe { libc::chmod(file.as_ptr(), mode) })?;
    Listener::from_bound(socket)
}

/// Whether anybody listens at the socket `path`. Does not wait.
///
/// # Errors
/// What connect said, where that is no answer.
pub fn is_heard(path: &Path) -> io::Result<bool> {
    let socket = stream_socket(libc::AF_UNIX)?;
    let (address, length) = address(path)?;
    // SAFETY: the pointer and the length are those of `address`.
    let result = unsafe { libc::connect(socket.as_raw_fd(), (&raw const address).cast(), length) };
    match check(result).map_err(|error| (error.raw_os_error(), error)) {
        // Of another kind, or with no room for one more connection: somebody has it.
        Ok(_) | Err((Some(libc::EAGAIN | libc::EPROTOTYPE), _)) => Ok(true),
        Err((Some(libc::ECONNREFUSED), _)) => Ok(false),
        Err((_, error)) => Err(error),
    }
}

fn address(path: &Path) -> io::Result<(libc::sockaddr_un, libc::socklen_t)> {
    let mut address =
        libc::sockaddr_un { sun_family: libc::AF_UNIX as libc::sa_family_t, sun_path: [0; 108] };
    let path = path.as_os_str().as_bytes();
    // One zero byte has to stand behind it, and one at its beginning would mean something else.
    if path.is_empty() || path.contains(&0) || path.len() >= address.sun_path.len() {
        return Err(io::Error::new(io::ErrorKind::InvalidFilename, "a path of 1 to 107 bytes is needed"));
    }
    for (place, &byte) in address.sun_path.iter_mut().zip(path) {
        *place = byte as libc::c_char;
    }
    let length = offset_of!(libc::sockaddr_un, sun_path) + path.len() + 1;
    debug_assert!(length <= size_of::<libc::sockaddr_un>(), "the path was short enough");
    Ok((address, length as libc::socklen_t))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::sys::socket::Peer;

    #[test]
    fn a_local_socket_is_heard_as_long_as_it_listens() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("socket");
        assert_eq!(is_heard(&path).unwrap_err().kind(), io::ErrorKind::NotFound);
        let listener = listen(&path, 0o640).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o640);
        assert!(is_heard(&path).unwrap());
        assert_eq!(listen(&path, 0o640).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        let _client = UnixStream::connect(&path).unwrap();
        // The first is that of the question.
        listener.accept().unwrap();
        let (stream, peer) = listener.accept().unwrap();
        assert_eq!((peer, peer.to_string()), (Peer::Local, "unix".to_owned()));
        assert_eq!(stream.receive(&mut [0]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(listener);
        assert!(!is_heard(&path).unwrap());
    }

    #[test]
    fn paths_have_to_fit() {
        let home = tempfile::tempdir().unwrap();
        let room = 107 - home.path().as_os_str().len() - 1;
        listen(&home.path().join("x".repeat(room)), 0o600).unwrap();
        let refused = |path: &Path| listen(path, 0o600).unwrap_err().kind();
        assert_eq!(refused(&home.path().join("x".repeat(room + 1))), io::ErrorKind::InvalidFilename);
        assert_eq!(refused(Path::new("")), io::ErrorKind::InvalidFilename);
        assert_eq!(refused(Path::new("a\0b")), io::ErrorKind::InvalidFilename);
    }
}
