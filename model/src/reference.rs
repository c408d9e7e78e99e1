//! The specification: what a tree of files does, with nothing that can fail, wait or run twice at
//! once. It imports std only and shares no code with what it judges.
//!
//! Each function is a row of the contract's table for `/files/{path}`. Links, FIFOs, sockets and
//! devices do not exist here, nor do conditions, ranges and listings: a directory has no content
//! to read, and is answered 404.

use std::collections::BTreeMap;

/// A path as a sequence of names; the empty one is the base directory.
pub type Names = Vec<Vec<u8>>;

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Node {
    /// A directory.
    Directory,
    /// A file, with its content.
    File(Vec<u8>),
}

/// What can be asked of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is its own name")]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
}

/// What a client gets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The content of the file that was read, with status 200 to `Get` and `Head`.
    pub read: Option<Vec<u8>>,
}

/// A tree of files.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    tree: BTreeMap<Names, Node>,
}

impl Reference {
    /// Everything that is there but the base directory.
    pub fn tree(&self) -> &BTreeMap<Names, Node> {
        &self.tree
    }

    /// Answers one request; `encoded` is what follows `/files/` in the path of its target.
    pub fn request(&mut self, method: Method, encoded: &str, content: &[u8]) -> Answer {
        let Some((names, slash)) = decode(encoded) else { return status(400) };
        match method {
            Method::Get | Method::Head => self.read(&names, slash),
            Method::Delete => self.delete(&names, slash),
            Method::Post | Method::Put | Method::Patch => self.write(method, &names, slash, content),
        }
    }

    fn read(&self, names: &Names, slash: bool) -> Answer {
        match self.node(names) {
            Some(Node::File(content)) if !slash => Answer { status: 200, read: Some(content.clone()) },
            _ => status(404),
        }
    }

    fn write(&mut self, method: Method, names: &Names, slash: bool, content: &[u8]) -> Answer {
        // A file has to be named, below directories that are there or can be made.
        if slash || names.is_empty() || self.below_a_file(names) {
            return status(409);
        }
        match (self.tree.get_mut(names), method) {
            (Some(Node::Directory), _) | (Some(Node::File(_)), Method::Post) => status(409),
            (Some(Node::File(old)), Method::Patch) => {
                old.extend_from_slice(content);
                status(200)
            }
            (Some(Node::File(old)), _) => {
                *old = content.to_vec();
                status(200)
            }
            (None, _) => {
                for length in 1..names.len() {
                    self.tree.insert(names[..length].to_vec(), Node::Directory);
                }
                self.tree.insert(names.clone(), Node::File(content.to_vec()));
                status(201)
            }
        }
    }

    fn delete(&mut self, names: &Names, slash: bool) -> Answer {
        let has_entries = self.tree.keys().any(|path| path.len() > names.len() && path.starts_with(names));
        match self.node(names) {
            _ if names.is_empty() => return status(403),
            Some(Node::File(_)) if slash => return status(404),
            Some(Node::Directory) if has_entries => return status(409),
            None => return status(404),
            Some(Node::File(_) | Node::Directory) => {}
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
    Answer { status, read: None }
}

/// The names of a path, and whether it ends in a slash; nothing where the contract refuses it.
fn decode(encoded: &str) -> Option<(Names, bool)> {
    if encoded.is_empty() {
        return Some((Names::new(), true));
    }
    let slash = encoded.ends_with('/');
    let names: Option<Names> =
        encoded.strip_suffix('/').unwrap_or(encoded).split('/').map(decode_name).collect();
    let names = names?;
    let bytes = names.iter().map(|name| name.len() + 1).sum::<usize>() - 1;
    (names.len() <= 256 && bytes <= 4095).then_some((names, slash))
}

fn decode_name(encoded: &str) -> Option<Vec<u8>> {
    let mut name = Vec::new();
    let mut bytes = encoded.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let (high, low) = (bytes.next()?, bytes.next()?);
            let digit = |byte: u8| char::from(byte).to_digit(16);
            name.push(u8::try_from(digit(high)? * 16 + digit(low)?).ok()?);
        } else {
            name.push(byte);
        }
    }
    let reserved = [&b""[..], b".", b"..", b".http_server"].contains(&&name[..]);
    let possible = name.len() <= 255 && !name.contains(&0) && !name.contains(&b'/');
    (!reserved && possible).then_some(name)
}
