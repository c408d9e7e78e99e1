//! Calls on real directories, one by one.

use std::os::unix::ffi::OsStrExt;

use super::*;

#[test]
fn a_link_takes_the_place_of_a_rename_that_the_file_system_lacks() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("staged"), "new").unwrap();
    std::fs::write(directory.path().join("taken"), "old").unwrap();
    let folder = File::open(directory.path()).unwrap();
    let place = |name| Place { directory: folder.as_fd(), name };
    let error = link_to_new(place(c"staged"), place(c"taken")).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(std::fs::read(directory.path().join("staged")).unwrap(), b"new");
    link_to_new(place(c"staged"), place(c"free")).unwrap();
    assert_eq!(std::fs::read(directory.path().join("free")).unwrap(), b"new");
    assert!(!directory.path().join("staged").exists());
    assert_eq!(std::fs::read(directory.path().join("taken")).unwrap(), b"old");
}

#[test]
fn a_file_is_used_again_only_as_it_was() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a");
    std::fs::write(&path, "content").unwrap();
    let (base, kept) = BaseDirectory::open(directory.path()).unwrap().keep_open(1024);
    let open = || match base.open_file(c"a").unwrap() {
        Found::File(file, _) => file,
        other => panic!("{other:?}"),
    };
    let mut before = open();
    assert!(Arc::ptr_eq(&before, &open()));
    let changes: [&dyn Fn(); 4] = [
        &|| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap(),
        &|| std::fs::write(&path, "other").unwrap(),
        &|| File::options().append(true).open(&path).unwrap().set_len(1).unwrap(),
        &|| {
            std::fs::write(directory.path().join("b"), "third").unwrap();
            std::fs::rename(directory.path().join("b"), &path).unwrap();
        },
    ];
    for change in changes {
        // Longer than the kernel takes two moments for one.
        std::thread::sleep(Duration::from_nanos(KERNEL_TICK as u64));
        change();
        let after = open();
        assert!(!Arc::ptr_eq(&before, &after));
        assert!(Arc::ptr_eq(&after, &open()));
        before = after;
    }
    assert_eq!(Arc::strong_count(&before), 2);
    base.forget(file::status(before.as_fd()).unwrap().inode);
    assert_eq!(Arc::strong_count(&before), 1);
    // The first one is kept until it is swept: that its name was taken is unknown.
    assert_eq!(kept.count(), 1);
}

#[test]
fn another_device_is_elsewhere() {
    let directory = tempfile::tempdir().unwrap();
    let base = BaseDirectory::open(directory.path()).unwrap();
    assert!(!base.is_elsewhere(&base.base));
    assert!(base.is_elsewhere(&Arc::new(OpenFile::new(File::open("/proc").unwrap()))));
}

// rename(2), copy_file_range(2): what a file system says that cannot.
#[test]
fn what_a_file_system_cannot_do_is_told_from_what_fails() {
    for (number, unsupported) in [
        (libc::EINVAL, true),
        (libc::ENOSYS, true),
        (libc::EOPNOTSUPP, true),
        (libc::EIO, false),
        (libc::EEXIST, false),
    ] {
        let error = io::Error::from_raw_os_error(number);
        assert_eq!(is_unsupported(&error), unsupported, "{error}");
        assert_eq!(or_unsupported(error).kind() == io::ErrorKind::Unsupported, unsupported);
    }
}

#[test]
fn names_that_are_taken_are_passed_over() {
    let directory = tempfile::tempdir().unwrap();
    let base = BaseDirectory::open(directory.path()).unwrap();
    let (file, first) = base.stage(None).unwrap();
    std::fs::create_dir(directory.path().join(format!(".http_server/{}", first.number + 1))).unwrap();
    let (_, second) = base.stage(None).unwrap();
    assert_eq!(second.number, first.number + 2);
    base.publish_new(second, &base.base, c"file").unwrap();
    let before = base.version(&file).unwrap();
    let undo = StagedName { undo: Some((0, before.modified)), number: second.number + 1, ..second };
    std::fs::create_dir(
        directory
            .path()
            .join(".http_server")
            .join(std::ffi::OsStr::from_bytes(Name::default().staged(undo).to_bytes())),
    )
    .unwrap();
    assert_eq!(base.record_undo(c"", &file, before).unwrap().number, undo.number + 1);
    // Any other error is the answer, and not a reason to go on.
    std::fs::remove_dir_all(directory.path().join(".http_server")).unwrap();
    assert_eq!(base.stage(None).unwrap_err().kind(), io::ErrorKind::NotFound);
    assert_eq!(base.record_undo(c"", &file, before).unwrap_err().kind(), io::ErrorKind::NotFound);
}

#[test]
fn what_must_be_new_replaces_nothing() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("taken"), "old").unwrap();
    let base = BaseDirectory::open(directory.path()).unwrap();
    let (_, staged) = base.stage(None).unwrap();
    let error = base.publish_new(staged, &base.base, c"taken").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(std::fs::read(directory.path().join("taken")).unwrap(), b"old");
    base.publish_new(staged, &base.base, c"free").unwrap();
    assert!(directory.path().join("free").exists());
}
