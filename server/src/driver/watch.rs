//! What an event loop counts, and by which names it is asked for: [`count`], [`METHOD_NAMES`].

use crate::clock::Instant;
use crate::connection::Answered;
use crate::http::request_line::Method;
use crate::shared::figures::{Figures, METHODS, WorkerFigures};

/// A name for each method, by its number; the last one for what was not understood.
pub const METHOD_NAMES: [&str; METHODS] =
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "other", "none"];

/// An answer was made.
pub(super) fn count(figures: &Figures, answered: &Answered, now: Instant) {
    let method = answered.method.map_or(METHODS - 1, number);
    if let Some(figure) = figures.answers(method, answered.status.code()) {
        figure.add(1);
    }
    if let Some(figure) = answered.rejection.and_then(|rejection| figures.rejections(rejection as usize)) {
        figure.add(1);
    }
    figures.durations.add(microseconds(answered.begun, now));
}

/// The outcome of a job is back.
pub(super) fn job_done(figures: &Figures, handed_over: Instant, now: Instant) {
    figures.jobs.add(microseconds(handed_over, now));
}

/// A job was taken out of its queue.
pub(super) fn job_taken(figures: &WorkerFigures, handed_over: Instant, now: Instant) {
    figures.waits.add(microseconds(handed_over, now));
}

fn microseconds(from: Instant, to: Instant) -> u64 {
    u64::try_from(to.since(from).as_micros()).unwrap_or(u64::MAX)
}

/// A connection was let in, or there are too many.
pub(super) fn admitted(figures: &Figures, counted: bool) {
    let figure = if counted { &figures.accepted } else { &figures.refused_for_all };
    figure.add(1);
}

/// A connection was closed.
pub(super) fn closed(figures: &Figures, counted: bool, rested: bool) {
    if counted {
        figures.closed.add(1);
    }
    if rested {
        figures.resting.remove_one();
    }
}

/// A connection has begun to rest, or no longer rests.
pub(super) fn rests(figures: &Figures, rests: bool) {
    if rests { figures.resting.add(1) } else { figures.resting.remove_one() }
}

fn number(method: Method) -> usize {
    match method {
        Method::Get => 0,
        Method::Head => 1,
        Method::Post => 2,
        Method::Put => 3,
        Method::Patch => 4,
        Method::Delete => 5,
        Method::Options => 6,
        Method::Connect => 7,
        Method::Trace => 8,
        Method::Other => 9,
    }
}
