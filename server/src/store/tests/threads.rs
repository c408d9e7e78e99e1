//! Many threads at once: each request takes effect at one point.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::faulty::{Fault, Faulty};
use super::*;

#[test]
fn concurrent_creations_have_one_winner_and_appends_are_whole() {
    let (_directory, store) = store(Durability::Cache);
    const THREADS: usize = 8;
    const ROUNDS: usize = 40;
    for round in 0..ROUNDS {
        let name = format!("d{round}/file");
        let outcomes: Vec<String> = thread::scope(|scope| {
            let create = |thread| {
                let (store, name) = (&store, &name);
                scope.spawn(move || upload(store, Mode::Create, name, &format!("{thread}")))
            };
            (0..THREADS)
                .map(create)
                .collect::<Vec<_>>()
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        assert_eq!(outcomes.iter().filter(|outcome| *outcome == "Created").count(), 1, "{outcomes:?}");
        assert_eq!(outcomes.iter().filter(|outcome| *outcome == "FileExists").count(), THREADS - 1);
    }
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let store = &store;
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let line = format!("{thread} {round} {}\n", "x".repeat(1000));
                    let (first, last) = line.split_at(round * 10);
                    let outcome = match round % 2 {
                        0 => upload(store, Mode::Append, "log", &line),
                        _ => streamed(store, Mode::Append, "log", [first, last]),
                    };
                    assert!(matches!(&outcome[..], "Created" | "Updated"), "{outcome}");
                }
            });
        }
    });
    let content = open(&store, "log");
    let mut lines: Vec<&str> = content.lines().collect();
    assert!(lines.iter().all(|line| line.ends_with(&"x".repeat(1000))));
    lines.sort_unstable();
    lines.dedup();
    assert_eq!(lines.len(), THREADS * ROUNDS);
}

#[test]
fn readers_see_whole_versions_while_writers_replace() {
    let (_directory, store) = store(Durability::Cache);
    let version = |number: usize| format!("{number:08}").repeat(5000);
    assert_eq!(upload(&store, Mode::Create, "a", &version(0)), "Created");
    thread::scope(|scope| {
        let (store, version) = (&store, &version);
        scope.spawn(move || {
            for number in 1..200 {
                assert_eq!(upload(store, Mode::Replace, "a", &version(number)), "Updated");
            }
        });
        for _ in 0..2 {
            scope.spawn(move || {
                for _ in 0..200 {
                    let content = open(store, "a");
                    assert_eq!(content, version(content[..8].parse().unwrap()));
                }
            });
        }
    });
}

#[test]
fn removal_of_a_directory_loses_nothing_that_was_acknowledged() {
    let (_directory, store) = store(Durability::Cache);
    thread::scope(|scope| {
        let store = &store;
        let remover = scope.spawn(move || (0..2000).filter(|_| delete(store, "d") == "Deleted").count());
        for number in 0..200 {
            assert_eq!(upload(store, Mode::Create, "d/a", &format!("{number}")), "Created");
            assert_eq!(open(store, "d/a"), format!("{number}"));
            assert_eq!(delete(store, "d/a"), "Deleted");
            thread::yield_now();
        }
        remover.join().unwrap();
    });
}

/// Goal: no reader sees a part of an append, or waits for its end. Method: pieces that take their time,
/// and readers that have all of it, in a worker and in an event loop; to one length belongs one version.
#[test]
fn readers_see_whole_appends() {
    const APPENDS: usize = 8;
    let (_directory, store) = slow_store(Fault::Pieces, Durability::Cache);
    let line = "x".repeat(600_000) + "\n";
    assert_eq!(upload(&store, Mode::Create, "log", ""), "Created");
    let finished = AtomicBool::new(false);
    let reads = thread::scope(|scope| {
        let (store, finished) = (&store, &finished);
        let version = move |cached| {
            let (mut held, operation) = (Held::Nothing, Operation::Open(path("log"), None));
            let outcome = if cached {
                store.run_cached(operation, &mut held, &mut Names::default())
            } else {
                Ok(store.run(operation, &mut held))
            };
            match outcome {
                Ok(Outcome::Opened(version)) => Some(version),
                Ok(outcome) => panic!("{outcome:?}"),
                Err(_) => None,
            }
        };
        let reader = |cached| {
            scope.spawn(move || {
                let mut versions = BTreeMap::new();
                let mut reads = 0;
                while !finished.load(Ordering::SeqCst) {
                    let Some(version) = version(cached) else { continue };
                    assert_eq!(version.length % 600_001, 0, "cached: {cached}");
                    assert_eq!(*versions.entry(version.length).or_insert(version), version);
                    reads += 1;
                }
                reads
            })
        };
        let readers = [reader(false), reader(true)];
        for number in 0..APPENDS {
            let word = match number % 2 {
                0 => upload(store, Mode::Append, "log", &line),
                _ => streamed(store, Mode::Append, "log", line.split_at(17).into()),
            };
            assert_eq!(word, "Updated");
        }
        finished.store(true, Ordering::SeqCst);
        readers.map(|reader| reader.join().unwrap())
    });
    // Each append has ten pieces, at least, between which a reader has its turn.
    println!("store:appends reads={reads:?}");
    assert!(reads.iter().all(|reads| *reads > 3 * APPENDS), "{reads:?}");
    assert_eq!(open(&store, "log"), line.repeat(APPENDS));
}

