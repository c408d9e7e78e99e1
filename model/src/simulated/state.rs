//! A directory between two calls: [`State`].

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::io;

use http_server::store::directory::StagedName;

use super::history::{Event, History};
use super::image::{BASE, Change, Id, Image, Inode, Kind, Name};
use super::{BLOCK_BYTES, Fault};

pub(super) const ENOENT: i32 = 2;
pub(super) const EINTR: i32 = 4;
pub(super) const EBADF: i32 = 9;
pub(super) const EEXIST: i32 = 17;
pub(super) const EXDEV: i32 = 18;
pub(super) const ENOTDIR: i32 = 20;
pub(super) const EISDIR: i32 = 21;
pub(super) const ENOTEMPTY: i32 = 39;

pub(super) fn error(number: i32) -> io::Error {
    io::Error::from_raw_os_error(number)
}

#[derive(Debug)]
pub(super) struct State {
    /// All that happened, applied.
    pub(super) live: Image,
    pub(super) history: History,
    /// How often an inode is open.
    pub(super) open: BTreeMap<Id, usize>,
    pub(super) time: i64,
    pub(super) plain: bool,
    /// What goes wrong, and the calls until then.
    pub(super) fault: Option<(Fault, usize)>,
    pub(super) struck: Option<&'static str>,
    staged_next: u64,
}

impl State {
    pub(super) fn new(image: &Image, time: i64, plain: bool) -> State {
        State {
            live: image.clone(),
            history: History { start: image.clone(), events: Vec::new() },
            open: BTreeMap::new(),
            time,
            plain,
            fault: None,
            struck: None,
            staged_next: 0,
        }
    }

    /// Counts a call: what goes wrong with it.
    fn next_fault(&mut self, name: &'static str, transfers: bool) -> Option<Fault> {
        let (fault, left) = self.fault.as_mut()?;
        if !transfers && matches!(fault, Fault::Short | Fault::Interrupted) {
            return None;
        }
        let lasting = matches!(fault, Fault::ErrorFromThere(_));
        let strikes = *left == 1 || *left == 0 && lasting;
        *left = left.saturating_sub(1);
        if !strikes {
            return None;
        }
        self.struck.get_or_insert(name);
        Some(*fault)
    }

    pub(super) fn strike(&mut self, name: &'static str) -> io::Result<()> {
        match self.next_fault(name, false) {
            Some(Fault::Error(number) | Fault::ErrorFromThere(number)) => Err(error(number)),
            _ => Ok(()),
        }
    }

    /// How much of `length` a call moves.
    pub(super) fn part(&mut self, name: &'static str, length: usize) -> io::Result<usize> {
        match self.next_fault(name, true) {
            Some(Fault::Error(number) | Fault::ErrorFromThere(number)) => Err(error(number)),
            Some(Fault::Interrupted) => Err(error(EINTR)),
            Some(Fault::Short) => Ok(length.div_ceil(2)),
            None => Ok(length),
        }
    }

    pub(super) fn change(&mut self, change: Change) {
        self.live.apply(&change);
        self.history.events.push(Event::Change(change));
    }

    pub(super) fn names(&mut self, names: Vec<(Id, Name, Option<Id>)>) {
        self.change(Change::Names(names, self.time));
    }

    /// Block by block, each of which a crash may lose.
    pub(super) fn write(&mut self, id: Id, mut content: &[u8], mut offset: u64) {
        if content.is_empty() {
            return;
        }
        let end = offset + content.len() as u64;
        let block_bytes = BLOCK_BYTES as u64;
        while !content.is_empty() {
            let room = usize::try_from(block_bytes - offset % block_bytes).unwrap_or(BLOCK_BYTES);
            let (block, rest) = content.split_at(room.min(content.len()));
            self.change(Change::Content(id, offset, block.to_vec()));
            offset += block.len() as u64;
            content = rest;
        }
        if self.live.version(id).length < end {
            self.change(Change::Grow(id, end));
        }
        self.touch(id);
    }

    /// The file's content has changed now.
    pub(super) fn touch(&mut self, id: Id) {
        if self.live.inodes[id].modified != self.time {
            self.change(Change::Modified(id, self.time));
        }
    }

    pub(super) fn synced(&mut self, id: Id, succeeded: bool) {
        self.history.events.push(if succeeded { Event::Sync(id) } else { Event::FailedSync(id) });
    }

    /// A new inode, with the lowest number that no inode has that has a name or is open.
    pub(super) fn birth(&mut self, kind: Kind) -> Id {
        let mut used = self.live.linked();
        used.extend(self.open.keys());
        let is_used = |number: &u64| used.iter().any(|id| self.live.inodes[*id].number == *number);
        let number = (1..).find(|number| !is_used(number)).unwrap_or(u64::MAX);
        let modified = if matches!(kind, Kind::File(..)) { self.time } else { 0 };
        self.change(Change::Birth(Inode { number, modified, kind }));
        self.live.inodes.len() - 1
    }

    pub(super) fn is_linked(&self, id: Id) -> bool {
        self.live.linked().contains(&id)
    }

    /// A name that nothing has.
    pub(super) fn next_staged(&mut self, undo: Option<(u64, i64)>) -> StagedName {
        loop {
            let staged = StagedName { area: 0, number: self.staged_next, undo };
            self.staged_next += 1;
            if !self.live.entries(super::STAGING).contains_key(&Name::Staged(staged)) {
                return staged;
            }
        }
    }

    /// Gives no name again that one of these has.
    pub(super) fn reserve(&mut self, staged: &[StagedName]) {
        let next = staged.iter().map(|name| name.number + 1).max().unwrap_or(0);
        self.staged_next = self.staged_next.max(next);
    }

    /// What `name` leads to.
    pub(super) fn find(&self, folder: Id, name: &Name) -> io::Result<Id> {
        self.live.entries(folder).get(name).copied().ok_or_else(|| error(ENOENT))
    }

    pub(super) fn must_be_new(&self, folder: Id, name: &Name) -> io::Result<()> {
        match self.find(folder, name) {
            Ok(_) => Err(error(EEXIST)),
            // In a directory that was removed nothing can be made.
            Err(_) if self.is_linked(folder) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// What a path leads to from the base directory.
    pub(super) fn resolve(&self, path: &CStr) -> io::Result<Id> {
        let mut id = BASE;
        for name in path.to_bytes().split(|&byte| byte == b'/').filter(|name| !name.is_empty()) {
            if !self.live.is_folder(id) {
                return Err(error(ENOTDIR));
            }
            id = self.find(id, &Name::Plain(name.to_vec()))?;
        }
        Ok(id)
    }
}
