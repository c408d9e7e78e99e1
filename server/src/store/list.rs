//! Entries of a directory, a page at a time, in memory that is bounded by the page.
//!
//! Property: each entry that is there all the time, and in one place of the order, is on exactly one
//! of the pages that lead on from each other. What is changed meanwhile may be on one or not. A page
//! of sorted entries costs a pass over all names; one in the directory's own order costs a page.

use std::cmp::Ordering;
use std::ffi::{CStr, CString};
use std::io::{self, ErrorKind};
use std::ops::ControlFlow::{Break, Continue};

use super::Store;
use super::directory::{Directory, Entry};
use super::listing::{Listed, Listing, Order, Place, View};
use super::operation::{Outcome, StoreError, StoreErrorKind};
use super::path::{FilePath, RESERVED_NAME_C};
use super::read::is_link;
use super::version::Version;
use crate::seeded::bug;

/// How often a directory is opened again that is removed while it is read.
const ATTEMPTS_MAX: usize = 8;
const GETDENTS: &str = "getdents64";

impl<D: Directory> Store<D> {
    /// Reads a page of the directory `path`; may wait for the disk.
    pub(super) fn list(&self, path: &FilePath, view: &View) -> Result<Outcome, StoreError> {
        match self.list_without_links(path, view) {
            Err(error) if self.follow_links && is_link(&error) => {
                let target = self.directory.resolve(path.as_c_str());
                let (target, _) = target.map_err(|error| StoreError::failed("openat2", error))?;
                // Links to what the server keeps for itself lead nowhere.
                let target = FilePath::of_names(&target, true);
                let target = target.ok_or(StoreError::refused(StoreErrorKind::Denied))?;
                self.list_without_links(&target, view)
            }
            result => result,
        }
    }

    fn list_without_links(&self, path: &FilePath, view: &View) -> Result<Outcome, StoreError> {
        for _ in 0..ATTEMPTS_MAX {
            match self.list_once(path, view) {
                // getdents(2): the directory was removed since. Whether that is final is known when it is
                // asked for again.
                Err(error) if error.kind == StoreErrorKind::NotFound && error.call == GETDENTS => {}
                result => return result,
            }
        }
        Err(StoreError::refused(StoreErrorKind::Busy))
    }

    fn list_once(&self, path: &FilePath, view: &View) -> Result<Outcome, StoreError> {
        let folder = {
            // A directory that was made a moment ago, for a file that is not there yet, has been seen by
            // nobody before that file.
            let _namespace = (!bug("listed_before_its_file")).then(|| self.locks.share_namespace());
            self.open_folder(&path.as_parent())?
        };
        let directory = OpenDirectory { store: self, path, folder };
        let listing = match view.after {
            Place::Position(position) => directory.page_as_it_comes(position, view.entries_max),
            _ => directory.sorted_page(view),
        };
        listing.map(|listing| Outcome::Listed(Box::new(listing)))
    }
}

/// The directory whose entries are read.
struct OpenDirectory<'a, D: Directory> {
    store: &'a Store<D>,
    path: &'a FilePath,
    folder: D::Folder,
}

