//! The access log: a line for each request, written by a thread of its own. [`Lines`] gathers them
//! in an event loop, [`Log`] owns the thread.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::network::Peer;
use crate::clock::Instant;
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
/// Bytes of a request line that are shown; of a longer one, its beginning.
const REQUEST_LINE_BYTES_MAX: usize = 1024;

/// The thread that writes. Whatever it writes to may be slow or stuck: only lines are lost.
pub struct Log {
    queue: Arc<Queue<Vec<u8>>>,
    writer: JoinHandle<()>,
}

impl Log {
    /// Starts the thread.
    ///
    /// # Errors
    /// Where the system has no room for one more thread.
    pub fn start(mut target: impl io::Write + Send + 'static) -> io::Result<Log> {
        let queue = Arc::new(Queue::<Vec<u8>>::new());
        let batches = Arc::clone(&queue);
        let writer = thread::Builder::new().name("log".to_owned()).spawn(move || {
            while let Some(batch) = batches.pop() {
                // Where the operator has closed the target, the server goes on without a log.
                let _ = target.write_all(&batch).and_then(|()| target.flush());
            }
        })?;
        Ok(Log { queue, writer })
    }

    /// Where an event loop gathers its lines.
    pub fn lines(&self) -> Lines {
        Lines::new(Some(Arc::clone(&self.queue)))
    }

    /// Waits until all is written, but no longer than `time_max`.
    pub fn finish(self, time_max: Duration) {
        self.queue.close();
        let (mut waited, mut step) = (Duration::ZERO, Duration::from_micros(100));
        while !self.writer.is_finished() && waited < time_max {
            step = (2 * step).min(time_max - waited);
            thread::sleep(step);
            waited += step;
        }
    }
}

/// The lines of one event loop on their way to the thread. Never waits.
pub struct Lines {
    queue: Option<Arc<Queue<Vec<u8>>>>,
    batch: Vec<u8>,
    /// When to hand it over.
    due: Option<Instant>,
    dropped: u64,
}

impl Lines {
    /// For a server that keeps no log.
    pub fn none() -> Lines {
        Lines::new(None)
    }

    fn new(queue: Option<Arc<Queue<Vec<u8>>>>) -> Lines {
        Lines { queue, batch: Vec::new(), due: None, dropped: 0 }
    }

    /// Whether a log is kept.
    pub fn are_kept(&self) -> bool {
        self.queue.is_some()
    }

    /// Adds the line of a request that was answered at `now`.
    pub fn answered(&mut self, peer: Peer, answered: &Answered, now: Instant) {
        self.add(|line| {
            write!(line, "{peer} \"")?;
            let shown = answered.request_line.len().min(REQUEST_LINE_BYTES_MAX);
            escape(&answered.request_line[..shown], line);
            if shown < answered.request_line.len() {
                line.extend_from_slice(b"...");
            }
            let microseconds = now.since(answered.begun).as_micros();
            let (status, bytes) = (answered.status.code(), answered.content_bytes);
            writeln!(line, "\" {status} {bytes} {}.{:03}ms", microseconds / 1000, microseconds % 1000)
        });
    }

    /// Adds a line on an operation that failed, where that is the operator's concern.
    pub fn failed(&mut self, peer: Peer, error: &StoreError) {
        use StoreErrorKind::{Broken, Busy, FileTooLarge, InputOutput, NoSpace};
        let concern = matches!(error.kind, Broken | Busy | FileTooLarge | InputOutput | NoSpace);
        // Without a source it is a bound of ours that was reached: the request's line says so.
        if error.kind == Broken || (concern && error.source.is_some()) {
            self.add(|line| writeln!(line, "{peer} {error}"));
        }
    }

    /// Adds a line of the event loop's own.
    pub fn noted(&mut self, note: impl Display) {
        self.add(|line| writeln!(line, "{note}"));
    }

