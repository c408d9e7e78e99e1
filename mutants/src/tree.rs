//! A copy of the workspace in which every mutant can be switched on: [`prepare`].

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::mutant::Mutant;
use crate::switch::{Region, switch};

/// The switch, as a module of the server: the model and the tests see it from there.
const SWITCH: &str = include_str!("../switch.rs.txt");

/// What became of the mutants when all were built at once.
#[derive(Default)]
pub struct Prepared {
    /// They do not compile.
    pub unviable: BTreeSet<u32>,
    /// They have to be built one by one.
    pub alone: BTreeSet<u32>,
}

/// All but the files that are written otherwise: they would look new each time.
fn copy(workspace: &Path, tree: &Path, mutants: &[Mutant]) {
    let mut written: BTreeSet<&str> = mutants.iter().map(|mutant| mutant.file.as_str()).collect();
    written.insert("server/src/lib.rs");
    let list = Command::new("git").args(["ls-files", "-z"]).current_dir(workspace).output().expect("git");
    for file in list.stdout.split(|byte| *byte == 0).filter(|file| !file.is_empty()) {
        let file = Path::new(std::str::from_utf8(file).expect("names are UTF-8"));
        if file.to_str().is_some_and(|file| written.contains(file)) {
            continue;
        }
        let Ok(content) = std::fs::read(workspace.join(file)) else { continue };
        write(&tree.join(file), &content);
    }
}

/// Leaves what is equal alone, so that cargo does not build it again.
fn write(path: &Path, content: &[u8]) {
    if std::fs::read(path).is_ok_and(|old| old == content) {
        return;
    }
    std::fs::create_dir_all(path.parent().expect("a file has a folder")).expect("a folder");
    std::fs::write(path, content).expect("a copy");
}

pub fn prepare(
    workspace: &Path,
    tree: &Path,
    target: &Path,
    mutants: &[Mutant],
    known: Prepared,
) -> Prepared {
    copy(workspace, tree, mutants);
    write(&tree.join("server/src/mutation.rs"), SWITCH.as_bytes());
    let lib = std::fs::read_to_string(workspace.join("server/src/lib.rs")).expect("the library");
    write(&tree.join("server/src/lib.rs"), format!("{lib}\npub mod mutation;\n").as_bytes());
    let mut prepared = known;
    for round in 1.. {
        let regions = write_switched(workspace, tree, mutants, &mut prepared);
        let errors = check(tree, target);
        println!("round {round}: {} errors", errors.len());
        if errors.is_empty() {
            break;
        }
        let before = prepared.unviable.len() + prepared.alone.len();
        for error in &errors {
            drop_for(error, &regions, mutants, &mut prepared);
        }
        let after = prepared.unviable.len() + prepared.alone.len();
        assert!(after > before, "the copy does not build, and no mutant is to blame");
    }
    prepared
}

fn write_switched(
    workspace: &Path,
    tree: &Path,
    mutants: &[Mutant],
    prepared: &mut Prepared,
) -> BTreeMap<PathBuf, Vec<Region>> {
    let mut files: BTreeMap<&str, Vec<&Mutant>> = BTreeMap::new();
    for mutant in mutants {
        let list = files.entry(&mutant.file).or_default();
        if !prepared.unviable.contains(&mutant.id) && !prepared.alone.contains(&mutant.id) {
            list.push(mutant);
        }
    }
    let mut regions = BTreeMap::new();
    for (file, mutants) in files {
        let source = std::fs::read_to_string(workspace.join(file)).expect("a source");
        let on =
            if file.starts_with("server/") { "crate::mutation::on" } else { "::http_server::mutation::on" };
        let switched = switch(&source, &mutants, on);
        prepared.alone.extend(switched.left);
        write(&tree.join(file), switched.text.as_bytes());
        regions.insert(PathBuf::from(file), switched.regions);
    }
    regions
}

/// What the compiler says, an error each.
fn check(tree: &Path, target: &Path) -> Vec<Value> {
    let output = Command::new("cargo")
        .args([
            "check",
            "--locked",
            "-p",
            "http_server",
            "-p",
            "model",
            "--lib",
            "--keep-going",
            "--message-format=json",
        ])
        .current_dir(tree)
        .env("CARGO_TARGET_DIR", target)
        .env("RUSTFLAGS", "--cap-lints=allow")
        .stderr(Stdio::null())
        .output()
        .expect("cargo can be started");
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let messages = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    messages
        .filter(|one| one["reason"] == "compiler-message" && one["message"]["level"] == "error")
        .map(|one| one["message"].clone())
        .filter(|message| message["spans"].as_array().is_some_and(|spans| !spans.is_empty()))
        .collect()
}

/// Takes out the mutants to which an error points.
fn drop_for(
    error: &Value,
    regions: &BTreeMap<PathBuf, Vec<Region>>,
    mutants: &[Mutant],
    prepared: &mut Prepared,
) {
    let spans = error["spans"].as_array().expect("checked before");
    let by_rank = |primary: bool| spans.iter().filter(move |span| span["is_primary"] == primary);
    for span in by_rank(true).chain(by_rank(false)) {
        let file = Path::new(span["file_name"].as_str().unwrap_or_default());
        let number = |key: &str| span[key].as_u64().unwrap_or_default() as usize;
        let (start, end) = (number("byte_start"), number("byte_end"));
        let around = regions.get(file).into_iter().flatten();
        let around = around.filter(|region| region.range.start <= start && end <= region.range.end);
        let Some(region) = around.min_by_key(|region| region.range.len()) else { continue };
        for id in &region.ids {
            let mutant = &mutants[*id as usize - 1];
            // Another type behind `impl` would do, but not two of them.
            if region.ids.len() == 1 && !mutant.returns.contains("impl ") {
                prepared.unviable.insert(*id);
            } else {
                prepared.alone.insert(*id);
            }
        }
        return;
    }
    // The compiler points at what is matched, in front of the arms: one of them is missed.
    let arm = |region: &&Region| mutants[region.ids[0] as usize - 1].name.starts_with("delete match arm");
    for span in by_rank(true).filter(|_| error["code"]["code"] == "E0004") {
        let file = Path::new(span["file_name"].as_str().unwrap_or_default());
        let end = span["byte_end"].as_u64().unwrap_or_default() as usize;
        let behind = regions.get(file).into_iter().flatten();
        let behind = behind.filter(|region| region.range.start >= end && !region.ids.is_empty());
        if let Some(region) = behind.filter(arm).min_by_key(|region| region.range.start) {
            prepared.unviable.extend(&region.ids);
            return;
        }
    }
    println!("nobody is to blame: {}", error["rendered"].as_str().unwrap_or_default());
}
