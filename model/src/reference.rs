//! The specification: what a tree of files does, with nothing that can fail, wait or run twice at
//! once. It imports std only and shares no code with what it judges.
//! Each function is a row of the contract's table for `/files/{path}`. Links, FIFOs, sockets and
//! devices do not exist here. A version is a number that is given once; whoever compares maps it to an
//! entity tag. There is no clock: of dates it is only known whether they are before all that was
//! written, or after.
#![expect(missing_docs, reason = "fields and variants are named for what they are")]

use std::collections::BTreeMap;

/// A path as a sequence of names; the empty one is the base directory.
pub type Names = Vec<Vec<u8>>;

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Node {
    Directory,
    File(File),
}

/// Its bytes, and a number that no other content of any path ever has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct File {
    pub content: Vec<u8>,
    pub version: u64,
}

/// What can be asked of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
}

/// On what terms it is asked: the fields of the request that depend on what is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Terms {
    pub if_match: Option<Versions>,
    pub if_none_match: Option<Versions>,
    pub if_unmodified_since: Option<Date>,
    pub if_modified_since: Option<Date>,
    pub upload_offset: Option<u64>,
    /// One range: from the first byte to the last, or so many at the end.
    pub range: Option<(Option<u64>, Option<u64>)>,
    pub if_range: Option<u64>,
}

/// What a condition names: `*`, or these.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Versions {
    Any,
    Of(Vec<u64>),
}

/// Before everything that was ever written, or after all that will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Date {
    Past,
    Future,
}

/// What a client gets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Answer {
    pub status: u16,
    /// The content that was read, with status 200 or 206 to `Get` and `Head`.
    pub read: Option<Vec<u8>>,
    /// The version of the file that it is about, in `ETag`.
    pub version: Option<u64>,
    /// The length of the file, in `Upload-Offset` or behind the `/` of `Content-Range`.
    pub length: Option<u64>,
}

/// A tree of files.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    tree: BTreeMap<Names, Node>,
    versions: u64,
}

impl Reference {
    /// Everything that is there but the base directory.
    pub fn tree(&self) -> &BTreeMap<Names, Node> {
        &self.tree
    }
    /// The entries of a directory, which its listing has, each by its path.
    pub fn entries<'a>(&'a self, names: &'a Names) -> impl Iterator<Item = (&'a Names, &'a Node)> {
        self.tree.iter().filter(|(path, _)| path.len() == names.len() + 1 && path.starts_with(names))
    }

    /// Answers one request; `encoded` is what follows `/files/` in the path of its target.
    pub fn request(&mut self, method: Method, encoded: &str, content: &[u8], terms: &Terms) -> Answer {
        let Some((names, slash)) = decode(encoded) else { return status(400) };
        match method {
            Method::Get | Method::Head => self.read(method, &names, slash, terms),
            Method::Delete => self.delete(&names, slash, terms),
            Method::Post | Method::Put | Method::Patch => self.write(method, &names, slash, content, terms),
        }
    }

    fn read(&self, method: Method, names: &Names, slash: bool, terms: &Terms) -> Answer {
        let file = match self.node(names) {
            Some(Node::File(file)) if !slash => file,
            Some(Node::Directory) => return status(if slash { on_directory(terms) } else { 301 }),
            _ => return status(404),
        };
        let about = |status| Answer { version: Some(file.version), ..self::status(status) };
        // RFC 9110 §13.2.2, in its order.
        match (&terms.if_none_match, terms.if_modified_since) {
            _ if !unmodified(terms, Some(file)) => return status(412),
            (Some(versions), _) if includes(versions, Some(file)) => return about(304),
            (None, Some(Date::Future)) => return about(304),
            _ => {}
        }
        let whole = Answer { read: Some(file.content.clone()), ..about(200) };
        let in_range = terms.if_range.is_none_or(|version| version == file.version);
        let (Method::Get, Some(range), true) = (method, terms.range, in_range) else { return whole };
        let length = file.content.len() as u64;
        let (first, end) = match range {
            (None, None) => return whole,
            (Some(first), Some(last)) if first > last => return whole,
            (None, Some(count)) if count > 0 && length == 0 => return whole,
            (Some(first), last) => (first, last.map_or(length, |last| length.min(last.saturating_add(1)))),
            (None, Some(count)) => (length - length.min(count), length),
        };
        if first >= end {
            return Answer { length: Some(length), ..status(416) };
        }
        let part = file.content.iter().skip(first as usize).take((end - first) as usize).copied();
        Answer { read: Some(part.collect()), length: Some(length), ..about(206) }
    }

    fn write(&mut self, method: Method, names: &Names, slash: bool, content: &[u8], terms: &Terms) -> Answer {
        let there = match self.node(names) {
            // A file has to be named, below directories that are there or can be made.
            _ if slash || self.below_a_file(names) => return status(409),
            Some(Node::Directory) => return status(409),
            Some(Node::File(file)) => Some(file),
            None => None,
        };
        if !allowed(terms, there) {
            return status(412);
        }
        let length = there.map_or(0, |file| file.content.len() as u64);
        if method == Method::Patch && terms.upload_offset.is_some_and(|offset| offset != length) {
            return Answer { length: Some(length), ..status(409) };
        }
        let content = match (there, method) {
            (Some(_), Method::Post) => return status(409),
            // Nothing is appended, so it is the same version.
            (Some(file), Method::Patch) if content.is_empty() => {
                return Answer { version: Some(file.version), ..status(200) };
            }
            (Some(file), Method::Patch) => [&file.content, content].concat(),
            _ => content.to_vec(),
        };
        let code = if there.is_some() { 200 } else { 201 };
        for length in 1..names.len() {
            self.tree.insert(names[..length].to_vec(), Node::Directory);
        }
        self.versions += 1;
        self.tree.insert(names.clone(), Node::File(File { content, version: self.versions }));
        Answer { version: Some(self.versions), ..status(code) }
    }

    fn delete(&mut self, names: &Names, slash: bool, terms: &Terms) -> Answer {
        let has_entries = self.tree.keys().any(|path| path.len() > names.len() && path.starts_with(names));
        match self.node(names) {
            _ if names.is_empty() => return status(403),
            _ if self.below_a_file(names) => return status(404),
            Some(Node::File(file)) if !slash && !allowed(terms, Some(file)) => return status(412),
            Some(Node::File(_)) if !slash => {}
            Some(Node::Directory) if on_directory(terms) != 200 => return status(412),
            Some(Node::Directory) if has_entries => return status(409),
            Some(Node::Directory) => {}
            Some(Node::File(_)) | None => return status(if terms.if_match.is_some() { 412 } else { 404 }),
        }
        self.tree.remove(names);
        status(200)
    }

    fn node(&self, names: &Names) -> Option<&Node> {
        if names.is_empty() { Some(&Node::Directory) } else { self.tree.get(names) }
    }

    fn below_a_file(&self, names: &Names) -> bool {
        (1..names.len()).any(|length| matches!(self.tree.get(&names[..length]), Some(Node::File(_))))
    }
}

