//! Who may do what, and the threads that look at passwords: [`Access`].
//!
//! They are threads of their own, and few: hashing is for the CPU what the disk is not, and whoever
//! guesses passwords is to hold up neither the event loops nor those who wait for the disk.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::thread::available_parallelism;

use super::pool::{self, Done, Job, Pool};
use crate::api::rights::{Rights, Verdict};
use crate::clock::{Instant, SystemClock};
use crate::http::credentials::Credentials;
use crate::shared::queue::Queue;
use crate::store::Store;
use crate::store::directory::Directory;
use crate::users::Users;

/// Passwords that wait to be looked at; one more is answered 503.
pub const WAITING_MAX: usize = 64;
/// Threads that look at them, at most; and half of the CPUs.
const THREADS_MAX: usize = 4;

/// What the event loops share of it.
pub struct Access<D: Directory> {
    /// Who may do what; without any, everybody everything.
    pub rights: Option<Arc<Rights>>,
    /// Who can say who it is.
    pub users: Option<Arc<Users>>,
    /// The way to the threads.
    pub queue: Arc<Queue<Job<D>>>,
}

/// Credentials to be looked at.
pub struct Verification {
    /// Whose they may be.
    pub users: Arc<Users>,
    /// They.
    pub credentials: Credentials,
    /// Where they come from; nothing for a local socket.
    pub address: Option<IpAddr>,
    /// When they came, in seconds.
    pub now: u64,
}

impl<D: Directory> Access<D> {
    /// Starts the threads, where there is something for them to do; with a clock they count.
    ///
    /// # Errors
    /// Where the system has no room for one more thread.
    pub fn start(
        rights: Option<Rights>,
        users: Option<Users>,
        store: &Arc<Store<D>>,
        clock: Option<&SystemClock>,
        deliver: impl Fn(usize, Done<D>) + Clone + Send + 'static,
    ) -> io::Result<(Access<D>, Pool)>
    where
        Store<D>: Send + Sync,
        Job<D>: Send,
    {
        let access = Access { rights: rights.map(Arc::new), users: users.map(Arc::new), ..Access::default() };
        let passwords = access.users.as_ref().is_some_and(|users| users.schemes().basic);
        if !passwords {
            return Ok((access, Pool::default()));
        }
        let threads = available_parallelism().map_or(1, usize::from) / 2;
        let pool = pool::start(threads.clamp(1, THREADS_MAX), store, &access.queue, clock, deliver)?;
        Ok((access, pool))
    }
}

impl<D: Directory> Default for Access<D> {
    fn default() -> Access<D> {
        Access { rights: None, users: None, queue: Arc::new(Queue::new()) }
    }
}

impl<D: Directory> Clone for Access<D> {
    fn clone(&self) -> Access<D> {
        Access { rights: self.rights.clone(), users: self.users.clone(), queue: Arc::clone(&self.queue) }
    }
}

impl Verification {
    /// Looks at them; takes a while.
    pub fn carry_out(&self) -> Verdict {
        self.users.verify(&self.credentials, self.address, self.now)
    }
}

/// Seconds on the clock that waits and memories are counted by.
pub fn seconds(now: Instant) -> u64 {
    now.nanoseconds() / 1_000_000_000
}
