//! The request line, RFC 9112 §3: method, target and version, one space apart.

use super::field::alphanumeric_and;
use super::rejection::Rejection;
use super::search;

/// A request line taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestLine<'a> {
    /// What is to be done.
    pub method: Method,
    /// To what: visible ASCII, not yet understood.
    pub target: &'a [u8],
    /// In which version's words.
    pub version: Version,
}

/// The same without the line's bytes: what is needed to take it apart again, at no cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineParts {
    method: Method,
    version: Version,
    /// Bytes.
    target_length: usize,
}

/// The methods of RFC 9110 §9 and RFC 5789; they are case-sensitive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is its own name")]
pub enum Method {
    #[default]
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
    Options,
    Connect,
    Trace,
    /// Any other token.
    Other,
}

/// The versions that are spoken here; a higher minor version means 1.1 (RFC 9110 §2.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    #[default]
    Http11,
}

/// Bytes of a method, at most: twice the longest in the registry of RFC 9110 §16.1.
pub const METHOD_BYTES_MAX: usize = 36;
/// Bytes of `HTTP/1.1`.
const VERSION_BYTES: usize = 8;
/// Bytes of a request line beside its method and target: two spaces and the version.
pub const REQUEST_LINE_REST_BYTES: usize = VERSION_BYTES + 2;

impl<'a> RequestLine<'a> {
    /// Takes apart a line that holds visible ASCII and spaces only, without its line end.
    ///
    /// # Errors
    /// Each part has its own; the leftmost one counts.
    pub fn parse(line: &'a [u8], target_bytes_max: usize) -> Result<RequestLine<'a>, Rejection> {
        let method_length = search::byte(b' ', line).ok_or(Rejection::RequestLine)?;
        let (method, rest) = (&line[..method_length], &line[method_length + 1..]);
        let method = Method::parse(method)?;
        // A target has no space, so a second one would stand in the version.
        let target_length = search::byte(b' ', rest).ok_or(Rejection::RequestLine)?;
        let (target, version) = (&rest[..target_length], &rest[target_length + 1..]);
        if target.is_empty() {
            return Err(Rejection::RequestLine);
        }
        if target.len() > target_bytes_max {
            return Err(Rejection::TargetTooLong);
        }
        let version = Version::parse(version)?;
        Ok(RequestLine { method, target, version })
    }

    /// What it says, but for its bytes.
    pub fn parts(&self) -> LineParts {
        LineParts { method: self.method, version: self.version, target_length: self.target.len() }
    }
}

impl LineParts {
    /// The request line again at the beginning of `head`, where it was parsed; with its bytes.
    ///
    /// # Errors
    /// [`Rejection::RequestLine`] where it is not there.
    pub fn of(self, head: &[u8]) -> Result<(&[u8], RequestLine<'_>), Rejection> {
        let LineParts { method, version, target_length } = self;
        let method_length = match method {
            Method::Get | Method::Put => 3,
            Method::Head | Method::Post => 4,
            Method::Patch | Method::Trace => 5,
            Method::Delete => 6,
            Method::Options | Method::Connect => 7,
            Method::Other => memchr::memchr(b' ', head).ok_or(Rejection::RequestLine)?,
        };
        let target_start = method_length + 1;
        let target_end = target_start + target_length;
        let line = head.get(..target_end + VERSION_BYTES + 1).ok_or(Rejection::RequestLine)?;
        Ok((line, RequestLine { method, target: &line[target_start..target_end], version }))
    }
}

impl Method {
    fn parse(method: &[u8]) -> Result<Method, Rejection> {
        Ok(match method {
            b"GET" => Method::Get,
            b"HEAD" => Method::Head,
            b"POST" => Method::Post,
            b"PUT" => Method::Put,
            b"PATCH" => Method::Patch,
            b"DELETE" => Method::Delete,
            b"OPTIONS" => Method::Options,
            b"CONNECT" => Method::Connect,
            b"TRACE" => Method::Trace,
            // RFC 9112 §3: a method longer than any that is implemented gets 501.
            _ if method.len() > METHOD_BYTES_MAX => return Err(Rejection::MethodTooLong),
            _ if is_token(method) => Method::Other,
            _ => return Err(Rejection::Method),
        })
    }
}

impl Version {
    fn parse(version: &[u8]) -> Result<Version, Rejection> {
        match version {
            b"HTTP/1.1" => Ok(Version::Http11),
            b"HTTP/1.0" => Ok(Version::Http10),
            // RFC 9112 §2.3: the name is case-sensitive, each number is one digit.
            [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
                if major.is_ascii_digit() && minor.is_ascii_digit() =>
            {
                // RFC 9110 §2.5: a higher minor version is read as the highest that is known.
                if *major == b'1' { Ok(Version::Http11) } else { Err(Rejection::Version) }
            }
            _ => Err(Rejection::VersionSyntax),
        }
    }
}

/// Whether `bytes` are a token, RFC 9110 §5.6.2.
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&byte| is_token_byte(byte))
}

