//! What was received and not yet made sense of: a split head, or requests behind the one at hand.

/// Bytes that are kept from one input to the next. Without any it owns no memory.
#[derive(Debug, Default)]
pub(super) struct Unread {
    bytes: Vec<u8>,
    /// Those before here are done with; they are moved out only when more arrive, so that many
    /// requests in one buffer do not cost a copy of the rest each.
    start: usize,
}

impl Unread {
    /// Whether nothing is kept.
    pub(super) fn is_empty(&self) -> bool {
        self.start == self.bytes.len()
    }

    /// The bytes.
    pub(super) fn as_slice(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// Bytes of memory that it owns.
    #[cfg(feature = "verification")]
    pub(super) fn memory_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// More arrived.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.start);
        self.start = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The same with only its last `length` bytes.
    pub(super) fn keep_last(mut self, length: usize) -> Unread {
        if length == 0 {
            return Unread::default();
        }
        self.start = self.bytes.len() - length;
        self
    }
}
