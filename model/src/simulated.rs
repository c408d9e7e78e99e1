//! A directory in memory that can crash and fail: [`Simulated`].
//!
//! It does what the calls of `BaseDirectory` do on a file system of which only this is known: a
//! rename is one step, and what was synced stays. Numbers of inodes are used again as soon as they
//! are free, and the clock moves only when a test says so.

mod history;
mod image;
mod state;
mod step;
#[cfg(test)]
mod tests;

use std::ffi::CStr;
use std::io::{self, ErrorKind};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http_server::store::directory::{Directory, Entry, FolderEntry, Found, StagedName};
use http_server::store::version::Version;

pub use history::{Crash, History};
use image::{Change, Id, Kind, Name, Reserved, STAGING, to_usize};
pub use image::{Image, Tree};
use state::{EBADF, EISDIR, ENOENT, ENOTDIR, ENOTEMPTY, EXDEV, State, error};
use step::Step;

/// Bytes that a disk writes whole or not at all.
pub const BLOCK_BYTES: usize = 4096;
/// By how much the time of a change may be behind the clock, as the real directory has it.
const TICK: i64 = 20_000_000;

/// What goes wrong with one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It fails with this number, and does nothing.
    Error(i32),
    /// The same for it and all that follow.
    ErrorFromThere(i32),
    /// A read, write or copy takes a part; other calls go well.
    Short,
    /// The same is interrupted.
    Interrupted,
}

/// A directory in memory. Its copies are the same directory.
#[derive(Clone, Debug)]
pub struct Simulated {
    state: Arc<Mutex<State>>,
    step: Step,
}

impl Simulated {
    /// What a disk holds, at this time. One that is `plain` can neither exchange two names, nor
    /// copy, nor retire a file, as some file systems cannot.
    pub fn new(image: &Image, time: i64, plain: bool) -> Simulated {
        Simulated { state: Arc::new(Mutex::new(State::new(image, time, plain))), step: Step::default() }
    }

    /// The same, empty.
    pub fn empty(time: i64) -> Simulated {
        Simulated::new(&Image::empty(), time, false)
    }

    /// Moves the clock, also back.
    pub fn set_time(&self, time: i64) {
        self.lock().time = time;
    }

    /// Lets the n-th call from now on go wrong; the first is 1.
    pub fn fail(&self, fault: Fault, nth: usize) {
        let mut state = self.lock();
        (state.fault, state.struck) = (Some((fault, nth)), None);
    }

