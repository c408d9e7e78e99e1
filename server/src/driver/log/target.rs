//! Where a log is written: [`Target`], and [`LogFile`], which can be moved away and begun anew.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Something that lines are written to.
pub trait Target: Write {
    /// Begins anew where that means something.
    ///
    /// # Errors
    /// Where it cannot; then it goes on as before.
    fn reopen(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Target for io::Stderr {}

/// A file that lines are appended to.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    file: File,
    /// The last write ended within a line, or may have.
    torn: bool,
}

impl LogFile {
    /// Opens it, made if it is missing.
    ///
    /// # Errors
    /// Where the file system does not allow it.
    pub fn open(path: PathBuf) -> io::Result<LogFile> {
        let file = append_to(&path)?;
        Ok(LogFile { path, file, torn: false })
    }

    /// What it is named.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    // Who asked for what is not everybody's affair. open(2): without O_NONBLOCK a FIFO that nobody reads
    // would hold up the start.
    OpenOptions::new().append(true).create(true).mode(0o640).custom_flags(libc::O_NONBLOCK).open(path)
}

impl Target for LogFile {
    fn reopen(&mut self) -> io::Result<()> {
        self.file = append_to(&self.path)?;
        self.torn = false;
        Ok(())
    }
}

impl Write for LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    /// What comes behind a write that failed does not become a part of its last line.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.torn {
            self.file.write_all(b"\n")?;
        }
        self.torn = true;
        self.file.write_all(bytes)?;
        self.torn = false;
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_moved_away_is_begun_anew() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("log");
        std::fs::write(&path, "before\n").unwrap();
        let mut log = LogFile::open(path.clone()).unwrap();
        log.write_all(b"one\n").unwrap();
        std::fs::rename(&path, home.path().join("old")).unwrap();
        log.write_all(b"two\n").unwrap();
        log.reopen().unwrap();
        log.write_all(b"three\n").unwrap();
        assert_eq!(std::fs::read_to_string(home.path().join("old")).unwrap(), "before\none\ntwo\n");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "three\n");
        // Where it cannot be, what there is stays in use.
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(log.reopen().is_err());
        log.write_all(b"four\n").unwrap();
    }

    #[test]
    fn a_line_behind_a_failure_stands_alone() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("log");
        let mut log = LogFile::open(path.clone()).unwrap();
        log.file.write_all(b"half").unwrap();
        log.torn = true;
        log.write_all(b"whole\n").unwrap();
        log.write_all(b"next\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "half\nwhole\nnext\n");
    }
}
