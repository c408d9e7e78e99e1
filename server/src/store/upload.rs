//! Uploads: content is staged where no client sees it, and takes effect in one step.
//!
//! Property: at every point, also one at which the process dies, the path holds the old content
//! or all of the new; what decides whether it may is looked at in the same step; and whoever
//! gets `Created` or `Updated` has it as durable as was promised.

use std::ffi::CStr;
use std::fmt;
use std::io;

use super::Store;
use super::append::{AppendTarget, refuse_undone};
use super::condition::{There, Verdict};
use super::content::{copy_all, write_all};
use super::directory::{Directory, Entry};
use super::operation::{Intent, Mode, Outcome, StoreError, StoreErrorKind};
use super::path::ParentPath;
use super::staged::StagedEntry;
use super::version::Version;
use crate::seeded::bug;
use crate::shared::path_locks::Changing;

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
    /// What it is when it is published: stamped, and as durable as was promised.
    ready: Option<Version>,
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
        // What is refused for the sake of a directory has to be there for others, too.
        let namespace = self.locks.share_namespace();
        let reading = self.locks.read(intent.path.as_bytes());
        let pinned = reading.pinned(intent.path.as_bytes());
        let (mut elsewhere, mut refused) = (false, None);
        match self.open_folder(&parent) {
            Ok(folder) => {
                elsewhere = self.directory.is_elsewhere(&folder);
                // An append to what is there changes no entry.
                if self.decide(&folder, name, &intent, pinned)?.is_none() || intent.mode != Mode::Append {
                    self.directory
                        .may_change_entries(&folder)
                        .map_err(|error| StoreError::failed("faccessat2", error))?;
                }
            }
            // Parents are made when the content is complete.
            Err(error) if error.kind == StoreErrorKind::NotFound => refused = demand(&intent, None).err(),
            Err(error) if error.kind == StoreErrorKind::ParentIsFile => refused = Some(error),
            Err(error) => return Err(error),
        }
        drop((reading, namespace));
        if let Some(error) = refused.filter(|error| self.above_is_final(&parent, error)) {
            return Err(error);
        }
        // On its own file system from the beginning, where there may be more room.
        self.begin(intent, elsewhere.then_some(parent.as_c_str()))
    }

    /// An upload whose content is all here.
    pub(super) fn store(&self, intent: Intent, content: &[u8]) -> Result<Outcome, StoreError> {
        place(&intent)?;
        let mut upload = match intent.mode {
            // To be refused is ordinary here: that needs no staging.
            Mode::Create => self.stage(intent)?,
            Mode::Replace if intent.condition.is_some() => self.stage(intent)?,
            Mode::Replace => self.begin(intent, None)?,
            Mode::Append => match self.append_whole(&intent, content)? {
                Some(outcome) => return Ok(outcome),
                None => self.begin(intent, None)?,
            },
        };
        self.add(&mut upload, content)?;
        self.publish(upload)
    }

    /// Adds `content` to what is staged.
    pub(super) fn add(&self, upload: &mut Upload<D>, content: &[u8]) -> Result<(), StoreError> {
        let staged = &mut upload.staged;
        staged.ready = None;
        write_all(&*self.directory, (&staged.file, staged.length), content)?;
        staged.length += content.len() as u64;
        Ok(())
    }

    /// Makes an upload take effect.
    pub(super) fn publish(&self, upload: Upload<D>) -> Result<Outcome, StoreError> {
        let Upload { mut intent, mut staged } = upload;
        if bug("condition_judged_before_the_lock") {
            // When the upload was staged, it held.
            intent.condition = None;
        }
        if intent.mode != Mode::Append {
            // Before any lock, because nobody else can see this file.
            self.make_ready(&mut staged)?;
        }
        let (parent, name) = place(&intent)?;
        let mut near = false;
        // `staged` is dropped last of all: freeing what is left of it holds nobody up.
        for _ in 0..ATTEMPTS_MAX {
            {
                let changing = self.locks.change(intent.path.as_bytes());
                let at = Target { changing, parent: &parent, name };
                let namespace = self.locks.share_namespace();
                match self.open_folder(&parent) {
                    Ok(folder) => match self.put(&mut staged, &folder, &intent, &at, namespace)? {
                        Attempt::Done(outcome) => return Ok(outcome),
                        Attempt::Contended => continue,
                        Attempt::Elsewhere => near = true,
                    },
                    Err(error) => {
                        let missing = error.kind == StoreErrorKind::NotFound;
                        let refused = if missing { demand(&intent, None).err() } else { Some(error) };
                        match refused {
                            Some(error) if self.above_is_final(&parent, &error) => return Err(error),
                            // What stood in the way, or was missing, was taken back.
                            Some(_) => continue,
                            None => {}
                        }
                    }
                }
            }
            if near {
                near = false;
                staged = self.stage_again(staged, &parent)?;
                continue;
            }
            // Alone until the file is there: no request sees its parents without it, and none puts
            // anything into one before it is as durable as its content will be.
            let changing = self.locks.change(intent.path.as_bytes());
            let at = Target { changing, parent: &parent, name };
            let namespace = if bug("parents_made_beside_others") {
                Err(self.locks.share_namespace())
            } else {
                Ok(self.locks.own_namespace())
            };
            match self.make_parents(&parent) {
                Ok(folder) => match self.put(&mut staged, &folder, &intent, &at, namespace)? {
                    Attempt::Done(outcome) => return Ok(outcome),
                    // Where the parents are now, the first attempt finds that out again.
                    Attempt::Contended | Attempt::Elsewhere => {}
                },
                // Another program removed one: look again.
                Err(error) if error.kind == StoreErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::refused(StoreErrorKind::Busy))
    }

    fn begin(&self, intent: Intent, near: Option<&CStr>) -> Result<Upload<D>, StoreError> {
        let (entry, file) = StagedEntry::new(&self.directory, near)?;
        Ok(Upload { intent, staged: Staged { entry, file, length: 0, ready: None } })
    }

    /// The same content on the file system on which it is to be published.
    fn stage_again(&self, staged: Staged<D>, parent: &ParentPath) -> Result<Staged<D>, StoreError> {
        let (entry, file) = StagedEntry::new(&self.directory, Some(parent.as_c_str()))?;
        copy_all(&*self.directory, &staged.file, staged.length, (&file, 0))?;
        let mut staged = Staged { entry, file, length: staged.length, ready: None };
        self.make_ready(&mut staged)?;
        Ok(staged)
    }

    /// One attempt, while nobody else changes the path.
    fn put<N>(
        &self,
        staged: &mut Staged<D>,
        folder: &D::Folder,
        intent: &Intent,
        at: &Target<'_>,
        namespace: N,
    ) -> Result<Attempt, StoreError> {
        let name = at.name;
        match (self.decide(folder, name, intent, at.changing.pinned().as_ref())?, intent.mode) {
            (None, _) => {
                let version = self.make_ready(staged)?;
                let mut alone = at.changing.alone();
                // Whatever was there is gone.
                alone.unpin();
                if bug("name_is_shown_before_its_sync") {
                    drop(alone);
                }
                self.publish_new((&mut staged.entry, version), folder, name)
            }
            (Some(_), Mode::Append) => {
                let Some(target) = self.open_for_append(folder, name, &at.changing)? else {
                    return Ok(Attempt::Contended);
                };
                // Another program may have put another file there since.
                demand(intent, Some(target.version))?;
                if target.shared {
                    return self.append_to_copy(staged, &target, folder, at);
                }
                // The copy may take long. No request can remove the file or its parents meanwhile,
                // because the path is locked.
                drop(namespace);
                let (file, length) = (&staged.file, staged.length);
                let copy = |end: (&D::File, u64)| copy_all(&*self.directory, file, length, end);
                let outcome = self.append(&at.changing, at.parent, &target, length, copy)?;
                Ok(outcome.map_or(Attempt::Contended, Attempt::Done))
            }
            (Some(before), Mode::Create | Mode::Replace) => {
                let version = self.make_ready(staged)?;
                let mut alone = at.changing.alone();
                let published = self.publish_over((&mut staged.entry, version), folder, name);
                if let Ok(Attempt::Done(_)) = published {
                    alone.unpin();
                    drop(alone);
                    self.directory.forget(before.inode);
                }
                published
            }
        }
    }

    /// A file with other names is not changed where it is, as little as when it is replaced: what is
    /// put in its place is a copy with the content behind it.
    fn append_to_copy(
        &self,
        staged: &Staged<D>,
        target: &AppendTarget<D>,
        folder: &D::Folder,
        at: &Target<'_>,
    ) -> Result<Attempt, StoreError> {
        let AppendTarget { file: old, version, .. } = target;
        if staged.length == 0 {
            return Ok(Attempt::Done(Outcome::Updated(*version)));
        }
        refuse_undone(&at.changing, version)?;
        let elsewhere = staged.entry.name()?.area != 0;
        let (mut entry, file) = StagedEntry::new(&self.directory, elsewhere.then_some(at.parent.as_c_str()))?;
        copy_all(&*self.directory, old, version.length, (&file, 0))?;
        copy_all(&*self.directory, &staged.file, staged.length, (&file, version.length))?;
        let version = self.stamp_staged(&file)?;
        self.sync_content(&file)?;
        let _alone = at.changing.alone();
        self.publish_over((&mut entry, version), folder, at.name)
    }

    /// The file that is there and that the upload may change; an error where it is refused.
    fn decide(
        &self,
        folder: &D::Folder,
        name: &CStr,
        intent: &Intent,
        pinned: Option<&Version>,
    ) -> Result<Option<Version>, StoreError> {
        match self.directory.look_up(folder, name) {
            Ok(Entry::File(version)) => {
                // While the file is appended to, it is what it was.
                let version = pinned
                    .filter(|pinned| pinned.inode == version.inode && !bug("pin_ignored_by_conditions"))
                    .copied()
                    .unwrap_or(version);
                demand(intent, Some(version))?;
                match intent.mode {
                    Mode::Create => Err(StoreError::refused(StoreErrorKind::FileExists)),
                    Mode::Replace | Mode::Append => Ok(Some(version)),
                }
            }
            Ok(Entry::Directory) => Err(StoreError::refused(StoreErrorKind::IsDirectory)),
            Ok(Entry::Other) => Err(StoreError::refused(StoreErrorKind::NotRegular)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                demand(intent, None)?;
                Ok(None)
            }
            Err(error) => Err(StoreError::failed("fstatat", error)),
        }
    }

    /// Makes the directories on the way, outermost first, and opens the last. One that was made but
    /// could not be made durable is removed: whoever found it would take it for durable.
    fn make_parents(&self, parent: &ParentPath) -> Result<D::Folder, StoreError> {
        for (path, name) in parent.steps() {
            let folder =
                self.directory.open_folder(&path).map_err(|error| StoreError::failed("openat2", error))?;
            let before = self.syncs_failed();
            match self.directory.make_folder(&folder, &name) {
                Ok(()) if bug("parents_not_synced") => {}
                Ok(()) => {
                    if let Err(error) = self.sync_entries(&folder, before) {
                        let _ = self.directory.remove_folder(&folder, &name);
                        self.sync_undone(&folder);
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
        (entry, version): (&mut StagedEntry<D>, Version),
        folder: &D::Folder,
        name: &CStr,
    ) -> Result<Attempt, StoreError> {
        let before = self.syncs_failed();
        if let Err(error) = self.directory.publish_new(entry.name()?, folder, name) {
            return attempt_failed("renameat2", error);
        }
        entry.published();
        if let Err(error) = self.sync_entries(folder, before) {
            // As before, as far as the file system still does what it is told.
            let _ = self.directory.remove_file(folder, name);
            self.sync_undone(folder);
            return Err(error);
        }
        Ok(Attempt::Done(Outcome::Created(version)))
    }

    /// The old file takes the staged one's place, from where it is removed, or put back.
    fn publish_over(
        &self,
        (entry, version): (&mut StagedEntry<D>, Version),
        folder: &D::Folder,
        name: &CStr,
    ) -> Result<Attempt, StoreError> {
        let staged_name = entry.name()?;
        let before = self.syncs_failed();
        match self.directory.exchange(staged_name, folder, name) {
            Ok(()) => {
                if let Err(error) = self.sync_entries(folder, before) {
                    let _ = self.directory.exchange(staged_name, folder, name);
                    self.sync_undone(folder);
                    return Err(error);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                if let Err(error) = self.directory.publish_over(staged_name, folder, name) {
                    return attempt_failed("renameat", error);
                }
                entry.published();
                // The old file is gone: where this fails the new one stays, and nobody is told.
                self.sync_entries(folder, before)?;
            }
            Err(error) => return attempt_failed("renameat2", error),
        }
        Ok(Attempt::Done(Outcome::Updated(version)))
    }

    /// Makes what is staged fit to be published, unless it is.
    fn make_ready(&self, staged: &mut Staged<D>) -> Result<Version, StoreError> {
        if let Some(version) = staged.ready {
            return Ok(version);
        }
        let version = self.stamp_staged(&staged.file)?;
        self.sync_content(&staged.file)?;
        staged.ready = Some(version);
        Ok(version)
    }
}

/// Where an upload is to take effect.
struct Target<'a> {
    changing: Changing<'a, Version>,
    parent: &'a ParentPath,
    name: &'a CStr,
}

/// What came of an attempt to make an upload take effect.
enum Attempt {
    /// It did.
    Done(Outcome),
    /// Another program made the name, or removed it or its parent.
    Contended,
    /// What is staged lies on another file system.
    Elsewhere,
}

fn attempt_failed(call: &'static str, error: io::Error) -> Result<Attempt, StoreError> {
    match error.kind() {
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound => Ok(Attempt::Contended),
        io::ErrorKind::CrossesDevices => Ok(Attempt::Elsewhere),
        _ => Err(StoreError::failed(call, error)),
    }
}

/// Refuses an upload whose condition does not fit what is there.
pub(super) fn demand(intent: &Intent, there: Option<Version>) -> Result<(), StoreError> {
    let Some(condition) = &intent.condition else { return Ok(()) };
    if !condition.permits(there.is_some()) {
        return Err(StoreError::refused(StoreErrorKind::NotPermitted));
    }
    if condition.judge(there.map_or(There::Nothing, There::File), false) != Verdict::Holds {
        return Err(StoreError::refused(StoreErrorKind::ConditionFails));
    }
    let length = there.map_or(0, |version| version.length);
    if condition.length.is_some_and(|demanded| demanded != length && !bug("length_demand_ignored")) {
        return Err(StoreError::refused(StoreErrorKind::LengthDiffers { length }));
    }
    Ok(())
}

/// Where an upload goes: only a path that can name a file will do.
pub(super) fn place(intent: &Intent) -> Result<(ParentPath, &CStr), StoreError> {
    let refused = || StoreError::refused(StoreErrorKind::IsDirectory);
    if intent.path.names_directory() {
        return Err(refused());
    }
    intent.path.parent_and_name().ok_or_else(refused)
}
