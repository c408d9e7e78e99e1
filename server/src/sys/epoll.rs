//! epoll(7), edge-triggered: [`Epoll`].

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

use super::call::check;

/// What to hear of, and what was heard; a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readiness(u32);

impl Readiness {
    /// Nothing at all.
    pub const NOTHING: Readiness = Readiness(0);
    /// There is something to receive or to accept, or the peer will send no more.
    pub const READABLE: Readiness = Readiness(libc::EPOLLIN as u32);
    /// There is room to send.
    pub const WRITABLE: Readiness = Readiness(libc::EPOLLOUT as u32);
    /// The peer will send no more.
    pub const ENDED: Readiness = Readiness(libc::EPOLLRDHUP as u32);
    /// Nothing can be sent any more. Heard of in any case.
    pub const BROKEN: Readiness = Readiness((libc::EPOLLHUP | libc::EPOLLERR) as u32);
    /// Something out of the ordinary.
    pub const PRIORITY: Readiness = Readiness(libc::EPOLLPRI as u32);

    /// Both sets in one.
    pub const fn and(self, other: Readiness) -> Readiness {
        Readiness(self.0 | other.0)
    }

    /// Whether the sets have anything in common.
    pub const fn has(self, other: Readiness) -> bool {
        self.0 & other.0 != 0
    }
}

/// Something that happened to the descriptor that was added with this key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The key.
    pub key: u64,
    /// What happened.
    pub readiness: Readiness,
}

/// Room for the events of one wait.
pub struct EventBuffer(Box<[libc::epoll_event]>);

impl EventBuffer {
    /// Room for this many.
    pub fn new(events_max: usize) -> EventBuffer {
        EventBuffer(vec![libc::epoll_event { events: 0, u64: 0 }; events_max].into_boxed_slice())
    }
}

/// An epoll instance. It forgets a descriptor when its owner closes it.
#[derive(Debug)]
pub struct Epoll(OwnedFd);

impl Epoll {
    /// A new one.
    ///
    /// # Errors
    /// Where descriptors or memory are used up.
    pub fn new() -> io::Result<Epoll> {
        // SAFETY: takes no pointers.
        let descriptor = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: epoll_create1 returned this descriptor just now, so nobody else owns it.
        Ok(Epoll(unsafe { OwnedFd::from_raw_fd(descriptor) }))
    }

    /// Begins to report events of `descriptor`, each once when it comes about.
    ///
    /// # Errors
    /// Where memory or `max_user_watches` are used up.
    pub fn add(&self, descriptor: BorrowedFd<'_>, interest: Readiness, key: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, descriptor, interest, key)
    }

    /// The same for a descriptor that others wait for, too: not all of them are woken (epoll_ctl(2)).
    ///
    /// # Errors
    /// Where memory or `max_user_watches` are used up.
    pub fn add_shared(&self, descriptor: BorrowedFd<'_>, interest: Readiness, key: u64) -> io::Result<()> {
        self.add(descriptor, Readiness(interest.0 | libc::EPOLLEXCLUSIVE as u32), key)
    }

    /// Begins to report events of `descriptor`, for as long as they hold.
    ///
    /// # Errors
    /// Where memory or `max_user_watches` are used up.
    pub fn add_lasting(&self, descriptor: BorrowedFd<'_>, interest: Readiness, key: u64) -> io::Result<()> {
        self.call(libc::EPOLL_CTL_ADD, descriptor, libc::epoll_event { events: interest.0, u64: key })
    }

    /// Changes what is reported; what holds at this moment is reported again.
    ///
    /// # Errors
    /// Where memory is used up.
    pub fn change(&self, descriptor: BorrowedFd<'_>, interest: Readiness, key: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, descriptor, interest, key)
    }

