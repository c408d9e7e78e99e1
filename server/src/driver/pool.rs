//! What may wait for the disk, done by threads that may wait: [`carry_out`], and [`start`] for the
//! threads.

use std::io;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use super::access::Verification;
use super::slots::Token;
use super::watch;
use crate::api::rights::Verdict;
use crate::clock::{Clock, Instant, SystemClock};
use crate::shared::figures::WorkerFigures;
use crate::shared::queue::Queue;
use crate::store::directory::Directory;
use crate::store::operation::{Operation, Outcome, StoreError, StoreErrorKind};
use crate::store::{Held, Store};
use crate::sys::scheduling;

/// Work for the pool. What is held moves with it, so that nobody shares it.
pub struct Job<D: Directory> {
    /// The event loop whose session sent it.
    pub event_loop: usize,
    /// The session.
    pub token: Token,
    /// What to do.
    pub task: Task,
    /// On what.
    pub held: Held<D>,
    /// When it was put into the queue.
    pub handed_over: Instant,
}

/// What there is to do.
pub enum Task {
    /// An operation of the store.
    Run(Operation),
    /// Read this range of the file that is held, or its beginning, and bring it.
    Read(Range<u64>),
    /// Read this range of the file that is held so that the kernel has it in memory.
    Warm(Range<u64>),
    /// Look at credentials.
    Verify(Box<Verification>),
    /// Let go of what is held. Nobody waits for it.
    Discard,
}

/// A job that is done.
pub struct Done<D: Directory> {
    /// The session that sent it.
    pub token: Token,
    /// What became of it.
    pub result: Finished,
    /// What is held now.
    pub held: Held<D>,
    /// When it was put into the queue.
    pub handed_over: Instant,
}

/// What became of a job.
#[derive(Debug)]
pub enum Finished {
    /// Of [`Task::Run`].
    Outcome(Outcome),
    /// Of [`Task::Read`]; no bytes mean that the file ends before the range begins.
    Read(io::Result<Vec<u8>>),
    /// Of [`Task::Warm`]; a file that ends within the range is no error.
    Warm(io::Result<()>),
    /// Of [`Task::Verify`].
    Verified(Verdict),
}

/// Does one job. A panic becomes a failure of that job alone.
pub fn carry_out<D: Directory>(store: &Store<D>, job: Job<D>) -> Option<Done<D>> {
    let Job { token, task, mut held, handed_over, .. } = job;
    if matches!(task, Task::Discard) {
        discard(store, held);
        return None;
    }
    // Neither what is held nor the store is relied on after a panic, but for letting go of it.
    let result = catch_unwind(AssertUnwindSafe(|| match task {
        Task::Run(operation) => Finished::Outcome(store.run(operation, &mut held)),
        Task::Read(range) => Finished::Read(read(store, &held, range)),
        Task::Warm(range) => Finished::Warm(warm(store, &held, range)),
        Task::Verify(verification) => Finished::Verified(verification.carry_out()),
        Task::Discard => Finished::Outcome(broken()),
    }));
    let result = result.unwrap_or_else(|_| {
        tracing::error!("a job has failed: a rule of the server's own was broken");
        discard(store, std::mem::replace(&mut held, Held::Nothing));
        Finished::Outcome(broken())
    });
    Some(Done { token, result, held, handed_over })
}

/// The threads of a pool.
#[derive(Default)]
pub struct Pool {
    /// They.
    pub threads: Vec<JoinHandle<()>>,
    /// What each of them counts, where it counts.
    pub figures: Vec<Arc<WorkerFigures>>,
}

