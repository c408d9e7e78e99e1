//! What can be asked of a directory, and what it can answer: a page of its entries, and where the
//! next one begins.

use super::version::Version;

/// Which entries of a directory are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// By what they are sorted, as long as there are not too many.
    pub order: Order,
    /// The last ones first.
    pub descending: bool,
    /// Where the page begins.
    pub after: Place,
    /// Entries of a page, at most.
    pub entries_max: usize,
    /// Entries of a directory that are still sorted; where there are more, they come in the order
    /// that the directory has them in.
    pub sorted_max: usize,
}

/// What entries are sorted by; those that are alike in it, by their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The bytes of their names.
    Name,
    /// Their lengths; directories have none, and come first.
    Size,
    /// When they were changed; of directories that is not told, and they come first.
    Modified,
}

/// A place in a directory, between two entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Before the first.
    Beginning,
    /// Behind where this entry is in the order that was asked for, whether or not it is there still.
    Entry {
        /// Its name.
        name: Vec<u8>,
        /// What it was sorted by, where that is not its name.
        value: Option<i64>,
    },
    /// A place in the directory's own order, as its file system numbers them.
    Position(i64),
}

/// A page of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The entries. A page can have fewer than it may, also where more follow.
    pub entries: Vec<Listed>,
    /// They are in the order that was asked for, not in the directory's own.
    pub sorted: bool,
    /// Where the next page begins; nothing where this is the last one.
    pub next: Option<Place>,
}

/// An entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name: any bytes but NUL and `/`.
    pub name: Vec<u8>,
    /// Which version of a file it is; nothing where it is a directory.
    pub file: Option<Version>,
}

impl Order {
    /// What an entry is sorted by beside its name.
    pub fn value(self, file: Option<&Version>) -> Option<i64> {
        match self {
            Order::Name => None,
            Order::Size => file.map(|version| i64::try_from(version.length).unwrap_or(i64::MAX)),
            Order::Modified => file.map(|version| version.modified),
        }
    }
}
