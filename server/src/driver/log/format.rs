//! How a line of the access log is written: [`Format`].

use std::fmt::Display;
use std::io::{self, Write as _};

use super::escape::escape;
use crate::clock::Now;
use crate::connection::{Answered, Recorded};
use crate::driver::network::Peer;
use crate::http::date::HttpDate;

/// How the access log is written. Whatever a client sent is escaped in each of them, so that it can
/// neither end a line nor leave its place in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Address, request line, status, bytes of content, duration.
    #[default]
    Short,
    /// The Common Log Format.
    Common,
    /// The same, and behind it `Referer` and `User-Agent`.
    Combined,
    /// An object of JSON in each line.
    Json,
}

impl Format {
    /// What it wants to know of a request.
    pub fn recorded(self) -> Recorded {
        match self {
            Format::Short | Format::Common => Recorded::Line,
            Format::Combined | Format::Json => Recorded::Fields,
        }
    }

    /// Writes the line of a request that was answered at `now`.
    pub(super) fn answered(
        self,
        line: &mut Vec<u8>,
        peer: Peer,
        answered: &Answered,
        now: &Now,
    ) -> io::Result<()> {
        let words = &answered.words;
        let (status, bytes) = (answered.status.code(), answered.content_bytes);
        let microseconds = now.instant.since(answered.begun).as_micros();
        match self {
            Format::Short => {
                write!(line, "{peer} \"")?;
                escape(words.request_line(), line);
                let (whole, thousandths) = (microseconds / 1000, microseconds % 1000);
                write!(line, "\" {status} {bytes} {whole}.{thousandths:03}ms")?;
                if !answered.id.is_none() {
                    line.push(b' ');
                    answered.id.write(line);
                }
                writeln!(line)
            }
            Format::Common | Format::Combined => {
                match peer.ip() {
                    Some(address) => write!(line, "{address}")?,
                    None => write!(line, "{peer}")?,
                }
                let [year, month, day, time] = date_parts(&now.date);
                write!(line, " - - [{day}/{month}/{year}:{time} +0000]")?;
                quoted(words.request_line(), line);
                write!(line, " {status} ")?;
                match bytes {
                    0 => line.push(b'-'),
                    _ => write!(line, "{bytes}")?,
                }
                if self == Format::Combined {
                    quoted(words.referrer(), line);
                    quoted(words.user_agent(), line);
                }
                writeln!(line)
            }
            Format::Json => {
                write!(line, "{{\"time\":\"")?;
                timestamp(&now.date, line)?;
                write!(line, "\",\"peer\":\"{peer}\"")?;
                member("request", words.request_line(), line)?;
                write!(line, ",\"status\":{status},\"bytes\":{bytes},\"microseconds\":{microseconds}")?;
                member("referrer", words.referrer(), line)?;
                member("user_agent", words.user_agent(), line)?;
                if !answered.id.is_none() {
                    line.extend_from_slice(b",\"id\":\"");
                    answered.id.write(line);
                    line.push(b'"');
                }
                writeln!(line, "}}")
            }
        }
    }

    /// Writes a line about something else.
    pub(super) fn noted(self, line: &mut Vec<u8>, note: &dyn Display, now: &Now) -> io::Result<()> {
        let text = note.to_string();
        match self {
            Format::Json => {
                write!(line, "{{\"time\":\"")?;
                timestamp(&now.date, line)?;
                line.push(b'"');
                member("note", text.as_bytes(), line)?;
                writeln!(line, "}}")
            }
            _ => writeln!(line, "{text}"),
        }
    }
}

/// A part in quotes, a `-` where there is nothing.
fn quoted(bytes: &[u8], line: &mut Vec<u8>) {
    line.extend_from_slice(b" \"");
    if bytes.is_empty() {
        line.push(b'-');
    }
    escape(bytes, line);
    line.push(b'"');
}

/// A text of an object, where there is one. Its escapes are those of the other formats, which leave
/// neither quotes nor control bytes; RFC 8259 §7 wants their backslash doubled.
fn member(name: &str, bytes: &[u8], line: &mut Vec<u8>) -> io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    write!(line, ",\"{name}\":\"")?;
    let mut escaped = Vec::with_capacity(bytes.len());
    escape(bytes, &mut escaped);
    for byte in escaped {
        if byte == b'\\' {
            line.push(b'\\');
        }
        line.push(byte);
    }
    line.push(b'"');
    Ok(())
}

/// RFC 3339.
fn timestamp(date: &HttpDate, line: &mut Vec<u8>) -> io::Result<()> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let [year, month, day, time] = date_parts(date);
    let month = MONTHS.iter().position(|known| *known == month).map_or(0, |before| before + 1);
    write!(line, "{year}-{month:02}-{day}T{}Z", time)
}