    /// Waits until there are events or the time is up (`None`: without end); none where a signal
    /// ends the wait.
    ///
    /// # Errors
    /// Only where this program is wrong.
    pub fn wait<'a>(
        &self,
        buffer: &'a mut EventBuffer,
        timeout: Option<Duration>,
    ) -> io::Result<impl Iterator<Item = Event> + use<'a>> {
        let room = libc::c_int::try_from(buffer.0.len()).unwrap_or(libc::c_int::MAX);
        let (epoll, events) = (self.0.as_raw_fd(), buffer.0.as_mut_ptr());
        // SAFETY: `events` points to `room` initialised events, which `buffer` lends exclusively.
        let result = unsafe { libc::epoll_wait(epoll, events, room, milliseconds(timeout)) };
        let count = match check(result) {
            Ok(count) => usize::try_from(count).unwrap_or(0),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            Err(error) => return Err(error),
        };
        // The kernel's struct is packed: its fields are copied out, never borrowed.
        Ok(buffer.0[..count].iter().map(|event| Event { key: event.u64, readiness: Readiness(event.events) }))
    }

    /// The key of a descriptor that has something to report at this moment.
    ///
    /// # Errors
    /// Only where this program is wrong.
    pub fn look(&self) -> io::Result<Option<u64>> {
        let mut event = libc::epoll_event { events: 0, u64: 0 };
        // SAFETY: there is room for one event.
        match check(unsafe { libc::epoll_wait(self.0.as_raw_fd(), &raw mut event, 1, 0) }) {
            Ok(0) => Ok(None),
            Ok(_) => Ok(Some(event.u64)),
            Err(error) => Err(error),
        }
    }

    fn control(
        &self,
        operation: libc::c_int,
        descriptor: BorrowedFd<'_>,
        interest: Readiness,
        key: u64,
    ) -> io::Result<()> {
        let events = interest.0 | libc::EPOLLET as u32;
        self.call(operation, descriptor, libc::epoll_event { events, u64: key })
    }

    fn call(
        &self,
        operation: libc::c_int,
        descriptor: BorrowedFd<'_>,
        mut event: libc::epoll_event,
    ) -> io::Result<()> {
        let (epoll, descriptor) = (self.0.as_raw_fd(), descriptor.as_raw_fd());
        // SAFETY: `event` is initialised and outlives the call.
        check(unsafe { libc::epoll_ctl(epoll, operation, descriptor, &raw mut event) }).map(drop)
    }
}

/// Rounded up, so that a wait never ends before its deadline and then waits for nothing again.
fn milliseconds(timeout: Option<Duration>) -> libc::c_int {
    timeout.map_or(-1, |timeout| {
        let milliseconds = timeout.as_nanos().div_ceil(1_000_000);
        libc::c_int::try_from(milliseconds).unwrap_or(libc::c_int::MAX)
    })
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    fn wait(epoll: &Epoll, timeout: Duration) -> Vec<Event> {
        let mut buffer = EventBuffer::new(8);
        epoll.wait(&mut buffer, Some(timeout)).unwrap().collect()
    }

    #[test]
    fn an_edge_is_reported_once_and_again_after_a_change() {
        let epoll = Epoll::new().unwrap();
        let (mut near, mut far) = UnixStream::pair().unwrap();
        let interest = Readiness::READABLE.and(Readiness::ENDED);
        epoll.add(near.as_fd(), interest, 7).unwrap();
        assert_eq!(wait(&epoll, Duration::ZERO), []);

        far.write_all(b"x").unwrap();
        let readable = Event { key: 7, readiness: Readiness::READABLE };
        assert_eq!(wait(&epoll, Duration::from_secs(5)), [readable]);
        assert_eq!(wait(&epoll, Duration::ZERO), []);

        epoll.change(near.as_fd(), interest.and(Readiness::WRITABLE), 9).unwrap();
        let both = Event { key: 9, readiness: Readiness::READABLE.and(Readiness::WRITABLE) };
        assert_eq!(wait(&epoll, Duration::from_secs(5)), [both]);

        near.read_exact(&mut [0]).unwrap();
        drop(far);
        let [event] = wait(&epoll, Duration::from_secs(5))[..] else { panic!("one event") };
        assert!(event.readiness.has(Readiness::ENDED) && event.readiness.has(Readiness::BROKEN));
    }

    #[test]
    fn a_closed_descriptor_is_forgotten() {
        let epoll = Epoll::new().unwrap();
        let (near, far) = UnixStream::pair().unwrap();
        epoll.add(near.as_fd(), Readiness::READABLE, 1).unwrap();
        drop(near);
        drop(far);
        assert_eq!(wait(&epoll, Duration::ZERO), []);
    }

    #[test]
    fn timeouts_are_rounded_up() {
        assert_eq!(milliseconds(None), -1);
        assert_eq!(milliseconds(Some(Duration::ZERO)), 0);
        assert_eq!(milliseconds(Some(Duration::from_nanos(1))), 1);
        assert_eq!(milliseconds(Some(Duration::from_micros(1500))), 2);
        assert_eq!(milliseconds(Some(Duration::MAX)), libc::c_int::MAX);
    }
}
