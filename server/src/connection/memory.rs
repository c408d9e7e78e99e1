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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::clock::{Instant, Now};
    use crate::connection::{Input, Output, Want};
    use crate::limits::Limits;

    #[test]
    fn what_was_received_and_not_passed_on_is_counted() {
        let now = Now::new(Instant::from_nanoseconds(5), 0);
        let mut connection = Connection::new(Arc::new(Limits::default()), &now);
        let owned = |connection: &Connection| {
            let Memory { unread, content, unsent } = connection.memory();
            (unread, content, unsent)
        };
        assert_eq!(owned(&connection), (0, 0, 0));
        let head = b"PUT /files/a HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n";
        let mut output = Output::default();
        assert_eq!(connection.advance(Input::Bytes(head), &now, &mut output), Want::Receive);
        assert!(owned(&connection).0 >= head.len() && owned(&connection).1 == 0);
        let content = [&b"\r\n"[..], &[b'x'; 700]].concat();
        assert_eq!(connection.advance(Input::Bytes(&content), &now, &mut output), Want::Receive);
        assert!(owned(&connection).0 == 0 && owned(&connection).1 >= 700);
    }
}
