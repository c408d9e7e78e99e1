//! The request line, RFC 9112 §3: method, target and version, one space apart.

use super::rejection::Rejection;

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

/// The methods of RFC 9110 §9 and RFC 5789; they are case-sensitive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is its own name")]
pub enum Method {
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    Http11,
}

/// Bytes of a method, at most: twice the longest in the registry of RFC 9110 §16.1.
pub const METHOD_BYTES_MAX: usize = 36;
/// Bytes of a request line beside its method and target: two spaces and `HTTP/1.1`.
pub const REQUEST_LINE_REST_BYTES: usize = 10;

impl<'a> RequestLine<'a> {
    /// Takes apart a line that holds visible ASCII and spaces only, without its line end.
    ///
    /// # Errors
    /// Each part has its own; the leftmost one counts.
    pub fn parse(line: &'a [u8], target_bytes_max: usize) -> Result<RequestLine<'a>, Rejection> {
        let (method, rest) = split_at_space(line).ok_or(Rejection::RequestLine)?;
        let method = Method::parse(method)?;
        // A target has no space, so a second one would stand in the version.
        let (target, version) = split_at_space(rest).ok_or(Rejection::RequestLine)?;
        if target.is_empty() {
            return Err(Rejection::RequestLine);
        }
        if target.len() > target_bytes_max {
            return Err(Rejection::TargetTooLong);
        }
        let version = Version::parse(version)?;
        Ok(RequestLine { method, target, version })
    }
}

fn split_at_space(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(b' ', bytes)?;
    Some((&bytes[..at], &bytes[at + 1..]))
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
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
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
