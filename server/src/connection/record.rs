//! What is recorded of a request and its answer, for the log and for the figures.

use super::RequestId;
use crate::clock::Instant;
use crate::http::rejection::Rejection;
use crate::http::request::Request;
use crate::http::request_line::Method;
use crate::http::status::Status;

/// One request and its answer.
#[derive(Debug)]
pub struct Answered {
    /// What was asked; nothing where no request was understood.
    pub method: Option<Method>,
    /// What it is called.
    pub id: RequestId,
    /// What the client said, as far as it is recorded.
    pub words: Words,
    /// Why it was refused before anybody asked what it wants, if so.
    pub rejection: Option<Rejection>,
    /// The answer's status.
    pub status: Status,
    /// Bytes of the answer's content.
    pub content_bytes: u64,
    /// When the request's first byte was seen.
    pub begun: Instant,
}

/// How much of a client's words is recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Recorded {
    /// Nothing.
    #[default]
    Nothing,
    /// The request line.
    Line,
    /// The request line, `Referer` and `User-Agent`.
    Fields,
}

/// A client's words, each one empty where there is none or it is not recorded.
#[derive(Debug, Default)]
pub struct Words {
    bytes: Vec<u8>,
    line_end: usize,
    referrer_end: usize,
}

impl Words {
    /// One allocation a request, and only where words are recorded: the answer may come long after the
    /// bytes of the head are gone.
    pub fn new(line: &[u8], referrer: &[u8], user_agent: &[u8]) -> Words {
        let line_end = line.len();
        let referrer_end = line_end + referrer.len();
        Words { bytes: [line, referrer, user_agent].concat(), line_end, referrer_end }
    }

    pub(super) fn of(request: &Request<'_>, recorded: Recorded) -> Words {
        match recorded {
            Recorded::Nothing => Words::default(),
            Recorded::Line => Words::new(request.line, b"", b""),
            Recorded::Fields => {
                let referrer = request.values("referer").next().unwrap_or_default();
                Words::new(request.line, referrer, request.user_agent.unwrap_or_default())
            }
        }
    }

    pub(super) fn of_line(line: &[u8], recorded: Recorded) -> Words {
        match recorded {
            Recorded::Nothing => Words::default(),
            Recorded::Line | Recorded::Fields => Words::new(line, b"", b""),
        }
    }

    /// The request line as it came, without its line end.
    pub fn request_line(&self) -> &[u8] {
        self.bytes.get(..self.line_end).unwrap_or_default()
    }

    /// `Referer`.
    pub fn referrer(&self) -> &[u8] {
        self.bytes.get(self.line_end..self.referrer_end).unwrap_or_default()
    }

    /// `User-Agent`.
    pub fn user_agent(&self) -> &[u8] {
        self.bytes.get(self.referrer_end..).unwrap_or_default()
    }
}
