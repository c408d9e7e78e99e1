//! The rules of the house, read from the sources: who may import whom, where `unsafe`, clocks and
//! locks may stand, and what may stand nowhere. Each rule is also seen to fail on a bad sample.

#![allow(clippy::unwrap_used, reason = "a helper of tests fails the test that it helps")]

use std::fs;
use std::path::{Path, PathBuf};
use tests::ledger;

/// Each module of the server and what it may import, lowest floor first; a module may import
/// itself. What a line names must stand in a line above it.
const FLOORS: &[(&str, &[&str])] = &[
    ("seeded", &[]),
    ("http", &[]),
    ("sys", &[]),
    ("sync", &[]),
    ("limits", &[]),
    ("clock", &["http::date"]),
    ("pace", &["clock"]),
    ("shared", &["sync"]),
    (
        "store::base_directory",
        &["sys", "clock", "shared::kept", "store::directory", "store::path", "store::version"],
    ),
    ("store", &["shared", "sync"]),
    (
        "api",
        &[
            "http",
            "limits",
            "store::operation",
            "store::path",
            "store::condition",
            "store::listing",
            "store::version",
        ],
    ),
    (
        "connection",
        &["http", "api", "store::operation", "store::path", "store::version", "clock", "limits", "pace"],
    ),
    ("users", &["http::credentials", "api::rights", "shared"]),
    (
        "driver",
        &["connection", "api::rights", "users", "http", "store", "shared", "sys", "clock", "limits", "pace"],
    ),
];

/// Modules that know nothing of the machine: the same input gives the same output.
const PURE: &[&str] = &[
    "http",
    "api",
    "connection",
    "pace",
    "limits",
    "store::operation",
    "store::path",
    "store::condition",
    "store::listing",
    "store::version",
];

/// What pure modules do not name.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::net::Tcp",
    "std::net::Socket",
    "std::thread",
    "std::time::Instant",
    "SystemTime",
    "std::env",
    "std::os",
    "std::process",
    "Mutex",
    "RwLock",
    "Condvar",
    "OwnedFd",
];

/// Modules whose first lines forbid `unsafe`, with all that is in them.
const FORBID_UNSAFE: &[&str] = &["http.rs", "api.rs", "connection.rs"];

/// What stands nowhere: work that is not done, and tests that do not test.
const NOWHERE: &[&str] =
    &["TODO", "FIXME", "XXX", "todo!", "unimplemented!", "dbg!", "#[ignore", "should_panic", "assert!(true"];

const LINES_MAX: usize = 500;

/// A source file: its path below the workspace, and its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// Its module path in the server; nothing for what is not part of the library.
    fn module(&self) -> Option<String> {
        let path = self.path.strip_prefix("server/src/")?.strip_suffix(".rs")?;
        let outside = ["lib", "main", "config"].contains(&path) || path.starts_with("config/");
        (!outside).then(|| path.replace('/', "::"))
    }

    /// The lines of code, without comments and what is in them.
    fn code(&self) -> impl Iterator<Item = &str> {
        self.text.lines().map(|line| line.split("//").next().unwrap_or_default())
    }
}

/// Whether `module` is `of`, or in it.
fn is_in(module: &str, of: &str) -> bool {
    module == of || module.strip_prefix(of).is_some_and(|rest| rest.starts_with("::"))
}

fn floor(module: &str) -> Option<&'static (&'static str, &'static [&'static str])> {
    FLOORS.iter().find(|(name, _)| is_in(module, name))
}

/// Every `crate::…` path in a line of code, without the word `crate`.
fn imports(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("crate::").map(|(at, word)| {
        let rest = &line[at + word.len()..];
        let end = rest.find(|c: char| !(c.is_alphanumeric() || "_:".contains(c))).unwrap_or(rest.len());
        rest[..end].trim_end_matches(':')
    })
}

fn check_floors(source: &Source) -> Vec<String> {
    let Some(module) = source.module() else { return Vec::new() };
    let Some((name, allowed)) = floor(&module) else {
        return vec![format!("{}: the module has no floor", source.path)];
    };
    let top = name.split("::").next().unwrap_or_default();
    let mut broken = Vec::new();
    for line in source.code() {
        for import in imports(line) {
            let own = if *name == top { is_in(import, name) } else { false };
            // In no release does it do anything, so it may stand anywhere.
            let own = own || is_in(import, "seeded");
            if !own && !allowed.iter().any(|allowed| is_in(import, allowed)) {
                broken.push(format!("{}: {name} may not import {import:?}", source.path));
            }
        }
    }
    broken
}

