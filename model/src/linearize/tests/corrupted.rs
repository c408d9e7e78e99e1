//! Histories falsified so that no order can explain them. All contents differ, and at last each
//! path was read with nobody beside.

use super::super::{Call, Outcome};
use super::generated::{NEVER, Random};
use crate::alphabet::{Content, Request};
use crate::reference::{Answer, Method, Terms, Versions};

/// A way to falsify.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    ReadFromNowhere,
    WriteForgotten,
    TagOfTwo,
    ReadBeforeWritten,
    UpdateLost,
    FileGone,
    CreatedTwice,
    AnswersSwapped,
    RefusedWithoutCondition,
    PartTooShort,
    WrongLength,
    ConditionIgnored,
    ChangeMissed,
    DirectoryRemoved,
    AppendLost,
    TagChanged,
}

pub(super) const KINDS: [Kind; 16] = [
    Kind::ReadFromNowhere,
    Kind::WriteForgotten,
    Kind::TagOfTwo,
    Kind::ReadBeforeWritten,
    Kind::UpdateLost,
    Kind::FileGone,
    Kind::CreatedTwice,
    Kind::AnswersSwapped,
    Kind::RefusedWithoutCondition,
    Kind::PartTooShort,
    Kind::WrongLength,
    Kind::ConditionIgnored,
    Kind::ChangeMissed,
    Kind::DirectoryRemoved,
    Kind::AppendLost,
    Kind::TagChanged,
];

const PLAIN: Terms = Terms {
    if_match: None,
    if_none_match: None,
    if_unmodified_since: None,
    if_modified_since: None,
    upload_offset: None,
    range: None,
    if_range: None,
};
const OTHER: Content = Content { number: 999_999, length: 9 };
const OTHER_TAG: u64 = 500_000;

/// Falsifies a history; false where it has nothing that can be falsified so.
pub(super) fn corrupt(history: &mut Vec<Call>, kind: Kind, random: &mut Random) -> bool {
    falsify(history, kind, random).is_some()
}

fn falsify(history: &mut Vec<Call>, kind: Kind, random: &mut Random) -> Option<()> {
    match kind {
        Kind::ReadFromNowhere => {
            let number = any(history, random, |call| has_read(call, Method::Get))?;
            answer(history, number).read.as_mut()?[0] = b'!';
        }
        Kind::WriteForgotten => {
            let (write, _) = written_and_read(history, random)?;
            history.remove(write);
        }
        Kind::TagOfTwo => {
            let one = any(history, random, makes_version)?;
            let other = any(history, random, makes_version).filter(|other| *other != one)?;
            answer(history, one).version = answer(history, other).version;
        }
        Kind::ReadBeforeWritten => {
            let (write, read) = written_and_read(history, random)?;
            let begin = history[write].invoked;
            history[read].invoked = begin - 2;
            set_end(&mut history[read], begin - 1);
        }
        Kind::UpdateLost => {
            let file = last_file(history, random)?;
            let there = answer(history, file).clone();
            ask(history, file, Method::Put, PLAIN, written(200));
            ask(history, file, Method::Get, PLAIN, there);
        }
        Kind::FileGone => {
            let file = last_file(history, random)?;
            ask(history, file, Method::Get, PLAIN, bare(404));
        }
        Kind::CreatedTwice => {
            let file = last_file(history, random)?;
            ask(history, file, Method::Post, PLAIN, written(201));
        }
        Kind::AnswersSwapped => {
            let (one, other) = (last_file(history, random)?, last_file(history, random)?);
            let (first, second) = (answer(history, one).clone(), answer(history, other).clone());
            (history[one].request.path != history[other].request.path).then_some(())?;
            *answer(history, one) = second;
            *answer(history, other) = first;
        }
        Kind::RefusedWithoutCondition => {
            let number = any(history, random, |call| call.request.terms == PLAIN && call.is_answered())?;
            *answer(history, number) = bare(412);
        }
        Kind::PartTooShort => {
            let number = any(history, random, |call| status(call) == Some(206))?;
            answer(history, number).read.as_mut()?.pop()?;
        }
        Kind::WrongLength => {
            let number = any(history, random, |call| length(call).is_some())?;
            *answer(history, number).length.as_mut()? += 100_000;
        }
        Kind::ConditionIgnored => {
            let file = last_file(history, random)?;
            let terms = Terms { if_match: Some(Versions::Of(vec![NEVER])), ..PLAIN };
            ask(history, file, Method::Put, terms, written(200));
        }
        Kind::ChangeMissed => {
            let file = last_file(history, random)?;
            let terms = Terms { if_none_match: Some(Versions::Of(vec![NEVER])), ..PLAIN };
            let version = answer(history, file).version;
            ask(history, file, Method::Get, terms, Answer { version, ..bare(304) });
        }
        Kind::DirectoryRemoved => {
            let file = last_file(history, random)?;
            let (parent, _) = history[file].request.path.rsplit_once('/')?;
            let parent = parent.to_owned();
            let call = ask(history, file, Method::Delete, PLAIN, bare(200));
            call.request.path = parent;
        }
        Kind::AppendLost => {
            let file = last_file(history, random)?;
            let there = answer(history, file).clone();
            ask(history, file, Method::Patch, PLAIN, written(200));
            ask(history, file, Method::Get, PLAIN, Answer { version: Some(OTHER_TAG), ..there });
        }
        Kind::TagChanged => {
            let file = last_file(history, random)?;
            let there = answer(history, file).clone();
            ask(history, file, Method::Get, PLAIN, Answer { version: Some(OTHER_TAG), ..there });
        }
    }
    Some(())
}

