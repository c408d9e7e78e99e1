//! Where the checks are: [`Executables`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::list::Layer;

/// The test executables of the workspace, and those under loom.
pub(crate) struct Executables {
    ordinary: BTreeMap<String, PathBuf>,
    loom: BTreeMap<String, PathBuf>,
}

impl Executables {
    /// Builds what is not built yet, as the whole run of the tests does, so that nothing is built
    /// twice.
    pub(crate) fn build() -> Executables {
        // <target directory>/<profile>/deps/<test>
        let test = std::env::current_exe().unwrap();
        let profile = test.ancestors().nth(2).unwrap();
        let target = profile.parent().unwrap();
        let profile = match profile.file_name().and_then(std::ffi::OsStr::to_str).unwrap() {
            "debug" => "test",
            profile => profile,
        };
        let ordinary = build(&["--workspace", "--profile", profile], target, None);
        // Just as `tests/loom.rs` does.
        let mut flags = std::env::var("RUSTFLAGS").unwrap_or_default();
        flags.push_str(" --cfg loom");
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("loom");
        let packages = ["--package", "http_server", "--package", "model", "--lib"];
        let loom = build(&[&["--profile", "loom"], &packages[..]].concat(), &target, Some(&flags));
        Executables { ordinary, loom }
    }

    /// The one that has the checks of a layer.
    pub(crate) fn of(&self, layer: Layer) -> &Path {
        let loom = matches!(layer, Layer::Loom | Layer::StoreLoom);
        let executables = if loom { &self.loom } else { &self.ordinary };
        let name = layer.executable();
        executables.get(name).unwrap_or_else(|| panic!("{name} is none of {:?}", executables.keys()))
    }
}

/// Builds tests, and says where they are by the names of what they are built from.
fn build(arguments: &[&str], target: &Path, flags: Option<&str>) -> BTreeMap<String, PathBuf> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .args(["test", "--locked", "--no-run", "--message-format", "json", "--target-dir"])
        .arg(target)
        .args(arguments)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    if let Some(flags) = flags {
        // The other variable would hide them.
        command.env("RUSTFLAGS", flags).env_remove("CARGO_ENCODED_RUSTFLAGS");
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    let executable = |line: &str| {
        let path = between(line, "\"executable\":\"", "\"")?;
        let kind = between(line, "\"kind\":[\"", "\"")?;
        let name = between(line.split_once("\"kind\":").unwrap_or_default().1, "\"name\":\"", "\"")?;
        // A library may have the name of a test, or of a program. Under loom there are no others.
        (kind == "test" || kind == "lib" && (name == "http_server" || flags.is_some()))
            .then(|| (name.to_owned(), PathBuf::from(path)))
    };
    let tests = text.lines().filter(|line| line.contains("\"test\":true"));
    tests.filter_map(executable).collect()
}

fn between<'a>(text: &'a str, before: &str, behind: &str) -> Option<&'a str> {
    text.split_once(before)?.1.split_once(behind).map(|(between, _)| between)
}
