//! A request's head put together: what is asked, and how the content behind it is framed.

use std::mem;

use super::field::{decimal, is_host_and_port, list_elements, trim_white_space};
use super::head::HeadEnd;
use super::rejection::Rejection;
use super::request_line::{Method, Version};
use super::target::Target;
use crate::seeded::bug;

/// The parts of a head that this server uses, lent from its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// The request line without its line end.
    pub line: &'a [u8],
    /// What is to be done.
    pub method: Method,
    /// To what.
    pub target: Target<'a>,
    /// In which version's words.
    pub version: Version,
    /// What follows the head.
    pub framing: Framing,
    /// Whether the peer wants to keep the connection, RFC 9112 §9.3.
    pub persistent: bool,
    /// What the peer expects before it sends its content.
    pub expectation: Expectation,
    /// The first `User-Agent`.
    pub user_agent: Option<&'a [u8]>,
    /// The content is only a part of what is meant, RFC 9110 §14.4.
    pub content_range: bool,
    /// It may name JSON among what it accepts: most do not, and need not be searched for it.
    pub may_want_json: bool,
    /// The field lines, for [`Request::values`].
    pub fields: &'a [u8],
    /// Which fields there are that make the request depend on what is there, a bit for each known one:
    /// most requests have none or one, and need not be searched for the others.
    pub conditions: u8,
}

/// How the content's end is found, RFC 9112 §6.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// By its length; no content where it is 0.
    Length(u64),
    /// By its last chunk.
    Chunked,
}

/// RFC 9110 §10.1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expectation {
    /// None.
    Nothing,
    /// `100-continue`.
    Continue,
    /// Another one, which cannot be met.
    Unknown,
}

/// Fields that make a request depend on what is there.
const CONDITIONAL: [&str; 7] = [
    "range",
    "if-match",
    "if-range",
    "if-none-match",
    "upload-offset",
    "if-modified-since",
    "if-unmodified-since",
];

/// Field lines that most heads do not exceed: a small array costs less to make.
const FEW_FIELDS: usize = 24;
/// Those that a program sends which is no browser.
const VERY_FEW_FIELDS: usize = 6;

impl<'a> Request<'a> {
    /// Takes apart the head that `end` found in `bytes`.
    ///
    /// `FIELDS_MAX` is the most field lines that a head can have: their places lie on the stack.
    ///
    /// # Errors
    /// Whatever leaves the meaning or the end of the request in doubt.
    pub fn parse<const FIELDS_MAX: usize>(bytes: &'a [u8], end: HeadEnd) -> Result<Request<'a>, Rejection> {
        let head = &bytes[end.start..end.length];
        let (line, request_line) = end.line.of(head)?;
        let fields = &head[line.len() + 2..];
        let mut summary = Summary::new(request_line.version);
        if end.fields <= VERY_FEW_FIELDS {
            read_fields::<VERY_FEW_FIELDS>(fields, &mut summary)?;
        } else if end.fields <= FEW_FIELDS {
            read_fields::<FEW_FIELDS>(fields, &mut summary)?;
        } else {
            read_fields::<FIELDS_MAX>(fields, &mut summary)?;
        }
        let target = Target::parse(request_line.method, request_line.target)?;
        let framing = summary.framing()?;
        summary.check_host()?;
        Ok(Request {
            line,
            method: request_line.method,
            target,
            version: request_line.version,
            framing,
            persistent: summary.persistent(),
            expectation: summary.expectation,
            user_agent: summary.user_agent,
            content_range: summary.content_range,
            may_want_json: summary.may_want_json,
            fields,
            conditions: summary.conditions,
        })
    }

    /// Whether it depends on what is there.
    pub fn is_conditional(&self) -> bool {
        self.conditions != 0
    }

    /// What stands behind the `?` of its target; nothing where there is none.
    pub fn query(&self) -> &'a [u8] {
        // RFC 9112 §3: single spaces stand between the parts of a request line.
        let target = self.line.split(|&byte| byte == b' ').nth(1).unwrap_or_default();
        memchr::memchr(b'?', target).map_or(&[], |at| &target[at + 1..])
    }

