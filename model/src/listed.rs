//! Listings, held against the reference: of a store page by page, and of a wire as JSON has them.

use std::collections::{BTreeMap, BTreeSet};

use http_server::store::directory::Directory;
use http_server::store::listing::{Listed, Order, Place, View};
use http_server::store::operation::{Operation, Outcome};
use http_server::store::path::FilePath;
use http_server::store::version::Version;
use http_server::store::{Held, Store};

use crate::driven::Known;
use crate::reference::{Node, Reference, decode};
use crate::wire::WireAnswer;

/// The entries that a listing has: each name, and length and version where it is a file.
type Expected = BTreeMap<Vec<u8>, Option<(u64, u64)>>;

fn expected(reference: &Reference, encoded: &str) -> Expected {
    let Some((names, _)) = decode(encoded) else { return Expected::new() };
    let file = |node: &Node| match node {
        Node::Directory => None,
        Node::File(file) => Some((file.content.len() as u64, file.version)),
    };
    let entries = reference.entries(&names);
    entries.filter_map(|(path, node)| Some((path.last()?.clone(), file(node)))).collect()
}

/// All views of a store that a listing can be asked for, on pages of two entries: by each order, both
/// ways round, and as the directory has them.
fn views() -> impl Iterator<Item = View> {
    let orders = [Order::Name, Order::Size, Order::Modified].into_iter();
    let view = |order, descending, sorted_max| View {
        order,
        descending,
        after: Place::Beginning,
        entries_max: 2,
        sorted_max,
    };
    let sorted = orders.flat_map(move |order| [false, true].map(|descending| view(order, descending, 1000)));
    sorted.chain([view(Order::Name, false, 1)])
}

/// Lists a directory of a store in all views, and learns which versions its files are.
///
/// # Errors
/// Where one of them is not what the reference has.
pub fn check_store<D: Directory>(
    store: &Store<D>,
    reference: &Reference,
    versions: &mut Known<Version>,
    encoded: &str,
) -> Result<(), String> {
    let expected = expected(reference, encoded);
    for view in views() {
        let (listed, sorted) = all_pages(store, encoded, &view)?;
        let found: Expected = expect_each_once(&listed, &expected, versions)?;
        if found != expected {
            return Err(format!("{listed:?} in {view:?} where {expected:?} was due"));
        }
        let key = |listed: &Listed| (view.order.value(listed.file.as_ref()), listed.name.clone());
        let in_order = match view.descending {
            false => listed.is_sorted_by_key(key),
            true => listed.iter().rev().is_sorted_by_key(key),
        };
        let few = expected.len() <= view.sorted_max;
        if sorted != few || sorted && !in_order {
            return Err(format!("{listed:?} is not in the order of {view:?}"));
        }
    }
    Ok(())
}

fn expect_each_once(
    listed: &[Listed],
    expected: &Expected,
    versions: &mut Known<Version>,
) -> Result<Expected, String> {
    let mut found = Expected::new();
    for Listed { name, file } in listed {
        let number = expected.get(name).copied().flatten().map(|(_, number)| number);
        versions.learn(number, *file)?;
        let file = file.zip(number).map(|(version, number)| (version.length, number));
        if found.insert(name.clone(), file).is_some() {
            return Err(format!("{} is listed twice", name.escape_ascii()));
        }
    }
    Ok(found)
}

/// The pages of a view one after the other, and whether they were sorted.
fn all_pages<D: Directory>(
    store: &Store<D>,
    encoded: &str,
    view: &View,
) -> Result<(Vec<Listed>, bool), String> {
    let path = FilePath::parse(encoded.as_bytes()).map_err(|error| format!("{error:?}"))?;
    let (mut entries, mut all_sorted, mut view) = (Vec::new(), true, view.clone());
    // A page may be empty, and still not be the last; but no directory here has so many.
    for _ in 0..1000 {
        let operation = Operation::List(path.clone(), Box::new(view.clone()));
        let listing = match store.run(operation, &mut Held::Nothing) {
            Outcome::Listed(listing) => *listing,
            outcome => return Err(format!("{outcome:?} to {view:?}")),
        };
        if listing.entries.len() > view.entries_max {
            return Err(format!("{listing:?} is too long for {view:?}"));
        }
        entries.extend(listing.entries);
        all_sorted &= listing.sorted;
        match listing.next {
            Some(next) => view.after = next,
            None => return Ok((entries, all_sorted)),
        }
    }
    Err(format!("the pages of {encoded} come to no end"))
}

/// Compares a listing as JSON with the reference, and learns which tags its files have.
///
/// # Errors
/// Where it is not what the reference has.
pub fn check_wire(
    answer: &WireAnswer,
    reference: &Reference,
    known: &mut Known<String>,
    encoded: &str,
) -> Result<(), String> {
    let expected = expected(reference, encoded);
    let document: serde_json::Value =
        serde_json::from_slice(&answer.content).map_err(|error| error.to_string())?;
    let entries = document["entries"].as_array().ok_or("no entries")?;
    let (mut names, mut last) = (BTreeSet::new(), None);
    for entry in entries {
        let href = entry["href"].as_str().ok_or("an entry without a link")?;
        let (path, slash) = decode(href).ok_or_else(|| format!("the link {href:?}"))?;
        let [name] = &path[..] else { return Err(format!("{href:?} is no name")) };
        let shown = entry["name"].as_str().map(str::as_bytes);
        if shown != str::from_utf8(name).ok().map(str::as_bytes) {
            return Err(format!("{href:?} is shown as {shown:?}"));
        }
        let is_directory = entry["kind"] == "directory";
        let file = match expected.get(name) {
            None => return Err(format!("{href:?}, which is not there")),
            Some(None) if is_directory && slash => None,
            Some(Some((length, number))) if entry["kind"] == "file" && !slash => Some((*length, *number)),
            Some(other) => return Err(format!("{entry} where {other:?} was due")),
        };
        if entry["size"].as_u64() != file.map(|(length, _)| length) {
            return Err(format!("{entry} where {file:?} was due"));
        }
        known.learn(file.map(|(_, number)| number), entry["tag"].as_str().map(str::to_owned))?;
        if last.as_ref() >= Some(name) {
            return Err(format!("{href:?} behind {last:?}"));
        }
        last = Some(name.clone());
        names.insert(name.clone());
    }
    let whole = document["next"].is_null() && names.len() == expected.len();
    if whole { Ok(()) } else { Err(format!("{document} where {expected:?} was due")) }
}
