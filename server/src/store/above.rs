//! What stands above a path, and whether it stays: [`Store::above_is_final`].

use std::io;

use super::Store;
use super::directory::{Directory, Entry};
use super::operation::{StoreError, StoreErrorKind};
use super::path::ParentPath;
use crate::seeded::bug;

impl<D: Directory> Store<D> {
    /// Whether a crash leaves what a change is refused for: that a file is on the way, or that there is
    /// nothing. Nobody is refused for the sake of what may still be taken back, or be lost with the
    /// power. Not while the path is being read.
    pub(super) fn above_is_final(&self, parent: &ParentPath, refused: &StoreError) -> bool {
        let file = match refused.kind {
            StoreErrorKind::ParentIsFile => true,
            StoreErrorKind::NotFound
            | StoreErrorKind::ConditionFails
            | StoreErrorKind::LengthDiffers { .. } => false,
            _ => return true,
        };
        if file && bug("file_above_taken_for_final") || !file && bug("nothing_above_taken_for_final") {
            return true;
        }
        for (folder, name) in parent.steps() {
            let separator: &[u8] = if folder.is_empty() { b"" } else { b"/" };
            let path = [folder.as_bytes(), separator, name.as_bytes()].concat();
            // Whoever makes or removes a file there is alone with it until that is final.
            let _reading = self.locks.read(&path);
            let entry = self.directory.open_folder(&folder);
            match entry.and_then(|folder| self.directory.look_up(&folder, &name)) {
                Ok(Entry::File(_)) => return file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return !file,
                Ok(_) | Err(_) => {}
            }
        }
        // Then what was refused was so for want of the last name itself; or for a file that is gone.
        !file
    }
}
