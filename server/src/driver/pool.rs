//! What may wait for the disk, done by threads that may wait: [`carry_out`], and [`start`] for the
//! threads.

use std::io;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use super::access::Verification;
use super::slots::Token;
use crate::api::rights::Verdict;
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
    let Job { token, task, mut held, .. } = job;
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
    Some(Done { token, result, held })
}

/// Starts the threads of the pool, which `deliver` what is done to its event loop, until the
/// queue is closed and empty.
///
/// # Errors
/// Where the system has no room for one more thread.
pub fn start<D: Directory>(
    workers: usize,
    store: &Arc<Store<D>>,
    queue: &Arc<Queue<Job<D>>>,
    deliver: impl Fn(usize, Done<D>) + Clone + Send + 'static,
) -> io::Result<Vec<JoinHandle<()>>>
where
    Store<D>: Send + Sync,
    Job<D>: Send,
{
    let worker = |number| {
        let (store, queue, deliver) = (Arc::clone(store), Arc::clone(queue), deliver.clone());
        thread::Builder::new().name(format!("worker {number}")).spawn(move || {
            // An event loop that it has woken is not to wait for it; where the system does not let it, it does.
            let _ = scheduling::stand_back();
            work(&store, &queue, deliver);
        })
    };
    (0..workers.max(1)).map(worker).collect()
}

/// What a worker does: one job after the other, until the queue is closed and empty.
pub fn work<D: Directory>(store: &Store<D>, queue: &Queue<Job<D>>, mut deliver: impl FnMut(usize, Done<D>)) {
    while let Some(job) = queue.pop() {
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
    use crate::driver::simulated::{Simulated, Simulation};
    use crate::limits::Limits;
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
        let workers = start(1, &store, &queue, deliver).unwrap();
        for (event_loop, name) in ["bad", "good", "bad", "good"].into_iter().enumerate() {
            let (token, task) = (Token::unpacked(0), Task::Read(0..100));
            let job = Job { event_loop, token, task, held: Held::File(files.open(name.as_bytes())) };
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

    #[test]
    fn a_range_is_warmed_to_its_end_and_read_from_its_beginning() {
        let simulation = Simulation::new(Limits::default());
        let length = 3 * PIECE_BYTES_MAX as u64;
        simulation.world().files.insert(b"long".to_vec(), vec![7; length as usize]);
        let files = simulation.files();
        let store = Store::new(files.clone(), Durability::Disk);
        let done = |task| {
            let held = Held::File(files.open(b"long"));
            carry_out(&store, Job { event_loop: 0, token: Token::unpacked(0), task, held })
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
