//! What a connection owns in memory, for checks that it stays in bounds: [`Memory`].

use super::{Connection, State};

/// Bytes of memory by what they are for, as they are allocated. What one head says is not counted:
/// it is bounded by the head.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    /// Received, and not yet made sense of.
    pub unread: usize,
    /// Content on its way to a file.
    pub content: usize,
    /// Answers for which there was no room.
    pub unsent: usize,
}

impl Connection {
    /// What it owns now. It leaves what is unsent to its session.
    pub fn memory(&self) -> Memory {
        let content = match &self.state {
            State::Gather { upload, .. } | State::Stage { upload, .. } | State::Write { upload, .. } => {
                upload.buffer.capacity()
            }
            _ => 0,
        };
        Memory { unread: self.unread.memory_bytes(), content, unsent: 0 }
    }
}
