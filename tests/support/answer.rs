//! One answer, read with no leniency: whatever RFC 9112 or the contract does not allow fails the test.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use http_server::http::date::HttpDate;
use model::wire::read_head;

/// An answer of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Names in lower case, values as they came.
    pub fields: BTreeMap<String, String>,
    /// The content; empty where there is none.
    pub content: Vec<u8>,
}

impl Answer {
    /// Reads a head, its empty line included.
    pub(crate) fn parse(head: &[u8], method: &str) -> Answer {
        let shown = head.escape_ascii().to_string();
        let (status, fields) = read_head(head).unwrap_or_else(|error| panic!("{error}: {shown}"));
        let answer = Answer { status, fields, content: Vec::new() };
        answer.check_fields(method, &shown);
        answer
    }

    /// The value of a field, by its name in lower case.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }

    /// The content as text.
    pub fn text(&self) -> &str {
        str::from_utf8(&self.content).expect("the content is text")
    }

    /// The methods of `Allow`, sorted.
    pub fn allow(&self) -> Vec<&str> {
        let mut methods: Vec<&str> = self.field("allow").expect("there is Allow").split(", ").collect();
        methods.sort_unstable();
        methods
    }

    /// Whether this is the connection's last answer.
    pub fn closes(&self) -> bool {
        self.field("connection") == Some("close")
    }

    /// The same answer at any time of day.
    pub fn without_date(mut self) -> Answer {
        self.fields.retain(|name, _| name != "date");
        self
    }

    /// Bytes of content that follow this head, in answer to `method`.
    pub(crate) fn content_length(&self, method: &str) -> u64 {
        if method == "HEAD" {
            return 0;
        }
        self.field("content-length").map_or(0, |length| {
            length.parse().unwrap_or_else(|_| panic!("malformed Content-Length {length:?}"))
        })
    }

    fn check_fields(&self, method: &str, shown: &str) {
        assert_eq!(self.field("transfer-encoding"), None, "every length is known: {shown}");
        // RFC 9110 §8.6: no length in 1xx, 204 and 304; everywhere else it is the only framing we use.
        let without_content = matches!(self.status, 100..=199 | 204 | 304);
        assert_eq!(self.field("content-length").is_none(), without_content, "Content-Length: {shown}");
        let interim = self.status < 200;
        assert!(interim || self.field("date").is_some_and(is_now), "Date: {shown}");
        // RFC 9110 §15.5.6.
        assert!(self.status != 405 || self.field("allow").is_some(), "405 without Allow: {shown}");
        assert!(self.status != 201 || self.field("location").is_some(), "201 without Location: {shown}");
        assert!(
            self.status != 503 || self.field("retry-after").is_some(),
            "503 without Retry-After: {shown}"
        );
        if self.status >= 400 {
            let kind = self.field("content-type").unwrap_or_default();
            let known = ["text/plain; charset=utf-8", "application/problem+json"].contains(&kind);
            assert!(known, "a refusal carries a sentence or a document: {shown}");
            assert!(method == "HEAD" || self.content_length(method) > 0, "a refusal has a reason: {shown}");
        }
    }

    pub(crate) fn check_content(&self, method: &str) {
        if self.status >= 400 && method != "HEAD" {
            let text = self.text();
            let line = text.strip_suffix('\n').unwrap_or(text);
            let one_line = !line.is_empty() && !line.contains(|character: char| character.is_control());
            assert!(one_line, "a refusal's reason is one line: {text:?}");
        }
    }
}

/// Whether `date` is a second of the last minute.
fn is_now(date: &str) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("1970 is over").as_secs();
    (now - 60..=now + 1).rev().any(|second| HttpDate::from_unix_seconds(second).as_bytes() == date.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date() -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let date = HttpDate::from_unix_seconds(now);
        format!("Date: {}\r\n", str::from_utf8(date.as_bytes()).unwrap())
    }

    fn refuses(method: &'static str, head: &str) -> bool {
        let head = head.replace("DATE", &date());
        std::panic::catch_unwind(|| Answer::parse(head.as_bytes(), method)).is_err()
    }

    #[test]
    fn strict_answers_are_read() {
        let head = format!("HTTP/1.1 405 Method Not Allowed\r\n{}Allow: GET, HEAD\r\n", date());
        let head = format!(
            "{head}Content-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\nConnection: close\r\n\r\n"
        );
        let answer = Answer::parse(head.as_bytes(), "GET");
        assert_eq!((answer.status, answer.content_length("GET")), (405, 3));
        assert_eq!(answer.content_length("HEAD"), 0);
        assert_eq!(answer.allow(), ["GET", "HEAD"]);
        assert!(answer.closes());
        assert_eq!(Answer::parse(b"HTTP/1.1 100 Continue\r\n\r\n", "PUT").status, 100);
    }

    #[test]
    fn loose_answers_are_refused() {
        assert!(!refuses("GET", "HTTP/1.1 200 OK\r\nDATEContent-Length: 0\r\n\r\n"));
        assert!(!refuses("GET", "HTTP/1.1 204 No Content\r\nDATE\r\n"));
        for head in [
            "HTTP/1.0 200 OK\r\nDATEContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200\r\nDATEContent-Length: 0\r\n\r\n",
            "HTTP/1.1 2000 OK\r\nDATEContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nDATE\r\n",
            "HTTP/1.1 200 OK\r\nDATEContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nDATEContent-Length:0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nDATEContent-Length: 0\nA: b\r\n\r\n",
            "HTTP/1.1 200 OK\r\nDATEContent-Length : 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nDATETransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 204 No Content\r\nDATEContent-Length: 0\r\n\r\n",
            "HTTP/1.1 201 Created\r\nDATEContent-Length: 0\r\n\r\n",
            "HTTP/1.1 404 Not Found\r\nDATEContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 404 Not Found\r\nDATEContent-Type: text/html\r\nContent-Length: 1\r\n\r\n",
            "HTTP/1.1 405 No\r\nDATEContent-Type: text/plain\r\nContent-Length: 1\r\n\r\n",
            "HTTP/1.1 503 No\r\nDATEContent-Type: text/plain\r\nContent-Length: 1\r\n\r\n",
        ] {
            assert!(refuses("GET", head), "{head}");
        }
    }
}
