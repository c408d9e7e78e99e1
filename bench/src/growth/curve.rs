//! What is varied, and what is asked at each point: [`CURVES`].

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use bench::load::{self, Plan};
use bench::server;

/// One thing that grows.
pub(crate) struct Curve {
    pub(crate) title: &'static str,
    /// Of the horizontal axis.
    pub(crate) unit: &'static str,
    pub(crate) points: &'static [usize],
    /// What makes a point, below a directory of its own.
    make: fn(&Path, usize),
    /// The request at a point; its content is a kibibyte where it has one.
    request: fn(usize) -> (String, usize),
    status: &'static [u8],
    connections: fn(usize) -> usize,
    event_loops: fn(usize) -> usize,
}

fn get(path: &str) -> (String, usize) {
    (format!("GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n"), 0)
}

fn echo(_: usize) -> (String, usize) {
    get("/echo/hello")
}

fn upload(method: &str, path: &str) -> (String, usize) {
    (format!("{method} /files/{path} HTTP/1.1\r\nHost: bench\r\nContent-Length: 1024\r\n\r\n"), 1024)
}

fn nothing(_: &Path, _: usize) {}

/// A directory with so many entries.
fn entries(root: &Path, count: usize) {
    let folder = root.join("many");
    fs::create_dir_all(&folder).expect("it can be written to");
    for number in 0..count {
        File::create(folder.join(number.to_string())).expect("it can be written to");
    }
    fs::write(folder.join("0"), [b'x'; 1024]).expect("it can be written to");
}

fn deep(depth: usize) -> String {
    format!("{}file", "d/".repeat(depth - 1))
}

/// A file below so many directories less one.
fn depth(root: &Path, depth: usize) {
    let path = root.join(deep(depth));
    fs::create_dir_all(path.with_file_name("")).expect("it can be written to");
    fs::write(path, [b'x'; 1024]).expect("it can be written to");
}

/// A file of so many KiB.
fn length(root: &Path, kibibytes: usize) {
    let file = File::create(root.join("log")).expect("it can be written to");
    file.set_len(kibibytes as u64 * 1024).expect("it can be made so long");
}

const ECHO: Curve = Curve {
    title: "",
    unit: "",
    points: &[],
    make: nothing,
    request: echo,
    status: b"20",
    connections: |_| 64,
    event_loops: |_| 1,
};

/// All of them.
pub(crate) const CURVES: [Curve; 7] = [
    Curve {
        title: "tiny answer, connections that ask",
        unit: "connections",
        points: &[1, 10, 100, 1000, 10_000],
        connections: |count| count,
        ..ECHO
    },
    Curve {
        title: "GET of 1 KiB, entries of its directory",
        unit: "entries",
        points: &[1, 10, 100, 1000, 10_000, 100_000],
        make: entries,
        request: |_| get("/files/many/0"),
        ..ECHO
    },
    Curve {
        title: "PUT of 1 KiB, entries of its directory",
        unit: "entries",
        points: &[1, 10, 100, 1000, 10_000, 100_000],
        make: entries,
        request: |_| upload("PUT", "many/0"),
        ..ECHO
    },
    Curve {
        title: "GET of 1 KiB, depth of its path",
        unit: "components",
        points: &[1, 2, 4, 8, 16, 32, 64, 128],
        make: depth,
        request: |depth| get(&format!("/files/{}", deep(depth))),
        ..ECHO
    },
    Curve {
        title: "PUT of 1 KiB, depth of its path",
        unit: "components",
        points: &[1, 2, 4, 8, 16, 32, 64, 128],
        make: depth,
        request: |depth| upload("PUT", &deep(depth)),
        ..ECHO
    },
    Curve {
        title: "PATCH of 1 KiB, length of the file",
        unit: "KiB",
        points: &[1, 1 << 10, 1 << 15, 1 << 20],
        make: length,
        request: |_| upload("PATCH", "log"),
        connections: |_| 1,
        ..ECHO
    },
    Curve {
        title: "tiny answer, event loops on one processor",
        unit: "event loops",
        points: &[1, 2, 4, 8, 16],
        event_loops: |count| count,
        ..ECHO
    },
];

impl Curve {
    /// The processor time of a request in microseconds at each point, the median of all rounds.
    pub(crate) fn measure(&self, program: &Path, home: &Path, rounds: usize, seconds: f64) -> Vec<f64> {
        let root = |point: usize| home.join("files").join(point.to_string());
        let _ = fs::remove_dir_all(home);
        for &point in self.points {
            fs::create_dir_all(root(point)).expect("it can be written to");
            (self.make)(&root(point), point);
        }
        let mut found = vec![Vec::new(); self.points.len()];
        for _ in 0..rounds {
            for (found, &point) in found.iter_mut().zip(self.points) {
                found.push(self.once(program, &root(point), home, point, seconds));
            }
        }
        let median = |mut all: Vec<f64>| {
            all.sort_by(f64::total_cmp);
            all[all.len() / 2]
        };
        let medians: Vec<f64> = found.into_iter().map(median).collect();
        for (point, median) in self.points.iter().zip(&medians) {
            println!("  {point:7} {}: {median:8.2} us, {:.2} of the first", self.unit, median / medians[0]);
        }
        medians
    }

    fn once(&self, program: &Path, root: &Path, home: &Path, point: usize, seconds: f64) -> f64 {
        let recipe = server::ours(program, (self.event_loops)(point));
        let running = recipe.start(root, &home.join("run")).expect("the server starts");
        let (head, content) = (self.request)(point);
        let mut next = || (head.clone().into_bytes(), content);
        let mut load = |seconds: f64| {
            let mut plan = Plan {
                address: running.address,
                connections: (self.connections)(point),
                depth: 1,
                closes: false,
                next: &mut next,
                status: self.status,
                time: Duration::from_secs_f64(seconds),
            };
            load::run(&mut plan).expect("the server answers").requests
        };
        load(seconds / 4.0);
        let before = running.cpu();
        let requests = load(seconds);
        (running.cpu() - before) * 1e6 / requests.max(1) as f64
    }
}
