//! Files: operations on a tree of them, one atomic step each. Knows no HTTP.
//!
//! In reading order: [`path`], [`condition`], [`listing`] and [`operation`] are what can be asked, [`Store::run`]
//! carries it out, with reading in `read` and `list`, uploads in `upload` and `append`, removal in `remove`;
//! `syncs` puts it on stable storage, and `recovery` undoes what a death left; [`directory`] is what
//! it stands on, and [`base_directory`] the real one.

mod above;
mod append;
pub mod base_directory;
pub mod condition;
mod content;
pub mod directory;
mod list;
pub mod listing;
pub mod operation;
pub mod path;
mod read;
mod recovery;
mod remove;
mod staged;
mod syncs;
mod upload;
pub mod version;

use std::ffi::CString;
use std::io;
use std::sync::Arc;

use crate::shared::path_locks::PathLocks;
use directory::{Directory, Entry};
use operation::{Operation, Outcome, StoreError, StoreErrorKind};
use path::ParentPath;
use syncs::Syncs;
pub use upload::Upload;
use version::Version;

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
/// Each operation takes effect at one point between its call and its return. Whoever changes a path
/// is the only one from the check that decides to the last sync, and alone with it where something
/// could be seen that is not final yet; an append, which can take long, pins what was there instead.
/// Making holds a share of the namespace, so no directory is removed under it; where parents have to
/// be made it is owned, so that no request sees them without what they are made for.
#[derive(Debug)]
pub struct Store<D: Directory> {
    directory: Arc<D>,
    durability: Durability,
    follow_links: bool,
    /// With it what is being appended to: until an append is final, this is what there is.
    locks: PathLocks<Version>,
    syncs: Syncs,
}

/// What a connection's next operation works on. It moves with the job, so nobody shares it.
#[derive(Debug)]
pub enum Held<D: Directory> {
    /// Nothing.
    Nothing,
    /// A file, open for reading.
    File(D::File),
    /// An upload under way; it vanishes when it is dropped. Boxed, because most connections hold none.
    Upload(Box<Upload<D>>),
}

impl<D: Directory> Store<D> {
    /// The tree of `directory`.
    pub fn new(directory: D, durability: Durability) -> Store<D> {
        Store {
            syncs: Syncs::new(&directory),
            directory: Arc::new(directory),
            durability,
            follow_links: false,
            locks: PathLocks::new(),
        }
    }

    /// The same, where reads follow symbolic links that stay within the tree.
    pub fn follow_links(self, follow_links: bool) -> Store<D> {
        Store { follow_links, ..self }
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

    /// What one thread knows of where names lead: nothing yet.
    pub fn names(&self) -> D::Names {
        self.directory.names()
    }

    /// The same as [`Store::run`] where it takes no wait: with what is in memory, and locks that are free.
    ///
    /// # Errors
    /// The operation again, where it might wait; nothing has happened.
    pub fn run_cached(
        &self,
        operation: Operation,
        held: &mut Held<D>,
        names: &mut D::Names,
    ) -> Result<Outcome, Operation> {
        // To let go of an upload is to ask the disk.
        if matches!(held, Held::Upload(_)) {
            return Err(operation);
        }
        let Operation::Open(path, condition) = operation else {
            return Err(operation);
        };
        match self.open_cached(&path, condition.as_deref(), held, names) {
            Some(result) => Ok(result.unwrap_or_else(Outcome::Failed)),
            None => Err(Operation::Open(path, condition)),
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

    /// Lets go of what is held where that takes no wait, because it is a file that stays open.
    ///
    /// # Errors
    /// What is held, where it may.
    pub fn give_back(&self, held: Held<D>, inode: u64) -> Result<(), Held<D>> {
        match held {
            Held::Nothing => Ok(()),
            Held::File(file) => self.directory.give_back(file, inode).map_err(Held::File),
            Held::Upload(_) => Err(held),
        }
    }

    /// Lets go of what is held; an unfinished upload vanishes. May wait for the disk.
    pub fn discard(&self, held: Held<D>) {
        drop(held);
    }

    fn try_run(&self, operation: Operation, held: &mut Held<D>) -> Result<Outcome, StoreError> {
        match operation {
            Operation::Open(path, condition) => {
                *held = Held::Nothing;
                match self.open(&path, condition.as_deref(), held) {
                    Err(error) if error.kind == StoreErrorKind::IsDirectory => Ok(Outcome::Directory(path)),
                    result => result,
                }
            }
            Operation::List(path, view) => {
                *held = Held::Nothing;
                self.list(&path, &view)
            }
            Operation::Stage(intent) => {
                *held = Held::Nothing;
                *held = Held::Upload(Box::new(self.stage(intent)?));
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
                self.publish(*upload)
            }
            Operation::Store(intent, content) => {
                *held = Held::Nothing;
                self.store(intent, &content)
            }
            Operation::Delete(path, condition) => {
                *held = Held::Nothing;
                self.remove(&path, condition.as_deref())
            }
        }
    }

    /// Opens the directory that something is to be in.
    fn open_folder(&self, parent: &ParentPath) -> Result<D::Folder, StoreError> {
        self.directory.open_folder(parent.as_c_str()).map_err(|error| self.not_opened(parent, error))
    }

    /// Why nothing in `parent` could be opened. The system says alike of a file and of a FIFO,
    /// socket or device that it is no directory.
    fn not_opened(&self, parent: &ParentPath, error: io::Error) -> StoreError {
        let blocked = error.kind() == io::ErrorKind::NotADirectory;
        let mut error = StoreError::failed("openat2", error);
        if blocked {
            let kind = |(folder, name): (CString, CString)| {
                self.directory.open_folder(&folder).and_then(|folder| self.directory.look_up(&folder, &name))
            };
            let first = parent.steps().map(kind).find(|kind| !matches!(kind, Ok(Entry::Directory)));
            if let Some(Ok(Entry::Other)) = first {
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
