//! Answers before they are written: status, content and fields.

use std::borrow::Cow;

use super::media_type;
use super::{link, listing};
use crate::http::response::ContentRange;
use crate::http::status::Status;
use crate::seeded::bug;
use crate::store::operation::{Mode, StoreErrorKind};
use crate::store::path::{FilePath, PathError};
use crate::store::version::Version;

/// An answer whose content is in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply<'a> {
    /// How it went.
    pub status: Status,
    /// The media type of `content`; an answer without one has no content.
    pub media_type: Option<&'static str>,
    /// The content.
    pub content: Cow<'a, [u8]>,
    /// Fields beside those that every answer has.
    pub fields: &'static [(&'static str, &'static str)],
    /// Where the resource is that was made, percent-encoded.
    pub location: Option<Vec<u8>>,
    /// What more there is to say about the file.
    pub about: About,
    /// Of an error, which one, in a word that stays; nothing otherwise.
    pub code: &'static str,
}

/// What an answer says about a file, in fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum About {
    /// Nothing.
    #[default]
    Nothing,
    /// Which version of it this is about.
    Version(Version),
    /// That it has no such part, RFC 9110 §15.5.17.
    Part(ContentRange),
    /// How long it is, for whoever wants to append: `Upload-Offset`.
    Length(u64),
    /// What can be done with it, RFC 9110 §10.2.1.
    Methods {
        /// The value of `Allow`.
        allow: String,
        /// Parts of it can be read: `Accept-Ranges`.
        ranges: bool,
        /// It can be appended to: `Accept-Patch`.
        patch: bool,
    },
    /// When to ask again, in seconds.
    RetryAfter(u64),
}

/// What an operation was for: the same cause means different things to a reader and a writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// `GET`, `HEAD`.
    Read,
    /// `POST`, `PUT`, `PATCH`.
    Upload,
    /// `DELETE`.
    Delete,
}

/// Plain text in UTF-8.
pub const TEXT: &str = "text/plain; charset=utf-8";

/// HTML in UTF-8.
pub const HTML: &str = "text/html; charset=utf-8";

/// The page at `/`.
const PAGE: &str = concat!(
    "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n",
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n",
    "<title>http_server</title>\n<style>",
    include_str!("../../templates/style.css"),
    "</style>\n",
    include_str!("../../templates/front.html"),
);
const PAGE_FIELDS: &[(&str, &str)] = &[listing::POLICY];

/// RFC 9110 §10.2.3: seconds; a bound on work is soon below itself again.
const RETRY_AFTER: &[(&str, &str)] = &[("Retry-After", "1")];

impl Reply<'_> {
    /// The same with nothing lent.
    pub fn into_owned(self) -> Reply<'static> {
        Reply { content: Cow::Owned(self.content.into_owned()), ..self }
    }
}

impl About {
    /// What it says in fields of its own, as `number` is written; most say nothing.
    pub fn fields<'a>(&'a self, number: &'a mut String) -> Vec<(&'a str, &'a str)> {
        match self {
            About::Nothing | About::Version(_) | About::Part(_) => Vec::new(),
            About::Length(length) => {
                *number = length.to_string();
                vec![("Upload-Offset", number)]
            }
            About::RetryAfter(seconds) => {
                *number = seconds.to_string();
                vec![("Retry-After", number)]
            }
            About::Methods { allow, ranges, patch } => {
                let mut fields = vec![("Allow", allow.as_str())];
                fields.extend(ranges.then_some(("Accept-Ranges", "bytes")));
                fields.extend(patch.then_some(("Accept-Patch", media_type::UNKNOWN)));
                fields
            }
        }
    }
}

/// 200 with `content`.
pub fn text<'a>(media_type: &'static str, content: Cow<'a, [u8]>) -> Reply<'a> {
    let about = About::Nothing;
    let (status, media_type) = (Status::OK, Some(media_type));
    Reply { status, media_type, content, fields: &[], location: None, about, code: "" }
}

