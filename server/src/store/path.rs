//! A path below the base directory that cannot leave it: whoever holds one need not check again.

use std::ffi::{CStr, CString};

use crate::seeded::bug;

/// The one name that no request can reach: the server's own directory in the base directory.
pub const RESERVED_NAME: &[u8] = RESERVED_NAME_C.to_bytes();
/// The same as the kernel takes it.
pub const RESERVED_NAME_C: &CStr = c".http_server";
/// Bytes of a path, at most: the kernel's `PATH_MAX` with its NUL.
pub const PATH_BYTES_MAX: usize = 4095;
/// Bytes of a segment, at most: `NAME_MAX`.
pub const SEGMENT_BYTES_MAX: usize = 255;
/// Segments of a path, at most.
pub const SEGMENTS_MAX: usize = 256;

/// The decoded segments of a path below the base directory; none means the base directory itself.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct FilePath {
    /// Segments joined by `/`, then a NUL: as the kernel takes it.
    bytes: Box<[u8]>,
    /// The path ended in `/` (or is empty), so it can only name a directory.
    names_directory: bool,
}

/// The path of a directory in which something is to be; empty for the base directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParentPath(CString);

impl ParentPath {
    /// As the kernel takes it.
    pub fn as_c_str(&self) -> &CStr {
        &self.0
    }

    /// Each directory on the way, outermost first, as the path that it stands in and its name.
    pub fn steps(&self) -> impl Iterator<Item = (CString, CString)> {
        let bytes = self.0.as_bytes();
        let ends = memchr::memchr_iter(b'/', bytes).chain((!bytes.is_empty()).then_some(bytes.len()));
        let mut start = 0;
        ends.filter_map(move |end| {
            let parent = CString::new(&bytes[..start.max(1) - 1]).ok()?;
            let name = CString::new(&bytes[start..end]).ok()?;
            start = end + 1;
            Some((parent, name))
        })
    }
}

/// Why bytes are not a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathError {
    /// A `%` without two hexadecimal digits behind it.
    Encoding,
    /// Two slashes in a row, or one at the start.
    EmptySegment,
    /// A segment `.` or `..`.
    DotSegment,
    /// A NUL, or a `/` that was percent-encoded.
    ForbiddenByte,
    /// The server's own name.
    Reserved,
    /// A segment beyond [`SEGMENT_BYTES_MAX`].
    SegmentTooLong,
    /// More than [`SEGMENTS_MAX`] segments.
    TooManySegments,
    /// More than [`PATH_BYTES_MAX`] bytes.
    TooLong,
}

impl FilePath {
    /// Splits at `/`, then decodes each segment exactly once.
    ///
    /// `encoded` is what follows `/files/` in the request target's path.
    pub fn parse(encoded: &[u8]) -> Result<FilePath, PathError> {
        let names_directory = encoded.is_empty() || encoded.ends_with(b"/");
        let mut bytes = Vec::with_capacity(encoded.len() + 1);
        let inner = encoded.strip_suffix(b"/").unwrap_or(encoded);
        if !encoded.is_empty() {
            for (count, segment) in inner.split(|&byte| byte == b'/').enumerate() {
                if count == SEGMENTS_MAX {
                    return Err(PathError::TooManySegments);
                }
                if count > 0 {
                    bytes.push(b'/');
                }
                decode_segment(segment, &mut bytes)?;
            }
        }
        if bytes.len() > PATH_BYTES_MAX {
            return Err(PathError::TooLong);
        }
        bytes.push(0);
        Ok(FilePath { bytes: bytes.into_boxed_slice(), names_directory })
    }

    /// The path of these names, joined by `/` and not encoded; nothing where no request could name it.
    pub fn of_names(names: &[u8], names_directory: bool) -> Option<FilePath> {
        let mut bytes = Vec::with_capacity(names.len() + 1);
        for (count, name) in names.split(|&byte| byte == b'/').enumerate() {
            if names.is_empty() {
                break;
            }
            if count > 0 {
                bytes.push(b'/');
            }
            bytes.extend_from_slice(name);
            check_segment(name).ok()?;
            if count == SEGMENTS_MAX {
                return None;
            }
        }
        if bytes.len() > PATH_BYTES_MAX {
            return None;
        }
        let names_directory = names_directory || bytes.is_empty();
        bytes.push(0);
        Some(FilePath { bytes: bytes.into_boxed_slice(), names_directory })
    }