    /// Hands over what was gathered, if it is time and there is room.
    pub fn flush(&mut self, now: Instant) {
        if self.batch.is_empty() {
            return;
        }
        let due = *self.due.get_or_insert(now.after(GATHERING_TIME));
        if now < due && self.batch.len() < BATCH_BYTES_MAX / 2 {
            return;
        }
        self.hand_over();
        // Where there was no room, the next attempt comes after the same time again.
        self.due = (!self.batch.is_empty()).then(|| now.after(GATHERING_TIME));
    }

    /// When to flush next, whatever else happens.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Hands over what was gathered, if there is room.
    pub fn hand_over(&mut self) {
        let Some(queue) = self.queue.as_ref().filter(|_| !self.batch.is_empty()) else { return };
        // One allocation for each batch: it leaves for the thread.
        match queue.try_push(std::mem::take(&mut self.batch), BATCHES_MAX) {
            Ok(()) => self.own_up(),
            Err(Refused::Full(batch) | Refused::Closed(batch)) => self.batch = batch,
        }
    }

    fn add(&mut self, write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) {
        if self.queue.is_none() {
            return;
        }
        if self.batch.len() >= BATCH_BYTES_MAX {
            self.hand_over();
        }
        if self.batch.len() >= BATCH_BYTES_MAX {
            self.dropped += 1;
            return;
        }
        // Writing to memory cannot fail.
        let _ = write(&mut self.batch);
    }

    fn own_up(&mut self) {
        let dropped = std::mem::take(&mut self.dropped);
        if dropped > 0 {
            self.noted(format_args!("{dropped} lines were dropped here: they were not read fast enough"));
        }
    }
}

