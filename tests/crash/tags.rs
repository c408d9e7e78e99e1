//! Entity tags over crashes: an unchanged file keeps its own, and no other version ever has it.

use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
pub(crate) struct Tags {
    current: BTreeMap<String, String>,
    /// All that a path has had.
    had: BTreeSet<(String, String)>,
}

impl Tags {
    /// There is a new version; nothing where there is no file any more.
    #[track_caller]
    pub(crate) fn changed(&mut self, path: &str, tag: Option<&str>) {
        self.current.remove(path);
        let Some(tag) = tag else { return };
        let new = self.had.insert((path.to_owned(), tag.to_owned()));
        assert!(new, "{path} had another version with the tag {tag}");
        self.current.insert(path.to_owned(), tag.to_owned());
    }

    /// There is the version that was there.
    #[track_caller]
    pub(crate) fn expect(&self, path: &str, tag: Option<&str>) {
        let current = self.current.get(path).map(String::as_str);
        assert_eq!(tag, current, "the tag of {path}, which has not changed");
    }
}
