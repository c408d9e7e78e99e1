//! Runs the whole server in simulation from a seed, and prints the story: `simulate --seed N`, or
//! many seeds and those that break a promise: `simulate --seeds FROM..TO`.

use std::io::{self, Write};
use std::process::ExitCode;

use model::simulation::faults::NAMES;
use model::simulation::{Report, run};

const USAGE: &str = "usage: simulate --seed N | simulate --seeds FROM..TO";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let seeds = match words[..] {
        ["--seed", seed] => seed.parse().ok().map(|seed| seed..seed + 1),
        ["--seeds", range] => {
            range.split_once("..").and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?))
        }
        _ => None,
    };
    let Some(seeds) = seeds else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let tells = words[0] == "--seed";
    let mut broken = 0;
    for seed in seeds {
        let report = run(seed, tells);
        broken += u32::from(report.broken.is_some());
        if show(seed, &report, tells).is_err() {
            break;
        }
    }
    if broken > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn show(seed: u64, report: &Report, tells: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for line in &report.story {
        writeln!(out, "{line}")?;
    }
    if tells {
        for (fault, name) in NAMES.iter().filter(|(fault, _)| report.faults.counted(*fault) > 0) {
            writeln!(out, "{name}: {}", report.faults.counted(*fault))?;
        }
    }
    if tells || report.broken.is_some() {
        let Report { steps, calls, trace, .. } = report;
        writeln!(out, "seed {seed}: {steps} steps, {calls} requests to files, trace {trace:016x}")?;
    }
    match &report.broken {
        Some(broken) => writeln!(out, "seed {seed} breaks a promise: {broken}"),
        None => Ok(()),
    }
}
