//! Directories of many entries: page by page, in bounded memory, while others change them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;
use tests::{Client, Server, depth, ledger};

use super::{ask, hrefs, json};

/// All pages from this one on, each handed to `page`; how many there were.
fn follow(client: &mut Client, directory: &str, query: &str, mut page: impl FnMut(Value)) -> u64 {
    let (mut target, mut pages) = (format!("{directory}{query}"), 0);
    loop {
        let listing = json(client, &target);
        let next = listing["next"].as_str().map(|next| format!("{directory}{next}"));
        page(listing);
        pages += 1;
        match next {
            Some(next) => target = next,
            None => return pages,
        }
    }
}

/// Goal: a directory of 100,000 entries costs the memory of a page. Method: what is resident at most,
/// before and behind all its pages in every order, as JSON and as HTML.
#[test]
fn a_long_directory_takes_the_memory_of_a_page() {
    let entries = depth().of(100_000, 100_000, 1_000_000_u64);
    let server = Server::start(&["--quiet", "--threads=1", "--pool=2"]);
    let folder = server.directory().join("long");
    fs::create_dir(&folder).unwrap();
    for number in 0..entries {
        File::create(folder.join(format!("a name of some length, number {number}"))).unwrap();
    }
    let mut client = server.connect();
    // Two pages of a short directory, so that what every request takes is there.
    fs::create_dir(server.directory().join("short")).unwrap();
    for format in ["json", "html"] {
        ask(&mut client, &format!("GET /files/short/?format={format}"), "");
    }
    let before = server.peak_memory_kib();
    let mut seen = vec![0_u8; entries as usize];
    let mut pages = follow(&mut client, "/files/long/", "", |listing| {
        assert_eq!(listing["order"], "directory");
        assert!(hrefs(&listing).len() <= 1000);
        for href in hrefs(&listing) {
            seen[href.rsplit("%20").next().unwrap().parse::<usize>().unwrap()] += 1;
        }
    });
    assert!(seen.iter().all(|count| *count == 1), "each entry is on one page");
    // By name, from a place on, which takes a pass over all.
    let after = "?limit=1000&after=a%20name%20of%20some%20length%2C%20number%2050000";
    for sort in ["", "&order=desc"] {
        let listing = json(&mut client, &format!("/files/long/{after}{sort}"));
        assert_eq!((&listing["order"], hrefs(&listing).len()), (&Value::from("name"), 1000));
        pages += 1;
    }
    for query in ["?sort=size", "?sort=modified&order=desc", "?at=0", ""] {
        let answer = ask(&mut client, &format!("GET /files/long/{query}"), "");
        assert_eq!(answer.status, 200);
        assert!(answer.text().contains("Too many entries to sort"), "{query}");
        pages += 1;
    }
    let refused = ask(&mut client, "GET /files/long/?sort=size&after=a&value=1", "");
    assert_eq!(refused.status, 409, "{}", refused.text());
    let grown = server.peak_memory_kib() - before;
    println!("listings: entries={entries} pages={pages} grown_kib={grown}");
    assert!(grown < GROWN_KIB_MAX, "{grown} KiB more than before");
    ledger::record("listings:long", &[("entries", entries), ("pages", pages)]);
}

/// A page of 1000 names, what is kept of it in three forms at once, and as much again.
const GROWN_KIB_MAX: u64 = 8 * 1024;

/// Goal: whoever follows the pages sees each entry that is there all the time exactly once, whatever
/// becomes of the others. Method: three times through, by name and in the directory's own order, while
/// requests make and remove files.
#[test]
fn what_stays_is_on_exactly_one_page_while_others_change() {
    let server = Server::start(&["--quiet", "--listing-sorted-max=2000", "--durability=cache"]);
    let folder = server.directory().join("d");
    fs::create_dir(&folder).unwrap();
    let entries = depth().of(3000, 10_000, 50_000);
    for number in 0..entries {
        File::create(folder.join(format!("stays-{number}"))).unwrap();
    }
    let over = AtomicBool::new(false);
    let (pages, changes) = std::thread::scope(|scope| {
        let changing = scope.spawn(|| {
            let (mut client, mut changes) = (server.connect(), 0_u64);
            while !over.load(Ordering::Relaxed) {
                let name =
                    format!("/files/d/{}-{}", ["comes", "zz", "1"][changes as usize % 3], changes / 2 % 500);
                let (line, fields) = match changes % 2 {
                    0 => ("PUT", "Content-Length: 0\r\n"),
                    _ => ("DELETE", ""),
                };
                assert!(ask(&mut client, &format!("{line} {name}"), fields).status < 500);
                changes += 1;
            }
            changes
        });
        let mut client = server.connect();
        let mut pages = 0;
        // The empty name stands before all others: so these are sorted, however many they are.
        for query in ["?limit=100", "?limit=300&after=", "?limit=300&order=desc&after=zzzz"] {
            let mut seen = BTreeMap::<String, u32>::new();
            pages += follow(&mut client, "/files/d/", query, |listing| {
                assert_eq!(listing["order"] == "name", query.contains("after"), "{query}");
                for href in hrefs(&listing).into_iter().filter(|href| href.starts_with("stays")) {
                    *seen.entry(href).or_default() += 1;
                }
            });
            assert!(seen.values().all(|count| *count == 1), "{query}: {seen:?}");
            assert_eq!(seen.len() as u64, entries, "{query}");
        }
        over.store(true, Ordering::Relaxed);
        (pages, changing.join().unwrap())
    });
    ledger::record("listings:changing", &[("entries", entries), ("pages", pages), ("changes", changes)]);
}

#[test]
fn a_page_has_as_many_entries_as_it_may() {
    let server = Server::start(&["--quiet", "--listing-entries-max=10"]);
    for number in 0..21 {
        File::create(server.directory().join(format!("{number:02}"))).unwrap();
    }
    let mut client = server.connect();
    for (query, lengths) in [("", &[10, 10, 1][..]), ("?limit=11", &[10, 10, 1]), ("?limit=7", &[7, 7, 7])] {
        let mut seen = Vec::new();
        follow(&mut client, "/files/", query, |listing| seen.push(hrefs(&listing).len()));
        assert_eq!(seen, lengths, "{query}");
    }
    let page = ask(&mut client, "GET /files/", "");
    assert!(page.text().contains("href=\"?limit=10&#38;after=09\""), "{}", page.text());
    assert!(page.text().contains("Next page") && !page.text().contains("First page"));
    let page = ask(&mut client, "GET /files/?limit=10&after=19", "");
    assert!(!page.text().contains("Next page") && page.text().contains("First page"));
}
