//! Uploads: content is staged where no client sees it, and takes effect in one step.
//!
//! Property: at every point, also one at which the process dies, the path holds the old content
//! or all of the new; and whoever gets `Created` or `Updated` has it as durable as was promised.

use std::ffi::CStr;
use std::fmt;
use std::io;
use std::sync::Arc;

use super::directory::{Directory, Found, Kind, StagedName};
use super::operation::{Intent, Mode, Outcome, StoreError, StoreErrorKind};
use super::path::ParentPath;
use super::{Durability, Store};

/// An upload under way: its content so far is staged. Dropped, it leaves nothing behind.
pub struct Upload<D: Directory> {
    intent: Intent,
    staged: Staged<D>,
    length: u64,
}

/// Owns a staged file and its name: whatever is there under that name is removed with it.
struct Staged<D: Directory> {
    directory: Arc<D>,
    file: D::File,
    /// Nothing once the file has another name.
    name: Option<StagedName>,
}

impl<D: Directory> fmt::Debug for Upload<D> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?} with {} bytes staged", self.intent, self.length)
    }
}

impl<D: Directory> Drop for Staged<D> {
    fn drop(&mut self) {
        if let Some(name) = self.name.take() {
            // Nobody can be told; what remains is swept at the next start.
            let _ = self.directory.unstage(name);
        }
    }
}

impl<D: Directory> Staged<D> {
    fn new(directory: &Arc<D>) -> Result<Staged<D>, StoreError> {
        let (file, name) = directory.stage().map_err(|error| match error.raw_os_error() {
            // Whoever makes an upload has done nothing wrong where our own directory is gone.
            Some(libc::ENOENT | libc::EEXIST) => {
                StoreError { kind: StoreErrorKind::InputOutput, ..StoreError::failed("openat", error) }
            }
            _ => StoreError::failed("openat", error),
        })?;
        Ok(Staged { directory: Arc::clone(directory), file, name: Some(name) })
    }

    fn name(&self) -> Result<StagedName, StoreError> {
        self.name.ok_or(StoreError::refused(StoreErrorKind::Broken))
    }
}

impl<D: Directory> Upload<D> {
    /// Adds `content` to what is staged.
    pub(super) fn write(&mut self, content: &[u8]) -> Result<(), StoreError> {
        write_all(&*self.staged.directory, &self.staged.file, content, self.length)?;
        self.length += content.len() as u64;
        Ok(())
    }
}

/// How often a step is tried again that other programs interfered with.
const ATTEMPTS_MAX: usize = 8;

