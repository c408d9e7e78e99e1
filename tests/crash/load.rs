//! Writers that know what they were told: after a crash everything acknowledged is there, and the
//! one request that each had in flight is wholly there or wholly not.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use model::reference::{Method, Node, Reference, Terms};
use tempfile::TempDir;
use tests::{Client, PATIENCE, Server, request};

use super::random::Random;
use super::reader::Reader;
use super::tags::Tags;
use super::tally::Tally;

const WRITERS: u64 = 4;
/// No file grows beyond this, so that a small image holds them all.
const FILE_BYTES_MAX: usize = 3 << 20;
const STAGING: &str = ".http_server";

/// What crashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crash {
    /// The server alone: whatever it has said counts.
    Process,
    /// What it stands on. Nothing that is said while it crashes would be heard from a machine that
    /// loses power; here it can be untrue, because ext4 and XFS may end a sync that a
    /// shutdown cuts short as if it had succeeded.
    Machine,
}

/// Several writers, each with files of its own, over any number of crashes.
pub(crate) struct Load {
    writers: Vec<Writer>,
    random: Random,
    /// What a server that has done nothing has in its staging directory.
    fresh: BTreeSet<OsString>,
    pub(crate) tally: Tally,
}

/// What the threads of one run know of each other.
pub(crate) struct Shared {
    kind: Crash,
    /// Set before the crash begins, so that whatever breaks earlier is a defect.
    pub(crate) crashing: AtomicBool,
    /// How many answers each writer has.
    pub(crate) acknowledged: Vec<AtomicUsize>,
}

/// One client, and what its files have to hold.
pub(crate) struct Writer {
    random: Random,
    pub(crate) paths: [String; 3],
    /// The number of its next content: no other writer has it.
    number: u64,
    acknowledged: Reference,
    in_flight: Option<Write>,
    /// The lengths that a reader found last, where no answer has come to the writer since.
    read: BTreeMap<String, Option<usize>>,
    tags: Tags,
}

/// A request that writes.
#[derive(Clone)]
struct Write {
    method: Method,
    path: String,
    content: Vec<u8>,
}

impl Load {
    pub(crate) fn new(random: &mut Random) -> Load {
        let writer = |number: u64| Writer {
            random: random.split(),
            paths: [format!("a{number}"), format!("b{number}/b"), format!("c{number}/d/e")],
            number,
            acknowledged: Reference::default(),
            in_flight: None,
            read: BTreeMap::new(),
            tags: Tags::default(),
        };
        let writers = (0..WRITERS).map(writer).collect();
        let fresh = staged(Server::start(&[]).directory());
        Load { writers, random: random.split(), fresh, tally: Tally::default() }
    }

    /// Lets all writers write, and a reader read, until `crash`, which comes after `time`, has broken
    /// their connections.
    pub(crate) fn run(
        &mut self,
        server: &mut Server,
        time: Duration,
        kind: Crash,
        crash: impl FnOnce(&mut Server),
    ) {
        let mut reader = Reader::new(self.random.split(), server.connect(), &self.writers);
        let clients: Vec<Client> = self.writers.iter().map(|_| server.connect()).collect();
        let shared = Shared {
            kind,
            crashing: AtomicBool::new(false),
            acknowledged: self.writers.iter().map(|_| AtomicUsize::new(0)).collect(),
        };
        thread::scope(|scope| {
            for ((number, writer), client) in self.writers.iter_mut().enumerate().zip(clients) {
                let shared = &shared;
                scope.spawn(move || writer.write_until_crashed(client, shared, &shared.acknowledged[number]));
            }
            scope.spawn(|| reader.read_until_crashed(&shared));
            thread::sleep(time);
            shared.crashing.store(true, Ordering::SeqCst);
            crash(server);
        });
        self.tally.crashes += 1;
        for (number, acknowledged) in shared.acknowledged.into_iter().enumerate() {
            let acknowledged = acknowledged.into_inner();
            self.tally.acknowledged += acknowledged;
            self.writers[number].read = reader.read_behind(number, acknowledged);
        }
    }

