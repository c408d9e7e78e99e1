//! File systems in image files, which can be cut off from their disk as by a power cut.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;
use tests::{Mount, succeeds};

/// What an image holds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum FileSystem {
    Ext4,
    Xfs,
}

/// An image that is mounted where a server looks for its directory.
pub(crate) struct Image {
    file: PathBuf,
    mount_point: PathBuf,
    mount: Option<Mount>,
}

impl Image {
    /// Makes a file system and mounts it at `data` in `home`; nothing where that cannot be had.
    pub(crate) fn mount(file_system: FileSystem, home: &TempDir) -> Option<Image> {
        let (file, mount_point) = (home.path().join("image"), home.path().join("data"));
        std::fs::create_dir(&mount_point).unwrap();
        let (length, make) = match file_system {
            FileSystem::Ext4 => (128 << 20, "mkfs.ext4"),
            FileSystem::Xfs => (320 << 20, "mkfs.xfs"),
        };
        std::fs::File::create(&file).unwrap().set_len(length).unwrap();
        let mut image = Image { file, mount_point, mount: None };
        let made = succeeds(Command::new(make).arg("-q").arg(&image.file));
        let can_be_cut_off = succeeds(Command::new("xfs_io").args(["-c", "help shutdown"]).arg(&image.file));
        image.mount = image.try_mount().filter(|_| made && can_be_cut_off);
        image.mount.is_some().then_some(image)
    }

    /// From here on nothing reaches the disk, what is in the journal's memory neither.
    pub(crate) fn shut_down(&mut self) {
        // xfs_io(8): with -x also for file systems that are not XFS; without -f the log is not flushed.
        let mut command = Command::new("xfs_io");
        assert!(succeeds(command.args(["-x", "-c", "shutdown"]).arg(&self.mount_point)), "it is cut off");
    }

    /// As after the power has come back.
    pub(crate) fn mount_again(&mut self) {
        let mount = self.mount.take().unwrap();
        assert!(mount.unmount(), "nobody uses it any more");
        // Unmounted already: nothing is left for it to do.
        drop(mount);
        self.mount = self.try_mount();
        assert!(self.mount.is_some(), "it can be mounted again");
    }

    fn try_mount(&self) -> Option<Mount> {
        Mount::new(&[OsStr::new("-o"), OsStr::new("loop"), self.file.as_os_str()], &self.mount_point)
    }
}
