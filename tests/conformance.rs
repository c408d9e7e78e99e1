//! The tables in `docs/` against the sources: what they name exists, and what the sources cite
//! stands in them.
//!
//! A row is `| section | requirement | where | test |`. In the last cell `file::name` is a test; a
//! name that ends in `.rs` is a file anywhere in a row, and the code behind it in the third cell
//! is something in that file.

#![expect(clippy::panic, clippy::expect_used, reason = "a test says what is wrong by failing")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The tables, each by the RFC whose sections its first cell means where it does not say another.
const TABLES: &[(u32, &str)] = &[(9110, "docs/conformance-9110.md"), (9112, "docs/conformance-9112.md")];
/// The RFCs that the tables go through, of those that the sources cite.
const COVERED: &[u32] = &[5789, 9110, 9111, 9112];
/// A table with fewer tests than this was not understood.
const TESTS_FLOOR: usize = 20;

#[derive(Debug)]
struct Row {
    /// Where it stands, for messages.
    place: String,
    rfc: u32,
    cells: Vec<String>,
}

#[test]
fn tests_in_the_tables_exist() {
    let sources = sources();
    let tests: BTreeSet<(String, String)> =
        sources.iter().flat_map(|(path, text)| tests_in(text).map(|name| (stem(path), name))).collect();
    for (rfc, _) in TABLES {
        let mut named = 0;
        for row in rows().iter().filter(|row| row.rfc == *rfc) {
            let last = row.cells.last().map_or("", String::as_str);
            assert!(!last.is_empty(), "{}: neither a test nor a reason", row.place);
            for span in code_spans(last).filter(|span| span.contains("::")) {
                let parts: Vec<&str> = span.split("::").filter(|part| *part != "tests").collect();
                let [.., file, name] = &parts[..] else {
                    panic!("{}: {span} is no file and test", row.place);
                };
                let test = (stem(Path::new(file)), (*name).to_owned());
                assert!(tests.contains(&test), "{}: there is no test {span}", row.place);
                named += 1;
            }
        }
        assert!(named >= TESTS_FLOOR, "only {named} tests are named for RFC {rfc}");
    }
}

#[test]
fn files_and_items_in_the_tables_exist() {
    let sources = sources();
    for row in rows() {
        for (column, cell) in row.cells.iter().enumerate() {
            let mut files: Vec<&str> = Vec::new();
            for span in code_spans(cell) {
                if let Some(file) = span.split_inclusive(".rs").next().filter(|file| file.ends_with(".rs")) {
                    let named = sources.iter().filter(|(path, _)| path.ends_with(file));
                    files = named.map(|(_, text)| text.as_str()).collect();
                    assert!(!files.is_empty(), "{}: there is no file {file}", row.place);
                } else if let (2, Some(item)) = (column, item_name(span))
                    && !files.is_empty()
                {
                    let there = files.iter().any(|text| text.lines().any(|line| defines(line, item)));
                    assert!(there, "{}: {item} is not in the file named before it", row.place);
                }
            }
        }
    }
}

#[test]
fn sections_cited_in_the_sources_are_in_the_tables() {
    let covered: BTreeSet<(u32, String)> = rows()
        .iter()
        .flat_map(|row| sections_of_cell(row.rfc, row.cells.first().map_or("", String::as_str)))
        .collect();
    let mut cited = 0;
    for (path, text) in sources().iter().filter(|(path, _)| path.starts_with("server")) {
        for (rfc, section) in citations(text) {
            cited += 1;
            let known = !COVERED.contains(&rfc) || covered.contains(&(rfc, section.clone()));
            assert!(known, "{} cites RFC {rfc} §{section}, which no table has", path.display());
        }
    }
    assert!(cited > 80, "only {cited} citations were found");
}

#[test]
fn citations_are_found_in_lists_and_across_lines() {
    let text =
        "RFC 9110 §15.5, §15.6. RFC 9112 §6 and §7.1) RFC 9110\n    /// §5.6.1; RFC 9110 and §3, RFC 5789";
    let found: Vec<_> =
        citations(text).into_iter().map(|(rfc, section)| format!("{rfc} {section}")).collect();
    assert_eq!(found, ["9110 15.5", "9110 15.6", "9112 6", "9112 7.1", "9110 5.6.1"]);
    let of_cell: Vec<_> = sections_of_cell(9110, "5.6.1, §5.6.2; RFC 5789 §2").into_iter().collect();
    let expected = [(9110, "5.6.1"), (9110, "5.6.2"), (5789, "2")].map(|(rfc, at)| (rfc, at.to_owned()));
    assert_eq!(of_cell, expected);
}

