//! What the clients of a history share: the order of events, and the entity tags seen so far.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Of a tag that no file ever had.
pub(crate) const NEVER: u64 = 1_000_000;

/// The record of one history.
#[derive(Default)]
pub(crate) struct Record {
    clock: AtomicU64,
    tags: Mutex<Tags>,
    /// Numbers of contents.
    contents: AtomicU64,
    /// How many calls have been answered.
    pub(crate) answered: AtomicU64,
    /// Set before a crash begins, so that whatever breaks earlier is a defect.
    pub(crate) crashing: AtomicBool,
}

#[derive(Default)]
struct Tags {
    numbers: BTreeMap<String, u64>,
    texts: Vec<String>,
    /// What was seen last at a path: the tag, the length.
    last: BTreeMap<String, (Option<u64>, Option<u64>)>,
}

impl Record {
    /// The next position in the order of events.
    pub(crate) fn now(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// The number of content that differs from all other.
    pub(crate) fn content(&self) -> u32 {
        u32::try_from(self.contents.fetch_add(1, Ordering::SeqCst) + 1).unwrap()
    }

    /// The number of a tag that was seen at `path`, behind the answer that has it.
    pub(crate) fn number(&self, path: &str, tag: &str) -> u64 {
        let mut tags = self.tags.lock().unwrap();
        let next = tags.texts.len() as u64 + 1;
        let number = *tags.numbers.entry(tag.to_owned()).or_insert(next);
        if number == next {
            tags.texts.push(tag.to_owned());
        }
        tags.last.entry(path.to_owned()).or_default().0 = Some(number);
        number
    }

    /// A length that was seen at `path`.
    pub(crate) fn see_length(&self, path: &str, length: u64) {
        self.tags.lock().unwrap().last.entry(path.to_owned()).or_default().1 = Some(length);
    }

    /// The tag with this number; of another number one that no file has: no file system numbers its
    /// files from 0.
    pub(crate) fn text(&self, number: u64) -> String {
        let tags = self.tags.lock().unwrap();
        let text = usize::try_from(number - 1).ok().and_then(|index| tags.texts.get(index));
        text.cloned().unwrap_or(format!("\"0-0-{number:x}\""))
    }

    /// How many tags there are: their numbers are 1 to this.
    pub(crate) fn tags(&self) -> u64 {
        self.tags.lock().unwrap().texts.len() as u64
    }

    /// The tag and the length that anyone has seen last at `path`.
    pub(crate) fn last(&self, path: &str) -> (Option<u64>, Option<u64>) {
        self.tags.lock().unwrap().last.get(path).copied().unwrap_or_default()
    }
}
