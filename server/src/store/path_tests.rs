//! Paths: nothing that leaves the tree can be built, and each byte is decoded once.

use super::*;

fn parse(encoded: &str) -> Result<(Vec<Vec<u8>>, bool), PathError> {
    let path = FilePath::parse(encoded.as_bytes())?;
    assert_eq!(path.as_c_str().to_bytes(), path.as_bytes());
    Ok((path.segments().map(<[u8]>::to_vec).collect(), path.names_directory()))
}

fn check(encoded: &str, segments: &[&str], names_directory: bool) {
    let expected = segments.iter().map(|segment| segment.as_bytes().to_vec()).collect();
    assert_eq!(parse(encoded), Ok((expected, names_directory)), "{encoded:?}");
}

#[test]
fn segments_are_decoded_once() {
    check("", &[], true);
    check("a", &["a"], false);
    check("a/b%20c", &["a", "b c"], false);
    check("a/", &["a"], true);
    check("%2541", &["%41"], false);
    check("...", &["..."], false);
    check("a%c3%A9", &["a\u{e9}"], false);
    check(".http_server2", &[".http_server2"], false);
    assert_eq!(parse("%ff"), Ok((vec![vec![0xff]], false)));
}

#[test]
fn refused_paths_have_their_reason() {
    for (encoded, error) in [
        ("a%", PathError::Encoding),
        ("a%4", PathError::Encoding),
        ("a%4g", PathError::Encoding),
        ("a%+4", PathError::Encoding),
        ("/", PathError::EmptySegment),
        ("/a", PathError::EmptySegment),
        ("a//b", PathError::EmptySegment),
        ("a//", PathError::EmptySegment),
        (".", PathError::DotSegment),
        ("a/../b", PathError::DotSegment),
        ("%2e%2E", PathError::DotSegment),
        ("a/%2e/", PathError::DotSegment),
        ("a%00", PathError::ForbiddenByte),
        ("a%2fb", PathError::ForbiddenByte),
        (".http_server", PathError::Reserved),
        ("a/%2ehttp_server/b", PathError::Reserved),
    ] {
        assert_eq!(parse(encoded), Err(error), "{encoded:?}");
    }
}

#[test]
fn bounds_are_exact() {
    assert!(parse(&"a".repeat(255)).is_ok());
    assert_eq!(parse(&"a".repeat(256)), Err(PathError::SegmentTooLong));
    assert!(parse(&["a"; 256].join("/")).is_ok());
    assert_eq!(parse(&["a"; 257].join("/")), Err(PathError::TooManySegments));
    let long = |last: usize| format!("{}/{}", ["a".repeat(255).as_str(); 15].join("/"), "a".repeat(last));
    assert_eq!(parse(&long(255)).map(|(segments, _)| segments.join(&b'/').len()), Ok(4095));
    assert_eq!(parse(&format!("{}/a", long(253))), Ok(parse(&format!("{}/a", long(253))).unwrap()));
    assert_eq!(parse(&format!("{}/a", long(254))), Err(PathError::TooLong));
}

#[test]
fn no_short_string_leaves_the_tree() {
    let alphabet = [".", "..", "/", "%2e", "%2f", "%00", "a", "%", "%25"];
    let mut built = 0;
    for length in 0..=5 {
        let mut digits = vec![0; length];
        loop {
            let encoded: String = digits.iter().map(|&digit| alphabet[digit]).collect();
            if let Ok((segments, _)) = parse(&encoded) {
                built += 1;
                for segment in &segments {
                    assert!(!matches!(&segment[..], b"" | b"." | b".."), "{encoded:?}");
                    assert!(!segment.iter().any(|byte| matches!(byte, b'/' | 0)), "{encoded:?}");
                }
            }
            // The next string of this length.
            let Some(place) = digits.iter().position(|&digit| digit + 1 < alphabet.len()) else { break };
            digits[place] += 1;
            digits[..place].fill(0);
        }
    }
    assert!(built > 1000, "{built} paths were built");
}

#[test]
fn parents_are_named_outermost_first() {
    let path = FilePath::parse(b"a/b/c").unwrap();
    let (parent, name) = path.parent_and_name().unwrap();
    assert_eq!((parent.as_c_str(), name), (c"a/b", c"c"));
    let steps: Vec<_> = parent.steps().collect();
    assert_eq!(steps, [(c"".to_owned(), c"a".to_owned()), (c"a".to_owned(), c"b".to_owned())]);
    let path = FilePath::parse(b"c/").unwrap();
    let (parent, name) = path.parent_and_name().unwrap();
    assert_eq!((parent.as_c_str(), name), (c"", c"c"));
    assert_eq!(parent.steps().count(), 0);
    assert!(FilePath::parse(b"").unwrap().parent_and_name().is_none());
}

#[test]
fn a_resolved_path_has_the_bounds_of_one_that_is_asked_for() {
    let names = |length: usize| {
        let mut names = format!("{}/", "n".repeat(255)).repeat(length.div_ceil(256)).into_bytes();
        names.truncate(length);
        names
    };
    let longest = FilePath::of_names(&names(PATH_BYTES_MAX), false).expect("it is just short enough");
    assert_eq!(longest.as_bytes().len(), PATH_BYTES_MAX);
    assert!(FilePath::of_names(&names(PATH_BYTES_MAX - 1), false).is_some());
    assert!(FilePath::of_names(&names(PATH_BYTES_MAX + 1), false).is_none());
    assert!(FilePath::of_names(b"a/../b", false).is_none());
}

#[test]
fn paths_are_shown_escaped() {
    let shown = |path: &[u8]| format!("{:?}", FilePath::parse(path).unwrap());
    assert_eq!(shown(b"a/%22%0a"), "\"a/\\\"\\n\"");
    assert_eq!(shown(b"a/"), "\"a\"/");
}
