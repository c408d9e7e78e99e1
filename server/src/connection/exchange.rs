//! One request and its answer: what has to be remembered of the one to write the other.

use super::{Answered, Output};
use crate::api::reply::Reply;
use crate::clock::{Instant, Now};
use crate::http::request::Request;
use crate::http::request_line::{Method, Version};
use crate::http::response::{Persistence, ResponseHead};
use crate::http::status::Status;

/// What is remembered of a request until it is answered.
#[derive(Debug)]
pub(super) struct Exchange {
    /// The answer has no content: RFC 9110 §9.3.2.
    head_only: bool,
    /// The peer does not know that connections stay.
    http10: bool,
    /// The peer wants to keep the connection.
    pub(super) persistent: bool,
    begun: Instant,
    /// For the access log; empty where there is none.
    line: Vec<u8>,
}

impl Exchange {
    /// Of a request that was understood.
    pub(super) fn new(request: &Request<'_>, begun: Instant, output: &Output) -> Exchange {
        Exchange {
            head_only: request.method == Method::Head,
            http10: request.version == Version::Http10,
            persistent: request.persistent,
            begun,
            line: line_to_record(request.line, output),
        }
    }

    /// Of a request that was not: `received` is what there is of it.
    pub(super) fn malformed(received: &[u8], begun: Instant, output: &Output) -> Exchange {
        let received = received.strip_prefix(b"\r\n").unwrap_or(received);
        let line_length =
            received.iter().position(|byte| !matches!(byte, b' '..=b'~')).unwrap_or(received.len());
        let line = &received[..line_length];
        Exchange {
            head_only: line.starts_with(b"HEAD "),
            http10: false,
            persistent: false,
            begun,
            line: line_to_record(line, output),
        }
    }

    /// Writes a whole answer; with `keep` the connection stays.
    pub(super) fn reply(self, reply: &Reply<'_>, keep: bool, now: &Now, output: &mut Output) {
        let length = reply.content.len() as u64;
        ResponseHead {
            status: reply.status,
            date: &now.date,
            content: reply.media_type.map(|media_type| (media_type, length)),
            fields: reply.fields,
            location: reply.location.as_deref(),
            persistence: self.persistence(keep),
        }
        .write(&mut output.bytes);
        if !self.head_only {
            output.bytes.extend_from_slice(&reply.content);
        }
        self.record(reply.status, length, output);
    }

    /// Writes the head of an answer whose content is a file of `length` bytes. What is returned
    /// says how many of them have to follow.
    pub(super) fn file(
        &self,
        media_type: &str,
        length: u64,
        keep: bool,
        now: &Now,
        output: &mut Output,
    ) -> u64 {
        ResponseHead {
            status: Status::OK,
            date: &now.date,
            content: Some((media_type, length)),
            fields: &[],
            location: None,
            persistence: self.persistence(keep),
        }
        .write(&mut output.bytes);
        if self.head_only { 0 } else { length }
    }

    /// Notes the answer for the access log.
    pub(super) fn record(self, status: Status, content_bytes: u64, output: &mut Output) {
        if let Some(answered) = &mut output.answered {
            answered.push(Answered {
                request_line: self.line,
                status,
                content_bytes: if self.head_only { 0 } else { content_bytes },
                begun: self.begun,
            });
        }
    }

    fn persistence(&self, keep: bool) -> Persistence {
        match keep {
            false => Persistence::Close,
            true if self.http10 => Persistence::KeepAlive,
            true => Persistence::Implied,
        }
    }
}

/// One allocation a request, and only while there is an access log: the answer may come long
/// after the bytes of the head are gone.
fn line_to_record(line: &[u8], output: &Output) -> Vec<u8> {
    if output.answered.is_some() { line.to_vec() } else { Vec::new() }
}