/// Year, month, day and time of `Sun, 06 Nov 1994 08:49:37 GMT`, which is rendered once a second.
fn date_parts(date: &HttpDate) -> [&str; 4] {
    let text = str::from_utf8(date.as_bytes()).unwrap_or_default();
    [12..16, 8..11, 5..7, 17..25].map(|part| text.get(part).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clock::Instant;
    use crate::connection::{RequestId, Words};
    use crate::http::status::Status;

    fn logged(format: Format, line: &[u8], referrer: &[u8], agent: &[u8], bytes: u64) -> String {
        let answered = Answered {
            method: None,
            rejection: None,
            id: RequestId::None,
            words: Words::new(line, referrer, agent),
            status: Status::OK,
            content_bytes: bytes,
            begun: Instant::from_nanoseconds(1_000_000),
        };
        let peer = Peer::Internet("192.0.2.1:80".parse().unwrap());
        let now = Now::new(Instant::from_nanoseconds(13_345_678), 784_111_777);
        let mut text = Vec::new();
        format.answered(&mut text, peer, &answered, &now).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn a_line_says_who_asked_what_and_what_came_of_it() {
        let check = |format, expected: &str| {
            assert_eq!(logged(format, b"GET /echo/abc HTTP/1.1", b"http://r/", b"a/\"1\"", 3), expected);
        };
        check(Format::Short, "192.0.2.1:80 \"GET /echo/abc HTTP/1.1\" 200 3 12.345ms\n");
        let common = "192.0.2.1 - - [06/Nov/1994:08:49:37 +0000] \"GET /echo/abc HTTP/1.1\" 200 3";
        check(Format::Common, &format!("{common}\n"));
        check(Format::Combined, &format!("{common} \"http://r/\" \"a/\\x221\\x22\"\n"));
        check(
            Format::Json,
            "{\"time\":\"1994-11-06T08:49:37Z\",\"peer\":\"192.0.2.1:80\",\"request\":\"GET /echo/abc HTTP/1.1\",\
             \"status\":200,\"bytes\":3,\"microseconds\":12345,\"referrer\":\"http://r/\",\
             \"user_agent\":\"a/\\\\x221\\\\x22\"}\n",
        );
    }

    #[test]
    fn what_was_not_sent_is_a_hyphen_or_left_out() {
        let line = logged(Format::Combined, b"", b"", b"", 0);
        assert_eq!(line, "192.0.2.1 - - [06/Nov/1994:08:49:37 +0000] \"-\" 200 - \"-\" \"-\"\n");
        let line = logged(Format::Json, b"", b"", b"", 0);
        assert!(
            line.ends_with("\"peer\":\"192.0.2.1:80\",\"status\":200,\"bytes\":0,\"microseconds\":12345}\n")
        );
    }

    /// The quoted parts of a line, taken back from what escaping made of them.
    fn quoted_parts(line: &str) -> Vec<Vec<u8>> {
        line.split('"').skip(1).step_by(2).map(unescaped).collect()
    }

    fn unescaped(text: &str) -> Vec<u8> {
        let mut parts = text.split("\\x");
        let mut bytes = parts.next().unwrap().as_bytes().to_vec();
        for part in parts {
            bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
            bytes.extend_from_slice(&part.as_bytes()[2..]);
        }
        bytes
    }

    fn words() -> impl Strategy<Value = Vec<u8>> {
        // The bytes that could end something come often.
        let byte = prop_oneof![any::<u8>(), prop::sample::select(&b"\"\\\r\n,:{}- x0\t\x1b"[..])];
        prop::collection::vec(byte, 1..40)
    }

    proptest! {
        /// Goal: no request can forge a line, or a part of one. Method: any bytes; each format gives one
        /// line of plain ASCII, of which a reader of that format gets back what was sent and nothing else.
        #[test]
        fn no_request_can_forge_a_line(line in words(), referrer in words(), agent in words()) {
            for format in [Format::Short, Format::Common, Format::Combined, Format::Json] {
                let text = logged(format, &line, &referrer, &agent, 3);
                prop_assert!(text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\n')));
                prop_assert!(text.ends_with('\n') && text.matches('\n').count() == 1);
                match format {
                    Format::Short | Format::Common => {
                        prop_assert_eq!(quoted_parts(&text), vec![line.clone()]);
                    }
                    Format::Combined => {
                        let sent = vec![line.clone(), referrer.clone(), agent.clone()];
                        prop_assert_eq!(quoted_parts(&text), sent);
                    }
                    Format::Json => {
                        // What is in no string has no escape: every backslash is one of a pair.
                        let single = text.replace("\\\\", "\\");
                        prop_assert_eq!(2 * single.matches('\\').count(), text.matches('\\').count());
                        let parts: Vec<&str> = text.trim_end().split('"').collect();
                        let value = |name| {
                            let at = parts.iter().position(|part| *part == name).unwrap();
                            unescaped(&parts[at + 2].replace("\\\\", "\\"))
                        };
                        prop_assert_eq!(parts.len(), 1 + 2 * 13);
                        prop_assert_eq!(value("request"), line.clone());
                        let names: Vec<&str> = parts.iter().skip(1).step_by(2).copied().collect();
                        prop_assert_eq!(names[9], "referrer");
                        prop_assert_eq!(unescaped(&names[10].replace("\\\\", "\\")), referrer.clone());
                        prop_assert_eq!(names[11], "user_agent");
                        prop_assert_eq!(unescaped(&names[12].replace("\\\\", "\\")), agent.clone());
                    }
                }
            }
        }
    }
}