    /// Starts another server where one died, and holds its tree to what the writers know.
    pub(crate) fn restart(&mut self, home: &Arc<TempDir>, flags: &[&str]) -> Server {
        self.tally.swept += usize::from(staged(&home.path().join("data")) != self.fresh);
        let server = Server::start_in(Arc::clone(home), flags);
        // At once: when a server answers, nothing may be left of the one before.
        assert_eq!(staged(server.directory()), self.fresh, "what a dead server left");
        let mut client = server.connect();
        for writer in &mut self.writers {
            writer.settle(&mut client, &mut self.tally);
        }
        let mut expected = BTreeSet::new();
        for (names, node) in self.writers.iter().flat_map(|writer| writer.acknowledged.tree()) {
            if matches!(node, Node::File(_)) {
                expected.insert(String::from_utf8(names.join(&b'/')).unwrap());
            }
        }
        let mut found = BTreeSet::new();
        add_files(server.directory(), "", &mut found);
        assert_eq!(found, expected, "files in the directory");
        for path in [STAGING, ".http_server/", ".http_server/0"] {
            client.send(request(&format!("GET /files/{path}"), ""));
            assert_eq!(client.answer("GET").status, 400, "{path} is reserved");
        }
        server
    }
}

/// The names in the staging directory; none where the crash took it. The times that a server has reserved, where
/// the clock was behind those that it had given, are for all that follow it.
fn staged(directory: &Path) -> BTreeSet<OsString> {
    let entries = fs::read_dir(directory.join(STAGING)).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name()).filter(|name| name != "times").collect()
}

/// The files below `folder`, but for the server's own.
fn add_files(folder: &Path, prefix: &str, files: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        match entry.file_type().unwrap() {
            kind if kind.is_dir() && path != STAGING => add_files(&entry.path(), &format!("{path}/"), files),
            kind if kind.is_dir() => {}
            _ => assert!(files.insert(path)),
        }
    }
}

