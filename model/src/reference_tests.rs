//! The bounds of the reference, where random requests seldom come.

use super::reference::{Answer, Method, Reference, Terms};

fn put(reference: &mut Reference, path: &str, content: &[u8]) -> u16 {
    reference.request(Method::Put, path, content, &Terms::default()).status
}

fn part(content: &[u8], range: (Option<u64>, Option<u64>)) -> (u16, Option<Vec<u8>>) {
    let mut reference = Reference::default();
    assert_eq!(put(&mut reference, "a", content), 201);
    let terms = Terms { range: Some(range), ..Terms::default() };
    let Answer { status, read, .. } = reference.request(Method::Get, "a", b"", &terms);
    (status, read)
}

#[test]
fn the_last_bytes_are_those_that_there_are() {
    // RFC 9110 §14.1.2: of less than was asked for, all; of nothing, all of it.
    assert_eq!(part(b"abc", (None, Some(2))), (206, Some(b"bc".to_vec())));
    assert_eq!(part(b"abc", (None, Some(5))), (206, Some(b"abc".to_vec())));
    assert_eq!(part(b"abc", (None, Some(0))).0, 416);
    assert_eq!(part(b"", (None, Some(1))), (200, Some(Vec::new())));
    assert_eq!(part(b"", (None, Some(0))).0, 416);
    assert_eq!(part(b"abc", (Some(2), Some(1))), (200, Some(b"abc".to_vec())));
    assert_eq!(part(b"abc", (Some(2), Some(2))), (206, Some(b"c".to_vec())));
    assert_eq!(part(b"abc", (Some(3), None)).0, 416);
}

#[test]
fn paths_have_bounds() {
    let path = |names: usize, length: usize| {
        let mut names = vec!["n".to_owned(); names];
        let rest = length - (names.len() * 2 - 1);
        for at in 0..rest {
            let place = at / 254;
            names[place].push('n');
        }
        names.join("/")
    };
    for (path, status) in [
        (path(1, 255), 201),
        (path(1, 255) + "n", 400),
        (path(17, 4095), 201),
        (path(17, 4096), 400),
        (path(256, 511), 201),
        (path(256, 4095), 201),
        (path(256, 4096), 400),
        (path(257, 513), 400),
    ] {
        assert_eq!(put(&mut Reference::default(), &path, b""), status, "{} bytes", path.len());
    }
}
