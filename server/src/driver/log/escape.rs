//! What a client sent, made harmless: [`escape`].

/// Bytes of a client's words that are shown; of longer ones, the beginning.
const SHOWN_BYTES_MAX: usize = 1024;

/// What could end or forge a line, or confuse a terminal, becomes `\xHH`; so a log line is ASCII.
pub(super) fn escape(bytes: &[u8], line: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let shown = bytes.get(..SHOWN_BYTES_MAX).unwrap_or(bytes);
    for &byte in shown {
        match byte {
            b'"' | b'\\' | 0..0x20 | 0x7f.. => {
                let digits = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
                line.extend_from_slice(&[b'\\', b'x', digits[0], digits[1]]);
            }
            _ => line.push(byte),
        }
    }
    if shown.len() < bytes.len() {
        line.extend_from_slice(b"...");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(bytes: &[u8]) -> String {
        let mut line = Vec::new();
        escape(bytes, &mut line);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn what_could_end_a_line_is_escaped() {
        assert_eq!(escaped(b"a\"\\\r\n\x7f\xff"), r"a\x22\x5c\x0d\x0a\x7f\xff");
        let every_byte: Vec<u8> = (0..=255).collect();
        assert!(escaped(&every_byte).bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'"'));
    }

    #[test]
    fn long_words_are_cut() {
        assert_eq!(escaped(&[b'a'; SHOWN_BYTES_MAX]), "a".repeat(SHOWN_BYTES_MAX));
        assert_eq!(escaped(&[b'a'; SHOWN_BYTES_MAX + 1]), "a".repeat(SHOWN_BYTES_MAX) + "...");
    }
}
