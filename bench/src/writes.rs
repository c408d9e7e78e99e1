//! What writes cost: through the server, and by the bare system calls of the same protocol, in turns
//! within one run. Compare within a run only, and only what was measured beside each other.
//!
//! `cargo run --release -p bench --bin writes -- PATH-OF-HTTP_SERVER DIRECTORY`; the directory has to
//! be on the file system that is meant, and is left as it was found.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a measurement that fails is none")]

use std::ffi::CString;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use http_server::sys::file::{Place, rename};

const ROUND: Duration = Duration::from_millis(1500);
const ROUNDS: usize = 5;
const CONTENT: &[u8] = &[b'x'; 1024];
/// Names that each client writes to in turn.
const NAMES: usize = 100;

fn main() {
    let mut arguments = std::env::args().skip(1).map(PathBuf::from);
    let (Some(binary), Some(parent)) = (arguments.next(), arguments.next()) else {
        eprintln!("writes PATH-OF-HTTP_SERVER DIRECTORY");
        std::process::exit(2);
    };
    let home = parent.join(format!("bench-writes-{}", std::process::id()));
    fs::create_dir_all(&home).expect("the directory can be written to");
    puts(&binary, &home);
    appends(&binary, &home);
    fs::remove_dir_all(&home).expect("what was made can be removed");
}

/// `PUT` of 1 KiB over files that are there.
fn puts(binary: &Path, home: &Path) {
    println!("PUT 1 KiB: writes/s and microseconds of CPU a write, medians of {ROUNDS} rounds");
    for clients in [1, 16, 64] {
        let bare = |round: usize, durable: bool| {
            let bare = Bare::new(&home.join(format!("bare-{round}")), durable);
            measure(clients, own_cpu, |client, count| bare.replace(client, count))
        };
        let served = |durability: &str| {
            let server = Server::start(binary, &home.join("served"), durability);
            measure(
                clients,
                || server.cpu(),
                |client, count| {
                    let name = format!("/files/{client}/{}", count % NAMES as u64);
                    server.request(client, "PUT", &name)
                },
            )
        };
        let mut rows = [Vec::new(), Vec::new(), Vec::new(), Vec::new()];
        for round in 0..ROUNDS {
            rows[0].push(bare(round, true));
            rows[1].push(served("disk"));
            rows[2].push(bare(round + ROUNDS, false));
            rows[3].push(served("cache"));
        }
        let [bare, disk, bare_cache, cache] = rows.map(median);
        println!(
            "  {clients:2} clients: bare, synced {bare}; --durability disk {disk} ({:.2} of bare); bare {bare_cache}; \
             cache {cache} ({:.2} of bare)",
            disk.rate / bare.rate,
            cache.rate / bare_cache.rate
        );
    }
}

/// `PATCH` of 1 KiB to a small file and to a large one.
fn appends(binary: &Path, home: &Path) {
    println!("PATCH of 1 KiB, one client: appends/s and microseconds of CPU an append");
    for durability in ["disk", "cache"] {
        let server = Server::start(binary, &home.join("appended"), durability);
        for (name, length) in [("small", 1 << 10), ("large", 1 << 30)] {
            let path = home.join("appended").join(name);
            File::create(&path).and_then(|file| file.set_len(length)).unwrap();
        }
        let mut rows = [Vec::new(), Vec::new()];
        for _ in 0..ROUNDS {
            for (row, name) in rows.iter_mut().zip(["small", "large"]) {
                let target = format!("/files/{name}");
                row.push(measure(1, || server.cpu(), |client, _| server.request(client, "PATCH", &target)));
            }
        }
        let [small, large] = rows.map(median);
        println!("  {durability}: to 1 KiB {small}; to 1 GiB {large} ({:.2} of it)", large.rate / small.rate);
    }
}

#[derive(Clone, Copy)]
struct Figures {
    rate: f64,
    cpu_microseconds: f64,
}

impl std::fmt::Display for Figures {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:.0}/s {:.0} us", self.rate, self.cpu_microseconds)
    }
}

fn median(mut rounds: Vec<Figures>) -> Figures {
    rounds.sort_by(|one, other| one.rate.total_cmp(&other.rate));
    rounds[rounds.len() / 2]
}

