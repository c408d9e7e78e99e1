//! What a request demands of the version that is there, from its fields: RFC 9110 §13.1.

use super::entity_tag;
use crate::http::date;
use crate::http::entity_tag::{EntityTag, EntityTags};
use crate::http::field::decimal;
use crate::http::range::Ranges;
use crate::http::request::Request;
use crate::http::request_line::Method;
use crate::seeded::bug;
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
pub fn read(request: &Request<'_>, now: i64) -> Result<Option<Box<Condition>>, Malformed> {
    let date = |name| request.single_value(name).and_then(|value| date::parse(value, now));
    let tags = |name| EntityTags::read(request.values(name)).map_err(|_| Malformed::Tags);
    let condition = Condition {
        // RFC 9110 §13.1.1: a weak tag never matches here.
        matches: versions(tags("if-match")?, |tag| !tag.weak || bug("weak_tag_matches")),
        unmodified_since: date("if-unmodified-since"),
        differs: versions(tags("if-none-match")?, |_| true),
        modified_since: date("if-modified-since"),
        length: if request.method == Method::Patch { read_offset(request)? } else { None },
        only: None,
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
            request.single_value("if-range").and_then(strong).and_then(|tag| entity_tag::read(tag.opaque)),
        ),
    };
    Some(Box::new(WantedParts { ranges, of }))
}

/// `Upload-Offset`: how long a file has to be that is appended to.
fn read_offset(request: &Request<'_>) -> Result<Option<u64>, Malformed> {
    match request.values("upload-offset").count() {
        0 => Ok(None),
        _ => {
            let offset = request.single_value("upload-offset").and_then(decimal);
            offset.map(Some).ok_or(Malformed::Offset)
        }
    }
}

/// A field that has to be understood and cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// `If-Match` or `If-None-Match`.
    Tags,
    /// `Upload-Offset`.
    Offset,
}

impl Malformed {
    /// One sentence for the peer.
    pub fn reason(self) -> &'static str {
        match self {
            Malformed::Tags => "If-Match or If-None-Match is neither * nor a list of entity tags",
            Malformed::Offset => "Upload-Offset is not one decimal number",
        }
    }
}
