//! A listing as JSON: the form for programs.

use serde::Serialize;

use super::time::Timestamp;
use super::{Asked, query};
use crate::api::entity_tag::Tag;
use crate::api::link;
use crate::store::listing::{Listed, Listing};

#[derive(Serialize)]
struct Document {
    /// The directory's target.
    path: String,
    /// `name`, `size`, `modified`, or `directory`: its own order.
    order: &'static str,
    descending: bool,
    entries: Vec<Entry>,
    /// The target of the next page, relative to this one; null behind the last one.
    next: Option<String>,
}

#[derive(Serialize)]
struct Entry {
    /// Null where it is no UTF-8, which JSON cannot hold.
    name: Option<String>,
    /// The name percent-encoded, every one, with a slash behind that of a directory: relative to `path`.
    href: String,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    modified: Option<String>,
    /// As in `ETag`, with its quotes.
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<String>,
}

/// The document, with a line feed behind it.
pub(super) fn document(asked: &Asked, listing: &Listing) -> Vec<u8> {
    let order = query::ORDERS.iter().find(|(_, order)| *order == asked.view.order);
    let document = Document {
        path: asked.location(),
        order: order.filter(|_| listing.sorted).map_or("directory", |(name, _)| name),
        descending: asked.view.descending && listing.sorted,
        entries: listing.entries.iter().map(entry).collect(),
        next: listing.next.as_ref().map(|place| asked.page_at(place)),
    };
    // Nothing in it can fail: it has neither maps nor numbers that JSON lacks.
    let mut content = serde_json::to_vec(&document).unwrap_or_default();
    content.push(b'\n');
    content
}

fn entry(listed: &Listed) -> Entry {
    let mut href = link::encoded(&listed.name);
    let kind = if listed.file.is_some() {
        "file"
    } else {
        href.push('/');
        "directory"
    };
    Entry {
        name: str::from_utf8(&listed.name).ok().map(str::to_owned),
        href,
        kind,
        size: listed.file.map(|version| version.length),
        modified: listed.file.map(|version| format!("{:#}", Timestamp(version.modified))),
        tag: listed.file.map(|version| String::from_utf8_lossy(Tag::of(&version).as_bytes()).into_owned()),
    }
}
