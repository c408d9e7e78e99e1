//! The disk: a simulated directory whose calls take time, are torn apart by those of other
//! threads, and go wrong: [`Disk`].

use std::ffi::{CStr, CString};
use std::io;
use std::ops::ControlFlow;

use http_server::store::directory::{Directory, Entry, FolderEntry, Found, StagedName};
use http_server::store::version::Version;

use super::faults::Fault;
use super::tasks::{Pause, pause};
use super::world::World;
use crate::simulated::{self, Handle, Simulated};

pub(super) const EIO: i32 = 5;
const EMFILE: i32 = 24;
const ENOSPC: i32 = 28;

/// A directory as the threads of one process see it.
pub(super) struct Disk {
    pub(super) directory: Simulated,
    pub(super) world: World,
}

/// What a call may run into.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Call {
    /// It looks something up.
    Look,
    /// It opens something.
    Open,
    /// It moves bytes.
    Transfer,
    /// It needs room, or changes names.
    Change,
    /// It puts something on stable storage.
    Sync,
    /// It only takes away, or is needed to take back.
    Remove,
}

impl Disk {
    /// A call: others may come first, it may take long, and it may fail.
    fn call<T>(
        &self,
        name: &'static str,
        kind: Call,
        make: impl FnOnce(&Simulated) -> io::Result<T>,
    ) -> io::Result<T> {
        let until = {
            let mut state = self.world.lock();
            if state.dead {
                return Err(io::Error::from_raw_os_error(EIO));
            }
            let slow = state.seldom(Fault::SlowDisk, 8);
            let longest = if slow { 5_000_000_000 } else { 50_000 };
            let wait = state.random.within(0..longest);
            (slow || kind == Call::Sync).then(|| state.now + wait)
        };
        pause(until.map_or(Pause::Step, Pause::Until));
        let mut state = self.world.lock();
        if state.dead {
            return Err(io::Error::from_raw_os_error(EIO));
        }
        self.directory.set_time(state.time());
        let fault = |number| Some(simulated::Fault::Error(number));
        let wrong = match kind {
            Call::Open if state.seldom(Fault::NoDescriptors, 4) => fault(EMFILE),
            Call::Transfer if state.strike(Fault::ShortTransfer) => Some(simulated::Fault::Short),
            Call::Transfer if state.strike(Fault::Interrupted) => Some(simulated::Fault::Interrupted),
            Call::Change if state.full && state.strike(Fault::NoSpace) => fault(ENOSPC),
            _ if state.seldom(Fault::InputOutput, 16) => fault(EIO),
            _ => None,
        };
        if let Some(wrong) = wrong {
            self.directory.fail(wrong, 1);
        }
        let result = make(&self.directory);
        self.directory.repair();
        if result.is_err() && wrong.is_some() {
            // Of a change whose sync failed, and that could not be taken back, nobody knows.
            state.doubtful |= state.sync_failed && !matches!(kind, Call::Look | Call::Open | Call::Transfer);
            state.sync_failed |= kind == Call::Sync;
        }
        let number = result.as_ref().err().and_then(io::Error::raw_os_error).unwrap_or(0);
        state.note(number.unsigned_abs().into(), || match &result {
            Ok(_) => format!("    {name}"),
            Err(error) => format!("    {name}: {error}"),
        });
        result
    }

    /// Whether what an event loop asks for is not in memory.
    fn is_cold(&self) -> bool {
        self.world.lock().strike(Fault::Cold)
    }
}

impl Directory for Disk {
    type File = Handle;
    type Folder = Handle;
    type Names = ();

    fn open_file(&self, path: &CStr) -> io::Result<Found<Handle>> {
        self.call("open_file", Call::Open, |directory| directory.open_file(path))
    }

    fn open_cached(&self, path: &CStr, (): &mut ()) -> io::Result<Found<Handle>> {
        if self.is_cold() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.open_file(path)
    }

    fn names(&self) {}

    fn read_cached(&self, file: &Handle, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        if self.is_cold() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.call("read_cached", Call::Transfer, |directory| directory.read_cached(file, buffer, offset))
    }

    fn read(&self, file: &Handle, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.call("read", Call::Transfer, |directory| directory.read(file, buffer, offset))
    }

    fn open_folder(&self, path: &CStr) -> io::Result<Handle> {
        self.call("open_folder", Call::Open, |directory| directory.open_folder(path))
    }

    fn folder_key(&self, folder: &Handle) -> io::Result<(u64, u64)> {
        self.call("folder_key", Call::Look, |directory| directory.folder_key(folder))
    }

    fn look_up(&self, folder: &Handle, name: &CStr) -> io::Result<Entry> {
        self.call("look_up", Call::Look, |directory| directory.look_up(folder, name))
    }