impl Writer {
    /// Writes until the server dies or fails.
    fn write_until_crashed(&mut self, mut client: Client, shared: &Shared, acknowledged: &AtomicUsize) {
        let start = Instant::now();
        loop {
            // A server that outlives its crash must not keep the test for ever.
            assert!(start.elapsed() < PATIENCE, "no crash ended the load");
            let write = self.next_write();
            let line = format!("{} /files/{}", write.method.name(), write.path);
            let bytes = request(&line, &write.content);
            self.in_flight = Some(write.clone());
            let answer = client.exchange_unless_broken(write.method.name(), &bytes);
            let crashing = shared.crashing.load(Ordering::SeqCst);
            if crashing && (answer.is_none() || shared.kind == Crash::Machine) {
                return;
            }
            let expected = write.apply(&mut self.acknowledged);
            let status = answer.as_ref().map(|answer| answer.status);
            // A directory may be there that was made for a file which a crash then took.
            let pruned = self.is_prune(&write) && matches!(status, Some(200 | 404 | 409));
            assert!(pruned || status == Some(expected), "{line}: {status:?}, not {expected}");
            self.tags.changed(&write.path, answer.as_ref().and_then(|answer| answer.field("etag")));
            self.in_flight = None;
            acknowledged.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn is_prune(&self, write: &Write) -> bool {
        !self.paths.contains(&write.path)
    }

    /// A request that succeeds, on any of this writer's paths.
    fn next_write(&mut self) -> Write {
        let path = self.paths[self.random.in_range(0..3) as usize].clone();
        let length = self.content(&path).map(|content| content.len());
        let content = self.next_content();
        let method = match (length, self.random.in_range(0..8)) {
            // Directories are removed too, so that they have to be made again.
            (None, 0..2) => match path.rsplit_once('/') {
                Some((parent, _)) => {
                    return Write { method: Method::Delete, path: parent.to_owned(), content: Vec::new() };
                }
                None => Method::Put,
            },
            (None, 2..5) => Method::Post,
            (None, 5) => Method::Put,
            (None, _) => Method::Patch,
            (Some(_), 0..3) => return Write { method: Method::Delete, path, content: Vec::new() },
            (Some(length), 3..6) if length + content.len() <= FILE_BYTES_MAX => Method::Patch,
            (Some(_), _) => Method::Put,
        };
        Write { method, path, content }
    }

    /// `<number>` again and again; a third is longer than what a server keeps in memory.
    fn next_content(&mut self) -> Vec<u8> {
        let length = match self.random.in_range(0..6) {
            0 => self.random.in_range(1 << 20..2 << 20),
            1 => self.random.in_range(300 << 10..1 << 20),
            2 => self.random.in_range(1..256 << 10),
            _ => self.random.in_range(1..4 << 10),
        };
        let pattern = format!("<{}>", self.number);
        self.number += WRITERS;
        let length = length as usize;
        let mut content = pattern.repeat(length / pattern.len() + 1).into_bytes();
        content.truncate(length);
        content
    }

    /// Compares all files, and finds out what became of the request in flight.
    fn settle(&mut self, client: &mut Client, tally: &mut Tally) {
        let in_flight = self.in_flight.take();
        for path in self.paths.clone() {
            client.send(request(&format!("GET /files/{path}"), ""));
            let answer = client.answer("GET");
            assert!(matches!(answer.status, 200 | 404), "{path}: {}", answer.status);
            let tag = answer.field("etag").map(str::to_owned);
            let found = (answer.status == 200).then_some(answer.content);
            let changed = match &in_flight {
                Some(write) if write.path == path => self.settle_write(write, &found, tally),
                _ => {
                    let crash = tally.crashes;
                    let kept = self.content(&path);
                    assert!(found == kept, "crash {crash}, {path}: {}", difference(&found, &kept));
                    false
                }
            };
            if changed {
                self.tags.changed(&path, tag.as_deref());
            } else {
                self.tags.expect(&path, tag.as_deref());
            }
        }
    }

    /// Whether the request in flight is there.
    fn settle_write(&mut self, write: &Write, found: &Option<Vec<u8>>, tally: &mut Tally) -> bool {
        let before = self.acknowledged.clone();
        let without = self.content(&write.path);
        write.apply(&mut self.acknowledged);
        let with = self.content(&write.path);
        let there = *found == with;
        let what = format!(
            "crash {}, {} {} with {} bytes in flight",
            tally.crashes,
            write.method.name(),
            write.path,
            write.content.len()
        );
        assert!(
            there || *found == without,
            "{what}, neither absent: {}, nor there: {}",
            difference(found, &without),
            difference(found, &with),
        );
        if let Some(read) = self.read.get(&write.path) {
            let [with, without] = [&with, &without].map(|content| content.as_ref().map(Vec::len));
            assert!(*read == with || *read == without, "{what}: {read:?} bytes were read");
            if *read != without {
                tally.read_early += 1;
                assert!(there, "{what}: read, and then lost");
            }
        }
        let seen = if there { &mut tally.there } else { &mut tally.absent };
        *seen.entry(write.method).or_default() += 1;
        tally.long_appends += usize::from(write.method == Method::Patch && write.content.len() > 1 << 20);
        if !there {
            self.acknowledged = before;
        }
        there
    }

    /// What a file holds by what was acknowledged.
    fn content(&mut self, path: &str) -> Option<Vec<u8>> {
        self.acknowledged.request(Method::Get, path, b"", &Terms::default()).read
    }
}

impl Write {
    /// Does it to the reference; the status that it has to have.
    fn apply(&self, reference: &mut Reference) -> u16 {
        reference.request(self.method, &self.path, &self.content, &Terms::default()).status
    }
}

fn difference(found: &Option<Vec<u8>>, expected: &Option<Vec<u8>>) -> String {
    let (Some(found), Some(expected)) = (found, expected) else {
        let shown = |content: &Option<Vec<u8>>| {
            content.as_ref().map_or("nothing".to_owned(), |content| format!("{} bytes", content.len()))
        };
        return format!("found {}, not {}", shown(found), shown(expected));
    };
    let same = found.iter().zip(expected).take_while(|(left, right)| left == right).count();
    format!("found {} bytes, not {}, equal up to {same}", found.len(), expected.len())
}