/// Lets so many clients write for a round.
fn measure(clients: usize, cpu: impl Fn() -> f64, write: impl Fn(usize, u64) + Sync) -> Figures {
    let (done, over) = (AtomicU64::new(0), AtomicBool::new(false));
    let before = cpu();
    let begun = Instant::now();
    thread::scope(|scope| {
        for client in 0..clients {
            let (done, over, write) = (&done, &over, &write);
            scope.spawn(move || {
                for count in 0.. {
                    if over.load(Ordering::Relaxed) {
                        break;
                    }
                    write(client, count);
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        thread::sleep(ROUND);
        over.store(true, Ordering::Relaxed);
    });
    let elapsed = begun.elapsed().as_secs_f64();
    let done = done.into_inner() as f64;
    Figures { rate: done / elapsed, cpu_microseconds: (cpu() - before) * 1e6 / done }
}

/// The system calls of the server's protocol, one thread for each client, and nothing else.
struct Bare {
    root: PathBuf,
    staging: File,
    folders: Vec<File>,
    durable: bool,
}

impl Bare {
    fn new(root: &Path, durable: bool) -> Bare {
        fs::create_dir_all(root.join("staging")).unwrap();
        let folder = |client| {
            let path = root.join(format!("{client}"));
            fs::create_dir_all(&path).unwrap();
            (0..NAMES).for_each(|name| fs::write(path.join(format!("{name}")), CONTENT).unwrap());
            File::open(path).unwrap()
        };
        let folders = (0..64).map(folder).collect();
        Bare { root: root.to_owned(), staging: File::open(root.join("staging")).unwrap(), folders, durable }
    }

    fn replace(&self, client: usize, count: u64) {
        let staged = format!("{client}-{count}");
        let path = self.root.join("staging").join(&staged);
        let mut file = File::create_new(&path).unwrap();
        file.write_all(CONTENT).unwrap();
        if self.durable {
            file.sync_all().unwrap();
        }
        let folder = &self.folders[client];
        let [staged, name] =
            [staged, format!("{}", count % NAMES as u64)].map(|name| CString::new(name).unwrap());
        let from = Place { directory: self.staging.as_fd(), name: &staged };
        rename(from, Place { directory: folder.as_fd(), name: &name }, libc::RENAME_EXCHANGE).unwrap();
        if self.durable {
            folder.sync_all().unwrap();
        }
        fs::remove_file(path).unwrap();
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.root).unwrap();
    }
}

struct Server {
    child: Child,
    address: SocketAddr,
    connections: Vec<std::sync::Mutex<BufReader<TcpStream>>>,
}

impl Server {
    fn start(binary: &Path, directory: &Path, durability: &str) -> Server {
        let mut child = Command::new(binary)
            .args(["--port", "0", "--quiet", "--durability", durability])
            .arg(directory)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.split("http://").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
        let address: SocketAddr = address.parse().unwrap();
        let connect = |_| {
            let stream = TcpStream::connect(address).unwrap();
            stream.set_nodelay(true).unwrap();
            std::sync::Mutex::new(BufReader::new(stream))
        };
        Server { child, address, connections: (0..64).map(connect).collect() }
    }

    fn request(&self, client: usize, method: &str, target: &str) {
        let mut connection = self.connections[client].lock().unwrap();
        let head =
            format!("{method} {target} HTTP/1.1\r\nHost: {}\r\nContent-Length: 1024\r\n\r\n", self.address);
        connection.get_mut().write_all(&[head.as_bytes(), CONTENT].concat()).unwrap();
        let mut length = 0;
        let mut line = String::new();
        connection.read_line(&mut line).unwrap();
        assert!(line.starts_with("HTTP/1.1 20"), "{line}");
        while line.trim_end() != "" {
            line.clear();
            connection.read_line(&mut line).unwrap();
            if let Some(value) = line.strip_prefix("Content-Length: ") {
                length = value.trim_end().parse().unwrap();
            }
        }
        connection.read_exact(&mut vec![0; length]).unwrap();
    }

    fn cpu(&self) -> f64 {
        cpu(&format!("/proc/{}/stat", self.child.id()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.connections.clear();
        // The child that was started here, and no other.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Seconds of processor time of a process so far.
fn cpu(stat: &str) -> f64 {
    let stat = fs::read_to_string(stat).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_ascii_whitespace().collect();
    // proc_pid_stat(5): fields 14 and 15, in hundredths of a second.
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

fn own_cpu() -> f64 {
    cpu("/proc/self/stat")
}
