//! One alphabet for every engine: requests to `/files/`, random, exhaustive, and as text.
//!
//! The text is what a found bug is kept as: a request a line, `PUT a/b 3:1000` for content number
//! 3 of 1000 bytes, `GET a/b`, with terms behind it as in `PUT a 3:5 if-match=1,2`; empty lines and
//! those that begin with `#` say nothing.

use std::fmt;
use std::str::FromStr;

use proptest::prelude::*;
use proptest::sample::select;

use crate::reference::{Method, Terms};
use crate::terms::{read_term, terms, words};

/// A request to a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What is asked.
    pub method: Method,
    /// What follows `/files/` in its target, without any white space.
    pub path: String,
    /// What it carries, of `POST`, `PUT` and `PATCH`.
    pub content: Option<Content>,
    /// What it demands.
    pub terms: Terms,
}

/// Content that differs from all other content by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    /// Its number.
    pub number: u32,
    /// Bytes.
    pub length: usize,
}

impl Content {
    /// The bytes: `<number>` again and again.
    pub fn bytes(self) -> Vec<u8> {
        let mut bytes = format!("<{}>", self.number).into_bytes();
        // Doubled rather than byte by byte: much of it is asked for.
        while bytes.len() < self.length {
            bytes.extend_from_within(..);
        }
        bytes.truncate(self.length);
        bytes
    }
}

impl Request {
    /// The bytes of the content; none where there is no content.
    pub fn content_bytes(&self) -> Vec<u8> {
        self.content.map(Content::bytes).unwrap_or_default()
    }

    /// The same for all of a file: what a store is asked, which knows no ranges.
    pub fn of_whole_files(&self) -> Request {
        Request { terms: Terms { range: None, ..self.terms.clone() }, ..self.clone() }
    }

    /// Whether it asks for a listing, if a directory is there.
    pub fn lists(&self) -> bool {
        let reads = matches!(self.method, Method::Get | Method::Head);
        reads && (self.path.is_empty() || self.path.ends_with('/'))
    }

    /// As HTTP/1.1 has it, with the tags that `tag` has for versions.
    pub fn on_the_wire(&self, tag: impl Fn(u64) -> String) -> Vec<u8> {
        let length =
            self.content.map_or(String::new(), |content| format!("Content-Length: {}\r\n", content.length));
        let fields = self.terms.fields(tag);
        let (method, path) = (self.method.name(), &self.path);
        let accept = if self.lists() { "Accept: application/json\r\n" } else { "" };
        let head = format!("{method} /files/{path} HTTP/1.1\r\nHost: h\r\n{length}{accept}{fields}\r\n");
        [head.into_bytes(), self.content_bytes()].concat()
    }
}

/// All methods.
pub const METHODS: [Method; 6] =
    [Method::Get, Method::Head, Method::Post, Method::Put, Method::Patch, Method::Delete];

impl Method {
    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
        }
    }

    /// Whether its requests carry content.
    pub fn has_content(self) -> bool {
        matches!(self, Method::Post | Method::Put | Method::Patch)
    }
}

/// Paths that collide: files, directories of the same name, what is below them; and some that are
/// refused.
pub const PATHS: [&str; 16] = [
    "a",
    "a",
    "b",
    "a/b",
    "a/b",
    "a/c",
    "a/b/c",
    "a/",
    "%ff%01",
    "a%20/%62",
    "",
    "a//b",
    "%2e%2e/a",
    "./a",
    "a/.",
    ".http_server",
];

/// One request.
pub fn requests() -> impl Strategy<Value = Request> {
    // Now and then more than a connection gathers in memory.
    let lengths = prop_oneof![8 => 0_usize..50, 1 => 1000_usize..5000, 1 => 250_000_usize..600_000];
    (select(&METHODS[..]), select(&PATHS[..]), any::<u32>(), lengths, terms()).prop_map(
        |(method, path, number, length, terms)| {
            let content = method.has_content().then_some(Content { number: number % 1000, length });
            Request { method, path: path.to_owned(), content, terms }
        },
    )
}

/// What exhaustive sequences are made of: each method, and each kind of term once.
const OPERATIONS: [(Method, &str); 9] = [
    (Method::Get, ""),
    (Method::Head, "if-none-match=1"),
    (Method::Post, ""),
    (Method::Put, ""),
    (Method::Put, "if-match=1"),
    (Method::Put, "if-none-match=*"),
    (Method::Patch, ""),
    (Method::Patch, "upload-offset=5"),
    (Method::Delete, "if-match=*"),
];

