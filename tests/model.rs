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
use http_server::store::operation::{Intent, Mode, Operation, Outcome, StoreErrorKind};
use http_server::store::path::{FilePath, RESERVED_NAME};
use http_server::store::{Durability, Held, Store};
use model::alphabet::{Request, all_sequences, read_requests, requests};
use model::pump::{Pump, StoreFiles};
use model::reference::{Answer, Method, Names, Node, Reference};
use model::wire::read_answers;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// How often each method led to each status.
type Cells = RefCell<BTreeMap<(Method, u16), u32>>;

/// Every cell that the contract has for these requests.
const CELLS: &[(Method, &[u16])] = &[
    (Method::Get, &[200, 400, 404]),
    (Method::Head, &[200, 400, 404]),
    (Method::Post, &[201, 400, 409]),
    (Method::Put, &[200, 201, 400, 409]),
    (Method::Patch, &[200, 201, 400, 409]),
    (Method::Delete, &[200, 400, 403, 404, 409]),
];

#[test]
fn random_sequences_agree_with_the_reference() {
    let mut runner = TestRunner::new(Config { cases: 600, ..Config::with_source_file(file!()) });
    let sequences =
        (prop::collection::vec(requests(), 1..40), prop::collection::vec(1_usize..100_000, 1..20));
    let cells = Cells::default();
    let result = runner.run(&sequences, |(requests, cuts)| {
        compare(&requests, &cuts, &cells);
        Ok(())
    });
    println!("model:random sequences=600 cells={:?}", cells.borrow());
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
    assert_eq!(sequences.len(), 12 + 12 * 12 + 12 * 12 * 12);
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
    let mut reference = Reference::default();
    let expected: Vec<Answer> = requests
        .iter()
        .map(|request| reference.request(request.method, &request.path, &request.content_bytes()))
        .collect();
    for (request, answer) in requests.iter().zip(&expected) {
        *cells.borrow_mut().entry((request.method, answer.status)).or_insert(0) += 1;
    }
    let story = || requests.iter().map(|request| format!("{request}\n")).collect::<String>();
    let (answers, tree) = with_store(|store| through_store(store, requests, cuts));
    assert_eq!(answers, expected, "the store, on\n{}", story());
    assert_eq!(&tree, reference.tree(), "the tree of the store, on\n{}", story());
    let (answers, tree) = with_store(|store| through_connection(store, requests, cuts));
    assert_eq!(answers, expected, "the connection, on\n{}", story());
    assert_eq!(&tree, reference.tree(), "the tree of the connection, on\n{}", story());
}

fn with_store(
    run: impl FnOnce(&Store<BaseDirectory>) -> Vec<Answer>,
) -> (Vec<Answer>, BTreeMap<Names, Node>) {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::new(BaseDirectory::open(directory.path()).unwrap(), Durability::Cache);
    let answers = run(&store);
    let staged = std::fs::read_dir(directory.path().join(".http_server")).unwrap().count();
    assert_eq!(staged, 0, "nothing stays staged");
    let mut tree = BTreeMap::new();
    walk(directory.path(), &Names::new(), &mut tree);
    (answers, tree)
}

fn walk(folder: &Path, names: &Names, tree: &mut BTreeMap<Names, Node>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if names.is_empty() && entry.file_name().as_bytes() == RESERVED_NAME {
            continue;
        }
        let names: Names = names.iter().cloned().chain([entry.file_name().as_bytes().to_vec()]).collect();
        if entry.file_type().unwrap().is_dir() {
            walk(&entry.path(), &names, tree);
            tree.insert(names, Node::Directory);
        } else {
            tree.insert(names, Node::File(std::fs::read(entry.path()).unwrap()));
        }
    }
}