impl<D: Directory> Store<D> {
    /// Begins an upload, unless it is known now that it would be in vain. What decides is looked
    /// at again when it is published.
    pub(super) fn stage(&self, intent: Intent) -> Result<Upload<D>, StoreError> {
        let (parent, name) = place(&intent)?;
        match self.open_folder(&parent) {
            Ok(folder) => drop(self.decide(&folder, name, intent.mode)?),
            // Parents are made when the content is complete.
            Err(error) if error.kind == StoreErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(Upload { intent, staged: Staged::new(&self.directory)?, length: 0 })
    }

    /// An upload whose content is all here.
    pub(super) fn store(&self, intent: Intent, content: &[u8]) -> Result<Outcome, StoreError> {
        if intent.mode == Mode::Append {
            let (parent, name) = place(&intent)?;
            let _namespace = self.locks.share_namespace();
            let _writing = self.locks.write(intent.path.as_bytes());
            // What is in memory need not be staged to be appended.
            match self.open_folder(&parent) {
                Ok(folder) => {
                    if let Some(target) = self.open_for_append(&folder, name)? {
                        return self.append(&target, |file, offset| {
                            write_all(&*self.directory, file, content, offset)
                        });
                    }
                }
                Err(error) if error.kind == StoreErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        let mut upload = self.stage(intent)?;
        upload.write(content)?;
        self.publish(upload)
    }

    /// Makes an upload take effect.
    pub(super) fn publish(&self, upload: Upload<D>) -> Result<Outcome, StoreError> {
        let Upload { intent, mut staged, length } = upload;
        // Before any lock: nobody else can see this file.
        if self.durability == Durability::Disk {
            self.directory.sync_file(&staged.file).map_err(|error| StoreError::failed("fdatasync", error))?;
        }
        let (parent, name) = place(&intent)?;
        for _ in 0..ATTEMPTS_MAX {
            let namespace = self.locks.share_namespace();
            let writing = self.locks.write(intent.path.as_bytes());
            let folder = match self.open_folder(&parent) {
                Ok(folder) => folder,
                Err(error) if error.kind == StoreErrorKind::NotFound => {
                    drop((writing, namespace));
                    self.make_parents(&parent)?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let there = self.decide(&folder, name, intent.mode)?;
            let published = match (there, intent.mode) {
                (false, _) => self.publish_new(&mut staged, &folder, name),
                (true, Mode::Append) => match self.open_for_append(&folder, name)? {
                    Some(target) => {
                        return self
                            .append(&target, |file, offset| self.copy(&staged.file, length, file, offset));
                    }
                    None => continue,
                },
                (true, _) => self.publish_over(&mut staged, &folder, name),
            };
            match published {
                // Another program made it, or removed the parent: look again.
                Err(error) if matches!(error.kind, StoreErrorKind::FileExists | StoreErrorKind::NotFound) => {
                }
                result => return result,
            }
        }
        Err(StoreError::refused(StoreErrorKind::Busy))
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

    /// Makes the directories on the way. Alone: nobody puts anything into one before it is as
    /// durable as its content will be.
    fn make_parents(&self, parent: &ParentPath) -> Result<(), StoreError> {
        let _namespace = self.locks.own_namespace();
        for (path, name) in parent.steps() {
            let folder =
                self.directory.open_folder(&path).map_err(|error| StoreError::failed("openat2", error))?;
            match self.directory.make_folder(&folder, &name) {
                Ok(()) => self.sync_entries(&folder)?,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(StoreError::failed("mkdirat", error)),
            }
        }
        Ok(())
    }

    fn publish_new(
        &self,
        staged: &mut Staged<D>,
        folder: &D::Folder,
        name: &CStr,
    ) -> Result<Outcome, StoreError> {
        self.directory
            .publish_new(staged.name()?, folder, name)
            .map_err(|error| StoreError::failed("renameat2", error))?;
        staged.name = None;
        if let Err(error) = self.sync_entries(folder) {
            // As before, as far as the file system still does what it is told.
            let _ = self.directory.remove_file(folder, name);
            return Err(error);
        }
        Ok(Outcome::Created)
    }

    /// The old file takes the staged one's place, from where it is removed, or put back.
    fn publish_over(
        &self,
        staged: &mut Staged<D>,
        folder: &D::Folder,
        name: &CStr,
    ) -> Result<Outcome, StoreError> {
        let staged_name = staged.name()?;
        match self.directory.exchange(staged_name, folder, name) {
            Ok(()) => {
                if let Err(error) = self.sync_entries(folder) {
                    let _ = self.directory.exchange(staged_name, folder, name);
                    return Err(error);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                self.directory
                    .publish_over(staged_name, folder, name)
                    .map_err(|error| StoreError::failed("renameat", error))?;
                staged.name = None;
                // The old file is gone: where this fails the new one stays, and nobody is told.
                self.sync_entries(folder)?;
            }
            Err(error) => return Err(StoreError::failed("renameat2", error)),
        }
        Ok(Outcome::Updated)
    }

    /// The file to append to and its length; nothing where nothing is there.
    fn open_for_append(&self, folder: &D::Folder, name: &CStr) -> Result<Option<(D::File, u64)>, StoreError> {
        match self.directory.open_for_append(folder, name) {
            Ok(Found::File(file, length)) => Ok(Some((file, length))),
            Ok(Found::Directory) => Err(StoreError::refused(StoreErrorKind::IsDirectory)),
            Ok(Found::Other) => Err(StoreError::refused(StoreErrorKind::NotRegular)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::failed("openat2", error)),
        }
    }

    /// Lets `write` write behind the end of a file whose lock is held; where that fails the file
    /// is cut to what it was. Readers pinned the length when they opened it.
    fn append(
        &self,
        (file, length): &(D::File, u64),
        write: impl FnOnce(&D::File, u64) -> Result<(), StoreError>,
    ) -> Result<Outcome, StoreError> {
        let result = write(file, *length).and_then(|()| match self.durability {
            Durability::Cache => Ok(()),
            Durability::Disk => {
                self.directory.sync_file(file).map_err(|error| StoreError::failed("fdatasync", error))
            }
        });
        if let Err(error) = result {
            // As before, as far as the file system still does what it is told.
            let _ = self.directory.truncate(file, *length);
            return Err(error);
        }
        Ok(Outcome::Updated)
    }

    /// Copies `length` bytes to `offset` of another file: as much work as there is to append.
    fn copy(&self, from: &D::File, length: u64, to: &D::File, offset: u64) -> Result<(), StoreError> {
        let mut piece = vec![0; COPY_BYTES.min(usize::try_from(length).unwrap_or(COPY_BYTES))];
        let mut done = 0;
        while done < length {
            let count = retry(|| self.directory.read(from, &mut piece, done))
                .map_err(|error| StoreError::failed("pread", error))?;
            if count == 0 {
                return Err(StoreError::refused(StoreErrorKind::Broken));
            }
            write_all(&*self.directory, to, &piece[..count], offset + done)?;
            done += count as u64;
        }
        Ok(())
    }
}

/// Bytes that are copied at a time.
const COPY_BYTES: usize = 256 * 1024;

/// Where an upload goes: only a path that can name a file will do.
fn place(intent: &Intent) -> Result<(ParentPath, &CStr), StoreError> {
    let refused = || StoreError::refused(StoreErrorKind::IsDirectory);
    if intent.path.names_directory() {
        return Err(refused());
    }
    intent.path.parent_and_name().ok_or_else(refused)
}

fn write_all<D: Directory>(
    directory: &D,
    file: &D::File,
    mut content: &[u8],
    mut offset: u64,
) -> Result<(), StoreError> {
    while !content.is_empty() {
        let count = retry(|| directory.write(file, content, offset))
            .and_then(|count| if count == 0 { Err(io::ErrorKind::WriteZero.into()) } else { Ok(count) })
            .map_err(|error| StoreError::failed("pwrite", error))?;
        content = &content[count..];
        offset += count as u64;
    }
    Ok(())
}

/// Calls again as long as a signal interrupts.
fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