/// Starts the threads of a pool, which `deliver` what is done to its event loop, until the queue is closed
/// and empty. With a clock, which agrees with that of the event loops, they count how long jobs wait.
///
/// # Errors
/// Where the system has no room for one more thread.
pub fn start<D: Directory>(
    workers: usize,
    store: &Arc<Store<D>>,
    queue: &Arc<Queue<Job<D>>>,
    clock: Option<&SystemClock>,
    deliver: impl Fn(usize, Done<D>) + Clone + Send + 'static,
) -> io::Result<Pool>
where
    Store<D>: Send + Sync,
    Job<D>: Send,
{
    let mut pool = Pool::default();
    for number in 0..workers.max(1) {
        let (store, queue, deliver) = (Arc::clone(store), Arc::clone(queue), deliver.clone());
        let mut waits = clock.map(|clock| Waits { figures: Arc::default(), clock: clock.clone() });
        pool.figures.extend(waits.iter().map(|waits| Arc::clone(&waits.figures)));
        let thread = thread::Builder::new().name(format!("worker {number}")).spawn(move || {
            // An event loop that it has woken is not to wait for it; where the system does not let it, it does.
            let _ = scheduling::stand_back();
            let taken = |job: &Job<D>| {
                if let Some(waits) = &mut waits {
                    waits.count(job);
                }
            };
            work(&store, &queue, taken, deliver);
        })?;
        pool.threads.push(thread);
    }
    Ok(pool)
}

/// How long the jobs have waited that one thread takes.
struct Waits<C> {
    figures: Arc<WorkerFigures>,
    clock: C,
}

impl<C: Clock> Waits<C> {
    fn count<D: Directory>(&mut self, job: &Job<D>) {
        watch::job_taken(&self.figures, job.handed_over, self.clock.now().instant);
    }
}

/// What a worker does: one job after the other, until the queue is closed and empty. Says of each that it
/// is `taken`.
pub fn work<D: Directory>(
    store: &Store<D>,
    queue: &Queue<Job<D>>,
    mut taken: impl FnMut(&Job<D>),
    mut deliver: impl FnMut(usize, Done<D>),
) {
    while let Some(job) = queue.pop() {
        taken(&job);
        let event_loop = job.event_loop;
        if let Some(done) = carry_out(store, job) {
            deliver(event_loop, done);
        }
    }
}

/// Bytes that a worker reads at a time.
pub const PIECE_BYTES_MAX: usize = 64 * 1024;

fn read<D: Directory>(store: &Store<D>, held: &Held<D>, range: Range<u64>) -> io::Result<Vec<u8>> {
    let Held::File(file) = held else { return Err(io::Error::other("no file is held")) };
    let mut bytes = vec![0; piece(&range)];
    let count = store.read(file, &mut bytes, range.start)?;
    bytes.truncate(count);
    Ok(bytes)
}

fn warm<D: Directory>(store: &Store<D>, held: &Held<D>, mut range: Range<u64>) -> io::Result<()> {
    let Held::File(file) = held else { return Err(io::Error::other("no file is held")) };
    let mut bytes = vec![0; piece(&range)];
    while range.start < range.end {
        let room = piece(&range);
        let count = store.read(file, &mut bytes[..room], range.start)?;
        if count == 0 {
            break;
        }
        range.start += count as u64;
    }
    Ok(())
}

fn piece(range: &Range<u64>) -> usize {
    usize::try_from(range.end.saturating_sub(range.start))
        .map_or(PIECE_BYTES_MAX, |length| length.min(PIECE_BYTES_MAX))
}

fn discard<D: Directory>(store: &Store<D>, held: Held<D>) {
    // The panic hook has reported it, and there is nobody else to tell.
    let _ = catch_unwind(AssertUnwindSafe(|| store.discard(held)));
}

