use super::*;

/// A file that is named and synced, but for what `skip` leaves out.
fn create(disk: &Simulated, name: &CStr, content: &[u8], skip: &str) {
    let base = disk.open_folder(c"").unwrap();
    let (file, staged) = disk.stage(None).unwrap();
    assert_eq!(disk.write(&file, content, 0).unwrap(), content.len());
    if skip != "sync_file" {
        disk.sync_file(&file).unwrap();
    }
    disk.publish_new(staged, &base, name).unwrap();
    if skip != "sync_folder" {
        disk.sync_folder(&base).unwrap();
    }
}

/// What `name` may hold after a crash now, without the rest of the tree.
fn contents(disk: &Simulated, name: &[u8]) -> Vec<Option<Vec<u8>>> {
    let history = disk.history();
    let crash = history.crash(history.len());
    let image = |kept: usize| crash.image(|number| kept >> number & 1 == 1);
    let content =
        |image: Image| image.tree().remove(&vec![name.to_vec()]).flatten().map(|(_, content)| content);
    let mut contents: Vec<_> = (0..1 << crash.pending()).map(|kept| content(image(kept))).collect();
    contents.sort();
    contents.dedup();
    contents
}

#[test]
fn what_is_not_synced_may_be_lost_and_torn() {
    let disk = Simulated::empty(0);
    create(&disk, c"all", b"content", "nothing");
    assert_eq!(contents(&disk, b"all"), [Some(b"content".to_vec())]);
    create(&disk, c"name", b"content", "sync_folder");
    assert_eq!(contents(&disk, b"name"), [None, Some(b"content".to_vec())]);
    create(&disk, c"content", b"content", "sync_file");
    assert_eq!(contents(&disk, b"content"), [vec![], vec![0; 7], b"content".to_vec()].map(Some));
    create(&disk, c"torn", &[1; BLOCK_BYTES + 1], "sync_file");
    let torn = [
        vec![],
        vec![0; BLOCK_BYTES + 1],
        [&[0; BLOCK_BYTES][..], &[1]].concat(),
        [&[1; BLOCK_BYTES][..], &[0]].concat(),
        vec![1; BLOCK_BYTES + 1],
    ];
    assert_eq!(contents(&disk, b"torn"), torn.map(Some));
}

#[test]
fn renames_are_whole_and_there_with_either_directory() {
    let disk = Simulated::empty(0);
    create(&disk, c"a", b"old", "nothing");
    let base = disk.open_folder(c"").unwrap();
    for sync in [false, true] {
        let (file, staged) = disk.stage(None).unwrap();
        disk.write(&file, b"new", 0).unwrap();
        disk.sync_file(&file).unwrap();
        disk.exchange(staged, &base, c"a").unwrap();
        if sync {
            disk.sync_staged(staged).unwrap();
            assert_eq!(contents(&disk, b"a"), [Some(b"new".to_vec())]);
        } else {
            assert_eq!(contents(&disk, b"a"), [b"new", b"old"].map(|content| Some(content.to_vec())));
            disk.exchange(staged, &base, c"a").unwrap();
            disk.unstage(staged).unwrap();
        }
    }
}

#[test]
fn a_sync_that_failed_is_made_good_by_none() {
    let disk = Simulated::empty(0);
    create(&disk, c"a", b"", "nothing");
    let base = disk.open_folder(c"").unwrap();
    let Found::File(file, _) = disk.open_for_append(&base, c"a").unwrap() else { panic!("a file") };
    disk.write(&file, b"x", 0).unwrap();
    disk.fail(Fault::Error(5), 1);
    assert_eq!(disk.sync_file(&file).unwrap_err().raw_os_error(), Some(5));
    assert_eq!(disk.repair(), Some("sync_file"));
    disk.sync_file(&file).unwrap();
    assert_eq!(contents(&disk, b"a"), [vec![], vec![0], b"x".to_vec()].map(Some));
    disk.write(&file, b"x", 0).unwrap();
    disk.truncate(&file, 1).unwrap();
    disk.sync_file(&file).unwrap();
    assert_eq!(contents(&disk, b"a"), [Some(b"x".to_vec())]);
}

