//! Wrong protocols, by which the enumeration itself is tested: [`Broken`].

use std::ffi::CStr;
use std::io;
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use http_server::store::directory::{Directory, Entry, FolderEntry, Found, StagedName};
use http_server::store::version::Version;
use model::simulated::{Handle, Simulated};

/// What a call does that it must not, or leaves undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    FileNotSynced,
    FolderNotSynced,
    StagedNotSynced,
    /// A file is replaced by writing into it.
    WrittenInPlace,
    /// A file is replaced by removing it and naming the new one.
    ReplacedInTwoSteps,
    AppendNotRecorded,
    /// The record says that the file was empty.
    RecordedWrongly,
    /// Staged files stay.
    NotUnstaged,
    TimeBeforeForgotten,
    NotCut,
    /// A recovery does not sync the files that it cuts.
    RecoveredFileNotSynced,
    /// It leaves everything as it is.
    NotRecovered,
}

pub(crate) const WRONG: [Wrong; 12] = [
    Wrong::FileNotSynced,
    Wrong::FolderNotSynced,
    Wrong::StagedNotSynced,
    Wrong::WrittenInPlace,
    Wrong::ReplacedInTwoSteps,
    Wrong::AppendNotRecorded,
    Wrong::RecordedWrongly,
    Wrong::NotUnstaged,
    Wrong::TimeBeforeForgotten,
    Wrong::NotCut,
    Wrong::RecoveredFileNotSynced,
    Wrong::NotRecovered,
];

/// A simulated directory that does one thing wrong.
pub(crate) struct Broken {
    inner: Simulated,
    wrong: Wrong,
    /// What was last written to a staged file.
    content: Mutex<Vec<u8>>,
    /// A recovery has begun. This is told from what comes later by staging.
    recovering: AtomicBool,
}

/// A name that no record has.
const NO_RECORD: u64 = u64::MAX;

impl Broken {
    pub(crate) fn new(inner: Simulated, wrong: Wrong) -> Broken {
        Broken { inner, wrong, content: Mutex::default(), recovering: AtomicBool::new(false) }
    }

    fn recovers(&self, wrong: Wrong) -> bool {
        self.wrong == wrong && self.recovering.load(Ordering::Relaxed)
    }

    /// Calls, unless it is this that is left undone.
    fn unless(&self, wrong: Wrong, call: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        if self.wrong == wrong { Ok(()) } else { call() }
    }

    fn write_into(&self, folder: &Handle, name: &CStr) -> io::Result<()> {
        let Found::File(file, _) = self.inner.open_for_append(folder, name)? else {
            return Err(io::ErrorKind::IsADirectory.into());
        };
        let content = self.content.lock().unwrap().clone();
        self.inner.truncate(&file, 0)?;
        self.inner.write(&file, &content, 0)?;
        self.inner.sync_file(&file)
    }
}

impl Directory for Broken {
    type File = Handle;
    type Folder = Handle;
    type Names = ();

    fn open_file(&self, path: &CStr) -> io::Result<Found<Handle>> {
        self.inner.open_file(path)
    }

    fn open_cached(&self, path: &CStr, (): &mut ()) -> io::Result<Found<Handle>> {
        self.inner.open_file(path)
    }

    fn names(&self) {}

    fn read_cached(&self, file: &Handle, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.inner.read_cached(file, buffer, offset)
    }

    fn read(&self, file: &Handle, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.inner.read(file, buffer, offset)
    }

    fn open_folder(&self, path: &CStr) -> io::Result<Handle> {
        self.inner.open_folder(path)
    }

    fn folder_key(&self, folder: &Handle) -> io::Result<(u64, u64)> {
        self.inner.folder_key(folder)
    }

    fn look_up(&self, folder: &Handle, name: &CStr) -> io::Result<Entry> {
        self.inner.look_up(folder, name)
    }

