//! What the process gives up once it has started: [`confine`].
//!
//! The kernel's Landlock (landlock(7)) takes from this thread, and from all that it starts later, every file
//! but those that are named here, and all new TCP connections and ports. What is open stays open.

use std::fmt;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus, PathBeneath, PathFd,
    Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError, Scope, make_bitflags,
};

/// The newest version of the kernel's interface whose rights are given up. Later ones could take what is needed.
const NEWEST: ABI = ABI::V6;

/// What the process will still need.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// The directory that is served, and the server's own in it, wherever others may move that: all that the
    /// store does.
    pub served: Vec<PathBuf>,
    /// Directories below which files are read again.
    pub read: Vec<PathBuf>,
    /// Directories in which files are removed at the end.
    pub cleared: Vec<PathBuf>,
    /// Directories in which files are made, and appended to.
    pub appended: Vec<PathBuf>,
}

impl Reach {
    /// Lets a file be read that may be replaced, and be reached by links: below the directory where it is
    /// named, and below the one where it is.
    pub fn read_again(&mut self, file: &Path) {
        for file in [Some(file.to_owned()), file.canonicalize().ok()].into_iter().flatten() {
            self.read.push(above(&file));
        }
    }

    /// Lets a file be made anew, and appended to, when it was moved away.
    pub fn append_again(&mut self, file: &Path) {
        self.appended.push(above(file));
    }
}

/// The directory in which a file is named.
fn above(file: &Path) -> PathBuf {
    match file.parent() {
        Some(above) if above != Path::new("") => above.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Confinement {
    /// This was not wanted.
    Off,
    /// It holds, with what this version of the kernel's interface knows.
    Version(u32),
    /// The kernel cannot do it, or not without taking what is needed.
    Missing(String),
}

impl fmt::Display for Confinement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Confinement::Off => formatter.write_str("not confined"),
            Confinement::Version(version) => write!(formatter, "confined by Landlock {version}"),
            Confinement::Missing(why) => write!(formatter, "not confined: {why}"),
        }
    }
}

/// Gives up all that is beyond `reach`, for good. Call it before there are other threads.
pub fn confine(reach: &Reach) -> Confinement {
    match restrict(reach) {
        Ok(LandlockStatus::Available { effective_abi, .. }) => {
            Confinement::Version(effective_abi.min(NEWEST) as u32)
        }
        Ok(LandlockStatus::NotEnabled) => Confinement::Missing("Landlock is not enabled".to_owned()),
        Ok(LandlockStatus::NotImplemented) => Confinement::Missing("the kernel has no Landlock".to_owned()),
        Err(error) => Confinement::Missing(format!("Landlock: {error}")),
    }
}

fn restrict(reach: &Reach) -> Result<LandlockStatus, RulesetError> {
    let ruleset = Ruleset::default()
        // Its first version forbids every rename from one directory to another, staged files' among them.
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::Refer)?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?;
    let mut ruleset = ruleset.create()?.set_compatibility(CompatLevel::BestEffort);
    let served = make_bitflags!(AccessFs::{
        ReadFile | ReadDir | WriteFile | Truncate | MakeReg | MakeDir | MakeSym | Refer | RemoveFile | RemoveDir
    });
    let read = BitFlags::from(AccessFs::ReadFile);
    // The look at a directory is for the lock on it.
    let cleared = make_bitflags!(AccessFs::{ ReadDir | RemoveFile });
    let appended = make_bitflags!(AccessFs::{ WriteFile | MakeReg });
    let served = reach.served.iter().map(|path| (path.as_path(), served));
    let all = served
        .chain(reach.read.iter().map(|path| (path.as_path(), read)))
        .chain(reach.cleared.iter().map(|path| (path.as_path(), cleared)))
        .chain(reach.appended.iter().map(|path| (path.as_path(), appended)));
    for (path, access) in all {
        // What is gone by now needs no right; whoever misses it later is told so.
        if let Ok(directory) = PathFd::new(path) {
            ruleset = ruleset.add_rule(PathBeneath::new(directory, access))?;
        }
    }
    Ok(ruleset.restrict_self()?.landlock)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::ErrorKind::PermissionDenied;
    use std::net::{TcpListener, TcpStream};
    use std::thread;

    use super::*;

    /// Goal: what is beyond reach cannot be opened, whatever the user may; what is within can be used as the
    /// store uses it. Method: a thread of its own, which alone is confined.
    #[test]
    fn what_is_beyond_reach_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name);
        for name in ["served", "served/below", "read", "cleared", "appended", "outside"] {
            fs::create_dir(path(name)).unwrap();
            fs::write(path(name).join("file"), "content").unwrap();
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut reach =
            Reach { served: vec![path("served")], cleared: vec![path("cleared")], ..Reach::default() };
        reach.read_again(&path("read/file"));
        reach.append_again(&path("appended/log"));
        let before = File::open(path("outside/file")).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                let confinement = confine(&reach);
                let Confinement::Version(version) = confinement else {
                    // An old kernel: nothing was given up, and the start line says so.
                    assert!(confinement.to_string().starts_with("not confined: "));
                    return;
                };
                let refused = |result: std::io::Result<()>| {
                    assert_eq!(result.map_err(|error| error.kind()), Err(PermissionDenied));
                };
                refused(fs::read(path("outside/file")).map(drop));
                refused(fs::write(path("outside/new"), ""));
                refused(fs::read_dir(path("outside")).map(drop));
                refused(File::open("/etc/passwd").map(drop));
                refused(fs::remove_file(path("read/file")));
                refused(fs::write(path("read/file"), ""));
                refused(fs::read(path("cleared/file")).map(drop));
                refused(fs::write(path("cleared/new"), ""));
                refused(fs::read(path("appended/file")).map(drop));
                refused(fs::remove_file(path("appended/file")));
                // Nor is there a way by a link.
                std::os::unix::fs::symlink(path("outside/file"), path("served/link")).unwrap();
                refused(fs::read(path("served/link")).map(drop));
                let moved = fs::rename(path("served/file"), path("outside/moved"));
                assert!(moved.is_err());

                assert_eq!(fs::read_to_string(path("read/file")).unwrap(), "content");
                fs::remove_file(path("cleared/file")).unwrap();
                for _ in 0..2 {
                    File::options().append(true).create(true).open(path("appended/log")).unwrap();
                }
                fs::write(path("served/below/new"), "new").unwrap();
                fs::rename(path("served/below/new"), path("served/new")).unwrap();
                fs::hard_link(path("served/new"), path("served/below/again")).unwrap();
                File::options().write(true).open(path("served/new")).unwrap().set_len(1).unwrap();
                fs::create_dir(path("served/below/made")).unwrap();
                fs::remove_dir(path("served/below/made")).unwrap();
                fs::read_dir(path("served")).unwrap();
                // What is open stays so.
                assert_eq!(before.metadata().unwrap().len(), 7);
                std::io::read_to_string(&before).unwrap();
                if version >= 4 {
                    refused(TcpListener::bind("127.0.0.1:0").map(drop));
                    refused(TcpStream::connect(address).map(drop));
                }
            });
        });
    }
}
