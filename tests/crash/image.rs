//! A file system of its own in a file, mounted by a loop device, that can be crashed: only root can
//! have one, and only where the machine has loop devices and the file system's tools.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use tests::{Mount, can_mount, eventually, ledger, succeeds};

/// A kind of file system.
pub(crate) struct Kind {
    pub(crate) crash: Means,
    make: &'static str,
    tools: &'static [&'static str],
    bytes: u64,
}

/// By what it loses what is not on its disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Means {
    /// It is told to give up. For the server it is as if the disk were gone.
    Shutdown,
    /// Its disk is copied while it is mounted, and the copy is mounted in its place.
    Copy,
}

pub(crate) const EXT4: Kind =
    Kind { crash: Means::Shutdown, make: "mkfs.ext4", tools: &["mkfs.ext4", "xfs_io"], bytes: 128 << 20 };

/// Its tools make none that is smaller.
pub(crate) const XFS: Kind =
    Kind { crash: Means::Shutdown, make: "mkfs.xfs", tools: &["mkfs.xfs", "xfs_io"], bytes: 300 << 20 };

/// It cannot be told to give up.
pub(crate) const BTRFS: Kind =
    Kind { crash: Means::Copy, make: "mkfs.btrfs", tools: &["mkfs.btrfs", "btrfs"], bytes: 300 << 20 };

/// An image that is mounted where a server looks for its directory; unmounted when it is dropped.
pub(crate) struct Image {
    file: PathBuf,
    point: PathBuf,
    mount: Option<Mount>,
}

/// A shutdown of a file system that is ready to happen.
pub(crate) struct Shutdown(Child);

impl Image {
    /// At `data` in `home`; nothing where none can be had, with a line that says so.
    pub(crate) fn new(kind: &Kind, home: &TempDir, check: &str) -> Option<Image> {
        if let Some(reason) = what_lacks(kind) {
            ledger::skipped(check, &reason);
            return None;
        }
        let (file, point) = (home.path().join("image"), home.path().join("data"));
        File::create(&file).unwrap().set_len(kind.bytes).unwrap();
        assert!(succeeds(Command::new(kind.make).arg("-q").arg(&file)), "{}", kind.make);
        std::fs::create_dir(&point).unwrap();
        let mut image = Image { file, point, mount: None };
        image.mount();
        Some(image)
    }

    /// Makes a shutdown ready, so that it takes little time when it is to happen.
    pub(crate) fn shutdown(&self) -> Shutdown {
        let mut command = Command::new("xfs_io");
        // xfs_io(8): with -x also for file systems that are not XFS.
        command.arg("-x").arg(&self.point);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        Shutdown(child.unwrap())
    }

    /// Copies what is on the disk.
    pub(crate) fn copy(&self) {
        let copied = succeeds(Command::new("cp").arg("--sparse=always").arg(&self.file).arg(self.copied()));
        assert!(copied, "the image is copied");
    }

    fn copied(&self) -> PathBuf {
        self.file.with_extension("copy")
    }

    /// Mounts it again, or its copy, as after a power cut: the file system recovers by its journal.
    pub(crate) fn remount(&mut self) {
        let mount = self.mount.take().unwrap();
        // A process that another test starts has all that is open here, until it runs its program.
        eventually("nobody uses the image", || mount.unmount());
        // Nothing is left for it to unmount when it is dropped.
        drop(mount);
        if self.copied().exists() {
            std::fs::rename(self.copied(), &self.file).unwrap();
            // The kernel remembers a later state of the file system than that of the copy.
            assert!(succeeds(Command::new("btrfs").args(["device", "scan", "--forget"])), "btrfs forgets");
        }
        self.mount();
    }

    fn mount(&mut self) {
        let arguments = [OsStr::new("-o"), OsStr::new("loop"), self.file.as_os_str()];
        self.mount = Mount::new(&arguments, &self.point);
        assert!(self.mount.is_some(), "root mounts, where there are loop devices");
    }
}

impl Shutdown {
    /// From now on every call on the file system fails, and what its journal has not on the disk is
    /// lost: without a flush, as by a power cut.
    pub(crate) fn happen(mut self) {
        let mut stdin = self.0.stdin.take().unwrap();
        stdin.write_all(b"shutdown\n").unwrap();
        drop(stdin);
        let output = self.0.wait_with_output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "xfs_io: {output:?}");
    }
}

/// Why no such image can be had here.
fn what_lacks(kind: &Kind) -> Option<String> {
    if !can_mount() {
        return Some("nothing can be mounted".to_owned());
    }
    if !succeeds(Command::new("losetup").arg("--find")) {
        return Some("no loop device".to_owned());
    }
    let missing = |tool: &&str| Command::new(tool).arg("--version").output().is_err();
    let missing = kind.tools.iter().copied().find(missing)?;
    assert!(std::env::var_os("CI").is_none(), "`.ci/run` installs {missing}");
    Some(format!("{missing} is missing"))
}
