//! One table of this server, its floor and others that are found on this machine, side by side:
//! `cargo run --release -p bench --bin table`, with `--workloads abc`, `--rounds 5`, `--seconds 2` and
//! `--results DIRECTORY` where something else is wanted. Traffic goes over loopback only.
//!
//! Rounds are interleaved, each server is on one processor and the client on another one. What counts
//! is the processor time of a request as a ratio to the floor's, the median of all rounds: what
//! else happens on the machine hits all alike. The floor (`floor.rs`) makes the bare system calls.
#![expect(clippy::expect_used, clippy::panic, reason = "a measurement that fails is none")]

#[path = "table/report.rs"]
mod report;
#[path = "table/trace.rs"]
mod trace;
#[path = "table/workload.rs"]
mod workload;

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use bench::load::{self, Load, Plan};
use bench::server::{self, Recipe, Running};
use report::{Figures, Row};
use workload::{FILES, Need, TREE_FILES, WORKLOADS, Workload, tree_path};

struct Options {
    workloads: String,
    rounds: usize,
    seconds: f64,
    results: PathBuf,
}

fn main() {
    let options = options();
    let _ = http_server::sys::descriptors::raise_limit();
    let folder = std::env::current_exe().expect("this program has a path").with_file_name("");
    let built = Command::new(option_env!("CARGO").unwrap_or("cargo"))
        .args(["build", "--release", "--package", "http_server", "--package", "bench"])
        .status()
        .expect("cargo can be started");
    assert!(built.success(), "cargo builds");
    if server::is_on_path("taskset") {
        let own = std::process::id().to_string();
        let _ = Command::new("taskset").args(["-pc", "1", &own]).stdout(Stdio::null()).status();
    }
    let home = std::env::temp_dir().join(format!("bench-table-{}", std::process::id()));
    let root = home.join("files");
    make_files(&root);
    let ours = server::recipes(&folder.join("http_server"));
    let mut rows = Vec::new();
    for workload in WORKLOADS.iter().filter(|workload| options.workloads.contains(workload.letter)) {
        println!("{}. {}", workload.letter, workload.title);
        let floor = server::floor(&folder.join("floor"), workload.floor);
        let recipes: Vec<&Recipe> =
            std::iter::once(&floor).chain(&ours).filter(|recipe| can(recipe, workload)).collect();
        rows.extend(measure(workload, &recipes, &options, (&root, &home)));
    }
    fs::remove_dir_all(&home).expect("what was made can be removed");
    report::write(&options.results, &rows, options.rounds, options.seconds).expect("results can be written");
}

fn options() -> Options {
    let mut options = Options {
        workloads: WORKLOADS.iter().map(|workload| workload.letter).collect(),
        rounds: 5,
        seconds: 2.0,
        results: Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/bench"),
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().expect("each option has a value");
        match name.as_str() {
            "--workloads" => options.workloads = value,
            "--rounds" => options.rounds = value.parse::<usize>().expect("a number").clamp(1, 50),
            "--seconds" => options.seconds = value.parse::<f64>().expect("a number").clamp(0.1, 60.0),
            "--results" => options.results = value.into(),
            _ => panic!("{name} is no option: --workloads, --rounds, --seconds, --results"),
        }
    }
    options
}

fn make_files(root: &Path) {
    for (name, length) in FILES {
        fs::create_dir_all(root).expect("it can be written to");
        let content: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
        fs::write(root.join(name), content).expect("it can be written to");
    }
    for number in 0..TREE_FILES {
        let path = root.join(tree_path(number));
        if number < 100 {
            fs::create_dir_all(path.with_file_name("")).expect("it can be written to");
        }
        fs::write(path, [b'x'; 4096]).expect("it can be written to");
    }
}

/// Whether a server can do what a workload asks.
fn can(recipe: &Recipe, workload: &Workload) -> bool {
    match workload.need {
        Need::Echo => recipe.echo.is_some(),
        Need::Put(..) => recipe.puts,
        _ => true,
    }
}

/// All servers of one workload, in turns.
fn measure(
    workload: &Workload,
    recipes: &[&Recipe],
    options: &Options,
    (root, home): (&Path, &Path),
) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut left_out = Vec::new();
    for round in 0..options.rounds {
        for recipe in recipes {
            if left_out.contains(&recipe.name) {
                continue;
            }
            // One at a time: two that write to one directory are no neighbours.
            let Some(running) = recipe.start(root, &home.join("run")) else {
                println!("  {}: does not start, left out", recipe.name);
                left_out.push(recipe.name);
                continue;
            };
            let calls = if round == 0 { calls(workload, recipe, &running, root) } else { None };
            match one_round(workload, recipe, &running, root, options.seconds) {
                Ok(figures) => {
                    let row = match rows.iter_mut().position(|row| row.server == recipe.name) {
                        Some(at) => &mut rows[at],
                        None => {
                            rows.push(Row::new(workload, recipe.name, calls));
                            rows.last_mut().expect("it was pushed just now")
                        }
                    };
                    row.rounds.push(figures);
                }
                Err(error) => {
                    println!("  {}: {error}, left out", recipe.name);
                    left_out.push(recipe.name);
                }
            }
        }
    }
    rows.retain(|row| !left_out.contains(&row.server));
    rows.iter().for_each(|row| println!("  {row}"));
    rows
}

