//! Ranges of bytes, RFC 9110 §14: what was asked for, and what of it there is.

use std::ops::Range;

use super::field::list_elements;
use crate::seeded::bug;

/// Ranges in one request, at most: more of them are refused, as work that nobody needs.
pub const RANGES_MAX: usize = 100;
/// Bytes between two ranges that cost less than a part of their own does (RFC 9110 §15.3.7.2).
const GAP_BYTES_MAX: u64 = 80;

/// What a `Range` field asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ranges {
    /// These, in this order.
    Some(Vec<RangeSpec>),
    /// More than [`RANGES_MAX`].
    TooMany,
}

/// One of them, RFC 9110 §14.1.2. Numbers beyond 64 bits count as the largest of 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeSpec {
    /// From this byte to the end.
    From(u64),
    /// From the one byte to the other, which is not before it.
    Between(u64, u64),
    /// So many at the end.
    Last(u64),
}

/// What there is of the ranges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// All of the content, as if nothing had been asked.
    Whole,
    /// One part.
    Part(Range<u64>),
    /// Several: none is empty, no two overlap.
    Parts(Vec<Range<u64>>),
    /// None of them, RFC 9110 §15.5.17.
    Nothing,
}

impl Ranges {
    /// Reads a value of `Range`; nothing where it is to be ignored (RFC 9110 §14.2): another unit,
    /// or no list of ranges.
    pub fn read(value: &[u8]) -> Option<Ranges> {
        let (unit, set) = value.split_at_checked(6)?;
        if !unit.eq_ignore_ascii_case(b"bytes=") {
            return None;
        }
        let mut specs = Vec::new();
        for element in list_elements(set) {
            let spec = read_spec(element)?;
            if specs.len() == RANGES_MAX {
                return Some(Ranges::TooMany);
            }
            specs.push(spec);
        }
        if specs.is_empty() { None } else { Some(Ranges::Some(specs)) }
    }

    /// What there is of them in content of `length` bytes.
    ///
    /// Those that overlap or nearly touch become one, so no byte is sent twice; the work is bounded
    /// by [`RANGES_MAX`] squared.
    pub fn select(&self, length: u64) -> Selection {
        let Ranges::Some(specs) = self else { return Selection::Nothing };
        let mut parts: Vec<Range<u64>> = Vec::new();
        for spec in specs {
            let mut part = match spec.within(length) {
                Ok(part) if part.is_empty() => continue,
                Ok(part) => part,
                // Nothing to send is all that there is to send.
                Err(EmptyContent) => return Selection::Whole,
            };
            // RFC 9110 §15.3.7.2: in the order in which they were asked for, as far as they stay apart.
            let mut place = parts.len();
            while let Some(other) = parts.iter().position(|other| are_near(other, &part)) {
                let other_part = parts.remove(other);
                part = part.start.min(other_part.start)..part.end.max(other_part.end);
                place = place.min(other).min(parts.len());
            }
            parts.insert(place, part);
        }
        match parts.len() {
            0 => Selection::Nothing,
            1 => parts.pop().map_or(Selection::Nothing, Selection::Part),
            _ => Selection::Parts(parts),
        }
    }
}

/// A suffix of content that has no bytes can be satisfied, and cannot be said in `Content-Range`.
struct EmptyContent;

impl RangeSpec {
    /// The bytes of content so long; empty where there are none.
    fn within(self, length: u64) -> Result<Range<u64>, EmptyContent> {
        Ok(match self {
            RangeSpec::From(first) => first.min(length)..length,
            RangeSpec::Between(first, last) => {
                first.min(length)..last.saturating_add(u64::from(!bug("last_byte_left_out"))).min(length)
            }
            RangeSpec::Last(0) => 0..0,
            RangeSpec::Last(_) if length == 0 => return Err(EmptyContent),
            RangeSpec::Last(count) => length.saturating_sub(count)..length,
        })
    }
}

fn are_near(one: &Range<u64>, other: &Range<u64>) -> bool {
    one.start <= other.end.saturating_add(GAP_BYTES_MAX)
        && other.start <= one.end.saturating_add(GAP_BYTES_MAX)
}

fn read_spec(element: &[u8]) -> Option<RangeSpec> {
    let dash = memchr::memchr(b'-', element)?;
    let (first, last) = (&element[..dash], &element[dash + 1..]);
    match (first, last) {
        (b"", last) => Some(RangeSpec::Last(saturating_decimal(last)?)),
        (first, b"") => Some(RangeSpec::From(saturating_decimal(first)?)),
        (first, last) => {
            let (first, last) = (saturating_decimal(first)?, saturating_decimal(last)?);
            (first <= last).then_some(RangeSpec::Between(first, last))
        }
    }
}

/// One or more digits.
fn saturating_decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, byte| {
        let digit = (*byte as char).to_digit(10)?;
        Some(number.saturating_mul(10).saturating_add(u64::from(digit)))
    })
}

#[cfg(test)]
mod tests {
    use super::RangeSpec::{Between, From, Last};
    use super::*;

