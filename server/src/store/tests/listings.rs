//! Listings: what is on them, and that their pages lead through a whole directory.

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;

use super::*;

fn page<D: Directory>(store: &Store<D>, operation: Operation) -> Listing {
    match store.run(operation, &mut Held::Nothing) {
        Outcome::Listed(listing) => *listing,
        outcome => panic!("{outcome:?}"),
    }
}

/// The names on the first page, with a slash behind those of directories.
fn names<D: Directory>(store: &Store<D>, encoded: &str) -> Vec<String> {
    let listing = page(store, list(encoded, 1000, 1000));
    assert_eq!((listing.sorted, listing.next), (true, None));
    let name = |listed: super::super::listing::Listed| {
        let slash = if listed.file.is_some() { "" } else { "/" };
        String::from_utf8(listed.name).unwrap() + slash
    };
    listing.entries.into_iter().map(name).collect()
}

/// All pages one after the other; `between` is called behind each.
fn all_pages(store: &RealStore, mut view: View, mut between: impl FnMut()) -> Vec<Vec<u8>> {
    let mut names = Vec::new();
    loop {
        let listing = page(store, Operation::List(path(""), Box::new(view.clone())));
        assert!(listing.entries.len() <= view.entries_max);
        names.extend(listing.entries.into_iter().map(|listed| listed.name));
        between();
        match listing.next {
            Some(next) => view.after = next,
            None => return names,
        }
    }
}

#[test]
fn files_and_directories_are_listed_and_nothing_else() {
    let (directory, store) = store(Durability::Cache);
    let base = directory.path();
    fs::write(base.join("file"), "file").unwrap();
    fs::create_dir(base.join("folder")).unwrap();
    fs::create_dir(base.join("folder/.http_server")).unwrap();
    symlink("file", base.join("link")).unwrap();
    symlink("folder", base.join("link-to-folder")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(base.join("fifo")).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(base.join("socket")).unwrap();
    assert_eq!(names(&store, ""), ["file", "folder/"]);
    assert_eq!(names(&store, "folder/"), [""; 0]);
    for (name, expected) in [
        ("file/", "ParentIsFile"),
        ("missing/", "NotFound"),
        ("link/", "NotRegular"),
        ("link-to-folder/", "NotRegular"),
        ("fifo/", "NotRegular"),
        ("socket/", "NotRegular"),
        ("file/below/", "ParentIsFile"),
    ] {
        assert_eq!(word(&store, list(name, 10, 10)), expected, "{name}");
    }
}

#[test]
fn links_are_listed_as_what_they_lead_to_where_they_are_followed() {
    let (directory, store) = store(Durability::Cache);
    let (store, base) = (store.follow_links(true), directory.path());
    assert_eq!(upload(&store, Mode::Create, "d/file", "content"), "Created");
    for (target, name) in [
        ("d/file", "to-file"),
        ("d", "to-folder"),
        (".", "to-base"),
        ("/etc/passwd", "absolute"),
        ("../..", "up"),
        ("nowhere", "dangling"),
        ("loop", "loop"),
        (".http_server", "own"),
        ("fifo", "to-fifo"),
    ] {
        symlink(target, base.join(name)).unwrap();
    }
    assert!(std::process::Command::new("mkfifo").arg(base.join("fifo")).status().unwrap().success());
    assert_eq!(names(&store, ""), ["d/", "to-base/", "to-file", "to-folder/"]);
    assert_eq!(names(&store, "to-folder/"), ["file"]);
    assert_eq!(names(&store, "to-base/"), names(&store, ""));
    assert_eq!(word(&store, list("own/", 10, 10)), "Denied");
    assert_eq!(word(&store, list("up/", 10, 10)), "Denied");
    let listed = page(&store, list("", 1000, 1000)).entries;
    let Outcome::Opened(version) = store.run(Operation::Open(path("to-file"), None), &mut Held::Nothing)
    else {
        panic!("not opened")
    };
    assert_eq!(listed[2].file, Some(version));
}

#[test]
fn a_file_that_is_being_appended_to_is_listed_as_it_was() {
    let (_directory, store) = store(Durability::Disk);
    assert_eq!(upload(&store, Mode::Create, "d/file", "content"), "Created");
    let before = page(&store, list("d/", 10, 10)).entries[0].file.unwrap();
    let changing = store.locks.change(b"d/file");
    changing.pin(before);
    fs::write(_directory.path().join("d/file"), "content and more").unwrap();
    assert_eq!(page(&store, list("d/", 10, 10)).entries[0].file, Some(before));
    changing.alone().unpin();
    assert_eq!(page(&store, list("d/", 10, 10)).entries[0].file.unwrap().length, 16);
}

// Goal: whoever follows the pages sees each entry that is there all the time exactly once. Method: in
// each order, others come and go between any two pages, so many that the directory outgrows sorting.
#[test]
fn pages_lead_through_a_directory_that_changes() {
    let (directory, store) = store(Durability::Cache);
    let base = directory.path();
    let stay: BTreeSet<Vec<u8>> = (0..500).map(|number| format!("stays {number}").into_bytes()).collect();
    for name in &stay {
        fs::write(base.join(str::from_utf8(name).unwrap()), vec![b'x'; name.len() % 5]).unwrap();
    }
    let orders = [Order::Name, Order::Size, Order::Modified].into_iter();
    let sorted = orders.flat_map(|order| [(order, false, 2000), (order, true, 2000)]);
    let mut pages = 0;
    for (order, descending, sorted_max) in sorted.chain([(Order::Name, false, 700), (Order::Name, false, 3)])
    {
        let view = View { order, descending, after: Place::Beginning, entries_max: 7, sorted_max };
        let mut round = 0;
        let seen = all_pages(&store, view, || {
            round += 1;
            for number in 0..6 {
                let name = base.join(format!("{}comes {round} {number}", ["a", "t"][number % 2]));
                fs::write(&name, "").unwrap();
                if number > 3 {
                    fs::remove_file(&name).unwrap();
                }
            }
        });
        pages += round;
        let staying: Vec<&Vec<u8>> = seen.iter().filter(|name| name.starts_with(b"stays")).collect();
        assert_eq!(staying.len(), stay.len(), "{order:?} {descending} {sorted_max}");
        assert_eq!(staying.into_iter().cloned().collect::<BTreeSet<_>>(), stay);
        for entry in fs::read_dir(base).unwrap().map(Result::unwrap) {
            if !entry.file_name().as_bytes().starts_with(b"stays") && entry.file_type().unwrap().is_file() {
                fs::remove_file(entry.path()).unwrap();
            }
        }
    }
    println!("store:pages pages={pages}");
}

#[test]
fn pages_are_in_the_order_that_is_asked_for() {
    let (directory, store) = store(Durability::Cache);
    for (name, length) in [("b", 3), ("a", 2), ("d", 1), ("c", 2)] {
        fs::write(directory.path().join(name), vec![0; length]).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(15));
    }
    fs::create_dir(directory.path().join("e")).unwrap();
    for (order, expected) in [(Order::Name, "abcde"), (Order::Size, "edacb"), (Order::Modified, "ebadc")] {
        for descending in [false, true] {
            let view = View { order, descending, after: Place::Beginning, entries_max: 2, sorted_max: 5 };
            let names = String::from_utf8(all_pages(&store, view, || ()).concat()).unwrap();
            let expected: String =
                if descending { expected.chars().rev().collect() } else { expected.to_owned() };
            assert_eq!(names, expected, "{order:?} {descending}");
        }
    }
}

