//! A whole server but for sockets and time: an event loop, workers, and who asks it to end, while a
//! client waits for its answer or goes.

use std::sync::Arc;
use std::time::Duration;

use http_server::clock::{Clock, Instant, Now};
use http_server::driver::access::Access;
use http_server::driver::event_loop::{EventLoop, Message, Parts, Turn};
use http_server::driver::log::Lines;
use http_server::driver::pool::{self, Job};
use http_server::limits::Limits;
use http_server::shared::addresses::AddressCounts;
use http_server::shared::counters::BoundedCount;
use http_server::shared::mailbox::Mailbox;
use http_server::shared::queue::Queue;
use http_server::store::{Durability, Store};
use http_server::sync::schedules::{FEW, Preemptions, VERY_FEW, explore};
use http_server::sync::thread;

use super::wire::{Sockets, Wire};
use super::{STACK_BYTES, TIME};
use crate::alphabet::Request;
use crate::simulated::Simulated;
use crate::wire::read_answer;

/// What its threads share.
struct Server {
    directory: Simulated,
    store: Arc<Store<Simulated>>,
    queue: Arc<Queue<Job<Simulated>>>,
    mailbox: Arc<Mailbox<Message<Simulated>>>,
    connections: Arc<BoundedCount>,
    addresses: Arc<AddressCounts>,
    wire: Arc<Wire>,
    threads: Vec<thread::JoinHandle<()>>,
}

/// Time stands still.
struct StoppedClock;

impl Clock for StoppedClock {
    fn now(&mut self) -> Now {
        Now::new(Instant::from_nanoseconds(0), TIME / 1_000_000_000)
    }
}

fn spawn(body: impl FnOnce() + Send + 'static) -> thread::JoinHandle<()> {
    thread::Builder::new().stack_size(STACK_BYTES).spawn(body).unwrap()
}

fn bytes(line: &str) -> Vec<u8> {
    let request: Request = line.parse().unwrap();
    request.on_the_wire(|tag| tag.to_string())
}

fn post_drain(mailbox: &Mailbox<Message<Simulated>>, wire: &Wire) {
    if mailbox.post(Message::Drain) {
        wire.ring_bell();
    }
}

impl Server {
    /// An event loop, and so many workers.
    fn start(workers: usize) -> Server {
        let directory = Simulated::empty(TIME);
        let mut server = Server {
            store: Arc::new(Store::new(directory.clone(), Durability::Cache)),
            directory,
            queue: Arc::default(),
            mailbox: Arc::default(),
            connections: Arc::new(BoundedCount::new(2)),
            addresses: Arc::new(AddressCounts::new(2)),
            wire: Arc::default(),
            threads: Vec::new(),
        };
        let parts = Parts {
            network: Sockets(Arc::clone(&server.wire)),
            clock: StoppedClock,
            store: Arc::clone(&server.store),
            names: (),
            queue: Arc::clone(&server.queue),
            mailbox: Arc::clone(&server.mailbox),
            connections: Arc::clone(&server.connections),
            addresses: Arc::clone(&server.addresses),
            limits: Arc::new(Limits::default()),
            access: Access::default(),
            log: Lines::none(),
            figures: None,
            ids: None,
            grace: Duration::from_secs(1),
            event_loop: 0,
        };
        server.threads.push(spawn(move || {
            let mut event_loop = EventLoop::new(parts);
            while matches!(event_loop.turn(), Turn::Continue) {}
        }));
        for _ in 0..workers {
            let (store, queue) = (Arc::clone(&server.store), Arc::clone(&server.queue));
            let (mailbox, wire) = (Arc::clone(&server.mailbox), Arc::clone(&server.wire));
            server.threads.push(spawn(move || {
                pool::work(
                    &store,
                    &queue,
                    |_| {},
                    |_, done| {
                        if mailbox.post(Message::Done(done)) {
                            wire.ring_bell();
                        }
                    },
                );
            }));
        }
        server
    }

    fn connect(&self, line: &str) -> usize {
        self.wire.connect(&bytes(line), false)
    }

    /// The same of a client that keeps its connection as long as it may.
    fn connect_and_stay(&self, line: &str) -> usize {
        self.wire.connect(&bytes(line), true)
    }

    /// As a signal asks.
    fn drain(&self) {
        post_drain(&self.mailbox, &self.wire);
    }

    /// A thread that does so.
    fn drainer(&self) -> thread::JoinHandle<()> {
        let (mailbox, wire) = (Arc::clone(&self.mailbox), Arc::clone(&self.wire));
        spawn(move || post_drain(&mailbox, &wire))
    }