    /// The values of all lines of a field, in their order (RFC 9110 §5.3).
    pub fn values(&self, name: &'static str) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let known = CONDITIONAL.iter().position(|known| *known == name);
        let missing = known.is_some_and(|known| self.conditions & 1 << known == 0);
        let mut rest = if missing { b"" } else { self.fields };
        std::iter::from_fn(move || {
            // Each line feed ends a line, behind a carriage return: `HeadReader` has seen to that.
            let end = memchr::memchr(b'\n', rest)?;
            let line = &rest[..end];
            rest = &rest[end + 1..];
            Some(line)
        })
        .filter_map(move |line| {
            // The name first: a request is asked for one field after the other, and has many others.
            let (start, value) = line.split_at_checked(name.len())?;
            let value = value.strip_prefix(b":")?.strip_suffix(b"\r")?;
            start.eq_ignore_ascii_case(name.as_bytes()).then(|| trim_white_space(value))
        })
    }

    /// The value of a field that is no list; nothing where it is missing, or there more than once.
    pub fn single_value(&self, name: &'static str) -> Option<&'a [u8]> {
        let mut values = self.values(name);
        values.next().filter(|_| values.next().is_none())
    }
}

/// Reads at most `N` field lines.
fn read_fields<'a, const N: usize>(fields: &'a [u8], summary: &mut Summary<'a>) -> Result<(), Rejection> {
    let mut places = [httparse::EMPTY_HEADER; N];
    match httparse::parse_headers(fields, &mut places) {
        Ok(httparse::Status::Complete((_, parsed))) => {
            parsed.iter().try_for_each(|field| summary.add(field.name, field.value))
        }
        Err(httparse::Error::TooManyHeaders) => Err(Rejection::TooManyFields),
        Ok(httparse::Status::Partial) | Err(_) => Err(Rejection::Field),
    }
}

/// What the fields say together.
#[derive(Debug)]
struct Summary<'a> {
    version: Version,
    host: Option<&'a [u8]>,
    content_length: Option<u64>,
    transfer_codings: Codings,
    close: bool,
    keep_alive: bool,
    expectation: Expectation,
    user_agent: Option<&'a [u8]>,
    content_type: bool,
    content_range: bool,
    may_want_json: bool,
    /// Which of [`CONDITIONAL`], a bit each.
    conditions: u8,
}

/// The transfer codings so far, all `Transfer-Encoding` lines together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Codings {
    /// No such field.
    Absent,
    /// The field, and no coding in it.
    Empty,
    /// At least one, and the last one is not `chunked`.
    Unframed,
    /// One `chunked`, and it is the last one.
    Chunked {
        /// Another coding stands before it.
        after_unknown: bool,
    },
    /// `chunked` more than once.
    Repeated,
}