/// Goal: no request sees a directory before the file that it is made for. Method: whoever removes
/// directories has all the time between two calls of whoever makes them; each can be removed once.
#[test]
fn parents_appear_together_with_their_file() {
    const CREATIONS: usize = 20;
    let (directory, store) = slow_store(Fault::Short, Durability::Cache);
    let finished = AtomicBool::new(false);
    let removals = thread::scope(|scope| {
        let remover = scope.spawn(|| {
            let mut removals = 0;
            while !finished.load(Ordering::SeqCst) {
                removals += usize::from(delete(&store, "d") == "Deleted");
            }
            removals
        });
        for _ in 0..CREATIONS {
            assert_eq!(upload(&store, Mode::Create, "d/file", "x"), "Created");
            assert_eq!(delete(&store, "d/file"), "Deleted");
            while directory.path().join("d").exists() {
                thread::yield_now();
            }
        }
        finished.store(true, Ordering::SeqCst);
        remover.join().unwrap()
    });
    assert_eq!(removals, CREATIONS);
}

/// Goal: nobody is told of a file in a directory that a power cut could take back. Method: two put
/// files into a directory that is not there yet; whoever is first has to make it.
#[test]
fn nobody_builds_on_a_directory_that_is_not_durable() {
    let (directory, store) = slow_store(Fault::Short, Durability::Disk);
    for round in 0..10 {
        thread::scope(|scope| {
            for thread in 0..2 {
                let (directory, store) = (&directory, &store);
                scope.spawn(move || {
                    let name = format!("d{round}/file{thread}");
                    assert_eq!(upload(store, Mode::Create, &name, "x"), "Created");
                    assert!(store.directory.is_durable(directory.path()), "{name}");
                });
            }
        });
    }
}

/// Goal: a file whose removal fails is still there, whoever removes its directory meanwhile.
/// Method: no removal can be made durable.
#[test]
fn a_file_that_is_put_back_finds_its_directory() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("d")).unwrap();
    fs::write(directory.path().join("d/file"), "kept").unwrap();
    let faulty = Faulty::new(directory.path(), Fault::FolderSync, 0).pause(PAUSE);
    let store = Store::new(faulty, Durability::Disk);
    let (tries, finished) = (AtomicUsize::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        let remover = scope.spawn(|| {
            while !finished.load(Ordering::SeqCst) {
                assert_eq!(delete(&store, "d"), "DirectoryNotEmpty");
                tries.fetch_add(1, Ordering::SeqCst);
            }
        });
        let mut rounds = 0;
        // However the two are scheduled, each has many tries beside the other.
        while !remover.is_finished() && (rounds < 20 || tries.load(Ordering::SeqCst) < 50) {
            assert_eq!(delete(&store, "d/file"), "InputOutput");
            assert_eq!(open(&store, "d/file"), "kept");
            rounds += 1;
        }
        finished.store(true, Ordering::SeqCst);
    });
}

/// Goal: nobody is refused for the sake of a file that never was. Method: no creation can be made
/// durable.
#[test]
fn a_file_that_is_taken_back_refuses_nobody() {
    let (_directory, store) = slow_store(Fault::FolderSync, Durability::Disk);
    let finished = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..20 {
                assert_eq!(upload(&store, Mode::Create, "file", "x"), "InputOutput");
            }
            finished.store(true, Ordering::SeqCst);
        });
        while !finished.load(Ordering::SeqCst) {
            let mut held = Held::Nothing;
            let outcome = store.run(Operation::Stage(intent(Mode::Create, "file")), &mut held);
            assert!(matches!(outcome, Outcome::Staged), "{outcome:?}");
        }
    });
}

/// What the others can do between two calls.
const PAUSE: Duration = Duration::from_micros(200);

/// A store on a directory whose calls take their time and go wrong in one way.
fn slow_store(fault: Fault, durability: Durability) -> (tempfile::TempDir, Store<Faulty>) {
    let directory = tempfile::tempdir().unwrap();
    let faulty = Faulty::new(directory.path(), fault, 0).plain(true).pause(PAUSE);
    let store = Store::new(faulty, durability);
    (directory, store)
}

