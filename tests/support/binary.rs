//! The binary under test, built when a test first asks for it, so that it is never stale: a test of
//! another package gets no path to it from cargo.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The server's executable, in the profile and the target directory of the running test.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(build)
}

fn build() -> PathBuf {
    // <target directory>/<profile>/deps/<test>
    let test = std::env::current_exe().expect("a test has a path");
    let profile_directory =
        test.ancestors().nth(2).expect("tests are built in <target directory>/<profile>/deps");
    let target_directory = profile_directory.parent().expect("a profile's directory has a parent");
    let profile = match profile_directory.file_name().and_then(OsStr::to_str) {
        Some("debug") => "dev",
        Some(profile) => profile,
        None => panic!("no profile in {}", test.display()),
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        // The whole workspace chooses the features, as it did for the tests: else half is built again.
        .args(["build", "--locked", "--workspace", "--bin", "http_server", "--profile", profile])
        .arg("--target-dir")
        .arg(target_directory)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "the binary does not build:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    profile_directory.join("http_server")
}