impl<'a> Summary<'a> {
    fn new(version: Version) -> Summary<'a> {
        Summary {
            version,
            host: None,
            content_length: None,
            transfer_codings: Codings::Absent,
            close: false,
            keep_alive: false,
            expectation: Expectation::Nothing,
            user_agent: None,
            content_type: false,
            content_range: false,
            may_want_json: false,
            conditions: 0,
        }
    }

    /// RFC 9110 §5.1: names have no case. The length sorts most of them out at once.
    fn add(&mut self, name: &str, value: &'a [u8]) -> Result<(), Rejection> {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        match name.len() {
            5 | 8 | 13 | 17 | 19 => {
                if let Some(known) = CONDITIONAL.iter().position(|known| is(known)) {
                    self.conditions |= 1 << known;
                } else if is("content-range") {
                    once(&mut self.content_range)?;
                } else if is("transfer-encoding") {
                    self.add_codings(value);
                }
            }
            4 if is("host") => match self.host.replace(value) {
                None => {}
                Some(_) => return Err(Rejection::HostRepeated),
            },
            6 if is("expect") => self.add_expectations(value),
            6 if is("accept") => self.may_want_json |= memchr::memchr2(b'j', b'J', value).is_some(),
            10 if is("connection") => {
                for option in list_elements(value) {
                    self.close |= option.eq_ignore_ascii_case(b"close");
                    self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
                }
            }
            10 if is("user-agent") => {
                self.user_agent.get_or_insert(value);
            }
            12 if is("content-type") => once(&mut self.content_type)?,
            14 if is("content-length") => {
                // RFC 9112 §6.3: a list of equal lengths may be taken as one, and is refused here.
                let length = decimal(value).ok_or(Rejection::ContentLength)?;
                if self.content_length.replace(length).is_some() && !bug("length_may_be_repeated") {
                    return Err(Rejection::ContentLengthRepeated);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn add_expectations(&mut self, value: &[u8]) {
        // RFC 9110 §10.1.1: an expectation in HTTP/1.0 is ignored.
        if self.version == Version::Http10 {
            return;
        }
        for expectation in list_elements(value) {
            self.expectation = match self.expectation {
                Expectation::Nothing | Expectation::Continue
                    if expectation.eq_ignore_ascii_case(b"100-continue") =>
                {
                    Expectation::Continue
                }
                _ => Expectation::Unknown,
            };
        }
    }

    fn add_codings(&mut self, value: &[u8]) {
        if self.transfer_codings == Codings::Absent {
            self.transfer_codings = Codings::Empty;
        }
        for coding in list_elements(value) {
            // RFC 9112 §7: chunked has no parameters; with one it is another coding.
            let chunked = coding.eq_ignore_ascii_case(b"chunked");
            self.transfer_codings = match (self.transfer_codings, chunked) {
                (Codings::Repeated, _) | (Codings::Chunked { .. }, true) => Codings::Repeated,
                (Codings::Absent | Codings::Empty, true) => Codings::Chunked { after_unknown: false },
                (Codings::Unframed, true) => Codings::Chunked { after_unknown: true },
                (_, false) => Codings::Unframed,
            };
        }
    }

    /// RFC 9112 §6.3, in its order.
    fn framing(&self) -> Result<Framing, Rejection> {
        if self.transfer_codings == Codings::Absent {
            return Ok(Framing::Length(self.content_length.unwrap_or(0)));
        }
        if self.version == Version::Http10 {
            return Err(Rejection::TransferEncodingInHttp10);
        }
        if self.content_length.is_some() && !bug("length_beside_coding_accepted") {
            return Err(Rejection::BothLengths);
        }
        match self.transfer_codings {
            Codings::Chunked { after_unknown: false } => Ok(Framing::Chunked),
            Codings::Chunked { after_unknown: true } => Err(Rejection::TransferCodingUnknown),
            Codings::Absent | Codings::Empty | Codings::Unframed | Codings::Repeated => {
                Err(Rejection::TransferEncoding)
            }
        }
    }

    /// RFC 9112 §3.2: exactly one in HTTP/1.1, and a valid one in any version.
    fn check_host(&self) -> Result<(), Rejection> {
        match self.host {
            Some(host) if is_host_and_port(host) => Ok(()),
            Some(_) => Err(Rejection::Host),
            None if self.version == Version::Http11 => Err(Rejection::HostMissing),
            None => Ok(()),
        }
    }

    /// RFC 9112 §9.3.
    fn persistent(&self) -> bool {
        match self.version {
            Version::Http11 => !self.close || bug("close_is_ignored"),
            Version::Http10 => self.keep_alive && !self.close,
        }
    }
}

/// RFC 9110 §5.3: a field that is no list stands there once. Two of them could be read two ways.
fn once(seen: &mut bool) -> Result<(), Rejection> {
    if mem::replace(seen, true) { Err(Rejection::FieldRepeated) } else { Ok(()) }
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