fn through_store(store: &Store<BaseDirectory>, requests: &[Request], cuts: &[usize]) -> Vec<Answer> {
    let cuts = RefCell::new(cuts.iter().cycle());
    let answer = |request: &Request| {
        let Ok(path) = FilePath::parse(request.path.as_bytes()) else {
            return Answer { status: 400, read: None };
        };
        let mut held = Held::Nothing;
        let mode = match request.method {
            Method::Post => Mode::Create,
            Method::Put => Mode::Replace,
            Method::Patch => Mode::Append,
            Method::Get | Method::Head => {
                let outcome = store
                    .run_cached(Operation::Open(path), &mut held)
                    .unwrap_or_else(|operation| store.run(operation, &mut held));
                return judged(store, request.method, outcome, &held);
            }
            Method::Delete => {
                let outcome = store.run(Operation::Delete(path), &mut held);
                return judged(store, request.method, outcome, &held);
            }
        };
        let part = *cuts.borrow_mut().next().unwrap();
        let outcome = upload(store, Intent { path, mode }, &request.content_bytes(), part, &mut held);
        judged(store, request.method, outcome, &held)
    };
    requests.iter().map(answer).collect()
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
) -> Answer {
    let reads = matches!(method, Method::Get | Method::Head);
    let status = match &outcome {
        Outcome::Opened { .. } | Outcome::Updated | Outcome::Deleted => 200,
        Outcome::Created => 201,
        Outcome::Staged | Outcome::Written(_) => panic!("{outcome:?} at the end"),
        Outcome::Failed(error) => match error.kind {
            StoreErrorKind::NotFound => 404,
            StoreErrorKind::IsDirectory if reads => 404,
            StoreErrorKind::ParentIsFile if reads || method == Method::Delete => 404,
            StoreErrorKind::IsDirectory | StoreErrorKind::ParentIsFile => 409,
            StoreErrorKind::FileExists | StoreErrorKind::DirectoryNotEmpty => 409,
            StoreErrorKind::IsBaseDirectory => 403,
            kind => panic!("{kind:?}"),
        },
    };
    let read = match (outcome, held) {
        (Outcome::Opened { length }, Held::File(file)) => {
            let mut content = vec![0; usize::try_from(length).unwrap()];
            assert_eq!(store.read(file, &mut content, 0).unwrap(), content.len());
            Some(content)
        }
        _ => None,
    };
    Answer { status, read }
}

fn through_connection(store: &Store<BaseDirectory>, requests: &[Request], cuts: &[usize]) -> Vec<Answer> {
    // Whatever is refused here is read past, so that no refusal ends the connection.
    let limits = Limits { discard_bytes_max: 1 << 20, ..Limits::default() };
    let mut pump = Pump::new(StoreFiles::new(store), Arc::new(limits));
    let stream: Vec<u8> = requests.iter().flat_map(Request::on_the_wire).collect();
    let mut rest = &stream[..];
    for cut in cuts.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (part, behind) = rest.split_at((*cut).min(rest.len()));
        pump.send(part);
        rest = behind;
    }
    let head_only: Vec<bool> = requests.iter().map(|request| request.method == Method::Head).collect();
    let answers = read_answers(pump.output(), &head_only).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(pump.end(), None, "nothing here ends the connection");
    assert_eq!(answers.len(), requests.len(), "each request has one answer");
    let answer = |(request, wire): (&Request, model::wire::WireAnswer)| {
        let read = match (request.method, wire.status) {
            (Method::Get, 200) => Some(wire.content),
            // The length is all that there is to see.
            (Method::Head, 200) => Some(vec![0; wire.field("content-length").parse().unwrap()]),
            _ => None,
        };
        Answer { status: wire.status, read }
    };
    let mut answers: Vec<Answer> = requests.iter().zip(answers).map(answer).collect();
    fill_in_what_head_leaves_out(requests, &mut answers);
    answers
}

/// The reference has the content of what `HEAD` is about; compared is its length.
fn fill_in_what_head_leaves_out(requests: &[Request], answers: &mut [Answer]) {
    let mut reference = Reference::default();
    for (request, answer) in requests.iter().zip(answers) {
        let expected = reference.request(request.method, &request.path, &request.content_bytes());
        if request.method == Method::Head
            && let (Some(content), Some(read)) = (expected.read, &mut answer.read)
            && content.len() == read.len()
        {
            *read = content;
        }
    }
}
