//! What cargo-mutants would change: [`Mutant`], read from its list.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// One change.
#[derive(Clone, Debug)]
pub struct Mutant {
    /// Its place in the list of all, from 1.
    pub id: u32,
    pub package: String,
    /// Below the workspace.
    pub file: String,
    /// As cargo-mutants calls it, without line and column.
    pub name: String,
    pub genre: String,
    /// What the function returns; nothing outside functions.
    pub returns: String,
    /// Line and column from 1, of the first character and of the one behind the last.
    pub from: (usize, usize),
    pub to: (usize, usize),
    pub replacement: String,
}

/// All that are to be tried, by `.cargo/mutants.toml`.
pub fn list(workspace: &Path) -> Vec<Mutant> {
    let output = Command::new("cargo")
        .args(["mutants", "--list", "--workspace", "--json"])
        .current_dir(workspace)
        .output()
        .expect("cargo can be started");
    assert!(output.status.success(), "cargo-mutants is needed: {}", String::from_utf8_lossy(&output.stderr));
    let all: Value = serde_json::from_slice(&output.stdout).expect("cargo-mutants writes JSON");
    all.as_array().expect("a list").iter().enumerate().map(|(at, one)| read(at as u32 + 1, one)).collect()
}

fn read(id: u32, one: &Value) -> Mutant {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let place = |of: &str| {
        let number = |part: &str| one["span"][of][part].as_u64().expect("a number") as usize;
        (number("line"), number("column"))
    };
    let name = text(&one["name"]);
    Mutant {
        id,
        package: text(&one["package"]),
        file: text(&one["file"]),
        name: name.splitn(4, ':').nth(3).expect("file:line:column: change").trim().to_owned(),
        genre: text(&one["genre"]),
        returns: text(&one["function"]["return_type"]),
        from: place("start"),
        to: place("end"),
        replacement: text(&one["replacement"]),
    }
}

/// The offset of a line and column.
pub fn offset(source: &str, (line, column): (usize, usize)) -> usize {
    let start: usize = source.split_inclusive('\n').take(line - 1).map(str::len).sum();
    start + source[start..].chars().take(column - 1).map(char::len_utf8).sum::<usize>()
}