#[test]
fn inodes_live_while_they_are_open_and_their_numbers_are_used_again() {
    let disk = Simulated::empty(0);
    create(&disk, c"a", b"content", "nothing");
    let base = disk.open_folder(c"").unwrap();
    let Found::File(file, version) = disk.open_file(c"a").unwrap() else { panic!("a file") };
    disk.remove_file(&base, c"a").unwrap();
    let mut buffer = [0; 10];
    assert_eq!(disk.read(&file, &mut buffer, 3).unwrap(), 4);
    assert_eq!(&buffer[..4], b"tent");
    assert_eq!(disk.write(&file, b"x", 0).unwrap_err().raw_os_error(), Some(EBADF));
    assert_eq!(disk.record_undo(c"", &file, version).unwrap_err().raw_os_error(), Some(ENOENT));
    create(&disk, c"b", b"content", "nothing");
    drop(file);
    create(&disk, c"c", b"content", "nothing");
    let numbers: Vec<u64> = disk.tree().into_values().map(|file| file.unwrap().0.inode).collect();
    assert_eq!(numbers, [version.inode + 1, version.inode]);
    assert_eq!(disk.handles(), 1);
}

#[test]
fn no_crash_leaves_two_inodes_of_one_number() {
    let disk = Simulated::empty(0);
    create(&disk, c"a", b"old", "nothing");
    disk.remove_file(&disk.open_folder(c"").unwrap(), c"a").unwrap();
    create(&disk, c"b", b"new", "sync_folder");
    let young = disk.tree().into_values().flatten().next().unwrap().0;
    let history = disk.history();
    let crash = history.crash(history.len());
    // The new name is kept; then its removal from the old one is, too.
    let tree = crash.image(|number| number + 1 == crash.pending()).tree();
    let versions: Vec<Version> = tree.into_values().map(|file| file.unwrap().0).collect();
    assert_eq!(versions, [young]);
    // Without the new name the old one may come back.
    let tree = crash.image(|number| number == 0).tree();
    assert_eq!(tree.into_keys().collect::<Vec<_>>(), [vec![b"a".to_vec()]]);
}

#[test]
fn calls_fail_as_those_of_the_system() {
    let disk = Simulated::empty(0);
    create(&disk, c"a", b"content", "nothing");
    let base = disk.open_folder(c"").unwrap();
    disk.make_folder(&base, c"d").unwrap();
    let d = disk.open_folder(c"d").unwrap();
    disk.make_folder(&d, c"e").unwrap();
    let number = |result: io::Result<()>| result.unwrap_err().raw_os_error();
    assert_eq!(number(disk.make_folder(&base, c"a")), Some(EEXIST));
    assert_eq!(number(disk.remove_file(&base, c"d")), Some(EISDIR));
    assert_eq!(number(disk.remove_folder(&base, c"a")), Some(ENOTDIR));
    assert_eq!(number(disk.remove_folder(&base, c"d")), Some(ENOTEMPTY));
    assert_eq!(number(disk.remove_folder(&base, c"x")), Some(ENOENT));
    assert_eq!(number(disk.open_folder(c"a/b").map(drop)), Some(ENOTDIR));
    assert_eq!(number(disk.stage(Some(c"d")).map(drop)), Some(EXDEV));
    disk.remove_folder(&d, c"e").unwrap();
    disk.remove_folder(&base, c"d").unwrap();
    assert_eq!(number(disk.make_folder(&d, c"e")), Some(ENOENT));
    let (_file, staged) = disk.stage(None).unwrap();
    assert_eq!(number(disk.publish_new(staged, &base, c"a")), Some(EEXIST));
    assert_eq!(number(disk.exchange(staged, &base, c"x")), Some(ENOENT));
    assert_eq!(disk.leftovers().unwrap(), [staged]);
}

use state::EEXIST;

#[test]
fn the_nth_call_goes_wrong() {
    let disk = Simulated::empty(0);
    let (file, _staged) = disk.stage(None).unwrap();
    disk.fail(Fault::Short, 2);
    assert_eq!(disk.write(&file, b"1234", 0).unwrap(), 4);
    disk.version(&file).unwrap();
    assert_eq!(disk.write(&file, b"5678", 4).unwrap(), 2);
    assert_eq!(disk.write(&file, b"78", 6).unwrap(), 2);
    assert_eq!(disk.repair(), Some("write"));
    disk.fail(Fault::Interrupted, 1);
    let mut buffer = [0; 8];
    assert_eq!(disk.read(&file, &mut buffer, 0).unwrap_err().kind(), ErrorKind::Interrupted);
    assert_eq!(disk.read(&file, &mut buffer, 0).unwrap(), 8);
    assert_eq!(&buffer, b"12345678");
    disk.fail(Fault::ErrorFromThere(28), 2);
    disk.version(&file).unwrap();
    assert!(disk.version(&file).is_err() && disk.sync_file(&file).is_err());
    assert_eq!(disk.repair(), Some("version"));
    disk.version(&file).unwrap();
    // Nothing is left of what only the process knew.
    drop(file);
    assert_eq!(disk.image().staged().len(), 1);
}