fn broken() -> Outcome {
    Outcome::Failed(StoreError { kind: StoreErrorKind::Broken, call: "worker", source: None })
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::clock::Now;
    use crate::driver::simulated::{Simulated, Simulation};
    use crate::limits::Limits;
    use crate::shared::figures::Figure;
    use crate::store::Durability;

    #[test]
    fn a_worker_survives_a_job_that_panics() {
        let simulation = Simulation::new(Limits::default());
        for name in ["bad", "good"] {
            simulation.world().files.insert(name.into(), b"content".to_vec());
        }
        simulation.world().panics = Some(b"bad".to_vec());
        let files: Simulated = simulation.files();
        let store = Arc::new(Store::new(files.clone(), Durability::Disk));
        let queue = Arc::new(Queue::new());
        let (delivered, arrivals) = mpsc::channel();
        let deliver = move |event_loop, done: Done<Simulated>| {
            let _ = delivered.send((event_loop, done.result, matches!(done.held, Held::File(_))));
        };
        let workers = start(1, &store, &queue, None, deliver).unwrap().threads;
        for (event_loop, name) in ["bad", "good", "bad", "good"].into_iter().enumerate() {
            let (token, task) = (Token::unpacked(0), Task::Read(0..100));
            let (held, handed_over) = (Held::File(files.open(name.as_bytes())), Instant::default());
            let job = Job { event_loop, token, task, held, handed_over };
            assert!(queue.try_push(job, 4).is_ok());
        }
        queue.close();
        for worker in workers {
            worker.join().unwrap();
        }
        let arrivals: Vec<_> = arrivals.iter().collect();
        assert_eq!(arrivals.iter().map(|arrival| arrival.0).collect::<Vec<_>>(), [0, 1, 2, 3]);
        for (event_loop, result, holds_file) in arrivals {
            match result {
                Finished::Outcome(Outcome::Failed(error)) if event_loop % 2 == 0 => {
                    assert_eq!((error.kind, holds_file), (StoreErrorKind::Broken, false));
                }
                Finished::Read(Ok(bytes)) if event_loop % 2 == 1 => {
                    assert_eq!((&bytes[..], holds_file), (&b"content"[..], true));
                }
                other => panic!("{event_loop}: {other:?}"),
            }
        }
        assert_eq!(simulation.left_behind(), 0);
    }

    /// A clock that is a second later each time.
    struct Ticking(u64);

    impl Clock for Ticking {
        fn now(&mut self) -> Now {
            self.0 += 1;
            Now::new(Instant::from_nanoseconds(self.0 * 1_000_000_000), 0)
        }
    }

    #[test]
    fn a_wait_ends_where_the_job_is_taken_and_not_where_it_is_done() {
        let simulation = Simulation::new(Limits::default());
        let store = Store::new(simulation.files(), Durability::Disk);
        let queue: Queue<Job<Simulated>> = Queue::new();
        for milliseconds in [0, 1900, 2999] {
            let (token, task, held) = (Token::unpacked(0), Task::Discard, Held::Nothing);
            let handed_over = Instant::from_nanoseconds(milliseconds * 1_000_000);
            assert!(queue.try_push(Job { event_loop: 0, token, task, held, handed_over }, 4).is_ok());
        }
        queue.close();
        let mut waits = Waits { figures: Arc::default(), clock: Ticking(0) };
        let figures = Arc::clone(&waits.figures);
        work(&store, &queue, |job| waits.count(job), |_, _| {});
        assert_eq!(figures.waits.sum.get(), 1_000_000 + 100_000 + 1_000);
        let counts = figures.waits.steps.each_ref().map(Figure::get);
        assert_eq!((counts[4], counts[10], counts[13], counts.iter().sum::<u64>()), (1, 1, 1, 3));
    }

    #[test]
    fn a_range_is_warmed_to_its_end_and_read_from_its_beginning() {
        let simulation = Simulation::new(Limits::default());
        let length = 3 * PIECE_BYTES_MAX as u64;
        simulation.world().files.insert(b"long".to_vec(), vec![7; length as usize]);
        let files = simulation.files();
        let store = Store::new(files.clone(), Durability::Disk);
        let done = |task| {
            let (held, handed_over) = (Held::File(files.open(b"long")), Instant::default());
            carry_out(&store, Job { event_loop: 0, token: Token::unpacked(0), task, held, handed_over })
                .map(|done| done.result)
        };
        for range in [0..length, 1..length, 0..2 * length] {
            simulation.world().read_to = 0;
            assert!(matches!(done(Task::Warm(range)), Some(Finished::Warm(Ok(())))));
            assert_eq!(simulation.world().read_to, length);
        }
        for (range, count) in
            [(5..10, 5), (5..length, PIECE_BYTES_MAX), (length - 3..length + 3, 3), (length..length + 1, 0)]
        {
            let Some(Finished::Read(Ok(bytes))) = done(Task::Read(range)) else { panic!("not read") };
            assert_eq!(bytes, vec![7; count]);
        }
        assert!(done(Task::Discard).is_none());
        assert_eq!(simulation.left_behind(), 0);
    }
}