    /// The path with its segments joined by `/`; empty for the base directory.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.bytes.len() - 1]
    }

    /// The same for the kernel; empty for the base directory.
    pub fn as_c_str(&self) -> &CStr {
        // No segment has a NUL, so the one at the end is the first.
        CStr::from_bytes_until_nul(&self.bytes).unwrap_or_default()
    }

    /// The directory that the last segment stands in, and that segment; nothing for the base
    /// directory.
    pub fn parent_and_name(&self) -> Option<(ParentPath, &CStr)> {
        if self.is_base_directory() {
            return None;
        }
        let slash = memchr::memrchr(b'/', self.as_bytes());
        let name = CStr::from_bytes_until_nul(&self.bytes[slash.map_or(0, |slash| slash + 1)..]).ok()?;
        Some((ParentPath(CString::new(&self.bytes[..slash.unwrap_or(0)]).ok()?), name))
    }

    /// The path as that of a directory in which something may be.
    pub fn as_parent(&self) -> ParentPath {
        ParentPath(CString::from(self.as_c_str()))
    }

    /// The path of `name` in this directory; nothing where no request could name it.
    pub fn child(&self, name: &[u8]) -> Option<FilePath> {
        let mut names = self.as_bytes().to_vec();
        if !names.is_empty() {
            names.push(b'/');
        }
        names.extend_from_slice(name);
        FilePath::of_names(&names, false)
    }

    /// The segments, outermost first.
    pub fn segments(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.as_bytes().split(|&byte| byte == b'/').filter(|segment| !segment.is_empty())
    }

    /// Whether this is the base directory itself.
    pub fn is_base_directory(&self) -> bool {
        self.as_bytes().is_empty()
    }

    /// Whether the path ended in `/`, so that only a directory can be meant.
    pub fn names_directory(&self) -> bool {
        self.names_directory
    }
}

fn decode_segment(encoded: &[u8], path: &mut Vec<u8>) -> Result<(), PathError> {
    let start = path.len();
    percent_decode(encoded, path).map_err(|MalformedEncoding| PathError::Encoding)?;
    if bug("decoded_twice") {
        let once = path.split_off(start);
        percent_decode(&once, path).map_err(|MalformedEncoding| PathError::Encoding)?;
    }
    check_segment(&path[start..])
}

fn check_segment(segment: &[u8]) -> Result<(), PathError> {
    match segment {
        b"" => Err(PathError::EmptySegment),
        b"." | b".." if !bug("dots_are_names") => Err(PathError::DotSegment),
        RESERVED_NAME if !bug("own_name_is_a_name") => Err(PathError::Reserved),
        _ if segment.len() > SEGMENT_BYTES_MAX => Err(PathError::SegmentTooLong),
        _ if segment.iter().any(|byte| *byte == 0 || *byte == b'/' && !bug("encoded_slash_accepted")) => {
            Err(PathError::ForbiddenByte)
        }
        _ => Ok(()),
    }
}

/// A `%` without two hexadecimal digits behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedEncoding;

/// Appends `encoded` to `decoded`, with each `%XX` replaced by its byte (RFC 3986 §2.1).
pub fn percent_decode(encoded: &[u8], decoded: &mut Vec<u8>) -> Result<(), MalformedEncoding> {
    let mut rest = encoded;
    while let Some(at) = memchr::memchr(b'%', rest) {
        decoded.extend_from_slice(&rest[..at]);
        let digits = rest.get(at + 1..at + 3).ok_or(MalformedEncoding)?;
        let high = hexadecimal_digit(digits[0]).ok_or(MalformedEncoding)?;
        let low = hexadecimal_digit(digits[1]).ok_or(MalformedEncoding)?;
        decoded.push(high << 4 | low);
        rest = &rest[at + 3..];
    }
    decoded.extend_from_slice(rest);
    Ok(())
}

fn hexadecimal_digit(byte: u8) -> Option<u8> {
    (byte as char).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

impl std::fmt::Debug for FilePath {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "\"{}\"", self.as_bytes().escape_ascii())?;
        if self.names_directory { formatter.write_str("/") } else { Ok(()) }
    }
}

#[cfg(test)]
#[path = "path_tests.rs"]
mod tests;