#[test]
fn what_cannot_be_listed_on_is_refused() {
    let (directory, store) = store(Durability::Cache);
    for number in 0..4 {
        fs::write(directory.path().join(number.to_string()), "").unwrap();
    }
    let ask = |order, after| {
        let view = View { order, descending: false, after, entries_max: 2, sorted_max: 4 };
        word(&store, Operation::List(path(""), Box::new(view)))
    };
    let behind = Place::Entry { name: b"1".to_vec(), value: Some(0) };
    assert_eq!(ask(Order::Size, behind.clone()), "Listed");
    // One more, and it is not sorted by what takes a look at each.
    fs::write(directory.path().join("4"), "").unwrap();
    assert_eq!(ask(Order::Size, behind.clone()), "TooManyToSort");
    assert_eq!(ask(Order::Name, behind), "Listed");
    assert!(!page(&store, list("", 2, 4)).sorted);
    assert!(page(&store, list("", 2, 5)).sorted);
    assert_eq!(ask(Order::Name, Place::Position(-1)), "NoSuchPlace");
    assert_eq!(ask(Order::Name, Place::Position(i64::MAX)), "Listed");
}

/// What a client could not ask for, because its path would be too long, is not shown to him.
#[test]
fn names_beyond_the_longest_path_are_not_listed() {
    let (directory, store) = store(Durability::Cache);
    let deep = vec!["n".repeat(254); 16].join("/");
    // As far as one call takes it, and from there on.
    let mut folder = directory.path().to_owned();
    for name in deep.split('/').take(12) {
        folder.push(name);
    }
    fs::create_dir_all(&folder).unwrap();
    let inner = deep.split('/').skip(12).collect::<Vec<_>>().join("/");
    let script = format!("mkdir -p {inner} && cd {inner} && : >{} && : >{}", "s".repeat(15), "t".repeat(16));
    let made = std::process::Command::new("sh").args(["-c", &script]).current_dir(&folder).status();
    assert!(made.unwrap().success());
    assert_eq!(names(&store, &format!("{deep}/")), ["s".repeat(15)]);
}
