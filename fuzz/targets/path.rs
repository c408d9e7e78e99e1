//! A path: never a panic, nothing that leaves the tree, and the reference refuses the same.
#![no_main]

use http_server::store::path::FilePath;
use libfuzzer_sys::fuzz_target;
use model::reference::{Method, Reference};

fuzz_target!(|bytes: &[u8]| {
    let path = FilePath::parse(bytes);
    if let Ok(path) = &path {
        for segment in path.segments() {
            assert!(!matches!(segment, b"" | b"." | b".." | b".http_server"));
            assert!(segment.len() <= 255 && !segment.iter().any(|byte| matches!(byte, 0 | b'/')));
        }
        assert_eq!(path.as_c_str().to_bytes(), path.as_bytes());
    }
    if let Ok(encoded) = std::str::from_utf8(bytes) {
        let refused = Reference::default().request(Method::Get, encoded, b"").status == 400;
        assert_eq!(refused, path.is_err());
    }
});
