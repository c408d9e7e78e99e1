//! The simulated directory does what the real one does.
//!
//! Goal: the enumeration judges calls as they are. Method: the same random calls to both, also such
//! as the store never makes, with the same results, errors included.

use std::ffi::{CStr, CString};
use std::fmt::Debug;
use std::io;

use http_server::store::base_directory::BaseDirectory;
use http_server::store::directory::{Directory, Entry, Found, StagedName};
use model::simulated::Simulated;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tests::{depth, ledger};

use super::enumeration::START;

const PATHS: [&CStr; 5] = [c"", c"d", c"d/e", c"x", c"x/y"];
const NAMES: [&CStr; 4] = [c"d", c"e", c"x", c"y"];

/// A call and what it is made with: choices among what there is.
type Call = (u8, u8, u8, u8);

/// What is open or staged on the way.
struct Hand<D: Directory> {
    files: Vec<(D::File, bool)>,
    folders: Vec<D::Folder>,
    staged: Vec<StagedName>,
}

/// Makes the calls, and says what came of each.
fn perform<D: Directory>(directory: &D, calls: &[Call]) -> Vec<String> {
    let folders = vec![directory.open_folder(c"").unwrap()];
    let mut hand = Hand { files: Vec::new(), folders, staged: Vec::new() };
    calls.iter().map(|call| step(directory, &mut hand, *call)).collect()
}

fn choose<T>(all: &[T], choice: u8) -> Option<&T> {
    all.get(usize::from(choice) % all.len().max(1))
}

fn step<D: Directory>(directory: &D, hand: &mut Hand<D>, (call, first, second, third): Call) -> String {
    let name = NAMES[usize::from(first) % NAMES.len()];
    let path = PATHS[usize::from(first) % PATHS.len()];
    let folder = &hand.folders[usize::from(second) % hand.folders.len()];
    let is_folder = matches!(directory.look_up(folder, name), Ok(Entry::Directory));
    let content = vec![b'a' + first % 26; usize::from(third)];
    let offset = u64::from(second) * 40;
    let file = choose(&hand.files, first);
    let staged = choose(&hand.staged, third).copied();
    match (call % 20, file, staged) {
        (0, ..) => keep(&mut hand.files, directory.open_file(path), false),
        (1, ..) => keep(&mut hand.files, directory.open_for_append(folder, name), true),
        (2, ..) => match directory.open_folder(path) {
            Ok(folder) => {
                hand.folders.push(folder);
                "open".to_owned()
            }
            Err(error) => show(Err::<(), _>(error)),
        },
        (3, ..) => show(directory.look_up(folder, name).map(|entry| match entry {
            Entry::File(version) => format!("{} bytes", version.length),
            entry => format!("{entry:?}"),
        })),
        (4, ..) => show(directory.make_folder(folder, name)),
        (5 | 6, ..) => show(directory.stage(None).map(|(file, staged)| {
            hand.files.push((file, true));
            hand.staged.push(staged);
        })),
        (7 | 8, Some((file, _)), _) => show(directory.write(file, &content, offset)),
        (9, Some((file, true)), _) => show(directory.truncate(file, offset)),
        (10, Some((file, _)), _) => {
            let mut buffer = vec![0; usize::from(third)];
            let read = directory.read(file, &mut buffer, offset);
            show(read.map(|count| buffer[..count].to_vec()))
        }
        (11, Some((file, _)), _) => {
            let set = directory.set_modified(file, START + i64::from(third) * 100);
            let version = directory.version(file).map(|version| (version.modified, version.length));
            show(set.and(version))
        }
        (12, Some((from, _)), _) if hand.files.len() > 1 => {
            let to = usize::from(first) % hand.files.len();
            let (to, _) = &hand.files[(to + 1) % hand.files.len()];
            // Of one file to itself, it depends on where.
            let same = directory.version(from).unwrap().inode == directory.version(to).unwrap().inode;
            if same {
                "the same".to_owned()
            } else {
                show(directory.copy((from, 0), (to, offset), third.into()))
            }
        }
        (13, _, Some(staged)) => show(directory.publish_new(staged, folder, name)),
        // The store looks first whether a file is there.
        (14, _, Some(staged)) if !is_folder => show(directory.exchange(staged, folder, name)),
        (15, _, Some(staged)) => show(directory.publish_over(staged, folder, name)),
        (16, ..) if !is_folder => {
            show(directory.retire(c"", folder, name).map(|staged| hand.staged.push(staged)))
        }
        (17, Some((file, _)), _) => show(directory.version(file).and_then(|version| {
            let record = directory.record_undo(c"", file, version)?;
            hand.staged.push(record);
            Ok(record.undo.map(|(length, _)| length))
        })),
        (18, _, Some(staged)) => match third % 3 {
            0 => show(directory.unstage(staged)),
            1 => show(directory.open_staged(staged).map(|file| hand.files.push((file, true)))),
            _ => show(directory.sync_staged(staged)),
        },
        (19, ..) => match third % 2 {
            0 => show(directory.remove_file(folder, name)),
            _ => show(directory.remove_folder(folder, name)),
        },
        _ => "nothing".to_owned(),
    }
}

