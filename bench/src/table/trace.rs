//! How many system calls a server makes for a request, by `strace`.

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bench::load::{Plan, complete};
use bench::server::Running;

const REQUESTS: usize = 100;

/// The calls of all the server's processes for one request; nothing where it may not be traced.
pub(crate) fn calls(running: &Running, load: impl Fn(usize) -> Option<()>) -> Option<f64> {
    load(10)?;
    let log = std::env::temp_dir().join(format!("bench-trace-{}", std::process::id()));
    let mut strace = Command::new("strace");
    strace.args(["-f", "-o"]).arg(&log);
    for id in running.processes() {
        strace.args(["-p", &id.to_string()]);
    }
    let mut strace = strace.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?;
    std::thread::sleep(Duration::from_millis(300));
    let counted = |load: &dyn Fn() -> Option<()>| {
        let before = lines(&log);
        load()?;
        // It writes what it has seen when there is nothing more to see.
        std::thread::sleep(Duration::from_millis(300));
        Some(lines(&log) - before)
    };
    let traced = strace.try_wait().is_ok_and(|ended| ended.is_none());
    // Those of the connection itself, and of what happens anyway, are the same in both.
    let few = counted(&|| load(10));
    let many = counted(&|| load(10 + REQUESTS));
    let _ = strace.kill();
    let _ = strace.wait();
    let _ = fs::remove_file(&log);
    let each = (many? as f64 - few? as f64) / REQUESTS as f64;
    traced.then_some(each)
}

fn lines(log: &std::path::Path) -> i64 {
    let text = fs::read_to_string(log).unwrap_or_default();
    text.lines()
        .filter(|line| !["<...", "---", "+++", "clock_nanosleep("].iter().any(|no| line.contains(no)))
        .count() as i64
}

/// So many requests (or batches of them), each when the one before is answered.
///
/// # Errors
/// Where the server does not answer.
pub(crate) fn one_by_one(plan: &mut Plan<'_>, count: usize) -> io::Result<()> {
    let mut stream = connect(plan)?;
    let mut buffer = vec![0; 1 << 20];
    for _ in 0..count {
        let mut request = Vec::new();
        for _ in 0..plan.depth {
            let (head, content) = (plan.next)();
            request.extend_from_slice(&head);
            request.resize(request.len() + content, b'x');
        }
        stream.write_all(&request)?;
        let mut answer = Vec::new();
        let mut left = plan.depth;
        let begun = Instant::now();
        while left > 0 {
            let count = stream.read(&mut buffer)?;
            if count == 0 || begun.elapsed() > Duration::from_secs(10) {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            answer.extend_from_slice(&buffer[..count]);
            while left > 0
                && let Some((head, content)) = complete(&answer, false)
            {
                answer.drain(..head + content as usize);
                left -= 1;
            }
        }
        if plan.closes {
            let _ = stream.read(&mut buffer);
            stream = connect(plan)?;
        }
    }
    Ok(())
}

fn connect(plan: &Plan<'_>) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(plan.address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    Ok(stream)
}