    #[test]
    fn ranges_are_read() {
        let some = |specs: &[RangeSpec]| Some(Ranges::Some(specs.to_vec()));
        assert_eq!(Ranges::read(b"bytes=0-"), some(&[From(0)]));
        assert_eq!(Ranges::read(b"Bytes=1-2, -3,,\t4-"), some(&[Between(1, 2), Last(3), From(4)]));
        assert_eq!(Ranges::read(b"bytes=5-5"), some(&[Between(5, 5)]));
        assert_eq!(Ranges::read(b"bytes=-99999999999999999999"), some(&[Last(u64::MAX)]));
        assert_eq!(Ranges::read(b"bytes=99999999999999999999-"), some(&[From(u64::MAX)]));
        for ignored in [
            "",
            "bytes",
            "bytes=",
            "bytes=,",
            "bytes=-",
            "bytes=2-1",
            "bytes=a-",
            "bytes=1-b",
            "bytes=1",
            "lines=1-2",
            "bytes =1-2",
            "bytes=1-2;3-4",
            "bytes=+1-2",
            "bytes=1--2",
            "bytes=0-0,x",
        ] {
            assert_eq!(Ranges::read(ignored.as_bytes()), None, "{ignored}");
        }
        let many = |count: usize| format!("bytes={}", vec!["0-0"; count].join(","));
        assert!(matches!(Ranges::read(many(RANGES_MAX).as_bytes()), Some(Ranges::Some(_))));
        assert_eq!(Ranges::read(many(RANGES_MAX + 1).as_bytes()), Some(Ranges::TooMany));
    }

    fn check(value: &str, length: u64, expected: Selection) {
        let ranges = Ranges::read(value.as_bytes()).unwrap();
        assert_eq!(ranges.select(length), expected, "{value} of {length}");
    }

    #[test]
    fn ranges_are_clamped_to_what_there_is() {
        check("bytes=0-", 10, Selection::Part(0..10));
        check("bytes=9-", 10, Selection::Part(9..10));
        check("bytes=10-", 10, Selection::Nothing);
        check("bytes=0-0", 10, Selection::Part(0..1));
        check("bytes=3-99", 10, Selection::Part(3..10));
        check("bytes=-3", 10, Selection::Part(7..10));
        check("bytes=-99", 10, Selection::Part(0..10));
        check("bytes=-0", 10, Selection::Nothing);
        check("bytes=0-", 0, Selection::Nothing);
        check("bytes=-1", 0, Selection::Whole);
        check("bytes=-0", 0, Selection::Nothing);
        check("bytes=18446744073709551615-", u64::MAX, Selection::Nothing);
        check(
            "bytes=18446744073709551614-99999999999999999999",
            u64::MAX,
            Selection::Part(u64::MAX - 1..u64::MAX),
        );
        check("bytes=-18446744073709551615", u64::MAX, Selection::Part(0..u64::MAX));
        check("bytes=20-30,5-6", 10, Selection::Part(5..7));
        check("bytes=20-30,40-", 10, Selection::Nothing);
    }

    #[test]
    fn parts_that_overlap_or_nearly_touch_become_one() {
        check("bytes=0-1,1000-1001", 2000, Selection::Parts(vec![0..2, 1000..1002]));
        check("bytes=1000-1001,0-1", 2000, Selection::Parts(vec![1000..1002, 0..2]));
        check("bytes=0-99,50-149", 2000, Selection::Part(0..150));
        check("bytes=0-9,90-99", 2000, Selection::Part(0..100));
        check("bytes=0-9,91-99", 2000, Selection::Parts(vec![0..10, 91..100]));
        check("bytes=0-9,500-509,0-600", 2000, Selection::Part(0..601));
        check("bytes=0-9,1000-1009,500-509,5-505", 2000, Selection::Parts(vec![0..510, 1000..1010]));
        check("bytes=-1,0-", 2000, Selection::Part(0..2000));
        check(&format!("bytes={}", vec!["0-"; 100].join(",")), 2000, Selection::Part(0..2000));
    }

    // Goal: what is selected is what was asked for, and no byte twice. Method: each byte is looked
    // for in both, over sets of ranges made by a small generator.
    #[test]
    fn selected_bytes_are_those_asked_for() {
        let mut state = 1_u64;
        let mut next = |bound: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % bound
        };
        for _ in 0..3000 {
            let length = 1 + next(3000);
            let specs: Vec<RangeSpec> = (0..1 + next(6))
                .map(|_| {
                    let first = next(4000);
                    match next(3) {
                        0 => From(first),
                        1 => Between(first, first + next(500)),
                        _ => Last(next(500)),
                    }
                })
                .collect();
            let parts = match Ranges::Some(specs.clone()).select(length) {
                Selection::Whole => std::iter::once(0..length).collect(),
                Selection::Part(part) => std::iter::once(part).collect(),
                Selection::Parts(parts) => parts,
                Selection::Nothing => Vec::new(),
            };
            let asked = |byte: u64| {
                specs.iter().any(|spec| match *spec {
                    From(first) => byte >= first,
                    Between(first, last) => byte >= first && byte <= last,
                    Last(count) => byte + count >= length,
                })
            };
            for byte in 0..length {
                let times = parts.iter().filter(|part| part.contains(&byte)).count();
                assert!(times <= 1, "{byte} is sent twice: {specs:?} of {length}");
                // What was not asked for fills a small gap.
                let gap = (byte.saturating_sub(GAP_BYTES_MAX)..=byte + GAP_BYTES_MAX).any(asked);
                assert!(times == 1 && gap || !asked(byte), "{byte}: {specs:?} of {length}");
            }
            assert!(parts.iter().all(|part| part.start < part.end && part.end <= length));
        }
    }
}
