//! The head of an answer, RFC 9112 §4 and §5.

use std::ops::Range;

use super::date::HttpDate;
use super::status::Status;

/// The head of an answer.
#[derive(Clone, Debug)]
pub struct ResponseHead<'a> {
    /// How it went.
    pub status: Status,
    /// When, for the `Date` that every answer carries (RFC 9110 §6.6.1).
    pub date: &'a HttpDate,
    /// The media type and length of the content; nothing where the status has none
    /// (RFC 9110 §8.6: no length with 204).
    pub content: Option<(&'a str, u64)>,
    /// Further fields.
    pub fields: &'a [(&'a str, &'a str)],
    /// Where the resource is that was made, percent-encoded.
    pub location: Option<&'a [u8]>,
    /// Which version of the resource it is about (RFC 9110 §8.8): its entity tag, and when it was
    /// last changed.
    pub validators: Option<(&'a [u8], &'a HttpDate)>,
    /// Which part of the resource the content is.
    pub content_range: Option<&'a ContentRange>,
    /// What the request is called, where it is called something.
    pub request_id: Option<&'a [u8]>,
    /// What is said about the connection.
    pub persistence: Persistence,
}

/// Which part of a resource the content is, RFC 9110 §14.4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContentRange {
    /// These bytes, of so many in all. Never none of them.
    Part(Range<u64>, u64),
    /// None of so many: what was asked for does not exist.
    Unsatisfied(u64),
}

impl ContentRange {
    /// Appends the field's value.
    pub fn write(&self, output: &mut Vec<u8>) {
        output.extend_from_slice(b"bytes ");
        let length = match self {
            ContentRange::Part(range, length) => {
                write_decimal(range.start, output);
                output.push(b'-');
                write_decimal(range.end.saturating_sub(1), output);
                length
            }
            ContentRange::Unsatisfied(length) => {
                output.push(b'*');
                length
            }
        };
        output.push(b'/');
        write_decimal(*length, output);
    }
}

/// What an answer says about its connection, RFC 9112 §9.3 and §9.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persistence {
    /// It stays, as in HTTP/1.1 it does unless something is said.
    Implied,
    /// It stays, said for a peer that speaks HTTP/1.0.
    KeepAlive,
    /// It is closed behind this answer.
    Close,
}

/// The interim answer that asks for the content, RFC 9110 §15.2.1.
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

impl ResponseHead<'_> {
    /// Appends the head with its empty line.
    // Into its only caller, where most of what it may say is known to be missing.
    #[inline(always)]
    pub fn write(&self, output: &mut Vec<u8>) {
        output.extend_from_slice(b"HTTP/1.1 ");
        output.extend_from_slice(self.status.line().as_bytes());
        output.extend_from_slice(b"\r\nDate: ");
        output.extend_from_slice(self.date.as_bytes());
        if let Some((media_type, length)) = self.content {
            output.extend_from_slice(b"\r\nContent-Type: ");
            output.extend_from_slice(media_type.as_bytes());
            // A browser takes the type that it is told, and does not look for markup in what
            // others uploaded.
            output.extend_from_slice(b"\r\nX-Content-Type-Options: nosniff\r\nContent-Length: ");
            write_decimal(length, output);
        }
        for (name, value) in self.fields {
            write_field(name, value.as_bytes(), output);
        }
        if let Some(location) = self.location {
            write_field("Location", location, output);
        }
        if let Some((entity_tag, last_modified)) = self.validators {
            write_field("ETag", entity_tag, output);
            write_field("Last-Modified", last_modified.as_bytes(), output);
        }
        if let Some(content_range) = self.content_range {
            output.extend_from_slice(b"\r\nContent-Range: ");
            content_range.write(output);
        }
        if let Some(id) = self.request_id {
            write_field("X-Request-Id", id, output);
        }
        match self.persistence {
            Persistence::Implied => {}
            Persistence::KeepAlive => write_field("Connection", b"keep-alive", output),
            Persistence::Close => write_field("Connection", b"close", output),
        }
        output.extend_from_slice(b"\r\n\r\n");
    }
}

fn write_field(name: &str, value: &[u8], output: &mut Vec<u8>) {
    output.extend_from_slice(b"\r\n");
    output.extend_from_slice(name.as_bytes());
    output.extend_from_slice(b": ");
    output.extend_from_slice(value);
}

fn write_decimal(mut number: u64, output: &mut Vec<u8>) {
    // The largest number of 64 bits has 20 digits.
    let mut digits = [0; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    output.extend_from_slice(&digits[start..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn head_is_written_field_by_field() {
        let mut output = Vec::new();
        ResponseHead {
            status: Status::CREATED,
            date: &HttpDate::from_unix_seconds(0),
            content: Some(("text/plain", 10)),
            fields: &[("Allow", "GET")],
            location: Some(b"/files/a"),
            validators: Some((b"\"x\"", &HttpDate::from_unix_seconds(1))),
            content_range: Some(&ContentRange::Part(5..10, 20)),
            request_id: Some(b"r1"),
            persistence: Persistence::Close,
        }
        .write(&mut output);
        assert_eq!(
            str::from_utf8(&output),
            Ok("HTTP/1.1 201 Created\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Type: text/plain\r\n\
                X-Content-Type-Options: nosniff\r\nContent-Length: 10\r\nAllow: GET\r\nLocation: /files/a\r\n\
                ETag: \"x\"\r\nLast-Modified: Thu, 01 Jan 1970 00:00:01 GMT\r\nContent-Range: bytes 5-9/20\r\n\
                X-Request-Id: r1\r\nConnection: close\r\n\r\n")
        );
    }

    #[test]
    fn numbers_are_written_whole() {
        for number in [0, 9, 10, 1234567890, u64::MAX] {
            let mut output = Vec::new();
            write_decimal(number, &mut output);
            assert_eq!(output, number.to_string().as_bytes());
        }
    }
}
