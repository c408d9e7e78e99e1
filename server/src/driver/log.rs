//! The access log: a line for each request, written by a thread of its own. [`Lines`] gathers them
//! in an event loop, [`Log`] owns the thread.

mod escape;
mod format;
mod target;

pub use format::Format;
pub use target::{LogFile, Target};

use std::fmt::Display;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::network::Peer;
use crate::clock::{Instant, Now};
use crate::connection::Answered;
use crate::shared::queue::{Queue, Refused};
use crate::store::operation::{StoreError, StoreErrorKind};

/// Batches that wait for the thread, at most.
const BATCHES_MAX: usize = 64;
/// Bytes of a batch, at most, but for its last line.
const BATCH_BYTES_MAX: usize = 64 * 1024;
/// How long lines are gathered: to wake the thread costs more than many a request (3 µs on the same
/// CPU, 96 µs on an idle one), so it happens at most a hundred times a second for each event loop.
const GATHERING_TIME: Duration = Duration::from_millis(10);

/// What goes to a thread that writes.
enum Parcel {
    Lines(Vec<u8>),
    Reopen,
}

type Parcels = Arc<Queue<Parcel>>;

/// The threads that write. Whatever they write to may be slow or stuck: only lines are lost.
pub struct Log {
    format: Format,
    requests: Writer,
    /// Where what is no request goes, if not to the same place.
    notes: Option<Writer>,
    dropped: Arc<AtomicU64>,
}

impl Log {
    /// Requests and what else there is to say go to one place.
    ///
    /// # Errors
    /// Where the system has no room for one more thread.
    pub fn start(format: Format, target: impl Target + Send + 'static) -> io::Result<Log> {
        let dropped = Arc::new(AtomicU64::new(0));
        let requests = Writer::start(target, None, &dropped)?;
        Ok(Log { format, requests, notes: None, dropped })
    }

    /// Requests go to `target`, everything else to `notes`.
    ///
    /// # Errors
    /// Where the system has no room for two more threads.
    pub fn start_apart(
        format: Format,
        target: impl Target + Send + 'static,
        notes: impl Target + Send + 'static,
    ) -> io::Result<Log> {
        let dropped = Arc::new(AtomicU64::new(0));
        let notes = Writer::start(notes, None, &dropped)?;
        let requests = Writer::start(target, Some(Arc::clone(&notes.parcels)), &dropped)?;
        Ok(Log { format, requests, notes: Some(notes), dropped })
    }

    /// Where an event loop gathers its lines.
    pub fn lines(&self) -> Lines {
        let requests = Gathering::new(&self.requests.parcels);
        let notes = self.notes.as_ref().map(|notes| Gathering::new(&notes.parcels));
        let dropped = Arc::clone(&self.dropped);
        Lines { kept: Some(Kept { format: self.format, requests, notes, dropped }) }
    }

    /// How many lines are lost, so far.
    pub fn dropped(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.dropped)
    }

    /// Where whatever is no request can be said.
    pub fn notes(&self) -> Notes {
        let notes = self.notes.as_ref().unwrap_or(&self.requests);
        Notes { parcels: Arc::clone(&notes.parcels), dropped: Arc::clone(&self.dropped) }
    }

    /// By which its file is begun anew.
    pub fn reopening(&self) -> Reopening {
        Reopening(Arc::clone(&self.requests.parcels))
    }

    /// Waits until all is written, but no longer than `time_max`.
    pub fn finish(self, time_max: Duration) {
        let left = self.requests.finish(time_max);
        if let Some(notes) = self.notes {
            notes.finish(left);
        }
    }
}

/// Lines from any thread. Never waits: where there is no room they are lost.
#[derive(Clone)]
pub struct Notes {
    parcels: Parcels,
    dropped: Arc<AtomicU64>,
}

impl io::Write for Notes {
    /// Takes whole lines.
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        if self.parcels.try_push(Parcel::Lines(lines.to_vec()), BATCHES_MAX).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Begins the log's file anew, after it was moved away, say.
pub struct Reopening(Parcels);

impl Reopening {
    /// Asks for it. What was gathered before may still go to the old one.
    pub fn ask(&self) {
        // Few of them come, and each waits behind a bounded number of batches.
        let _ = self.0.try_push(Parcel::Reopen, 2 * BATCHES_MAX);
    }
}

/// A thread that writes.
struct Writer {
    parcels: Parcels,
    thread: JoinHandle<()>,
}

impl Writer {
    fn start(
        mut target: impl Target + Send + 'static,
        complaints: Option<Parcels>,
        dropped: &Arc<AtomicU64>,
    ) -> io::Result<Writer> {
        let parcels = Arc::new(Queue::new());
        let (incoming, dropped) = (Arc::clone(&parcels), Arc::clone(dropped));
        let thread = thread::Builder::new().name("log".to_owned()).spawn(move || {
            let mut failing = false;
            while let Some(parcel) = incoming.pop() {
                let result = match &parcel {
                    Parcel::Lines(lines) => target.write_all(lines).and_then(|()| target.flush()),
                    Parcel::Reopen => target.reopen(),
                };
                if let Parcel::Lines(lines) = &parcel
                    && result.is_err()
                {
                    let count = lines.iter().filter(|byte| **byte == b'\n').count();
                    dropped.fetch_add(count as u64, Ordering::Relaxed);
                }
                // Where the operator has closed the target, the server goes on without a log. It is said
                // once, not for each batch.
                let failed_before = std::mem::replace(&mut failing, result.is_err());
                if let (Err(error), false, Some(complaints)) = (result, failed_before, &complaints) {
                    let complaint = format!("http_server: the log cannot be written: {error}\n").into_bytes();
                    let _ = complaints.try_push(Parcel::Lines(complaint), BATCHES_MAX);
                }
            }
        })?;
        Ok(Writer { parcels, thread })
    }

