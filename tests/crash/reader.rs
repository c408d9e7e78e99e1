//! A reader beside the writers: what it has seen, no crash may take back.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use tests::{Client, request};

use super::load::{Shared, Writer};
use super::random::Random;

/// Asks for the lengths of all files, in any order.
pub(crate) struct Reader {
    random: Random,
    client: Client,
    /// Paths, each with the number of its writer.
    paths: Vec<(usize, String)>,
    last: BTreeMap<(usize, String), Reading>,
}

/// The last length of a file that was found.
struct Reading {
    /// How many answers the file's writer had when it was asked for.
    acknowledged: usize,
    /// Nothing where no file was.
    length: Option<usize>,
}

impl Reader {
    pub(crate) fn new(random: Random, client: Client, writers: &[Writer]) -> Reader {
        let paths = writers.iter().enumerate();
        let paths = paths.flat_map(|(number, writer)| writer.paths.clone().map(|path| (number, path)));
        Reader { random, client, paths: paths.collect(), last: BTreeMap::new() }
    }

    pub(crate) fn read_until_crashed(&mut self, shared: &Shared) {
        loop {
            let index = self.random.in_range(0..self.paths.len() as u64) as usize;
            let (number, path) = self.paths[index].clone();
            let acknowledged = shared.acknowledged[number].load(Ordering::SeqCst);
            let head = request(&format!("HEAD /files/{path}"), "");
            let answer = self.client.exchange_unless_broken("HEAD", &head);
            // What is read while a file system crashes need not be true.
            if shared.crashing.load(Ordering::SeqCst) {
                return;
            }
            let answer = answer.expect("nothing breaks before the crash");
            let length = match answer.status {
                200 => answer.field("content-length").map(|length| length.parse().unwrap()),
                status => {
                    assert_eq!(status, 404, "{path}");
                    None
                }
            };
            self.last.insert((number, path), Reading { acknowledged, length });
            // The writers are to have most of the machine.
            thread::sleep(Duration::from_micros(100));
        }
    }

    /// What was found of a writer's files when it had all answers that it got: nothing but its
    /// request in flight can have changed them since.
    pub(crate) fn read_behind(&self, number: usize, acknowledged: usize) -> BTreeMap<String, Option<usize>> {
        let last = self.last.iter().filter(|((writer, _), _)| *writer == number);
        let behind = last.filter(|(_, reading)| reading.acknowledged == acknowledged);
        behind.map(|((_, path), reading)| (path.clone(), reading.length)).collect()
    }
}
