//! Directories that are made ready to be served, and those that cannot be.

use super::*;

#[test]
fn leftovers_are_swept_and_a_second_server_is_refused() {
    let (directory, store) = store(Durability::Cache);
    let error = BaseDirectory::open(directory.path()).unwrap_err().to_string();
    assert!(error.contains("another http_server"), "{error}");
    drop(store);
    fs::write(directory.path().join(".http_server/17"), "half a file").unwrap();
    let store = Store::new(BaseDirectory::open(directory.path()).unwrap(), Durability::Cache);
    store.recover().unwrap();
    assert_eq!(tree(directory.path()), expected(&[]));
    assert_eq!(upload(&store, Mode::Create, "a", "x"), "Created");
}

#[test]
fn only_leftovers_are_swept() {
    let directory = tempfile::tempdir().unwrap();
    let staging = directory.path().join(".http_server");
    fs::create_dir_all(staging.join("0")).unwrap();
    fs::write(directory.path().join("target"), "kept").unwrap();
    std::os::unix::fs::symlink(directory.path().join("target"), staging.join("1")).unwrap();
    fs::write(staging.join("2"), "half a file").unwrap();
    let store = Store::new(BaseDirectory::open(directory.path()).unwrap(), Durability::Disk);
    store.recover().unwrap();
    assert_eq!(listing(&staging), ["0", "1"]);
    // Names that are taken are passed over.
    assert_eq!(upload(&store, Mode::Replace, "target", "new"), "Updated");
    assert_eq!(delete(&store, "target"), "Deleted");
    assert_eq!(listing(&staging), ["0", "1"]);
}

#[test]
fn the_name_that_the_server_needs_has_to_be_free() {
    for make in [
        |name: &Path| fs::write(name, "").unwrap(),
        |name: &Path| std::os::unix::fs::symlink("/tmp", name).unwrap(),
    ] {
        let directory = tempfile::tempdir().unwrap();
        make(&directory.path().join(".http_server"));
        let error = BaseDirectory::open(directory.path()).unwrap_err().to_string();
        assert!(error.contains(".http_server") && error.contains("move it away"), "{error}");
    }
}

#[test]
fn directories_that_cannot_be_served_are_refused_in_one_line() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    for path in [file.clone(), file.join("below")] {
        let error = BaseDirectory::open(&path).unwrap_err().to_string();
        assert!(error.contains("file") && !error.contains('\n'), "{error}");
    }
    for path in ["made/when/missing", "made/x/.", "made/y/../z/"] {
        BaseDirectory::open(&directory.path().join(path)).unwrap();
    }
    std::os::unix::fs::symlink("nowhere", directory.path().join("line\nend")).unwrap();
    let error = BaseDirectory::open(&directory.path().join("line\nend")).unwrap_err().to_string();
    assert!(error.contains("not a directory") && !error.contains('\n'), "{error}");
}