    /// Waits until all is written; says how much is left of the time.
    fn finish(self, time_max: Duration) -> Duration {
        self.parcels.close();
        let (mut waited, mut step) = (Duration::ZERO, Duration::from_micros(100));
        while !self.thread.is_finished() && waited < time_max {
            step = (2 * step).min(time_max - waited);
            thread::sleep(step);
            waited += step;
        }
        time_max - waited
    }
}

/// The lines of one event loop on their way to the thread. Never waits.
pub struct Lines {
    kept: Option<Kept>,
}

struct Kept {
    format: Format,
    requests: Gathering,
    notes: Option<Gathering>,
    dropped: Arc<AtomicU64>,
}

impl Lines {
    /// For a server that keeps no log.
    pub fn none() -> Lines {
        Lines { kept: None }
    }

    /// How it is kept, where it is.
    pub fn format(&self) -> Option<Format> {
        self.kept.as_ref().map(|kept| kept.format)
    }

    /// Adds the line of a request that was answered at `now`.
    pub fn answered(&mut self, peer: Peer, answered: &Answered, now: &Now) {
        let Some(kept) = &mut self.kept else { return };
        let format = kept.format;
        kept.requests.add(&kept.dropped, |line| format.answered(line, peer, answered, now));
    }

    /// Adds a line on an operation that failed, where that is the operator's concern.
    pub fn failed(&mut self, peer: Peer, error: &StoreError, now: &Now) {
        use StoreErrorKind::{Broken, Busy, FileTooLarge, InputOutput, NoSpace};
        let concern = matches!(error.kind, Broken | Busy | FileTooLarge | InputOutput | NoSpace);
        // Without a source it is a bound of ours that was reached: the request's line says so.
        if error.kind == Broken || (concern && error.source.is_some()) {
            self.noted(format_args!("{peer} {error}"), now);
        }
    }

    /// Adds a line of the event loop's own.
    pub fn noted(&mut self, note: impl Display, now: &Now) {
        if let Some(kept) = &mut self.kept {
            kept.note(&note, now);
        }
    }

    /// Hands over what was gathered, if it is time and there is room.
    pub fn flush(&mut self, now: &Now) {
        let Some(kept) = &mut self.kept else { return };
        let handed_over = kept.requests.flush(now.instant);
        kept.own_up(handed_over, now);
        if let Some(notes) = &mut kept.notes {
            notes.flush(now.instant);
        }
    }

    /// When to flush next, whatever else happens.
    pub fn due(&self) -> Option<Instant> {
        let kept = self.kept.as_ref()?;
        let notes = kept.notes.as_ref().and_then(|notes| notes.due);
        kept.requests.due.into_iter().chain(notes).min()
    }

    /// Hands over what was gathered, if there is room.
    pub fn hand_over(&mut self, now: &Now) {
        let Some(kept) = &mut self.kept else { return };
        let handed_over = kept.requests.hand_over();
        kept.own_up(handed_over, now);
        if let Some(notes) = &mut kept.notes {
            notes.hand_over();
        }
    }
}

impl Kept {
    fn note(&mut self, note: &dyn Display, now: &Now) {
        match &mut self.notes {
            // What says nothing of requests is a plain line beside them.
            Some(notes) => notes.add(&self.dropped, |line| Format::Short.noted(line, note, now)),
            None => {
                let format = self.format;
                self.requests.add(&self.dropped, |line| format.noted(line, note, now));
            }
        }
    }

    fn own_up(&mut self, handed_over: bool, now: &Now) {
        if handed_over && self.requests.dropped > 0 {
            let dropped = std::mem::take(&mut self.requests.dropped);
            let note = format_args!("{dropped} lines were dropped here: they were not read fast enough");
            self.note(&note, now);
        }
    }
}

/// Lines that go to one thread.
struct Gathering {
    parcels: Parcels,
    batch: Vec<u8>,
    /// When to hand it over.
    due: Option<Instant>,
    /// Lines for which there was no room, and nobody was told yet.
    dropped: u64,
}

impl Gathering {
    fn new(parcels: &Parcels) -> Gathering {
        Gathering { parcels: Arc::clone(parcels), batch: Vec::new(), due: None, dropped: 0 }
    }

    /// Says whether it was handed over.
    fn flush(&mut self, now: Instant) -> bool {
        if self.batch.is_empty() {
            return false;
        }
        let due = *self.due.get_or_insert(now.after(GATHERING_TIME));
        if now < due && self.batch.len() < BATCH_BYTES_MAX / 2 {
            return false;
        }
        let handed_over = self.hand_over();
        // Where there was no room, the next attempt comes after the same time again.
        self.due = (!self.batch.is_empty()).then(|| now.after(GATHERING_TIME));
        handed_over
    }

    /// Says whether it was handed over.
    fn hand_over(&mut self) -> bool {
        if self.batch.is_empty() {
            return false;
        }
        // One allocation for each batch: it leaves for the thread.
        match self.parcels.try_push(Parcel::Lines(std::mem::take(&mut self.batch)), BATCHES_MAX) {
            Ok(()) => return true,
            Err(Refused::Full(Parcel::Lines(batch)) | Refused::Closed(Parcel::Lines(batch))) => {
                self.batch = batch;
            }
            Err(_) => {}
        }
        false
    }

    fn add(&mut self, dropped: &AtomicU64, write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) {
        // Beyond what is to be owned up to first: the note stands where the lines are missing.
        if self.batch.len() >= BATCH_BYTES_MAX && (self.dropped > 0 || !self.hand_over()) {
            self.dropped += 1;
            dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        // Writing to memory cannot fail.
        let _ = write(&mut self.batch);
    }
}

#[cfg(test)]
mod tests;