fn check_words(source: &Source) -> Vec<String> {
    let mut broken = Vec::new();
    let mut refuse = |word: &str, why: &str| broken.push(format!("{}: {word:?} {why}", source.path));
    let module = source.module().unwrap_or_default();
    let pure = PURE.iter().any(|pure| is_in(&module, pure));
    let own_test = source.path == "tests/tidy.rs";
    for line in source.code() {
        for word in IMPURE.iter().filter(|word| pure && line.contains(**word)) {
            refuse(word, "in a pure module");
        }
        if own_test {
            continue;
        }
        let unsafe_words = line.replace("unsafe_code", "");
        if unsafe_words.contains("unsafe") && !is_in(&module, "sys") {
            refuse("unsafe", "outside sys");
        }
        let in_server = source.path.starts_with("server/src/");
        let test_file = is_test_file(&source.path);
        for word in ["Instant::now", "SystemTime::now", "clock_gettime", ".elapsed()"] {
            if in_server && !test_file && module != "clock" && line.contains(word) {
                refuse(word, "outside clock.rs");
            }
        }
        for word in ["std::sync::Mutex", "std::sync::Condvar", "std::sync::RwLock", "std::sync::atomic"] {
            if is_in(&module, "shared") && !test_file && line.contains(word) {
                refuse(word, "in shared: use crate::sync");
            }
        }
    }
    for word in NOWHERE.iter().filter(|word| !own_test && source.text.contains(**word)) {
        refuse(word, "stands nowhere");
    }
    if FORBID_UNSAFE.iter().any(|file| source.path == format!("server/src/{file}"))
        && !source.text.contains("#![forbid(unsafe_code)]")
    {
        refuse("#![forbid(unsafe_code)]", "is missing");
    }
    broken
}

/// Files that are compiled for tests only, by their names.
fn is_test_file(path: &str) -> bool {
    ["tests.rs", "schedules.rs", "/schedules/", "faults.rs", "properties.rs", "/tests/", "simulated"]
        .iter()
        .any(|part| path.contains(part))
}

fn check_size(source: &Source) -> Vec<String> {
    let lines = source.text.lines().count();
    let max = if source.path == "model/src/reference.rs" { 250 } else { LINES_MAX };
    if lines <= max { Vec::new() } else { vec![format!("{}: {lines} lines, at most {max}", source.path)] }
}

/// The reference stands on std alone.
fn check_reference(source: &Source) -> Vec<String> {
    let foreign = |line: &&str| {
        let line = line.trim_start();
        let import = line.strip_prefix("use ").is_some_and(|path| !path.starts_with("std::"));
        import || line.contains("crate::") || line.contains("http_server::")
    };
    let foreign: Vec<&str> = source.code().filter(foreign).collect();
    if source.path != "model/src/reference.rs" || foreign.is_empty() {
        return Vec::new();
    }
    vec![format!("{}: {foreign:?} is not of std", source.path)]
}

/// Files of the server that no `mod` reaches.
fn check_reached(sources: &[Source]) -> Vec<String> {
    let reached = |source: &Source| {
        let path = Path::new(&source.path);
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let file = path.file_name().unwrap().to_str().unwrap();
        let folder = path.parent().unwrap().to_str().unwrap();
        let parents = [format!("{folder}.rs"), format!("{folder}/lib.rs"), format!("{folder}/main.rs")];
        sources.iter().any(|other| {
            let by_path =
                other.path.starts_with(folder) && other.text.contains(&format!("#[path = \"{file}\"]"));
            let by_name = parents.contains(&other.path) && other.text.contains(&format!("mod {stem};"));
            by_path || by_name
        })
    };
    let root = |source: &Source| {
        source.path.contains("/src/bin/")
            || ["lib.rs", "main.rs"].iter().any(|root| source.path.ends_with(root))
    };
    let ours =
        |source: &&Source| source.path.starts_with("server/src/") || source.path.starts_with("model/src/");
    let lost = sources.iter().filter(ours).filter(|source| !root(source) && !reached(source));
    lost.map(|source| format!("{}: no mod reaches it", source.path)).collect()
}

fn check_all(sources: &[Source]) -> Vec<String> {
    let checks = [check_floors, check_words, check_size, check_reference];
    let each = sources.iter().flat_map(|source| checks.iter().flat_map(|check| check(source)));
    each.chain(check_reached(sources)).collect()
}

fn read_sources(folder: &Path, workspace: &Path, sources: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path: PathBuf = entry.path();
        if entry.file_type().unwrap().is_dir() {
            read_sources(&path, workspace, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let path = path.strip_prefix(workspace).unwrap().to_str().unwrap().to_owned();
            sources.push(Source { path, text });
        }
    }
}

