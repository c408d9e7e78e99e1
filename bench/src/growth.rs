//! Costs that could grow: the processor time of a request against the number of connections, the size
//! of a directory, the depth of a path, the size of what is appended to, the number of event loops.
//! `cargo run --release -p bench --bin growth`, with `--rounds 3`, `--seconds 1` and `--results DIRECTORY`.
//!
//! All points of a curve are measured in turns, in interleaved rounds; what counts is the median as
//! a ratio to the first point. Traffic goes over loopback only.
#![expect(clippy::expect_used, clippy::panic, reason = "a measurement that fails is none")]

#[path = "growth/curve.rs"]
mod curve;
#[path = "growth/report.rs"]
mod report;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bench::server;
use curve::CURVES;

struct Options {
    rounds: usize,
    seconds: f64,
    results: PathBuf,
}

fn main() {
    let options = options();
    let _ = http_server::sys::descriptors::raise_limit();
    let folder = std::env::current_exe().expect("this program has a path").with_file_name("");
    let built = Command::new(option_env!("CARGO").unwrap_or("cargo"))
        .args(["build", "--release", "--package", "http_server"])
        .status()
        .expect("cargo can be started");
    assert!(built.success(), "cargo builds");
    if server::is_on_path("taskset") {
        let own = std::process::id().to_string();
        let _ = Command::new("taskset").args(["-pc", "1", &own]).stdout(Stdio::null()).status();
    }
    let home = std::env::temp_dir().join(format!("bench-growth-{}", std::process::id()));
    let mut drawn = Vec::new();
    for curve in &CURVES {
        println!("{}", curve.title);
        drawn.push((
            curve,
            curve.measure(&folder.join("http_server"), &home, options.rounds, options.seconds),
        ));
    }
    std::fs::remove_dir_all(&home).expect("what was made can be removed");
    report::write(&options.results, &drawn, options.rounds, options.seconds).expect("results can be written");
}

fn options() -> Options {
    let mut options = Options {
        rounds: 3,
        seconds: 1.0,
        results: Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/bench"),
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().expect("each option has a value");
        match name.as_str() {
            "--rounds" => options.rounds = value.parse::<usize>().expect("a number").clamp(1, 50),
            "--seconds" => options.seconds = value.parse::<f64>().expect("a number").clamp(0.1, 60.0),
            "--results" => options.results = value.into(),
            _ => panic!("{name} is no option: --rounds, --seconds, --results"),
        }
    }
    options
}
