//! Requests to a store, held against the reference one by one: [`Judge`].
//!
//! The store may stand on any directory. Its words for what a request demands, and what an outcome
//! of its means as an answer, are said here once for all checks.

use std::collections::BTreeMap;
use std::fmt::Debug;

use http_server::store::condition::{Condition, There, Verdict, Versions};
use http_server::store::directory::Directory;
use http_server::store::listing::{Order, Place, View};
use http_server::store::operation::{Intent, Mode, Operation, Outcome, StoreErrorKind};
use http_server::store::path::FilePath;
use http_server::store::version::Version;
use http_server::store::{Held, Store};

use crate::alphabet::Request;
use crate::listed;
use crate::reference::{self, Answer, Date, Method, Node, Reference};
use crate::simulated::Tree;

/// How content comes: in one operation, or staged and in parts of so many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is its own name")]
pub enum Style {
    Whole,
    Parts(usize),
}

/// The reference, and the versions of a store that stand for those of it.
#[derive(Clone, Debug, Default)]
pub struct Judge {
    /// What is to be there.
    pub reference: Reference,
    /// What is there for each version.
    pub versions: Known<Version>,
}

impl Judge {
    /// Performs a request on `store`, and gives its status.
    ///
    /// # Errors
    /// What its answer has to do with that of the reference, where that is not all.
    pub fn perform<D: Directory>(
        &mut self,
        store: &Store<D>,
        request: &Request,
        style: Style,
    ) -> Result<u16, String> {
        let condition = self.condition(request);
        let answer = self.reference.answer(request);
        let outcome = perform(store, request, condition, style)?;
        let Answered { status, read, length, .. } = &outcome;
        if (*status, read, *length) != (answer.status, &answer.read, answer.length) {
            return Err(format!("{request}: {outcome:?} where {answer:?} was due"));
        }
        self.versions
            .learn(answer.version, outcome.version)
            .map_err(|error| format!("{request}: {error}"))?;
        if request.lists() && answer.status == 200 {
            listed::check_store(store, &self.reference, &mut self.versions, &request.path)
                .map_err(|error| format!("{request}: {error}"))?;
        }
        Ok(answer.status)
    }