    /// Waits for the end, as `Server::wait` does: first for the event loop, then for the workers.
    fn join(&mut self) {
        let mut threads = self.threads.drain(..);
        threads.next().unwrap().join().unwrap();
        self.queue.close();
        threads.for_each(|worker| worker.join().unwrap());
        let mut rest = Vec::new();
        self.mailbox.take(&mut rest);
        drop(rest);
        assert_eq!(self.connections.count(), 0, "a connection is counted for ever");
        assert_eq!(self.addresses.remembered(), 0, "an address is remembered for ever");
        assert!(self.directory.staged().is_empty(), "staged: {:?}", self.directory.staged());
        assert_eq!(self.directory.handles(), 0, "files are still open");
    }

    /// The status and content of the one answer that the client got, if it got one.
    fn answer(&self, number: usize) -> Option<(u16, Vec<u8>)> {
        let bytes = self.wire.received(number);
        if bytes.is_empty() {
            return None;
        }
        let (answer, length) = read_answer(&bytes, false).unwrap().expect("half an answer");
        assert_eq!(length, bytes.len(), "more than one answer");
        Some((answer.status, answer.content))
    }

    /// What is at a path.
    fn content(&self, path: &str) -> Option<Vec<u8>> {
        let mut tree = self.directory.tree();
        tree.remove(&vec![path.as_bytes().to_vec()]).flatten().map(|(_, content)| content)
    }
}

/// Explores what becomes of a server with so many workers.
fn explore_server(
    name: &'static str,
    preemptions: Preemptions,
    outcomes: usize,
    workers: usize,
    play: impl Fn(&mut Server) -> usize + Copy + Send + Sync + 'static,
) {
    explore(name, preemptions, outcomes, move || {
        let body = move || play(&mut Server::start(workers));
        thread::Builder::new().stack_size(STACK_BYTES).spawn(body).unwrap().join().unwrap()
    });
}

// What has come before the end is told is still answered.
#[test]
fn a_drain_answers_who_came_before_it() {
    explore_server("loom:server_drain", FEW, 1, 1, |server| {
        let client = server.connect("PUT a 1:5");
        server.drain();
        server.join();
        assert_eq!(server.answer(client).map(|(status, _)| status), Some(201));
        assert_eq!(server.content("a").as_deref(), Some(&b"<1><1"[..]));
        0
    });
}

// Whose connection is kept, and is not closed by the drain, would hold up the end for ever.
#[test]
fn a_drain_closes_who_stays() {
    explore_server("loom:server_drain_kept", FEW, 1, 1, |server| {
        let client = server.connect_and_stay("PUT a 1:5");
        server.drain();
        server.join();
        assert_eq!(server.answer(client).map(|(status, _)| status), Some(201));
        0
    });
}

#[test]
fn a_drain_answers_whom_it_accepts_and_nobody_else() {
    explore_server("loom:server_drain_connect", FEW, 2, 1, |server| {
        let drainer = server.drainer();
        let client = server.connect("PUT a 1:5");
        drainer.join().unwrap();
        server.join();
        match (server.answer(client), server.content("a").as_deref()) {
            (Some((201, _)), Some(b"<1><1")) => 0,
            (None, None) => 1,
            other => panic!("{other:?}"),
        }
    });
}

// A session stays until its job is back. Who comes next has the same slot, or another.
#[test]
fn who_goes_while_a_job_is_out_takes_no_answer_from_the_next() {
    explore_server("loom:server_reset", FEW, 2, 1, |server| {
        let first = server.connect("PUT a 1:5");
        server.wire.reset(first);
        let second = server.connect("DELETE b");
        server.drain();
        server.join();
        assert_eq!(server.answer(second).map(|(status, _)| status), Some(404));
        // Nobody hears of the first one, but it is whole or not at all.
        usize::from(server.content("a").is_some_and(|content| content == b"<1><1"))
    });
}

#[test]
fn two_workers_answer_two_clients() {
    explore_server("loom:server_2w", VERY_FEW, 2, 2, |server| {
        let clients = ["POST a 1:5", "POST a 2:5"].map(|line| server.connect(line));
        server.drain();
        server.join();
        let statuses = clients.map(|client| server.answer(client).map(|(status, _)| status));
        match (statuses, server.content("a").as_deref()) {
            ([Some(201), Some(409)], Some(b"<1><1")) => 0,
            ([Some(409), Some(201)], Some(b"<2><2")) => 1,
            other => panic!("{other:?}"),
        }
    });
}
