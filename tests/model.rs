//! The server agrees with the reference.
//!
//! Goal: the store, and the whole connection core over it, give the answers that the reference
//! gives, and leave its tree. Method: the same requests, random and exhaustive, through all three;
//! uploads in one operation, or staged and written in parts; bytes cut at random.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper of tests fails the test that it helps")]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use http_server::limits::Limits;
use http_server::store::base_directory::BaseDirectory;
use http_server::store::condition::{Condition, Versions};
use http_server::store::operation::{Intent, Mode, Operation, Outcome, StoreError, StoreErrorKind};
use http_server::store::path::{FilePath, RESERVED_NAME};
use http_server::store::version::Version;
use http_server::store::{Durability, Held, Store};
use model::alphabet::{Request, all_sequences, read_requests, requests};
use model::pump::{Pump, StoreFiles};
use model::reference::{self, Answer, Date, Method, Names, Node, Reference, Terms};
use model::wire::{WireAnswer, read_answers};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// How often each method led to each status.
type Cells = RefCell<BTreeMap<(Method, u16), u32>>;

/// Every cell that the contract has for these requests.
const CELLS: &[(Method, &[u16])] = &[
    (Method::Get, &[200, 206, 304, 400, 404, 412, 416]),
    (Method::Head, &[200, 304, 400, 404, 412]),
    (Method::Post, &[201, 400, 409, 412]),
    (Method::Put, &[200, 201, 400, 409, 412]),
    (Method::Patch, &[200, 201, 400, 409, 412]),
    (Method::Delete, &[200, 400, 403, 404, 409, 412]),
];

#[test]
fn random_sequences_agree_with_the_reference() {
    let mut runner = TestRunner::new(Config { cases: 1000, ..Config::with_source_file(file!()) });
    let sequences =
        (prop::collection::vec(requests(), 1..40), prop::collection::vec(1_usize..100_000, 1..20));
    let cells = Cells::default();
    let result = runner.run(&sequences, |(requests, cuts)| {
        compare(&requests, &cuts, &cells);
        Ok(())
    });
    println!("model:random sequences=1000 cells={:?}", cells.borrow());
    result.unwrap();
    for (method, statuses) in CELLS {
        for status in *statuses {
            let count = cells.borrow().get(&(*method, *status)).copied().unwrap_or(0);
            assert!(count >= 10, "{method:?} led to {status} only {count} times");
        }
    }
}

#[test]
fn all_short_sequences_agree_with_the_reference() {
    let sequences = all_sequences(3, &["a", "a/b"]);
    for requests in &sequences {
        compare(requests, &[7], &Cells::default());
    }
    println!("model:exhaustive sequences={}", sequences.len());
    assert_eq!(sequences.len(), 18 + 18 * 18 + 18 * 18 * 18);
}

#[test]
fn kept_lists_of_requests_agree_with_the_reference() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proptest-regressions");
    let mut lists = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "requests") {
            let requests = read_requests(&std::fs::read_to_string(&path).unwrap())
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            compare(&requests, &[1000, 1], &Cells::default());
            lists += 1;
        }
    }
    assert!(lists > 0, "there is at least one list");
}

/// Runs `requests` through reference, store and connection, each from an empty tree.
fn compare(requests: &[Request], cuts: &[usize], cells: &Cells) {
    let story = || requests.iter().map(|request| format!("{request}\n")).collect::<String>();
    let (expected, tree) = through_reference(requests);
    for (request, answer) in requests.iter().zip(&expected) {
        *cells.borrow_mut().entry((request.method, answer.status)).or_insert(0) += 1;
    }
    let (answers, left) = with_store(|store| through_connection(store, requests, &expected, cuts));
    assert_eq!(answers, expected, "the connection, on\n{}", story());
    assert_eq!(left, tree, "the tree of the connection, on\n{}", story());
    // A store knows no ranges.
    let whole = |request: &Request| Request {
        terms: Terms { range: None, ..request.terms.clone() },
        ..request.clone()
    };
    let requests: Vec<Request> = requests.iter().map(whole).collect();
    let (expected, tree) = through_reference(&requests);
    let (answers, left) = with_store(|store| through_store(store, &requests, &expected, cuts));
    assert_eq!(answers, expected, "the store, on\n{}", story());
    assert_eq!(left, tree, "the tree of the store, on\n{}", story());
}

