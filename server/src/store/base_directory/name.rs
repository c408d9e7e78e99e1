//! Names of files that are not a client's, without an allocation: [`Name`].

use std::ffi::CStr;
use std::io::Write;

use crate::store::directory::StagedName;

/// Room for a name and its NUL: the longest is a record's, 5 + 20 + 1 + 16 + 1 + 16 bytes.
#[derive(Debug)]
pub(super) struct Name([u8; 64]);

impl Default for Name {
    fn default() -> Name {
        Name([0; 64])
    }
}

impl Name {
    /// `prefix` and a number.
    pub(super) fn numbered(&mut self, prefix: &str, number: u64) -> &CStr {
        self.write(format_args!("{prefix}{number}"))
    }

    /// The name of a staged file.
    pub(super) fn staged(&mut self, staged: StagedName) -> &CStr {
        match staged.undo {
            None => self.write(format_args!("{}", staged.number)),
            Some((length, modified)) => {
                self.write(format_args!("undo-{}-{length:x}-{:x}", staged.number, modified.cast_unsigned()))
            }
        }
    }

    /// The staged file of this name; nothing where no staged file has such a name.
    pub(super) fn read_staged(name: &[u8], area: u32) -> Option<StagedName> {
        // Each has one name: what would be written differently is none of ours.
        Name::parse(name, area).filter(|staged| Name::default().staged(*staged).to_bytes() == name)
    }

    fn parse(name: &[u8], area: u32) -> Option<StagedName> {
        let text = str::from_utf8(name).ok()?;
        let Some(undo) = text.strip_prefix("undo-") else {
            return Some(StagedName { area, number: text.parse().ok()?, undo: None });
        };
        let mut parts = undo.split('-');
        let number = parts.next()?.parse().ok()?;
        let length = u64::from_str_radix(parts.next()?, 16).ok()?;
        let modified = u64::from_str_radix(parts.next()?, 16).ok()?.cast_signed();
        parts.next().is_none().then_some(StagedName { area, number, undo: Some((length, modified)) })
    }

    fn write(&mut self, text: std::fmt::Arguments<'_>) -> &CStr {
        self.0 = [0; 64];
        let mut room = &mut self.0[..63];
        // The last byte stays NUL, whatever there is no room for.
        let _ = room.write_fmt(text);
        CStr::from_bytes_until_nul(&self.0).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_names() {
        let mut name = Name::default();
        assert_eq!(name.numbered("", 0), c"0");
        assert_eq!(name.numbered("area-", u64::MAX), c"area-18446744073709551615");
        assert_eq!(name.numbered("", 7), c"7");
    }

    #[test]
    fn staged_names_are_read_as_they_were_written() {
        for undo in [None, Some((0, 0)), Some((u64::MAX, -1)), Some((5, i64::MIN)), Some((77, i64::MAX))] {
            for number in [0, 1, u64::MAX] {
                let staged = StagedName { area: 3, number, undo };
                let mut name = Name::default();
                assert_eq!(Name::read_staged(name.staged(staged).to_bytes(), 3), Some(staged));
            }
        }
        for other in [
            "",
            "x",
            "undo-",
            "undo-1-2",
            "undo-1-2-3-4",
            "undo-1-2-g",
            "area-1",
            "-1",
            "007",
            "+1",
            "undo-0-+5-0",
            "undo-00-5-0",
        ] {
            assert_eq!(Name::read_staged(other.as_bytes(), 0), None, "{other}");
        }
    }
}
