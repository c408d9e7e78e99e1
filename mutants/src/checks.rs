//! The tests that may catch a mutant, and which mutants each of them passes by: [`Checks`].

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::at_once;

/// Tests of the whole server that know it from outside, beside those within the packages.
const OUTSIDE: &[&str] = &[
    "model",
    "crash_model",
    "conditions",
    "ranges",
    "wire_9110",
    "wire_9112",
    "differential",
    "cuts",
    "paths",
    "files",
    "uploads",
    "limits",
    "connection",
    "refusals",
    "endpoints",
    "histories",
    "access_log",
    "pipelining",
    "persistence",
    "containment",
    "system_calls",
    "command_line",
    "file_systems",
    "simulation",
    "rights",
    "listings",
    "insight",
];
/// Longer than this no test is waited for.
const SECONDS_MAX: u64 = 100;

pub struct Check {
    pub executable: PathBuf,
    /// Where it is run.
    folder: PathBuf,
    pub name: String,
    pub duration: Duration,
    pub reached: BTreeSet<u32>,
}

impl Check {
    /// Whether it is beside the packages, not within them.
    pub fn is_outside(&self) -> bool {
        self.folder.ends_with("tests")
    }

    /// Whether it is worth its time where the quick ones have found nothing.
    pub fn judges_the_store(&self) -> bool {
        let name = self.executable.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let judges = ["model-", "crash_model-", "containment-", "file_systems-", "simulation-"];
        !self.is_outside() || judges.iter().any(|judge| name.starts_with(judge))
    }

    /// Whether it passes here where nothing is changed.
    pub fn is_sound(&self) -> bool {
        // It makes a file that is longer than a mutant may make one.
        let too_long = self.name == "store::tests::append_costs_what_is_appended";
        // What they see others see as well, and sooner.
        let slow = ["crash::", "every_crash_of_triples", "every_crash_after_a_recovery"];
        !too_long && !slow.iter().any(|slow| self.name.starts_with(slow))
    }
}

#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    Passed,
    Failed,
    TooLong,
}

pub struct Place {
    pub tree: PathBuf,
    pub target: PathBuf,
    pub home: PathBuf,
}

/// Builds the tests, and the server that some of them start. Whether all could be built.
pub fn build(place: &Place, only: Option<&str>, loom: bool) -> Option<Vec<(PathBuf, PathBuf)>> {
    let mut arguments = vec!["-p", "http_server", "-p", "model", "-p", "tests", "--lib"];
    let there = |name: &&&str| place.tree.join(format!("tests/{name}.rs")).exists();
    for name in OUTSIDE.iter().filter(there) {
        arguments.extend(["--test", name]);
    }
    if let Some(package) = only {
        arguments = vec!["-p", package, "--lib"];
    }
    let mut executables = cargo(place, "test", &[&["--no-run"], &arguments[..]].concat(), "")?;
    if only.is_none() {
        cargo(place, "build", &["--workspace", "--bin", "http_server"], "")?;
    }
    if loom {
        // What two threads share shows its bugs in the schedules.
        let loom = ["--no-run", "--profile", "loom", "-p", "http_server", "--lib"];
        executables.extend(cargo(place, "test", &loom, " --cfg loom")?);
    }
    Some(executables)
}

fn cargo(place: &Place, verb: &str, arguments: &[&str], flags: &str) -> Option<Vec<(PathBuf, PathBuf)>> {
    let target = if flags.is_empty() { place.target.clone() } else { place.target.join("loom") };
    let output = Command::new("cargo")
        .args([verb, "--locked", "--message-format=json"])
        .args(arguments)
        .current_dir(&place.tree)
        .env("CARGO_TARGET_DIR", target)
        .env("RUSTFLAGS", format!("--cap-lints=allow{flags}"))
        .output()
        .expect("cargo can be started");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let messages = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let executable = |message: Value| {
        let path = message["executable"].as_str()?;
        let folder = Path::new(message["manifest_path"].as_str()?).parent()?;
        (message["profile"]["test"] == true).then(|| (PathBuf::from(path), folder.to_owned()))
    };
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        println!("{}", errors.lines().rev().take(3).collect::<Vec<_>>().join(" "));
    }
    output.status.success().then(|| messages.filter_map(executable).collect())
}

/// The tests of an executable.
pub fn list(place: &Place, executable: &Path, folder: &Path) -> Vec<Check> {
    let list = Command::new(executable).args(["--list", "--format=terse"]).output().expect("a test lists");
    let list = String::from_utf8_lossy(&list.stdout).into_owned();
    let names = list.lines().filter_map(|line| line.strip_suffix(": test"));
    let loom = executable.starts_with(place.target.join("loom"));
    let names = names.filter(|name| !loom || name.starts_with("shared::schedules"));
    let check = |name: &str| Check {
        executable: executable.to_owned(),
        folder: folder.to_owned(),
        name: name.to_owned(),
        duration: Duration::ZERO,
        reached: BTreeSet::new(),
    };
    names.map(check).collect()
}

