//! What became of an operation, and the answer that it means.

use std::ops::ControlFlow::{Break, Continue};

use super::content::{Content, Upload};
use super::exchange::Exchange;
use super::{Connection, Output, State, Step, Want, between_requests};
use crate::api::listing::Asked;
use crate::api::reply::{self, Purpose, Reply};
use crate::api::route::Action;
use crate::clock::Now;
use crate::http::rejection::Rejection;
use crate::http::response::CONTINUE;
use crate::seeded::bug;
use crate::store::operation::{Operation, Outcome, StoreError, StoreErrorKind};

impl Connection {
    pub(super) fn take_outcome(
        &mut self,
        state: State,
        outcome: Outcome,
        now: &Now,
        output: &mut Output,
    ) -> Step {
        match (state, outcome) {
            (State::Open { exchange, media_type, parts, .. }, Outcome::Opened(version)) => {
                self.begin_file(exchange, media_type, parts.as_deref(), version, now, output)
            }
            (State::Open { exchange, .. }, Outcome::NotModified(version)) => {
                self.reply(exchange, &reply::not_modified(version), now, output)
            }
            (State::Open { exchange, otherwise: Some(asked), .. }, outcome)
                if is_nothing_to_read(&outcome) =>
            {
                self.list(exchange, asked)
            }
            (State::Open { exchange, .. }, Outcome::Directory(path)) => {
                self.reply(exchange, &reply::directory_moved(&path), now, output)
            }
            (State::List { exchange, asked }, Outcome::Listed(listing)) => {
                self.reply(exchange, &asked.answer(&listing), now, output)
            }
            (State::Open { exchange, .. } | State::List { exchange, .. }, Outcome::Failed(error)) => {
                self.reply(exchange, &reply::failure(error.kind, Purpose::Read), now, output)
            }
            (State::Delete { exchange }, Outcome::Deleted) => {
                self.reply(exchange, &reply::deleted(), now, output)
            }
            (State::Delete { exchange }, Outcome::Failed(error)) => {
                self.reply(exchange, &reply::failure(error.kind, Purpose::Delete), now, output)
            }
            (State::Finish { exchange, path, .. }, Outcome::Created(version)) => {
                self.reply(exchange, &reply::created(&path, version), now, output)
            }
            (State::Finish { exchange, mode, .. }, Outcome::Updated(version)) => {
                self.reply(exchange, &reply::updated(mode, version), now, output)
            }
            (State::Finish { exchange, .. }, Outcome::Failed(error)) => {
                self.reply(exchange, &reply::failure(error.kind, Purpose::Upload), now, output)
            }
            (State::Stage { exchange, mut content, mut upload, asked }, Outcome::Staged) => {
                if asked {
                    output.bytes.extend_from_slice(CONTINUE);
                }
                content.renew(&self.limits, now);
                upload.staged = true;
                self.state = State::Gather { exchange, content, upload };
                Continue(())
            }
            (State::Write { exchange, mut content, mut upload }, Outcome::Written(buffer)) => {
                content.renew(&self.limits, now);
                upload.buffer = buffer;
                self.state = State::Gather { exchange, content, upload };
                Continue(())
            }
            (State::Stage { exchange, asked: true, .. }, Outcome::Failed(error)) => {
                let reply = reply::failure(error.kind, Purpose::Upload);
                Break(self.reply_and_close(exchange, &reply, now, output))
            }
            (
                State::Stage { exchange, content, .. } | State::Write { exchange, content, .. },
                Outcome::Failed(error),
            ) => self.upload_failed(exchange, content, &error, now, output),
            // Whoever looked at the credentials broke down.
            (State::Verify(unverified), Outcome::Failed(error)) => {
                let reply = reply::failure(error.kind, Purpose::Read);
                Break(self.reply_and_close(unverified.exchange, &reply, now, output))
            }
            (state, outcome) => {
                debug_assert!(false, "{outcome:?} in {state:?}");
                Break(Want::Close { linger: false })
            }
        }
    }

