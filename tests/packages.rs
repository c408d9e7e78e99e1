//! What others install: the Debian package, and what `cargo install` puts there.
//!
//! Both are built anew, with all that a release takes, so only a run of hours does it (`VERIFY=soak`); and only
//! where `cargo-deb` and `dpkg` are.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper of tests fails the test that it helps")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tests::{Depth, am_root, depth, ledger, succeeds};

/// What the package brings, each with its permissions.
const FILES: &[(&str, u32)] = &[
    ("usr/bin/http_server", 0o755),
    ("usr/share/man/man1/http_server.1.gz", 0o644),
    ("usr/lib/systemd/system/http_server.service", 0o644),
    ("usr/lib/systemd/system/http_server.socket", 0o644),
    ("usr/share/bash-completion/completions/http_server", 0o644),
    ("usr/share/zsh/vendor-completions/_http_server", 0o644),
    ("usr/share/fish/vendor_completions.d/http_server.fish", 0o644),
    ("etc/default/http_server", 0o644),
    ("usr/share/doc/http-server/README.md", 0o644),
    ("usr/share/doc/http-server/recipes.md", 0o644),
];

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

#[track_caller]
fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}\n{}\n{stderr}", String::from_utf8_lossy(&output.stdout));
    output
}

/// Goal: whoever installs the package has a program that runs, and all that belongs beside it; whoever
/// removes it has nothing left. Method: `dpkg` with a root and a list of packages of its own, which touches
/// nothing of this machine.
#[test]
fn the_debian_package_is_installed_and_removed_without_a_trace() {
    if depth() != Depth::Soak {
        return ledger::skipped("packages:deb", "only with VERIFY=soak");
    }
    if !am_root() || !succeeds(Command::new("dpkg").arg("--version")) {
        return ledger::skipped("packages:deb", "root and dpkg are needed");
    }
    if !succeeds(Command::new(env!("CARGO")).args(["deb", "--version"])) {
        return ledger::skipped("packages:deb", "cargo-deb is missing");
    }
    let home = tempfile::tempdir().unwrap();
    let (package, root) = (home.path().join("http-server.deb"), home.path().join("root"));
    run(Command::new(workspace().join("packaging/deb")).arg("--output").arg(&package));
    let listed = run(Command::new("dpkg-deb").arg("--contents").arg(&package)).stdout;
    let listed = String::from_utf8(listed).unwrap();

    for folder in ["info", "updates", "triggers"] {
        fs::create_dir_all(root.join("var/lib/dpkg").join(folder)).unwrap();
    }
    fs::write(root.join("var/lib/dpkg/status"), "").unwrap();
    let dpkg = || {
        let mut command = Command::new("dpkg");
        let log = format!("--log={}", root.join("var/lib/dpkg/log").display());
        // Its own list of packages is empty, so the C library is missing there.
        command.arg(format!("--root={}", root.display())).arg(log).arg("--force-depends");
        command
    };
    run(dpkg().arg("--install").arg(&package));
    for (name, mode) in FILES {
        assert!(listed.lines().any(|line| line.ends_with(&format!("./{name}"))), "{name}\n{listed}");
        let metadata = fs::metadata(root.join(name)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, *mode, "{name}");
        assert!(metadata.len() > 0, "{name}");
    }
    let installed = root.join("usr/bin/http_server");
    let version = run(Command::new(&installed).arg("--version")).stdout;
    assert_eq!(String::from_utf8(version).unwrap(), format!("http_server {}\n", env!("CARGO_PKG_VERSION")));
    let unit = fs::read_to_string(root.join("usr/lib/systemd/system/http_server.service")).unwrap();
    assert!(unit.contains("ExecStart=/usr/bin/http_server "), "{unit}");
    let settings = fs::read_to_string(root.join("etc/default/http_server")).unwrap();
    check_settings(&installed, &settings);
    let completions = root.join("usr/share/bash-completion/completions/http_server");
    run(Command::new("bash").arg("-n").arg(completions));
    let page = run(Command::new("gzip").arg("-dc").arg(root.join("usr/share/man/man1/http_server.1.gz")));
    assert!(String::from_utf8_lossy(&page.stdout).contains(".TH http_server 1"));

    run(dpkg().args(["--purge", "http-server"]));
    for (name, _) in FILES {
        assert!(!root.join(name).exists(), "{name} is left");
    }
    ledger::record("packages:deb", &[("files", FILES.len() as u64)]);
}

/// What is suggested in the file of settings is what the program takes.
fn check_settings(program: &Path, settings: &str) {
    let variables = settings.lines().filter_map(|line| line.strip_prefix('#')?.split_once('='));
    let variables: Vec<_> = variables.filter(|(name, _)| name.starts_with("HTTP_SERVER_")).collect();
    assert!(variables.len() > 1, "{settings}");
    let mut command = Command::new(program);
    command.args(["--check", "data"]).envs(variables.iter().copied());
    let shown = String::from_utf8(run(&mut command).stdout).unwrap();
    for (name, _) in variables {
        assert!(shown.contains(&format!("# {name}\n")), "{name}\n{shown}");
    }
}

/// The package and what is tried with it when nothing is built.
#[test]
fn the_settings_that_a_package_suggests_are_taken() {
    let settings = fs::read_to_string(workspace().join("packaging/default")).unwrap();
    check_settings(tests::binary(), &settings);
}

#[test]
fn cargo_installs_the_program() {
    if depth() != Depth::Soak {
        return ledger::skipped("packages:cargo", "only with VERIFY=soak");
    }
    let home = tempfile::tempdir().unwrap();
    let mut install = Command::new(env!("CARGO"));
    install.args(["install", "--locked", "--path", "server", "--root"]).arg(home.path());
    run(install.current_dir(workspace()));
    let version = run(Command::new(home.path().join("bin/http_server")).arg("--version")).stdout;
    assert!(String::from_utf8(version).unwrap().starts_with("http_server "));
    ledger::record("packages:cargo", &[("programs", 1)]);
}
