//! A connection between two requests is so little that very many can wait: [`Quiet`].

use std::sync::Arc;

use super::{Connection, State, Unread};
use crate::api::rights::Rights;
use crate::clock::Instant;
use crate::http::head::HeadReader;
use crate::limits::Limits;
use crate::seeded::bug;

/// All that is left of a connection on which nothing is under way.
#[derive(Debug)]
pub struct Quiet {
    limits: Arc<Limits>,
    rights: Option<Arc<Rights>>,
    since: Instant,
    requests_left: u64,
}

impl Connection {
    /// Whether nothing is under way, and nothing was received of a next request.
    pub fn is_quiet(&self) -> bool {
        matches!(&self.state, State::Head { begun: None, reader, .. } if *reader == HeadReader::default())
            && self.unread.is_empty()
    }

    /// The same connection in less room; only where [`Connection::is_quiet`].
    pub fn into_quiet(self) -> Quiet {
        let Connection { limits, rights, state, requests_left, .. } = self;
        let since = if let State::Head { since, .. } = state { since } else { Instant::default() };
        Quiet { limits, rights, since, requests_left }
    }
}

impl Quiet {
    /// The connection again.
    pub fn wake(self) -> Connection {
        let Quiet { limits, rights, since, requests_left } = self;
        let state = State::Head { reader: HeadReader::default(), since, begun: None };
        Connection { limits, rights, state, unread: Unread::default(), requests_left }
    }

    /// See [`Connection::deadline`].
    pub fn deadline(&self) -> Option<Instant> {
        idle_deadline(&self.limits, self.since)
    }
}

/// When a connection has been quiet for too long.
pub(super) fn idle_deadline(limits: &Limits, since: Instant) -> Option<Instant> {
    if bug("idle_time_is_endless") {
        return None;
    }
    Some(since.after(limits.idle_time_max))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Now;
    use crate::connection::{Input, Output, Want};

    /// Goal: nobody can tell that a connection was put to rest meanwhile. Method: a stream cut anywhere,
    /// where it rests whenever it may, and one where it does not.
    #[test]
    fn rest_changes_nothing() {
        let limits = Arc::new(Limits { requests_per_connection_max: 3, ..Limits::default() });
        let rights = Some(Arc::new(Rights { read_only: true, ..Rights::default() }));
        let stream = b"\r\nDELETE /files/a HTTP/1.1\r\nHost: h\r\n\r\n".repeat(4);
        let mut rests = 0;
        for cut in 0..=stream.len() {
            let answers = [false, true].map(|rest| {
                let now = Now::new(Instant::from_nanoseconds(5), 0);
                let mut connection = Connection::new(Arc::clone(&limits), &now).under(rights.clone());
                let mut output = Output::default();
                let mut wants = Vec::new();
                for part in [&stream[..cut], &stream[cut..]] {
                    if connection.is_quiet() && rest {
                        let quiet = connection.into_quiet();
                        rests += 1;
                        let deadline = quiet.deadline();
                        connection = quiet.wake();
                        assert_eq!(deadline, connection.deadline());
                    }
                    wants.push(connection.advance(Input::Bytes(part), &now, &mut output));
                    if wants.last() != Some(&Want::Receive) {
                        break;
                    }
                }
                (wants, output.bytes)
            });
            assert_eq!(answers[0], answers[1], "cut at {cut}");
            // What may not be done may not be done behind a rest.
            assert!(answers.iter().all(|(wants, _)| wants.iter().all(|want| !matches!(want, Want::Run(_)))));
        }
        assert!(rests > stream.len(), "{rests}");
    }

    #[test]
    fn what_has_begun_is_not_quiet() {
        let now = Now::new(Instant::from_nanoseconds(5), 0);
        let mut connection = Connection::new(Arc::new(Limits::default()), &now);
        assert!(connection.is_quiet());
        for part in [&b"\r\n"[..], b"G", b"ET / HTTP/1.1\r\n"] {
            let _ = connection.advance(Input::Bytes(part), &now, &mut Output::default());
            assert!(!connection.is_quiet(), "{}", part.escape_ascii());
        }
    }
}
