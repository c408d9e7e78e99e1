//! Histories as text, for whoever has to find out what went wrong.

use std::collections::BTreeSet;

use super::search::{How, Longest, counted};
use super::state::{Asked, State};
use super::{Call, Outcome};
use crate::reference::{Answer, Method};

/// How many bytes of content are shown.
const SHOWN_BYTES: usize = 24;

/// Why no order was found: the history, the longest order, and what cannot follow it.
pub(super) fn tell(part: &[&Call], longest: &Longest) -> String {
    let calls = counted(part);
    let mut story = format!("no order of these calls gives these answers:\n{}", history(part));
    let answered = calls.iter().filter(|call| call.is_answered()).count();
    story.push_str(&format!("the longest order has {} of {answered} answered calls:\n", longest.answered));
    for (number, how) in &longest.calls {
        let how = match how {
            How::Answered => String::new(),
            How::Unheard => "takes effect unheard: ".to_owned(),
            How::Parents(count) => format!("makes {count} parents and no more: "),
        };
        story.push_str(&format!("  {how}{}\n", line(calls[*number])));
    }
    story.push_str("behind it the tree is\n");
    story.push_str(&longest.state.as_ref().map_or(String::new(), |state| state.tree()));
    story.push_str("and what has to follow would be answered otherwise, or leads nowhere:\n");
    let taken: BTreeSet<usize> = longest.calls.iter().map(|(number, _)| *number).collect();
    let left =
        calls.iter().enumerate().filter(|(number, call)| !taken.contains(number) && call.is_answered());
    let left: Vec<&Call> = left.map(|(_, call)| *call).collect();
    let bound = left.iter().map(|call| call.end()).min().unwrap_or(0);
    for call in left.iter().filter(|call| call.invoked < bound) {
        story.push_str(&format!("  {}; by the tree: {}\n", line(call), by_the_tree(call, longest)));
    }
    story
}

fn by_the_tree(call: &Call, longest: &Longest) -> String {
    let expected = |state: &std::rc::Rc<State>| {
        let content = call.request.content_bytes();
        answer(&state.expected(Asked { request: &call.request, content: &content }), call.request.method)
    };
    longest.state.as_ref().map_or("as of an empty one".to_owned(), expected)
}

/// All calls, a line each, as they began.
pub(super) fn history(calls: &[&Call]) -> String {
    let mut calls = calls.to_vec();
    calls.sort_by_key(|call| call.invoked);
    calls.iter().map(|call| format!("  {}\n", line(call))).collect()
}

fn line(call: &Call) -> String {
    let Call { client, request, invoked, outcome } = call;
    match outcome {
        Outcome::Answered { at, answer } => {
            let answer = self::answer(answer, request.method);
            format!("{invoked:4} -{at:4} client {client}: {request} -> {answer}")
        }
        Outcome::Unknown { until } => format!("{invoked:4} ?{until:4} client {client}: {request} -> unknown"),
    }
}

fn answer(answer: &Answer, method: Method) -> String {
    let mut text = answer.status.to_string();
    match &answer.read {
        Some(read) if method == Method::Head => text.push_str(&format!(" {} bytes", read.len())),
        Some(read) => text.push_str(&format!(" {}", content(read))),
        None => {}
    }
    match answer.version {
        Some(0) => text.push_str(" with a tag of its own"),
        Some(tag) => text.push_str(&format!(" tag {tag}")),
        None => {}
    }
    if let Some(length) = answer.length {
        text.push_str(&format!(" of {length}"));
    }
    text
}

/// Content by its length and its beginning.
pub(super) fn content(bytes: &[u8]) -> String {
    let shown = &bytes[..bytes.len().min(SHOWN_BYTES)];
    let more = if bytes.len() > SHOWN_BYTES { ".." } else { "" };
    format!("{} bytes \"{}\"{more}", bytes.len(), shown.escape_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_told_as_they_began() {
        let answer = |status, read: Option<&[u8]>| Answer {
            status,
            read: read.map(<[u8]>::to_vec),
            version: Some(7),
            length: None,
        };
        let call = |client, request: &str, invoked, outcome| Call {
            client,
            request: request.parse().unwrap(),
            invoked,
            outcome,
        };
        let get = call(1, "GET a", 3, Outcome::Answered { at: 5, answer: answer(200, Some(b"abc")) });
        let head = call(2, "HEAD a", 2, Outcome::Answered { at: 4, answer: answer(200, Some(b"abc")) });
        let lost = call(3, "DELETE a", 1, Outcome::Unknown { until: 9 });
        assert_eq!(
            history(&[&get, &head, &lost]),
            "     1 ?   9 client 3: DELETE a -> unknown\n\
             \x20    2 -   4 client 2: HEAD a -> 200 3 bytes tag 7\n\
             \x20    3 -   5 client 1: GET a -> 200 3 bytes \"abc\" tag 7\n"
        );
    }

    #[test]
    fn long_content_is_told_by_its_beginning() {
        assert_eq!(content(&[b'a'; SHOWN_BYTES]), format!("24 bytes \"{}\"", "a".repeat(24)));
        assert_eq!(content(&[b'a'; SHOWN_BYTES + 1]), format!("25 bytes \"{}\"..", "a".repeat(24)));
    }
}