type Contents = BTreeMap<Names, Option<Vec<u8>>>;

/// Its answers, and the content of each file at the end; nothing of a directory.
fn through_reference(requests: &[Request]) -> (Vec<Answer>, Contents) {
    let mut reference = Reference::default();
    let answer = |request: &Request| {
        reference.request(request.method, &request.path, &request.content_bytes(), &request.terms)
    };
    let answers = requests.iter().map(answer).collect();
    let content = |node: &Node| match node {
        Node::Directory => None,
        Node::File(file) => Some(file.content.clone()),
    };
    (answers, reference.tree().iter().map(|(names, node)| (names.clone(), content(node))).collect())
}

/// Versions of the reference and what stands for them elsewhere, one to one.
#[derive(Debug)]
struct Known<T> {
    by_number: BTreeMap<u64, T>,
    by_name: BTreeMap<T, u64>,
}

impl<T: Ord + Clone + std::fmt::Debug> Known<T> {
    fn new() -> Known<T> {
        Known { by_number: BTreeMap::new(), by_name: BTreeMap::new() }
    }

    /// The number of the version that has this name, where the reference says that it is `number`.
    fn learn(&mut self, number: Option<u64>, name: Option<T>) -> Option<u64> {
        let (Some(number), Some(name)) = (number, name.clone()) else {
            return name.and_then(|name| self.by_name.get(&name).copied().or(Some(u64::MAX)));
        };
        let known = self.by_number.entry(number).or_insert_with(|| name.clone());
        assert_eq!(known, &name, "version {number} has two names");
        let known = *self.by_name.entry(name.clone()).or_insert(number);
        assert_eq!(known, number, "two versions are {name:?}");
        Some(number)
    }
}

fn with_store(run: impl FnOnce(&Store<BaseDirectory>) -> Vec<Answer>) -> (Vec<Answer>, Contents) {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::new(BaseDirectory::open(directory.path()).unwrap(), Durability::Cache);
    let answers = run(&store);
    let staged = std::fs::read_dir(directory.path().join(".http_server")).unwrap().count();
    assert_eq!(staged, 0, "nothing stays staged");
    let mut tree = BTreeMap::new();
    walk(directory.path(), &Names::new(), &mut tree);
    (answers, tree)
}

fn walk(folder: &Path, names: &Names, tree: &mut Contents) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if names.is_empty() && entry.file_name().as_bytes() == RESERVED_NAME {
            continue;
        }
        let names: Names = names.iter().cloned().chain([entry.file_name().as_bytes().to_vec()]).collect();
        if entry.file_type().unwrap().is_dir() {
            walk(&entry.path(), &names, tree);
            tree.insert(names, None);
        } else {
            tree.insert(names, Some(std::fs::read(entry.path()).unwrap()));
        }
    }
}

fn through_store(
    store: &Store<BaseDirectory>,
    requests: &[Request],
    expected: &[Answer],
    cuts: &[usize],
) -> Vec<Answer> {
    let mut known = Known::<Version>::new();
    let mut cuts = cuts.iter().cycle();
    let mut answers = Vec::new();
    for (request, expected) in requests.iter().zip(expected) {
        let Ok(path) = FilePath::parse(request.path.as_bytes()) else {
            answers.push(Answer { status: 400, read: None, version: None, length: None });
            continue;
        };
        let condition = Some(Box::new(condition(request, &known)));
        let mut held = Held::Nothing;
        let mut cached = |operation| {
            store.run_cached(operation, &mut held).unwrap_or_else(|operation| store.run(operation, &mut held))
        };
        let outcome = match mode(request.method) {
            Some(mode) => {
                let intent = Intent { path, mode, condition };
                upload(store, intent, &request.content_bytes(), *cuts.next().unwrap(), &mut held)
            }
            None if request.method == Method::Delete => cached(Operation::Delete(path, condition)),
            None => cached(Operation::Open(path, condition)),
        };
        answers.push(judged(store, request.method, outcome, &held, (expected, &mut known)));
    }
    answers
}

