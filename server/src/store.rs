//! Files: operations on a tree of them, one atomic step each. Knows no HTTP.
//!
//! In reading order: [`path`] and [`operation`] are what can be asked, [`Store::run`] carries it
//! out, with uploads in `upload` and `append`, removal in `remove`; [`directory`] is what it stands
//! on, and [`base_directory`] the real one.

mod append;
pub mod base_directory;
mod content;
pub mod directory;
pub mod operation;
pub mod path;
mod remove;
mod staged;
mod upload;

use std::ffi::CString;
use std::io::{self, ErrorKind};
use std::sync::Arc;

use crate::shared::path_locks::PathLocks;
use directory::{Directory, Found, Kind, Wait};
use operation::{Operation, Outcome, StoreError, StoreErrorKind};
use path::{FilePath, ParentPath};
pub use upload::Upload;

/// How much an acknowledged write survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// A power cut: content, name and new parents are on stable storage before the answer.
    Disk,
    /// The death of the process, not of the machine.
    Cache,
}

/// The tree of files that is served.
///
/// Each operation takes effect at one point between its call and its return. A write holds its
/// path's lock from the check that decides to the last sync, so a read, which holds it for the
/// moment of opening, sees no version that is not final. Making holds a share of the namespace, so
/// no directory is removed under it; where parents have to be made it is owned, so that no request
/// sees them without what they are made for.
#[derive(Debug)]
pub struct Store<D: Directory> {
    directory: Arc<D>,
    durability: Durability,
    locks: PathLocks,
}

/// What a connection's next operation works on. It moves with the job, so nobody shares it.
#[derive(Debug)]
pub enum Held<D: Directory> {
    /// Nothing.
    Nothing,
    /// A file, open for reading.
    File(D::File),
    /// An upload under way; it vanishes when it is dropped.
    Upload(Upload<D>),
}

impl<D: Directory> Store<D> {
    /// The tree of `directory`.
    pub fn new(directory: D, durability: Durability) -> Store<D> {
        Store { directory: Arc::new(directory), durability, locks: PathLocks::new() }
    }

    /// Carries `operation` out; may wait for the disk. Where it fails nothing is held any more.
    pub fn run(&self, operation: Operation, held: &mut Held<D>) -> Outcome {
        match self.try_run(operation, held) {
            Ok(outcome) => outcome,
            Err(error) => {
                *held = Held::Nothing;
                Outcome::Failed(error)
            }
        }
    }

    /// The same where it takes no wait: with what is in memory, and locks that are free.
    ///
    /// # Errors
    /// The operation again, where it might wait; nothing has happened.
    pub fn run_cached(&self, operation: Operation, held: &mut Held<D>) -> Result<Outcome, Operation> {
        // To let go of an upload is to ask the disk.
        if matches!(held, Held::Upload(_)) {
            return Err(operation);
        }
        let Operation::Open(path) = operation else {
            return Err(operation);
        };
        let Some(_reading) = self.locks.try_read(path.as_bytes()) else {
            return Err(Operation::Open(path));
        };
        match self.directory.open_file(path.as_c_str(), Wait::Never) {
            // What stands in the way is looked for by a worker.
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotADirectory) => {
                Err(Operation::Open(path))
            }
            result => {
                *held = Held::Nothing;
                Ok(self.opened(&path, result, held).unwrap_or_else(Outcome::Failed))
            }
        }
    }

    /// Reads of an open file what is in memory already; less than asked for is no error.
    ///
    /// # Errors
    /// `WouldBlock` where the disk would have to be asked.
    pub fn read_cached(&self, file: &D::File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.directory.read_cached(file, buffer, offset)
    }

    /// Reads of an open file; may wait for the disk. Nothing means the end.
    ///
    /// # Errors
    /// What the system said.
    pub fn read(&self, file: &D::File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        content::retry(|| self.directory.read(file, buffer, offset))
    }

    /// Lets go of what is held; an unfinished upload vanishes. May wait for the disk.
    pub fn discard(&self, held: Held<D>) {
        drop(held);
    }

    fn try_run(&self, operation: Operation, held: &mut Held<D>) -> Result<Outcome, StoreError> {
        match operation {
            Operation::Open(path) => {
                *held = Held::Nothing;
                let _reading = self.locks.read(path.as_bytes());
                self.opened(&path, self.directory.open_file(path.as_c_str(), Wait::Allowed), held)
            }
            Operation::Stage(intent) => {
                *held = Held::Nothing;
                *held = Held::Upload(self.stage(intent)?);
                Ok(Outcome::Staged)
            }
            Operation::Write(mut content) => {
                let Held::Upload(upload) = held else { return Err(nothing_staged()) };
                self.add(upload, &content)?;
                content.clear();
                Ok(Outcome::Written(content))
            }
            Operation::Publish(content) => {
                let Held::Upload(mut upload) = std::mem::replace(held, Held::Nothing) else {
                    return Err(nothing_staged());
                };
                self.add(&mut upload, &content)?;
                self.publish(upload)
            }
            Operation::Store(intent, content) => {
                *held = Held::Nothing;
                self.store(intent, &content)
            }
            Operation::Delete(path) => {
                *held = Held::Nothing;
                self.remove(&path)
            }
        }
    }

    /// What it means that `path` was opened for reading.
    fn opened(
        &self,
        path: &FilePath,
        result: io::Result<Found<D::File>>,
        held: &mut Held<D>,
    ) -> Result<Outcome, StoreError> {
        match result {
            // Where only a directory can be meant, a file is not what was asked for.
            Ok(Found::File(..)) if path.names_directory() => {
                Err(StoreError::refused(StoreErrorKind::NotFound))
            }
            Ok(Found::File(file, length)) => {
                *held = Held::File(file);
                Ok(Outcome::Opened { length })
            }
            Ok(Found::Directory) => Err(StoreError::refused(StoreErrorKind::IsDirectory)),
            Ok(Found::Other) => Err(StoreError::refused(StoreErrorKind::NotRegular)),
            Err(error) => Err(match path.parent_and_name() {
                Some((parent, _)) => self.not_opened(&parent, error),
                None => StoreError::failed("openat2", error),
            }),
        }
    }

    /// Opens the directory that something is to be in.
    fn open_folder(&self, parent: &ParentPath) -> Result<D::Folder, StoreError> {
        self.directory.open_folder(parent.as_c_str()).map_err(|error| self.not_opened(parent, error))
    }

    /// Why nothing in `parent` could be opened. The system says alike of a file and of a FIFO,
    /// socket or device that it is no directory.
    fn not_opened(&self, parent: &ParentPath, error: io::Error) -> StoreError {
        let blocked = error.kind() == ErrorKind::NotADirectory;
        let mut error = StoreError::failed("openat2", error);
        if blocked {
            let kind = |(folder, name): (CString, CString)| {
                self.directory.open_folder(&folder).and_then(|folder| self.directory.look_up(&folder, &name))
            };
            let first = parent.steps().map(kind).find(|kind| !matches!(kind, Ok(Kind::Directory)));
            if let Some(Ok(Kind::Other)) = first {
                error.kind = StoreErrorKind::NotRegular;
            }
        }
        error
    }
}

fn nothing_staged() -> StoreError {
    StoreError::refused(StoreErrorKind::Broken)
}

#[cfg(test)]
mod tests;
