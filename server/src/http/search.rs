//! Searches where little is searched: eight bytes at a time, without a call.
//!
//! `memchr` takes longer to begin than a line of a head takes to be searched; where nothing is found soon, it
//! goes on. In the words below the lowest byte that is marked is right, and those above it may be wrong: what is
//! borrowed or carried goes upwards only.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;
/// Words that are looked at before `memchr` goes on.
const WORDS_MAX: usize = 3;

/// The first byte that is neither visible ASCII nor a space.
pub(super) fn not_visible(bytes: &[u8]) -> Option<usize> {
    let marks = |word: u64| {
        // Below the space it borrows, at DEL it carries into the high bit, and beyond it is there.
        (word.wrapping_sub(ONES * 0x20) | word.wrapping_add(ONES) | word) & HIGH
    };
    search(bytes, usize::MAX, marks, |byte| !matches!(byte, b' '..=b'~'), |_| None)
}

/// The first that is one of these two.
#[inline]
pub(super) fn either(one: u8, other: u8, bytes: &[u8]) -> Option<usize> {
    let marks = |word: u64| zeros(word ^ (ONES * u64::from(one))) | zeros(word ^ (ONES * u64::from(other)));
    let is = |byte| byte == one || byte == other;
    search(bytes, WORDS_MAX, marks, is, |rest| memchr::memchr2(one, other, rest))
}

/// The first `wanted`.
#[inline]
pub(super) fn byte(wanted: u8, bytes: &[u8]) -> Option<usize> {
    let marks = |word: u64| zeros(word ^ (ONES * u64::from(wanted)));
    search(bytes, WORDS_MAX, marks, |byte| byte == wanted, |rest| memchr::memchr(wanted, rest))
}

/// Marks bytes that are zero.
fn zeros(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & HIGH
}

/// Goes on with `others` behind so many words.
#[inline(always)]
fn search(
    bytes: &[u8],
    words_max: usize,
    marks: impl Fn(u64) -> u64,
    is: impl Fn(u8) -> bool,
    others: impl Fn(&[u8]) -> Option<usize>,
) -> Option<usize> {
    let first = |word: &[u8; 8]| match marks(u64::from_le_bytes(*word)) {
        0 => None,
        marks => Some(marks.trailing_zeros() as usize / 8),
    };
    let Some(last) = bytes.last_chunk::<8>() else {
        return bytes.iter().position(|byte| is(*byte));
    };
    let (words, rest) = bytes.as_chunks::<8>();
    for (at, word) in words.iter().take(words_max).enumerate() {
        if let Some(found) = first(word) {
            return Some(at * 8 + found);
        }
    }
    if words.len() > words_max {
        return others(&bytes[words_max * 8..]).map(|found| words_max * 8 + found);
    }
    // The rest once more with what stands before it, where nothing was.
    if rest.is_empty() { None } else { first(last).map(|found| bytes.len() - 8 + found) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: each finds the first byte that it is to find. Method: every byte at every place behind every byte
    /// that is not to be found, against a search one by one.
    #[test]
    fn the_first_is_found() {
        for length in [0, 1, 7, 8, 9, 16, 63, 64, 65, 80] {
            for filler in [b' ', b'~', b'a', b'\x0b'] {
                for at in 0..length {
                    for wanted in 0..=u8::MAX {
                        let mut bytes = vec![filler; length];
                        bytes[at] = wanted;
                        // What stands behind it changes nothing.
                        bytes[length - 1] = if at + 1 < length { wanted.wrapping_sub(1) } else { wanted };
                        let position = |is: &dyn Fn(u8) -> bool| bytes.iter().position(|byte| is(*byte));
                        assert_eq!(not_visible(&bytes), position(&|byte| !(b' '..=b'~').contains(&byte)));
                        assert_eq!(
                            either(b'\r', b'\n', &bytes),
                            position(&|byte| byte == b'\r' || byte == b'\n')
                        );
                        assert_eq!(byte(wanted, &bytes), position(&|byte| byte == wanted));
                    }
                }
            }
        }
    }
}
