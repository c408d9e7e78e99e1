//! Runs the whole server in simulation from a seed, and prints the story: `simulate --seed N`, or
//! many seeds, those that break a promise, and what all came to: `simulate --seeds FROM..TO`.

use std::io::{self, Write};
use std::process::ExitCode;

use model::simulation::faults::NAMES;
use model::simulation::total::Total;
use model::simulation::{Report, run};

const USAGE: &str = "usage: simulate --seed N | simulate --seeds FROM..TO";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let kept = match words[..] {
        ["--seed", seed] => seed.parse().ok().map(tell),
        ["--seeds", range] => {
            range.split_once("..").and_then(|(from, to)| Some(run_all(from.parse().ok()?..to.parse().ok()?)))
        }
        _ => None,
    };
    match kept {
        Some(Ok(true)) => ExitCode::SUCCESS,
        // A reader that went away is not one that was told of no broken promise.
        Some(Ok(false) | Err(_)) => ExitCode::FAILURE,
        None => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// Prints the story of a seed; whether all promises were kept.
fn tell(seed: u64) -> io::Result<bool> {
    let report = run(seed, true);
    let mut out = io::stdout().lock();
    for line in &report.story {
        writeln!(out, "{line}")?;
    }
    for (fault, name) in NAMES.iter().filter(|(fault, _)| report.faults.counted(*fault) > 0) {
        writeln!(out, "{name}: {}", report.faults.counted(*fault))?;
    }
    let Report { steps, calls, trace, .. } = &report;
    writeln!(out, "seed {seed}: {steps} steps, {calls} requests to files, trace {trace:016x}")?;
    tell_broken(seed, &report)
}

/// Prints those of the seeds that break a promise, and sums; whether there were none.
fn run_all(seeds: std::ops::Range<u64>) -> io::Result<bool> {
    let (mut total, mut all_kept) = (Total::default(), true);
    for seed in seeds {
        let report = run(seed, false);
        total.add(&report);
        all_kept &= tell_broken(seed, &report)?;
    }
    write!(io::stdout(), "{total}")?;
    Ok(all_kept)
}

fn tell_broken(seed: u64, report: &Report) -> io::Result<bool> {
    if let Some(broken) = &report.broken {
        writeln!(io::stdout(), "seed {seed} breaks a promise: {broken}")?;
    }
    Ok(report.broken.is_none())
}
