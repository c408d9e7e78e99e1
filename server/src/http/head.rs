//! Where the head of a request ends: the first thing that is asked of arriving bytes.

use super::rejection::Rejection;
use super::request_line::{LineParts, METHOD_BYTES_MAX, REQUEST_LINE_REST_BYTES, RequestLine};
use super::search;
use crate::seeded::bug;

/// The bounds of a head.
#[derive(Clone, Copy, Debug)]
pub struct HeadLimits {
    /// Bytes of the request target.
    pub target_bytes_max: usize,
    /// Bytes of the head, from its first to the empty line's last.
    pub head_bytes_max: usize,
    /// Field lines.
    pub head_fields_max: usize,
}

/// How far the bytes of a head have been searched, so that a byte at a time costs no more than
/// all at once.
///
/// Each rule looks at a prefix of the head that ends where the rule is first broken, and the
/// rules are tried in the order of those ends. So the verdict does not depend on how the bytes
/// were cut.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeadReader {
    /// No line ends before here, except those counted in `lines`.
    searched: usize,
    /// Where the line that is being searched begins.
    line_start: usize,
    /// Where the request line begins: behind an empty line, if there was one.
    start: usize,
    /// Complete lines, the request line first.
    lines: usize,
    /// What the request line says, once it is complete.
    line: LineParts,
}

/// Where the parts of a complete head lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadEnd {
    /// Where the request line begins.
    pub start: usize,
    /// Bytes of the head, with its empty line.
    pub length: usize,
    /// Field lines.
    pub fields: usize,
    /// What the request line says.
    pub line: LineParts,
}

impl HeadReader {
    /// Whether any of `received` bytes belongs to a request, rather than to an empty line before it.
    pub fn has_begun(&self, received: usize) -> bool {
        received > self.start
    }

    /// Searches `bytes`, which begin where the head does, for the end of the head.
    ///
    /// # Errors
    /// A line end that is not CRLF, a request line that is refused, a limit.
    pub fn find_end(&mut self, bytes: &[u8], limits: &HeadLimits) -> Result<Option<HeadEnd>, Rejection> {
        while self.lines == 0 {
            if self.find_request_line(bytes, limits)?.is_none() {
                return Ok(None);
            }
        }
        loop {
            let rest = &bytes[self.searched..];
            // Each head has an empty line, which needs no search.
            let found = match rest.first() {
                Some(b'\r') => Some(0),
                _ => search::either(b'\r', b'\n', rest),
            };
            let Some(at) = self.line_end(bytes, found, limits)? else { return Ok(None) };
            let next = at + 2;
            if at == self.line_start {
                let (start, line) = (self.start, self.line);
                return Ok(Some(HeadEnd { start, length: next, fields: self.lines - 1, line }));
            }
            if self.lines > limits.head_fields_max {
                return Err(Rejection::TooManyFields);
            }
            self.lines += 1;
            self.line_start = next;
            self.searched = next;
        }
    }

    /// Takes the request line, or an empty line before it, where that is complete.
    fn find_request_line(&mut self, bytes: &[u8], limits: &HeadLimits) -> Result<Option<()>, Rejection> {
        // Every byte of it is looked at, so that what is not HTTP at all is refused at its first strange byte
        // and not only by a time limit.
        let found = search::not_visible(&bytes[self.searched..]);
        let length = found.map_or(bytes.len(), |found| self.searched + found) - self.start;
        self.check_request_line_length(&bytes[self.start..self.start + length], limits)?;
        let Some(at) = self.line_end(bytes, found, limits)? else { return Ok(None) };
        let next = at + 2;
        if at == self.line_start {
            // RFC 9112 §2.2: at least one empty line before the request line is ignored.
            if self.start > 0 {
                return Err(Rejection::LeadingEmptyLines);
            }
            self.start = next;
        } else {
            self.line = RequestLine::parse(&bytes[self.line_start..at], limits.target_bytes_max)?.parts();
            self.lines = 1;
        }
        self.line_start = next;
        self.searched = next;
        Ok(Some(()))
    }

    /// Whether the line ends with CRLF where an end was `found`, as far as can be told.
    #[inline(always)]
    fn line_end(
        &mut self,
        bytes: &[u8],
        found: Option<usize>,
        limits: &HeadLimits,
    ) -> Result<Option<usize>, Rejection> {
        let at = found.map_or(bytes.len(), |found| self.searched + found);
        self.searched = at + usize::from(bug("split_line_end_is_missed") && at < bytes.len());
        // What is found counts with the byte that decides about it.
        let needed = match bytes.get(at) {
            Some(b'\r') => at + 2,
            Some(_) => at + 1,
            None => at,
        };
        if needed > limits.head_bytes_max {
            return Err(Rejection::HeadTooLarge);
        }
        match (bytes.get(at), bytes.get(at + 1)) {
            (None, _) | (Some(b'\r'), None) => Ok(None),
            (Some(b'\r'), Some(b'\n')) => Ok(Some(at)),
            (Some(b'\r'), Some(_)) if bug("bare_carriage_return_ends_a_line") => Ok(Some(at)),
            (Some(b'\r'), Some(_)) => Err(Rejection::BareCarriageReturn),
            (Some(b'\n'), _) => Err(Rejection::BareLineFeed),
            (Some(_), _) => Err(Rejection::RequestLineByte),
        }
    }

