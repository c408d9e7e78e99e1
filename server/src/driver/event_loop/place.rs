//! What an event loop keeps of a session in its slot: [`Place`].

use crate::clock::Instant;
use crate::driver::network::Peer;
use crate::driver::session::{Resting, Session};
use crate::store::directory::Directory;

/// A session, at work or at rest.
pub(super) struct Place<S, D: Directory> {
    presence: Presence<S, D>,
    pub(super) peer: Peer,
    /// Whether it is one of the connections that are bounded, or was told that it is one too many.
    pub(super) counted: bool,
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
        Place { peer: session.peer(), presence: Presence::Awake(Box::new(session)), counted }
    }

    /// The session, awake from here on; nothing where it was lost to a panic.
    pub(super) fn session(&mut self) -> Option<&mut Session<S, D>> {
        if matches!(self.presence, Presence::Resting(_))
            && let Presence::Resting(resting) = std::mem::replace(&mut self.presence, Presence::Between)
        {
            self.presence = Presence::Awake(Box::new(resting.wake(self.peer)));
        }
        match &mut self.presence {
            Presence::Awake(session) => Some(session),
            Presence::Resting(_) | Presence::Between => None,
        }
    }

    /// Lets the session rest, where it has nothing to do.
    pub(super) fn let_rest(&mut self) {
        if matches!(&self.presence, Presence::Awake(session) if session.is_at_rest())
            && let Presence::Awake(session) = std::mem::replace(&mut self.presence, Presence::Between)
        {
            self.presence = Presence::Resting(session.into_rest());
        }
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
