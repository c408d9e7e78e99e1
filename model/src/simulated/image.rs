//! What a disk holds: inodes, and the changes that calls make to them.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CString;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use http_server::store::directory::StagedName;
use http_server::store::version::Version;

/// Which inode; never used again, as its number is.
pub(super) type Id = usize;

/// The base directory.
pub(super) const BASE: Id = 0;
/// The directory of staged files, which no path leads to.
pub(super) const STAGING: Id = 1;

/// A name in a directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Name {
    Plain(Vec<u8>),
    Staged(StagedName),
}

/// A file or a directory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Inode {
    pub(super) number: u64,
    /// Kept of files and of the staging directory.
    pub(super) modified: i64,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// What was written and how long it is: of a crash one may survive without the other.
    File(Arc<Vec<u8>>, u64),
    Folder(BTreeMap<Name, Id>),
}

impl Hash for Kind {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            // Content is compared whole; to tell most of it apart its ends are enough.
            Kind::File(content, length) => {
                let tail = &content[content.len().saturating_sub(8)..];
                (length, content.len(), content.first_chunk::<8>(), tail).hash(state);
            }
            Kind::Folder(entries) => entries.hash(state),
        }
    }
}

/// A step that a crash leaves either done or not done.
#[derive(Clone, Debug)]
pub(super) enum Change {
    /// An inode that no name leads to. Whether it survives is up to the names that come later.
    Birth(Inode),
    /// Names that come to lead to an inode or to nothing, in one or two directories. Of a rename
    /// or an exchange no file system that journals shows a half, so it is one step.
    Names(Vec<(Id, Name, Option<Id>)>, i64),
    /// Content within one block.
    Content(Id, u64, Vec<u8>),
    /// The file is at least so long.
    Grow(Id, u64),
    /// The file is exactly so long.
    Cut(Id, u64),
    /// The modification time.
    Modified(Id, i64),
}

impl Change {
    /// Whether a sync of this inode puts the change on stable storage. A rename between two
    /// directories is there with either of them, because there is no half of it.
    pub(super) fn concerns(&self, inode: Id) -> bool {
        match self {
            Change::Birth(_) => false,
            Change::Names(names, _) => names.iter().any(|(folder, ..)| *folder == inode),
            Change::Content(id, ..) | Change::Grow(id, _) | Change::Cut(id, _) | Change::Modified(id, _) => {
                *id == inode
            }
        }
    }
}

/// A whole disk, by which two can be compared.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Image {
    pub(super) inodes: Vec<Inode>,
    pub(super) reserved: Reserved,
}

/// Times up to here are reserved, which is synced as soon as it is set. It tells no two images apart:
/// each start may reserve more.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reserved(pub(super) i64);

impl PartialEq for Reserved {
    fn eq(&self, _other: &Reserved) -> bool {
        true
    }
}

impl Eq for Reserved {}

impl Hash for Reserved {
    fn hash<H: Hasher>(&self, _state: &mut H) {}
}

impl fmt::Debug for Image {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = formatter.debug_list();
        for (folder, inode) in self.inodes.iter().enumerate() {
            for (name, id) in self.entries(folder) {
                let name = match name {
                    Name::Plain(name) => name.escape_ascii().to_string(),
                    Name::Staged(StagedName { number, undo, .. }) => format!("staged {number} {undo:?}"),
                };
                let what = if self.is_folder(*id) { "folder" } else { "file" };
                list.entry(&format_args!("{} {name}: {what} {:?}", inode.number, self.version(*id)));
            }
        }
        list.finish()
    }
}

/// A tree: of each path nothing where a directory is, else the file's version and content.
pub type Tree = BTreeMap<Vec<Vec<u8>>, Option<(Version, Vec<u8>)>>;

impl Image {
    /// Nothing but a base directory.
    pub fn empty() -> Image {
        let folder = |number| Inode { number, modified: 0, kind: Kind::Folder(BTreeMap::new()) };
        Image { inodes: vec![folder(1), folder(2)], reserved: Reserved(i64::MIN) }
    }

    pub(super) fn apply(&mut self, change: &Change) {
        match change {
            Change::Birth(inode) => self.inodes.push(inode.clone()),
            Change::Names(names, time) => {
                for (folder, name, target) in names {
                    let inode = &mut self.inodes[*folder];
                    if *folder == STAGING {
                        inode.modified = *time;
                    }
                    if let Kind::Folder(entries) = &mut inode.kind {
                        match target {
                            Some(id) => entries.insert(name.clone(), *id),
                            None => entries.remove(name),
                        };
                    }
                }
            }
            Change::Content(id, offset, bytes) => {
                if let Kind::File(content, _) = &mut self.inodes[*id].kind {
                    let (content, start) = (Arc::make_mut(content), to_usize(*offset));
                    content.resize(content.len().max(start + bytes.len()), 0);
                    content[start..start + bytes.len()].copy_from_slice(bytes);
                }
            }
            Change::Grow(id, to) => {
                if let Kind::File(_, length) = &mut self.inodes[*id].kind {
                    *length = (*length).max(*to);
                }
            }
            Change::Cut(id, to) => {
                if let Kind::File(content, length) = &mut self.inodes[*id].kind {
                    if content.len() > to_usize(*to) {
                        Arc::make_mut(content).truncate(to_usize(*to));
                    }
                    *length = *to;
                }
            }
            Change::Modified(id, modified) => self.inodes[*id].modified = *modified,
        }
    }

