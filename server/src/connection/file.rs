//! The content of a file on its way out: whole, or in parts.

use std::ops::ControlFlow::Break;

use super::exchange::{Exchange, FileHead};
use super::{Connection, Output, State, Step, Want};
use crate::api::condition::WantedParts;
use crate::api::partial::{self, Multipart};
use crate::api::reply;
use crate::clock::Now;
use crate::http::range::Selection;
use crate::http::response::ContentRange;
use crate::http::status::Status;
use crate::store::version::Version;

/// An answer whose content is being sent.
#[derive(Debug)]
pub(super) struct Sending {
    status: Status,
    /// Bytes of the content.
    length: u64,
    /// The parts that are still to come.
    parts: Option<Box<Multipart>>,
}

/// RFC 9110 §14.3: parts can be asked for.
const ACCEPT_RANGES: &[(&str, &str)] = &[("Accept-Ranges", "bytes")];

impl Connection {
    /// A version of a file is held: begins the answer with what was asked for of it.
    pub(super) fn begin_file(
        &mut self,
        exchange: Exchange,
        media_type: &'static str,
        wanted: Option<&WantedParts>,
        version: Version,
        now: &Now,
        output: &mut Output,
    ) -> Step {
        let keep = self.keeps(&exchange);
        let begin =
            |status, (media_type, length): (&str, u64), part: Option<ContentRange>, output: &mut _| {
                let head = FileHead {
                    status,
                    content: Some((media_type, length)),
                    version: Some(version),
                    content_range: part.as_ref(),
                    fields: ACCEPT_RANGES,
                };
                exchange.file(&head, keep, now, output);
                Sending { status, length, parts: None }
            };
        let (sending, range) = match partial::select(wanted, &version) {
            Selection::Whole => {
                let length = version.length;
                (begin(Status::OK, (media_type, length), None, output), 0..length)
            }
            Selection::Part(range) => {
                let content = (media_type, range.end - range.start);
                let part = ContentRange::Part(range.clone(), version.length);
                (begin(Status::PARTIAL_CONTENT, content, Some(part), output), range)
            }
            Selection::Parts(parts) => {
                let mut multipart = Multipart::new(media_type, version, parts);
                let content = (&*multipart.media_type(), multipart.length());
                let sending = begin(Status::PARTIAL_CONTENT, content, None, output);
                let range = multipart.next(&mut output.bytes).unwrap_or(0..0);
                (Sending { parts: Some(Box::new(multipart)), ..sending }, range)
            }
            Selection::Nothing => {
                return self.reply(exchange, &reply::unsatisfiable(version.length), now, output);
            }
        };
        // Content that is empty needs no other way to its end.
        let nothing = exchange.is_head_only() || range.is_empty();
        self.state = State::Sending { exchange, sending, keep };
        Break(if nothing { Want::Send } else { Want::SendFile(range) })
    }

    /// A part has been sent: goes on with the next, or ends the answer.
    pub(super) fn sent(
        &mut self,
        exchange: Exchange,
        mut sending: Sending,
        keep: bool,
        now: &Now,
        output: &mut Output,
    ) -> Step {
        if let Some(multipart) = &mut sending.parts
            && let Some(range) = multipart.next(&mut output.bytes)
        {
            self.state = State::Sending { exchange, sending, keep };
            return Break(Want::SendFile(range));
        }
        exchange.record(sending.status, sending.length, output);
        self.end_exchange(keep, keep, now)
    }
}
