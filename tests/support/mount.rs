//! File systems mounted for a test, by root alone, and unmounted with their owner.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Something that is mounted.
#[derive(Debug)]
pub struct Mount(PathBuf);

impl Mount {
    /// Mounts by `mount ARGUMENTS POINT`; nothing where that may not be done here.
    pub fn new(arguments: &[&OsStr], point: &Path) -> Option<Mount> {
        succeeds(Command::new("mount").args(arguments).arg(point)).then(|| Mount(point.to_owned()))
    }

    /// A file system in memory with these options.
    pub fn in_memory(options: &str, point: &Path) -> Option<Mount> {
        Mount::new(&["-t", "tmpfs", "-o", options, "tmpfs"].map(OsStr::new), point)
    }

    /// What is at `from` at another place, too.
    pub fn bound(from: &Path, point: &Path) -> Option<Mount> {
        Mount::new(&[OsStr::new("--bind"), from.as_os_str()], point)
    }

    /// Makes it read-only, or writable again.
    pub fn set_read_only(&self, read_only: bool) {
        let options = if read_only { "remount,ro" } else { "remount,rw" };
        assert!(succeeds(Command::new("mount").args(["-o", options]).arg(&self.0)), "remounting");
    }

    /// Unmounts it, where nobody uses it.
    pub fn unmount(&self) -> bool {
        succeeds(Command::new("umount").arg(&self.0))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Whoever still uses it keeps it; nobody finds it any more.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).output();
    }
}

/// Whether a command could be run, and succeeded.
pub fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}
