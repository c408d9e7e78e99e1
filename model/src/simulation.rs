//! The whole server in one thread, from one seed: [`run`].
//!
//! The real event loops, sessions, connections, pool and store run as coroutines on a simulated
//! network, clock and disk; clients ask, and what goes wrong does so by chance. Property: whatever
//! the seed, the answers are those of some order of the requests, also across crashes; each is well
//! framed and in its place; once nothing goes wrong any more every request is answered in bounded
//! time; and a server that has ended holds nothing.

mod client;
mod disk;
pub mod faults;
mod network;
mod process;
pub mod random;
mod recorder;
mod tasks;
pub mod total;
mod world;

use std::collections::BTreeMap;
use std::time::Duration;

use http_server::connection::Memory;
use http_server::limits::Limits;
use http_server::store::{Durability, Store};

use crate::alphabet::Request;
use crate::linearize::{self, Call, Verdict};
use crate::reference::{Method, Names, Reference, Terms};
use crate::simulated::{Image, Simulated};
use client::{Client, PATHS};
use faults::{Fault, Faults};
use process::Process;
use random::Random;
use recorder::Recorder;
use tasks::Tasks;
use world::World;

/// What a run is like, all of it from the seed.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Event loops, workers, clients.
    pub event_loops: usize,
    /// Threads that wait for the disk.
    pub workers: usize,
    /// Clients, each with so many requests of its own choice.
    pub clients: usize,
    /// Requests of each client.
    pub requests: usize,
    /// What an acknowledged write survives.
    pub durability: Durability,
    /// Whether the file system lacks what some lack.
    pub plain: bool,
    /// The bounds.
    pub limits: Limits,
}

impl Setting {
    fn choose(random: &mut Random) -> Setting {
        let roomy = random.chance(1, 3);
        let (wide, many) = (Limits::default(), Limits::default().connections_max);
        let narrow = Limits {
            content_buffer_bytes_max: *random.pick(&[64, 4096, wide.content_buffer_bytes_max]),
            discard_bytes_max: *random.pick(&[16, 10_000, wide.discard_bytes_max]),
            connections_max: *random.pick(&[2, 4, many, many]),
            connections_per_address_max: *random.pick(&[2, many, many]),
            queue_jobs_max: *random.pick(&[1, 4, wide.queue_jobs_max]),
            requests_per_connection_max: *random.pick(&[3, 1000, 1000]),
            ..wide.clone()
        };
        let limits = if roomy { wide } else { narrow };
        let (clients, requests) =
            if random.chance(1, 3) { (4, 25) } else { (2 + random.below(3), 8 + random.below(18)) };
        Setting {
            event_loops: 1 + random.below(2),
            workers: 1 + random.below(3),
            clients,
            requests,
            durability: if random.chance(2, 3) { Durability::Disk } else { Durability::Cache },
            plain: random.chance(1, 4),
            limits,
        }
    }
}

/// What came of a run.
#[derive(Debug)]
pub struct Report {
    /// What it was like.
    pub setting: Setting,
    /// Where the server broke a promise, which, in words.
    pub broken: Option<String>,
    /// The same in two runs of one seed.
    pub trace: u64,
    /// Steps of the scheduler.
    pub steps: u64,
    /// Requests to files in the history.
    pub calls: u64,
    /// Steps of the search for an order of them.
    pub searched: u64,
    /// States that a crash in the middle would have left, each recovered and judged.
    pub probes: u64,
    /// Requests whose connection ended without an answer.
    pub unanswered: u64,
    /// The most that any connection owned in memory.
    pub memory: Memory,
    /// What went wrong, and how often.
    pub faults: Faults,
    /// How often each method was answered with each status.
    pub statuses: BTreeMap<(Method, u16), u64>,
    /// Everything that happened, a line each; empty unless it was to be told.
    pub story: Vec<String>,
}

/// Steps that a run may take: many times what any takes.
const STEPS_MAX: u64 = 2_000_000;
/// Steps of the search for an order. Seed 10196 once took more than five million, and has one.
const SEARCH_MAX: u64 = 60_000_000;
/// Images of the disk that are tried at one instant.
const PROBES: usize = 4;
/// How long a request may take once nothing goes wrong any more, and nobody stalls: that of a
/// connection which waits in vain for its peer, several times over.
const CALM_MAX: Duration = Duration::from_secs(400);

/// Runs the server from this seed; with `tells`, with a story.
pub fn run(seed: u64, tells: bool) -> Report {
    let mut random = Random::new(seed);
    let setting = Setting::choose(&mut random);
    let faults = Faults::choose(&mut random);
    let clients = (0..setting.clients)
        .map(|client| Client::new(client, setting.requests, 1 + random.below(4), Vec::new()))
        .collect();
    let mut simulation = Simulation {
        world: World::new(Random::new(random.draw()), faults, tells),
        tasks: Tasks::default(),
        clients,
        recorder: Recorder::default(),
        random,
        image: Image::empty(),
        process: None,
        probes: 0,
        setting,
    };
    let broken = simulation.live().err();
    simulation.report(broken)
}

