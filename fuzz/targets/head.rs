//! A head, whole and byte by byte: never a panic, the same end, and nothing that the grammar
//! refuses is accepted.
#![no_main]

use http_server::http::head::{HeadLimits, HeadReader};
use http_server::http::request::{Framing, Request};
use libfuzzer_sys::fuzz_target;
use model::grammar::{Reading, read};

const LIMITS: HeadLimits = HeadLimits { target_bytes_max: 100, head_bytes_max: 1000, head_fields_max: 20 };

fuzz_target!(|bytes: &[u8]| {
    let whole = HeadReader::default().find_end(bytes, &LIMITS);
    let mut reader = HeadReader::default();
    let bit_by_bit = (0..=bytes.len())
        .map(|length| reader.find_end(&bytes[..length], &LIMITS))
        .find(|found| !matches!(found, Ok(None)))
        .unwrap_or(Ok(None));
    assert_eq!(whole, bit_by_bit);
    let Ok(Some(end)) = whole else { return };
    let Ok(request) = Request::parse::<20>(bytes, end) else { return };
    if request.framing == Framing::Length(0) {
        let Reading::Request(parts) = read(&bytes[..end.length]) else { panic!("the grammar refuses it") };
        assert_eq!((parts.length, parts.fields.len()), (end.length, end.fields));
    }
});
