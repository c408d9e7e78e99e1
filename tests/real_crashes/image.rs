//! A file system of its own in a file, mounted by a loop device, that can be crashed: only root can
//! have one, and only where the machine has loop devices and the file system's tools.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;
use tests::{am_root, eventually};

/// A kind of file system.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    make: &'static [&'static str],
    tools: &'static [&'static str],
    bytes: u64,
}

/// `xfs_io` shuts this one down too: the call is the same.
pub(crate) const EXT4: Kind =
    Kind { name: "ext4", make: &["mkfs.ext4", "-q"], tools: &["mkfs.ext4", "xfs_io"], bytes: 128 << 20 };

/// Its tools make none that is smaller.
pub(crate) const XFS: Kind =
    Kind { name: "xfs", make: &["mkfs.xfs", "-q"], tools: &["mkfs.xfs", "xfs_io"], bytes: 300 << 20 };

/// A mounted image. Dropped, it is unmounted, and its loop device with it.
pub(crate) struct Image {
    home: TempDir,
    mounted: bool,
}

/// A shutdown of a file system that is ready to happen.
pub(crate) struct Shutdown(Child);

impl Image {
    /// Nothing where none can be had, with a line that says so.
    pub(crate) fn new(kind: &Kind) -> Option<Image> {
        if let Some(reason) = what_lacks(kind) {
            println!("crash:{} skipped=1: {reason}", kind.name);
            return None;
        }
        let home = tempfile::tempdir().unwrap();
        let mut image = Image { home, mounted: false };
        File::create(image.file()).unwrap().set_len(kind.bytes).unwrap();
        run(Command::new(kind.make[0]).args(&kind.make[1..]).arg(image.file()));
        std::fs::create_dir(image.mount_point()).unwrap();
        image.mount();
        Some(image)
    }

    /// A directory on it to be served.
    pub(crate) fn directory(&self) -> PathBuf {
        self.mount_point().join("data")
    }

    /// Makes a shutdown ready, so that it takes no time when it is to happen.
    pub(crate) fn shutdown(&self) -> Shutdown {
        let mut command = Command::new("xfs_io");
        command.arg("-x").arg(self.mount_point());
        let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        Shutdown(child.unwrap())
    }

    /// Mounts it again, as after a power cut: the file system recovers by its journal.
    pub(crate) fn remount(&mut self) {
        self.unmount();
        self.mount();
    }

    fn mount(&mut self) {
        run(Command::new("mount").args(["-o", "loop"]).args([self.file(), self.mount_point()]));
        self.mounted = true;
    }

    fn unmount(&mut self) {
        // Another process that is being started has what this one has open until it runs.
        eventually("the image is unmounted", || try_unmount(&[], &self.mount_point()));
        self.mounted = false;
    }

    fn file(&self) -> PathBuf {
        self.home.path().join("image")
    }

    fn mount_point(&self) -> PathBuf {
        self.home.path().join("mount")
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        // Later if it must be: when nobody uses it any more.
        if self.mounted && !try_unmount(&[], &self.mount_point()) {
            try_unmount(&["--lazy"], &self.mount_point());
        }
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

fn try_unmount(flags: &[&str], mount_point: &Path) -> bool {
    Command::new("umount").args(flags).arg(mount_point).output().unwrap().status.success()
}

/// Why no such image can be had here.
fn what_lacks(kind: &Kind) -> Option<String> {
    if !am_root() {
        return Some("only root mounts".to_owned());
    }
    if !Command::new("losetup").arg("--find").output().is_ok_and(|output| output.status.success()) {
        return Some("no loop device".to_owned());
    }
    let missing = |tool: &&&str| Command::new(tool).arg("-V").output().is_err();
    kind.tools.iter().find(missing).map(|tool| format!("{tool} is missing"))
}

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}