#[test]
fn folders_are_told_apart_and_files_are_read_as_they_are() {
    let disk = Simulated::empty(7);
    create(&disk, c"a", b"content", "nothing");
    let base = disk.open_folder(c"").unwrap();
    disk.make_folder(&base, c"d").unwrap();
    let d = disk.open_folder(c"d").unwrap();
    assert_ne!(disk.folder_key(&base).unwrap(), disk.folder_key(&d).unwrap());
    assert_eq!(disk.folder_key(&base).unwrap(), disk.folder_key(&disk.open_folder(c"").unwrap()).unwrap());
    let Found::File(file, before) = disk.open_file(c"a").unwrap() else { panic!("a file") };
    let mut buffer = [0; 4];
    assert_eq!(disk.read_cached(&file, &mut buffer, 2).unwrap(), 4);
    assert_eq!(&buffer, b"nten");
    assert_eq!(file.content_at(&mut buffer, 4).unwrap(), 3);
    assert_eq!(&buffer, b"entn");
    let Found::File(writing, _) = disk.open_for_append(&base, c"a").unwrap() else { panic!("a file") };
    disk.set_time(9);
    assert_eq!((before.modified, disk.time()), (7, 9));
    disk.write(&writing, b"!", 7).unwrap();
    let after = disk.version(&file).unwrap();
    assert_eq!((after.modified, after.length, after.inode), (9, 8, before.inode));
    let shown = format!("{:?}", disk.image());
    assert!(shown.contains("a: file") && shown.contains("d: folder"), "{shown}");
}

#[test]
fn a_history_is_empty_until_something_happens() {
    let disk = Simulated::empty(0);
    assert!(disk.history().is_empty());
    create(&disk, c"a", b"content", "nothing");
    assert!(!disk.history().is_empty());
    let (base, events) = (disk.open_folder(c"").unwrap(), disk.events());
    let Found::File(file, _) = disk.open_for_append(&base, c"a").unwrap() else { panic!("a file") };
    // Within its length a file does not grow, so a crash has one choice less.
    disk.write(&file, b"other", 2).unwrap();
    assert_eq!(disk.events(), events + 1);
}

#[test]
fn names_of_leftovers_are_given_to_nothing_else() {
    let disk = Simulated::empty(0);
    let (_file, first) = disk.stage(None).unwrap();
    let again = Simulated::new(&disk.image(), 0, false);
    assert_eq!(again.leftovers().unwrap(), [first]);
    again.unstage(first).unwrap();
    let (_file, next) = again.stage(None).unwrap();
    assert_eq!(next.number, first.number + 1);
}

#[test]
fn a_file_ends_where_its_length_says_after_a_crash() {
    let disk = Simulated::empty(0);
    create(&disk, c"a", b"content", "nothing");
    let base = disk.open_folder(c"").unwrap();
    let Found::File(file, _) = disk.open_for_append(&base, c"a").unwrap() else { panic!("a file") };
    disk.write(&file, b" and more", 7).unwrap();
    let history = disk.history();
    let crash = history.crash(history.len());
    // The content without the length, and the length without the content.
    let [written, grown] = [crash.pending() - 2, crash.pending() - 1];
    let kept = |kept: usize| crash.image(move |number| number == kept).tree().into_values().next();
    let content = |file: Option<Option<(Version, Vec<u8>)>>| file.unwrap().unwrap().1;
    assert_eq!(content(kept(written)), b"content");
    assert_eq!(content(kept(grown)), [&b"content"[..], &[0; 9]].concat());
    let image = crash.image(|number| number == written);
    let Kind::File(bytes, length) = &image.inodes[2].kind else { panic!("a file") };
    assert_eq!((bytes.len(), *length), (7, 7));
}