fn mode(method: Method) -> Option<Mode> {
    match method {
        Method::Post => Some(Mode::Create),
        Method::Put => Some(Mode::Replace),
        Method::Patch => Some(Mode::Append),
        Method::Get | Method::Head | Method::Delete => None,
    }
}

/// The terms in the store's words.
fn condition(request: &Request, known: &Known<Version>) -> Condition {
    let version = |number: &u64| {
        let never = Version { inode: 0, modified: 0, length: *number };
        known.by_number.get(number).copied().unwrap_or(never)
    };
    let versions = |versions: &reference::Versions| match versions {
        reference::Versions::Any => Versions::Any,
        reference::Versions::Of(numbers) => Versions::Of(numbers.iter().map(version).collect()),
    };
    let second = |date| if date == Date::Past { 0 } else { i64::MAX };
    let terms = &request.terms;
    Condition {
        matches: terms.if_match.as_ref().map(versions),
        unmodified_since: terms.if_unmodified_since.map(second),
        differs: terms.if_none_match.as_ref().map(versions),
        modified_since: terms.if_modified_since.map(second),
        length: terms.upload_offset.filter(|_| request.method == Method::Patch),
    }
}

/// In one operation, or in parts of so many bytes where that is an odd number.
fn upload(
    store: &Store<BaseDirectory>,
    intent: Intent,
    content: &[u8],
    part: usize,
    held: &mut Held<BaseDirectory>,
) -> Outcome {
    if part.is_multiple_of(2) {
        return store.run(Operation::Store(intent, content.to_vec()), held);
    }
    let mut operations = vec![Operation::Stage(intent)];
    let mut parts = content.chunks(part.max(1000)).map(<[u8]>::to_vec).peekable();
    while let Some(part) = parts.next() {
        operations.push(if parts.peek().is_some() {
            Operation::Write(part)
        } else {
            Operation::Publish(part)
        });
    }
    if content.is_empty() {
        operations.push(Operation::Publish(Vec::new()));
    }
    let mut outcome = Outcome::Staged;
    for operation in operations {
        outcome = store.run(operation, held);
        if matches!(outcome, Outcome::Failed(_)) {
            break;
        }
    }
    outcome
}

/// The answer that an outcome means.
fn judged(
    store: &Store<BaseDirectory>,
    method: Method,
    outcome: Outcome,
    held: &Held<BaseDirectory>,
    (expected, known): (&Answer, &mut Known<Version>),
) -> Answer {
    let reads = matches!(method, Method::Get | Method::Head);
    let status = match &outcome {
        Outcome::Opened(_) | Outcome::Updated(_) | Outcome::Deleted => 200,
        Outcome::Created(_) => 201,
        Outcome::NotModified(_) => 304,
        Outcome::Staged | Outcome::Written(_) => panic!("{outcome:?} at the end"),
        Outcome::Failed(error) => match error.kind {
            StoreErrorKind::NotFound => 404,
            StoreErrorKind::IsDirectory if reads => 404,
            StoreErrorKind::ParentIsFile if reads || method == Method::Delete => 404,
            StoreErrorKind::IsDirectory | StoreErrorKind::ParentIsFile => 409,
            StoreErrorKind::FileExists | StoreErrorKind::DirectoryNotEmpty => 409,
            StoreErrorKind::ConditionFails => 412,
            StoreErrorKind::LengthDiffers { .. } => 409,
            StoreErrorKind::IsBaseDirectory => 403,
            kind => panic!("{kind:?}"),
        },
    };
    let (version, length) = match &outcome {
        Outcome::Opened(version)
        | Outcome::NotModified(version)
        | Outcome::Created(version)
        | Outcome::Updated(version) => (Some(*version), None),
        Outcome::Failed(StoreError { kind: StoreErrorKind::LengthDiffers { length }, .. }) => {
            (None, Some(*length))
        }
        _ => (None, None),
    };
    let read = match (outcome, held) {
        (Outcome::Opened(version), Held::File(file)) => {
            let mut content = vec![0; usize::try_from(version.length).unwrap()];
            assert_eq!(store.read(file, &mut content, 0).unwrap(), content.len());
            Some(content)
        }
        _ => None,
    };
    Answer { status, read, version: known.learn(expected.version, version), length }
}