    /// All goes well from now on. The name of the call that first went wrong.
    pub fn repair(&self) -> Option<&'static str> {
        let mut state = self.lock();
        state.fault = None;
        state.struck.take()
    }

    /// What the death of the process leaves at this point.
    pub fn image(&self) -> Image {
        self.lock().live.clone().settled()
    }

    /// All that has happened.
    pub fn history(&self) -> History {
        self.lock().history.clone()
    }

    /// How many events that are.
    pub fn events(&self) -> usize {
        self.lock().history.len()
    }

    /// What clients can reach.
    pub fn tree(&self) -> Tree {
        self.lock().live.tree()
    }

    /// What they cannot reach.
    pub fn staged(&self) -> Vec<StagedName> {
        self.lock().live.staged()
    }

    /// Files and directories that are open.
    pub fn handles(&self) -> usize {
        self.lock().open.values().sum()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call begins, and may fail at once.
    fn call(&self, name: &'static str) -> io::Result<MutexGuard<'_, State>> {
        self.step.take();
        self.call_unseen(name)
    }

    /// The same for one whose order with those of others makes no difference.
    fn call_unseen(&self, name: &'static str) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.lock();
        state.strike(name)?;
        Ok(state)
    }

    /// The same for one on what is open.
    fn call_on(&self, name: &'static str, handle: &Handle) -> io::Result<MutexGuard<'_, State>> {
        self.step_on(handle.id);
        self.call_unseen(name)
    }

    /// What only its owner can reach is touched by nobody else.
    #[cfg(loom)]
    fn step_on(&self, id: Id) {
        let within_reach = self.lock().live.is_within_reach(id);
        if within_reach {
            self.step.take();
        }
    }

    #[cfg(not(loom))]
    fn step_on(&self, _id: Id) {}

    /// The same for one that moves up to `length` bytes: how many it may.
    fn transfer(
        &self,
        name: &'static str,
        handle: &Handle,
        length: usize,
    ) -> io::Result<(MutexGuard<'_, State>, usize)> {
        self.step_on(handle.id);
        let mut state = self.lock();
        let length = state.part(name, length)?;
        Ok((state, length))
    }

    fn handle(&self, state: &mut State, id: Id, access: Access) -> Handle {
        *state.open.entry(id).or_insert(0) += 1;
        Handle { directory: self.clone(), id, access }
    }

    fn found(&self, state: &mut State, id: Id, access: Access) -> Found<Handle> {
        if state.live.is_folder(id) {
            return Found::Directory;
        }
        let version = state.live.version(id);
        Found::File(self.handle(state, id, access), version)
    }

    fn sync(&self, name: &'static str, id: Id) -> io::Result<()> {
        self.step_on(id);
        let mut state = self.lock();
        let result = state.strike(name);
        state.synced(id, result.is_ok());
        result
    }
}

/// What a handle is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    Read,
    Write,
    Both,
}

/// An open file or directory. The inode lives as long, whatever becomes of its names.
#[derive(Debug)]
pub struct Handle {
    directory: Simulated,
    id: Id,
    access: Access,
}

impl Handle {
    fn id_for(&self, access: Access) -> io::Result<Id> {
        if self.access == access || self.access == Access::Both { Ok(self.id) } else { Err(error(EBADF)) }
    }
}

impl Handle {
    /// Reads as [`Directory::read`] does, where nothing can go wrong.
    ///
    /// # Errors
    /// Where it is not open for reading.
    pub fn content_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.directory.lock();
        let content = state.live.content(self.id_for(Access::Read)?);
        let rest = content.get(to_usize(offset)..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut state = self.directory.lock();
        match state.open.get_mut(&self.id) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(state.open.remove(&self.id)),
        }
    }
}

fn plain(name: &CStr) -> Name {
    Name::Plain(name.to_bytes().to_vec())
}

impl Directory for Simulated {
    type File = Handle;
    type Folder = Handle;
    type Names = ();

    fn open_file(&self, path: &CStr) -> io::Result<Found<Handle>> {
        let mut state = self.call("open_file")?;
        let id = state.resolve(path)?;
        Ok(self.found(&mut state, id, Access::Read))
    }

    fn open_cached(&self, path: &CStr, (): &mut ()) -> io::Result<Found<Handle>> {
        self.open_file(path)
    }

    fn names(&self) {}

    fn read_cached(&self, file: &Handle, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.read(file, buffer, offset)
    }

