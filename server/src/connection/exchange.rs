//! One request and its answer: what has to be remembered of the one to write the other.

use super::{Answered, Output, RequestId, Words};
use crate::api::entity_tag::Tag;
use crate::api::problem;
use crate::api::reply::{About, Reply};
use crate::clock::{Instant, Now};
use crate::http::date::HttpDate;
use crate::http::rejection::Rejection;
use crate::http::request::Request;
use crate::http::request_line::{self, Method};
use crate::http::response::{ContentRange, Persistence, ResponseHead};
use crate::http::status::Status;
use crate::seeded::bug;
use crate::store::version::Version;

/// What is remembered of a request until it is answered.
#[derive(Debug)]
pub(super) struct Exchange {
    /// The answer has no content: RFC 9110 §9.3.2.
    head_only: bool,
    /// The peer does not know that connections stay.
    http10: bool,
    /// The peer wants to keep the connection.
    pub(super) persistent: bool,
    begun: Instant,
    /// Nothing where no request was understood.
    method: Option<Method>,
    words: Words,
    id: RequestId,
    /// Errors are documents for programs.
    problem: bool,
    /// Why it is refused before anybody asks what it wants, if so.
    pub(super) rejection: Option<Rejection>,
}

impl Exchange {
    /// Of a request that was understood.
    pub(super) fn new(request: &Request<'_>, begun: Instant, output: &mut Output) -> Exchange {
        Exchange {
            head_only: request.method == Method::Head,
            http10: request.version == request_line::Version::Http10,
            persistent: request.persistent,
            begun,
            method: Some(request.method),
            words: Words::of(request, output.recorded),
            id: output.ids.as_mut().map(|ids| ids.name(Some(request))).unwrap_or_default(),
            problem: problem::is_asked_for(request),
            rejection: None,
        }
    }

    /// Of a request that was not: `received` is what there is of it.
    pub(super) fn malformed(received: &[u8], begun: Instant, output: &mut Output) -> Exchange {
        let received = received.strip_prefix(b"\r\n").unwrap_or(received);
        let line_length =
            received.iter().position(|byte| !matches!(byte, b' '..=b'~')).unwrap_or(received.len());
        let line = &received[..line_length];
        Exchange {
            head_only: line.starts_with(b"HEAD "),
            http10: false,
            persistent: false,
            begun,
            method: None,
            words: Words::of_line(line, output.recorded),
            id: output.ids.as_mut().map(|ids| ids.name(None)).unwrap_or_default(),
            problem: false,
            rejection: None,
        }
    }

    /// The method is one that has no content in its answer.
    pub(super) fn is_head_only(&self) -> bool {
        self.head_only
    }

    /// Writes a whole answer; with `keep` the connection stays.
    pub(super) fn reply(self, reply: &Reply<'_>, keep: bool, now: &Now, output: &mut Output) {
        if self.problem && !reply.code.is_empty() {
            let (media_type, content) = problem::document(reply);
            let (media_type, content) = (Some(media_type), content.into());
            self.write(&Reply { media_type, content, ..reply.clone() }, &[problem::FIELD], keep, now, output);
        } else {
            self.write(reply, &[], keep, now, output);
        }
    }

    /// With `more` fields.
    fn write(self, reply: &Reply<'_>, more: &[(&str, &str)], keep: bool, now: &Now, output: &mut Output) {
        let length = reply.content.len() as u64;
        let (mut version, mut content_range, mut fields) = (None, None, reply.fields);
        let (own, all, mut number);
        match &reply.about {
            About::Nothing => {}
            About::Version(of) => version = Some(*of),
            About::Part(part) => content_range = Some(part),
            about @ (About::Length(_) | About::Methods { .. } | About::RetryAfter(_)) => {
                number = String::new();
                own = about.fields(&mut number);
                fields = &own;
            }
        }
        if !more.is_empty() {
            all = [fields, more].concat();
            fields = &all;
        }
        let content = reply.media_type.map(|media_type| (media_type, length));
        let head = FileHead { status: reply.status, content, version, content_range, fields };
        self.write_head(&head, reply.location.as_deref(), keep, now, output);
        if !self.head_only || bug("head_has_content") {
            output.bytes.extend_from_slice(&reply.content);
        }
        self.record(reply.status, length, output);
    }

    /// Writes the head of an answer whose content is to follow.
    pub(super) fn file(&self, head: &FileHead<'_>, keep: bool, now: &Now, output: &mut Output) {
        self.write_head(head, None, keep, now, output);
    }

    #[inline(always)]
    fn write_head(
        &self,
        head: &FileHead<'_>,
        location: Option<&[u8]>,
        keep: bool,
        now: &Now,
        output: &mut Output,
    ) {
        let validators = head.version.map(|version| {
            // RFC 9110 §8.8.2.1: never later than this answer.
            let modified = version.modified_seconds().min(now.unix_seconds);
            let modified = HttpDate::from_unix_seconds(u64::try_from(modified).unwrap_or(0));
            (Tag::of(&version), modified)
        });
        let mut id = Vec::new();
        self.id.write(&mut id);
        ResponseHead {
            status: head.status,
            date: &now.date,
            content: head.content,
            fields: head.fields,
            location,
            validators: validators.as_ref().map(|(tag, modified)| (tag.as_bytes(), modified)),
            content_range: head.content_range,
            request_id: (!id.is_empty()).then_some(id.as_slice()),
            persistence: self.persistence(keep),
        }
        .write(&mut output.bytes);
    }

    /// Notes the answer for the access log and the figures.
    pub(super) fn record(self, status: Status, content_bytes: u64, output: &mut Output) {
        if let Some(answered) = &mut output.answered {
            answered.push(Answered {
                method: self.method,
                id: self.id,
                words: self.words,
                rejection: self.rejection,
                status,
                content_bytes: if self.head_only { 0 } else { content_bytes },
                begun: self.begun,
            });
        }
    }

    fn persistence(&self, keep: bool) -> Persistence {
        match keep {
            false => Persistence::Close,
            true if self.http10 => Persistence::KeepAlive,
            true => Persistence::Implied,
        }
    }
}

/// What the head of an answer says about a file.
#[derive(Debug)]
pub(super) struct FileHead<'a> {
    pub(super) status: Status,
    /// Media type and bytes of the content.
    pub(super) content: Option<(&'a str, u64)>,
    pub(super) version: Option<Version>,
    pub(super) content_range: Option<&'a ContentRange>,
    pub(super) fields: &'a [(&'a str, &'a str)],
}