/// Lets one client make these requests one after the other, and nothing go wrong; the seed chooses
/// how bytes are cut and who runs when.
pub fn replay(requests: &[Request], seed: u64) -> Report {
    let mut reference = Reference::default();
    let with_version = |request: &Request| {
        let Request { method, path, terms, .. } = request;
        let version = reference.request(*method, path, &request.content_bytes(), terms).version;
        (request.clone(), version)
    };
    let given = requests.iter().map(with_version).collect();
    let mut random = Random::new(seed);
    let mut setting = Setting::choose(&mut random);
    // None of which is to stand in the way of one client.
    setting.limits.discard_bytes_max = Limits::default().discard_bytes_max.max(1 << 20);
    let mut faults = Faults::none();
    faults.allow(Fault::Cut, 3);
    faults.allow(Fault::ShortSend, 10);
    let mut simulation = Simulation {
        world: World::new(Random::new(random.draw()), faults, false),
        tasks: Tasks::default(),
        clients: vec![Client::new(0, 0, 1, given)],
        recorder: Recorder::default(),
        random,
        image: Image::empty(),
        process: None,
        probes: 0,
        setting,
    };
    let broken =
        simulation.start().and_then(|()| simulation.finish()).and_then(|()| simulation.drain()).err();
    let mut report = simulation.report(broken);
    if report.broken.is_none() && report.calls != requests.len() as u64 {
        report.broken = Some(format!("{} of {} requests were answered", report.calls, requests.len()));
    }
    report
}

/// Whether there is an order of a history that the reference agrees to; the steps of the search.
fn judge(history: &[Call]) -> Result<u64, String> {
    match linearize::check(history, SEARCH_MAX) {
        Verdict::Linearizable(search) => Ok(search.steps),
        Verdict::NotLinearizable { story } => Err(format!("no order explains\n{story}")),
        Verdict::Undecided => Err("no order was found in time".to_owned()),
    }
}

struct Simulation {
    setting: Setting,
    world: World,
    tasks: Tasks,
    clients: Vec<Client>,
    recorder: Recorder,
    /// For what is scheduled.
    random: Random,
    /// What the disk holds while no process runs.
    image: Image,
    process: Option<Process>,
    /// Crashes that were looked into, without one.
    probes: u64,
}

/// How a process ends before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Crash {
    /// What it wrote stays.
    Kill,
    /// What was not synced may be lost.
    PowerCut,
}

impl Simulation {
    /// The life of a server: asked, interrupted, left in peace, looked through, ended; and what is
    /// left of it looked through once more.
    fn live(&mut self) -> Result<(), String> {
        self.start()?;
        let mut interruptions = self.random.below(4);
        while !self.clients.iter().all(Client::is_done) {
            self.step()?;
            let likely = 1 + 120 * (self.setting.clients * self.setting.requests) as u64;
            if interruptions > 0 && self.random.chance(3, likely) {
                interruptions -= 1;
                self.interrupt()?;
            }
            if self.random.chance(7, likely) {
                self.probe()?;
            }
            if self.random.chance(1, 8 * likely) {
                break;
            }
        }
        self.calm_down();
        self.finish()?;
        self.look_through()?;
        let disk = self.setting.durability == Durability::Disk;
        self.drain()?;
        let crash = if disk { Crash::PowerCut } else { Crash::Kill };
        self.image = self.left_by(crash);
        self.process = None;
        self.start()?;
        self.look_through()?;
        self.drain()
    }

    /// One step of somebody: a task or a client.
    fn step(&mut self) -> Result<(), String> {
        let mut state = self.world.lock();
        state.step += 1;
        if state.step > STEPS_MAX {
            return Err(format!("no end in {STEPS_MAX} steps; left: {}", self.tasks.left()));
        }
        let passes = state.random.within(0..2000);
        state.now += passes;
        if state.seldom(Fault::LongPause, 50) {
            let pause = state.random.within(0..30_000_000_000);
            state.now += pause;
            state.note(pause, || "time jumps".to_owned());
        }
        if state.seldom(Fault::ClockSet, 50) {
            let by = state.random.within(0..172_800_000_000_000).cast_signed() - 86_400_000_000_000;
            state.set_by += by;
            state.note(by.unsigned_abs(), || format!("the clock is set by {by} ns"));
        }
        if state.faults.enabled(Fault::NoSpace) && state.random.chance(1, 200) {
            state.full = !state.full && !state.faults.are_over();
        }
        let tasks = self.tasks.runnable(state.now, |event_loop| state.has_events(event_loop));
        let able = |client: &&usize| self.clients[**client].can_act(&state);
        let clients: Vec<usize> = (0..self.clients.len()).collect();
        let clients: Vec<usize> = clients.iter().filter(able).copied().collect();
        let weight = tasks.iter().map(|(_, weight)| weight).sum::<u64>() + 2 * clients.len() as u64;
        if weight == 0 {
            drop(state);
            return self.pass_time();
        }
        let mut chosen = self.random.within(0..weight);
        for (task, weight) in tasks {
            if chosen < weight {
                drop(state);
                let (name, pause) = self.tasks.step(task);
                if !matches!(pause, tasks::Pause::Blocked) {
                    self.world.lock().note(task as u64, || format!(" {name} {task}: {pause:?}"));
                }
                return self
                    .tasks
                    .panic
                    .take()
                    .map_or(Ok(()), |panic| Err(format!("{name} panicked: {panic}")));
            }
            chosen -= weight;
        }
        let client = clients[(chosen / 2) as usize];
        self.tasks.stir();
        self.clients[client].act(&mut state, &mut self.recorder)
    }

