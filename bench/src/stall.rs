//! Whether a disk holds up what does not need it: how long a tiny answer takes while nothing else is asked,
//! and while 64 clients write and others read files of 1 GiB that are not in memory.
//! `cargo run --release -p bench --bin stall`, with `--seconds 5`, `--rounds 3`, `--writers 64` and
//! `--readers 4` where something else is wanted.
//! Traffic goes over loopback only; it takes 5 GiB of disk for a while.
//!
//! One client asks every two milliseconds, whether or not it is answered soon, so that a stall is
//! seen by all who would have come meanwhile. The load's clients run at a lower priority than that one, which
//! has to share their CPU, and what that one waits for its CPU does not count. This server writes durably; the
//! others cannot, which spares them the syncs.
#![expect(clippy::expect_used, clippy::panic, reason = "a measurement that fails is none")]

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bench::load::complete;
use bench::server::{self, Recipe, Running};
use http_server::sys::scheduling;

const FILE_BYTES: u64 = 1 << 30;
/// Between two tiny requests.
const PERIOD: Duration = Duration::from_millis(2);

/// Those that make the load.
#[derive(Clone, Copy)]
struct Clients {
    writers: usize,
    readers: usize,
}

fn main() {
    let (mut rounds, mut seconds) = (3, 5.0);
    let mut clients = Clients { writers: 64, readers: 4 };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().expect("each option has a value");
        match name.as_str() {
            "--rounds" => rounds = value.parse::<usize>().expect("a number").clamp(1, 20),
            "--seconds" => seconds = value.parse::<f64>().expect("a number").clamp(0.5, 60.0),
            "--writers" => clients.writers = value.parse::<usize>().expect("a number").min(1000),
            "--readers" => clients.readers = value.parse::<usize>().expect("a number").min(8),
            _ => panic!("{name} is no option: --rounds, --seconds, --writers, --readers"),
        }
    }
    let time = Duration::from_secs_f64(seconds);
    let program = std::env::current_exe().expect("this program has a path").with_file_name("http_server");
    let home = std::env::temp_dir().join(format!("bench-stall-{}", std::process::id()));
    let root = home.join("files");
    std::fs::create_dir_all(&root).expect("it can be written to");
    for reader in 0..clients.readers {
        write_file(&root.join(format!("cold-{reader}"))).expect("there is room for 1 GiB");
    }
    if server::is_on_path("taskset") {
        let own = std::process::id().to_string();
        let _ = Command::new("taskset").args(["-pc", "1", &own]).stdout(Stdio::null()).status();
    }
    let mut recipes = server::recipes(&program);
    recipes.retain(|recipe| recipe.echo.is_some() && recipe.puts);
    recipes[0] = server::ours_durable(&program);
    println!(
        "p50, p99 and the longest, in microseconds; writes/s; MiB/s of cold files; medians of {rounds} rounds"
    );
    for recipe in &recipes {
        let mut quiet = Vec::new();
        let mut loaded = Vec::new();
        for _ in 0..rounds {
            let Some(running) = recipe.start(&root, &home.join("run")) else { break };
            quiet.push(measure(recipe, &running, &root, time, None));
            loaded.push(measure(recipe, &running, &root, time, Some(clients)));
        }
        let (Some(quiet), Some(loaded)) = (median(quiet), median(loaded)) else {
            println!("  {}: does not start, left out", recipe.name);
            continue;
        };
        println!("  {:12} quiet  {quiet}", recipe.name);
        println!("  {:12} loaded {loaded}: p99 {:.2} of the quiet one", "", loaded.p99 / quiet.p99);
    }
    std::fs::remove_dir_all(&home).expect("what was made can be removed");
}

/// What came of one measurement.
struct Figures {
    p50: f64,
    p99: f64,
    longest: f64,
    writes: f64,
    mebibytes: f64,
}

impl std::fmt::Display for Figures {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Figures { p50, p99, longest, writes, mebibytes } = self;
        write!(formatter, "{p50:7.0} {p99:7.0} {longest:7.0}  {writes:7.0}/s {mebibytes:6.0} MiB/s")
    }
}

/// The round whose p99 is the median.
fn median(mut rounds: Vec<Figures>) -> Option<Figures> {
    rounds.sort_by(|one, other| one.p99.total_cmp(&other.p99));
    let middle = rounds.len() / 2;
    rounds.into_iter().nth(middle)
}

fn write_file(path: &Path) -> io::Result<()> {
    let mut file = File::create(path)?;
    let piece = vec![b'x'; 1 << 20];
    (0..FILE_BYTES >> 20).try_for_each(|_| file.write_all(&piece))?;
    file.sync_all()
}

/// dd(1): with this flag and nothing to copy the file is dropped from memory.
fn make_cold(path: &Path) {
    let source = format!("if={}", path.display());
    let done = Command::new("dd").args([&source, "iflag=nocache", "count=0"]).stderr(Stdio::null()).status();
    assert!(done.is_ok_and(|status| status.success()), "dd drops a file from memory");
}

