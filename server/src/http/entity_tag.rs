//! Entity tags, RFC 9110 §8.8.3, and the lists of them in `If-Match` and `If-None-Match`.

use super::field::trim_white_space;

/// An entity tag as it was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntityTag<'a> {
    /// It says only that content is about the same.
    pub weak: bool,
    /// What stands between the quotes.
    pub opaque: &'a [u8],
}

/// What a field of conditions names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntityTags<'a> {
    /// `*`: whatever there is.
    Any,
    /// These; all lines of the field are one list.
    List(Vec<EntityTag<'a>>),
}

/// A field that is neither `*` nor a list of entity tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedTags;

impl<'a> EntityTags<'a> {
    /// Reads all lines of one field; nothing where there are none.
    ///
    /// # Errors
    /// Where they are not what RFC 9110 §13.1.1 and §13.1.2 have: to guess could overwrite.
    pub fn read(mut lines: impl Iterator<Item = &'a [u8]>) -> Result<Option<EntityTags<'a>>, MalformedTags> {
        let Some(first) = lines.next() else { return Ok(None) };
        if first == b"*" {
            return if lines.next().is_none() { Ok(Some(EntityTags::Any)) } else { Err(MalformedTags) };
        }
        let mut tags = Vec::new();
        for line in std::iter::once(first).chain(lines) {
            read_list(line, &mut tags)?;
        }
        Ok(Some(EntityTags::List(tags)))
    }
}

impl<'a> EntityTag<'a> {
    /// Reads a value that is one entity tag.
    pub fn read(value: &'a [u8]) -> Option<EntityTag<'a>> {
        let (tag, rest) = read_one(value)?;
        rest.is_empty().then_some(tag)
    }
}

/// RFC 9110 §5.6.1: empty elements do not count.
fn read_list<'a>(mut rest: &'a [u8], tags: &mut Vec<EntityTag<'a>>) -> Result<(), MalformedTags> {
    loop {
        rest = trim_white_space(rest);
        if let [b',', behind @ ..] = rest {
            rest = behind;
            continue;
        }
        if rest.is_empty() {
            return Ok(());
        }
        let (tag, behind) = read_one(rest).ok_or(MalformedTags)?;
        tags.push(tag);
        rest = match trim_white_space(behind) {
            [] => return Ok(()),
            [b',', behind @ ..] => behind,
            _ => return Err(MalformedTags),
        };
    }
}

/// `[ "W/" ] DQUOTE *etagc DQUOTE` at the beginning, and what follows it.
fn read_one(value: &[u8]) -> Option<(EntityTag<'_>, &[u8])> {
    let (weak, quoted) = match value.strip_prefix(b"W/") {
        Some(quoted) => (true, quoted),
        None => (false, value),
    };
    let quoted = quoted.strip_prefix(b"\"")?;
    let length = memchr::memchr(b'"', quoted)?;
    let opaque = &quoted[..length];
    let valid = opaque.iter().all(|byte| matches!(byte, 0x21 | 0x23..=0x7e | 0x80..));
    valid.then_some((EntityTag { weak, opaque }, &quoted[length + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<'a>(lines: &[&'a str]) -> Result<Option<EntityTags<'a>>, MalformedTags> {
        EntityTags::read(lines.iter().map(|line| line.as_bytes()))
    }

    fn list(tags: &'static [(bool, &'static str)]) -> Result<Option<EntityTags<'static>>, MalformedTags> {
        let tag =
            |(weak, opaque): &(bool, &'static str)| EntityTag { weak: *weak, opaque: opaque.as_bytes() };
        Ok(Some(EntityTags::List(tags.iter().map(tag).collect())))
    }

    #[test]
    fn lists_are_read() {
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&["*"]), Ok(Some(EntityTags::Any)));
        assert_eq!(read(&["\"a\""]), list(&[(false, "a")]));
        assert_eq!(read(&["\"a\", W/\"b\" ,\t\"\""]), list(&[(false, "a"), (true, "b"), (false, "")]));
        assert_eq!(read(&["\"a,b\"", "\"c\""]), list(&[(false, "a,b"), (false, "c")]));
        assert_eq!(read(&[", ,\"a\",,"]), list(&[(false, "a")]));
        assert_eq!(read(&["\"*\""]), list(&[(false, "*")]));
        assert_eq!(read(&["\"\\\""]), list(&[(false, "\\")]));
        assert_eq!(read(&["\"\u{e9}\""]), list(&[(false, "\u{e9}")]));
        assert_eq!(read(&["", "\"a\""]), list(&[(false, "a")]));
        assert_eq!(read(&[""]), list(&[]));
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for lines in [
            &["a"][..],
            &["\"a"],
            &["a\""],
            &["\"a\" \"b\""],
            &["\"a\"x"],
            &["w/\"a\""],
            &["W/ \"a\""],
            &["W/a"],
            &["*, \"a\""],
            &["\"a\", *"],
            &["*", "\"a\""],
            &["*", "*"],
            &["\"a\"", "*"],
            &["\"a b\""],
            &["\"a\u{7f}\""],
        ] {
            assert_eq!(read(lines), Err(MalformedTags), "{lines:?}");
        }
    }

    #[test]
    fn one_tag_is_one_tag() {
        assert_eq!(EntityTag::read(b"W/\"a\""), Some(EntityTag { weak: true, opaque: b"a" }));
        for other in ["\"a\",\"b\"", "*", "", "\"a\" "] {
            assert_eq!(EntityTag::read(other.as_bytes()), None, "{other}");
        }
    }
}
