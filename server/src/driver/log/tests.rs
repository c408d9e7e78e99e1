//! Lines on their way to the thread: what is gathered, dropped and owned up to.

use std::sync::mpsc;

use super::*;

fn peer() -> Peer {
    Peer::Internet("192.0.2.1:80".parse().unwrap())
}

fn at(nanoseconds: u64) -> Now {
    Now::new(Instant::from_nanoseconds(nanoseconds), 0)
}

/// Lines that nobody writes, and where they go.
fn kept() -> (Lines, Parcels) {
    let parcels = Arc::new(Queue::new());
    let requests = Gathering::new(&parcels);
    let kept = Kept { format: Format::Short, requests, notes: None, dropped: Arc::default() };
    (Lines { kept: Some(kept) }, parcels)
}

fn gathered(lines: &Lines) -> &Gathering {
    &lines.kept.as_ref().unwrap().requests
}

#[test]
fn only_failures_that_concern_the_operator_are_reported() {
    let failure = |kind, source: Option<i32>| {
        let (mut lines, _) = kept();
        let source = source.map(io::Error::from_raw_os_error);
        lines.failed(peer(), &StoreError { kind, call: "renameat2", source }, &at(0));
        String::from_utf8(gathered(&lines).batch.clone()).unwrap()
    };
    let line = failure(StoreErrorKind::InputOutput, Some(5));
    assert_eq!(line, "192.0.2.1:80 InputOutput in renameat2: Input/output error (os error 5)\n");
    assert_eq!(failure(StoreErrorKind::Broken, None), "192.0.2.1:80 Broken\n");
    assert_eq!(failure(StoreErrorKind::NotFound, Some(2)), "");
    assert_eq!(failure(StoreErrorKind::Busy, None), "");
}

#[test]
fn lines_are_handed_over_in_time() {
    let (mut lines, parcels) = kept();
    let begin = at(5);
    lines.flush(&begin);
    assert_eq!((lines.due(), parcels.waiting()), (None, 0));
    lines.noted("one", &begin);
    lines.flush(&begin);
    let due = begin.instant.after(GATHERING_TIME);
    assert_eq!((lines.due(), parcels.waiting()), (Some(due), 0));
    lines.noted("two", &begin);
    lines.flush(&Now::new(due, 0));
    assert_eq!((lines.due(), parcels.waiting()), (None, 1));
    assert!(matches!(parcels.pop(), Some(Parcel::Lines(batch)) if batch == b"one\ntwo\n"));

    lines.noted("x".repeat(BATCH_BYTES_MAX / 2), &begin);
    lines.flush(&begin);
    assert_eq!((lines.due(), parcels.waiting()), (None, 1));
}

/// Writes nothing until it is told to, like a pipe that nobody reads.
struct Stuck {
    may_go_on: mpsc::Receiver<()>,
    written: mpsc::Sender<Vec<u8>>,
}

impl Target for Stuck {}

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
    let log = Log::start(Format::Short, Stuck { may_go_on, written }).unwrap();
    let mut lines = log.lines();
    for number in 0..LINES {
        lines.noted(format_args!("line {number:060}"), &at(0));
    }
    let most = BATCHES_MAX * BATCH_BYTES_MAX;
    assert!(log.requests.parcels.waiting() <= BATCHES_MAX);
    assert!(gathered(&lines).batch.len() <= BATCH_BYTES_MAX + 100);
    let dropped = gathered(&lines).dropped;
    assert!(dropped > LINES - 2 * (most as u64 / 66));
    assert_eq!(log.dropped.load(Ordering::Relaxed), dropped);

    drop(go_on);
    while gathered(&lines).dropped > 0 || !gathered(&lines).batch.is_empty() {
        lines.hand_over(&at(0));
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
    let log = Log::start(Format::Short, Stuck { may_go_on, written }).unwrap();
    let mut lines = log.lines();
    lines.noted("stuck", &at(0));
    lines.hand_over(&at(0));
    log.finish(Duration::from_millis(20));
    assert!(writes.try_recv().is_err());
    drop(go_on);
}

/// Fails, like a file system that is full.
struct Full;

impl Target for Full {}

impl io::Write for Full {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::StorageFull.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Keeps what is written.
struct Remembered(mpsc::Sender<Vec<u8>>);

impl Target for Remembered {}

impl io::Write for Remembered {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.0.send(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn lines_that_cannot_be_written_are_counted_and_said_once() {
    let (written, notes) = mpsc::channel();
    let log = Log::start_apart(Format::Common, Full, Remembered(written)).unwrap();
    let dropped = Arc::clone(&log.dropped);
    let mut lines = log.lines();
    for _ in 0..3 {
        let kept = lines.kept.as_mut().unwrap();
        kept.requests.batch.extend_from_slice(b"one\ntwo\n");
        lines.hand_over(&at(0));
    }
    lines.noted("a note", &at(0));
    lines.hand_over(&at(0));
    log.finish(Duration::from_secs(60));
    assert_eq!(dropped.load(Ordering::Relaxed), 6);
    let notes = String::from_utf8(notes.iter().flatten().collect()).unwrap();
    assert_eq!(notes.matches("the log cannot be written").count(), 1, "{notes}");
    assert_eq!(notes.matches("a note\n").count(), 1, "{notes}");
    assert_eq!(notes.lines().count(), 2);
}