fn measure(
    recipe: &Recipe,
    running: &Running,
    root: &Path,
    time: Duration,
    load: Option<Clients>,
) -> Figures {
    let (over, written, read) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    if let Some(clients) = load {
        (0..clients.readers).for_each(|reader| make_cold(&root.join(format!("cold-{reader}"))));
    }
    let begun = Instant::now();
    let mut times = thread::scope(|scope| {
        if let Some(clients) = load {
            for writer in 0..clients.writers {
                let (over, written) = (&over, &written);
                scope.spawn(move || writes(running.address, recipe.files, writer, over, written));
            }
            for reader in 0..clients.readers {
                let (over, read) = (&over, &read);
                scope.spawn(move || reads(running.address, recipe.files, reader, over, read));
            }
        }
        // A thread of its own: how it is scheduled is not to be handed on to those of the load.
        let probing = scope.spawn(|| probe(running.address, recipe.echo.unwrap_or("/"), time));
        let times = probing.join().expect("it is answered");
        over.store(true, Ordering::Relaxed);
        times
    });
    let elapsed = begun.elapsed().as_secs_f64();
    times.sort_unstable();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_nanos() as f64 / 1000.0;
    Figures {
        p50: at(0.5),
        p99: at(0.99),
        longest: at(1.0),
        writes: written.into_inner() as f64 / elapsed,
        mebibytes: read.into_inner() as f64 / elapsed / (1 << 20) as f64,
    }
}

/// Lets the calling thread, a client of the load, keep out of the way of the one that is measured.
fn stand_back() {
    let thread = std::fs::read_link("/proc/thread-self").unwrap_or_default();
    if let Some(thread) = thread.file_name().and_then(std::ffi::OsStr::to_str) {
        let _ = Command::new("renice").args(["-n", "15", "-p", thread]).stdout(Stdio::null()).status();
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("it listens");
    stream.set_nodelay(true).expect("a socket");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a socket");
    stream
}

/// Bytes of an answer; none at its end.
fn receive(stream: &mut TcpStream, piece: &mut [u8]) -> usize {
    loop {
        match stream.read(piece) {
            // signal(7): what may take a limited time is not gone on with by itself.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result.expect("it answers"),
        }
    }
}

/// One request, and its whole answer, which is short.
fn ask(stream: &mut TcpStream, request: &[u8]) -> Vec<u8> {
    stream.write_all(request).expect("it takes requests");
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    while complete(&answer, false).is_none() {
        match receive(stream, &mut piece) {
            0 => panic!("closed behind {:?}", String::from_utf8_lossy(&answer)),
            count => answer.extend_from_slice(&piece[..count]),
        }
    }
    answer
}

/// Time that stands still while this thread waits for its CPU, which the load's clients have as well: what they
/// hold up is not the server's.
struct OwnTime {
    begun: Instant,
    statistics: File,
    waited_before: Duration,
}

impl OwnTime {
    fn begin() -> io::Result<OwnTime> {
        let statistics = File::open("/proc/thread-self/schedstat")?;
        let mut time = OwnTime { begun: Instant::now(), statistics, waited_before: Duration::ZERO };
        time.waited_before = time.waited()?;
        Ok(time)
    }

    /// sched-stats(5) of the kernel's documentation: the second number, in nanoseconds.
    fn waited(&self) -> io::Result<Duration> {
        let mut text = [0; 64];
        let count = self.statistics.read_at(&mut text, 0)?;
        let text = str::from_utf8(&text[..count]).map_err(io::Error::other)?;
        let waited = text.split_ascii_whitespace().nth(1).and_then(|waited| waited.parse().ok());
        waited.map(Duration::from_nanos).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// Since it began.
    fn elapsed(&self) -> io::Result<Duration> {
        let waited = self.waited()?.saturating_sub(self.waited_before);
        Ok(self.begun.elapsed().saturating_sub(waited))
    }
}

/// A tiny request each [`PERIOD`]; each time counts from when it was due. Where the kernel does not say how long
/// a thread waits for its CPU, that counts as well.
fn probe(address: SocketAddr, target: &str, time: Duration) -> Vec<Duration> {
    let _ = scheduling::go_first();
    let mut stream = connect(address);
    let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let own = OwnTime::begin();
    let begun = Instant::now();
    let elapsed = || own.as_ref().ok().and_then(|own| own.elapsed().ok()).unwrap_or_else(|| begun.elapsed());
    let mut times = Vec::new();
    let mut due = Duration::ZERO;
    while due < time {
        if let Some(early) = due.checked_sub(elapsed()) {
            thread::sleep(early);
        }
        // What the sleep was too long is not the server's.
        let from = elapsed().min(due + Duration::from_micros(200)).max(due);
        ask(&mut stream, request.as_bytes());
        times.push(elapsed().saturating_sub(from));
        due += PERIOD;
    }
    times
}

fn writes(address: SocketAddr, files: &str, writer: usize, over: &AtomicBool, written: &AtomicU64) {
    stand_back();
    let mut stream = connect(address);
    for count in 0.. {
        if over.load(Ordering::Relaxed) {
            break;
        }
        let target = format!("{files}written-{writer}-{}", count % 100);
        let head = format!("PUT {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1024\r\n\r\n");
        let answer = ask(&mut stream, &[head.as_bytes(), &[b'x'; 1024]].concat());
        assert!(answer.get(9..10) == Some(b"2"), "{}", String::from_utf8_lossy(&answer));
        written.fetch_add(1, Ordering::Relaxed);
    }
}

/// A file that is not in memory, again and again.
fn reads(address: SocketAddr, files: &str, reader: usize, over: &AtomicBool, read: &AtomicU64) {
    stand_back();
    let mut piece = vec![0; 1 << 18];
    while !over.load(Ordering::Relaxed) {
        let mut stream = connect(address);
        let request =
            format!("GET {files}cold-{reader} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("it takes requests");
        while !over.load(Ordering::Relaxed) {
            match receive(&mut stream, &mut piece) {
                0 => break,
                count => drop(read.fetch_add(count as u64, Ordering::Relaxed)),
            }
        }
    }
}
