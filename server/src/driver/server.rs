//! The threads of the server, from its start to its end: [`Server`].

mod signals;
mod watched;

use std::ffi::OsStr;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use sd_notify::NotifyState;

use signals::{Again, obey};
use watched::Watch;

use super::access::Access;
use super::admin::{self, Pages};
use super::certificate::{Certificate, CertificateFiles};
use super::confinement::{Confinement, Reach, confine};
use super::diagnostics::{self, Level};
use super::event_loop::{EventLoop, Message, Parts, REFUSED_MAX, Turn};
use super::failure::{RunError, StartError};
use super::listeners::{Endpoint, Listeners, Wanted};
use super::log::{Format, Lines, Log, LogFile};
use super::network::SystemNetwork;
use super::pool::{self, Job, Pool};
use super::socket_file::SocketFile;
use crate::api::rights::Rights;
use crate::clock::SystemClock;
use crate::connection::RequestIds;
use crate::limits::Limits;
use crate::shared::addresses::AddressCounts;
use crate::shared::counters::BoundedCount;
use crate::shared::figures::Figures;
use crate::shared::kept::Kept;
use crate::shared::mailbox::Mailbox;
use crate::shared::queue::Queue;
use crate::store::base_directory::{BaseDirectory, OpenFile};
use crate::store::directory::Directory;
use crate::store::path::RESERVED_NAME;
use crate::store::{Durability, Store};
use crate::sys::descriptors;
use crate::sys::event_fd::EventFd;
use crate::sys::scheduling;
use crate::sys::signal::{Signals, ignore_file_size_signal};
use crate::sys::socket::Listener;
use crate::users::Users;

/// How long the end waits for lines of the log that nobody reads.
const LOG_TIME_MAX: Duration = Duration::from_secs(1);

/// Files that stay open for a while after they were read, at most.
const KEPT_OPEN_MAX: usize = 16_384;
/// How often it is looked whether they are too many.
const KEPT_TICK: Duration = Duration::from_millis(100);
/// Ticks from one sweep of them to the next: each is closed at the second, within eight seconds. Long
/// enough where a file is read again and again; short enough for whoever waits for the space of one
/// that another program has removed, or for a file system to be unmounted.
const KEPT_TICKS: usize = 40;

/// What a server is to be.
#[derive(Debug)]
pub struct Options {
    /// The directory that is served; made if missing.
    pub base_directory: PathBuf,
    /// Where to listen.
    pub listen: Wanted,
    /// What TLS is spoken with, where it is.
    pub certificate: Option<CertificateFiles>,
    /// Threads that wait for the network; at least one.
    pub event_loops: usize,
    /// Threads that wait for the disk; at least one.
    pub workers: usize,
    /// How long to wait for what is under way when a signal ends the server.
    pub grace: Duration,
    /// Whether to keep no access log.
    pub quiet: bool,
    /// How much is said of what happens beside requests.
    pub diagnostics: Level,
    /// How the access log is written.
    pub log_format: Format,
    /// Whether each request gets an id, in its answer and in the log.
    pub request_ids: bool,
    /// The file that it is appended to; stderr where there is none.
    pub log_file: Option<PathBuf>,
    /// Where whoever watches the server is answered; nowhere where there is none.
    pub admin: Option<SocketAddr>,
    /// How much an acknowledged write survives.
    pub durability: Durability,
    /// Reads follow symbolic links that stay inside the base directory.
    pub follow_symlinks: bool,
    /// Whether to give up what is not needed, as far as the kernel can do it.
    pub confined: bool,
    /// Who may do what; without any, everybody everything.
    pub rights: Option<Rights>,
    /// Who can say who it is.
    pub users: Option<Users>,
    /// The bounds.
    pub limits: Limits,
}

/// A server that runs.
pub struct Server {
    endpoints: Vec<Endpoint>,
    admin: Option<SocketAddr>,
    confinement: Confinement,
    store: Arc<Store<BaseDirectory>>,
    kept: Arc<Kept<OpenFile>>,
    queue: Arc<Queue<Job<BaseDirectory>>>,
    verifications: Arc<Queue<Job<BaseDirectory>>>,
    posts: Arc<[Post]>,
    event_loops: Vec<JoinHandle<io::Result<()>>>,
    workers: Vec<JoinHandle<()>>,
    log: Option<Log>,
}

