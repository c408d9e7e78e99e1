//! Files that exist only as far as a test of the connection needs them: what becomes of an
//! operation goes by the name of its path.

use http_server::store::condition::{Condition, There, Verdict};
use http_server::store::listing::{Listed, Listing};
use http_server::store::operation::{Intent, Mode, Operation, Outcome, StoreError, StoreErrorKind};
use http_server::store::path::FilePath;
use http_server::store::version::Version;

use crate::pump::Files;

/// Answers by name alone: `missing` and `full` fail, `full-later` fails once content is written,
/// `new` is made, `empty` has no content; everything else is there.
#[derive(Clone, Debug, Default)]
pub struct Scripted {
    /// The name of the upload that is held.
    staged: Option<Intent>,
    content: Vec<u8>,
}

/// When a file that is there was last changed: `Sun, 06 Nov 1994 08:49:37 GMT`.
pub const MODIFIED_SECONDS: i64 = 784_111_777;
/// The entity tag of a file that is there.
pub const TAG: &str = "\"1-ae1b981bc490a05-64\"";
/// Bytes of a file that is there.
pub const FILE_BYTES: u64 = 100;

impl Files for Scripted {
    fn run(&mut self, operation: Operation) -> Outcome {
        match operation {
            Operation::Open(path, condition) => self.open(&path, condition.as_deref()),
            Operation::List(path, _) => decide(&path, None).map_or_else(listed, failed),
            Operation::Delete(path, condition) => {
                decide(&path, condition.as_deref()).map_or(Outcome::Deleted, failed)
            }
            Operation::Stage(intent) => match decide(&intent.path, intent.condition.as_deref()) {
                Some(kind) => failed(kind),
                None => {
                    self.staged = Some(intent);
                    Outcome::Staged
                }
            },
            Operation::Write(mut buffer) => {
                let full_later =
                    self.staged.as_ref().is_some_and(|held| held.path.as_bytes() == b"full-later");
                if full_later {
                    self.staged = None;
                    return failed(StoreErrorKind::NoSpace);
                }
                buffer.clear();
                if self.staged.is_some() { Outcome::Written(buffer) } else { failed(StoreErrorKind::Broken) }
            }
            Operation::Publish(_) => {
                self.staged.take().map_or(failed(StoreErrorKind::Broken), |held| publish(&held))
            }
            Operation::Store(intent, _) => publish(&intent),
        }
    }

    fn read(&mut self, offset: u64, length: usize) -> Vec<u8> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        self.content.iter().skip(start).take(length).copied().collect()
    }
}

impl Scripted {
    fn open(&mut self, path: &FilePath, condition: Option<&Condition>) -> Outcome {
        if let Some(kind) = decide(path, None) {
            return failed(kind);
        }
        let length = if path.as_bytes() == b"empty" { 0 } else { FILE_BYTES };
        match condition.map(|condition| condition.judge(There::File(version(length)), true)) {
            Some(Verdict::NotModified) => return Outcome::NotModified(version(length)),
            Some(Verdict::Fails) => return failed(StoreErrorKind::ConditionFails),
            Some(Verdict::Holds) | None => {}
        }
        self.content = (0..length).map(|number| b'a' + (number % 26) as u8).collect();
        Outcome::Opened(version(length))
    }
}

/// A directory with a file and a directory in it.
fn listed() -> Outcome {
    let file = Listed { name: b"file".to_vec(), file: Some(version(FILE_BYTES)) };
    let entries = vec![file, Listed { name: b"folder".to_vec(), file: None }];
    Outcome::Listed(Box::new(Listing { entries, sorted: true, next: None }))
}

/// Of every file so long.
fn version(length: u64) -> Version {
    Version { inode: 1, modified: MODIFIED_SECONDS * 1_000_000_000 + 5, length }
}

fn publish(intent: &Intent) -> Outcome {
    match (decide(&intent.path, intent.condition.as_deref()), intent.mode) {
        (Some(kind), _) => failed(kind),
        (None, Mode::Create) => Outcome::Created(version(1)),
        (None, _) if intent.path.as_bytes() == b"new" => Outcome::Created(version(1)),
        (None, _) => Outcome::Updated(version(1)),
    }
}

fn decide(path: &FilePath, condition: Option<&Condition>) -> Option<StoreErrorKind> {
    let length = match path.as_bytes() {
        b"new" | b"missing" => 0,
        _ => FILE_BYTES,
    };
    let there = if length == 0 { There::Nothing } else { There::File(version(length)) };
    match (path.as_bytes(), condition) {
        (_, Some(condition)) if condition.judge(there, false) != Verdict::Holds => {
            Some(StoreErrorKind::ConditionFails)
        }
        (_, Some(Condition { length: Some(demanded), .. })) if *demanded != length => {
            Some(StoreErrorKind::LengthDiffers { length })
        }
        (b"missing", _) => Some(StoreErrorKind::NotFound),
        (b"full", _) => Some(StoreErrorKind::NoSpace),
        _ => None,
    }
}

fn failed(kind: StoreErrorKind) -> Outcome {
    Outcome::Failed(StoreError { kind, call: "scripted", source: None })
}
