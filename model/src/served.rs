//! Requests over a wire, held against the reference: [`serve`].
//!
//! The wire may be a connection without a socket, or a socket to the binary. Tags stand for
//! versions: a request is sent once the tags that it names are known, and until then all that can
//! be are sent together.

use std::iter::Cycle;
use std::slice::Iter;

use crate::alphabet::Request;
use crate::driven::Known;
use crate::listed;
use crate::pump::{Files, Pump};
use crate::reference::{Answer, Method, Reference};
use crate::wire::{WireAnswer, read_answers};

/// A client's end of a connection that stays.
pub trait Wire {
    /// Sends requests, and reads their answers; `head_only` says of each whether it is a `HEAD`.
    ///
    /// # Errors
    /// What a strict client would not take.
    fn exchange(&mut self, requests: &[u8], head_only: &[bool]) -> Result<Vec<WireAnswer>, String>;
}

/// A connection without a socket, to which bytes come in parts of these sizes.
pub struct Pumped<'a, F> {
    pump: Pump<F>,
    cuts: Cycle<Iter<'a, usize>>,
}

impl<'a, F: Files> Pumped<'a, F> {
    /// The connection of `pump`.
    pub fn new(pump: Pump<F>, cuts: &'a [usize]) -> Pumped<'a, F> {
        Pumped { pump, cuts: cuts.iter().cycle() }
    }
}

impl<F: Files> Wire for Pumped<'_, F> {
    fn exchange(&mut self, requests: &[u8], head_only: &[bool]) -> Result<Vec<WireAnswer>, String> {
        let sent = self.pump.output().len();
        let mut rest = requests;
        while !rest.is_empty() {
            let part = self.cuts.next().map_or(1, |part| *part.max(&1));
            let (part, behind) = rest.split_at(part.min(rest.len()));
            self.pump.send(part);
            rest = behind;
        }
        if self.pump.end().is_some() {
            return Err("nothing here ends the connection".to_owned());
        }
        read_answers(&self.pump.output()[sent..], head_only)
    }
}

/// Sends all requests, from an empty tree on. The reference, as it is behind them.
///
/// # Errors
/// The first answer that is not the reference's.
pub fn serve(wire: &mut impl Wire, requests: &[Request]) -> Result<Reference, String> {
    let mut reference = Reference::default();
    let mut known = Known::<String>::default();
    let mut begin = 0;
    while begin < requests.len() {
        // As many at once as need no tag that is not known yet.
        let needs_none = |request: &&Request| request.terms.versions().is_empty();
        let more = requests[begin + 1..].iter().take_while(needs_none).count();
        let batch = &requests[begin..=begin + more];
        let tag = |number| known.name(number).cloned().unwrap_or(format!("\"0-0-{number:x}\""));
        let stream = batch.iter().map(|request| request.on_the_wire(tag)).collect::<Vec<_>>().concat();
        let head_only: Vec<bool> = batch.iter().map(|request| request.method == Method::Head).collect();
        let answers = wire.exchange(&stream, &head_only)?;
        if answers.len() != batch.len() {
            return Err(format!("{} answers to {} requests", answers.len(), batch.len()));
        }
        for (request, answer) in batch.iter().zip(answers) {
            let expected = reference.answer(request);
            compare(request, &expected, answer, &reference, &mut known)
                .map_err(|error| format!("{request}: {error}"))?;
        }
        begin += batch.len();
    }
    Ok(reference)
}

/// Whether an answer says what the reference says.
fn compare(
    request: &Request,
    expected: &Answer,
    answer: WireAnswer,
    reference: &Reference,
    known: &mut Known<String>,
) -> Result<(), String> {
    let number = |text: &str| text.parse::<u64>().map_err(|_| format!("{text:?} is no number"));
    let tag = answer.fields.get("etag").cloned();
    if tag.is_some() != answer.fields.contains_key("last-modified") {
        return Err(format!("a tag without a time, or a time without a tag: {answer:?}"));
    }
    let content_range = answer.field("content-range").split_once('/');
    let length = content_range
        .map(|(_, length)| number(length))
        .or(answer.fields.get("upload-offset").map(|length| number(length)))
        .transpose()?;
    let status = answer.status;
    if (status, length) != (expected.status, expected.length) {
        return Err(format!("{status} and {length:?} where {expected:?} was due"));
    }
    if status == 301 && answer.field("location") != format!("/files/{}/", request.path) {
        // Each byte that need not be encoded is not, in the paths that are asked for.
        return Err(format!("{answer:?} leads elsewhere"));
    }
    if request.lists() && status == 200 {
        return match request.method {
            Method::Get => listed::check_wire(&answer, reference, known, &request.path),
            // The length is all that there is to see of it.
            _ => number(answer.field("content-length")).map(drop),
        };
    }
    let read = expected.read.as_deref();
    match (request.method, status) {
        (Method::Get, 200 | 206) if read != Some(&answer.content) => {
            return Err(format!("{} where {expected:?} was due", answer.content.escape_ascii()));
        }
        // The length is all that there is to see of it.
        (Method::Head, 200)
            if Some(number(answer.field("content-length"))?) != read.map(|read| read.len() as u64) =>
        {
            return Err(format!("{answer:?} where {expected:?} was due"));
        }
        _ => {}
    }
    known.learn(expected.version, tag)
}
