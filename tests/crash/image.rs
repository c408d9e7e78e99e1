//! File systems in image files, which can be cut off from their disk as by a power cut.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// What an image holds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum FileSystem {
    Ext4,
    Xfs,
}

/// An image that is mounted where a server looks for its directory; unmounted when it is dropped.
pub(crate) struct Image {
    file: PathBuf,
    mount_point: PathBuf,
}

impl Image {
    /// Makes a file system and mounts it at `data` in `home`; nothing where that cannot be had.
    pub(crate) fn mount(file_system: FileSystem, home: &TempDir) -> Option<Image> {
        let image = Image { file: home.path().join("image"), mount_point: home.path().join("data") };
        std::fs::create_dir(&image.mount_point).unwrap();
        let (length, make) = match file_system {
            FileSystem::Ext4 => (128 << 20, ["mkfs.ext4", "-q"]),
            FileSystem::Xfs => (320 << 20, ["mkfs.xfs", "-q"]),
        };
        std::fs::File::create(&image.file).unwrap().set_len(length).unwrap();
        let ready = run(Command::new(make[0]).arg(make[1]).arg(&image.file))
            && run(Command::new("xfs_io").args(["-c", "help shutdown"]).arg(&image.file))
            && image.try_mount();
        ready.then_some(image)
    }

    /// From here on nothing reaches the disk, what is in the journal's memory neither.
    pub(crate) fn shut_down(&mut self) {
        // xfs_io(8): with -x also for file systems that are not XFS; without -f the log is not flushed.
        let shut_down = run(Command::new("xfs_io").args(["-x", "-c", "shutdown"]).arg(&self.mount_point));
        assert!(shut_down, "the file system is cut off");
    }

    /// As after the power has come back.
    pub(crate) fn mount_again(&mut self) {
        assert!(unmount(&self.mount_point), "nobody uses it any more");
        assert!(self.try_mount(), "it can be mounted again");
    }

    fn try_mount(&self) -> bool {
        run(Command::new("mount").args(["-o", "loop"]).arg(&self.file).arg(&self.mount_point))
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        // With it the kernel frees the loop device that `mount` took.
        unmount(&self.mount_point);
    }
}

fn unmount(mount_point: &Path) -> bool {
    run(Command::new("umount").arg(mount_point))
}

/// Whether a command could be run, and succeeded.
fn run(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}