impl Server {
    /// Starts its threads. Connections are accepted when this returns.
    ///
    /// # Errors
    /// Where the address, the base directory or the system does not allow it.
    pub fn start(options: Options) -> Result<Server, StartError> {
        let (event_loops, workers) = (options.event_loops.max(1), options.workers.max(1));
        // First, as threads inherit it.
        let signals = Signals::block().map_err(system("sigprocmask"))?;
        ignore_file_size_signal();
        let descriptors = descriptors::raise_limit().map_err(system("setrlimit"))?;
        // Before the directory, where opening it would sweep away what another server is about.
        let log_file = open_log_file(&options)?;
        let watched = options.admin.map(watch_from).transpose()?;
        let certificate =
            options.certificate.map(Certificate::read).transpose().map_err(StartError::Certificate)?;
        let current = certificate.as_ref().map(|certificate| Arc::clone(certificate.current()));
        let listeners = Listeners::open(&options.listen, current, event_loops).map_err(StartError::Listen)?;
        let Listeners { endpoints, of_event_loops: listeners, files, .. } = listeners;
        let own = own_descriptors(event_loops, endpoints.len(), workers)
            + watched.as_ref().map_or(0, |_| admin::DESCRIPTORS_MAX);
        let limits = Arc::new(bounded(options.limits, descriptors, own));
        let directory = BaseDirectory::open(&options.base_directory).map_err(StartError::BaseDirectory)?;
        // What tells of changed names is opened beside what it is about.
        let names: Vec<_> = (0..event_loops).map(|_| directory.names()).collect();
        let base = &options.base_directory;
        let served = vec![base.clone(), base.join(OsStr::from_bytes(RESERVED_NAME))];
        let mut reach = Reach { served, ..Reach::default() };
        reach.cleared.extend(files.iter().map(SocketFile::directory));
        if let Some(certificate) = &certificate {
            certificate.files().iter().for_each(|file| reach.read_again(file));
        }
        if let Some(file) = &log_file {
            reach.append_again(file.path());
        }
        // Behind everything that is opened once, before the first thread, and before anybody is served.
        let confinement = if options.confined { confine(&reach) } else { Confinement::Off };
        let shown = options.diagnostics != Level::OFF;
        let log = (!options.quiet || shown).then(|| start_log(options.log_format, log_file)).transpose()?;
        if let Some(log) = log.as_ref().filter(|_| shown) {
            diagnostics::show(options.diagnostics, log.notes());
        }
        tracing::info!(base_directory = ?options.base_directory, %confinement, "started");
        let spare = usize::try_from(descriptors).unwrap_or(usize::MAX);
        let spare = spare.saturating_sub(own);
        let (directory, kept) = directory.keep_open(kept_open(0, spare));
        let store = Store::new(directory, options.durability).follow_links(options.follow_symlinks);
        // Before anybody can see what a server left that died.
        store.recover().map_err(|error| StartError::Recovery(options.base_directory.clone(), error))?;
        let store = Arc::new(store);

        let queue = Arc::new(Queue::new());
        let posts = (0..event_loops)
            .map(|_| Post::new())
            .collect::<io::Result<Arc<[Post]>>>()
            .map_err(system("eventfd"))?;
        let networks = listeners
            .into_iter()
            .zip(posts.iter())
            .map(|(listeners, post)| SystemNetwork::new(listeners, Arc::clone(&post.bell)))
            .collect::<io::Result<Vec<SystemNetwork>>>()
            .map_err(system("epoll_create"))?;

        let thread = system("thread");
        let recipients = Arc::clone(&posts);
        let deliver = move |event_loop: usize, done| {
            if let Some(post) = recipients.get(event_loop) {
                post.post(Message::Done(done));
            }
        };
        let origin = SystemClock::origin();
        let clock = options.admin.map(|_| SystemClock::new(origin));
        let Pool { threads: mut workers, figures: file_workers } =
            pool::start(workers, &store, &queue, clock.as_ref(), deliver.clone()).map_err(&thread)?;
        let (access, verifiers) =
            Access::start(options.rights, options.users, &store, clock.as_ref(), deliver).map_err(&thread)?;
        workers.extend(verifiers.threads);
        let verifications = Arc::clone(&access.queue);
        let connections = Arc::new(BoundedCount::new(limits.connections_max));
        let addresses = Arc::new(AddressCounts::new(limits.connections_per_address_max));
        let began = told_apart();
        let draining = Arc::new(AtomicBool::new(false));
        let figures: Vec<Arc<Figures>> =
            options.admin.iter().flat_map(|_| 0..event_loops).map(|_| Arc::default()).collect();
        let mut admin = None;
        if let Some(listener) = watched {
            let watched = Watch {
                store: Arc::clone(&store),
                queue: Arc::clone(&queue),
                verifications: Arc::clone(&verifications),
                dropped: log.as_ref().map(Log::dropped).unwrap_or_default(),
            };
            let (figures, draining) = (figures.clone(), Arc::clone(&draining));
            let workers = [file_workers, verifiers.figures];
            let pages = Pages { figures, workers, watched: Box::new(watched), draining };
            admin = Some(admin::start(listener, pages).map_err(system("thread"))?);
        }
        let event_loops = networks
            .into_iter()
            .zip(names)
            .enumerate()
            .map(|(event_loop, (network, names))| {
                let parts = Parts {
                    network,
                    clock: SystemClock::new(origin),
                    store: Arc::clone(&store),
                    names,
                    queue: Arc::clone(&queue),
                    mailbox: Arc::clone(&posts[event_loop].mailbox),
                    connections: Arc::clone(&connections),
                    addresses: Arc::clone(&addresses),
                    limits: Arc::clone(&limits),
                    access: access.clone(),
                    log: log.as_ref().filter(|_| !options.quiet).map_or_else(Lines::none, Log::lines),
                    figures: figures.get(event_loop).cloned(),
                    ids: options.request_ids.then(|| RequestIds::new(began, event_loop as u32)),
                    grace: options.grace,
                    event_loop,
                };
                let alarm = Alarm { posts: Arc::clone(&posts), armed: true };
                let name = format!("event loop {event_loop}");
                thread::Builder::new().name(name).spawn(move || run_event_loop(EventLoop::new(parts), alarm))
            })
            .collect::<io::Result<Vec<_>>>()
            .map_err(&thread)?;
        let (to_sweep, connections) = (Arc::clone(&kept), Arc::clone(&connections));
        thread::Builder::new()
            .name("sweeper".to_owned())
            .spawn(move || sweep(&to_sweep, &connections, spare))
            .map_err(&thread)?;
        let recipients = Arc::clone(&posts);
        let mut again = Again {
            certificate,
            log: log.as_ref().map(Log::reopening),
            lines: log.as_ref().map_or_else(Lines::none, Log::lines),
            clock: SystemClock::new(origin),
        };
        thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || obey(&signals, &recipients, files, &mut again, &draining))
            .map_err(&thread)?;
        // That there is no service manager, or none that listens, is no reason not to serve.
        let _ = sd_notify::notify(&[NotifyState::Ready]);
        Ok(Server {
            endpoints,
            admin,
            confinement,
            store,
            kept,
            queue,
            verifications,
            posts,
            event_loops,
            workers,
            log,
        })
    }

    /// Where it listens.
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// Where whoever watches it is answered.
    pub fn admin(&self) -> Option<SocketAddr> {
        self.admin
    }

    /// Whether it has given up what it does not need.
    pub fn confinement(&self) -> &Confinement {
        &self.confinement
    }

    /// Waits until a signal has ended it.
    ///
    /// # Errors
    /// Where it has ended for another reason.
    pub fn run(self) -> Result<(), RunError> {
        let mut result = Ok(());
        for event_loop in self.event_loops {
            match event_loop.join() {
                Ok(Ok(())) => {}
                Ok(Err(error)) => result = Err(RunError::EventLoop(error)),
                Err(_) => result = Err(RunError::Panic),
            }
        }
        self.kept.close();
        self.queue.close();
        self.verifications.close();
        while self.verifications.pop().is_some() {}
        // The connections of what still waits are closed: nobody would hear of it.
        while let Some(job) = self.queue.pop() {
            self.store.discard(job.held);
        }
        for worker in self.workers {
            if worker.join().is_err() {
                result = Err(RunError::Panic);
            }
        }
        let mut messages = Vec::new();
        for post in self.posts.iter() {
            post.mailbox.take(&mut messages);
            for message in messages.drain(..) {
                if let Message::Done(done) = message {
                    self.store.discard(done.held);
                }
            }
        }
        if let Some(log) = self.log {
            log.finish(LOG_TIME_MAX);
        }
        result
    }
}