/// Programs beside the server may do what they like: requests end, and nothing is left behind.
#[test]
fn a_program_that_interferes_breaks_nothing() {
    let (directory, store) = store(Durability::Cache);
    let folder = directory.path().join("d");
    let mut words = BTreeMap::new();
    let finished = AtomicBool::new(false);
    thread::scope(|scope| {
        let (folder, finished) = (&folder, &finished);
        scope.spawn(move || {
            while !finished.load(Ordering::SeqCst) {
                let _ = fs::remove_dir_all(folder);
                let _ = fs::create_dir(folder);
                let _ = fs::write(folder.join("a"), "theirs");
                let _ = fs::remove_file(folder.join("a"));
            }
        });
        for number in 0..600 {
            let mode = [Mode::Create, Mode::Replace, Mode::Append][number % 3];
            let word = match number % 2 {
                0 => upload(&store, mode, "d/a", "ours"),
                _ => streamed(&store, mode, "d/a", ["ou", "rs"]),
            };
            *words.entry(word).or_insert(0) += 1;
        }
        finished.store(true, Ordering::SeqCst);
    });
    println!("store:interference {words:?}");
    assert!(
        words.keys().all(|word| ["Created", "Updated", "FileExists", "Busy"].contains(&&word[..])),
        "{words:?}"
    );
    assert!(listing(&directory.path().join(".http_server")).is_empty());
}

/// Goal: nobody hears of a directory before the file that it is made for. Method: whoever looks has all
/// the time between two calls of whoever makes them, and looks for the file as soon as it hears of one.
#[test]
fn directories_are_heard_of_together_with_their_file() {
    let (_directory, store) = slow_store(Fault::Short, Durability::Disk);
    for round in 0..6 {
        let (folder, file) = (format!("d{round}/e"), format!("d{round}/e/f/file"));
        let asks: [&(dyn Fn() -> String + Sync); 3] =
            [&|| open(&store, &folder), &|| word_of_stage(&store, intent(Mode::Create, &folder)), &|| {
                word_of_list(&store, &folder)
            }];
        for ask in &asks[round % 3..][..1] {
            thread::scope(|scope| {
                scope.spawn(|| assert_eq!(upload(&store, Mode::Create, &file, "content"), "Created"));
                while ask() != "IsDirectory" {
                    thread::yield_now();
                }
                assert_eq!(open(&store, &file), "content", "round {round}");
            });
        }
    }
}

fn word_of_list(store: &Store<impl Directory>, path: &str) -> String {
    match store.run(list(path, 10, 10), &mut Held::Nothing) {
        Outcome::Listed(_) => "IsDirectory".to_owned(),
        outcome => format!("{outcome:?}"),
    }
}

fn word_of_stage(store: &Store<Faulty>, intent: Intent) -> String {
    let mut held = Held::Nothing;
    let word = match store.run(Operation::Stage(intent), &mut held) {
        Outcome::Failed(error) => format!("{:?}", error.kind),
        outcome => outcome_word(&outcome),
    };
    store.discard(held);
    word
}

/// Goal: a change of one path that takes long holds up no change of another. Method: somebody changes
/// one and takes his time, somebody else waits for it, and the others go on.
#[test]
fn whoever_waits_for_a_path_holds_nobody_up() {
    let (_directory, store) = store(Durability::Cache);
    assert_eq!(upload(&store, Mode::Create, "log", "x"), "Created");
    thread::scope(|scope| {
        let changing = store.locks.change(b"log");
        let waiting = [
            scope.spawn(|| upload(&store, Mode::Replace, "log", "y")),
            scope.spawn(|| delete(&store, "log")),
        ];
        thread::sleep(Duration::from_millis(50));
        assert!(waiting.iter().all(|thread| !thread.is_finished()));
        // None of these is "log"'s shard: they would wait for ever, and the test with them.
        assert_eq!(upload(&store, Mode::Create, "new/folder/file", "x"), "Created");
        assert_eq!(upload(&store, Mode::Create, "other", "x"), "Created");
        assert_eq!(delete(&store, "new/folder/file"), "Deleted");
        assert_eq!(delete(&store, "new/folder"), "Deleted");
        drop(changing);
        assert!(
            waiting
                .into_iter()
                .all(|thread| ["Updated", "Deleted", "Created", "NotFound"]
                    .contains(&&*thread.join().unwrap()))
        );
    });
}

/// Goal: two names of one file are two files to a client. Method: another program made the second name;
/// both are appended to at once, and then replaced.
#[test]
fn names_of_one_file_are_changed_apart() {
    let (directory, store) = store(Durability::Cache);
    assert_eq!(upload(&store, Mode::Create, "a", "0"), "Created");
    fs::hard_link(directory.path().join("a"), directory.path().join("b")).unwrap();
    thread::scope(|scope| {
        for name in ["a", "b"] {
            let store = &store;
            scope.spawn(move || {
                for round in 0..50 {
                    let word = match round % 2 {
                        0 => upload(store, Mode::Append, name, name),
                        _ => streamed(store, Mode::Append, name, ["", name]),
                    };
                    assert_eq!(word, "Updated");
                }
            });
        }
    });
    let content = |name: &str| format!("0{}", name.repeat(50));
    assert_eq!((open(&store, "a"), open(&store, "b")), (content("a"), content("b")));
    assert!(listing(&directory.path().join(".http_server")).is_empty());
}