    fn read_folder(
        &self,
        folder: &Handle,
        from: i64,
        each: &mut dyn FnMut(FolderEntry<'_>) -> ControlFlow<()>,
    ) -> io::Result<()> {
        self.inner.read_folder(folder, from, each)
    }

    fn open_for_append(&self, folder: &Handle, name: &CStr) -> io::Result<Found<Handle>> {
        self.inner.open_for_append(folder, name)
    }

    fn make_folder(&self, folder: &Handle, name: &CStr) -> io::Result<()> {
        self.inner.make_folder(folder, name)
    }

    fn stage(&self, near: Option<&CStr>) -> io::Result<(Handle, StagedName)> {
        self.recovering.store(false, Ordering::Relaxed);
        self.inner.stage(near)
    }

    fn write(&self, file: &Handle, content: &[u8], offset: u64) -> io::Result<usize> {
        let mut written = self.content.lock().unwrap();
        written.truncate(usize::try_from(offset).unwrap());
        written.extend(content);
        self.inner.write(file, content, offset)
    }

    fn copy(&self, from: (&Handle, u64), to: (&Handle, u64), length: u64) -> io::Result<u64> {
        self.inner.copy(from, to, length)
    }

    fn truncate(&self, file: &Handle, length: u64) -> io::Result<()> {
        self.unless(Wrong::NotCut, || self.inner.truncate(file, length))
    }

    fn version(&self, file: &Handle) -> io::Result<Version> {
        self.inner.version(file)
    }

    fn set_modified(&self, file: &Handle, modified: i64) -> io::Result<()> {
        self.inner.set_modified(file, modified)
    }

    fn time(&self) -> i64 {
        self.inner.time()
    }

    fn last_change(&self) -> i64 {
        if self.wrong == Wrong::TimeBeforeForgotten { 0 } else { self.inner.last_change() }
    }

    fn sync_file(&self, file: &Handle) -> io::Result<()> {
        if self.recovers(Wrong::RecoveredFileNotSynced) {
            return Ok(());
        }
        self.unless(Wrong::FileNotSynced, || self.inner.sync_file(file))
    }

    fn sync_folder(&self, folder: &Handle) -> io::Result<()> {
        self.unless(Wrong::FolderNotSynced, || self.inner.sync_folder(folder))
    }

    fn publish_new(&self, staged: StagedName, folder: &Handle, name: &CStr) -> io::Result<()> {
        self.inner.publish_new(staged, folder, name)
    }

    fn exchange(&self, staged: StagedName, folder: &Handle, name: &CStr) -> io::Result<()> {
        match self.wrong {
            Wrong::WrittenInPlace => self.write_into(folder, name),
            Wrong::ReplacedInTwoSteps => {
                let old = self.inner.retire(c"", folder, name)?;
                self.inner.publish_new(staged, folder, name)?;
                self.inner.unstage(old)
            }
            _ => self.inner.exchange(staged, folder, name),
        }
    }

    fn publish_over(&self, staged: StagedName, folder: &Handle, name: &CStr) -> io::Result<()> {
        self.inner.publish_over(staged, folder, name)
    }

    fn retire(&self, near: &CStr, folder: &Handle, name: &CStr) -> io::Result<StagedName> {
        self.inner.retire(near, folder, name)
    }

    fn record_undo(&self, near: &CStr, file: &Handle, before: Version) -> io::Result<StagedName> {
        match self.wrong {
            Wrong::AppendNotRecorded => {
                Ok(StagedName { area: 0, number: NO_RECORD, undo: Some((before.length, before.modified)) })
            }
            Wrong::RecordedWrongly => self.inner.record_undo(near, file, Version { length: 0, ..before }),
            _ => self.inner.record_undo(near, file, before),
        }
    }

    fn sync_staged(&self, staged: StagedName) -> io::Result<()> {
        self.unless(Wrong::StagedNotSynced, || self.inner.sync_staged(staged))
    }

    fn unstage(&self, staged: StagedName) -> io::Result<()> {
        if staged.number == NO_RECORD {
            return Ok(());
        }
        self.unless(Wrong::NotUnstaged, || match self.inner.unstage(staged) {
            // Nothing took the place of its file.
            Err(_) if self.wrong == Wrong::ReplacedInTwoSteps => Ok(()),
            result => result,
        })
    }

    fn leftovers(&self) -> io::Result<Vec<StagedName>> {
        self.recovering.store(true, Ordering::Relaxed);
        let leftovers = self.inner.leftovers()?;
        Ok(if self.wrong == Wrong::NotRecovered { Vec::new() } else { leftovers })
    }

    fn open_staged(&self, staged: StagedName) -> io::Result<Handle> {
        self.inner.open_staged(staged)
    }

    fn remove_file(&self, folder: &Handle, name: &CStr) -> io::Result<()> {
        self.inner.remove_file(folder, name)
    }

    fn remove_folder(&self, folder: &Handle, name: &CStr) -> io::Result<()> {
        self.inner.remove_folder(folder, name)
    }
}
