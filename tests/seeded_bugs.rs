//! Bugs that are put into the server on purpose, one at a time: each has to be caught by the check
//! whose business it is.
//!
//! Goal: what the checks promise to see, they see. Method: `http_server::seeded` switches a bug on
//! by its name in the environment; the check named beside it in `seeded_bugs/list.rs` is started so,
//! and has to fail. Without a bug it passes, or the rest of the tests would not.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper of tests fails the test that it helps")]

#[path = "seeded_bugs/executables.rs"]
mod executables;
#[path = "seeded_bugs/list.rs"]
mod list;

use std::collections::BTreeSet;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use executables::Executables;
use list::{BUGS, Bug, Layer};
use tests::{binary, ledger};

/// More than any of the checks takes that is stopped by a bug. What hangs is caught, too.
const SECONDS_MAX: u64 = 20;
/// Checks that run at once.
const AT_ONCE: usize = 2;

#[test]
fn each_bug_is_caught_by_its_layer() {
    // Before anything depends on how long it takes.
    binary();
    let executables = Executables::build();
    let (next, missed) = (AtomicUsize::new(0), std::sync::Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(bug) = BUGS.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let begin = Instant::now();
                    match run(bug, &executables) {
                        Ok(how) => println!("{} {:?} {:.1?}: {how}", bug.name, bug.layer, begin.elapsed()),
                        Err(story) => {
                            missed.lock().unwrap().push(format!("{bug:?} was not caught:\n{story}"));
                        }
                    }
                }
            });
        }
    });
    let missed = missed.into_inner().unwrap();
    let caught = (BUGS.len() - missed.len()) as u64;
    assert!(missed.is_empty(), "{}", missed.join("\n"));
    let layers = BUGS.iter().map(|bug| bug.layer).collect::<BTreeSet<Layer>>().len() as u64;
    ledger::record("seeded_bugs", &[("caught", caught), ("layers", layers)]);
}

/// Runs the check of a bug while it is switched on. How it was caught, or what came instead.
fn run(bug: &Bug, executables: &Executables) -> Result<String, String> {
    let mut child = Command::new(executables.of(bug.layer))
        .args([bug.check, "--exact", "--test-threads=1"])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(bug.layer.package()))
        .env("SEEDED_BUG", bug.name)
        // Only that it fails counts, and nothing is to be remembered of it.
        .env("PROPTEST_MAX_SHRINK_ITERS", "0")
        .env("PROPTEST_DISABLE_FAILURE_PERSISTENCE", "true")
        .env("VERIFY", "quick")
        .env_remove("LEDGER")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A group of its own: with the check go the servers that it has started.
        .process_group(0)
        .spawn()
        .unwrap();
    let group = child.id();
    let (stdout, stderr) = (read(child.stdout.take().unwrap()), read(child.stderr.take().unwrap()));
    let begin = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break Some(status);
        }
        if begin.elapsed() > Duration::from_secs(SECONDS_MAX) {
            break None;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    // What the check started goes with it, however it came to its end. Mostly there is nothing left.
    let _ = Command::new("sh")
        .args(["-c", "kill -s KILL -- \"-$0\" 2>&1", &group.to_string()])
        .stdout(Stdio::null())
        .status();
    let _ = child.wait();
    let Some(status) = status else { return Ok("it hung".to_owned()) };
    let story = format!("{status}\n{}\n{}", stdout.join().unwrap(), stderr.join().unwrap());
    // libtest's own words: a check of this name was run, and failed. A failure beside which another
    // thread fails, too, ends the process: so loom's do, where all threads wait.
    let named = story.contains(&format!("test {} ... ", bug.check));
    let failed = status.code() == Some(101) && story.contains("test result: FAILED");
    let aborted = status.signal() == Some(6) && story.contains("panicked at");
    let began =
        !["the server does not start", "the binary does not build"].iter().any(|no| story.contains(no));
    if named && began && (failed || aborted) { Ok(first_words(&story)) } else { Err(story) }
}

/// What stands below the first line of a panic.
fn first_words(story: &str) -> String {
    let mut lines = story.lines().skip_while(|line| !line.contains("panicked at")).skip(1);
    lines.next().unwrap_or_default().chars().take(100).collect()
}

/// Reads to the end, beside what else is done.
fn read(mut pipe: impl std::io::Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // What there is of it says enough.
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

#[test]
fn the_list_names_each_bug_once() {
    let server = Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/src").canonicalize().unwrap();
    let mut switches = Vec::new();
    gather_switches(&server, &server, &mut switches);
    switches.sort();
    let mut listed: Vec<_> = BUGS.iter().map(|bug| (bug.name.to_owned(), bug.file.to_owned())).collect();
    listed.sort();
    assert_eq!(switches, listed, "bugs in the sources, and those in the list");
    assert!(listed.windows(2).all(|two| two[0].0 != two[1].0), "a bug stands there twice");
    ledger::record("seeded_bugs_listed", &[("bugs", BUGS.len() as u64)]);
}

/// Each word in `bug("…")` below a folder, and the file that it is in.
fn gather_switches(folder: &Path, server: &Path, switches: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            gather_switches(&path, server, switches);
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let file = path.strip_prefix(server).unwrap().to_str().unwrap();
        for (at, word) in text.match_indices("bug(\"") {
            let name = text[at + word.len()..].split('"').next().unwrap();
            switches.push((name.to_owned(), file.to_owned()));
        }
    }
}
