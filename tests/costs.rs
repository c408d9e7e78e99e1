//! Instructions that the pure core executes for a request, counted by `valgrind`: how busy the machine
//! is does not matter. What the system does is counted by `system_calls.rs`.
//!
//! Where `valgrind` is missing the check counts as skipped; `.ci/run` installs it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper of tests fails the test that it helps")]

use std::process::{Command, Stdio};
use std::sync::Arc;

use http_server::clock::{Clock, SystemClock};
use http_server::connection::{Connection, Input, Output, Want};
use http_server::limits::Limits;
use http_server::store::operation::{Mode, Operation, Outcome};
use http_server::store::version::Version;
use tests::{costs, ledger, request};

/// Names the requests that [`the_core_at_work`] makes, and how many.
const WORK: &str = "COSTS_WORK";
const NAMES: [&str; 6] = ["echo", "pipelined", "small", "not_modified", "refused", "replace"];
const REQUESTS: u64 = 2000;

/// Goal: no request comes to cost more instructions unseen. Method: this executable once more, under
/// `valgrind`, with so many requests and with twice as many: the difference is theirs alone. Compilers
/// differ a little, so a twentieth is let pass.
#[test]
fn requests_cost_the_instructions_that_are_written_down() {
    let mut measured = Vec::new();
    for name in NAMES {
        let (Some(once), Some(twice)) = (instructions(name, REQUESTS), instructions(name, 2 * REQUESTS))
        else {
            return ledger::skipped("costs", "valgrind is missing");
        };
        measured.push((name, (twice - once) as f64 / REQUESTS as f64));
    }
    costs::check("instructions", &measured, |known| known / 20.0);
}

/// All that are executed for so many requests, with those of the start.
fn instructions(name: &str, count: u64) -> Option<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().unwrap())
        .args(["the_core_at_work", "--exact", "--test-threads=1"])
        .env(WORK, format!("{name} {count}"))
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let report = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{report}");
    let (_, collected) = report.split_once("Collected : ").unwrap_or_else(|| panic!("{report}"));
    Some(collected.split_ascii_whitespace().next().unwrap().parse().unwrap())
}

/// What `valgrind` watches; by itself no test.
#[test]
fn the_core_at_work() {
    let Ok(work) = std::env::var(WORK) else { return };
    let (name, count) = work.split_once(' ').unwrap();
    let (input, in_one, status) = match name {
        "echo" => (request("GET /echo/hello", ""), 1, "200"),
        "pipelined" => (request("GET /echo/hello", "").repeat(16), 16, "200"),
        "small" => (browser("GET /files/d/small.html"), 1, "200"),
        "not_modified" => (browser("GET /files/d/small.html"), 1, "304"),
        "refused" => (request("GET /files/%2e%2e/x", ""), 1, "400"),
        "replace" => (request("PUT /files/d/small", [b'a'; 1024]), 1, "200"),
        _ => panic!("{name}"),
    };
    let now = SystemClock::new(SystemClock::origin()).now();
    let mut connection = Connection::new(Arc::new(Limits::default()), &now);
    let mut output = Output::default();
    for _ in 0..count.parse::<u64>().unwrap() / in_one {
        output.clear();
        let mut want = connection.advance(Input::Bytes(&input), &now, &mut output);
        while want != Want::Receive {
            let input = match want {
                Want::Run(operation) => Input::Outcome(outcome(operation, name)),
                Want::Send | Want::SendFile(_) => Input::Sent,
                want => panic!("{want:?}"),
            };
            want = connection.advance(input, &now, &mut output);
        }
        assert_eq!(&output.bytes[9..12], status.as_bytes());
    }
}

fn outcome(operation: Operation, name: &str) -> Outcome {
    let version = Version { inode: 1_234_567, modified: 1_700_000_000_123_456_700, length: 1024 };
    match operation {
        Operation::Open(..) if name == "not_modified" => Outcome::NotModified(version),
        Operation::Open(..) => Outcome::Opened(version),
        Operation::Store(intent, _) => {
            assert_eq!(intent.mode, Mode::Replace);
            Outcome::Updated(version)
        }
        operation => panic!("{operation:?}"),
    }
}

/// With the fields that a browser sends.
fn browser(line: &str) -> Vec<u8> {
    let fields = "Host: www.example.org\r\nConnection: keep-alive\r\nAccept: text/html,application/xml;q=0.9,*/*;q=0.8\r\n\
        User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
        Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br\r\n\
        If-None-Match: \"12d687-1797f5d1d4b3a10c-400\"\r\nReferer: http://www.example.org/\r\n";
    format!("{line} HTTP/1.1\r\n{fields}\r\n").into_bytes()
}
