//! The entity tag of a version, RFC 9110 §8.8.3: the one place where they are made, and read again.

use crate::store::version::Version;

/// An entity tag as it is sent, with its quotes.
///
/// Property: two versions have the same tag only where they are the same: the tag is inode, time
/// and length, written out. So none is weak, and none depends on anything but the file itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    text: [u8; TAG_BYTES_MAX],
    length: usize,
}

/// Two quotes, two dashes and three numbers of 64 bits.
const TAG_BYTES_MAX: usize = 2 + 2 + 3 * 16;

impl Tag {
    /// The tag of `version`.
    pub fn of(version: &Version) -> Tag {
        let mut tag = Tag { text: [0; TAG_BYTES_MAX], length: 0 };
        tag.push(b'"');
        tag.push_number(version.inode);
        tag.push(b'-');
        tag.push_number(version.modified.cast_unsigned());
        tag.push(b'-');
        tag.push_number(version.length);
        tag.push(b'"');
        tag
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.text[..self.length]
    }

    fn push(&mut self, byte: u8) {
        self.text[self.length] = byte;
        self.length += 1;
    }

    /// In hexadecimal digits, without zeros before them.
    fn push_number(&mut self, number: u64) {
        let digits = (16 - number.leading_zeros() / 4).max(1);
        for place in (0..digits).rev() {
            self.push(b"0123456789abcdef"[(number >> (4 * place)) as usize & 15]);
        }
    }
}

/// The version with this tag, from between its quotes; nothing where no version has it.
pub fn read(opaque: &[u8]) -> Option<Version> {
    let mut parts = opaque.split(|&byte| byte == b'-');
    let version = Version {
        inode: read_number(parts.next()?)?,
        modified: read_number(parts.next()?)?.cast_signed(),
        length: read_number(parts.next()?)?,
    };
    parts.next().is_none().then_some(version)
}

fn read_number(digits: &[u8]) -> Option<u64> {
    // Tags are compared byte by byte (RFC 9110 §8.8.3.2), so each number has one way to be written.
    let one_way = digits.len() <= 16 && (digits.first()? != &b'0' || digits.len() == 1);
    let number = |number: u64, digit: &u8| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u64::from(digit))
    };
    if one_way { digits.iter().try_fold(0, number) } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: Some(Box::new(proptest::test_runner::FileFailurePersistence::SourceParallel(
                "../proptest-regressions/server",
            ))),
            ..ProptestConfig::default()
        })]

        #[test]
        fn tags_and_versions_are_one_to_one(inode: u64, modified: i64, length: u64, shift in 0..64) {
            let version = Version { inode: inode >> shift, modified: modified >> shift, length: length >> shift };
            let tag = Tag::of(&version);
            let opaque = tag.as_bytes().strip_prefix(b"\"").and_then(|tag| tag.strip_suffix(b"\""));
            prop_assert_eq!(read(opaque.unwrap_or_default()), Some(version));
        }

        #[test]
        fn what_is_read_is_written_the_same(text in "[0-9a-f]{1,3}(-[0-9a-fA-F]{0,17}){1,3}") {
            if let Some(version) = read(text.as_bytes()) {
                let again = format!("\"{text}\"");
                let tag = Tag::of(&version);
                prop_assert_eq!(tag.as_bytes(), again.as_bytes());
            }
        }
    }

    #[test]
    fn extremes_have_room() {
        let version = Version { inode: u64::MAX, modified: -1, length: u64::MAX };
        assert_eq!(Tag::of(&version).as_bytes().len(), TAG_BYTES_MAX);
        let version = Version { inode: 0, modified: 0, length: 0 };
        assert_eq!(Tag::of(&version).as_bytes(), b"\"0-0-0\"");
        for other in ["", "0-0", "0-0-0-0", "00-0-0", "A-0-0", "0-0-", "0-0-10000000000000000"] {
            assert_eq!(read(other.as_bytes()), None, "{other}");
        }
    }
}