/// All rows of all tables, without their headings.
fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (rfc, file) in TABLES {
        let text = fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (number, line) in lines.iter().enumerate().filter(|(_, line)| line.starts_with('|')) {
            let is_rule = |line: &str| line.bytes().all(|byte| b"|-: ".contains(&byte));
            let heads_table =
                lines.get(number + 1).is_some_and(|next| next.starts_with('|') && is_rule(next));
            if is_rule(line) || heads_table {
                continue;
            }
            let place = format!("{file}:{}", number + 1);
            let cells = cells(line);
            assert_eq!(cells.len(), 4, "{place}: not four cells");
            rows.push(Row { place, rfc: *rfc, cells });
        }
    }
    rows
}

/// The cells of a row; `\|` is a bar within one.
fn cells(line: &str) -> Vec<String> {
    let line = line.replace("\\|", "\u{1}");
    let inner = line.trim_matches('|');
    inner.split('|').map(|cell| cell.trim().replace('\u{1}', "|")).collect()
}

/// What stands between backticks.
fn code_spans(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// `method` of `Type::method`; nothing where `span` is no path of names.
fn item_name(span: &str) -> Option<&str> {
    let is_name = span.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_:".contains(&byte));
    span.rsplit("::").next().filter(|name| is_name && !name.is_empty())
}

/// Whether `line` begins what is called `item`: a function, a type, a constant, a field, a variant.
fn defines(line: &str, item: &str) -> bool {
    let keywords =
        ["pub", "pub(super)", "pub(crate)", "const", "fn", "struct", "enum", "trait", "static", "mod"];
    let first = line.split_whitespace().find(|word| !keywords.contains(word)).unwrap_or_default();
    let rest = first.strip_prefix(item);
    rest.is_some_and(|rest| !rest.starts_with(|next: char| next.is_alphanumeric() || next == '_'))
}

/// Names of the functions right behind `#[test]`.
fn tests_in(text: &str) -> impl Iterator<Item = String> {
    text.split("#[test]\n").skip(1).filter_map(|behind| {
        let name = behind.trim_start().strip_prefix("fn ")?.split('(').next()?;
        Some(name.to_owned())
    })
}

/// `RFC 9110 §5.1` with all further sections of its list.
fn citations(text: &str) -> Vec<(u32, String)> {
    // A comment may go on in the next line.
    let lines = text.lines().map(|line| line.trim_start().trim_start_matches(['/', '!']).trim());
    let text = lines.collect::<Vec<_>>().join(" ");
    let mut found = Vec::new();
    for behind in text.split("RFC ").skip(1) {
        let number_length = behind.bytes().take_while(u8::is_ascii_digit).count();
        let (number, mut rest) = behind.split_at(number_length);
        let Ok(rfc) = number.parse() else {
            continue;
        };
        let mut separators = [" §"].iter();
        while let Some(list) = separators.find_map(|separator| rest.strip_prefix(separator)) {
            let length = list.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
            found.push((rfc, list[..length].trim_end_matches('.').to_owned()));
            rest = &list[length..];
            separators = [", §", " and §", " to §", ", and §"].iter();
        }
    }
    found
}

/// The sections in a first cell: of its table's RFC, unless it names another one before.
fn sections_of_cell(rfc: u32, cell: &str) -> Vec<(u32, String)> {
    let mut current = rfc;
    let mut sections = Vec::new();
    for word in cell.split([' ', ',', ';']).map(|word| word.trim_start_matches('§')) {
        match word.parse::<u32>() {
            Ok(number) if number > 1000 => current = number,
            _ if word.starts_with(|first: char| first.is_ascii_digit()) => {
                sections.push((current, word.to_owned()));
            }
            _ => {}
        }
    }
    sections
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// The text of each source file by its path from the top.
fn sources() -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut folders: Vec<PathBuf> = ["server/src", "model/src", "tests"].map(PathBuf::from).into();
    while let Some(folder) = folders.pop() {
        let entries =
            fs::read_dir(root().join(&folder)).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
        for entry in entries {
            let entry = entry.expect("an entry");
            let path = folder.join(entry.file_name());
            if entry.path().is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(entry.path()).expect("a source");
                found.insert(path, text);
            }
        }
    }
    found
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}
