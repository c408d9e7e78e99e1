//! Requests to a store, held against the reference one by one: [`Run`].

use std::collections::BTreeMap;

use http_server::store::condition::{Condition, Versions};
use http_server::store::directory::Directory;
use http_server::store::operation::{Intent, Mode, Operation, Outcome, StoreErrorKind};
use http_server::store::path::FilePath;
use http_server::store::version::Version;
use http_server::store::{Held, Store};
use model::alphabet::Request;
use model::reference::{self, Answer, Date, Method, Node, Reference};
use model::simulated::Tree;

/// How content comes: in one operation, or staged and in parts of so many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Whole,
    Parts(usize),
}

/// The reference, and the versions of the store that stand for those of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Judge {
    pub(crate) reference: Reference,
    pub(crate) versions: BTreeMap<u64, Version>,
}

impl Judge {
    /// Performs a request on `store` and says what its answer has to do with that of the reference.
    pub(crate) fn perform<D: Directory>(
        &mut self,
        store: &Store<D>,
        request: &Request,
        style: Style,
    ) -> Result<u16, String> {
        let condition = self.condition(request);
        let answer =
            self.reference.request(request.method, &request.path, &request.content_bytes(), &request.terms);
        let outcome = perform(store, request, condition, style)?;
        if (outcome.status, &outcome.read) != (answer.status, &answer.read) {
            return Err(format!("{request}: {outcome:?} where {answer:?} was due"));
        }
        self.learn(&answer, outcome.version).map_err(|error| format!("{request}: {error}"))?;
        Ok(answer.status)
    }

    /// Equal versions have to be equal in the reference, too, and others to differ.
    fn learn(&mut self, answer: &Answer, version: Option<Version>) -> Result<(), String> {
        let (Some(number), Some(version)) = (answer.version, version) else {
            return if answer.version.is_some() == version.is_some() {
                Ok(())
            } else {
                Err("a version".into())
            };
        };
        if let Some((other, _)) =
            self.versions.iter().find(|(other, known)| **other != number && **known == version)
        {
            return Err(format!("versions {other} and {number} are both {version:?}"));
        }
        let known = *self.versions.entry(number).or_insert(version);
        if known == version { Ok(()) } else { Err(format!("version {number} was {known:?}, is {version:?}")) }
    }

    /// Whether this is the tree of the reference.
    pub(crate) fn check_tree(&self, tree: &Tree) -> Result<(), String> {
        let node = |node: &Node| match node {
            Node::Directory => None,
            Node::File(file) => Some((self.versions[&file.version], file.content.clone())),
        };
        let expected: Tree =
            self.reference.tree().iter().map(|(names, here)| (names.clone(), node(here))).collect();
        if &expected == tree {
            Ok(())
        } else {
            Err(format!("{} where {} was due", show(tree), show(&expected)))
        }
    }

    /// The terms of a request in the store's words.
    pub(crate) fn condition(&self, request: &Request) -> Condition {
        let version = |number: &u64| {
            let never = Version { inode: 0, modified: 0, length: *number };
            self.versions.get(number).copied().unwrap_or(never)
        };
        let versions = |versions: &reference::Versions| match versions {
            reference::Versions::Any => Versions::Any,
            reference::Versions::Of(numbers) => Versions::Of(numbers.iter().map(version).collect()),
        };
        let second = |date| if date == Date::Past { i64::MIN } else { i64::MAX };
        let terms = &request.terms;
        Condition {
            matches: terms.if_match.as_ref().map(versions),
            unmodified_since: terms.if_unmodified_since.map(second),
            differs: terms.if_none_match.as_ref().map(versions),
            modified_since: terms.if_modified_since.map(second),
            length: terms.upload_offset.filter(|_| request.method == Method::Patch),
        }
    }
}

/// An answer in the words of the store.
#[derive(Debug)]
pub(crate) struct Answered {
    /// 500 and above: it failed for another reason than what is there.
    pub(crate) status: u16,
    pub(crate) version: Option<Version>,
    pub(crate) read: Option<Vec<u8>>,
}

