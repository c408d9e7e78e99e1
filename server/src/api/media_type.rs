//! The media type of a file, by the extension of its name.

/// Of whatever has no extension that is known, RFC 9110 §8.3.
pub const UNKNOWN: &str = "application/octet-stream";

/// Extensions in lower case, in order, with the types that the IANA registry has for them.
const BY_EXTENSION: &[(&[u8], &str)] = &[
    (b"7z", "application/x-7z-compressed"),
    (b"aac", "audio/aac"),
    (b"apng", "image/apng"),
    (b"avif", "image/avif"),
    (b"bmp", "image/bmp"),
    (b"bz2", "application/x-bzip2"),
    (b"css", "text/css; charset=utf-8"),
    (b"csv", "text/csv; charset=utf-8"),
    (b"deb", "application/vnd.debian.binary-package"),
    (b"flac", "audio/flac"),
    (b"gif", "image/gif"),
    (b"gz", "application/gzip"),
    (b"htm", "text/html; charset=utf-8"),
    (b"html", "text/html; charset=utf-8"),
    (b"ico", "image/vnd.microsoft.icon"),
    (b"jpeg", "image/jpeg"),
    (b"jpg", "image/jpeg"),
    (b"js", "text/javascript; charset=utf-8"),
    (b"json", "application/json"),
    (b"log", "text/plain; charset=utf-8"),
    (b"md", "text/markdown; charset=utf-8"),
    (b"mjs", "text/javascript; charset=utf-8"),
    (b"mp3", "audio/mpeg"),
    (b"mp4", "video/mp4"),
    (b"ogg", "audio/ogg"),
    (b"otf", "font/otf"),
    (b"pdf", "application/pdf"),
    (b"png", "image/png"),
    (b"svg", "image/svg+xml"),
    (b"tar", "application/x-tar"),
    (b"toml", "application/toml"),
    (b"ttf", "font/ttf"),
    (b"txt", "text/plain; charset=utf-8"),
    (b"wasm", "application/wasm"),
    (b"wav", "audio/wav"),
    (b"webm", "video/webm"),
    (b"webmanifest", "application/manifest+json"),
    (b"webp", "image/webp"),
    (b"woff", "font/woff"),
    (b"woff2", "font/woff2"),
    (b"xhtml", "application/xhtml+xml"),
    (b"xml", "application/xml"),
    (b"xz", "application/x-xz"),
    (b"yaml", "application/yaml"),
    (b"yml", "application/yaml"),
    (b"zip", "application/zip"),
    (b"zst", "application/zstd"),
];

/// The media type of a file with this name.
pub fn of_name(name: &[u8]) -> &'static str {
    // A dot at the start hides a file; it begins no extension.
    let extension = match memchr::memrchr(b'.', name) {
        None | Some(0) => return UNKNOWN,
        Some(dot) => &name[dot + 1..],
    };
    let folded = |byte: &u8| byte.to_ascii_lowercase();
    BY_EXTENSION
        .binary_search_by(|(known, _)| known.iter().copied().cmp(extension.iter().map(folded)))
        .map_or(UNKNOWN, |at| BY_EXTENSION[at].1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_are_in_order() {
        assert!(BY_EXTENSION.is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    fn type_follows_the_last_extension() {
        assert_eq!(of_name(b"a.html"), "text/html; charset=utf-8");
        assert_eq!(of_name(b"a.tar.GZ"), "application/gzip");
        for name in [&b"a"[..], b".html", b"a.", b"a.unknown", b"html", b"", b"a.\xff"] {
            assert_eq!(of_name(name), UNKNOWN);
        }
        assert!(
            BY_EXTENSION
                .iter()
                .all(|(known, media_type)| { of_name(&[b"x.", *known].concat()) == *media_type })
        );
    }
}
