//! The server's process: what it is made of, how it starts, ends, and dies: [`Process`].

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_server::clock::{Clock, Instant, Now};
use http_server::connection::{Memory, OUTPUT_BYTES_BATCH};
use http_server::driver::access::Access;
use http_server::driver::event_loop::{EventLoop, Message, Parts, Turn};
use http_server::driver::log::Lines;
use http_server::driver::pool::{self, Job, PIECE_BYTES_MAX};
use http_server::driver::session::RECEIVE_BYTES_MAX;
use http_server::limits::Limits;
use http_server::shared::addresses::AddressCounts;
use http_server::shared::counters::BoundedCount;
use http_server::shared::mailbox::Mailbox;
use http_server::shared::queue::Queue;
use http_server::store::Store;

use super::client::Client;
use super::disk::Disk;
use super::faults::Fault;
use super::network::{Listening, Sockets};
use super::tasks::Tasks;
use super::total::larger;
use super::world::World;
use super::{Crash, Simulation};
use crate::simulated::{Image, Simulated};

/// How long the server may take to end: the grace that it has, and its turns.
const GRACE: Duration = Duration::from_secs(10);
/// Bytes that answers take before the next one waits, and those of one answer: a head, and what is
/// copied of a file.
const ANSWERS_BYTES_MAX: usize = OUTPUT_BYTES_BATCH + PIECE_BYTES_MAX + 4096;
/// Steps in which tasks come to their end whose every call fails.
const RUN_OUT_MAX: usize = 1_000_000;

/// A server that runs.
pub(super) struct Process {
    directory: Simulated,
    queue: Arc<Queue<Job<Disk>>>,
    mailboxes: Vec<Arc<Mailbox<Message<Disk>>>>,
    connections: Arc<BoundedCount>,
    addresses: Arc<AddressCounts>,
    store: Arc<Store<Disk>>,
    /// Event loops that have not ended.
    turning: Arc<AtomicUsize>,
    /// Calls that had failed when it started.
    failures: u64,
}

/// Whether what a connection owns is in its bounds, twice which a growing buffer may take.
fn check_memory(memory: Memory, limits: &Limits, world: &World) {
    let Memory { unread, content, unsent } = memory;
    let bounds =
        (limits.head_bytes_max + RECEIVE_BYTES_MAX, limits.content_buffer_bytes_max, ANSWERS_BYTES_MAX);
    let within = unread <= 2 * bounds.0 && content <= 2 * bounds.1 && unsent <= 2 * bounds.2;
    assert!(within, "{memory:?} where the bounds are {bounds:?}");
    let mut state = world.lock();
    state.memory = larger(state.memory, memory);
}

struct SimulatedClock(World);

impl Clock for SimulatedClock {
    fn now(&mut self) -> Now {
        let state = self.0.lock();
        Now::new(Instant::from_nanoseconds(state.now), state.time().div_euclid(1_000_000_000))
    }
}

impl Simulation {
    /// Starts a server on what the disk holds, as often as it takes.
    pub(super) fn start(&mut self) -> Result<(), String> {
        loop {
            let time = {
                let mut state = self.world.lock();
                (state.sync_failed, state.doubtful) = (false, false);
                state.time()
            };
            let directory = Simulated::new(&self.image, time, self.setting.plain);
            let disk = Disk { directory: directory.clone(), world: self.world.clone() };
            let store = Arc::new(Store::new(disk, self.setting.durability));
            let failures = self.failures();
            let mailboxes = (0..self.setting.event_loops).map(|_| Arc::default()).collect();
            let limits = &self.setting.limits;
            self.process = Some(Process {
                directory,
                queue: Arc::default(),
                mailboxes,
                connections: Arc::new(BoundedCount::new(limits.connections_max)),
                addresses: Arc::new(AddressCounts::new(limits.connections_per_address_max)),
                store: Arc::clone(&store),
                turning: Arc::default(),
                failures,
            });
            let outcome = Arc::new(Mutex::new(None));
            let told = Arc::clone(&outcome);
            self.tasks.spawn("recovery", 10, move || {
                *told.lock().unwrap_or_else(PoisonError::into_inner) = Some(store.recover());
            });
            while !self.tasks.are_over() {
                self.step()?;
                if self.world.lock().seldom(Fault::CrashInRecovery, 2) {
                    break;
                }
            }
            let recovered = outcome.lock().unwrap_or_else(PoisonError::into_inner).take();
            let mut state = self.world.lock();
            match recovered {
                Some(Ok(())) => {
                    state.note(0, || "the server has recovered".to_owned());
                    break;
                }
                Some(Err(error)) if self.failures_of(&state.faults) > failures => {
                    state.note(1, || format!("the server does not start: {error}"));
                }
                Some(Err(error)) => return Err(format!("the server does not start: {error}")),
                None => {}
            }
            drop(state);
            let cut =
                self.setting.durability == http_server::store::Durability::Disk && self.random.chance(1, 2);
            self.crash(if cut { Crash::PowerCut } else { Crash::Kill })?;
        }
        self.tasks = Tasks::default();
        self.listen();
        Ok(())
    }

