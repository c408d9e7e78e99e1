//! `docs/mutants.md` says what mutation testing found, and this holds it to the sources.
//!
//! Goal: the list of survivors cannot grow old. Method: each names a file, a function that is in it
//! and code that stands in that function and can be changed so; the counts add up, and enough of the
//! mutants are caught. The counts are found by `.ci/mutants`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper of tests fails the test that it helps")]

use std::collections::BTreeMap;
use std::path::Path;

use tests::ledger;

const PAGE: &str = include_str!("../docs/mutants.md");

/// Of a hundred mutants that compile, so many are caught at least.
const CAUGHT_MIN: u64 = 95;

/// The columns of the first table, behind the folder.
const COUNTS: [&str; 6] = ["mutants", "unviable", "tried", "caught", "hung", "survived"];

#[derive(Default)]
struct Page {
    /// The counts of each folder, and of `all`.
    folders: BTreeMap<String, Vec<u64>>,
    /// File, change, code, reason.
    survivors: Vec<[String; 4]>,
}

impl Page {
    fn read(text: &str) -> Page {
        let mut page = Page::default();
        for line in text.lines().filter(|line| line.starts_with("| `") || line.starts_with("| all")) {
            // A bar within code is written with a backslash.
            let line = line.replace("\\|", "\u{1}");
            let cells = line.trim_matches('|').split('|');
            let cells: Vec<String> =
                cells.map(|cell| cell.replace('\u{1}', "|").trim().trim_matches('`').to_owned()).collect();
            match cells.len() {
                7 => {
                    let counts = cells[1..].iter().map(|count| count.parse().unwrap()).collect();
                    page.folders.insert(cells[0].clone(), counts);
                }
                4 => page.survivors.push(cells.try_into().unwrap()),
                other => panic!("{other} cells: {line}"),
            }
        }
        page
    }

    /// What is wrong with it, where `source` gives the text of a file.
    fn check(&self, source: impl Fn(&str) -> Option<String>) -> Vec<String> {
        let mut wrong = self.check_counts();
        for survivor in &self.survivors {
            let [file, change, code, reason] = survivor;
            let mut refuse = |why: &str| wrong.push(format!("{file}: {change}: {why}"));
            let Some(text) = source(file) else {
                refuse("no such file");
                continue;
            };
            let Some(function) = function(change) else {
                refuse("of what function?");
                continue;
            };
            let body = body(&text, function);
            if body.is_empty() {
                refuse("no such function");
            } else if !body.contains(code.as_str()) {
                refuse("the code does not stand there any more");
            }
            if !mutated(change).is_some_and(|mutated| code.contains(mutated)) || code.is_empty() {
                refuse("the code cannot be changed so");
            }
            if reason.split_whitespace().count() < 4 {
                refuse("without a reason");
            }
        }
        wrong
    }

    fn check_counts(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let Some(all) = self.folders.get("all") else { return vec!["no line for all".to_owned()] };
        for (at, name) in COUNTS.iter().enumerate() {
            let sum: u64 = self.folders.iter().filter(|(name, _)| *name != "all").map(|(_, c)| c[at]).sum();
            if sum != all[at] {
                wrong.push(format!("{name}: {} in all, {sum} in the folders", all[at]));
            }
        }
        for (folder, counts) in &self.folders {
            let [mutants, unviable, tried, caught, hung, survived] = counts[..] else { continue };
            if tried != caught + hung + survived || mutants < unviable + tried {
                wrong.push(format!("{folder}: the counts do not add up"));
            }
            let listed = |survivor: &&[String; 4]| folder == "all" || survivor[0].starts_with(folder);
            let listed = self.survivors.iter().filter(listed).count() as u64;
            if listed != survived {
                wrong.push(format!("{folder}: {survived} survived, {listed} are listed"));
            }
        }
        let [.., tried, caught, hung, _] = all[..] else { return wrong };
        if (caught + hung) * 100 < tried * CAUGHT_MIN {
            wrong.push(format!("{} of {tried} were caught", caught + hung));
        }
        wrong
    }
}

/// The function that a change is in: behind `in`, or what is replaced as a whole.
fn function(change: &str) -> Option<&str> {
    let path = match change.split_once(" -> ") {
        Some((before, _)) => before.strip_prefix("replace ")?,
        None => match change.rsplit_once(" in ") {
            Some((_, function)) => function,
            None => change.strip_prefix("replace ")?.split_once(" with ")?.0,
        },
    };
    path.rsplit("::").next()
}

/// What is changed, as it stands in the source; of a whole function, nothing that could be told.
fn mutated(change: &str) -> Option<&str> {
    if change.contains(" -> ") || !change.contains(" in ") {
        return Some("");
    }
    if let Some(guard) = change.strip_prefix("replace match guard ") {
        return Some(guard.split_once([' ', '(']).map_or(guard, |(first, _)| first));
    }
    let rest = change.strip_prefix("replace ").or_else(|| change.strip_prefix("delete "))?;
    let rest = rest.strip_prefix("match arm ").or_else(|| rest.strip_prefix("field ")).unwrap_or(rest);
    Some(rest.split_once([' ', '(', '{']).map_or(rest, |(first, _)| first))
}

/// The functions with this name, each up to the next one of its depth.
fn body(text: &str, name: &str) -> String {
    let mut body = String::new();
    let mut depth = None;
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        let starts = line.split_once("fn ").is_some_and(|(_, rest)| {
            rest.strip_prefix(name).is_some_and(|rest| rest.starts_with(['(', '<']))
        });
        if starts {
            depth = Some(indent);
        }
        if depth.is_some() {
            body.push_str(line);
            body.push('\n');
        }
        if depth == Some(indent) && line.trim_end().ends_with('}') {
            depth = None;
        }
    }
    body
}

fn read(file: &str) -> Option<String> {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file)).ok()
}

#[test]
fn the_list_of_survivors_is_true() {
    let page = Page::read(PAGE);
    let wrong = page.check(read);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let all = &page.folders["all"];
    ledger::record("mutants", &[("tried", all[2]), ("caught", all[3] + all[4])]);
}

#[test]
fn an_untrue_list_is_found() {
    let source = |file: &str| (file == "a/b.rs").then(|| "fn f() {\n    x < y\n}\nfn g() {}\n".to_owned());
    let page = |counts: &str, survivor: &str| {
        let text = format!("| `a` | {counts} |\n| all | {counts} |\n| {survivor} |\n");
        Page::read(&text).check(source)
    };
    let good = "`a/b.rs` | `replace < with <= in f` | `x < y` | x is never equal to y";
    assert_eq!(page("110 10 100 95 4 1".replace(' ', " | ").as_str(), good), [""; 0]);
    for counts in ["110 10 100 95 3 2", "110 11 100 95 4 1", "110 10 100 96 4 1", "20 0 10 9 0 1"] {
        assert!(!page(&counts.replace(' ', " | "), good).is_empty(), "{counts}");
    }
    for survivor in [
        "`a/c.rs` | `replace < with <= in f` | `x < y` | x is never equal to y",
        "`a/b.rs` | `replace < with <= in h` | `x < y` | x is never equal to y",
        "`a/b.rs` | `replace < with <= in g` | `x < y` | x is never equal to y",
        "`a/b.rs` | `replace < with <= in f` | `x < z` | x is never equal to y",
        "`a/b.rs` | `replace > with <= in f` | `x < y` | x is never equal to y",
        "`a/b.rs` | `replace < with <= in f` | `x < y` | because",
    ] {
        assert!(!page(&"110 10 100 95 4 1".replace(' ', " | "), survivor).is_empty(), "{survivor}");
    }
}
