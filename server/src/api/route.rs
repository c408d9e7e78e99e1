//! From a request to what is to be done about it.

use std::borrow::Cow;

use super::condition::{self, WantedParts};
use super::cross_site::is_from_another_site;
use super::listing::{self, Asked};
use super::media_type;
use super::reply::{self, Reply};
use crate::http::request::{Expectation, Request};
use crate::http::request_line::Method;
use crate::http::status::Status;
use crate::http::target::Target;
use crate::limits::Limits;
use crate::seeded::bug;
use crate::store::condition::Condition;
use crate::store::operation::{Intent, Mode};
use crate::store::path::{FilePath, percent_decode};

/// What is to be done about a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Action<'a> {
    /// It can be answered at once.
    Reply(Reply<'a>),
    /// A file is to be read.
    Read(Reading),
    /// A directory is to be listed.
    List(Box<Asked>),
    /// Content is to be put into a file.
    Upload(Intent),
    /// A file or an empty directory is to be removed, where the condition holds.
    Delete(FilePath, Option<Box<Condition>>),
    /// What can be done is asked, with a path or with the server as a whole (RFC 9110 §9.3.7).
    Options(Option<FilePath>),
}

/// What is to be read of a file.
#[derive(Debug, PartialEq, Eq)]
pub struct Reading {
    /// Which file.
    pub path: FilePath,
    /// What has to be so.
    pub condition: Option<Box<Condition>>,
    /// Its media type, by its name.
    pub media_type: &'static str,
    /// The parts that are asked for; all of it where that is nothing.
    pub parts: Option<Box<WantedParts>>,
    /// What is asked of the directory that it stands for, where there is no such file.
    pub otherwise: Option<Box<Asked>>,
}

impl Action<'_> {
    /// The same with nothing lent.
    pub fn into_owned(self) -> Action<'static> {
        match self {
            Action::Reply(reply) => Action::Reply(reply.into_owned()),
            Action::Read(reading) => Action::Read(reading),
            Action::List(asked) => Action::List(asked),
            Action::Upload(intent) => Action::Upload(intent),
            Action::Delete(path, condition) => Action::Delete(path, condition),
            Action::Options(path) => Action::Options(path),
        }
    }
}

impl<'a> From<Reply<'a>> for Action<'a> {
    fn from(reply: Reply<'a>) -> Action<'a> {
        Action::Reply(reply)
    }
}

/// The resources that there are. Each lists its methods, as `Allow` does (RFC 9110 §10.2.1).
enum Resource<'a> {
    /// The page that says what this is.
    Root,
    /// The value, still encoded.
    Echo(&'a [u8]),
    UserAgent,
    /// What follows `/files/`, still encoded.
    File(&'a [u8]),
    /// `*`.
    Server,
}

/// RFC 9110 §12.5.5: a cache must not give one client's answer to another.
const BY_USER_AGENT: &[(&str, &str)] = &[("Vary", "User-Agent")];
pub(super) const ALLOW_READ: &[(&str, &str)] = &[("Allow", "GET, HEAD, OPTIONS")];
const ALLOW_ALL: &[(&str, &str)] = &[("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")];
/// RFC 5789 §3.1: any content can be appended, so its type is of no account.
const FILE_OPTIONS: &[(&str, &str)] =
    &[ALLOW_ALL[0], ("Accept-Ranges", "bytes"), ("Accept-Patch", media_type::UNKNOWN)];

/// The same of a file that can only be read.
pub(super) const READ_OPTIONS: &[(&str, &str)] = &[ALLOW_READ[0], ("Accept-Ranges", "bytes")];

/// Decides about `request` by its head alone; `now` is in seconds since 1970.
pub fn route<'a>(request: &Request<'a>, limits: &Limits, now: i64) -> Action<'a> {
    if request.expectation == Expectation::Unknown {
        return reply::refusal(
            Status::EXPECTATION_FAILED,
            "expectation",
            "only 100-continue can be expected",
        )
        .into();
    }
    // RFC 9110 §9.1: a method that is not implemented gets 501, whatever it is asked of.
    if matches!(request.method, Method::Connect | Method::Trace | Method::Other) {
        return reply::refusal(Status::NOT_IMPLEMENTED, "method-unknown", "the method is not implemented")
            .into();
    }
    let resource = match request.target {
        Target::Path(path) => find(path),
        Target::Server | Target::Authority => Some(Resource::Server),
        Target::Misdirected => {
            return reply::refusal(
                Status::MISDIRECTED_REQUEST,
                "misdirected",
                "https is not served on this connection",
            )
            .into();
        }
    };
    match resource {
        Some(resource) => act(request, resource, limits, now),
        None => reply::refusal(Status::NOT_FOUND, "no-resource", "there is no such resource").into(),
    }
}