    /// Event loops and workers begin.
    fn listen(&mut self) {
        let limits = Arc::new(self.setting.limits.clone());
        self.world.lock().listening.clear();
        for event_loop in 0..self.setting.event_loops {
            let weight = self.weight();
            let Some(process) = &self.process else { return };
            self.world.lock().listening.push(Listening::default());
            let parts = Parts {
                network: Sockets { world: self.world.clone(), event_loop },
                clock: SimulatedClock(self.world.clone()),
                store: Arc::clone(&process.store),
                names: (),
                queue: Arc::clone(&process.queue),
                mailbox: Arc::clone(&process.mailboxes[event_loop]),
                connections: Arc::clone(&process.connections),
                addresses: Arc::clone(&process.addresses),
                limits: Arc::clone(&limits),
                access: Access::default(),
                log: Lines::none(),
                figures: None,
                ids: None,
                grace: GRACE,
                event_loop,
            };
            process.turning.fetch_add(1, Ordering::Relaxed);
            let turning = Arc::clone(&process.turning);
            let (limits, world) = (Arc::clone(&limits), self.world.clone());
            self.tasks.spawn("event loop", weight, move || {
                let mut event_loop = EventLoop::new(parts);
                while matches!(event_loop.turn(), Turn::Continue) {
                    for memory in event_loop.memory() {
                        check_memory(memory, &limits, &world);
                    }
                }
                drop(event_loop);
                turning.fetch_sub(1, Ordering::Relaxed);
            });
        }
        for _ in 0..self.setting.workers {
            let weight = self.weight();
            let Some(process) = &self.process else { return };
            let (store, queue) = (Arc::clone(&process.store), Arc::clone(&process.queue));
            let (mailboxes, world) = (process.mailboxes.clone(), self.world.clone());
            self.tasks.spawn("worker", weight, move || {
                pool::work(
                    &store,
                    &queue,
                    |_| {},
                    |event_loop, done| {
                        if mailboxes[event_loop].post(Message::Done(done)) {
                            world.lock().ring(event_loop);
                        }
                    },
                );
            });
        }
    }

    /// How likely a thread is to run: some hardly ever are.
    fn weight(&mut self) -> u64 {
        if self.world.lock().strike(Fault::Preempted) { 1 } else { 40 }
    }

    /// The server is asked to end, and has to in its grace.
    pub(super) fn drain(&mut self) -> Result<(), String> {
        let Some(process) = &self.process else { return Ok(()) };
        let begun = {
            let mut state = self.world.lock();
            state.note(2, || "the server is asked to end".to_owned());
            for (event_loop, mailbox) in process.mailboxes.iter().enumerate() {
                if mailbox.post(Message::Drain) {
                    state.ring(event_loop);
                }
            }
            state.now
        };
        self.tasks.stir();
        let turning = Arc::clone(&process.turning);
        let mut jumps = 0;
        while turning.load(Ordering::Relaxed) > 0 {
            let before = self.world.lock().now;
            self.step()?;
            let now = self.world.lock().now;
            // What no server can help: time that passes between two steps, and a disk that is slow.
            jumps += (now - before).saturating_sub(1_000_000_000);
            if Duration::from_nanos(now - begun - jumps.min(now - begun)) > 3 * GRACE {
                return Err(format!(
                    "has not ended {:?} after it was asked to",
                    Duration::from_nanos(now - begun)
                ));
            }
        }
        self.end()
    }