/// The page at `/`.
pub fn page() -> Reply<'static> {
    Reply { fields: PAGE_FIELDS, ..text(HTML, Cow::Borrowed(PAGE.as_bytes())) }
}

/// An error with its code and its one-line reason.
pub fn refusal(status: Status, code: &'static str, reason: &'static str) -> Reply<'static> {
    let fields = if status == Status::SERVICE_UNAVAILABLE { RETRY_AFTER } else { &[] };
    Reply { status, fields, code, ..text(TEXT, Cow::Owned(format!("{reason}\n").into_bytes())) }
}

/// The answer to `OPTIONS`, RFC 9110 §9.3.7.
pub fn options(fields: &'static [(&'static str, &'static str)]) -> Reply<'static> {
    Reply {
        status: Status::NO_CONTENT,
        media_type: None,
        content: Cow::Borrowed(b""),
        fields,
        location: None,
        about: About::Nothing,
        code: "",
    }
}

/// 201 for a file that was made. RFC 9110 §9.3.3: the content refers to it too.
pub fn created(path: &FilePath, version: Version) -> Reply<'static> {
    let location = link::location(path);
    let content = [&b"created "[..], &location, b"\n"].concat();
    Reply {
        status: Status::CREATED,
        location: Some(location),
        about: About::Version(version),
        ..text(TEXT, Cow::Owned(content))
    }
}

/// 200 for a file that was changed.
pub fn updated(mode: Mode, version: Version) -> Reply<'static> {
    let content: &[u8] = if mode == Mode::Append { b"appended\n" } else { b"replaced\n" };
    Reply { about: About::Version(version), ..text(TEXT, Cow::Borrowed(content)) }
}

/// 304: whoever asked has this version, RFC 9110 §15.4.5.
pub fn not_modified(version: Version) -> Reply<'static> {
    let about = About::Version(version);
    Reply {
        status: Status::NOT_MODIFIED,
        media_type: bug("not_modified_has_a_length").then_some(TEXT),
        about,
        ..text(TEXT, Cow::Borrowed(b""))
    }
}

/// 304 for a directory, which has no version: whoever asked wanted nothing that is there.
pub fn directory_not_modified() -> Reply<'static> {
    Reply { status: Status::NOT_MODIFIED, media_type: None, ..text(TEXT, Cow::Borrowed(b"")) }
}

/// RFC 9110 §15.4.2: what is a directory today may be a file tomorrow, so nobody keeps this.
const MOVED: &[(&str, &str)] = &[("Cache-Control", "no-store")];

/// 301 for a directory that was asked for as if it were a file: the links of a listing are relative to
/// its slash.
pub fn directory_moved(path: &FilePath) -> Reply<'static> {
    let location = link::folder_location(path);
    let content = [&b"the directory is at "[..], &location, b"\n"].concat();
    Reply {
        status: Status::MOVED_PERMANENTLY,
        location: Some(location),
        fields: MOVED,
        ..text(TEXT, Cow::Owned(content))
    }
}

/// 416: a file so long has none of the parts that were asked for.
pub fn unsatisfiable(length: u64) -> Reply<'static> {
    let about = About::Part(ContentRange::Unsatisfied(length));
    Reply { about, ..refusal(Status::RANGE_NOT_SATISFIABLE, "range", "the file has no such range of bytes") }
}

/// 200 for what was removed.
pub fn deleted() -> Reply<'static> {
    text(TEXT, Cow::Borrowed(b"deleted\n"))
}

/// The target's path is not one of a file.
pub fn path_refused(error: PathError) -> Reply<'static> {
    let (code, reason) = match error {
        PathError::Encoding => ("path-encoding", "a % without two hexadecimal digits"),
        PathError::EmptySegment => ("path-empty-segment", "a path segment is empty"),
        PathError::DotSegment => ("path-dot-segment", "a path segment is . or .."),
        PathError::ForbiddenByte => ("path-byte", "a path segment has a NUL or an encoded slash"),
        PathError::Reserved => ("path-reserved", "a path segment is a name that the server keeps for itself"),
        PathError::SegmentTooLong => ("path-segment-too-long", "a path segment is longer than 255 bytes"),
        PathError::TooManySegments => ("path-too-many-segments", "the path has more than 256 segments"),
        PathError::TooLong => ("path-too-long", "the path is longer than 4095 bytes"),
    };
    refusal(Status::BAD_REQUEST, code, reason)
}