/// Whether `byte` may stand in a token, RFC 9110 §5.6.2.
pub fn is_token_byte(byte: u8) -> bool {
    const TABLE: [bool; 256] = alphanumeric_and(b"!#$%&'*+-.^_`|~");
    TABLE[usize::from(byte)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Result<(Method, &str, Version), Rejection>) {
        let parsed = RequestLine::parse(line.as_bytes(), 8);
        let expected = expected.map(|(method, target, version)| RequestLine {
            method,
            target: target.as_bytes(),
            version,
        });
        assert_eq!(parsed, expected, "{line:?}");
    }

    #[test]
    fn methods_are_case_sensitive_tokens() {
        check("GET / HTTP/1.1", Ok((Method::Get, "/", Version::Http11)));
        check("get / HTTP/1.1", Ok((Method::Other, "/", Version::Http11)));
        check("M-SEARCH / HTTP/1.0", Ok((Method::Other, "/", Version::Http10)));
        check("G(T / HTTP/1.1", Err(Rejection::Method));
        check(" / HTTP/1.1", Err(Rejection::Method));
        check(&format!("{} / HTTP/1.1", "A".repeat(36)), Ok((Method::Other, "/", Version::Http11)));
        check(&format!("{} / HTTP/1.1", "A".repeat(37)), Err(Rejection::MethodTooLong));
    }

    #[test]
    fn each_method_has_its_name() {
        for (name, method) in [
            ("GET", Method::Get),
            ("HEAD", Method::Head),
            ("POST", Method::Post),
            ("PUT", Method::Put),
            ("PATCH", Method::Patch),
            ("DELETE", Method::Delete),
            ("OPTIONS", Method::Options),
            ("CONNECT", Method::Connect),
            ("TRACE", Method::Trace),
        ] {
            check(&format!("{name} / HTTP/1.1"), Ok((method, "/", Version::Http11)));
        }
    }

    #[test]
    fn parts_are_one_space_apart() {
        check("GET", Err(Rejection::RequestLine));
        check("GET /", Err(Rejection::RequestLine));
        check("GET  / HTTP/1.1", Err(Rejection::RequestLine));
        check("GET /  HTTP/1.1", Err(Rejection::VersionSyntax));
        check("GET / HTTP/1.1 ", Err(Rejection::VersionSyntax));
        check("GET /a b HTTP/1.1", Err(Rejection::VersionSyntax));
    }

    #[test]
    fn target_is_bounded() {
        check("GET /2345678 HTTP/1.1", Ok((Method::Get, "/2345678", Version::Http11)));
        check("GET /23456789 HTTP/1.1", Err(Rejection::TargetTooLong));
    }

    #[test]
    fn versions_are_two_digits_and_one_is_the_major() {
        check("GET / HTTP/1.7", Ok((Method::Get, "/", Version::Http11)));
        check("GET / HTTP/2.0", Err(Rejection::Version));
        check("GET / HTTP/0.9", Err(Rejection::Version));
        for version in
            ["http/1.1", "HTTP/1", "HTTP/11", "HTTP/1.10", "HTTP/01.1", "HTTP/1.x", "HTCPCP/1.0", ""]
        {
            check(&format!("GET / {version}"), Err(Rejection::VersionSyntax));
        }
    }
}
