//! What is below a directory, to see that nothing there has changed.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Everything below `directory` and itself, by path, as lines to compare: kind, permissions, times of
/// change, and the content of files and links. Nothing is followed, and only regular files are read.
///
/// The server's own directory is left out: it changes whenever something is staged.
pub fn tree(directory: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    gather(directory, &mut found);
    found
}

fn gather(path: &Path, found: &mut BTreeMap<PathBuf, String>) {
    // Nobody may look at what is in a directory that only lists its names, but for root.
    let Ok(status) = fs::symlink_metadata(path) else {
        found.insert(path.to_owned(), "hidden".to_owned());
        return;
    };
    let kind = status.file_type();
    let what = if kind.is_file() {
        // Nobody may read what has no permissions, but for root.
        fs::read(path).map_or("unreadable".to_owned(), |content| format!("file {}", content.escape_ascii()))
    } else if kind.is_symlink() {
        format!("link to {:?}", fs::read_link(path).expect("nobody else removes it"))
    } else if kind.is_dir() {
        "directory".to_owned()
    } else {
        format!("other {} {}", kind.is_fifo(), status.rdev())
    };
    // The time of change of status tells of every change, also of one that was undone.
    let times = (status.mtime(), status.mtime_nsec(), status.ctime(), status.ctime_nsec());
    let line = format!("inode {} mode {:o} times {times:?} {what}", status.ino(), status.mode());
    found.insert(path.to_owned(), line);
    if kind.is_dir() {
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            if entry.file_name() != ".http_server" {
                gather(&entry.path(), found);
            }
        }
    }
}

/// How many files of unfinished requests are in the server's own directory in `directory`, where
/// there is one. What it keeps there for the next start begins with another word.
pub fn staged(directory: &Path) -> usize {
    let entries = fs::read_dir(directory.join(".http_server")).into_iter().flatten().flatten();
    let name = |entry: fs::DirEntry| entry.file_name().into_encoded_bytes();
    entries.map(name).filter(|name| name[0].is_ascii_digit() || name.starts_with(b"undo")).count()
}