/// All sequences of 1 to `length` requests to these paths: nine operations on each.
pub fn all_sequences(length: usize, paths: &[&str]) -> Vec<Vec<Request>> {
    let mut sequences = vec![Vec::new()];
    let mut longest = sequences.clone();
    for number in 1..=length {
        let with_one_more = |sequence: &Vec<Request>| {
            let requests = OPERATIONS.iter().flat_map(|what| paths.iter().map(move |path| (*what, *path)));
            let longer = requests.map(|((method, term), path)| {
                let content = Content { number: u32::try_from(number).unwrap_or(0), length: 5 };
                let content = method.has_content().then_some(content);
                let mut terms = Terms::default();
                read_term(term, &mut terms).unwrap_or_default();
                let request = Request { method, path: path.to_owned(), content, terms };
                sequence.iter().cloned().chain([request]).collect()
            });
            longer.collect::<Vec<_>>()
        };
        longest = longest.iter().flat_map(with_one_more).collect();
        sequences.extend(longest.iter().cloned());
    }
    sequences.remove(0);
    sequences
}

impl fmt::Display for Request {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `.` stands for no path at all, which no path can be written as.
        let path = if self.path.is_empty() { "." } else { &self.path };
        write!(formatter, "{} {path}", self.method.name())?;
        if let Some(Content { number, length }) = self.content {
            write!(formatter, " {number}:{length}")?;
        }
        words(&self.terms).iter().try_for_each(|word| write!(formatter, " {word}"))
    }
}

impl FromStr for Request {
    type Err = String;

    fn from_str(line: &str) -> Result<Request, String> {
        let malformed = || format!("not `METHOD path` or `METHOD path number:length`: {line:?}");
        let mut words = line.split_ascii_whitespace().peekable();
        let name = words.next().ok_or_else(malformed)?;
        let method = METHODS.into_iter().find(|method| method.name() == name).ok_or_else(malformed)?;
        let path = words.next().ok_or_else(malformed)?;
        let content = match words.next_if(|_| method.has_content()) {
            Some(word) => {
                let (number, length) = word.split_once(':').ok_or_else(malformed)?;
                Some(Content {
                    number: number.parse().map_err(|_| malformed())?,
                    length: length.parse().map_err(|_| malformed())?,
                })
            }
            None => None,
        };
        let mut terms = Terms::default();
        for word in words {
            read_term(word, &mut terms).ok_or_else(malformed)?;
        }
        if content.is_some() != method.has_content() {
            return Err(malformed());
        }
        let path = if path == "." { String::new() } else { path.to_owned() };
        Ok(Request { method, path, content, terms })
    }
}

/// Reads a list of requests.
///
/// # Errors
/// The first line that is none.
pub fn read_requests(text: &str) -> Result<Vec<Request>, String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(str::parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: Some(Box::new(proptest::test_runner::FileFailurePersistence::SourceParallel(
                "../proptest-regressions/model",
            ))),
            ..ProptestConfig::default()
        })]

        #[test]
        fn text_names_the_same_request_again(request in requests()) {
            prop_assert_eq!(request.to_string().parse(), Ok(request));
        }
    }

    #[test]
    fn malformed_lines_are_refused() {
        for line in [
            "",
            "GET",
            "BREW a",
            "GET a 1:2",
            "PUT a",
            "PUT a 1",
            "PUT a 1:x",
            "PUT a 1:2 3",
            "GET a if-match=",
            "GET a x=1",
        ] {
            assert!(line.parse::<Request>().is_err(), "{line:?}");
        }
    }

    #[test]
    fn lists_are_read_a_line_each() {
        let text = "# of two\n\n GET a\n\tPUT b 1:2 \n#GET c\n";
        let requests = read_requests(text).unwrap();
        assert_eq!(requests.iter().map(Request::to_string).collect::<Vec<_>>(), ["GET a", "PUT b 1:2"]);
        assert!(read_requests("GET a\nBREW b\n").is_err());
    }

    #[test]
    fn content_is_its_number_again_and_again() {
        for (length, bytes) in [(0, ""), (2, "<1"), (4, "<12>"), (9, "<12><12><")] {
            assert_eq!(Content { number: 12, length }.bytes(), bytes.as_bytes());
        }
    }

    #[test]
    fn a_request_on_the_wire_has_its_content_and_its_fields() {
        let wire = |text: &str| {
            let request: Request = text.parse().unwrap();
            String::from_utf8(request.on_the_wire(|version| format!("\"{version}\""))).unwrap()
        };
        assert_eq!(wire("GET a"), "GET /files/a HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(
            wire("PUT a/b 1:4 if-match=7"),
            "PUT /files/a/b HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nIf-Match: \"7\"\r\n\r\n<1><"
        );
    }

    #[test]
    fn random_content_has_one_of_a_thousand_numbers() {
        use proptest::strategy::ValueTree;
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let mut numbers = std::collections::BTreeSet::new();
        for _ in 0..1000 {
            let request = requests().new_tree(&mut runner).unwrap().current();
            numbers.extend(request.content.map(|content| content.number));
        }
        assert!(numbers.len() > 200 && numbers.iter().all(|number| *number < 1000), "{}", numbers.len());
    }

    #[test]
    fn all_sequences_are_all() {
        assert_eq!(all_sequences(1, &["a"]).len(), 9);
        assert_eq!(all_sequences(2, &["a", "b"]).len(), 18 + 18 * 18);
    }
}
