//! The request target in its four forms, RFC 9112 §3.2.

use super::field::{host_and_port, is_host_and_port, is_port};
use super::rejection::Rejection;
use super::request_line::Method;
use super::search;

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// A resource by its path, which begins with `/`, without its query. Still percent-encoded.
    Path(&'a [u8]),
    /// The server as a whole, `OPTIONS *`.
    Server,
    /// Another place to be connected to, `CONNECT`.
    Authority,
    /// A resource that must not be served here: one of `https`, over a connection without TLS.
    Misdirected,
}

impl<'a> Target<'a> {
    /// Reads `target`, visible ASCII, as one of the forms that `method` allows.
    ///
    /// # Errors
    /// [`Rejection::Target`] for everything else.
    pub fn parse(method: Method, target: &'a [u8]) -> Result<Target<'a>, Rejection> {
        // RFC 9112 §3.2.3: CONNECT has the authority form, and nobody else has.
        if method == Method::Connect {
            return match host_and_port(target) {
                // RFC 9110 §9.3.6: an empty or invalid port is refused.
                Some((host, Some(port))) if !host.is_empty() && is_port(port) => Ok(Target::Authority),
                _ => Err(Rejection::Target),
            };
        }
        let end = search::either(b'?', b'#', target).unwrap_or(target.len());
        let (path, query) = target.split_at(end);
        // RFC 9112 §3.2: a fragment is not part of any form.
        if !query.is_empty() && memchr::memchr(b'#', query).is_some() {
            return Err(Rejection::Target);
        }
        match target {
            [b'/', ..] => Ok(Target::Path(path)),
            // RFC 9112 §3.2.4.
            b"*" if method == Method::Options => Ok(Target::Server),
            _ => absolute(method, target),
        }
    }
}

/// RFC 9112 §3.2.2: a server must accept the absolute form.
fn absolute(method: Method, target: &[u8]) -> Result<Target<'_>, Rejection> {
    let colon = memchr::memchr(b':', target).ok_or(Rejection::Target)?;
    let rest = target[colon..].strip_prefix(b"://").ok_or(Rejection::Target)?;
    let authority_length = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(authority_length);
    // RFC 9110 §4.2.1, §4.2.4: an empty host and user information are refused.
    if !is_host_and_port(authority) {
        return Err(Rejection::Target);
    }
    let scheme = &target[..colon];
    if scheme.eq_ignore_ascii_case(b"https") {
        // RFC 9110 §7.4: nothing of https is served over a connection that is not secured.
        return Ok(Target::Misdirected);
    }
    if !scheme.eq_ignore_ascii_case(b"http") {
        return Err(Rejection::Target);
    }
    match rest {
        // RFC 9112 §3.2.4: OPTIONS on an empty path and query is about the server.
        [] if method == Method::Options => Ok(Target::Server),
        // RFC 9110 §4.2.3: an empty path is `/`.
        [] | [b'?', ..] => Ok(Target::Path(b"/")),
        path => Ok(Target::Path(without_query(path))),
    }
}

fn without_query(target: &[u8]) -> &[u8] {
    &target[..memchr::memchr(b'?', target).unwrap_or(target.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: Method, target: &str, expected: Option<Target<'_>>) {
        assert_eq!(Target::parse(method, target.as_bytes()).ok(), expected, "{method:?} {target:?}");
    }

    #[test]
    fn each_form_belongs_to_its_methods() {
        check(Method::Get, "/a/b?c=d?e", Some(Target::Path(b"/a/b")));
        check(Method::Get, "*", None);
        check(Method::Options, "*", Some(Target::Server));
        check(Method::Options, "/a", Some(Target::Path(b"/a")));
        check(Method::Get, "host:80", None);
        check(Method::Connect, "host:80", Some(Target::Authority));
        check(Method::Connect, "[::1]:443", Some(Target::Authority));
        for refused in ["/", "host", "host:", ":80", "host:65536", "http://h/", "*"] {
            check(Method::Connect, refused, None);
        }
        for refused in ["a", "?a", "/a#b", "#", "//h/a#", "a/b", "**"] {
            check(Method::Get, refused, None);
        }
    }

    #[test]
    fn absolute_form_is_read_down_to_its_path() {
        check(Method::Get, "http://h/a?b", Some(Target::Path(b"/a")));
        check(Method::Get, "HTTP://h:80/a", Some(Target::Path(b"/a")));
        check(Method::Get, "http://h", Some(Target::Path(b"/")));
        check(Method::Get, "http://h?q=/x", Some(Target::Path(b"/")));
        check(Method::Options, "http://h", Some(Target::Server));
        check(Method::Options, "http://h/", Some(Target::Path(b"/")));
        check(Method::Get, "https://h/a", Some(Target::Misdirected));
        for refused in [
            "http:///a",
            "http://u@h/",
            "http:/a",
            "http:a",
            "ftp://h/",
            "://h/",
            "http://h:x/",
            "http://h:65536/",
        ] {
            check(Method::Get, refused, None);
        }
    }
}
