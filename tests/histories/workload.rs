//! What the clients of a history ask for.

use model::alphabet::{Content, Request};
use model::reference::{Date, Method, Terms, Versions};

use super::random::Random;
use super::record::{NEVER, Record};

/// Names that collide: files, directories of the same name, what is below them.
pub(crate) const PATHS: [&str; 8] = ["a", "a/b", "a/c", "a/", "b", "b/c", "b/c/d", "c"];

/// Names that are asked for by all clients of one history.
pub(crate) struct Workload {
    paths: Vec<&'static str>,
    /// Of 40 contents, how many are longer than what a connection gathers in memory.
    long: u64,
}

impl Workload {
    pub(crate) fn new(random: &mut Random, long: u64) -> Workload {
        let some = |count: u64, random: &mut Random| {
            (0..count).map(|_| PATHS[random.in_range(0..PATHS.len() as u64) as usize]).collect()
        };
        let paths = match random.in_range(0..4) {
            0 => vec!["a"],
            1 => vec!["a", "a/b"],
            2 => some(3, random),
            _ => some(8, random),
        };
        Workload { paths, long }
    }

    /// One request; what it carries is `short` where another one comes right behind it.
    pub(crate) fn request(&self, random: &mut Random, record: &Record, short: bool) -> Request {
        let path = self.paths[random.in_range(0..self.paths.len() as u64) as usize];
        let method = match random.in_range(0..100) {
            0..22 => Method::Get,
            22..30 => Method::Head,
            30..42 => Method::Post,
            42..62 => Method::Put,
            62..82 => Method::Patch,
            _ => Method::Delete,
        };
        let length = match random.in_range(0..40) {
            kind if kind < self.long && !short => random.in_range(257 << 10..400 << 10),
            // More than goes out with a head.
            38.. if !short => random.in_range(64 << 10..100 << 10),
            37 => 0,
            // Often the same, so that the length does not tell two versions apart.
            22.. => 8,
            _ => random.in_range(1..50),
        };
        let content = Content { number: 0, length: length as usize };
        let content = method.has_content().then(|| Content { number: record.content(), ..content });
        Request { method, path: path.to_owned(), content, terms: terms(random, record, method, path) }
    }
}

fn terms(random: &mut Random, record: &Record, method: Method, path: &str) -> Terms {
    let none = Terms::default();
    let (tag, length) = record.last(path);
    // Mostly what is there, as far as anyone knows; else what was, or is elsewhere, or never was.
    let any = random.in_range(0..record.tags() + 1);
    let any = if any == 0 { NEVER + random.in_range(0..9) } else { any };
    let tag = tag.filter(|_| random.in_range(0..4) > 0).unwrap_or(any);
    let versions = match random.in_range(0..6) {
        0 => Versions::Any,
        1 => Versions::Of(vec![any, tag]),
        _ => Versions::Of(vec![tag]),
    };
    let reads = matches!(method, Method::Get | Method::Head);
    match random.in_range(0..20) {
        0..4 => Terms { if_match: Some(versions), ..none },
        4..6 => Terms { if_none_match: Some(versions), ..none },
        6..8 if !reads => Terms { if_none_match: Some(Versions::Any), ..none },
        8..12 if method == Method::Patch => Terms { upload_offset: Some(length.unwrap_or(0)), ..none },
        6..12 if method == Method::Get => {
            let mut end = || Some(random.in_range(0..60)).filter(|end| *end < 50);
            let (first, last) = (end(), end());
            // A range has an end.
            let range = Some((first.or(Some(0)).filter(|_| first.is_some() || last.is_none()), last));
            Terms { range, if_range: Some(tag).filter(|tag| tag % 3 == 0), ..none }
        }
        12 => {
            let date = if random.in_range(0..2) == 0 { Date::Past } else { Date::Future };
            match reads {
                true => Terms { if_modified_since: Some(date), ..none },
                false => Terms { if_unmodified_since: Some(date), ..none },
            }
        }
        _ => none,
    }
}