    fn read(&self, file: &Handle, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let (state, length) = self.transfer("read", file, buffer.len())?;
        let content = state.live.content(file.id_for(Access::Read)?);
        let rest = content.get(to_usize(offset)..).unwrap_or_default();
        let count = rest.len().min(length);
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn open_folder(&self, path: &CStr) -> io::Result<Handle> {
        let mut state = self.call("open_folder")?;
        let id = state.resolve(path)?;
        if !state.live.is_folder(id) {
            return Err(error(ENOTDIR));
        }
        Ok(self.handle(&mut state, id, Access::Read))
    }

    fn folder_key(&self, folder: &Handle) -> io::Result<(u64, u64)> {
        Ok((0, self.call_unseen("folder_key")?.live.version(folder.id).inode))
    }

    fn look_up(&self, folder: &Handle, name: &CStr) -> io::Result<Entry> {
        let state = self.call("look_up")?;
        let id = state.find(folder.id, &plain(name))?;
        Ok(if state.live.is_folder(id) { Entry::Directory } else { Entry::File(state.live.version(id)) })
    }

    fn read_folder(
        &self,
        folder: &Handle,
        from: i64,
        each: &mut dyn FnMut(FolderEntry<'_>) -> ControlFlow<()>,
    ) -> io::Result<()> {
        let state = self.call("read_folder")?;
        if !state.is_linked(folder.id) {
            return Err(error(ENOENT));
        }
        let positions = state.live.positions(folder.id);
        drop(state);
        for (position, name) in positions.range(from..) {
            if each(FolderEntry { name, is_other: false, next: position + 1 }).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn open_for_append(&self, folder: &Handle, name: &CStr) -> io::Result<Found<Handle>> {
        let mut state = self.call("open_for_append")?;
        let id = state.find(folder.id, &plain(name))?;
        Ok(self.found(&mut state, id, Access::Both))
    }

    fn make_folder(&self, folder: &Handle, name: &CStr) -> io::Result<()> {
        let mut state = self.call("make_folder")?;
        state.must_be_new(folder.id, &plain(name))?;
        let id = state.birth(Kind::Folder(std::collections::BTreeMap::new()));
        state.names(vec![(folder.id, plain(name), Some(id))]);
        Ok(())
    }

    fn stage(&self, near: Option<&CStr>) -> io::Result<(Handle, StagedName)> {
        let mut state = self.call_unseen("stage")?;
        if near.is_some() {
            return Err(error(EXDEV));
        }
        let staged = state.next_staged(None);
        let id = state.birth(Kind::File(Arc::default(), 0));
        state.names(vec![(STAGING, Name::Staged(staged), Some(id))]);
        Ok((self.handle(&mut state, id, Access::Both), staged))
    }

    fn write(&self, file: &Handle, content: &[u8], offset: u64) -> io::Result<usize> {
        let (mut state, length) = self.transfer("write", file, content.len())?;
        state.write(file.id_for(Access::Write)?, &content[..length], offset);
        Ok(length)
    }

    fn copy(&self, from: (&Handle, u64), to: (&Handle, u64), length: u64) -> io::Result<u64> {
        let (mut state, length) = self.transfer("copy", to.0, to_usize(length))?;
        if state.plain {
            return Err(ErrorKind::Unsupported.into());
        }
        let content = state.live.content(from.0.id_for(Access::Read)?);
        let rest = content.get(to_usize(from.1)..).unwrap_or_default();
        let part = &rest[..rest.len().min(length)];
        state.write(to.0.id_for(Access::Write)?, part, to.1);
        Ok(part.len() as u64)
    }

    fn truncate(&self, file: &Handle, length: u64) -> io::Result<()> {
        let mut state = self.call_on("truncate", file)?;
        state.change(Change::Cut(file.id_for(Access::Write)?, length));
        state.touch(file.id);
        Ok(())
    }

    fn version(&self, file: &Handle) -> io::Result<Version> {
        Ok(self.call_on("version", file)?.live.version(file.id))
    }

    fn set_modified(&self, file: &Handle, modified: i64) -> io::Result<()> {
        self.call_on("set_modified", file)?.change(Change::Modified(file.id, modified));
        Ok(())
    }

    fn time(&self) -> i64 {
        self.lock().time
    }

    fn last_change(&self) -> i64 {
        let state = self.lock();
        (state.live.version(STAGING).modified + TICK).max(state.live.reserved.0)
    }

    fn reserve_times(&self, until: i64) -> io::Result<()> {
        let mut state = self.call_unseen("reserve_times")?;
        state.live.reserved = Reserved(until);
        state.history.start.reserved = Reserved(until);
        Ok(())
    }

    fn sync_file(&self, file: &Handle) -> io::Result<()> {
        self.sync("sync_file", file.id)
    }

    fn sync_folder(&self, folder: &Handle) -> io::Result<()> {
        self.sync("sync_folder", folder.id)
    }

    fn publish_new(&self, staged: StagedName, folder: &Handle, name: &CStr) -> io::Result<()> {
        let mut state = self.call("publish_new")?;
        let id = state.find(STAGING, &Name::Staged(staged))?;
        state.must_be_new(folder.id, &plain(name))?;
        state.names(vec![(STAGING, Name::Staged(staged), None), (folder.id, plain(name), Some(id))]);
        Ok(())
    }

    fn exchange(&self, staged: StagedName, folder: &Handle, name: &CStr) -> io::Result<()> {
        let mut state = self.call("exchange")?;
        if state.plain {
            return Err(ErrorKind::Unsupported.into());
        }
        let new = state.find(STAGING, &Name::Staged(staged))?;
        let old = state.find(folder.id, &plain(name))?;
        state.names(vec![(STAGING, Name::Staged(staged), Some(old)), (folder.id, plain(name), Some(new))]);
        Ok(())
    }

    fn publish_over(&self, staged: StagedName, folder: &Handle, name: &CStr) -> io::Result<()> {
        let mut state = self.call("publish_over")?;
        let new = state.find(STAGING, &Name::Staged(staged))?;
        match state.find(folder.id, &plain(name)) {
            Ok(old) if state.live.is_folder(old) => return Err(error(EISDIR)),
            // rename(2): of two names of one file nothing changes.
            Ok(old) if old == new => return Ok(()),
            Ok(_) => {}
            Err(error) if error.raw_os_error() == Some(ENOENT) && state.is_linked(folder.id) => {}
            Err(error) => return Err(error),
        }
        state.names(vec![(STAGING, Name::Staged(staged), None), (folder.id, plain(name), Some(new))]);
        Ok(())
    }

    fn retire(&self, _near: &CStr, folder: &Handle, name: &CStr) -> io::Result<StagedName> {
        let mut state = self.call("retire")?;
        if state.plain {
            return Err(error(EXDEV));
        }
        let id = state.find(folder.id, &plain(name))?;
        let staged = state.next_staged(None);
        state.names(vec![(folder.id, plain(name), None), (STAGING, Name::Staged(staged), Some(id))]);
        Ok(staged)
    }

    fn record_undo(&self, _near: &CStr, file: &Handle, before: Version) -> io::Result<StagedName> {
        let mut state = self.call("record_undo")?;
        // linkat(2): what has no name any more gets none.
        if !state.is_linked(file.id) {
            return Err(error(ENOENT));
        }
        let staged = state.next_staged(Some((before.length, before.modified)));
        state.names(vec![(STAGING, Name::Staged(staged), Some(file.id))]);
        Ok(staged)
    }

    fn sync_staged(&self, _staged: StagedName) -> io::Result<()> {
        self.sync("sync_staged", STAGING)
    }

    fn unstage(&self, staged: StagedName) -> io::Result<()> {
        let mut state = self.call_unseen("unstage")?;
        state.find(STAGING, &Name::Staged(staged))?;
        state.names(vec![(STAGING, Name::Staged(staged), None)]);
        Ok(())
    }

    fn leftovers(&self) -> io::Result<Vec<StagedName>> {
        let mut state = self.call_unseen("leftovers")?;
        let leftovers = state.live.staged();
        state.reserve(&leftovers);
        Ok(leftovers)
    }

    fn open_staged(&self, staged: StagedName) -> io::Result<Handle> {
        let mut state = self.call("open_staged")?;
        let id = state.find(STAGING, &Name::Staged(staged))?;
        Ok(self.handle(&mut state, id, Access::Write))
    }

    fn remove_file(&self, folder: &Handle, name: &CStr) -> io::Result<()> {
        let mut state = self.call("remove_file")?;
        let id = state.find(folder.id, &plain(name))?;
        if state.live.is_folder(id) {
            return Err(error(EISDIR));
        }
        state.names(vec![(folder.id, plain(name), None)]);
        Ok(())
    }

    fn remove_folder(&self, folder: &Handle, name: &CStr) -> io::Result<()> {
        let mut state = self.call("remove_folder")?;
        let id = state.find(folder.id, &plain(name))?;
        match (state.live.is_folder(id), state.live.entries(id).is_empty()) {
            (false, _) => Err(error(ENOTDIR)),
            (true, false) => Err(error(ENOTEMPTY)),
            (true, true) => {
                state.names(vec![(folder.id, plain(name), None)]);
                Ok(())
            }
        }
    }
}