#[test]
fn sources_keep_the_rules() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap();
    let mut sources = Vec::new();
    for folder in ["server/src", "model/src", "tests"] {
        read_sources(&workspace.join(folder), &workspace, &mut sources);
    }
    ledger::record("tidy", &[("files", sources.len() as u64)]);
    assert!(sources.len() > 60, "only {} files were found", sources.len());
    let broken = check_all(&sources);
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// Lines that a merge leaves where it was not brought to its end.
fn is_conflict(line: &str) -> bool {
    ["<<<<<<< ", ">>>>>>> "].iter().any(|mark| line.starts_with(mark))
}

#[test]
fn pages_are_merged_to_their_end() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut pages = 0;
    for folder in [".", "docs", "tests", ".ci"] {
        for entry in fs::read_dir(workspace.join(folder)).unwrap().map(Result::unwrap) {
            // What is not text was not merged by lines.
            let Ok(text) = fs::read_to_string(entry.path()) else { continue };
            let conflicts: Vec<&str> = text.lines().filter(|line| is_conflict(line)).collect();
            assert!(conflicts.is_empty(), "{}: {conflicts:?}", entry.path().display());
            pages += 1;
        }
    }
    assert!(pages > 40, "only {pages} pages were found");
    assert!(is_conflict("<<<<<<< HEAD") && !is_conflict("| `<<<<<<<` |"));
}

#[test]
fn floors_have_no_circles() {
    for (number, (name, allowed)) in FLOORS.iter().enumerate() {
        for import in *allowed {
            let below = FLOORS[..number].iter().any(|(lower, _)| is_in(import, lower));
            // A file of the store may be named by another of its files that stands lower.
            let sibling = name.starts_with("store::") && import.starts_with("store::");
            assert!(below || sibling, "{name} imports {import}, which is not below it");
        }
    }
}

/// What the rules say of one file.
fn verdict(path: &str, text: &str) -> usize {
    let source = Source { path: path.to_owned(), text: text.to_owned() };
    [check_floors, check_words, check_size, check_reference].iter().map(|check| check(&source).len()).sum()
}

#[test]
fn each_rule_can_fail() {
    for (path, text) in [
        ("server/src/http/head.rs", "use crate::store::path::FilePath;"),
        ("server/src/connection/head.rs", "use crate::store::Store;"),
        ("server/src/connection/head.rs", "fn f(x: crate::driver::pool::Job) {}"),
        ("server/src/store/upload.rs", "use crate::sys::file;"),
        ("server/src/store/upload.rs", "use crate::http::status::Status;"),
        ("server/src/store/base_directory.rs", "use crate::shared::queue::Queue;"),
        ("server/src/shared/queue.rs", "use crate::store::Store;"),
        ("server/src/shared/queue.rs", "use std::sync::Mutex;"),
        ("server/src/strange.rs", ""),
        ("server/src/http/field.rs", "use std::fs::File;"),
        ("server/src/store/path.rs", "let now = SystemTime;"),
        ("server/src/driver/log.rs", "unsafe { f() }"),
        ("server/src/driver/log.rs", "let now = std::time::Instant::now();"),
        ("server/src/connection.rs", "//! without its first line"),
        ("tests/files.rs", "#[ignore]"),
        ("model/src/wire.rs", "// TODO"),
        ("model/src/reference.rs", "use http_server::store::Store;"),
    ] {
        assert!(verdict(path, text) > 0, "{path}: {text}");
    }
    let long = "\n".repeat(LINES_MAX + 1);
    assert_eq!(verdict("server/src/driver/log.rs", &long), 1);
    assert_eq!(verdict("server/src/driver/log.rs", &long[1..]), 0);
    assert_eq!(verdict("model/src/reference.rs", &long[..251]), 1);
    let lost =
        [("server/src/lib.rs", "mod http;"), ("server/src/http.rs", ""), ("server/src/http/lost.rs", "")];
    let lost = lost.map(|(path, text)| Source { path: path.to_owned(), text: text.to_owned() });
    assert_eq!(check_reached(&lost), ["server/src/http/lost.rs: no mod reaches it"]);
}

#[test]
fn good_lines_pass() {
    for (path, text) in [
        ("server/src/http/head.rs", "use super::rejection::Rejection; // unsafe crate::store"),
        ("server/src/connection/head.rs", "use crate::store::operation::Operation;"),
        ("server/src/store/base_directory.rs", "use crate::sys::file;"),
        ("server/src/sys/epoll.rs", "unsafe { f() }"),
        ("server/src/clock.rs", "std::time::Instant::now()"),
        ("server/src/main.rs", "use http_server::driver::server::Server;"),
        ("model/src/reference.rs", "use std::collections::BTreeMap;"),
    ] {
        assert_eq!(verdict(path, text), 0, "{path}: {text}");
    }
}