/// The resource that a path names. Its first segment is compared decoded: RFC 3986 §2.3 has
/// `%66iles` and `files` name the same.
fn find(path: &[u8]) -> Option<Resource<'_>> {
    let path = path.strip_prefix(b"/")?;
    let length = path.iter().position(|byte| *byte == b'/');
    let (first, rest) = match length {
        Some(length) => (&path[..length], Some(&path[length + 1..])),
        None => (path, None),
    };
    named(first, rest).or_else(|| {
        // Seldom is a letter of it encoded: what is found as it stands is not searched for any.
        let mut decoded = Vec::new();
        first.contains(&b'%').then(|| percent_decode(first, &mut decoded).ok())??;
        named(&decoded, rest)
    })
}

/// The resource whose path has this first segment, and `rest` behind the slash that follows.
fn named<'a>(first: &[u8], rest: Option<&'a [u8]>) -> Option<Resource<'a>> {
    match (first, rest) {
        (b"", None) => Some(Resource::Root),
        (b"echo", Some(value)) => Some(Resource::Echo(value)),
        (b"user-agent", None) => Some(Resource::UserAgent),
        (b"files", Some(encoded)) => Some(Resource::File(encoded)),
        _ => None,
    }
}

/// The answer to `OPTIONS` where everything is allowed; with `path`, of a file.
pub fn options(path: Option<&FilePath>) -> Reply<'static> {
    reply::options(if path.is_some() { FILE_OPTIONS } else { ALLOW_ALL })
}

fn act<'a>(request: &Request<'a>, resource: Resource<'a>, limits: &Limits, now: i64) -> Action<'a> {
    match (request.method, resource) {
        (_, Resource::File(encoded)) => file(request, encoded, limits, now),
        (Method::Options, Resource::Server) => Action::Options(None),
        (Method::Options, _) => reply::options(ALLOW_READ).into(),
        (Method::Get | Method::Head, Resource::Root) => reply::page().into(),
        (Method::Get | Method::Head, Resource::Echo(value)) => echo(value),
        (Method::Get | Method::Head, Resource::UserAgent) => {
            let user_agent = Cow::Borrowed(request.user_agent.unwrap_or_default());
            Reply { fields: BY_USER_AGENT, ..reply::text("text/plain", user_agent) }.into()
        }
        _ => Reply {
            fields: ALLOW_READ,
            ..reply::refusal(
                Status::METHOD_NOT_ALLOWED,
                "method-not-allowed",
                "the resource does not have this method",
            )
        }
        .into(),
    }
}

fn echo(value: &[u8]) -> Action<'_> {
    let decoded = if value.contains(&b'%') {
        let mut decoded = Vec::with_capacity(value.len());
        if percent_decode(value, &mut decoded).is_err() {
            return reply::refusal(
                Status::BAD_REQUEST,
                "path-encoding",
                "a % without two hexadecimal digits",
            )
            .into();
        }
        Cow::Owned(decoded)
    } else {
        Cow::Borrowed(value)
    };
    reply::text(reply::TEXT, decoded).into()
}