    fn read_folder(
        &self,
        folder: &Handle,
        from: i64,
        each: &mut dyn FnMut(FolderEntry<'_>) -> ControlFlow<()>,
    ) -> io::Result<()> {
        let mut entries = Vec::new();
        let mut take = |entry: FolderEntry<'_>| {
            entries.push((CString::from(entry.name), entry.next));
            ControlFlow::Continue(())
        };
        self.call("read_folder", Call::Look, |directory| directory.read_folder(folder, from, &mut take))?;
        // Behind the call: whoever takes one may make another.
        let mut entries = entries.iter();
        let _ = entries.try_for_each(|(name, next)| each(FolderEntry { name, is_other: false, next: *next }));
        Ok(())
    }

    fn open_for_append(&self, folder: &Handle, name: &CStr) -> io::Result<Found<Handle>> {
        self.call("open_for_append", Call::Open, |directory| directory.open_for_append(folder, name))
    }

    fn make_folder(&self, folder: &Handle, name: &CStr) -> io::Result<()> {
        self.call("make_folder", Call::Change, |directory| directory.make_folder(folder, name))
    }

    fn stage(&self, near: Option<&CStr>) -> io::Result<(Handle, StagedName)> {
        self.call("stage", Call::Change, |directory| directory.stage(near))
    }

    fn write(&self, file: &Handle, content: &[u8], offset: u64) -> io::Result<usize> {
        if self.world.lock().full {
            return self.call("write", Call::Change, |directory| directory.write(file, content, offset));
        }
        self.call("write", Call::Transfer, |directory| directory.write(file, content, offset))
    }

    fn copy(&self, from: (&Handle, u64), to: (&Handle, u64), length: u64) -> io::Result<u64> {
        self.call("copy", Call::Transfer, |directory| directory.copy(from, to, length))
    }

    fn truncate(&self, file: &Handle, length: u64) -> io::Result<()> {
        self.call("truncate", Call::Remove, |directory| directory.truncate(file, length))
    }

    fn version(&self, file: &Handle) -> io::Result<Version> {
        self.call("version", Call::Look, |directory| directory.version(file))
    }

    fn set_modified(&self, file: &Handle, modified: i64) -> io::Result<()> {
        self.call("set_modified", Call::Look, |directory| directory.set_modified(file, modified))
    }

    fn time(&self) -> i64 {
        self.world.lock().time()
    }

    fn last_change(&self) -> i64 {
        self.directory.last_change()
    }

    fn reserve_times(&self, until: i64) -> io::Result<()> {
        self.call("reserve_times", Call::Change, |directory| directory.reserve_times(until))
    }

    fn sync_file(&self, file: &Handle) -> io::Result<()> {
        self.call("sync_file", Call::Sync, |directory| directory.sync_file(file))
    }

    fn sync_folder(&self, folder: &Handle) -> io::Result<()> {
        self.call("sync_folder", Call::Sync, |directory| directory.sync_folder(folder))
    }

    fn publish_new(&self, staged: StagedName, folder: &Handle, name: &CStr) -> io::Result<()> {
        self.call("publish_new", Call::Change, |directory| directory.publish_new(staged, folder, name))
    }

    fn exchange(&self, staged: StagedName, folder: &Handle, name: &CStr) -> io::Result<()> {
        self.call("exchange", Call::Change, |directory| directory.exchange(staged, folder, name))
    }

    fn publish_over(&self, staged: StagedName, folder: &Handle, name: &CStr) -> io::Result<()> {
        self.call("publish_over", Call::Change, |directory| directory.publish_over(staged, folder, name))
    }

    fn retire(&self, near: &CStr, folder: &Handle, name: &CStr) -> io::Result<StagedName> {
        self.call("retire", Call::Remove, |directory| directory.retire(near, folder, name))
    }

    fn record_undo(&self, near: &CStr, file: &Handle, before: Version) -> io::Result<StagedName> {
        self.call("record_undo", Call::Change, |directory| directory.record_undo(near, file, before))
    }

    fn sync_staged(&self, staged: StagedName) -> io::Result<()> {
        self.call("sync_staged", Call::Sync, |directory| directory.sync_staged(staged))
    }

    fn unstage(&self, staged: StagedName) -> io::Result<()> {
        self.call("unstage", Call::Remove, |directory| directory.unstage(staged))
    }

    fn leftovers(&self) -> io::Result<Vec<StagedName>> {
        self.call("leftovers", Call::Look, Directory::leftovers)
    }

    fn open_staged(&self, staged: StagedName) -> io::Result<Handle> {
        self.call("open_staged", Call::Open, |directory| directory.open_staged(staged))
    }

    fn remove_file(&self, folder: &Handle, name: &CStr) -> io::Result<()> {
        self.call("remove_file", Call::Remove, |directory| directory.remove_file(folder, name))
    }

    fn remove_folder(&self, folder: &Handle, name: &CStr) -> io::Result<()> {
        self.call("remove_folder", Call::Remove, |directory| directory.remove_folder(folder, name))
    }
}
