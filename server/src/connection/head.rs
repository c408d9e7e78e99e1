//! From the bytes of a head to what is done about its request.

use std::ops::ControlFlow::Break;

use super::content::{Content, Upload};
use super::exchange::Exchange;
use super::{Connection, OUTPUT_BYTES_BATCH, Output, State, Step, Unverified, Want};
use crate::api::rights::{Claim, Verdict, Who};
use crate::api::route::{self, Action, Reading, route};
use crate::clock::{Instant, Now};
use crate::http::content::ContentDecoder;
use crate::http::head::HeadLimits;
use crate::http::request::{Expectation, Framing, Request};
use crate::limits::HEAD_FIELDS_CEILING;
use crate::store::operation::Operation;

impl Connection {
    pub(super) fn read_head(&mut self, input: &mut &[u8], now: &Now, output: &mut Output) -> Step {
        if input.is_empty() {
            return Break(Want::Receive);
        }
        if output.bytes.len() >= OUTPUT_BYTES_BATCH {
            self.state = State::Pause;
            return Break(Want::Send);
        }
        let State::Head { reader, begun: noted, .. } = &mut self.state else {
            return Break(Want::Close { linger: false });
        };
        let bytes = *input;
        let begun = noted.unwrap_or(now.instant);
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
                *noted = reader.has_begun(bytes.len()).then_some(begun);
                return Break(Want::Receive);
            }
            Err(rejection) => Err(rejection),
        };
        self.state = State::Closed;
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
        let action = match &self.rights {
            None => action,
            Some(rights) => match rights.claim(request, &action) {
                Claim::Nothing => rights.judge(Who::Anonymous, action),
                Claim::Unreadable => rights.refuse(Verdict::Unknown).into(),
                Claim::Credentials(credentials) => {
                    let content = (request.framing != Framing::Length(0)).then(|| self.content(request, now));
                    let unverified = Unverified { exchange, action: action.into_owned(), content };
                    self.state = State::Verify(Box::new(unverified));
                    return Break(Want::Verify(credentials));
                }
            },
        };
        if request.framing == Framing::Length(0) {
            return self.act(exchange, action, now, output);
        }
        let (content, asked) = self.content(request, now);
        self.act_behind(exchange, action, content, asked, now, output)
    }

    /// It is known who asks, or that nobody does.
    pub(super) fn verified(
        &mut self,
        unverified: Unverified,
        verdict: Verdict,
        now: &Now,
        output: &mut Output,
    ) -> Step {
        let Unverified { exchange, action, content } = unverified;
        let action = match (&self.rights, verdict) {
            (Some(rights), Verdict::Known(who)) => rights.judge(who, action),
            (Some(rights), verdict) => rights.refuse(verdict).into(),
            // Nobody was asked.
            (None, _) => return Break(Want::Close { linger: true }),
        };
        match content {
            None => self.act(exchange, action, now, output),
            Some((mut content, asked)) => {
                content.renew(&self.limits, now);
                self.act_behind(exchange, action, content, asked, now, output)
            }
        }
    }

    /// The content that follows a head, and whether the peer waits for 100 to send it.
    fn content(&self, request: &Request<'_>, now: &Now) -> (Content, bool) {
        let decoder = ContentDecoder::new(request.framing, self.limits.chunk_overhead_bytes_max);
        // Whatever it is: what is not 100-continue was refused with the head.
        let asked = request.expectation != Expectation::Nothing;
        (Content::new(decoder, &self.limits, now), asked)
    }

    #[inline]
    fn act_behind(
        &mut self,
        exchange: Exchange,
        action: Action<'_>,
        content: Content,
        asked: bool,
        now: &Now,
        output: &mut Output,
    ) -> Step {
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
            Action::Options(path) => self.reply(exchange, &route::options(path.as_ref()), now, output),
        }
    }
}