    /// Of the inodes that names lead to, one that has the number of an older one.
    pub(super) fn younger_of_two_with_one_number(&self) -> Option<Id> {
        let mut numbers = BTreeSet::new();
        self.linked().into_iter().find(|id| !numbers.insert(self.inodes[*id].number))
    }

    /// What is found when the disk is used again: files end where their lengths say, and what no
    /// name leads to is gone. The inodes stay in the order of their birth.
    pub(super) fn settled(self) -> Image {
        let linked: Vec<Id> = self.linked().into_iter().collect();
        let place = |id: &mut Id| *id = linked.binary_search(id).unwrap_or(BASE);
        let settle = |&id: &Id| {
            let mut inode = self.inodes[id].clone();
            match &mut inode.kind {
                Kind::Folder(entries) => entries.values_mut().for_each(place),
                Kind::File(content, length) if content.len() != to_usize(*length) => {
                    Arc::make_mut(content).resize(to_usize(*length), 0);
                }
                Kind::File(..) => {}
            }
            inode
        };
        Image { inodes: linked.iter().map(settle).collect(), reserved: self.reserved }
    }

    /// Everything that a name leads to, and the two directories that are always there.
    pub(super) fn linked(&self) -> BTreeSet<Id> {
        let mut linked = BTreeSet::from([BASE, STAGING]);
        let mut next = vec![BASE, STAGING];
        while let Some(id) = next.pop() {
            next.extend(self.entries(id).values().copied().filter(|id| linked.insert(*id)));
        }
        linked
    }

    pub(super) fn entries(&self, folder: Id) -> &BTreeMap<Name, Id> {
        static NONE: BTreeMap<Name, Id> = BTreeMap::new();
        match &self.inodes[folder].kind {
            Kind::Folder(entries) => entries,
            Kind::File(..) => &NONE,
        }
    }

    /// The names in a directory, each at a position that it keeps: as on a disk they are in no order
    /// that anybody would expect.
    pub(super) fn positions(&self, folder: Id) -> BTreeMap<i64, CString> {
        let name = |name: &Name| match name {
            Name::Plain(name) => CString::new(name.clone()).ok(),
            Name::Staged(_) => None,
        };
        let place = |name: &CString| {
            let spread = |hash: i64, byte: &u8| (hash ^ i64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            name.as_bytes().iter().fold(7, spread) & (i64::MAX >> 1)
        };
        self.entries(folder).keys().filter_map(name).map(|name| (place(&name), name)).collect()
    }

    pub(super) fn is_folder(&self, id: Id) -> bool {
        matches!(self.inodes[id].kind, Kind::Folder(_))
    }

    pub(super) fn version(&self, id: Id) -> Version {
        let inode = &self.inodes[id];
        let length = if let Kind::File(_, length) = inode.kind { length } else { 0 };
        Version { inode: inode.number, modified: inode.modified, length }
    }

    pub(super) fn content(&self, id: Id) -> Vec<u8> {
        match &self.inodes[id].kind {
            Kind::File(content, length) => {
                let mut content = content.to_vec();
                content.resize(to_usize(*length), 0);
                content
            }
            Kind::Folder(_) => Vec::new(),
        }
    }

    /// Whether another thread than its owner's may come upon it.
    #[cfg(loom)]
    pub(super) fn is_within_reach(&self, id: Id) -> bool {
        let named = |folder| {
            self.entries(folder).iter().any(|(name, named)| *named == id && matches!(name, Name::Plain(_)))
        };
        [BASE, STAGING].contains(&id) || (0..self.inodes.len()).any(named)
    }

    /// What clients can reach.
    pub fn tree(&self) -> Tree {
        let mut tree = Tree::new();
        let mut next = vec![(Vec::new(), BASE)];
        while let Some((path, folder)) = next.pop() {
            for (name, &id) in self.entries(folder) {
                let Name::Plain(name) = name else { continue };
                let path: Vec<Vec<u8>> = path.iter().chain([name]).cloned().collect();
                if self.is_folder(id) {
                    next.push((path.clone(), id));
                    tree.insert(path, None);
                } else {
                    tree.insert(path, Some((self.version(id), self.content(id))));
                }
            }
        }
        tree
    }

    /// What they cannot reach.
    pub fn staged(&self) -> Vec<StagedName> {
        let names = self.entries(STAGING).keys();
        names.filter_map(|name| if let Name::Staged(name) = name { Some(*name) } else { None }).collect()
    }
}

pub(super) fn to_usize(length: u64) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}
