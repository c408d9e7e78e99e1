//! Links to files: percent-encoded, so that they name the same bytes again.

use crate::store::path::FilePath;

/// Appends `name` with each byte encoded that RFC 3986 §2.3 does not leave unreserved. So nothing in a
/// name is taken for a scheme, a slash, a query or markup.
pub fn encode(name: &[u8], link: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in name {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            link.push(byte);
        } else {
            link.extend_from_slice(&[b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
    }
}

/// The same as text.
pub fn encoded(name: &[u8]) -> String {
    let mut link = Vec::with_capacity(name.len());
    encode(name, &mut link);
    // What is unreserved, and what encodes the rest, is ASCII.
    link.into_iter().map(char::from).collect()
}

/// The target of a file.
pub fn location(path: &FilePath) -> Vec<u8> {
    let mut location = b"/files".to_vec();
    for segment in path.segments() {
        location.push(b'/');
        encode(segment, &mut location);
    }
    location
}

/// The target of a directory: it ends in a slash.
pub fn folder_location(path: &FilePath) -> Vec<u8> {
    let mut location = location(path);
    location.push(b'/');
    location
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn location_names_the_same_path_again() {
        let name: Vec<u8> = (1..=255).filter(|byte| *byte != b'/').collect();
        let digits: String = name.iter().map(|byte| format!("%{byte:02x}")).collect();
        let path = FilePath::parse(format!("d/{digits}").as_bytes()).unwrap();
        let location = location(&path);
        assert!(location.iter().all(u8::is_ascii_graphic));
        let again = FilePath::parse(location.strip_prefix(b"/files/").unwrap()).unwrap();
        assert_eq!(again, path);
        assert_eq!(encoded(&name).as_bytes(), location.strip_prefix(b"/files/d/").unwrap());
        assert_eq!(folder_location(&path), [&location[..], b"/"].concat());
        assert_eq!(folder_location(&FilePath::parse(b"").unwrap()), b"/files/");
    }
}
