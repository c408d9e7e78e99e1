//! Names and sizes as people read them.

/// A part of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) text: String,
    /// It stands for bytes that cannot be shown, and is shown as such.
    pub(super) is_code: bool,
}

/// A name in pieces. What is no UTF-8, moves the cursor, or turns the direction of what follows is
/// shown by its code: two names that differ look different, or at least nothing looks like what it is
/// not.
pub(super) fn pieces(name: &[u8]) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut push = |text: &str, is_code: bool| match pieces.last_mut() {
        Some(last) if last.is_code == is_code => last.text.push_str(text),
        _ => pieces.push(Piece { text: text.to_owned(), is_code }),
    };
    for chunk in name.utf8_chunks() {
        for character in chunk.valid().chars() {
            if is_unseen(character) {
                push(&format!("\\u{{{:x}}}", u32::from(character)), true);
            } else {
                push(character.encode_utf8(&mut [0; 4]), false);
            }
        }
        for byte in chunk.invalid() {
            push(&format!("\\x{byte:02X}"), true);
        }
    }
    pieces
}

/// Unicode's control characters, and those of its formatting ones that reorder or hide text (UAX #9).
fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        )
}

/// A number of bytes in the largest unit of which there is one.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let (mut rest, mut unit) = (bytes, "");
    let mut tenths = 0;
    for name in UNITS {
        // Cut off, never up: so 1023.99 KiB are not 1024.0.
        tenths = rest % 1024 * 10 / 1024;
        (rest, unit) = (rest / 1024, name);
        if rest < 1024 {
            break;
        }
    }
    if rest < 10 { format!("{rest}.{tenths} {unit}") } else { format!("{rest} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(name: &[u8]) -> String {
        let piece = |piece: Piece| if piece.is_code { format!("[{}]", piece.text) } else { piece.text };
        pieces(name).into_iter().map(piece).collect()
    }

    #[test]
    fn what_cannot_be_seen_is_shown_by_its_code() {
        for (name, expected) in [
            (&b"plain.txt"[..], "plain.txt"),
            (b"", ""),
            ("naïve 文".as_bytes(), "naïve 文"),
            (b"a\nb", "a[\\u{a}]b"),
            (b"\xff\xfe", "[\\xFF\\xFE]"),
            (b"a\xc3", "a[\\xC3]"),
            ("gpj.\u{202e}exe".as_bytes(), "gpj.[\\u{202e}]exe"),
            ("\u{200b}\u{85}".as_bytes(), "[\\u{200b}\\u{85}]"),
            (b"\\xFF", "\\xFF"),
        ] {
            assert_eq!(shown(name), expected);
        }
    }

    #[test]
    fn sizes_have_two_digits_or_more() {
        for (bytes, expected) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (10 * 1024 - 1, "9.9 KiB"),
            (10 * 1024, "10 KiB"),
            ((1 << 20) - 1, "1023 KiB"),
            (1 << 20, "1.0 MiB"),
            (u64::MAX, "15 EiB"),
        ] {
            assert_eq!(size(bytes), expected);
        }
    }
}