    /// What `Server::run` does when its event loops have ended; then nothing may be left.
    fn end(&mut self) -> Result<(), String> {
        let Some(process) = &self.process else { return Ok(()) };
        let (store, queue) = (Arc::clone(&process.store), Arc::clone(&process.queue));
        self.tasks.spawn("main", 40, move || {
            queue.close();
            while let Some(job) = queue.pop() {
                store.discard(job.held);
            }
        });
        while !self.tasks.are_over() {
            self.step()?;
        }
        let Some(process) = &self.process else { return Ok(()) };
        let (store, mailboxes) = (Arc::clone(&process.store), process.mailboxes.clone());
        self.tasks.spawn("main", 40, move || {
            let mut messages = Vec::new();
            for mailbox in mailboxes {
                mailbox.take(&mut messages);
                for message in messages.drain(..) {
                    if let Message::Done(done) = message {
                        store.discard(done.held);
                    }
                }
            }
        });
        while !self.tasks.are_over() {
            self.step()?;
        }
        self.tasks = Tasks::default();
        self.recorder.all_is_over(self.world.lock().step);
        self.clients.iter_mut().for_each(Client::broken);
        self.nothing_is_left()
    }

    fn nothing_is_left(&mut self) -> Result<(), String> {
        let Some(process) = &self.process else { return Ok(()) };
        let mut state = self.world.lock();
        let failed = self.failures_of(&state.faults) > process.failures;
        let staged = process.directory.staged();
        let left = [
            ("connections", state.open()),
            ("connections counted", process.connections.count()),
            ("addresses", process.addresses.remembered()),
            ("files open", process.directory.handles()),
            ("jobs", process.queue.waiting()),
            // What could not be removed stays for the next start.
            ("files staged", if failed { 0 } else { staged.len() }),
        ];
        state.break_all();
        match left.iter().find(|(_, count)| *count > 0) {
            Some((what, count)) => Err(format!("the server has ended, and left {what}: {count}; {staged:?}")),
            None => Ok(()),
        }
    }

    /// What the disk holds after this.
    pub(super) fn left_by(&mut self, crash: Crash) -> Image {
        let Some(process) = &self.process else { return Image::empty() };
        let doubtful = {
            let state = self.world.lock();
            // What replaced a file by a rename cannot be taken back.
            state.doubtful || state.sync_failed && self.setting.plain
        };
        if crash == Crash::Kill || doubtful {
            return process.directory.image();
        }
        let history = process.directory.history();
        let crash = history.crash(history.len());
        let kept: Vec<bool> = match self.random.below(4) {
            0 => vec![false; crash.pending()],
            1 => vec![true; crash.pending()],
            _ => (0..crash.pending()).map(|_| self.random.chance(1, 2)).collect(),
        };
        crash.image(|change| kept[change])
    }

    /// The process is gone in the middle of what it does.
    pub(super) fn crash(&mut self, crash: Crash) -> Result<(), String> {
        self.image = self.left_by(crash);
        {
            let mut state = self.world.lock();
            state.note(3, || format!("{crash:?}"));
            let step = state.step;
            self.recorder.all_is_over(step);
        }
        self.clients.iter_mut().for_each(Client::broken);
        if self.abandon() { Ok(()) } else { Err(format!("stuck after its death: {}", self.tasks.left())) }
    }

    /// Lets everything that runs come to its end, without effect; whether it did.
    pub(super) fn abandon(&mut self) -> bool {
        {
            let mut state = self.world.lock();
            state.dead = true;
            state.break_all();
        }
        if let Some(process) = &self.process {
            process.queue.close();
        }
        let ended = self.tasks.run_out(RUN_OUT_MAX, &mut self.random);
        // What is still on its way is let go of without effect, too.
        self.process = None;
        self.world.lock().dead = false;
        ended
    }

    /// Calls on the disk that have failed.
    fn failures(&self) -> u64 {
        self.failures_of(&self.world.lock().faults)
    }

    fn failures_of(&self, faults: &super::faults::Faults) -> u64 {
        [Fault::InputOutput, Fault::NoSpace, Fault::NoDescriptors]
            .iter()
            .map(|fault| faults.counted(*fault))
            .sum()
    }
}