/// Performs a request, after which nothing is held any more.
pub(crate) fn perform<D: Directory>(
    store: &Store<D>,
    request: &Request,
    condition: Condition,
    style: Style,
) -> Result<Answered, String> {
    let Ok(path) = FilePath::parse(request.path.as_bytes()) else {
        return Ok(Answered { status: 400, version: None, read: None });
    };
    let mode = match request.method {
        Method::Post => Some(Mode::Create),
        Method::Put => Some(Mode::Replace),
        Method::Patch => Some(Mode::Append),
        Method::Get | Method::Head | Method::Delete => None,
    };
    let condition = (condition != Condition::default()).then(|| Box::new(condition));
    let content = request.content_bytes();
    let operations = match (mode, style) {
        (Some(mode), Style::Whole) => vec![Operation::Store(Intent { path, mode, condition }, content)],
        (Some(mode), Style::Parts(part)) => {
            let split = content.len().saturating_sub(1) / part * part;
            let mut operations = vec![Operation::Stage(Intent { path, mode, condition })];
            operations.extend(content[..split].chunks(part).map(|part| Operation::Write(part.to_vec())));
            operations.push(Operation::Publish(content[split..].to_vec()));
            operations
        }
        (None, _) if request.method == Method::Delete => vec![Operation::Delete(path, condition)],
        (None, _) => vec![Operation::Open(path, condition)],
    };
    let mut held = Held::Nothing;
    let mut outcome = Outcome::Staged;
    for operation in operations {
        outcome = store.run(operation, &mut held);
        if matches!(outcome, Outcome::Failed(_)) {
            break;
        }
    }
    let reads = matches!(request.method, Method::Get | Method::Head);
    let (status, version) = match outcome {
        Outcome::Opened(version) | Outcome::Updated(version) => (200, Some(version)),
        Outcome::Created(version) => (201, Some(version)),
        Outcome::NotModified(version) => (304, Some(version)),
        Outcome::Deleted => (200, None),
        Outcome::Staged | Outcome::Written(_) => return Err(format!("{request}: no end")),
        Outcome::Failed(error) => (status(error.kind, request.method), None),
    };
    let read = match (&held, version) {
        (Held::File(file), Some(version)) if reads && status == 200 => Some(read(store, file, version)?),
        _ => None,
    };
    store.discard(held);
    Ok(Answered { status, version, read })
}

fn status(kind: StoreErrorKind, method: Method) -> u16 {
    let writes = !matches!(method, Method::Get | Method::Head);
    match kind {
        StoreErrorKind::NotFound => 404,
        StoreErrorKind::IsDirectory if !writes => 404,
        StoreErrorKind::ParentIsFile if !writes || method == Method::Delete => 404,
        StoreErrorKind::IsDirectory
        | StoreErrorKind::ParentIsFile
        | StoreErrorKind::FileExists
        | StoreErrorKind::DirectoryNotEmpty
        | StoreErrorKind::LengthDiffers { .. } => 409,
        StoreErrorKind::ConditionFails => 412,
        StoreErrorKind::IsBaseDirectory => 403,
        _ => 500,
    }
}

/// All of an open file.
fn read<D: Directory>(store: &Store<D>, file: &D::File, version: Version) -> Result<Vec<u8>, String> {
    let mut content = vec![0; usize::try_from(version.length).unwrap()];
    let mut length = 0;
    while length < content.len() {
        match store.read(file, &mut content[length..], length as u64) {
            Ok(0) => return Err(format!("{length} bytes of {version:?}")),
            Ok(count) => length += count,
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(content)
}

/// A tree in one line.
pub(crate) fn show(tree: &Tree) -> String {
    let mut words = Vec::new();
    for (names, node) in tree {
        let path = names.iter().map(|name| name.escape_ascii().to_string()).collect::<Vec<_>>().join("/");
        words.push(match node {
            None => format!("{path}/"),
            Some((version, content)) => {
                // Runs of the same bytes say nothing.
                let (head, tail) =
                    (&content[..content.len().min(8)], &content[content.len().saturating_sub(12)..]);
                let (head, tail) = (head.escape_ascii(), tail.escape_ascii());
                let Version { inode, modified, length } = version;
                format!("{path}={head}…{tail} ({inode}, {modified}, {length})")
            }
        });
    }
    words.join(" ")
}