/// Runs each test once by itself, to see how long it takes and whom it passes by.
pub fn survey(place: &Place, executables: &[(PathBuf, PathBuf)], jobs: usize) -> Vec<Check> {
    let each = executables.iter().flat_map(|(executable, folder)| list(place, executable, folder));
    let checks: Vec<Check> = each.filter(Check::is_sound).collect();
    let surveyed = at_once(jobs, checks, |worker, mut check| {
        let name = check.executable.file_name().expect("a file").to_str().expect("UTF-8").to_owned();
        let kept = place.home.join("survey").join(format!("{name}-{}", check.name.replace("::", "-")));
        std::fs::create_dir_all(kept.parent().expect("a folder")).expect("a folder");
        let newer = |kept: &Path| {
            let time = |path: &Path| std::fs::metadata(path).and_then(|data| data.modified()).ok();
            time(kept).is_some_and(|kept| Some(kept) > time(&check.executable))
        };
        let done = kept.with_extension("done");
        if !newer(&done) {
            let _ = std::fs::remove_file(&kept);
            // A test that gives up root's rights says, too, what it passes by.
            std::fs::write(&kept, "").expect("a file");
            std::fs::set_permissions(&kept, std::fs::Permissions::from_mode(0o666)).expect("a file of ours");
            let begin = Instant::now();
            let verdict = run(
                place,
                worker,
                &[&check],
                &[("MUTANTS_REACHED", kept.to_str().expect("UTF-8"))],
                Duration::from_secs(SECONDS_MAX),
            );
            if verdict != Verdict::Passed {
                println!("left out: {name} {} {verdict:?}", check.name);
                return None;
            }
            std::fs::write(&done, begin.elapsed().as_millis().to_string()).expect("a note");
        }
        let millis = std::fs::read_to_string(&done).expect("a note").parse().expect("a number");
        check.duration = Duration::from_millis(millis);
        let reached = std::fs::read_to_string(&kept).unwrap_or_default();
        check.reached = reached.lines().filter_map(|id| id.parse().ok()).collect();
        Some(check)
    });
    let mut checks: Vec<Check> = surveyed.into_iter().flatten().collect();
    // What waits for a whole server waits long where it does not answer.
    checks.sort_by_key(|check| {
        check.duration + Duration::from_millis(if check.is_outside() { 400 } else { 0 })
    });
    checks
}

/// Runs tests of one executable.
pub fn run(
    place: &Place,
    worker: usize,
    checks: &[&Check],
    environment: &[(&str, &str)],
    at_most: Duration,
) -> Verdict {
    let temporary = place.home.join(format!("tmp{worker}"));
    let _ = std::fs::remove_dir_all(&temporary);
    std::fs::create_dir_all(&temporary).expect("a folder");
    // A mutant may take all there is.
    let mut child = Command::new("sh")
        .args(["-c", "ulimit -v 12000000; ulimit -f 40000000; exec \"$@\"", "sh"])
        .arg(&checks[0].executable)
        .args(["--exact", "--test-threads=2"])
        .args(checks.iter().map(|check| &check.name))
        .current_dir(&checks[0].folder)
        .env("TMPDIR", &temporary)
        .env("VERIFY", "quick")
        .env("PROPTEST_MAX_SHRINK_ITERS", "0")
        .env("PROPTEST_DISABLE_FAILURE_PERSISTENCE", "true")
        // The server has been built.
        .env("CARGO", "true")
        .env("RUST_BACKTRACE", "0")
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("a test can be started");
    let (sender, lines) = channel();
    let stdout = child.stdout.take().expect("it is piped");
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    let end = Instant::now() + at_most;
    let verdict = loop {
        match lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(line) if line.ends_with("FAILED") => break Verdict::Failed,
            Ok(line) if line.starts_with("test result: ok") => break Verdict::Passed,
            Ok(_) => {}
            Err(RecvTimeoutError::Timeout) => break Verdict::TooLong,
            Err(RecvTimeoutError::Disconnected) => break Verdict::Failed,
        }
    };
    // With the test go the servers that it has started.
    let group = format!("-{}", child.id());
    let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
    let _ = child.wait();
    // What is killed while it has something mounted leaves it so.
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    for at in mounts
        .lines()
        .filter_map(|line| line.split(' ').nth(1))
        .filter(|at| Path::new(at).starts_with(&temporary))
    {
        let _ = Command::new("umount").arg(at).stderr(Stdio::null()).status();
    }
    verdict
}
