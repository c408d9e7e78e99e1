//! One state of a file, told apart from every other: [`Version`].

/// What a file was when it was looked at.
///
/// Property: two versions of a path are never equal. Each one that this store makes has a
/// modification time that it has given to no other ([`crate::shared::stamps`]), and an append makes
/// its file longer; so neither a clock that stands still, nor an inode that is used again, nor
/// equal lengths make two of them one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Version {
    /// The number of its inode.
    pub inode: u64,
    /// When its content was last changed, in nanoseconds since 1970; the nearest that 64 bits hold.
    pub modified: i64,
    /// Bytes.
    pub length: u64,
}

impl Version {
    /// The second in which it was last changed, since 1970.
    pub fn modified_seconds(&self) -> i64 {
        self.modified.div_euclid(1_000_000_000)
    }
}
