//! What a request is called in its answer and in the log, so that one can be found by the other: [`RequestId`].

use std::io::Write as _;

use crate::http::request::Request;

/// The field that carries it. No standard has it; proxies and libraries know this name.
const FIELD: &str = "x-request-id";

/// Bytes of a client's own id that are still taken over.
const CLIENT_BYTES_MAX: usize = 128;

/// What one request is called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RequestId {
    /// It is not called anything.
    #[default]
    None,
    /// What this server calls it: the server's start, the event loop, the request.
    Own(u32, u32, u64),
    /// What the client, or a proxy, calls it.
    Client(Box<[u8]>),
}

impl RequestId {
    /// Whether there is one.
    pub fn is_none(&self) -> bool {
        matches!(self, RequestId::None)
    }

    /// Appends it: letters, digits and `-._~+/=:`, nothing that could end a line or a string.
    pub fn write(&self, bytes: &mut Vec<u8>) {
        match self {
            RequestId::None => {}
            RequestId::Own(start, event_loop, number) => {
                // Writing to memory cannot fail.
                let _ = write!(bytes, "{start:08x}-{event_loop:x}-{number:x}");
            }
            RequestId::Client(id) => bytes.extend_from_slice(id),
        }
    }
}

/// Where one event loop's requests get their ids. No two requests get the same, whatever clients send,
/// but where a client repeats its own.
#[derive(Clone, Debug)]
pub struct RequestIds {
    start: u32,
    event_loop: u32,
    given: u64,
}

impl RequestIds {
    /// For one event loop of a server that is told apart from earlier ones by `start`.
    pub fn new(start: u32, event_loop: u32) -> RequestIds {
        RequestIds { start, event_loop, given: 0 }
    }

    /// The next request's: its own where it has one that can be taken over.
    pub(super) fn name(&mut self, request: Option<&Request<'_>>) -> RequestId {
        let client = request.and_then(|request| request.single_value(FIELD)).filter(|id| is_taken_over(id));
        if let Some(id) = client {
            // An allocation where a client sends one, and only where ids are asked for.
            return RequestId::Client(id.into());
        }
        self.given += 1;
        RequestId::Own(self.start, self.event_loop, self.given)
    }
}

/// Whether a client's id is short and plain.
fn is_taken_over(id: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/=:".contains(byte);
    !id.is_empty() && id.len() <= CLIENT_BYTES_MAX && id.iter().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(id: &RequestId) -> String {
        let mut bytes = Vec::new();
        id.write(&mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn each_request_has_its_own() {
        let mut ids = RequestIds::new(0xab, 1);
        assert_eq!(written(&ids.name(None)), "000000ab-1-1");
        assert_eq!(written(&ids.name(None)), "000000ab-1-2");
        assert_eq!(written(&RequestId::None), "");
    }

    #[test]
    fn only_plain_ids_are_taken_over() {
        for plain in ["a", "3fa85f64-5717-4562-b3fc-2c963f66afa6", "A/b+c=.~_:9", &"x".repeat(128)] {
            assert!(is_taken_over(plain.as_bytes()), "{plain}");
        }
        for other in ["", "a b", "a\"b", "a\\b", "a\u{1b}b", "a,b", "\u{e9}", &"x".repeat(129)] {
            assert!(!is_taken_over(other.as_bytes()), "{other}");
        }
    }
}