fn through_connection(
    store: &Store<BaseDirectory>,
    requests: &[Request],
    expected: &[Answer],
    cuts: &[usize],
) -> Vec<Answer> {
    // Whatever is refused here is read past, so that no refusal ends the connection.
    let limits = Limits { discard_bytes_max: 1 << 20, ..Limits::default() };
    let mut pump = Pump::new(StoreFiles::new(store), Arc::new(limits));
    let mut known = Known::<String>::new();
    let mut answers = Vec::new();
    let mut cuts = cuts.iter().cycle();
    let mut begin = 0;
    while begin < requests.len() {
        // As many at once as need no tag that is not known yet.
        let needs_none = |request: &Request| request.terms.versions().is_empty();
        let more = requests[begin + 1..].iter().take_while(|request| needs_none(request)).count();
        let batch = begin..begin + 1 + more;
        let tag = |number| known.by_number.get(&number).cloned().unwrap_or(format!("\"0-0-{number:x}\""));
        let stream: Vec<u8> =
            requests[batch.clone()].iter().flat_map(|request| request.on_the_wire(tag)).collect();
        let sent = pump.output().len();
        let mut rest = &stream[..];
        while !rest.is_empty() {
            let (part, behind) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
            pump.send(part);
            rest = behind;
        }
        let head_only = |request: &Request| request.method == Method::Head;
        let head_only: Vec<bool> = requests[batch.clone()].iter().map(head_only).collect();
        let wire = read_answers(&pump.output()[sent..], &head_only).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(pump.end(), None, "nothing here ends the connection");
        assert_eq!(wire.len(), batch.len(), "each request has one answer");
        for ((wire, request), expected) in
            wire.into_iter().zip(&requests[batch.clone()]).zip(&expected[batch.clone()])
        {
            answers.push(on_the_wire(request, wire, expected, &mut known));
        }
        begin = batch.end;
    }
    answers
}

/// What an answer on the wire says.
fn on_the_wire(request: &Request, wire: WireAnswer, expected: &Answer, known: &mut Known<String>) -> Answer {
    let tag = wire.fields.get("etag").cloned();
    assert_eq!(tag.is_some(), wire.fields.contains_key("last-modified"), "{request}: {wire:?}");
    let content_range =
        wire.field("content-range").split_once('/').map(|(_, length)| length.parse().unwrap());
    let offset = wire.fields.get("upload-offset").map(|length| length.parse().unwrap());
    let read = match (request.method, wire.status) {
        (Method::Get, 200 | 206) => Some(wire.content),
        // The length is all that there is to see of it.
        (Method::Head, 200) => {
            let length: usize = wire.field("content-length").parse().unwrap();
            let expected = expected.read.clone().unwrap_or_default();
            Some(if expected.len() == length { expected } else { vec![0; length] })
        }
        _ => None,
    };
    let version = known.learn(expected.version, tag);
    Answer { status: wire.status, read, version, length: content_range.or(offset) }
}
