//! Files in memory.

use std::ffi::{CStr, CString};
use std::io::{self, ErrorKind};
use std::ops::ControlFlow;

use super::Simulated;
use crate::store::directory::{Directory, Entry, FolderEntry, Found, StagedName};
use crate::store::version::Version;

/// A file that is open; its content is the world's.
pub(in crate::driver) struct OpenFile {
    pub(super) name: Vec<u8>,
    world: Simulated,
}

impl Simulated {
    pub(in crate::driver) fn open(&self, name: &[u8]) -> OpenFile {
        self.lock().open_files += 1;
        OpenFile { name: name.to_vec(), world: self.clone() }
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        self.world.lock().open_files -= 1;
    }
}

fn system(error: i32) -> io::Error {
    io::Error::from_raw_os_error(error)
}

/// Files without directories, as far as an event loop needs them; what is uploaded goes nowhere.
impl Directory for Simulated {
    type File = OpenFile;
    type Folder = ();
    type Names = ();

    fn open_cached(&self, path: &CStr, (): &mut ()) -> io::Result<Found<OpenFile>> {
        if self.lock().cold.get(path.to_bytes()) == Some(&0) {
            return Err(system(libc::EAGAIN));
        }
        self.open_file(path)
    }

    fn names(&self) {}

    fn open_file(&self, path: &CStr) -> io::Result<Found<OpenFile>> {
        let world = self.lock();
        let name = path.to_bytes();
        let length = world.files.get(name).ok_or_else(|| system(libc::ENOENT))?.len() as u64;
        drop(world);
        Ok(Found::File(self.open(name), Version { inode: 1, modified: 0, length }))
    }

    fn read_cached(&self, file: &OpenFile, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let cached = self.lock().cold.get(&file.name).copied();
        let Some(cached) = cached else { return self.read(file, buffer, offset) };
        let rest = cached.saturating_sub(offset as usize);
        if rest == 0 {
            return Err(system(libc::EAGAIN));
        }
        let count = rest.min(buffer.len());
        let read = self.read(file, &mut buffer[..count], offset);
        self.lock().cold.insert(file.name.clone(), cached);
        read
    }

    fn read(&self, file: &OpenFile, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut world = self.lock();
        if world.panics.as_ref() == Some(&file.name) {
            drop(world);
            panic!("as the test wants it");
        }
        if world.unreadable.as_ref() == Some(&file.name) {
            return Err(system(libc::EIO));
        }
        world.cold.remove(&file.name);
        let content = world.files.get(&file.name).map_or(&[][..], Vec::as_slice);
        let rest = &content[content.len().min(offset as usize)..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        world.read_to = offset + count as u64;
        Ok(count)
    }

    fn open_folder(&self, _path: &CStr) -> io::Result<()> {
        Ok(())
    }

    fn folder_key(&self, (): &()) -> io::Result<(u64, u64)> {
        Ok((0, 0))
    }

    fn look_up(&self, (): &(), _name: &CStr) -> io::Result<Entry> {
        Err(system(libc::ENOENT))
    }

    fn read_folder(
        &self,
        (): &(),
        from: i64,
        each: &mut dyn FnMut(FolderEntry<'_>) -> ControlFlow<()>,
    ) -> io::Result<()> {
        let names: Vec<Vec<u8>> = self.lock().files.keys().skip(from as usize).cloned().collect();
        for (name, next) in names.into_iter().zip(from + 1..) {
            let name = CString::new(name)?;
            if each(FolderEntry { name: &name, is_other: false, next }).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn open_for_append(&self, (): &(), _name: &CStr) -> io::Result<Found<OpenFile>> {
        Err(system(libc::ENOENT))
    }

    fn make_folder(&self, (): &(), _name: &CStr) -> io::Result<()> {
        Ok(())
    }

    fn stage(&self, _near: Option<&CStr>) -> io::Result<(OpenFile, StagedName)> {
        self.lock().staged += 1;
        Ok((self.open(b"staged"), StagedName { area: 0, number: 0, undo: None }))
    }

    fn write(&self, _file: &OpenFile, content: &[u8], _offset: u64) -> io::Result<usize> {
        Ok(content.len())
    }

    fn truncate(&self, _file: &OpenFile, _length: u64) -> io::Result<()> {
        Ok(())
    }

    fn version(&self, _file: &OpenFile) -> io::Result<Version> {
        Ok(Version { inode: 1, modified: self.lock().modified, length: 0 })
    }

    fn set_modified(&self, _file: &OpenFile, modified: i64) -> io::Result<()> {
        self.lock().modified = modified;
        Ok(())
    }

    fn time(&self) -> i64 {
        0
    }

    fn sync_file(&self, _file: &OpenFile) -> io::Result<()> {
        Ok(())
    }

    fn sync_folder(&self, (): &()) -> io::Result<()> {
        Ok(())
    }

    fn publish_new(&self, _staged: StagedName, (): &(), _name: &CStr) -> io::Result<()> {
        self.lock().staged -= 1;
        Ok(())
    }

    fn exchange(&self, _staged: StagedName, (): &(), _name: &CStr) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }

    fn publish_over(&self, _staged: StagedName, (): &(), _name: &CStr) -> io::Result<()> {
        self.lock().staged -= 1;
        Ok(())
    }

    fn record_undo(&self, _near: &CStr, _file: &OpenFile, _before: Version) -> io::Result<StagedName> {
        Err(system(libc::ENOENT))
    }

    fn sync_staged(&self, _staged: StagedName) -> io::Result<()> {
        Ok(())
    }

    fn leftovers(&self) -> io::Result<Vec<StagedName>> {
        Ok(Vec::new())
    }

    fn open_staged(&self, _staged: StagedName) -> io::Result<OpenFile> {
        Err(system(libc::ENOENT))
    }

    fn unstage(&self, _staged: StagedName) -> io::Result<()> {
        self.lock().staged -= 1;
        Ok(())
    }

    fn remove_file(&self, (): &(), _name: &CStr) -> io::Result<()> {
        Ok(())
    }

    fn remove_folder(&self, (): &(), _name: &CStr) -> io::Result<()> {
        Ok(())
    }
}