fn file(request: &Request<'_>, encoded: &[u8], limits: &Limits, now: i64) -> Action<'static> {
    let path = match FilePath::parse(encoded) {
        Ok(path) => path,
        Err(error) => return reply::path_refused(error).into(),
    };
    // RFC 9110 §13.2.1: conditions are not for OPTIONS.
    if request.method == Method::Options {
        return Action::Options(Some(path));
    }
    let condition = match request.is_conditional().then(|| condition::read(request, now)).transpose() {
        Ok(condition) => condition.flatten(),
        Err(malformed) => return reply::refusal(Status::BAD_REQUEST, "condition", malformed.reason()).into(),
    };
    let upload = |path, mode, condition| Action::Upload(Intent { path, mode, condition });
    match request.method {
        // RFC 9110 §14.5: taken for the whole file, a part of it would destroy the rest.
        Method::Put if request.content_range => reply::refusal(
            Status::BAD_REQUEST,
            "partial-put",
            "PUT replaces whole files: Content-Range is refused",
        )
        .into(),
        // Fetch §2.2.1: the one of our changes that a browser sends for any page without asking us before.
        // What it put here could read and change everything, with the rights of who uses the browser.
        Method::Post if is_from_another_site(request) => {
            let reason = "a page of another site creates no files here";
            reply::refusal(Status::FORBIDDEN, "cross-site", reason).into()
        }
        Method::Post => upload(path, Mode::Create, condition),
        Method::Put => upload(path, Mode::Replace, condition),
        Method::Patch => upload(path, Mode::Append, condition),
        Method::Delete => Action::Delete(path, condition),
        _ if path.names_directory() && !bug("slash_names_a_file") => {
            directory(request, path, condition, limits)
        }
        _ => read(request, path, condition, None),
    }
}

fn read(
    request: &Request<'_>,
    path: FilePath,
    condition: Option<Box<Condition>>,
    otherwise: Option<Box<Asked>>,
) -> Action<'static> {
    let name = path.segments().next_back().unwrap_or_default();
    let media_type = media_type::of_name(name);
    // RFC 9110 §14.2: a range means something to GET only.
    let ranged = request.is_conditional() && request.method == Method::Get;
    let parts = if ranged { condition::read_parts(request) } else { None };
    Action::Read(Reading { path, condition, media_type, parts, otherwise })
}

/// Its index where it has one, else its listing.
fn directory(
    request: &Request<'_>,
    path: FilePath,
    condition: Option<Box<Condition>>,
    limits: &Limits,
) -> Action<'static> {
    let asked = match listing::read(request, path, condition.as_deref(), limits) {
        Ok(asked) => Box::new(asked),
        Err(malformed) => return reply::refusal(Status::BAD_REQUEST, "query", malformed.reason()).into(),
    };
    match asked.index(limits) {
        Some(index) => read(request, index, condition, Some(asked)),
        None => Action::List(asked),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::request::Framing;
    use crate::http::request_line::Version;

    fn check(method: Method, path: &str, expected: u16) {
        let request = Request {
            line: b"",
            method,
            target: Target::Path(path.as_bytes()),
            version: Version::Http11,
            framing: Framing::Length(0),
            persistent: true,
            expectation: Expectation::Nothing,
            user_agent: None,
            content_range: false,
            may_want_json: false,
            fields: b"",
            conditions: 0,
        };
        let code = match route(&request, &Limits::default(), 0) {
            Action::Reply(reply) => reply.status.code(),
            Action::Options(_) => 204,
            _ => 0,
        };
        assert_eq!(code, expected, "{method:?} {path}");
    }

    #[test]
    fn resources_are_found_by_their_first_segment() {
        for (path, expected) in [
            ("/", 200),
            ("/echo/", 200),
            ("/echo/a/b", 200),
            ("/%65cho/a", 200),
            ("/echo", 404),
            ("/echo/%4", 400),
            ("/user-agent", 200),
            ("/user-agent/", 404),
            ("/files/a", 0),
            ("/files/", 0),
            ("/files/a//b", 400),
            ("/files", 404),
            ("/Files/a", 404),
            ("//files/a", 404),
            ("/./files/a", 404),
            ("/%2Ffiles/a", 404),
            ("/%zz", 404),
        ] {
            check(Method::Get, path, expected);
        }
    }

    #[test]
    fn methods_belong_to_resources() {
        for method in [Method::Post, Method::Put, Method::Patch, Method::Delete] {
            check(method, "/", 405);
            check(method, "/echo/a", 405);
            check(method, "/user-agent", 405);
            check(method, "/nothing", 404);
            check(method, "/files/a", 0);
        }
        for method in [Method::Connect, Method::Trace, Method::Other] {
            check(method, "/files/a", 501);
            check(method, "/nothing", 501);
        }
        check(Method::Options, "/files/a", 204);
        check(Method::Options, "/files/..", 400);
        check(Method::Options, "/echo/a", 204);
        check(Method::Options, "/nothing", 404);
    }
}
