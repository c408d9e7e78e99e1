//! The tables of `docs/mutants.md`, from what is known: [`write`].

use std::collections::BTreeMap;
use std::path::Path;

use crate::mutant::Mutant;

/// The columns behind the folder, but for their sums: `tests/mutants.rs` reads them.
const OUTCOMES: [&str; 4] = ["unviable", "caught", "timeout", "missed"];
/// As much of a line of code as a row shows.
const CODE_BYTES_MAX: usize = 90;

/// Writes the counts and the survivors, each with the reason that the page has for it.
pub fn write(workspace: &Path, mutants: &[Mutant], outcome: impl Fn(&Mutant) -> String) {
    let path = workspace.join("docs/mutants.md");
    let page = std::fs::read_to_string(&path).expect("the page");
    let listed = rows(&page);
    let mut counts: BTreeMap<String, [usize; 5]> = BTreeMap::new();
    let mut survivors = String::new();
    for mutant in mutants {
        let outcome = outcome(mutant);
        let outcome = if outcome == "unreached" { "missed" } else { &outcome };
        for folder in [format!("`{}`", folder(&mutant.file)), "all".to_owned()] {
            let counts = counts.entry(folder).or_default();
            counts[0] += 1;
            if let Some(at) = OUTCOMES.iter().position(|name| *name == outcome) {
                counts[at + 1] += 1;
            }
        }
        if outcome == "missed" {
            let lines = lines(workspace, mutant);
            let known = listed.iter().find(|[file, change, code, _]| {
                *file == mutant.file && *change == mutant.name && lines.iter().any(|line| line.contains(code))
            });
            let first = lines.first().map_or("", |line| line.trim());
            let end = (0..=first.len().min(CODE_BYTES_MAX)).rev().find(|end| first.is_char_boundary(*end));
            let code = known.map_or(&first[..end.unwrap_or(0)], |[_, _, code, _]| code);
            let reason = known.map_or("open: not looked into yet", |[.., reason]| reason);
            let cells = [&mutant.file, &mutant.name, code.trim()].map(|cell| format!("`{}`", escaped(cell)));
            survivors.push_str(&format!("| {} | {} |\n", cells.join(" | "), escaped(reason)));
        }
    }
    let mut table = String::new();
    // `all` sorts behind the folders, which begin with a backquote.
    let (folders, all): (Vec<_>, Vec<_>) = counts.iter().partition(|(folder, _)| *folder != "all");
    for (folder, &[mutants, unviable, caught, hung, survived]) in folders.into_iter().chain(all) {
        let tried = caught + hung + survived;
        table.push_str(&format!(
            "| {folder} | {mutants} | {unviable} | {tried} | {caught} | {hung} | {survived} |\n"
        ));
    }
    let page = replaced(&page, "|---|---|---|---|---|---|---|\n", &table);
    std::fs::write(path, replaced(&page, "|---|---|---|---|\n", &survivors)).expect("the page");
}

/// The page with other rows below a table's head.
fn replaced(page: &str, head: &str, rows: &str) -> String {
    let start = page.find(&format!("\n{head}")).expect("a table") + 1 + head.len();
    let old: usize =
        page[start..].split_inclusive('\n').take_while(|line| line.starts_with('|')).map(str::len).sum();
    format!("{}{rows}{}", &page[..start], &page[start + old..])
}

fn escaped(cell: &str) -> String {
    cell.replace('|', "\\|")
}

/// The rows that have four cells: file, change, code, reason.
pub fn rows(page: &str) -> Vec<[String; 4]> {
    let row = |line: &str| {
        // A bar within code is written with a backslash.
        let line = line.replace("\\|", "\u{1}");
        let cells = line.trim_matches('|').split('|');
        let cells: Vec<String> =
            cells.map(|cell| cell.replace('\u{1}', "|").trim().trim_matches('`').to_owned()).collect();
        <[String; 4]>::try_from(cells).ok()
    };
    page.lines().filter(|line| line.starts_with("| `")).filter_map(row).collect()
}

/// The lines that a mutant changes.
pub fn lines(workspace: &Path, mutant: &Mutant) -> Vec<String> {
    let text = std::fs::read_to_string(workspace.join(&mutant.file)).unwrap_or_default();
    let (from, to) = (mutant.from.0, mutant.to.0);
    text.lines().skip(from - 1).take(to + 1 - from).map(str::to_owned).collect()
}

/// The module of the server, or of the model.
pub fn folder(file: &str) -> &str {
    let name = file.splitn(3, '/').nth(2).unwrap_or_default();
    let end = file.len() - name.len() + name.find(['/', '.']).unwrap_or(name.len());
    &file[..end]
}
