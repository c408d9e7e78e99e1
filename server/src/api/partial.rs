//! Parts of a file as content, RFC 9110 §14 and §15.3.7: which, and what stands between them.

use std::ops::Range;

use super::condition::WantedParts;
use super::entity_tag::Tag;
use crate::http::range::Selection;
use crate::http::response::ContentRange;
use crate::seeded::bug;
use crate::store::version::Version;

/// What is sent of a file to whoever asked for parts of it.
pub fn select(wanted: Option<&WantedParts>, version: &Version) -> Selection {
    match wanted {
        Some(wanted) if wanted.of.is_none_or(|of| of == Some(*version) || bug("if_range_ignored")) => {
            wanted.ranges.select(version.length)
        }
        _ => Selection::Whole,
    }
}

/// Several parts of a file in one content, RFC 9110 §14.6.
#[derive(Debug)]
pub struct Multipart {
    media_type: &'static str,
    version: Version,
    parts: Vec<Range<u64>>,
    /// Parts that have begun.
    begun: usize,
}

impl Multipart {
    /// `parts` of a file of this type and version.
    pub fn new(media_type: &'static str, version: Version, parts: Vec<Range<u64>>) -> Multipart {
        Multipart { media_type, version, parts, begun: 0 }
    }

    /// The media type of the whole. Its boundary names the version, so nothing that was in a file
    /// before it had that version holds it.
    pub fn media_type(&self) -> String {
        format!("multipart/byteranges; boundary={}", self.boundary())
    }

    /// Bytes of the whole.
    pub fn length(&self) -> u64 {
        let mut heads = Vec::new();
        (0..=self.parts.len()).for_each(|part| self.write_delimiter(part, &mut heads));
        heads.len() as u64 + self.parts.iter().map(|part| part.end - part.start).sum::<u64>()
    }

    /// Appends what stands before the next part, and says which that is; nothing behind the last.
    pub fn next(&mut self, output: &mut Vec<u8>) -> Option<Range<u64>> {
        self.write_delimiter(self.begun, output);
        let part = self.parts.get(self.begun).cloned();
        self.begun += 1;
        part
    }

    /// RFC 2046 §5.1.1. Behind the last part it is the closing one.
    fn write_delimiter(&self, part: usize, output: &mut Vec<u8>) {
        if part > 0 {
            output.extend_from_slice(b"\r\n");
        }
        output.extend_from_slice(b"--");
        output.extend_from_slice(self.boundary().as_bytes());
        match self.parts.get(part) {
            Some(range) => {
                output.extend_from_slice(b"\r\nContent-Type: ");
                output.extend_from_slice(self.media_type.as_bytes());
                output.extend_from_slice(b"\r\nContent-Range: ");
                ContentRange::Part(range.clone(), self.version.length).write(output);
                output.extend_from_slice(b"\r\n\r\n");
            }
            None => output.extend_from_slice(b"--\r\n"),
        }
    }

    /// At most 70 bytes, of those that need no quotes (RFC 2046 §5.1.1).
    fn boundary(&self) -> String {
        let tag = Tag::of(&self.version);
        let bare = tag.as_bytes().iter().filter(|byte| **byte != b'"').map(|byte| char::from(*byte));
        "part-of-".chars().chain(bare).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_stand_between_delimiters() {
        let version = Version { inode: 1, modified: 2, length: 1000 };
        let mut multipart = Multipart::new("text/plain", version, vec![0..2, 500..503]);
        assert_eq!(multipart.media_type(), "multipart/byteranges; boundary=part-of-1-2-3e8");
        let length = multipart.length();
        let mut output = Vec::new();
        while let Some(part) = multipart.next(&mut output) {
            output.extend(part.map(|_| b'x'));
        }
        assert_eq!(
            str::from_utf8(&output),
            Ok(
                "--part-of-1-2-3e8\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/1000\r\n\r\nxx\r\n\
                --part-of-1-2-3e8\r\nContent-Type: text/plain\r\nContent-Range: bytes 500-502/1000\r\n\r\nxxx\r\n\
                --part-of-1-2-3e8--\r\n"
            )
        );
        assert_eq!(output.len() as u64, length);
    }
}
