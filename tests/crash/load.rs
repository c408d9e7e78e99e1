//! Writers that know what they were told: after a crash everything acknowledged is there, and the
//! one request that each had in flight is wholly there or wholly not.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use model::reference::{Method, Node, Reference};
use tests::{Client, PATIENCE, Server, request};

use super::random::Random;
use super::tally::Tally;

const WRITERS: u64 = 4;
/// No file grows beyond this, so that a small image holds them all.
const FILE_BYTES_MAX: usize = 3 << 20;
const STAGING: &str = ".http_server";

/// Several writers, each with files of its own, over any number of crashes.
pub(crate) struct Load {
    writers: Vec<Writer>,
    /// What a server that has done nothing has in its staging directory.
    fresh: BTreeSet<OsString>,
    pub(crate) tally: Tally,
}

/// One client, and what its files have to hold.
struct Writer {
    random: Random,
    paths: [String; 3],
    /// The number of its next content: no other writer has it.
    number: u64,
    acknowledged: Reference,
    in_flight: Option<Write>,
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
        };
        let fresh = staged(Server::start(&[]).directory());
        Load { writers: (0..WRITERS).map(writer).collect(), fresh, tally: Tally::default() }
    }

    /// Lets all writers write until `crash`, which comes after `time`, has broken their connections.
    pub(crate) fn run(&mut self, server: &mut Server, time: Duration, crash: impl FnOnce(&mut Server)) {
        let crashing = AtomicBool::new(false);
        let clients: Vec<Client> = self.writers.iter().map(|_| server.connect()).collect();
        let acknowledged: usize = thread::scope(|scope| {
            let write = |(writer, client): (_, Client)| {
                let (writer, crashing): (&mut Writer, _) = (writer, &crashing);
                scope.spawn(move || writer.write_until(crashing, client))
            };
            let threads: Vec<_> = self.writers.iter_mut().zip(clients).map(write).collect();
            thread::sleep(time);
            crashing.store(true, Ordering::SeqCst);
            crash(server);
            threads.into_iter().map(|thread| thread.join().expect("no writer fails")).sum()
        });
        self.tally.crashes += 1;
        self.tally.acknowledged += acknowledged;
    }

    /// Starts another server where one died, and holds its tree to what the writers know.
    pub(crate) fn restart(&mut self, directory: &Path, flags: &[&str]) -> Server {
        self.tally.swept += usize::from(staged(directory) != self.fresh);
        let server = Server::start_on(directory, flags);
        // At once: when a server answers, nothing may be left of the one before.
        assert_eq!(staged(directory), self.fresh, "what a dead server left");
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

/// The names in the staging directory; none where the crash took it.
fn staged(directory: &Path) -> BTreeSet<OsString> {
    let entries = fs::read_dir(directory.join(STAGING)).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name()).collect()
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
    /// Writes until the server dies or fails; says how often it succeeded.
    fn write_until(&mut self, crashing: &AtomicBool, mut client: Client) -> usize {
        let start = Instant::now();
        let mut acknowledged = 0;
        loop {
            // A server that outlives its crash must not keep the test for ever.
            assert!(start.elapsed() < PATIENCE, "no crash ended the load");
            let write = self.next_write();
            let line = format!("{} /files/{}", write.method.name(), write.path);
            let bytes = request(&line, &write.content);
            self.in_flight = Some(write.clone());
            let answer = client.exchange_unless_broken(write.method.name(), &bytes);
            let status = answer.as_ref().map(|answer| answer.status);
            if !status.is_some_and(|status| (200..300).contains(&status)) && !self.is_prune(&write) {
                assert!(crashing.load(Ordering::SeqCst), "{line}: {answer:?} without a crash");
                return acknowledged;
            }
            let Some(status) = status else { return acknowledged };
            let expected = write.apply(&mut self.acknowledged);
            // A directory may have been made for a file that then was not there after a crash.
            if !self.is_prune(&write) {
                assert_eq!(status, expected, "{line}");
            }
            self.in_flight = None;
            acknowledged += 1;
        }
    }

    fn is_prune(&self, write: &Write) -> bool {
        !self.paths.contains(&write.path)
    }

    /// A request that succeeds, on any of this writer's paths.
    fn next_write(&mut self) -> Write {
        let path = self.paths[self.random.in_range(0..3) as usize].clone();
        let length = self.acknowledged.request(Method::Get, &path, b"").read.map(|content| content.len());
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
            (Some(_), 0..2) => return Write { method: Method::Delete, path, content: Vec::new() },
            (Some(length), 2..6) if length + content.len() <= FILE_BYTES_MAX => Method::Patch,
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

    /// Finds out what became of the request in flight.
    fn settle(&mut self, client: &mut Client, tally: &mut Tally) {
        let in_flight = self.in_flight.take();
        for path in self.paths.clone() {
            client.send(request(&format!("GET /files/{path}"), ""));
            let answer = client.answer("GET");
            let found = (answer.status == 200).then_some(answer.content);
            assert!(found.is_some() || answer.status == 404, "{path}: {}", answer.status);
            let without = self.acknowledged.request(Method::Get, &path, b"").read;
            let Some(write) = in_flight.as_ref().filter(|write| write.path == path) else {
                assert!(found == without, "{path}, no request in flight: {}", difference(&found, &without));
                continue;
            };
            let before = self.acknowledged.clone();
            write.apply(&mut self.acknowledged);
            let with = self.acknowledged.request(Method::Get, &path, b"").read;
            assert!(
                found == with || found == without,
                "{path}: {} with {} bytes in flight is partly there: {}; {}",
                write.method.name(),
                write.content.len(),
                difference(&found, &without),
                difference(&found, &with),
            );
            let seen = if found == with {
                &mut tally.there
            } else {
                self.acknowledged = before;
                &mut tally.absent
            };
            *seen.entry(write.method).or_default() += 1;
            if write.method == Method::Patch && write.content.len() > 1 << 20 {
                tally.long_appends += 1;
            }
        }
    }
}

impl Write {
    /// Does it to the reference; the status that it has to have.
    fn apply(&self, reference: &mut Reference) -> u16 {
        reference.request(self.method, &self.path, &self.content).status
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
