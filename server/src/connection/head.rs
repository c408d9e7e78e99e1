//! From the bytes of a head to what is done about its request.

use std::ops::ControlFlow::Break;

use super::content::{Content, Upload};
use super::exchange::Exchange;
use super::{Connection, OUTPUT_BYTES_BATCH, Output, State, Step, Want};
use crate::api::route::{Action, Reading, route};
use crate::clock::{Instant, Now};
use crate::http::content::ContentDecoder;
use crate::http::head::{HeadLimits, HeadReader};
use crate::http::request::{Expectation, Framing, Request};
use crate::limits::HEAD_FIELDS_CEILING;
use crate::store::operation::Operation;

impl Connection {
    pub(super) fn read_head(
        &mut self,
        mut reader: HeadReader,
        since: Instant,
        begun: Option<Instant>,
        input: &mut &[u8],
        now: &Now,
        output: &mut Output,
    ) -> Step {
        if output.bytes.len() >= OUTPUT_BYTES_BATCH && !input.is_empty() {
            self.state = State::Pause;
            return Break(Want::Send);
        }
        let bytes = *input;
        let begun = begun.unwrap_or(now.instant);
        let limits = HeadLimits {
            target_bytes_max: self.limits.target_bytes_max,
            head_bytes_max: self.limits.head_bytes_max,
            head_fields_max: self.limits.head_fields_max,
        };
        let parsed = match reader.find_end(bytes, &limits) {
            Ok(Some(end)) => {
                Request::parse::<HEAD_FIELDS_CEILING>(bytes, end).map(|request| (request, end.length))
            }
            Ok(None) => {
                let begun = reader.has_begun(bytes.len()).then_some(begun);
                self.state = State::Head { reader, since, begun };
                return Break(Want::Receive);
            }
            Err(rejection) => Err(rejection),
        };
        match parsed {
            Ok((request, length)) => {
                *input = &bytes[length..];
                self.begin(&request, begun, now, output)
            }
            Err(rejection) => {
                let exchange = Exchange::malformed(bytes, begun, output);
                Break(self.reject(exchange, rejection, now, output))
            }
        }
    }

    /// A head is complete: decides by it alone, and sees to the content.
    fn begin(&mut self, request: &Request<'_>, begun: Instant, now: &Now, output: &mut Output) -> Step {
        self.requests_left = self.requests_left.saturating_sub(1);
        let exchange = Exchange::new(request, begun, output);
        let action = route(request, &self.limits, now.unix_seconds);
        if request.framing == Framing::Length(0) {
            return self.act(exchange, action, now, output);
        }
        let decoder = ContentDecoder::new(request.framing, self.limits.chunk_overhead_bytes_max);
        let content = Content::new(decoder, &self.limits, now);
        // Whatever it is: what is not 100-continue was refused with the head.
        let asked = request.expectation != Expectation::Nothing;
        match action {
            Action::Upload(intent) => self.begin_upload(exchange, content, intent, asked, now, output),
            // RFC 9110 §10.1.1: a refusal stands in place of 100. Whether the content still comes
            // is up to the peer, so the connection cannot go on.
            Action::Reply(reply) if asked && reply.status.is_error() => {
                Break(self.reply_and_close(exchange, &reply, now, output))
            }
            action => self.answer_behind(exchange, content, action.into_owned(), asked, now, output),
        }
    }

    /// Does what a request wants whose content has been seen to.
    pub(super) fn act(
        &mut self,
        exchange: Exchange,
        action: Action<'_>,
        now: &Now,
        output: &mut Output,
    ) -> Step {
        match action {
            Action::Reply(reply) => self.reply(exchange, &reply, now, output),
            Action::Read(Reading { path, condition, media_type, parts, otherwise }) => {
                self.state = State::Open { exchange, media_type, parts, otherwise };
                Break(Want::Run(Operation::Open(path, condition)))
            }
            Action::List(asked) => self.list(exchange, asked),
            Action::Upload(intent) => {
                let upload = Upload { intent, staged: false, buffer: Vec::new() };
                self.finish(exchange, upload)
            }
            Action::Delete(path, condition) => {
                self.state = State::Delete { exchange };
                Break(Want::Run(Operation::Delete(path, condition)))
            }
        }
    }
}
