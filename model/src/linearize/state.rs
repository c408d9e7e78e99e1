//! What an order of calls has come to: a reference, and the tags of its files.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use crate::alphabet::Request;
use crate::reference::{Answer, Method, Node, Reference, Terms, Versions};

/// A state. Equal ones have the same number, whatever numbers their versions have.
pub(super) struct State {
    /// A read asks it as a change does, and leaves it as it is.
    reference: RefCell<Reference>,
    /// The files that are there, by version.
    files: BTreeMap<u64, File>,
    pub(super) number: u32,
}

#[derive(Clone, Copy)]
struct File {
    /// By what its content came about: one number for one way, so that long content is not compared.
    origin: u32,
    /// Nothing while no answer has told it.
    tag: Option<u64>,
}

/// Numbers for states, and for the ways in which content comes about.
#[derive(Default)]
pub(super) struct Numbers {
    states: HashMap<Vec<u8>, u32>,
    /// What it was appended to, and what was written.
    origins: HashMap<(Option<u32>, u32, usize), u32>,
}

/// A request with its bytes at hand.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) request: &'a Request,
    pub(super) content: &'a [u8],
}

impl Asked<'_> {
    fn reads(&self) -> bool {
        matches!(self.request.method, Method::Get | Method::Head)
    }

    fn of(&self, reference: &mut Reference, terms: &Terms) -> Answer {
        reference.request(self.request.method, &self.request.path, self.content, terms)
    }
}

impl State {
    pub(super) fn new(numbers: &mut Numbers) -> Rc<State> {
        State::of(Reference::default(), BTreeMap::new(), numbers)
    }

    fn of(reference: Reference, files: BTreeMap<u64, File>, numbers: &mut Numbers) -> Rc<State> {
        let number = numbers.state(&reference, &files);
        Rc::new(State { reference: RefCell::new(reference), files, number })
    }

    /// What the reference would answer, with tags for versions where they have one.
    pub(super) fn expected(&self, asked: Asked<'_>) -> Answer {
        let answer = asked.of(&mut self.reference.borrow().clone(), &self.terms(asked.request));
        let tag = |version| self.files.get(&version).and_then(|file| file.tag).unwrap_or(0);
        Answer { version: answer.version.map(tag), ..answer }
    }

    /// The state behind a request that was answered so; itself where nothing has changed; nothing where
    /// the answer would be another. `bound` says of a tag whether a version has it, or had it.
    pub(super) fn answered(
        self: &Rc<State>,
        asked: Asked<'_>,
        answer: &Answer,
        bound: impl Fn(u64) -> bool,
        numbers: &mut Numbers,
    ) -> Option<Rc<State>> {
        let terms = self.terms(asked.request);
        let (given, changed) = if asked.reads() {
            (asked.of(&mut self.reference.borrow_mut(), &terms), None)
        } else {
            let mut reference = self.reference.borrow().clone();
            let given = asked.of(&mut reference, &terms);
            // What is refused changes nothing.
            (given.clone(), Some(reference).filter(|_| given.status < 300))
        };
        if !agrees(asked.request.method, &given, answer) {
            return None;
        }
        let files = match &changed {
            Some(reference) => self.files_in(reference, asked.request, numbers),
            None => self.files.clone(),
        };
        let (Some(version), Some(tag)) = (given.version, answer.version) else {
            return Some(changed.map_or(Rc::clone(self), |changed| State::of(changed, files, numbers)));
        };
        let mut files = files;
        let file = files.get_mut(&version)?;
        match file.tag {
            Some(known) if known != tag => return None,
            Some(_) if changed.is_none() => return Some(Rc::clone(self)),
            Some(_) => {}
            None if bound(tag) => return None,
            None => file.tag = Some(tag),
        }
        let reference = changed.unwrap_or_else(|| self.reference.borrow().clone());
        Some(State::of(reference, files, numbers))
    }

    /// The state behind a request that took effect unheard; nothing where nothing has changed.
    pub(super) fn unheard(&self, asked: Asked<'_>, numbers: &mut Numbers) -> Option<Rc<State>> {
        let mut reference = self.reference.borrow().clone();
        if asked.of(&mut reference, &self.terms(asked.request)).status >= 300 {
            return None;
        }
        let files = self.files_in(&reference, asked.request, numbers);
        Some(State::of(reference, files, numbers)).filter(|next| next.number != self.number)
    }