    /// Sees to it that the directory is read.
    pub(super) fn list(&mut self, exchange: Exchange, asked: Box<Asked>) -> Step {
        let operation = asked.operation();
        self.state = State::List { exchange, asked };
        Break(Want::Run(operation))
    }

    /// The rest of the content is read past, where there is not too much of it.
    fn upload_failed(
        &mut self,
        exchange: Exchange,
        mut content: Content,
        error: &StoreError,
        now: &Now,
        output: &mut Output,
    ) -> Step {
        content.renew(&self.limits, now);
        let reply = reply::failure(error.kind, Purpose::Upload);
        self.answer_behind(exchange, content, Action::Reply(reply), false, now, output)
    }

    /// Sees to it that the upload is held, or refused, before more of its content is received.
    pub(super) fn stage(
        &mut self,
        exchange: Exchange,
        content: Content,
        upload: Upload,
        asked: bool,
    ) -> Step {
        let intent = upload.intent.clone();
        self.state = State::Stage { exchange, content, upload, asked };
        Break(Want::Run(Operation::Stage(intent)))
    }

    /// All of the content is here: sees to it that it takes effect.
    pub(super) fn finish(&mut self, exchange: Exchange, upload: Upload) -> Step {
        let Upload { intent, staged, buffer } = upload;
        self.state = State::Finish { exchange, path: intent.path.clone(), mode: intent.mode };
        Break(Want::Run(if staged { Operation::Publish(buffer) } else { Operation::Store(intent, buffer) }))
    }

    /// Answers a request that was received to its end.
    pub(super) fn reply(
        &mut self,
        exchange: Exchange,
        reply: &Reply<'_>,
        now: &Now,
        output: &mut Output,
    ) -> Step {
        let keep = self.keeps(&exchange);
        let peer_goes_on = exchange.persistent;
        exchange.reply(reply, keep, now, output);
        self.end_exchange(peer_goes_on, keep, now)
    }

    /// Answers a request whose content may still be coming.
    pub(super) fn reply_and_close(
        &mut self,
        exchange: Exchange,
        reply: &Reply<'_>,
        now: &Now,
        output: &mut Output,
    ) -> Want {
        self.state = State::Closed;
        exchange.reply(reply, false, now, output);
        Want::Close { linger: true }
    }

    /// Refuses what came, whether or not it was a request.
    pub(super) fn reject(
        &mut self,
        mut exchange: Exchange,
        rejection: Rejection,
        now: &Now,
        output: &mut Output,
    ) -> Want {
        let reply = reply::refusal(rejection.status(), rejection.code(), rejection.reason());
        exchange.rejection = Some(rejection);
        if bug("malformed_request_keeps_the_connection") {
            exchange.reply(&reply, true, now, output);
            self.state = between_requests(now);
            return Want::Receive;
        }
        self.reply_and_close(exchange, &reply, now, output)
    }

    /// The answer is complete. A peer that does not go on sends nothing that a close could destroy
    /// the answer over.
    pub(super) fn end_exchange(&mut self, peer_goes_on: bool, keep: bool, now: &Now) -> Step {
        // The answer may have said that the connection stays before the server was to end.
        if keep && self.requests_left > 0 {
            self.state = between_requests(now);
            return Continue(());
        }
        self.state = State::Closed;
        Break(Want::Close { linger: peer_goes_on })
    }

    pub(super) fn keeps(&self, exchange: &Exchange) -> bool {
        exchange.persistent && self.requests_left > 0
    }
}

/// Whether no file is where one was to be read: neither a link, which is refused, nor one that is kept
/// from us.
fn is_nothing_to_read(outcome: &Outcome) -> bool {
    use StoreErrorKind::{NotFound, ParentIsFile};
    match outcome {
        Outcome::Directory(_) => true,
        Outcome::Failed(error) => matches!(error.kind, NotFound | ParentIsFile),
        _ => false,
    }
}
