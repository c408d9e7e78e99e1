//! Crashes within histories: of the process by `kill -9`, of the file system beneath it. Who was not
//! answered goes on afterwards, with the same names and the tags that it knew.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use model::linearize::{Call, Outcome};
use tests::{PATIENCE, Server, depth, ledger};

use super::client::{Client, Seen, run_all};
use super::image::{BTRFS, EXT4, Image, Kind, Means, XFS};
use super::random::Random;
use super::record::Record;
use super::tally::Tally;
use super::workload::Workload;
use super::{CACHE, CLIENTS, DISK, expect_order};

/// How many crashes a history has.
const CRASHES: Range<u64> = 1..5;
/// How many requests each client makes before a crash at most, and behind the last.
const REQUESTS: u64 = 14;

/// What a crash is to the clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Crash {
    /// Of the server alone: whatever it has said counts.
    Process,
    /// Of what it stands on: what is said meanwhile would not be heard from a machine that loses power.
    Machine,
}

/// A history that goes on over crashes.
struct Broken {
    record: Record,
    workload: Workload,
    prefix: String,
    calls: Vec<Call>,
}

impl Broken {
    fn new(random: &mut Random, number: u64) -> Broken {
        let (record, workload) = (Record::default(), Workload::new(random, 6));
        Broken { record, workload, prefix: format!("h{number}"), calls: Vec::new() }
    }

    fn clients<'a>(
        &'a self,
        random: &mut Random,
        server: &Server,
        doubts_last_words: bool,
    ) -> Vec<Client<'a>> {
        let client = |number| {
            let random = random.split();
            let mut client = Client::new(number, random, server, &self.record, &self.workload, &self.prefix);
            client.doubts_last_words = doubts_last_words;
            client
        };
        (0..CLIENTS).map(client).collect()
    }

    /// Lets all clients ask until `crash` has broken their connections.
    fn run_into(
        &mut self,
        random: &mut Random,
        server: &mut Server,
        kind: Crash,
        crash: impl FnOnce(&mut Server),
    ) {
        let clients = self.clients(random, server, kind == Crash::Machine);
        let before = self.record.answered.load(Ordering::SeqCst);
        // So many answers from the start, and a moment.
        let answers = before + random.in_range(0..(CLIENTS as u64 - 1) * REQUESTS);
        let moment = Duration::from_micros(random.in_range(0..400));
        let (record, start) = (&self.record, Instant::now());
        let seen = run_all(clients, REQUESTS as usize, |any_goes_on| {
            while record.answered.load(Ordering::SeqCst) < answers && any_goes_on() {
                assert!(start.elapsed() < PATIENCE, "the clients are not answered");
                thread::sleep(Duration::from_micros(20));
            }
            thread::sleep(moment);
            record.crashing.store(true, Ordering::SeqCst);
            crash(server);
        });
        self.record.crashing.store(false, Ordering::SeqCst);
        let until = self.record.now();
        for Seen { answered, lost } in seen {
            self.calls.extend(answered);
            self.calls.extend(lost.into_iter().map(|(client, request, invoked)| {
                let outcome = Outcome::Unknown { until };
                Call { client, request, invoked, outcome }
            }));
        }
    }

    /// Lets all clients come to their end, looks at all that is there, and judges the whole.
    fn finish(mut self, random: &mut Random, server: &Server, tally: &mut Tally) {
        let clients = self.clients(random, server, false);
        let seen = run_all(clients, REQUESTS as usize, |_| ());
        self.calls.extend(seen.into_iter().flat_map(|seen| seen.answered));
        let last = Client::new(0, random.split(), server, &self.record, &self.workload, &self.prefix);
        let last = last.read_all();
        self.calls.extend(last);
        tally.add(&self.calls, expect_order(&self.calls, tally.histories));
        std::fs::remove_dir_all(server.directory().join(&self.prefix)).unwrap_or_default();
    }
}

#[test]
fn what_clients_of_a_killed_server_see_has_an_order() {
    let mut random = Random::from_environment("histories:kill");
    let mut tally = Tally::default();
    let mut crashes = 0;
    for flags in [&CACHE, &DISK] {
        let mut server = Server::start(flags);
        for _ in 0..depth().of(5, 100, 5_000) {
            let mut history = Broken::new(&mut random, tally.histories);
            for _ in 0..random.in_range(CRASHES) {
                history.run_into(&mut random, &mut server, Crash::Process, Server::kill);
                server = server.kill_and_restart(flags);
                crashes += 1;
            }
            history.finish(&mut random, &server, &mut tally);
        }
    }
    report("histories:kill", &tally, crashes);
}

#[test]
fn what_clients_see_over_crashes_of_ext4_has_an_order() {
    crash_file_system(&EXT4, "histories:ext4");
}

#[test]
fn what_clients_see_over_crashes_of_xfs_has_an_order() {
    crash_file_system(&XFS, "histories:xfs");
}

#[test]
fn what_clients_see_over_crashes_of_btrfs_has_an_order() {
    crash_file_system(&BTRFS, "histories:btrfs");
}

fn crash_file_system(kind: &Kind, check: &str) {
    let home = Arc::new(tempfile::tempdir().unwrap());
    let Some(mut image) = Image::new(kind, &home, check) else { return };
    let mut random = Random::from_environment(check);
    let mut tally = Tally::default();
    let mut crashes = 0;
    let mut server = Server::start_in(Arc::clone(&home), &DISK);
    for _ in 0..depth().of(3, 40, 2_000) {
        let mut history = Broken::new(&mut random, tally.histories);
        for _ in 0..random.in_range(CRASHES) {
            match kind.crash {
                Means::Shutdown => {
                    let shutdown = image.shutdown();
                    history.run_into(&mut random, &mut server, Crash::Machine, |server| {
                        shutdown.happen();
                        server.kill();
                    });
                }
                // First the server, because what it says while its disk is copied would be too new.
                Means::Copy => history.run_into(&mut random, &mut server, Crash::Process, |server| {
                    server.kill();
                    image.copy();
                }),
            }
            drop(server);
            image.remount();
            server = Server::start_in(Arc::clone(&home), &DISK);
            crashes += 1;
        }
        history.finish(&mut random, &server, &mut tally);
    }
    drop(server);
    report(check, &tally, crashes);
}

fn report(check: &str, tally: &Tally, crashes: u64) {
    println!("{check} crashes={crashes} {tally}");
    let counts = [
        ("histories", tally.histories),
        ("calls", tally.calls),
        ("crashes", crashes),
        ("unheard", tally.unheard),
    ];
    ledger::record(check, &counts);
}
