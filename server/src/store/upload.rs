//! Uploads: content is staged where no client sees it, and takes effect in one step.
//!
//! Property: at every point, also one at which the process dies, the path holds the old content
//! or all of the new (an append in place is the exception: see `append`); and whoever
//! gets `Created` or `Updated` has it as durable as was promised.

use std::ffi::CStr;
use std::fmt;
use std::io;

use super::content::{copy_all, write_all};
use super::directory::{Directory, Kind};
use super::operation::{Intent, Mode, Outcome, StoreError, StoreErrorKind};
use super::path::ParentPath;
use super::staged::StagedEntry;
use super::{Durability, Store};

/// An upload under way: its content so far is staged. Dropped, it leaves nothing behind.
pub struct Upload<D: Directory> {
    intent: Intent,
    staged: Staged<D>,
}

/// Content that no client sees.
struct Staged<D: Directory> {
    entry: StagedEntry<D>,
    file: D::File,
    length: u64,
    /// All of it is on stable storage.
    synced: bool,
}

impl<D: Directory> fmt::Debug for Upload<D> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?} with {} bytes staged", self.intent, self.staged.length)
    }
}

/// How often a step is tried again that other programs interfered with.
const ATTEMPTS_MAX: usize = 8;

impl<D: Directory> Store<D> {
    /// Begins an upload, unless it is known now that it would be in vain. What decides is looked
    /// at again when it is published.
    pub(super) fn stage(&self, intent: Intent) -> Result<Upload<D>, StoreError> {
        let (parent, name) = place(&intent)?;
        let reading = self.locks.read(intent.path.as_bytes());
        match self.open_folder(&parent) {
            Ok(folder) => {
                // An append to what is there changes no entry.
                if !self.decide(&folder, name, intent.mode)? || intent.mode != Mode::Append {
                    self.directory
                        .may_change_entries(&folder)
                        .map_err(|error| StoreError::failed("faccessat2", error))?;
                }
            }
            // Parents are made when the content is complete.
            Err(error) if error.kind == StoreErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        drop(reading);
        self.begin(intent)
    }

    /// An upload whose content is all here.
    pub(super) fn store(&self, intent: Intent, content: &[u8]) -> Result<Outcome, StoreError> {
        place(&intent)?;
        let mut upload = match intent.mode {
            // A name that is taken is its ordinary refusal: that needs no staging.
            Mode::Create => self.stage(intent)?,
            Mode::Replace => self.begin(intent)?,
            Mode::Append => match self.append_whole(&intent, content)? {
                Some(outcome) => return Ok(outcome),
                None => self.begin(intent)?,
            },
        };
        self.add(&mut upload, content)?;
        self.publish(upload)
    }

    /// Adds `content` to what is staged.
    pub(super) fn add(&self, upload: &mut Upload<D>, content: &[u8]) -> Result<(), StoreError> {
        let staged = &mut upload.staged;
        staged.synced = false;
        write_all(&*self.directory, (&staged.file, staged.length), content)?;
        staged.length += content.len() as u64;
        Ok(())
    }

    /// Makes an upload take effect.
    pub(super) fn publish(&self, upload: Upload<D>) -> Result<Outcome, StoreError> {
        let Upload { intent, mut staged } = upload;
        if intent.mode != Mode::Append {
            // Before any lock, because nobody else can see this file.
            self.sync_staged(&mut staged)?;
        }
        let (parent, name) = place(&intent)?;
        // `staged` is dropped last of all: freeing what is left of it holds nobody up.
        for _ in 0..ATTEMPTS_MAX {
            {
                let namespace = self.locks.share_namespace();
                let _writing = self.locks.write(intent.path.as_bytes());
                match self.open_folder(&parent) {
                    Ok(folder) => match self.put(&mut staged, &folder, (name, intent.mode), namespace)? {
                        Some(outcome) => return Ok(outcome),
                        None => continue,
                    },
                    Err(error) if error.kind == StoreErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
            // Alone until the file is there: no request sees its parents without it, and none puts
            // anything into one before it is as durable as its content will be.
            let namespace = self.locks.own_namespace();
            let _writing = self.locks.write(intent.path.as_bytes());
            let outcome = match self.make_parents(&parent) {
                Ok(folder) => self.put(&mut staged, &folder, (name, intent.mode), namespace)?,
                // Another program removed one: look again.
                Err(error) if error.kind == StoreErrorKind::NotFound => None,
                Err(error) => return Err(error),
            };
            if let Some(outcome) = outcome {
                return Ok(outcome);
            }
        }
        Err(StoreError::refused(StoreErrorKind::Busy))
    }

    fn begin(&self, intent: Intent) -> Result<Upload<D>, StoreError> {
        let (entry, file) = StagedEntry::new(&self.directory)?;
        Ok(Upload { intent, staged: Staged { entry, file, length: 0, synced: false } })
    }

    /// One attempt, with the path's lock; nothing where another program interfered.
    fn put<N>(
        &self,
        staged: &mut Staged<D>,
        folder: &D::Folder,
        (name, mode): (&CStr, Mode),
        namespace: N,
    ) -> Result<Option<Outcome>, StoreError> {
        match (self.decide(folder, name, mode)?, mode) {
            (false, _) => {
                self.sync_staged(staged)?;
                self.publish_new(&mut staged.entry, folder, name)
            }
            (true, Mode::Append) => {
                let Some(target) = self.open_for_append(folder, name)? else { return Ok(None) };
                // The copy may take long. No request can remove the file or its parents meanwhile,
                // because the path is locked.
                drop(namespace);
                let (file, length) = (&staged.file, staged.length);
                self.append(&target, |end| copy_all(&*self.directory, file, length, end)).map(Some)
            }
            (true, Mode::Create | Mode::Replace) => self.publish_over(&mut staged.entry, folder, name),
        }
    }

    /// Whether a file is there that `mode` may change; an error where the upload is refused.
    fn decide(&self, folder: &D::Folder, name: &CStr, mode: Mode) -> Result<bool, StoreError> {
        match self.directory.look_up(folder, name) {
            Ok(Kind::File) if mode == Mode::Create => Err(StoreError::refused(StoreErrorKind::FileExists)),
            Ok(Kind::File) => Ok(true),
            Ok(Kind::Directory) => Err(StoreError::refused(StoreErrorKind::IsDirectory)),
            Ok(Kind::Other) => Err(StoreError::refused(StoreErrorKind::NotRegular)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(StoreError::failed("fstatat", error)),
        }
    }

    /// Makes the directories on the way, outermost first, and opens the last. One that was made but
    /// could not be made durable is removed: whoever found it would take it for durable.
    fn make_parents(&self, parent: &ParentPath) -> Result<D::Folder, StoreError> {
        for (path, name) in parent.steps() {
            let folder =
                self.directory.open_folder(&path).map_err(|error| StoreError::failed("openat2", error))?;
            match self.directory.make_folder(&folder, &name) {
                Ok(()) => {
                    if let Err(error) = self.sync_entries(&folder) {
                        let _ = self.directory.remove_folder(&folder, &name);
                        return Err(error);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(StoreError::failed("mkdirat", error)),
            }
        }
        self.open_folder(parent)
    }

    fn publish_new(
        &self,
        entry: &mut StagedEntry<D>,
        folder: &D::Folder,
        name: &CStr,
    ) -> Result<Option<Outcome>, StoreError> {
        if let Err(error) = self.directory.publish_new(entry.name()?, folder, name) {
            return unless_contended("renameat2", error);
        }
        entry.published();
        if let Err(error) = self.sync_entries(folder) {
            // As before, as far as the file system still does what it is told.
            let _ = self.directory.remove_file(folder, name);
            return Err(error);
        }
        Ok(Some(Outcome::Created))
    }

    /// The old file takes the staged one's place, from where it is removed, or put back.
    fn publish_over(
        &self,
        entry: &mut StagedEntry<D>,
        folder: &D::Folder,
        name: &CStr,
    ) -> Result<Option<Outcome>, StoreError> {
        let staged_name = entry.name()?;
        match self.directory.exchange(staged_name, folder, name) {
            Ok(()) => {
                if let Err(error) = self.sync_entries(folder) {
                    let _ = self.directory.exchange(staged_name, folder, name);
                    return Err(error);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                if let Err(error) = self.directory.publish_over(staged_name, folder, name) {
                    return unless_contended("renameat", error);
                }
                entry.published();
                // The old file is gone: where this fails the new one stays, and nobody is told.
                self.sync_entries(folder)?;
            }
            Err(error) => return unless_contended("renameat2", error),
        }
        Ok(Some(Outcome::Updated))
    }

    fn sync_staged(&self, staged: &mut Staged<D>) -> Result<(), StoreError> {
        if !staged.synced {
            self.sync_content(&staged.file)?;
            staged.synced = true;
        }
        Ok(())
    }

    /// Puts content on stable storage, where that was promised.
    pub(super) fn sync_content(&self, file: &D::File) -> Result<(), StoreError> {
        match self.durability {
            Durability::Cache => Ok(()),
            Durability::Disk => {
                self.directory.sync_file(file).map_err(|error| StoreError::failed("fdatasync", error))
            }
        }
    }
}

/// Nothing where another program made the name, or removed it or its parent.
fn unless_contended(call: &'static str, error: io::Error) -> Result<Option<Outcome>, StoreError> {
    match error.kind() {
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound => Ok(None),
        _ => Err(StoreError::failed(call, error)),
    }
}

/// Where an upload goes: only a path that can name a file will do.
pub(super) fn place(intent: &Intent) -> Result<(ParentPath, &CStr), StoreError> {
    let refused = || StoreError::refused(StoreErrorKind::IsDirectory);
    if intent.path.names_directory() {
        return Err(refused());
    }
    intent.path.parent_and_name().ok_or_else(refused)
}