fn status(status: u16) -> Answer {
    Answer { status, read: None, version: None, length: None }
}

/// What conditions come to for whoever reads a directory, which has no version, but is there.
fn on_directory(terms: &Terms) -> u16 {
    match (&terms.if_match, &terms.if_none_match) {
        (Some(Versions::Of(_)), _) => 412,
        (_, Some(Versions::Any)) => 304,
        _ => 200,
    }
}

/// Whether a change of what is there may go on.
fn allowed(terms: &Terms, there: Option<&File>) -> bool {
    let differs = terms.if_none_match.as_ref().is_none_or(|versions| !includes(versions, there));
    unmodified(terms, there) && differs
}

/// `If-Match`, and in its absence `If-Unmodified-Since`, which says nothing where nothing is.
fn unmodified(terms: &Terms, there: Option<&File>) -> bool {
    match (&terms.if_match, terms.if_unmodified_since) {
        (Some(versions), _) => includes(versions, there),
        (None, Some(Date::Past)) => there.is_none(),
        (None, _) => true,
    }
}

fn includes(versions: &Versions, there: Option<&File>) -> bool {
    match (versions, there) {
        (_, None) => false,
        (Versions::Any, Some(_)) => true,
        (Versions::Of(versions), Some(file)) => versions.contains(&file.version),
    }
}

/// Its names, and whether it ends in a slash; nothing where the contract refuses it.
pub fn decode(encoded: &str) -> Option<(Names, bool)> {
    let inner = encoded.strip_suffix('/').unwrap_or(encoded);
    let segments = inner.split('/').filter(|_| !encoded.is_empty());
    let names = segments.map(decode_name).collect::<Option<Names>>()?;
    let bytes = names.iter().map(|name| name.len() + 1).sum::<usize>();
    (names.len() <= 256 && bytes <= 4096).then_some((names, encoded.is_empty() || encoded.ends_with('/')))
}

fn decode_name(encoded: &str) -> Option<Vec<u8>> {
    let mut name = Vec::new();
    let mut bytes = encoded.bytes();
    while let Some(byte) = bytes.next() {
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        name.push(if byte == b'%' { u8::try_from(digit()? * 16 + digit()?).ok()? } else { byte });
    }
    let reserved = [&b""[..], b".", b"..", b".http_server"].contains(&&name[..]);
    let possible = name.len() <= 255 && !name.contains(&0) && !name.contains(&b'/');
    (!reserved && possible).then_some(name)
}
