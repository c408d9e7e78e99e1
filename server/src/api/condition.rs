//! What a request demands of the version that is there, from its fields: RFC 9110 §13.1.

use super::entity_tag;
use crate::http::date;
use crate::http::entity_tag::{EntityTag, EntityTags, MalformedTags};
use crate::http::field::decimal;
use crate::http::range::Ranges;
use crate::http::request::Request;
use crate::store::condition::{Condition, Versions};
use crate::store::version::Version;

/// The parts that are asked for, and of which version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedParts {
    /// Those that are asked for.
    pub ranges: Ranges,
    /// `If-Range`: they are asked for of this version only; of `None` where no version can be meant.
    pub of: Option<Option<Version>>,
}

/// Reads the fields of conditions; nothing where there are none. `now` is in seconds since 1970.
///
/// # Errors
/// Where a field is there that has to be understood and cannot be.
pub fn read(request: &Request<'_>, now: i64) -> Result<Option<Box<Condition>>, MalformedTags> {
    let date = |name| request.single_value(name).and_then(|value| date::parse(value, now));
    let condition = Condition {
        // RFC 9110 §13.1.1: a weak tag never matches here.
        matches: versions(EntityTags::read(request.values("if-match"))?, |tag| !tag.weak),
        unmodified_since: date("if-unmodified-since"),
        differs: versions(EntityTags::read(request.values("if-none-match"))?, |_| true),
        modified_since: date("if-modified-since"),
    };
    Ok((condition != Condition::default()).then(|| Box::new(condition)))
}

fn versions(tags: Option<EntityTags<'_>>, counts: impl Fn(&EntityTag<'_>) -> bool) -> Option<Versions> {
    Some(match tags? {
        EntityTags::Any => Versions::Any,
        EntityTags::List(tags) => {
            let ours = tags.iter().filter(|tag| counts(tag));
            Versions::Of(ours.filter_map(|tag| entity_tag::read(tag.opaque)).collect())
        }
    })
}

/// Reads `Range` and `If-Range`; nothing where the whole is asked for.
pub fn read_parts(request: &Request<'_>) -> Option<Box<WantedParts>> {
    let ranges = Ranges::read(request.single_value("range")?)?;
    // RFC 9110 §13.1.5: a date counts only where the file surely did not change twice in its
    // second, which nobody can tell; and a weak tag never does. Then the whole is sent.
    let strong = |value| EntityTag::read(value).filter(|tag| !tag.weak);
    let of = match request.values("if-range").count() {
        0 => None,
        _ => Some(
            request
                .single_value("if-range")
                .and_then(strong)
                .and_then(|tag| entity_tag::read(tag.opaque)),
        ),
    };
    Some(Box::new(WantedParts { ranges, of }))
}

/// Reads `Upload-Offset`: how long a file has to be that is appended to.
///
/// # Errors
/// Where it is not one number.
pub fn read_offset(request: &Request<'_>) -> Result<Option<u64>, MalformedOffset> {
    match request.values("upload-offset").count() {
        0 => Ok(None),
        1 => request.single_value("upload-offset").and_then(decimal).map(Some).ok_or(MalformedOffset),
        _ => Err(MalformedOffset),
    }
}

/// An `Upload-Offset` that is not one decimal number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedOffset;