/// The way from any thread to one event loop.
struct Post {
    mailbox: Arc<Mailbox<Message<BaseDirectory>>>,
    bell: Arc<EventFd>,
}

impl Post {
    fn new() -> io::Result<Post> {
        Ok(Post { mailbox: Arc::new(Mailbox::new()), bell: Arc::new(EventFd::new()?) })
    }

    fn post(&self, message: Message<BaseDirectory>) {
        if self.mailbox.post(message) {
            self.bell.ring();
        }
    }
}

/// An event loop that stops for any reason but the server's end takes all the others with it: a
/// server that answers only some of its clients would look alive.
struct Alarm {
    posts: Arc<[Post]>,
    armed: bool,
}

impl Drop for Alarm {
    fn drop(&mut self) {
        for post in self.posts.iter().filter(|_| self.armed) {
            post.post(Message::End);
        }
    }
}

fn run_event_loop(
    mut event_loop: EventLoop<SystemNetwork, BaseDirectory, SystemClock>,
    mut alarm: Alarm,
) -> io::Result<()> {
    // Where the system does not let it, it is as quick as it can be.
    let _ = scheduling::go_first();
    loop {
        match event_loop.turn() {
            Turn::Continue => {}
            Turn::Ended => {
                alarm.armed = false;
                return Ok(());
            }
            Turn::Failed(error) => return Err(error),
        }
    }
}