    /// Whether this is the tree of the reference.
    ///
    /// # Errors
    /// Both of them, where they differ.
    pub fn check_tree(&self, tree: &Tree) -> Result<(), String> {
        let node = |node: &Node| match node {
            Node::Directory => None,
            Node::File(file) => {
                // Of one that nobody was told of, it is the one that there is.
                let none = Version { inode: 0, modified: 0, length: 0 };
                Some((self.versions.name(file.version).copied().unwrap_or(none), file.content.clone()))
            }
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
    pub fn condition(&self, request: &Request) -> Condition {
        let version = |number: &u64| {
            let never = Version { inode: 0, modified: 0, length: *number };
            self.versions.name(*number).copied().unwrap_or(never)
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
            only: None,
        }
    }
}

/// Versions of the reference and what stands for them elsewhere, one to one.
#[derive(Clone, Debug)]
pub struct Known<T> {
    by_number: BTreeMap<u64, T>,
    by_name: BTreeMap<T, u64>,
}

impl<T> Default for Known<T> {
    fn default() -> Known<T> {
        Known { by_number: BTreeMap::new(), by_name: BTreeMap::new() }
    }
}

impl<T: Ord + Clone + Debug> Known<T> {
    /// Takes note that a version is called so, where an answer is about one.
    ///
    /// # Errors
    /// Where one version has two names, two have one, or there is one without the other.
    pub fn learn(&mut self, number: Option<u64>, name: Option<T>) -> Result<(), String> {
        let (number, name) = match (number, name) {
            (None, None) => return Ok(()),
            (Some(number), Some(name)) => (number, name),
            (number, name) => return Err(format!("the version {name:?} where {number:?} was due")),
        };
        let known = self.by_number.entry(number).or_insert_with(|| name.clone());
        if *known != name {
            return Err(format!("version {number} was {known:?}, and is {name:?}"));
        }
        let known = *self.by_name.entry(name.clone()).or_insert(number);
        if known == number { Ok(()) } else { Err(format!("versions {known} and {number} are both {name:?}")) }
    }

    /// What stands for a version; nothing where nobody was told of it.
    pub fn name(&self, number: u64) -> Option<&T> {
        self.by_number.get(&number)
    }

    /// Which version is called so.
    pub fn number(&self, name: &T) -> Option<u64> {
        self.by_name.get(name).copied()
    }

    /// How many are known.
    pub fn count(&self) -> usize {
        self.by_number.len()
    }

    /// Their names, the oldest first.
    pub fn names(&self) -> impl Iterator<Item = &T> {
        self.by_number.values()
    }
}

impl Reference {
    /// Its answer to a request.
    pub fn answer(&mut self, request: &Request) -> Answer {
        self.request(request.method, &request.path, &request.content_bytes(), &request.terms)
    }
}

/// An answer in the words of the store.
#[derive(Debug)]
#[expect(missing_docs, reason = "as in the reference's `Answer`")]
pub struct Answered {
    /// 500 and above: it failed for another reason than what is there.
    pub status: u16,
    pub version: Option<Version>,
    pub read: Option<Vec<u8>>,
    pub length: Option<u64>,
}

/// Performs a request, after which nothing is held any more.
///
/// # Errors
/// Where the store comes to no end, or says of a file what it is not.
pub fn perform<D: Directory>(
    store: &Store<D>,
    request: &Request,
    condition: Condition,
    style: Style,
) -> Result<Answered, String> {
    let Ok(path) = FilePath::parse(request.path.as_bytes()) else {
        return Ok(Answered { status: 400, version: None, read: None, length: None });
    };
    let mut held = Held::Nothing;
    let mut outcome = Outcome::Staged;
    let on_directory = condition.judge(There::Directory, true);
    for operation in operations(request, path, condition, style) {
        // As an event loop does: without waiting first, and with waiting only then.
        outcome = match store.run_cached(operation, &mut held, &mut D::Names::default()) {
            Ok(outcome) => outcome,
            Err(operation) => store.run(operation, &mut held),
        };
        if matches!(outcome, Outcome::Failed(_)) {
            break;
        }
    }
    let reads = matches!(request.method, Method::Get | Method::Head);
    let (status, version, length) = match outcome {
        Outcome::Opened(version) | Outcome::Updated(version) => (200, Some(version), None),
        Outcome::Created(version) => (201, Some(version), None),
        Outcome::NotModified(version) => (304, Some(version), None),
        Outcome::Deleted => (200, None, None),
        Outcome::Directory(_) => (301, None, None),
        // It has no version that could change between its listing and this.
        Outcome::Listed(_) => match on_directory {
            Verdict::Holds => (200, None, None),
            Verdict::Fails => (412, None, None),
            Verdict::NotModified => (304, None, None),
        },
        Outcome::Staged | Outcome::Written(_) => return Err(format!("{request}: no end")),
        Outcome::Failed(error) => {
            let length = match error.kind {
                StoreErrorKind::LengthDiffers { length } => Some(length),
                _ => None,
            };
            (status(error.kind, request.method), None, length)
        }
    };
    let read = match (&held, version) {
        (Held::File(file), Some(version)) if reads && status == 200 => Some(read(store, file, version)?),
        _ => None,
    };
    store.discard(held);
    Ok(Answered { status, version, read, length })
}

/// What a connection asks of the store for a request.
fn operations(request: &Request, path: FilePath, condition: Condition, style: Style) -> Vec<Operation> {
    if request.lists() {
        let (order, descending, after) = (Order::Name, false, Place::Beginning);
        let view = View { order, descending, after, entries_max: 1000, sorted_max: 1000 };
        return vec![Operation::List(path, Box::new(view))];
    }
    let condition = (condition != Condition::default()).then(|| Box::new(condition));
    let mode = match request.method {
        Method::Post => Mode::Create,
        Method::Put => Mode::Replace,
        Method::Patch => Mode::Append,
        Method::Get | Method::Head => return vec![Operation::Open(path, condition)],
        Method::Delete => return vec![Operation::Delete(path, condition)],
    };
    let (intent, content) = (Intent { path, mode, condition }, request.content_bytes());
    let part = match style {
        Style::Whole => return vec![Operation::Store(intent, content)],
        Style::Parts(part) => part.max(1),
    };
    let split = content.len().saturating_sub(1) / part * part;
    let mut operations = vec![Operation::Stage(intent)];
    operations.extend(content[..split].chunks(part).map(|part| Operation::Write(part.to_vec())));
    operations.push(Operation::Publish(content[split..].to_vec()));
    operations
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
    let mut content = vec![0; usize::try_from(version.length).map_err(|error| error.to_string())?];
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
pub fn show(tree: &Tree) -> String {
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
