//! File systems mounted for a test, by root alone, and unmounted with their owner.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::am_root;

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

    /// A small file system of the kind `ext4` in the file `image`, which is made; bytes as `truncate` has them.
    pub fn in_image(image: &Path, bytes: &str, point: &Path) -> Mount {
        let made = succeeds(Command::new("truncate").args(["--size", bytes]).arg(image))
            && succeeds(Command::new("mkfs.ext4").args(["-q", "-F", "-b", "4096", "-m", "0"]).arg(image));
        assert!(made, "an image of {bytes} bytes");
        // The kernel lets go of the loop device when nobody uses the file system any more.
        let arguments = ["-t", "ext4", "-o", "loop"].map(OsStr::new);
        let mount = Mount::new(&[&arguments[..], &[image.as_os_str()]].concat(), point);
        mount.expect("root can mount an image")
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

/// Whether `what` can be tried, which takes mounts and devices: by root, where the machine lets root
/// mount at all. Elsewhere it is skipped, with a line that says so.
#[track_caller]
pub fn may_mount(what: &str) -> bool {
    let may = can_mount();
    println!("{what}: skipped={}", u8::from(!may));
    may
}

/// Whether this process can mount file systems, of memory and of images.
pub fn can_mount() -> bool {
    static CAN_MOUNT: OnceLock<bool> = OnceLock::new();
    *CAN_MOUNT.get_or_init(|| {
        let home = tempfile::tempdir().expect("a temporary directory can be made");
        let (point, image) = (home.path().join("point"), home.path().join("image"));
        std::fs::create_dir(&point).expect("a directory can be made");
        let in_memory = am_root() && Mount::in_memory("size=1m", &point).is_some();
        let made = in_memory
            && succeeds(Command::new("truncate").args(["--size", "8M"]).arg(&image))
            && succeeds(Command::new("mkfs.ext4").arg("-q").arg(&image));
        let arguments = [OsStr::new("-o"), OsStr::new("loop"), image.as_os_str()];
        made && Mount::new(&arguments, &point).is_some()
    })
}

/// Whether a command could be run, and succeeded.
pub fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}