    fn check_request_line_length(&self, line: &[u8], limits: &HeadLimits) -> Result<(), Rejection> {
        let longest = METHOD_BYTES_MAX + limits.target_bytes_max + REQUEST_LINE_REST_BYTES;
        if line.len() <= longest {
            return Ok(());
        }
        // RFC 9112 §3: 501 where the method is too long, 414 where the target is.
        if memchr::memchr(b' ', &line[..=METHOD_BYTES_MAX]).is_some() {
            Err(Rejection::TargetTooLong)
        } else {
            Err(Rejection::MethodTooLong)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: HeadLimits = HeadLimits { target_bytes_max: 40, head_bytes_max: 120, head_fields_max: 3 };

    /// The verdict on `bytes`, which must not depend on how they are cut.
    fn check(bytes: &str, expected: Result<Option<usize>, Rejection>) {
        let bytes = bytes.as_bytes();
        let whole = HeadReader::default().find_end(bytes, &LIMITS);
        assert_eq!(whole.map(|end| end.map(|end| end.length)), expected, "{}", bytes.escape_ascii());
        let mut reader = HeadReader::default();
        let bit_by_bit = (0..=bytes.len())
            .map(|length| reader.find_end(&bytes[..length], &LIMITS))
            .find(|found| !matches!(found, Ok(None)))
            .unwrap_or(Ok(None));
        assert_eq!(whole, bit_by_bit, "{}", bytes.escape_ascii());
    }

    #[test]
    fn end_is_found_behind_the_empty_line() {
        check("GET / HTTP/1.1\r\nHost: h\r\n\r\nrest", Ok(Some(27)));
        check("GET / HTTP/1.1\r\n\r\n", Ok(Some(18)));
        check("GET / HTTP/1.1\r\nHost: h\r\n\r", Ok(None));
    }

    #[test]
    fn one_empty_line_before_the_request_is_ignored() {
        check("\r\nGET / HTTP/1.1\r\n\r\n", Ok(Some(20)));
        check("\r\n\r\nGET / HTTP/1.1\r\n\r\n", Err(Rejection::LeadingEmptyLines));
    }

    #[test]
    fn line_ends_are_crlf() {
        check("GET / HTTP/1.1\nHost: h\n\n", Err(Rejection::BareLineFeed));
        check("GET / HTTP/1.1\rHost: h\r\r", Err(Rejection::BareCarriageReturn));
        check("GET / HTTP/1.1\r\nHost: h\n\r\n", Err(Rejection::BareLineFeed));
        check("GET / HTTP/1.1\r\nHost: h\rx\r\n\r\n", Err(Rejection::BareCarriageReturn));
        check("\nGET / HTTP/1.1\r\n\r\n", Err(Rejection::BareLineFeed));
    }

    #[test]
    fn what_is_not_http_is_refused_at_its_first_strange_byte() {
        check("\x16\x03\x01", Err(Rejection::RequestLineByte));
        check("GET /\t HTTP/1.1", Err(Rejection::RequestLineByte));
        check("GET /\u{e9}", Err(Rejection::RequestLineByte));
        check("GET /\r\n", Err(Rejection::RequestLine));
        check("PRI * HTTP/2.0\r\n", Err(Rejection::Version));
    }

    #[test]
    fn limits_hold_for_input_that_never_ends() {
        let target = |bytes| format!("GET {:/<bytes$} HTTP/1.1\r\n\r\n", "");
        check(&target(40), Ok(Some(57)));
        check(&target(41), Err(Rejection::TargetTooLong));
        let longest = format!("{:A<36} {:/<40} HTTP/1.1\r\n\r\n", "", "");
        check(&longest, Ok(Some(90)));
        check(&target(400), Err(Rejection::TargetTooLong));
        check(&format!("GET /{:a<82}", ""), Err(Rejection::TargetTooLong));
        check(&format!("{:A<87}", ""), Err(Rejection::MethodTooLong));
        let field = |bytes| format!("GET / HTTP/1.1\r\nA:{:a<bytes$}\r\n\r\n", "");
        check(&field(98), Ok(Some(120)));
        check(&field(99), Err(Rejection::HeadTooLarge));
        check(&format!("GET / HTTP/1.1\r\nA:{:a<200}", ""), Err(Rejection::HeadTooLarge));
        // A byte beyond the bound is not looked at, whatever it is.
        check(&format!("GET / HTTP/1.1\r\nA:{:a<101}\n", ""), Err(Rejection::BareLineFeed));
        check(&format!("GET / HTTP/1.1\r\nA:{:a<102}\n", ""), Err(Rejection::HeadTooLarge));
        check("GET / HTTP/1.1\r\na:\r\nb:\r\nc:\r\n\r\n", Ok(Some(30)));
        check("GET / HTTP/1.1\r\na:\r\nb:\r\nc:\r\nd:\r\n\r\n", Err(Rejection::TooManyFields));
    }
}