/// What could end or forge a line, or confuse a terminal, becomes `\xHH`; so a log line is ASCII.
fn escape(bytes: &[u8], line: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for &byte in bytes {
        match byte {
            b'"' | b'\\' | 0..0x20 | 0x7f.. => {
                let digits = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
                line.extend_from_slice(&[b'\\', b'x', digits[0], digits[1]]);
            }
            _ => line.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::http::status::Status;

    fn peer() -> Peer {
        Peer::Internet("192.0.2.1:80".parse().unwrap())
    }

    fn answered(request_line: &[u8]) -> Answered {
        Answered {
            request_line: request_line.to_vec(),
            status: Status::OK,
            content_bytes: 3,
            begun: Instant::from_nanoseconds(1_000_000),
        }
    }

    /// What becomes of a request line in the log.
    fn logged(request_line: &[u8]) -> String {
        let mut lines = Lines::new(Some(Arc::new(Queue::new())));
        lines.answered(peer(), &answered(request_line), Instant::from_nanoseconds(13_345_678));
        String::from_utf8(lines.batch).unwrap()
    }

    #[test]
    fn a_line_says_who_asked_what_and_what_came_of_it() {
        assert_eq!(
            logged(b"GET /echo/abc HTTP/1.1"),
            "192.0.2.1:80 \"GET /echo/abc HTTP/1.1\" 200 3 12.345ms\n"
        );
    }

    #[test]
    fn a_request_line_cannot_forge_a_line() {
        let every_byte: Vec<u8> = (0..=255).collect();
        let line = logged(&every_byte);
        assert!(line.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\n')));
        assert_eq!(line.matches('\n').count(), 1);
        assert_eq!(line.matches('"').count(), 2);
        assert!(logged(b"a\"\\\r\n\x7f\xff").contains(r#""a\x22\x5c\x0d\x0a\x7f\xff""#));
    }

    #[test]
    fn a_long_request_line_is_cut() {
        let exact = vec![b'a'; REQUEST_LINE_BYTES_MAX];
        assert!(logged(&exact).contains("aaa\" 200"));
        let longer = vec![b'a'; REQUEST_LINE_BYTES_MAX + 1];
        assert!(logged(&longer).contains("aaa...\" 200"));
        assert_eq!(logged(&longer).len(), logged(&exact).len() + 3);
    }

    #[test]
    fn only_failures_that_concern_the_operator_are_reported() {
        let failure = |kind, source: Option<i32>| {
            let mut lines = Lines::new(Some(Arc::new(Queue::new())));
            let source = source.map(io::Error::from_raw_os_error);
            lines.failed(peer(), &StoreError { kind, call: "renameat2", source });
            String::from_utf8(lines.batch).unwrap()
        };
        let line = failure(StoreErrorKind::InputOutput, Some(5));
        assert_eq!(line, "192.0.2.1:80 InputOutput in renameat2: Input/output error (os error 5)\n");
        assert_eq!(failure(StoreErrorKind::Broken, None), "192.0.2.1:80 Broken\n");
        assert_eq!(failure(StoreErrorKind::NotFound, Some(2)), "");
        assert_eq!(failure(StoreErrorKind::Busy, None), "");
    }

    #[test]
    fn without_a_log_nothing_is_gathered() {
        let mut lines = Lines::none();
        lines.answered(peer(), &answered(b"GET / HTTP/1.1"), Instant::default());
        assert!(lines.batch.is_empty() && !lines.are_kept());
    }

    #[test]
    fn lines_are_handed_over_in_time() {
        let queue = Arc::new(Queue::new());
        let mut lines = Lines::new(Some(Arc::clone(&queue)));
        let begin = Instant::from_nanoseconds(5);
        lines.flush(begin);
        assert_eq!((lines.due(), queue.waiting()), (None, 0));
        lines.noted("one");
        lines.flush(begin);
        let due = begin.after(GATHERING_TIME);
        assert_eq!((lines.due(), queue.waiting()), (Some(due), 0));
        lines.noted("two");
        lines.flush(due);
        assert_eq!((lines.due(), queue.waiting()), (None, 1));
        assert_eq!(queue.pop().unwrap(), b"one\ntwo\n");

        lines.noted("x".repeat(BATCH_BYTES_MAX / 2));
        lines.flush(begin);
        assert_eq!((lines.due(), queue.waiting()), (None, 1));
    }

    /// Writes nothing until it is told to, like a pipe that nobody reads.
    struct Stuck {
        may_go_on: mpsc::Receiver<()>,
        written: mpsc::Sender<Vec<u8>>,
    }

    impl io::Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.may_go_on.recv();
            let _ = self.written.send(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stuck_target_costs_lines_that_are_counted_and_nothing_else() {
        const LINES: u64 = 200_000;
        let (go_on, may_go_on) = mpsc::channel();
        let (written, writes) = mpsc::channel();
        let log = Log::start(Stuck { may_go_on, written }).unwrap();
        let mut lines = log.lines();
        for number in 0..LINES {
            lines.noted(format_args!("line {number:060}"));
        }
        let gathered = BATCHES_MAX * BATCH_BYTES_MAX;
        assert!(log.queue.waiting() <= BATCHES_MAX && lines.batch.len() <= BATCH_BYTES_MAX + 100);
        assert!(lines.dropped > LINES - 2 * (gathered as u64 / 66));

        let dropped = lines.dropped;
        drop(go_on);
        while lines.dropped > 0 || !lines.batch.is_empty() {
            lines.hand_over();
            thread::yield_now();
        }
        log.finish(Duration::from_secs(60));
        let all = writes.iter().flatten().collect::<Vec<u8>>();
        let all = String::from_utf8(all).unwrap();
        let whole = all.lines().filter(|line| line.starts_with("line ") && line.len() == 65).count() as u64;
        assert_eq!(whole, LINES - dropped);
        let note = format!("{dropped} lines were dropped here: they were not read fast enough");
        assert_eq!(all.lines().filter(|line| **line == note).count(), 1);
        assert_eq!(all.lines().count() as u64, whole + 1);
    }

    #[test]
    fn the_end_does_not_wait_for_a_stuck_target() {
        let (go_on, may_go_on) = mpsc::channel();
        let (written, writes) = mpsc::channel();
        let log = Log::start(Stuck { may_go_on, written }).unwrap();
        let mut lines = log.lines();
        lines.noted("stuck");
        lines.hand_over();
        log.finish(Duration::from_millis(20));
        assert!(writes.try_recv().is_err());
        drop(go_on);
    }
}
