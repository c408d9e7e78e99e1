//! What an event loop keeps of a session in its slot: [`Place`].

use std::mem;

use crate::clock::Instant;
use crate::driver::network::Peer;
use crate::driver::session::{Resting, Session};
use crate::store::directory::Directory;
use crate::sys::epoll::Readiness;

/// A session, at work or at rest.
pub(super) struct Place<S, D: Directory> {
    presence: Presence<S, D>,
    pub(super) peer: Peer,
    /// Whether it is one of the connections that are bounded, or was told that it is one too many.
    pub(super) counted: bool,
    /// Whether it is counted among those that rest.
    pub(super) rested: bool,
    /// What happened to it while it rested. It wakes when its turn comes: so of those that rest in between no
    /// more than one is awake at a time, and has the memory that the one before it gave back.
    noted: Readiness,
}

enum Presence<S, D: Directory> {
    /// Allocated for as long as something is under way: so a quiet connection takes an eighth.
    Awake(Box<Session<S, D>>),
    Resting(Resting<S>),
    /// While it wakes or goes to rest; and for good, where that panicked.
    Between,
}

impl<S, D: Directory> Place<S, D> {
    pub(super) fn new(session: Session<S, D>, counted: bool) -> Place<S, D> {
        let peer = session.peer();
        let presence = Presence::Awake(Box::new(session));
        Place { presence, peer, counted, rested: false, noted: Readiness::NOTHING }
    }

    /// Takes note of what happened to the socket; whether the session is to have its turn, and has it not coming.
    pub(super) fn note(&mut self, readiness: Readiness) -> bool {
        match &mut self.presence {
            Presence::Awake(session) => session.note(readiness) && !mem::replace(&mut session.queued, true),
            Presence::Resting(_) => {
                let noted = self.noted;
                self.noted = noted.and(readiness);
                noted == Readiness::NOTHING
            }
            Presence::Between => false,
        }
    }

    /// The session, awake from here on; nothing where it was lost to a panic.
    pub(super) fn session(&mut self) -> Option<&mut Session<S, D>> {
        if matches!(self.presence, Presence::Resting(_))
            && let Presence::Resting(resting) = mem::replace(&mut self.presence, Presence::Between)
        {
            let noted = mem::replace(&mut self.noted, Readiness::NOTHING);
            self.presence = Presence::Awake(Box::new(resting.wake(self.peer, noted)));
        }
        match &mut self.presence {
            Presence::Awake(session) => Some(session),
            Presence::Resting(_) | Presence::Between => None,
        }
    }

    /// Lets the session rest, where it has nothing to do.
    pub(super) fn let_rest(&mut self) {
        if matches!(&self.presence, Presence::Awake(session) if session.is_at_rest())
            && let Presence::Awake(session) = mem::replace(&mut self.presence, Presence::Between)
        {
            self.presence = Presence::Resting(session.into_rest());
        }
    }

    /// Whether nothing is to be done for it.
    pub(super) fn is_resting(&self) -> bool {
        matches!(self.presence, Presence::Resting(_))
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        match &self.presence {
            Presence::Awake(session) => session.deadline(),
            Presence::Resting(resting) => resting.deadline(),
            Presence::Between => None,
        }
    }

    /// What it owns in memory; nothing while it rests.
    #[cfg(feature = "verification")]
    pub(super) fn memory(&self) -> crate::connection::Memory {
        match &self.presence {
            Presence::Awake(session) => session.memory(),
            Presence::Resting(_) | Presence::Between => crate::connection::Memory::default(),
        }
    }
}