fn one_round(
    workload: &Workload,
    recipe: &Recipe,
    running: &Running,
    root: &Path,
    seconds: f64,
) -> std::io::Result<Figures> {
    let idle: Vec<TcpStream> =
        (0..workload.idle).map(|_| TcpStream::connect(running.address)).collect::<Result<_, _>>()?;
    // A hundred mebibytes take a while on a busy machine.
    let seconds = if matches!(workload.letter, 'e' | 'h') { seconds.max(3.0) } else { seconds };
    let load = |seconds: f64| with_plan(workload, recipe, running, root, seconds, load::run);
    // What is to be in memory is in memory afterwards, and connections are known; of ten thousand files
    // each has been asked for several times.
    load(if workload.need == Need::Tree { 1.0 } else { (seconds / 4.0).min(0.5) })?;
    let before = running.cpu();
    let Load { requests, seconds, p99_microseconds } = load(seconds)?;
    let cpu = running.cpu() - before;
    drop(idle);
    if requests == 0 {
        return Err(std::io::Error::other("no answer in time"));
    }
    Ok(Figures {
        rate: requests as f64 / seconds,
        cpu_microseconds: cpu * 1e6 / requests as f64,
        p99_microseconds,
    })
}

/// Calls of the workload for one server.
fn with_plan<T>(
    workload: &Workload,
    recipe: &Recipe,
    running: &Running,
    root: &Path,
    seconds: f64,
    use_it: impl FnOnce(&mut Plan<'_>) -> std::io::Result<T>,
) -> std::io::Result<T> {
    let mut next = requests(workload, recipe, running, root)?;
    let status: &[u8] = match workload.need {
        Need::NotModified(_) => b"304",
        Need::Range(_) if recipe.name != "floor" => b"206",
        _ => b"20",
    };
    use_it(&mut Plan {
        address: running.address,
        connections: workload.connections,
        depth: workload.depth,
        closes: workload.closes,
        next: &mut *next,
        status,
        time: Duration::from_secs_f64(seconds),
    })
}

/// The next request: its head, and how much content follows it.
type Next = Box<dyn FnMut() -> (Vec<u8>, usize)>;

/// The requests of a workload, one after the other: each a head, and how much content follows.
fn requests(workload: &Workload, recipe: &Recipe, running: &Running, root: &Path) -> std::io::Result<Next> {
    let files = recipe.files;
    let get = |target: &str, fields: &str| format!("GET {target} HTTP/1.1\r\nHost: bench\r\n{fields}\r\n");
    let same = |request: String| Box::new(move || (request.clone().into_bytes(), 0));
    Ok(match workload.need {
        Need::Echo => {
            let fields = if workload.closes { "Connection: close\r\n" } else { "" };
            same(get(recipe.echo.unwrap_or("/"), fields))
        }
        Need::Get(name) => same(get(&format!("{files}{name}"), "")),
        Need::Range(name) => same(get(&format!("{files}{name}"), "Range: bytes=5000000-5004095\r\n")),
        Need::NotModified(name) => {
            let target = format!("{files}{name}");
            let answer = running.ask(get(&target, "").as_bytes())?;
            let answer = String::from_utf8_lossy(&answer);
            let tag = answer.lines().find(|line| line.to_ascii_lowercase().starts_with("etag:"));
            let tag = tag.and_then(|line| line.split_once(':')).map_or("\"\"", |(_, tag)| tag.trim());
            same(get(&target, &format!("If-None-Match: {tag}\r\n")))
        }
        Need::Tree => {
            let (files, mut number) = (files.to_owned(), 0);
            Box::new(move || {
                // A step that has nothing in common with the count visits all, and no two neighbours.
                number = (number + 3_719) % TREE_FILES;
                let target = format!("{files}{}", tree_path(number));
                (format!("GET {target} HTTP/1.1\r\nHost: bench\r\n\r\n").into_bytes(), 0)
            })
        }
        Need::Put(length, names) => {
            let folder = format!("up-{}", recipe.name);
            std::fs::create_dir_all(root.join(&folder))?;
            let (files, mut count) = (files.to_owned(), 0);
            Box::new(move || {
                count += 1;
                let target = format!("{files}{folder}/{}", count % names);
                let head =
                    format!("PUT {target} HTTP/1.1\r\nHost: bench\r\nContent-Length: {length}\r\n\r\n");
                (head.into_bytes(), length)
            })
        }
    })
}

/// System calls of one request, one after the other on one connection, where they can be counted.
fn calls(workload: &Workload, recipe: &Recipe, running: &Running, root: &Path) -> Option<f64> {
    // What takes long or is sent in many pieces has no one number.
    if matches!(workload.letter, 'e' | 'h') || !server::is_on_path("strace") {
        return None;
    }
    let load = |count: usize| {
        with_plan(workload, recipe, running, root, 0.0, |plan| trace::one_by_one(plan, count)).ok()
    };
    trace::calls(running, load)
}