fn keep<F>(files: &mut Vec<(F, bool)>, found: io::Result<Found<F>>, writes: bool) -> String {
    show(found.map(|found| match found {
        Found::File(file, version) | Found::Shared(file, version) => {
            files.push((file, writes));
            format!("{} bytes", version.length)
        }
        Found::Directory => "a directory".to_owned(),
        Found::Other => "something else".to_owned(),
    }))
}

fn show<T: Debug>(result: io::Result<T>) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!("{:?} {:?}", error.kind(), error.raw_os_error()),
    }
}

/// Everything below `path`, as calls see it.
fn tree<D: Directory>(directory: &D, path: &str, lines: &mut Vec<String>) {
    let folder = directory.open_folder(&CString::new(path).unwrap()).unwrap();
    for name in NAMES {
        let inner = format!("{path}/{}", name.to_str().unwrap());
        let inner = inner.trim_start_matches('/');
        match directory.look_up(&folder, name) {
            Ok(Entry::Directory) => {
                lines.push(format!("{inner}/"));
                tree(directory, inner, lines);
            }
            Ok(Entry::File(version)) => lines.push(format!("{inner} {}", version.length)),
            other => lines.push(format!("{inner} {:?}", other.is_ok())),
        }
    }
}

#[test]
fn simulated_calls_do_what_real_ones_do() {
    let cases = depth().of(1000, 4000, 1_000_000);
    let mut runner = TestRunner::new(Config { cases, ..Config::with_source_file(file!()) });
    let calls = prop::collection::vec(any::<Call>(), 1..80);
    let mut outcomes = std::collections::BTreeMap::<(u8, String), u32>::new();
    let seen = std::cell::RefCell::new(&mut outcomes);
    let result = runner.run(&calls, |calls| {
        let directory = tempfile::tempdir().unwrap();
        let real = BaseDirectory::open(directory.path()).unwrap();
        let simulated = Simulated::empty(START);
        let (expected, got) = (perform(&real, &calls), perform(&simulated, &calls));
        for (number, call) in calls.iter().enumerate() {
            let word = expected[number].split(' ').next().unwrap_or_default();
            let word = if word.chars().all(char::is_alphabetic) { word } else { "done" };
            *seen.borrow_mut().entry((call.0 % 20, word.to_owned())).or_insert(0) += 1;
            prop_assert_eq!(&got[number], &expected[number], "call {} {:?}", number, call);
        }
        let (mut real_tree, mut simulated_tree) = (Vec::new(), Vec::new());
        tree(&real, "", &mut real_tree);
        tree(&simulated, "", &mut simulated_tree);
        prop_assert_eq!(simulated_tree, real_tree);
        // A number may be used up by a call that fails.
        let undo = |names: Vec<StagedName>| {
            let mut undo: Vec<_> = names.iter().map(|name| name.undo.map(|(length, _)| length)).collect();
            undo.sort();
            undo
        };
        prop_assert_eq!(undo(simulated.staged()), undo(real.leftovers().unwrap()));
        Ok(())
    });
    result.unwrap();
    let outcomes = outcomes.len() as u64;
    ledger::record("crash_model:real", &[("sequences", cases.into()), ("outcomes", outcomes)]);
}
