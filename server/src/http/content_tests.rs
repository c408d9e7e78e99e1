//! Content as data: what it decodes to, or why it is refused, however it is cut.

use super::*;

const OVERHEAD_BYTES_MAX: usize = 64;

/// The content of `input` and how many bytes lie behind it; nothing where it does not end.
fn decode(framing: Framing, input: &[u8], cut: usize) -> Result<Option<(Vec<u8>, usize)>, Rejection> {
    let mut decoder = ContentDecoder::new(framing, OVERHEAD_BYTES_MAX);
    let mut content = Vec::new();
    let mut rest = input.len();
    for part in input.chunks(cut) {
        let mut part = part;
        let length = part.len();
        loop {
            match decoder.next(&mut part)? {
                Piece::Data(data) => content.extend_from_slice(data),
                Piece::Incomplete => break,
                Piece::End => return Ok(Some((content, rest - length + part.len()))),
            }
        }
        rest -= length;
    }
    Ok(None)
}

fn check(input: &str, expected: Result<Option<(&str, usize)>, Rejection>) {
    let expected = expected.map(|end| end.map(|(content, rest)| (content.as_bytes().to_vec(), rest)));
    for cut in [1, 2, 3, 7, 1000] {
        assert_eq!(decode(Framing::Chunked, input.as_bytes(), cut), expected, "{input:?} cut at {cut}");
    }
}

#[test]
fn length_ends_content() {
    for cut in [1, 2, 1000] {
        assert_eq!(decode(Framing::Length(3), b"abcde", cut), Ok(Some((b"abc".to_vec(), 2))));
        assert_eq!(decode(Framing::Length(6), b"abcde", cut), Ok(None));
    }
    let mut decoder = ContentDecoder::new(Framing::Length(0), 0);
    assert_eq!(decoder.next(&mut &b"abc"[..]), Ok(Piece::End));
}

#[test]
fn legal_grammar_is_accepted() {
    check("3\r\nabc\r\n0\r\n\r\nrest", Ok(Some(("abc", 4))));
    check("0\r\n\r\n", Ok(Some(("", 0))));
    check("0003\r\nabc\r\n2\r\nde\r\n000\r\n\r\n", Ok(Some(("abcde", 0))));
    check("A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", Ok(Some(("01234567890123456789", 0))));
    check("3;a;b=c;d=\"e;\\\"\r\"\r\nabc\r\n0\r\n\r\n", Err(Rejection::ChunkExtension));
    check("3;a;b=c;d=\"e;\\\"\t\u{e9}\"\r\nabc\r\n0;x\r\n\r\n", Ok(Some(("abc", 0))));
    check("3 ; a = b\t;c = \"\" ;d\r\nabc\r\n0\r\n\r\n", Ok(Some(("abc", 0))));
    check("0\r\nA: b\r\nc:\r\nContent-Length: 7\r\n\r\nrest", Ok(Some(("", 4))));
}

#[test]
fn sizes_are_hexadecimal_digits_of_64_bits() {
    for refused in [
        "\r\n", ";a\r\n", " 3\r\n", "g\r\n", "-3\r\n", "+3\r\n", "0x3\r\n", "3\n", "3\rx", "3x\r\n", "\n",
        "3,\r\n",
    ] {
        check(refused, Err(Rejection::ChunkSize));
    }
    check("ffffffffffffffff\r\nabc", Ok(None));
    check("10000000000000000\r\nabc", Err(Rejection::ChunkSize));
}

#[test]
fn data_ends_in_crlf() {
    for refused in ["3\r\nabcd", "3\r\nabc\n", "3\r\nabc\r\r", "3\r\nabc0\r\n\r\n"] {
        check(refused, Err(Rejection::ChunkEnd));
    }
}

#[test]
fn extensions_follow_the_grammar() {
    for refused in [
        "3;\r\n",
        "3; \r\n",
        "3 \r\n",
        "3 a\r\n",
        "3;=b\r\n",
        "3;a=\r\n",
        "3;a= \r\n",
        "3;a=\"b\r\n",
        "3;a=\"b\"c\r\n",
        "3;a \r\n",
        "3;a=b \r\n",
        "3;a b\r\n",
        "3;a=b c\r\n",
        "3;a\n",
        "3;a=\"\n\"\r\n",
        "3;a=\"\\\u{7f}\"\r\n",
        "3;;\r\n",
        "3;a=b=c\r\n",
        "3;a=b =c\r\n",
        "3;a(\r\n",
    ] {
        check(refused, Err(Rejection::ChunkExtension));
    }
    check("3;a\rx", Err(Rejection::ChunkSize));
}

#[test]
fn trailers_follow_the_grammar() {
    for refused in [
        "0\r\nA\r\n\r\n",
        "0\r\n: b\r\n\r\n",
        "0\r\nA : b\r\n\r\n",
        "0\r\n A: b\r\n\r\n",
        "0\r\nA: b\r\n c\r\n\r\n",
        "0\r\nA: b\n\r\n",
        "0\r\nA: b\rc\r\n\r\n",
        "0\r\nA: \u{0}\r\n\r\n",
        "0\r\n\rx",
        "0\r\n\n",
    ] {
        check(refused, Err(Rejection::Trailer));
    }
}

#[test]
fn overhead_is_bounded() {
    let extension = |bytes| format!("1;{:a<bytes$}\r\n", "");
    check(&extension(62), Ok(None));
    check(&extension(200), Err(Rejection::ChunkOverhead));
    check(&"1;a\r\nx\r\n".repeat(50), Err(Rejection::ChunkOverhead));
    check(&format!("0\r\n{:a<200}", ""), Err(Rejection::ChunkOverhead));
    check(&format!("{:0<200}", ""), Err(Rejection::ChunkOverhead));
    check(&"1\r\nx\r\n".repeat(500), Ok(None));
}