/// Closes files that were kept open. Nobody waits for it: it ends when it finds that the server has,
/// or with the process.
fn sweep(kept: &Kept<OpenFile>, connections: &BoundedCount, descriptors: usize) {
    // To close ten thousand files takes as long as to answer a thousand requests.
    let _ = scheduling::stand_back();
    while kept.wait() {
        for _ in 0..KEPT_TICKS {
            let max = kept_open(connections.count(), descriptors);
            kept.allow(max);
            if kept.count() > max {
                // Connections need the descriptors: there are many more of them than a moment ago.
                kept.sweep();
                kept.sweep();
            }
            thread::sleep(KEPT_TICK);
        }
        kept.sweep();
    }
}

fn open_log_file(options: &Options) -> Result<Option<LogFile>, StartError> {
    let path = options.log_file.as_ref().filter(|_| !options.quiet);
    let open = |path: &PathBuf| {
        LogFile::open(path.clone()).map_err(|source| StartError::Log { path: path.clone(), source })
    };
    path.map(open).transpose()
}

fn start_log(format: Format, file: Option<LogFile>) -> Result<Log, StartError> {
    let log = match file {
        None => Log::start(format, io::stderr()),
        Some(file) => Log::start_apart(format, file, io::stderr()),
    };
    log.map_err(system("thread"))
}

/// A number that another start of the server hardly has: the keys of a hash are chosen at random.
fn told_apart() -> u32 {
    RandomState::new().build_hasher().finish() as u32
}

fn watch_from(address: SocketAddr) -> Result<Listener, StartError> {
    Listener::bind(address, false).map_err(|source| StartError::Admin { address, source })
}

/// How many files may stay open: half of what is left where each connection has a file of its own,
/// so that as many more connections may come before they are counted again.
fn kept_open(connections: usize, descriptors: usize) -> usize {
    (descriptors.saturating_sub(connections.saturating_mul(2)) / 2).min(KEPT_OPEN_MAX)
}

/// Descriptors that are no connection's.
fn own_descriptors(event_loops: usize, listeners: usize, workers: usize) -> usize {
    /// Standard streams, the tree, a margin.
    const PROCESS: usize = 32;
    /// Its epoll, bell and reserve, three by which it hears of changed names, and the connections that are told
    /// that they are too many.
    const EVENT_LOOP: usize = 6 + REFUSED_MAX;
    /// What one operation of the store opens at a time.
    const WORKER: usize = 8;
    PROCESS + (EVENT_LOOP + listeners) * event_loops + WORKER * workers
}

/// Takes no more connections than there can be descriptors for.
fn bounded(mut limits: Limits, descriptors: u64, own: usize) -> Limits {
    let descriptors = usize::try_from(descriptors).unwrap_or(usize::MAX);
    let connections_max = descriptors.saturating_sub(own).max(1);
    if connections_max < limits.connections_max {
        let wanted = limits.connections_max;
        // That nobody reads it is no reason to stop.
        let _ = writeln!(
            io::stderr(),
            "http_server: at most {connections_max} connections instead of {wanted}: the system allows \
             {descriptors} descriptors (ulimit -Hn)"
        );
        limits.connections_max = connections_max;
    }
    limits
}

fn system(call: &'static str) -> impl Fn(io::Error) -> StartError {
    move |source| StartError::System { call, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_bounded_by_the_descriptors_there_can_be() {
        let limits = Limits { connections_max: 1000, ..Limits::default() };
        let bound =
            |descriptors| bounded(limits.clone(), descriptors, own_descriptors(2, 1, 4)).connections_max;
        let own = 32 + 2 * (7 + REFUSED_MAX as u64) + 4 * 8;
        assert_eq!(bound(u64::MAX), 1000);
        assert_eq!(bound(own + 1000), 1000);
        assert_eq!(bound(own + 999), 999);
        assert_eq!(bound(10), 1);
    }

    #[test]
    fn files_stay_open_only_where_descriptors_are_left() {
        assert_eq!((kept_open(0, 0), kept_open(500, 1000), kept_open(500, 1002)), (0, 0, 1));
        assert_eq!((kept_open(100, 20_000), kept_open(9000, 20_000)), (9900, 1000));
        assert_eq!(kept_open(16_384, usize::MAX), KEPT_OPEN_MAX);
    }
}