    /// The state behind a request that would have made a file, and got no further than to the first
    /// so many of its parents; nothing where nothing has changed.
    pub(super) fn with_parents(
        &self,
        asked: Asked<'_>,
        count: usize,
        numbers: &mut Numbers,
    ) -> Option<Rc<State>> {
        let mut reference = self.reference.borrow().clone();
        if asked.of(&mut reference.clone(), &self.terms(asked.request)).status != 201 {
            return None;
        }
        let parents: Vec<&str> = asked.request.path.split('/').take(count).collect();
        let within = format!("{}/x", parents.join("/"));
        if reference.request(Method::Post, &within, b"", &Terms::default()).status != 201 {
            return None;
        }
        reference.request(Method::Delete, &within, b"", &Terms::default());
        let next = State::of(reference, self.files.clone(), numbers);
        Some(next).filter(|next| next.number != self.number)
    }

    /// The terms with the versions of this reference for tags; what is there no more is as good as
    /// what never was.
    fn terms(&self, request: &Request) -> Terms {
        let version = |tag: &u64| {
            let file = self.files.iter().find(|(_, file)| file.tag == Some(*tag));
            file.map_or(u64::MAX, |(version, _)| *version)
        };
        let versions = |versions: &Versions| match versions {
            Versions::Any => Versions::Any,
            Versions::Of(tags) => Versions::Of(tags.iter().map(version).collect()),
        };
        let terms = &request.terms;
        Terms {
            if_match: terms.if_match.as_ref().map(versions),
            if_none_match: terms.if_none_match.as_ref().map(versions),
            if_range: terms.if_range.as_ref().map(version),
            ..terms.clone()
        }
    }

    /// The files behind a request that has changed one of them at most.
    fn files_in(
        &self,
        reference: &Reference,
        request: &Request,
        numbers: &mut Numbers,
    ) -> BTreeMap<u64, File> {
        let there = reference.tree().values().filter_map(|node| match node {
            Node::File(file) => Some(file.version),
            Node::Directory => None,
        });
        let there: Vec<u64> = there.collect();
        let gone = self.files.iter().find(|(version, _)| !there.contains(version));
        let before = gone.map(|(_, file)| file.origin).filter(|_| request.method == Method::Patch);
        let file = |version: u64| match self.files.get(&version) {
            Some(file) => (version, *file),
            None => (version, File { origin: numbers.origin(before, request), tag: None }),
        };
        there.into_iter().map(file).collect()
    }

    /// The tree as text, a line each.
    pub(super) fn tree(&self) -> String {
        let reference = self.reference.borrow();
        let lines = reference.tree().iter().map(|(names, node)| {
            let path = names.join(&b'/').escape_ascii().to_string();
            match node {
                Node::Directory => format!("  {path}/\n"),
                Node::File(file) => {
                    let tag = self.files.get(&file.version).and_then(|file| file.tag);
                    let tag = tag.map_or("no tag yet".to_owned(), |tag| format!("tag {tag}"));
                    format!("  {path} {} {tag}\n", super::story::content(&file.content))
                }
            }
        });
        lines.collect()
    }
}

impl Numbers {
    fn state(&mut self, reference: &Reference, files: &BTreeMap<u64, File>) -> u32 {
        let mut key = Vec::new();
        for (names, node) in reference.tree() {
            // A name is not empty and has no zero in it.
            for name in names {
                key.extend_from_slice(name);
                key.push(0);
            }
            key.push(0);
            let file = match node {
                Node::Directory => None,
                Node::File(file) => files.get(&file.version),
            };
            key.push(u8::from(file.is_some()));
            if let Some(File { origin, tag }) = file {
                key.extend_from_slice(&origin.to_le_bytes());
                // Tags are counted from 1.
                key.extend_from_slice(&tag.unwrap_or(0).to_le_bytes());
            }
        }
        let next = self.states.len() as u32;
        *self.states.entry(key).or_insert(next)
    }

    fn origin(&mut self, before: Option<u32>, request: &Request) -> u32 {
        let (number, length) = request.content.map_or((0, 0), |content| (content.number, content.length));
        let next = self.origins.len() as u32;
        *self.origins.entry((before, number, length)).or_insert(next)
    }
}

/// Whether an answer is what the reference has given, tags apart; of a `HEAD` only the length can be
/// seen.
fn agrees(method: Method, given: &Answer, answer: &Answer) -> bool {
    let read = match (&given.read, &answer.read) {
        (Some(given), Some(read)) if method == Method::Head => given.len() == read.len(),
        (given, read) => given == read,
    };
    let tagged = given.version.is_some() == answer.version.is_some();
    given.status == answer.status && given.length == answer.length && read && tagged
}