/// What the failure of an operation means to whoever asked for it.
pub fn failure(kind: StoreErrorKind, purpose: Purpose) -> Reply<'static> {
    use StoreErrorKind as Kind;
    let (status, code, reason) = match (kind, purpose) {
        (Kind::NotFound, _) => (Status::NOT_FOUND, "nothing-there", "nothing is there"),
        // A directory has no content to read; removing one that has entries is refused below.
        (Kind::IsDirectory, Purpose::Read) => {
            (Status::NOT_FOUND, "is-directory", "a directory is there, not a file")
        }
        (Kind::IsDirectory, _) => (Status::CONFLICT, "is-directory", "a directory is there, not a file"),
        (Kind::ParentIsFile, Purpose::Upload) => {
            (Status::CONFLICT, "parent-is-file", "a file is where a directory would have to be")
        }
        (Kind::ParentIsFile, _) => (Status::NOT_FOUND, "nothing-there", "nothing is there"),
        (Kind::ConditionFails, _) => {
            (Status::PRECONDITION_FAILED, "condition-fails", "what is there is not what the request demands")
        }
        (Kind::LengthDiffers { length }, _) => {
            let reason = "the file is not as long as Upload-Offset says";
            return Reply {
                about: About::Length(length),
                ..refusal(Status::CONFLICT, "length-differs", reason)
            };
        }
        (Kind::FileExists, _) => (Status::CONFLICT, "file-exists", "a file is there already"),
        (Kind::NoSuchPlace, _) => {
            (Status::BAD_REQUEST, "no-such-place", "there is no such place in the directory")
        }
        (Kind::TooManyToSort, _) => (
            Status::CONFLICT,
            "too-many-to-sort",
            "the directory has become too large to be sorted so: begin again",
        ),
        (Kind::DirectoryNotEmpty, _) => {
            (Status::CONFLICT, "directory-not-empty", "the directory is not empty")
        }
        (Kind::IsBaseDirectory, _) => {
            (Status::FORBIDDEN, "base-directory", "the base directory itself stays")
        }
        (Kind::NotRegular, _) => {
            (Status::FORBIDDEN, "not-regular", "neither a file nor a directory is there")
        }
        (Kind::NotPermitted, _) => (
            Status::FORBIDDEN,
            "not-permitted",
            "whoever asks may not do this with what is there, or is missing",
        ),
        (Kind::Denied, _) => (Status::FORBIDDEN, "denied", "the operating system refuses access"),
        (Kind::NameTooLong, _) => {
            (Status::URI_TOO_LONG, "name-too-long", "the file system takes no name of this length")
        }
        (Kind::NoSpace, _) => (Status::INSUFFICIENT_STORAGE, "no-space", "no space is left"),
        (Kind::FileTooLarge, _) => {
            (Status::CONTENT_TOO_LARGE, "file-too-large", "the file system takes no file of this length")
        }
        (Kind::Busy, _) => (Status::SERVICE_UNAVAILABLE, "busy", "too much work at once, come back later"),
        (Kind::TimesCutShort, _) => {
            (Status::FORBIDDEN, "times-cut-short", "the file system there does not keep times exactly enough")
        }
        (Kind::InputOutput, _) => (Status::INTERNAL_SERVER_ERROR, "input-output", "an input/output error"),
        (Kind::Broken, _) => (Status::INTERNAL_SERVER_ERROR, "internal", "an internal error"),
    };
    refusal(status, code, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_one_line() {
        let reply = failure(StoreErrorKind::Busy, Purpose::Read);
        assert_eq!(reply.content.iter().filter(|byte| **byte == b'\n').count(), 1);
        assert_eq!(reply.fields, RETRY_AFTER);
    }
}