    /// Nobody can do anything: until the first of those who wait for a time.
    fn pass_time(&mut self) -> Result<(), String> {
        if self.tasks.rouse() {
            return Ok(());
        }
        let mut state = self.world.lock();
        let now = state.now;
        let clients = self.clients.iter().filter_map(|client| client.next_time(now));
        let Some(next) = clients.chain(self.tasks.next_time()).min() else {
            return Err(format!("nobody can go on; left: {}", self.tasks.left()));
        };
        state.now = next.max(now);
        state.note(next, || "time passes".to_owned());
        Ok(())
    }

    fn interrupt(&mut self) -> Result<(), String> {
        let mut state = self.world.lock();
        let kill = state.faults.enabled(Fault::Kill);
        let cut = state.faults.enabled(Fault::PowerCut) && self.setting.durability == Durability::Disk;
        let drain = state.faults.enabled(Fault::Drain);
        let crash = match self.random.below(3) {
            0 if kill => Crash::Kill,
            1 if cut => Crash::PowerCut,
            2 if drain => {
                state.faults.count(Fault::Drain);
                drop(state);
                self.drain()?;
                self.image = self.left_by(Crash::Kill);
                self.process = None;
                return self.start();
            }
            _ => return Ok(()),
        };
        state.faults.count(if crash == Crash::Kill { Fault::Kill } else { Fault::PowerCut });
        drop(state);
        self.crash(crash)?;
        self.start()
    }

    /// Looks into a crash here, without one: whatever it leaves, a recovery makes of it what the
    /// answers so far allow.
    fn probe(&mut self) -> Result<(), String> {
        let disk = self.setting.durability == Durability::Disk;
        for _ in 0..PROBES {
            let image = self.left_by(if disk { Crash::PowerCut } else { Crash::Kill });
            let (at, time) = {
                let state = self.world.lock();
                (state.step, state.time())
            };
            let directory = Simulated::new(&image, time, self.setting.plain);
            let store = Store::new(directory.clone(), self.setting.durability);
            store.recover().map_err(|error| format!("a crash cannot be recovered from: {error}"))?;
            let mut history = self.recorder.calls_until(at);
            let tree = directory.tree();
            // The last one is no path of a file.
            for path in PATHS.iter().filter(|path| !path.starts_with('.') && !path.ends_with('/')) {
                let names: Names = path.split('/').map(|name| name.as_bytes().to_vec()).collect();
                let time = at + 1 + 2 * history.len() as u64;
                history.push(self.recorder.found(path, time, tree.get(&names)));
            }
            judge(&history).map_err(|error| format!("what a crash at step {at} leaves: {error}"))?;
            self.probes += 1;
        }
        Ok(())
    }

    /// Nothing goes wrong from now on.
    fn calm_down(&mut self) {
        let mut state = self.world.lock();
        state.faults.calm();
        state.full = false;
        state.note(0, || "from now on nothing goes wrong".to_owned());
    }

    /// Everything that was asked is answered, and the rest of what is to be asked.
    fn finish(&mut self) -> Result<(), String> {
        let begun = self.world.lock().now;
        while !self.clients.iter().all(Client::is_done) {
            self.step()?;
            let passed = Duration::from_nanos(self.world.lock().now - begun);
            if passed > CALM_MAX {
                return Err(format!("not answered in {passed:?}: {:?}", self.clients));
            }
        }
        Ok(())
    }

    /// One more client reads everything.
    fn look_through(&mut self) -> Result<(), String> {
        let read = |path: &&str| Request {
            method: Method::Get,
            path: (*path).to_owned(),
            content: None,
            terms: Terms::default(),
        };
        let requests = PATHS.iter().map(|path| (read(path), None)).collect();
        self.clients.push(Client::new(self.clients.len(), 0, 1, requests));
        self.finish()
    }

    fn report(mut self, broken: Option<String>) -> Report {
        let (mut calls, mut searched, mut broken) = (0, 0, broken);
        let statuses = std::mem::take(&mut self.recorder.statuses);
        if broken.is_none() {
            let history = self.recorder.calls();
            calls = history.len() as u64;
            match judge(&history) {
                Ok(steps) => searched = steps,
                Err(error) => broken = Some(error),
            }
        } else {
            // Else what the tasks hold could not be let go of.
            self.abandon();
        }
        let mut state = self.world.lock();
        Report {
            setting: self.setting,
            broken,
            trace: state.trace(),
            steps: state.step,
            calls,
            searched,
            probes: self.probes,
            unanswered: self.clients.iter().map(|client| client.unanswered).sum(),
            memory: state.memory,
            faults: state.faults.clone(),
            statuses,
            story: state.take_story(),
        }
    }
}
