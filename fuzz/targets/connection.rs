//! A connection: the first byte says how what follows is cut. Never a panic, well-formed answers
//! only, and the same ones as uncut.
#![no_main]

use std::sync::Arc;

use http_server::limits::Limits;
use libfuzzer_sys::fuzz_target;
use model::pump::Pump;
use model::scripted::Scripted;
use model::wire::read_answer;

fn limits() -> Arc<Limits> {
    Arc::new(Limits {
        target_bytes_max: 60,
        head_bytes_max: 300,
        head_fields_max: 10,
        content_bytes_max: 600,
        content_buffer_bytes_max: 20,
        discard_bytes_max: 50,
        chunk_overhead_bytes_max: 40,
        ..Limits::default()
    })
}

fn drive(bytes: &[u8], part: usize) -> Pump<Scripted> {
    let mut pump = Pump::new(Scripted::default(), limits());
    bytes.chunks(part.max(1)).for_each(|part| pump.send(part));
    pump.finish();
    pump
}

fuzz_target!(|bytes: &[u8]| {
    let Some((part, stream)) = bytes.split_first() else { return };
    let whole = drive(stream, stream.len());
    let cut = drive(stream, usize::from(*part));
    assert_eq!((whole.output(), whole.operations()), (cut.output(), cut.operations()));
    // Which answers are to HEAD is known to whoever reads the requests; without that, the first
    // answer is well formed at least.
    if !whole.output().is_empty() {
        let answer = read_answer(whole.output(), true).expect("a strict reader takes it");
        assert!(answer.is_some(), "the head of an answer is whole");
    }
    assert!(whole.end().is_some(), "a peer that has ended is left");
});
