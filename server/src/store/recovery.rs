//! What a server that died has left is undone, before anything is served: [`Store::recover`].
//!
//! Property: afterwards each file has the content after some whole requests, and nothing is staged;
//! so it is, too, when a recovery dies and another one begins. It takes time in proportion to what
//! was left, not to the tree.

use super::Store;
use super::directory::Directory;
use super::operation::StoreError;
use super::staged::StagedEntry;
use crate::seeded::bug;

impl<D: Directory> Store<D> {
    /// Undoes unfinished appends, removes unfinished uploads, and makes sure that files keep the
    /// times that tell their versions apart.
    ///
    /// # Errors
    /// Whatever leaves one of them as it is.
    pub fn recover(&self) -> Result<(), StoreError> {
        let failed = StoreError::failed;
        for name in self.directory.leftovers().map_err(|error| failed("readdir", error))? {
            if let Some((length, modified)) = name.undo
                && !bug("append_is_not_undone")
            {
                tracing::info!(length, "an append that was cut off is undone");
                let file = self.directory.open_staged(name).map_err(|error| failed("openat", error))?;
                let now = self.directory.version(&file).map_err(|error| failed("fstat", error))?;
                // A file that is shorter was cut by somebody else, who had reason to.
                if now.length >= length {
                    self.restore(&file, length, modified)?;
                }
                // Before the record goes, without which nothing would say that it is unfinished.
                if !bug("recovery_is_not_synced") {
                    self.directory.sync_file(&file).map_err(|error| failed("fsync", error))?;
                }
            }
            self.directory.unstage(name).map_err(|error| failed("unlinkat", error))?;
        }
        // That a record is gone need not be durable here: the next append syncs before it writes.
        self.check_times()
    }

    /// Makes the file what it was before an append.
    pub(super) fn restore(&self, file: &D::File, length: u64, modified: i64) -> Result<(), StoreError> {
        self.directory.truncate(file, length).map_err(|error| StoreError::failed("ftruncate", error))?;
        if bug("time_is_not_restored") {
            return Ok(());
        }
        match self.directory.set_modified(file, modified) {
            // utimensat(2): only the owner may. The content counts for more than its time.
            Err(error) if error.raw_os_error() != Some(libc::EPERM) => {
                Err(StoreError::failed("futimens", error))
            }
            _ => Ok(()),
        }
    }

    /// Versions are told apart by times, which file systems of old cut short.
    fn check_times(&self) -> Result<(), StoreError> {
        let (_entry, file) = StagedEntry::new(&self.directory, None)?;
        // One time may be whole by chance.
        self.stamp_staged(&file).and_then(|_| self.stamp_staged(&file)).map(drop)
    }
}
