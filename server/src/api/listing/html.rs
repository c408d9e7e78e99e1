//! A listing as a page for people. The template escapes whatever is put into it.

use askama::Template;

use super::shown::{Piece, pieces, size};
use super::time::Timestamp;
use super::{Asked, Offers, query};
use crate::api::entity_tag::Tag;
use crate::api::link;
use crate::store::listing::{Listed, Listing, Order, Place, View};

/// Nothing but this style: whatever a name might smuggle in, the browser neither runs nor loads it. The
/// hashes are those of `style.css` and `listing.js`; a test says what they have to be.
pub(in crate::api) const POLICY: (&str, &str) = (
    "Content-Security-Policy",
    "default-src 'none'; style-src 'sha256-3dnXzbFelz494amjG1fGWVOPiOzcDcQ2HcAV4Zq3hlg='; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'",
);

/// The same with the listing's script, which may ask this server and no other.
pub(super) const TOOLS_POLICY: (&str, &str) = (
    "Content-Security-Policy",
    "default-src 'none'; style-src 'sha256-3dnXzbFelz494amjG1fGWVOPiOzcDcQ2HcAV4Zq3hlg='; script-src 'sha256-rQ9ezv2S/uUH3+Rk7nNonf1FLweOsn1+336nf+nLIwE='; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

#[derive(Template)]
#[template(path = "listing.html")]
struct Page {
    style: &'static str,
    script: &'static str,
    /// From the outermost directory to this one.
    crumbs: Vec<Crumb>,
    columns: [Column; 3],
    rows: Vec<Row>,
    /// The link to the first page, where this is another.
    first: Option<String>,
    next: Option<String>,
    /// There are too many entries to be sorted.
    unsorted: bool,
    /// Which tools it has.
    offers: Offers,
    /// The target by which whoever looks can say who it is.
    sign_in: String,
    has_parent: bool,
}

struct Crumb {
    name: Vec<Piece>,
    /// Relative; empty for this directory.
    href: String,
}

struct Column {
    label: &'static str,
    class: &'static str,
    /// The same directory by this, or by this the other way round.
    href: String,
    /// As `aria-sort` has it; nothing where it is not sorted by this.
    sorted: Option<&'static str>,
}

struct Row {
    href: String,
    name: Vec<Piece>,
    file: Option<File>,
}

struct File {
    size: String,
    bytes: u64,
    modified: String,
    shown_modified: String,
    tag: String,
}

/// The page.
pub(super) fn page(asked: &Asked, listing: &Listing) -> Vec<u8> {
    let page = Page {
        style: include_str!("../../../templates/style.css"),
        script: include_str!("../../../templates/listing.js"),
        crumbs: crumbs(asked),
        columns: query::ORDERS.map(|(_, order)| column(asked, listing, order)),
        rows: listing.entries.iter().map(row).collect(),
        first: (asked.view.after != Place::Beginning).then(|| asked.page_at(&Place::Beginning)),
        next: listing.next.as_ref().map(|place| asked.page_at(place)),
        unsorted: !listing.sorted,
        offers: asked.offers,
        sign_in: query::signing_in(&asked.page_at(&asked.view.after)),
        has_parent: !asked.path.is_base_directory(),
    };
    let mut content = Vec::with_capacity(4096 + listing.entries.len() * 512);
    // To memory, which does not fail.
    let _ = page.write_into(&mut content);
    content
}

fn crumbs(asked: &Asked) -> Vec<Crumb> {
    let depth = asked.path.segments().count();
    let up = |levels: usize| if levels == 0 { String::new() } else { "../".repeat(levels) };
    let base = Crumb { name: pieces(b"files"), href: up(depth) };
    let below = asked
        .path
        .segments()
        .enumerate()
        .map(|(at, name)| Crumb { name: pieces(name), href: up(depth - at - 1) });
    std::iter::once(base).chain(below).collect()
}

fn column(asked: &Asked, listing: &Listing, order: Order) -> Column {
    let is_sorted = listing.sorted && asked.view.order == order;
    let (label, class) = match order {
        Order::Name => ("Name", "name"),
        Order::Size => ("Size", "size"),
        Order::Modified => ("Modified", "time"),
    };
    let descending = is_sorted && !asked.view.descending;
    let view = View { order, descending, after: Place::Beginning, ..asked.view.clone() };
    let sorted = is_sorted.then_some(if asked.view.descending { "descending" } else { "ascending" });
    Column { label, class, href: query::write(&view, asked.form_is_explicit.then_some(asked.form)), sorted }
}

fn row(listed: &Listed) -> Row {
    let slash = if listed.file.is_some() { "" } else { "/" };
    Row {
        href: format!("{}{slash}", link::encoded(&listed.name)),
        name: pieces(&listed.name),
        file: listed.file.map(|version| {
            let modified = Timestamp(version.modified).to_string();
            File {
                size: size(version.length),
                bytes: version.length,
                shown_modified: modified.replace('T', " ").replace('Z', ""),
                modified,
                tag: String::from_utf8_lossy(Tag::of(&version).as_bytes()).into_owned(),
            }
        }),
    }
}
