//! Content on its way in: gathered for an upload, or read past.

use std::mem;
use std::ops::ControlFlow::{Break, Continue};

use super::exchange::Exchange;
use super::{Connection, Output, State, Step, Want};
use crate::api::route::Action;
use crate::clock::{Instant, Now};
use crate::http::content::{ContentDecoder, Piece};
use crate::http::rejection::Rejection;
use crate::http::response::CONTINUE;
use crate::limits::Limits;
use crate::pace::Pace;
use crate::seeded::bug;
use crate::store::operation::{Intent, Operation};

/// Content on its way in.
#[derive(Debug)]
pub(super) struct Content {
    decoder: ContentDecoder,
    received: u64,
    pace: Pace,
}

/// An upload on its way.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) intent: Intent,
    /// The store holds it; before, all of it is in `buffer`.
    pub(super) staged: bool,
    pub(super) buffer: Vec<u8>,
}

impl Content {
    pub(super) fn new(decoder: ContentDecoder, limits: &Limits, now: &Now) -> Content {
        Content { decoder, received: 0, pace: pace(limits, now) }
    }

    pub(super) fn deadline(&self) -> Instant {
        self.pace.deadline()
    }

    /// The time that the peer has begins anew: it was us whom it waited for.
    pub(super) fn renew(&mut self, limits: &Limits, now: &Now) {
        self.pace = pace(limits, now);
    }

    fn next<'a>(&mut self, input: &mut &'a [u8], now: &Now) -> Result<Piece<'a>, Rejection> {
        let piece = self.decoder.next(input)?;
        if let Piece::Data(data) = piece {
            self.received += data.len() as u64;
            self.pace.moved(data.len() as u64, now.instant);
        }
        Ok(piece)
    }
}

fn pace(limits: &Limits, now: &Now) -> Pace {
    Pace::new(now.instant, limits.content_time_max, limits.transfer_bytes_per_second_min)
}

impl Connection {
    /// Reads past content, then acts; unless there is too much of it. With `asked` the peer waits
    /// for 100, which it gets only where its content is going to be read.
    pub(super) fn answer_behind(
        &mut self,
        exchange: Exchange,
        content: Content,
        action: Action<'static>,
        asked: bool,
        now: &Now,
        output: &mut Output,
    ) -> Step {
        let left = content.decoder.length_left().unwrap_or(0);
        if content.received.saturating_add(left) > self.limits.discard_bytes_max {
            return Break(self.answer_before(exchange, action, now, output));
        }
        if bug("unread_content_is_parsed") {
            return self.act(exchange, action, now, output);
        }
        let action = Box::new(action);
        if asked {
            output.bytes.extend_from_slice(CONTINUE);
        }
        self.state = State::Discard { exchange, content, action };
        Continue(())
    }

    /// Answers although content is still to come, and closes. Content that was not read to its
    /// end has no effect, so only what is a mere answer is given.
    fn answer_before(
        &mut self,
        exchange: Exchange,
        action: Action<'_>,
        now: &Now,
        output: &mut Output,
    ) -> Want {
        match action {
            Action::Reply(reply) => self.reply_and_close(exchange, &reply, now, output),
            _ => self.reject(exchange, Rejection::ContentTooLarge, now, output),
        }
    }

    pub(super) fn discard(
        &mut self,
        exchange: Exchange,
        mut content: Content,
        action: Box<Action<'static>>,
        input: &mut &[u8],
        now: &Now,
        output: &mut Output,
    ) -> Step {
        match content.next(input, now) {
            Ok(Piece::End) => self.act(exchange, *action, now, output),
            Ok(Piece::Data(_)) if content.received > self.limits.discard_bytes_max => {
                Break(self.answer_before(exchange, *action, now, output))
            }
            Ok(piece) => {
                self.state = State::Discard { exchange, content, action };
                if piece == Piece::Incomplete { Break(Want::Receive) } else { Continue(()) }
            }
            Err(rejection) => Break(self.reject(exchange, rejection, now, output)),
        }
    }

    pub(super) fn begin_upload(
        &mut self,
        exchange: Exchange,
        content: Content,
        intent: Intent,
        asked: bool,
        now: &Now,
        output: &mut Output,
    ) -> Step {
        let left = content.decoder.length_left();
        if left.is_some_and(|left| left > self.limits.content_bytes_max) {
            return Break(self.reject(exchange, Rejection::ContentTooLarge, now, output));
        }
        let upload = Upload { intent, staged: false, buffer: Vec::new() };
        if asked && bug("continue_before_the_refusal") {
            output.bytes.extend_from_slice(CONTINUE);
            return self.stage(exchange, content, upload, false);
        }
        // Whoever waits for 100, or has much to send, learns first whether it is in vain.
        if asked || left.is_some_and(|left| left > self.limits.content_buffer_bytes_max as u64) {
            return self.stage(exchange, content, upload, asked);
        }
        self.state = State::Gather { exchange, content, upload };
        Continue(())
    }

    pub(super) fn gather(
        &mut self,
        exchange: Exchange,
        mut content: Content,
        mut upload: Upload,
        input: &mut &[u8],
        now: &Now,
        output: &mut Output,
    ) -> Step {
        let bound =
            if bug("content_is_gathered_whole") { usize::MAX } else { self.limits.content_buffer_bytes_max };
        let room = bound - upload.buffer.len();
        if room == 0 && content.decoder.length_left() != Some(0) && !input.is_empty() {
            // The buffer is full and more follows.
            if !upload.staged {
                return self.stage(exchange, content, upload, false);
            }
            let full = mem::take(&mut upload.buffer);
            self.state = State::Write { exchange, content, upload };
            return Break(Want::Run(Operation::Write(full)));
        }
        let (mut window, behind) = input.split_at(room.min(input.len()));
        let before = window.len();
        let piece = content.next(&mut window, now);
        *input = &input[before - window.len()..];
        match piece {
            Ok(Piece::End) => return self.finish(exchange, upload),
            Ok(Piece::Data(_))
                if content.received + u64::from(bug("content_bound_is_one_less"))
                    > self.limits.content_bytes_max =>
            {
                return Break(self.reject(exchange, Rejection::ContentTooLarge, now, output));
            }
            Ok(Piece::Data(data)) => upload.buffer.extend_from_slice(data),
            Ok(Piece::Incomplete) => {}
            Err(rejection) => return Break(self.reject(exchange, rejection, now, output)),
        }
        self.state = State::Gather { exchange, content, upload };
        match piece {
            Ok(Piece::Incomplete) if behind.is_empty() => Break(Want::Receive),
            _ => Continue(()),
        }
    }
}
