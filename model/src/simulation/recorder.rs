//! What clients asked and what they were told: [`Recorder`], from which a history is made.

use std::collections::BTreeMap;

use http_server::api::entity_tag::Tag;
use http_server::store::version::Version;

use crate::alphabet::Request;
use crate::linearize::{Call, Outcome};
use crate::reference::{Answer, Method, Terms};
use crate::wire::WireAnswer;

/// All requests to files, in the order in which they were made.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    calls: Vec<Option<Call>>,
    /// Entity tags, each with its number: 1 for the first that was seen.
    tags: Vec<String>,
    numbers: BTreeMap<String, u64>,
    contents: u32,
    pub(super) statuses: BTreeMap<(Method, u16), u64>,
}

/// The number of an entity tag that no file ever had.
pub(super) const NO_TAG: u64 = u64::MAX;

impl Recorder {
    /// A number for content that is like no other.
    pub(super) fn next_content(&mut self) -> u32 {
        self.contents += 1;
        self.contents
    }

    pub(super) fn tag(&self, number: u64) -> String {
        let tag = usize::try_from(number).ok().and_then(|number| self.tags.get(number.checked_sub(1)?));
        tag.cloned().unwrap_or_else(|| "\"0-0-0\"".to_owned())
    }

    /// How many tags were seen.
    pub(super) fn tags(&self) -> u64 {
        self.tags.len() as u64
    }

    /// A request is made; the name of its record.
    pub(super) fn asked(&mut self, client: usize, request: Request, invoked: u64) -> usize {
        self.calls.push(Some(Call {
            client,
            request,
            invoked,
            outcome: Outcome::Unknown { until: u64::MAX },
        }));
        self.calls.len() - 1
    }

    /// It was never looked at, or was a read that failed: it had no effect.
    pub(super) fn had_no_effect(&mut self, record: usize) {
        self.calls[record] = None;
    }

    /// Whatever is not answered by now has had its effect, or will never have it.
    pub(super) fn all_is_over(&mut self, at: u64) {
        self.calls.iter_mut().flatten().for_each(|call| end_by(call, at));
    }

    /// It was answered; the number of the tag in the answer.
    ///
    /// # Errors
    /// Where that is no answer to such a request.
    pub(super) fn answered(
        &mut self,
        record: usize,
        answer: &WireAnswer,
        at: u64,
    ) -> Result<Option<u64>, String> {
        let Some(call) = &self.calls[record] else { return Ok(None) };
        let method = call.request.method;
        *self.statuses.entry((method, answer.status)).or_insert(0) += 1;
        let reads = matches!(method, Method::Get | Method::Head);
        let outcome = match answer.status {
            200 | 201 | 206 | 301 | 304 | 400 | 403 | 404 | 409 | 412 | 416 => {
                let lists = call.request.lists();
                Some(Outcome::Answered { at, answer: self.judged(method, lists, answer)? })
            }
            // Old or new, but from now on the one or the other.
            500 | 503 | 507 if !reads => Some(Outcome::Unknown { until: at }),
            408 | 500 | 503 | 507 => None,
            status => return Err(format!("{} is answered {status}", call.request)),
        };
        let tag = match &outcome {
            Some(Outcome::Answered { answer, .. }) => answer.version,
            _ => None,
        };
        match (outcome, &mut self.calls[record]) {
            (Some(outcome), Some(call)) => call.outcome = outcome,
            _ => self.calls[record] = None,
        }
        Ok(tag)
    }

    /// What was found behind a crash: nothing, a directory, or a file. No client knows its tag by that.
    pub(super) fn found(&self, path: &str, at: u64, found: Option<&Option<(Version, Vec<u8>)>>) -> Call {
        let request =
            Request { method: Method::Get, path: path.to_owned(), content: None, terms: Terms::default() };
        let answer = match found {
            None => Answer { status: 404, read: None, version: None, length: None },
            Some(None) => Answer { status: 301, read: None, version: None, length: None },
            Some(Some((version, content))) => {
                let tag = String::from_utf8_lossy(Tag::of(version).as_bytes()).into_owned();
                // A file has one that was not seen so far, and no two files have the same.
                let unseen = NO_TAG / 2 + at;
                let version = Some(self.numbers.get(&tag).copied().unwrap_or(unseen));
                Answer { status: 200, read: Some(content.clone()), version, length: None }
            }
        };
        let outcome = Outcome::Answered { at: at + 1, answer };
        Call { client: usize::MAX, request, invoked: at, outcome }
    }

    fn number(&mut self, tag: String) -> u64 {
        let tags = &mut self.tags;
        *self.numbers.entry(tag).or_insert_with_key(|tag| {
            tags.push(tag.clone());
            tags.len() as u64
        })
    }

    fn judged(&mut self, method: Method, lists: bool, answer: &WireAnswer) -> Result<Answer, String> {
        let number = |text: &str| text.parse::<u64>().map_err(|_| format!("the number {text:?}"));
        let read = match (method, answer.status) {
            // What it shows is not of one moment, but that the directory was there is.
            _ if lists => None,
            (Method::Get, 200 | 206) => Some(answer.content.clone()),
            // Its length is all that there is to see of it.
            (Method::Head, 200) => Some(vec![0; number(answer.field("content-length"))? as usize]),
            _ => None,
        };
        let length = match (answer.field("content-range").split_once('/'), answer.field("upload-offset")) {
            (Some((_, length)), _) => Some(number(length)?),
            (None, "") => None,
            (None, length) => Some(number(length)?),
        };
        let version = answer.fields.get("etag").map(|tag| self.number(tag.clone()));
        Ok(Answer { status: answer.status, read, version, length })
    }

    /// The history.
    pub(super) fn calls(&self) -> Vec<Call> {
        self.calls.iter().flatten().cloned().collect()
    }

    /// The history where the server dies now.
    pub(super) fn calls_until(&self, at: u64) -> Vec<Call> {
        let mut calls = self.calls();
        calls.iter_mut().for_each(|call| end_by(call, at));
        calls
    }
}

fn end_by(call: &mut Call, at: u64) {
    if let Outcome::Unknown { until } = &mut call.outcome {
        *until = at.min(*until);
    }
}
