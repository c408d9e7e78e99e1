//! What a path was while an append to it is not final: that, and nothing else, is there for clients.

use super::*;
use crate::store::condition::{Condition, Versions};

/// A store whose file `a` is `old` for clients, though a failed append has left more of it, and that
/// version.
fn pinned() -> (tempfile::TempDir, RealStore, Version) {
    let (directory, store) = store(Durability::Cache);
    assert_eq!(upload(&store, Mode::Create, "a", "old"), "Created");
    let Outcome::Opened(version) = store.run(Operation::Open(path("a"), None), &mut Held::Nothing) else {
        panic!("a file")
    };
    store.locks.change(b"a").pin(version);
    let mut file = fs::File::options().append(true).open(directory.path().join("a")).unwrap();
    std::io::Write::write_all(&mut file, b"half of").unwrap();
    assert_eq!(open(&store, "a"), "old");
    (directory, store, version)
}

fn only(version: Version) -> Option<Box<Condition>> {
    let matches = Some(Versions::Of(vec![version]));
    Some(Box::new(Condition { matches, ..Condition::default() }))
}

#[test]
fn conditions_are_judged_by_what_is_there_for_clients() {
    for mode in [Mode::Replace, Mode::Append] {
        let (_directory, store, version) = pinned();
        let stored = Intent { path: path("a"), mode, condition: only(version) };
        let other = Version { length: version.length + 7, ..version };
        let refused = Intent { condition: only(other), ..stored.clone() };
        assert_eq!(word(&store, Operation::Store(refused, b"new".to_vec())), "ConditionFails");
        // What is left of the append is not built upon, but it may be replaced.
        let expected = if mode == Mode::Append { "InputOutput" } else { "Updated" };
        assert_eq!(word(&store, Operation::Store(stored, b"new".to_vec())), expected);
    }
    let (directory, store, version) = pinned();
    let other = Version { length: version.length + 7, ..version };
    assert_eq!(word(&store, Operation::Delete(path("a"), only(other))), "ConditionFails");
    assert_eq!(word(&store, Operation::Delete(path("a"), only(version))), "Deleted");
    assert_eq!(tree(directory.path()), expected(&[]));
}

#[test]
fn another_file_in_its_place_is_what_it_is() {
    let (directory, store, _) = pinned();
    fs::write(directory.path().join("b"), "somebody else's").unwrap();
    fs::rename(directory.path().join("b"), directory.path().join("a")).unwrap();
    assert_eq!(open(&store, "a"), "somebody else's");
    assert_eq!(upload(&store, Mode::Append, "a", ", and more"), "Updated");
    assert_eq!(open(&store, "a"), "somebody else's, and more");

    let (directory, store, before) = pinned();
    fs::write(directory.path().join("b"), "somebody else's").unwrap();
    fs::rename(directory.path().join("b"), directory.path().join("a")).unwrap();
    let Outcome::Opened(there) = store.run(Operation::Open(path("a"), None), &mut Held::Nothing) else {
        panic!("a file")
    };
    let replace = |condition| Intent { path: path("a"), mode: Mode::Replace, condition };
    assert_eq!(word(&store, Operation::Store(replace(only(before)), b"new".to_vec())), "ConditionFails");
    assert_eq!(word(&store, Operation::Store(replace(only(there)), b"new".to_vec())), "Updated");
}

#[test]
fn what_has_other_names_is_copied_as_it_is_for_clients() {
    let (directory, store) = store(Durability::Cache);
    assert_eq!(upload(&store, Mode::Create, "a", "old"), "Created");
    fs::hard_link(directory.path().join("a"), directory.path().join("b")).unwrap();
    for (appended, content) in [("new", "oldnew"), ("er", "oldnewer")] {
        let mut held = Held::Nothing;
        let Outcome::Updated(version) =
            store.run(Operation::Store(intent(Mode::Append, "a"), appended.into()), &mut held)
        else {
            panic!("an append")
        };
        assert_eq!(version.length, content.len() as u64);
        assert_eq!(open(&store, "a"), content);
    }
    assert_eq!(tree(directory.path()), expected(&["a=oldnewer", "b=old"]));
}