/// A request for the file of another one, behind all that there is.
fn ask(history: &mut Vec<Call>, file: usize, method: Method, terms: Terms, answer: Answer) -> &mut Call {
    let path = history[file].request.path.clone();
    let content = method.has_content().then_some(OTHER);
    let begin = history.iter().map(Call::end).max().unwrap_or(0) + 4;
    let outcome = Outcome::Answered { at: begin + 4, answer };
    let request = Request { method, path, content, terms };
    history.push(Call { client: 0, request, invoked: begin, outcome });
    history.last_mut().unwrap()
}

fn bare(status: u16) -> Answer {
    Answer { status, read: None, version: None, length: None }
}

fn written(status: u16) -> Answer {
    Answer { version: Some(OTHER_TAG), ..bare(status) }
}

fn answer(history: &mut [Call], number: usize) -> &mut Answer {
    let Outcome::Answered { answer, .. } = &mut history[number].outcome else { panic!("not answered") };
    answer
}

fn set_end(call: &mut Call, end: u64) {
    let (Outcome::Answered { at, .. } | Outcome::Unknown { until: at }) = &mut call.outcome;
    *at = end;
}

fn any(history: &[Call], random: &mut Random, wanted: impl Fn(&Call) -> bool) -> Option<usize> {
    let found: Vec<usize> = (0..history.len()).filter(|number| wanted(&history[*number])).collect();
    (!found.is_empty()).then(|| random.pick(&found))
}

fn status(call: &Call) -> Option<u16> {
    match &call.outcome {
        Outcome::Answered { answer, .. } => Some(answer.status),
        Outcome::Unknown { .. } => None,
    }
}

fn length(call: &Call) -> Option<u64> {
    match &call.outcome {
        Outcome::Answered { answer, .. } => answer.length,
        Outcome::Unknown { .. } => None,
    }
}

/// Whether it has read something.
fn has_read(call: &Call, method: Method) -> bool {
    match &call.outcome {
        Outcome::Answered { answer, .. } if call.request.method == method => {
            answer.read.as_ref().is_some_and(|read| !read.is_empty())
        }
        _ => false,
    }
}

/// Whether it has made a version with content of its own.
fn makes_version(call: &Call) -> bool {
    let content = call.request.content.is_some_and(|content| content.length > 0);
    content && matches!(status(call), Some(200 | 201))
}

/// A write, and one that has read all of what it wrote.
fn written_and_read(history: &[Call], random: &mut Random) -> Option<(usize, usize)> {
    let whole = |call: &Call| has_read(call, Method::Get) && status(call) == Some(200);
    let read = any(history, random, whole)?;
    let wrote = |call: &Call| makes_version(call) && call.tag() == history[read].tag();
    Some((any(history, random, wrote)?, read))
}

/// One of the last reads that found something.
fn last_file(history: &[Call], random: &mut Random) -> Option<usize> {
    let begin = history.len().saturating_sub(super::generated::PATHS.len());
    let found = any(&history[begin..], random, |call| {
        has_read(call, Method::Get) && status(call) == Some(200) && call.request.terms == PLAIN
    });
    found.map(|number| begin + number)
}