impl<D: Directory> OpenDirectory<'_, D> {
    /// The entries behind a position, in the directory's own order.
    fn page_as_it_comes(&self, from: i64, entries_max: usize) -> Result<Listing, StoreError> {
        let mut names = Vec::new();
        let (mut behind, mut more) = (from, false);
        self.read(from, |name, next| {
            more = names.len() == entries_max;
            if more {
                behind = if bug("position_skips_an_entry") { next } else { behind };
                return false;
            }
            names.push(CString::from(name));
            behind = next;
            true
        })?;
        let next = more.then_some(Place::Position(behind));
        Ok(Listing { entries: self.look_up_all(&names)?, sorted: false, next })
    }

    /// The first entries behind a place in the order that is asked for. Where there are too many to be
    /// sorted, the first ones that there are.
    fn sorted_page(&self, view: &View) -> Result<Listing, StoreError> {
        let begins = view.after == Place::Beginning;
        let mut selection = Selection::new(view);
        let (mut count, mut failed) = (0, None);
        self.read(0, |name, _| {
            count += 1;
            // By name it goes on to the end, so that no page is missing where the directory has grown;
            // that takes no look at each entry, which is what costs.
            if count > view.sorted_max && (begins || view.order != Order::Name) {
                return false;
            }
            let file = match view.order {
                Order::Name => None,
                _ => match self.look_up(name) {
                    Ok(Some(listed)) => listed.file,
                    Ok(None) => return true,
                    Err(error) => {
                        failed = Some(error);
                        return false;
                    }
                },
            };
            selection.add(Candidate {
                value: view.order.value(file.as_ref()),
                name: CString::from(name),
                file,
            });
            true
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
        if count > view.sorted_max && begins {
            return self.page_as_it_comes(0, view.entries_max);
        }
        if count > view.sorted_max && view.order != Order::Name {
            return Err(StoreError::refused(StoreErrorKind::TooManyToSort));
        }
        let (chosen, next) = selection.finish();
        let entries = match view.order {
            Order::Name => {
                let names: Vec<CString> = chosen.into_iter().map(|candidate| candidate.name).collect();
                self.look_up_all(&names)?
            }
            // As they were when they were sorted.
            _ => {
                let listed =
                    |candidate: Candidate| Listed { name: candidate.name.into_bytes(), file: candidate.file };
                chosen.into_iter().map(listed).collect()
            }
        };
        Ok(Listing { entries, sorted: true, next })
    }

    /// Calls with each name from a position on, and the position behind it, until that says false.
    fn read(&self, from: i64, mut each: impl FnMut(&CStr, i64) -> bool) -> Result<(), StoreError> {
        let result = self.store.directory.read_folder(&self.folder, from, &mut |entry| {
            // Whatever else is none for a client is found out by looking at it.
            let unlisted = entry.is_other && !self.store.follow_links || entry.name == RESERVED_NAME_C;
            if unlisted || each(entry.name, entry.next) { Continue(()) } else { Break(()) }
        });
        result.map_err(|error| match error.kind() {
            ErrorKind::InvalidInput => StoreError { kind: StoreErrorKind::NoSuchPlace, ..failed(error) },
            _ => failed(error),
        })
    }

    fn look_up_all(&self, names: &[CString]) -> Result<Vec<Listed>, StoreError> {
        let mut listed = Vec::with_capacity(names.len());
        for name in names {
            listed.extend(self.look_up(name)?);
        }
        Ok(listed)
    }

    /// What a name is for a client; nothing where it has gone, or where nothing is there for a client.
    fn look_up(&self, name: &CStr) -> Result<Option<Listed>, StoreError> {
        // What could not be asked for is not shown.
        let Some(path) = self.path.child(name.to_bytes()) else { return Ok(None) };
        let entry = match self.store.final_entry(&self.folder, name, path.as_bytes())? {
            Some(Entry::Other) if self.store.follow_links => self.store.entry_by_links(&path)?,
            entry => entry,
        };
        let listed = |file| Some(Listed { name: name.to_bytes().to_vec(), file });
        Ok(match entry {
            Some(Entry::File(version)) => listed(Some(version)),
            Some(Entry::Directory) => listed(None),
            Some(Entry::Other) | None => None,
        })
    }
}

impl<D: Directory> Store<D> {
    /// What `name` is, as far as it is final: while a file is appended to, what it was before.
    fn final_entry(&self, folder: &D::Folder, name: &CStr, path: &[u8]) -> Result<Option<Entry>, StoreError> {
        let look_up = || {
            let reading = self.locks.read(path);
            match self.directory.look_up(folder, name) {
                Ok(Entry::File(version)) => {
                    let pinned = reading.pinned(path).filter(|pinned| pinned.inode == version.inode);
                    let pinned = pinned.filter(|_| !bug("pin_ignored_by_listings"));
                    Ok(Some(Entry::File(*pinned.unwrap_or(&version))))
                }
                Ok(entry) => Ok(Some(entry)),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                Err(error) => Err(StoreError::failed("fstatat", error)),
            }
        };
        match look_up()? {
            Some(Entry::Directory) => {
                // It may have been made a moment ago, as in `open`.
                let _namespace = self.locks.share_namespace();
                look_up()
            }
            entry => Ok(entry),
        }
    }

    /// What the link at `path` leads to within the tree; nothing where it leads nowhere.
    fn entry_by_links(&self, path: &FilePath) -> Result<Option<Entry>, StoreError> {
        let Ok((target, _)) = self.directory.resolve(path.as_c_str()) else { return Ok(None) };
        let Some(target) = FilePath::of_names(&target, false) else { return Ok(None) };
        match target.parent_and_name() {
            None => Ok(Some(Entry::Directory)),
            Some((parent, name)) => match self.open_folder(&parent) {
                Ok(folder) => self.final_entry(&folder, name, target.as_bytes()),
                Err(_) => Ok(None),
            },
        }
    }
}

fn failed(error: io::Error) -> StoreError {
    StoreError::failed(GETDENTS, error)
}

/// An entry that may be on the page.
struct Candidate {
    value: Option<i64>,
    name: CString,
    file: Option<Version>,
}

/// The first so many of all that are added, in an order, behind a place. It never holds more than twice
/// as many.
struct Selection<'a> {
    view: &'a View,
    candidates: Vec<Candidate>,
}

impl<'a> Selection<'a> {
    fn new(view: &'a View) -> Selection<'a> {
        Selection { view, candidates: Vec::new() }
    }

    fn add(&mut self, candidate: Candidate) {
        if let Place::Entry { name, value } = &self.view.after {
            let there = (candidate.value, candidate.name.to_bytes());
            match self.in_order(there, (*value, name)) {
                Ordering::Greater => {}
                Ordering::Equal if bug("entry_is_on_two_pages") => {}
                _ => return,
            }
        }
        self.candidates.push(candidate);
        if self.candidates.len() > 2 * self.view.entries_max {
            self.keep_first();
        }
    }

    /// Those that are chosen, and where the others begin.
    fn finish(mut self) -> (Vec<Candidate>, Option<Place>) {
        self.keep_first();
        let more = self.candidates.len() > self.view.entries_max;
        self.candidates.truncate(self.view.entries_max);
        let next = self
            .candidates
            .last()
            .filter(|_| more)
            .map(|last| Place::Entry { name: last.name.to_bytes().to_vec(), value: last.value });
        (self.candidates, next)
    }

    /// Forgets all but as many as are chosen, and one more that says that there are more.
    fn keep_first(&mut self) {
        let mut candidates = std::mem::take(&mut self.candidates);
        candidates.sort_unstable_by(|one, other| {
            self.in_order((one.value, one.name.to_bytes()), (other.value, other.name.to_bytes()))
        });
        candidates.truncate(self.view.entries_max + 1);
        self.candidates = candidates;
    }

    fn in_order(&self, one: (Option<i64>, &[u8]), other: (Option<i64>, &[u8])) -> Ordering {
        let ordering = one.cmp(&other);
        if self.view.descending { ordering.reverse() } else { ordering }
    }
}
