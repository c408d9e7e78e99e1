//! eventfd(2) as a bell that any thread can ring: [`EventFd`].

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::call::check;

/// Wakes the epoll instance to which it was added. Nobody reads it: each ring is an edge of its own.
#[derive(Debug)]
pub struct EventFd(OwnedFd);

impl EventFd {
    /// A new one.
    ///
    /// # Errors
    /// Where descriptors or memory are used up.
    pub fn new() -> io::Result<EventFd> {
        // SAFETY: takes no pointers.
        let descriptor = check(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })?;
        // SAFETY: eventfd returned this descriptor just now, so nobody else owns it.
        Ok(EventFd(unsafe { OwnedFd::from_raw_fd(descriptor) }))
    }

    /// Rings. It can only fail when rung 2^64 − 2 times.
    pub fn ring(&self) {
        let one = 1_u64.to_ne_bytes();
        // SAFETY: `one` is eight initialised bytes, as eventfd(2) asks for.
        let _ = unsafe { libc::write(self.0.as_raw_fd(), one.as_ptr().cast(), one.len()) };
    }
}

impl AsFd for EventFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sys::epoll::{Epoll, EventBuffer, Readiness};

    #[test]
    fn every_ring_wakes_though_nobody_reads() {
        let (epoll, bell) = (Epoll::new().unwrap(), EventFd::new().unwrap());
        epoll.add(bell.as_fd(), Readiness::READABLE, 3).unwrap();
        let mut buffer = EventBuffer::new(4);
        for _ in 0..3 {
            assert_eq!(epoll.wait(&mut buffer, Some(Duration::ZERO)).unwrap().count(), 0);
            bell.ring();
            let keys = epoll.wait(&mut buffer, Some(Duration::from_secs(5))).unwrap();
            assert_eq!(keys.map(|event| event.key).collect::<Vec<_>>(), [3]);
        }
    }
}
