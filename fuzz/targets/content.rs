//! Chunked content, whole and byte by byte: never a panic, the same content, refusal and end.
#![no_main]

use http_server::http::content::{ContentDecoder, Piece};
use http_server::http::rejection::Rejection;
use http_server::http::request::Framing;
use libfuzzer_sys::fuzz_target;

fn decode(bytes: &[u8], part: usize) -> (Vec<u8>, Result<Option<usize>, Rejection>) {
    let mut decoder = ContentDecoder::new(Framing::Chunked, 100);
    let mut content = Vec::new();
    let mut before = 0;
    for part in bytes.chunks(part.max(1)) {
        let mut rest = part;
        loop {
            match decoder.next(&mut rest) {
                Ok(Piece::Data(data)) => content.extend_from_slice(data),
                Ok(Piece::Incomplete) => break,
                Ok(Piece::End) => return (content, Ok(Some(before + part.len() - rest.len()))),
                Err(rejection) => return (content, Err(rejection)),
            }
        }
        before += part.len();
    }
    (content, Ok(None))
}

fuzz_target!(|bytes: &[u8]| {
    assert_eq!(decode(bytes, bytes.len()), decode(bytes, 1));
});
