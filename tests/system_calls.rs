//! System calls of the binary, as `strace` sees them: how many a request costs, and in which order
//! a durable write makes them. Counts do not depend on how busy the machine is.
//!
//! Where `strace` is missing or may not trace, each test prints a line and counts as skipped;
//! `.ci/run` installs it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper of tests fails the test that it helps")]

use std::fs::File;
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};

use http_server::sys::file::file_system;
use tests::{Client, Server, costs, eventually, ledger, request};

/// A server under `strace`.
struct Traced {
    server: Server,
    strace: Child,
    output: tempfile::TempDir,
}

impl Traced {
    /// Nothing where no tracing is to be had.
    fn start(flags: &[&str]) -> Option<Traced> {
        let server = Server::start(flags);
        let output = tempfile::tempdir().unwrap();
        let log = output.path().join("trace");
        let strace = Command::new("strace")
            .args(["-f", "-y", "-s", "16", "-o"])
            .arg(&log)
            .args(["-p", &server.pid().to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut strace) = strace else {
            ledger::skipped("system_calls", "strace is missing");
            return None;
        };
        // It is attached when it shows what the server's threads wait in.
        let mut ended = false;
        eventually("strace is attached", || {
            ended = strace.try_wait().unwrap().is_some();
            ended || std::fs::read_to_string(&log).is_ok_and(|trace| trace.contains("epoll_wait"))
        });
        if ended {
            ledger::skipped("system_calls", "strace may not trace here");
            return None;
        }
        Some(Traced { server, strace, output })
    }

    /// Lets `work` happen; the calls that the server made for it, without what they end in.
    fn calls(self, work: impl FnOnce(&mut Client)) -> Vec<String> {
        self.calls_of(|client, _| work(client))
    }

    /// The same, where the work may need the server, too.
    fn calls_of(mut self, work: impl FnOnce(&mut Client, &Server)) -> Vec<String> {
        let mut client = self.server.connect();
        // The connection is there, and its first request answered, before anything counts.
        client.send(request("GET /echo/begin", ""));
        client.answer("GET");
        work(&mut client, &self.server);
        client.send(request("GET /echo/end", ""));
        client.answer("GET");
        let log = self.output.path().join("trace");
        let whole = || std::fs::read_to_string(&log).unwrap();
        eventually("the trace is written", || whole().contains("GET /echo/end"));
        self.strace.kill().unwrap();
        self.strace.wait().unwrap();
        let trace = whole();
        let from = trace.find("GET /echo/begin").unwrap();
        let to = trace.find("GET /echo/end").unwrap();
        // Neither the line that receives the first request counts, nor the one that receives the last.
        let to = trace[..to].rfind('\n').unwrap();
        let lines = trace[from..to].lines().skip(1);
        let call = |line: &str| {
            let (_, call) = line.split_once(' ')?;
            let call = call.trim_start();
            let counts = !["<...", "---"].iter().any(|other| call.starts_with(other));
            // The pauses of the thread that closes files are nobody's.
            (counts && !call.starts_with("clock_nanosleep(")).then(|| call.to_owned())
        };
        lines.filter_map(call).collect()
    }
}

fn count(calls: &[String], name: &str) -> usize {
    calls.iter().filter(|call| call.starts_with(&format!("{name}("))).count()
}

const REQUESTS: usize = 100;

/// Whether names can be known there; elsewhere each is resolved each time.
fn is_told_of_changes(server: &Server) -> bool {
    let base = File::open(server.directory()).unwrap();
    file_system(base.as_fd()).unwrap().is_told_of()
}

#[test]
fn a_request_on_a_kept_connection_costs_one_recv_and_one_send() {
    let Some(traced) = Traced::start(&["--threads", "1", "--quiet"]) else { return };
    let calls = traced.calls(|client| {
        for _ in 0..REQUESTS {
            client.send(request("GET /echo/a", ""));
            client.answer("GET");
        }
    });
    // The first send and the last recv belong to the requests around them.
    for (name, expected) in [("sendto", REQUESTS + 1), ("recvfrom", REQUESTS)] {
        assert_eq!(count(&calls, name), expected, "{name}");
    }
    // A wait belongs to each answer, but for one that was begun before.
    assert!(count(&calls, "epoll_wait") <= REQUESTS + 2);
    let others: Vec<_> = calls
        .iter()
        .filter(|call| !["sendto(", "recvfrom(", "epoll_wait("].iter().any(|name| call.starts_with(name)))
        .collect();
    assert!(others.iter().all(|call| call.starts_with("accept4(")), "{others:?}");
}

#[test]
fn a_cached_file_is_read_in_the_event_loop() {
    let Some(traced) = Traced::start(&["--threads", "1", "--quiet"]) else { return };
    std::fs::write(traced.server.directory().join("a"), [b'a'; 1024]).unwrap();
    let told = is_told_of_changes(&traced.server);
    let calls = traced.calls(|client| {
        for _ in 0..REQUESTS {
            client.send(request("GET /files/a", ""));
            assert_eq!(client.answer("GET").content.len(), 1024);
        }
    });
    for (name, expected) in
        [("sendto", REQUESTS + 1), ("recvfrom", REQUESTS), ("preadv2", REQUESTS), ("sendfile", 0)]
    {
        assert_eq!(count(&calls, name), expected, "{name}");
    }
    // It is opened for reading once, and once more whenever it was swept; the sweeper was woken then.
    let opened = count(&calls, "openat");
    assert!((1..=REQUESTS / 10).contains(&opened), "opened {opened} times");
    // Its path is resolved three times, and its directory's once, and then known; again when it is opened again.
    let resolved = count(&calls, "openat2");
    assert!(resolved <= if told { 3 + opened } else { REQUESTS }, "resolved {resolved} times");
    assert!(count(&calls, "close") <= resolved + 2 * opened, "one for each name");
    // A busy machine wakes a thread late now and then; no request needs one.
    assert!(count(&calls, "futex") <= 2 * opened + REQUESTS / 10);
}

#[test]
fn pipelined_requests_share_one_send() {
    let Some(traced) = Traced::start(&["--threads", "1", "--quiet"]) else { return };
    let calls = traced.calls(|client| {
        client.send(request("GET /echo/a", "").repeat(REQUESTS));
        for _ in 0..REQUESTS {
            client.answer("GET");
        }
    });
    // Loopback may bring one write in a few pieces; never in one for each request.
    assert!(count(&calls, "sendto") <= 5, "{calls:?}");
}

/// Goal: no request comes to cost more calls unseen. Method: the same requests, one after the other on
/// one connection or each on its own; the calls of all threads are those of `costs.txt`. Without
/// futexes, for whether a worker sleeps by the time that there is work for it is a matter of luck.
#[test]
fn requests_cost_the_calls_that_are_written_down() {
    type Work<'a> = &'a dyn Fn(&mut Client, &Server);
    let files = [("small", 1024), ("medium", 100 * 1024), ("large", 1 << 20)];
    let repeat = |client: &mut Client, request: Vec<u8>| {
        let method = if request.starts_with(b"PUT") { "PUT" } else { "GET" };
        for _ in 0..REQUESTS {
            client.send(&request);
            client.answer(method);
        }
    };
    let works: [(&str, Work); 9] = [
        ("echo", &|client, _| repeat(client, request("GET /echo/a", ""))),
        ("pipelined", &|client, _| {
            let batch = request("GET /echo/a", "").repeat(16);
            for _ in 0..REQUESTS {
                client.send(&batch);
                (0..16).for_each(|_| drop(client.answer("GET")));
            }
        }),
        ("small", &|client, _| repeat(client, request("GET /files/small", ""))),
        ("medium", &|client, _| repeat(client, request("GET /files/medium", ""))),
        ("not_modified", &|client, _| {
            let tag = client.ask("GET /files/small", "").field("etag").unwrap().to_owned();
            repeat(client, request(&format!("GET /files/small HTTP/1.1\r\nIf-None-Match: {tag}\r\nX:"), ""));
        }),
        ("range", &|client, _| {
            let line = "GET /files/large HTTP/1.1\r\nRange: bytes=5000-9095\r\nX:";
            repeat(client, request(line, ""));
        }),
        ("connection", &|_, server| {
            for _ in 0..REQUESTS {
                let mut client = server.connect();
                client.send(request("GET /echo/a HTTP/1.1\r\nConnection: close\r\nX:", ""));
                client.answer("GET");
                client.expect_end();
            }
        }),
        ("replace", &|client, _| repeat(client, request("PUT /files/replaced", "content"))),
        ("replace_below", &|client, _| repeat(client, request("PUT /files/d/replaced", "content"))),
    ];
    let mut measured = Vec::new();
    for (name, work) in works {
        let Some(traced) = Traced::start(&["--threads", "1", "--quiet", "--durability", "cache"]) else {
            return ledger::skipped("costs", "strace is missing or may not trace");
        };
        if !is_told_of_changes(&traced.server) {
            return ledger::skipped("costs", "names are not known on this file system");
        }
        for (file, length) in files {
            std::fs::write(traced.server.directory().join(file), vec![b'a'; length]).unwrap();
        }
        let calls = traced.calls_of(work);
        // Of fcntl std makes one before each close, in builds with debug assertions.
        let counts = |call: &&String| !call.starts_with("futex(") && !call.contains(", F_GETFD)");
        // Whether it finds its request, and the next one, without a wait, is luck as well.
        let luck = |call: &&String| call.starts_with("epoll_wait(") || call.contains(" EAGAIN ");
        let counted = calls.iter().filter(counts).filter(|call| name != "connection" || !luck(call)).count();
        measured.push((name, counted as f64 / REQUESTS as f64));
    }
    costs::check("system_calls", &measured, |_| 0.25);
}

/// The calls that matter for durability, each as its name and the name that it is about.
fn order(calls: &[String]) -> Vec<&str> {
    let word = |call: &String| -> Option<&'static str> {
        let starts = |name: &str| call.starts_with(name);
        match () {
            // Which of them: a directory's name ends its path, and the staging directory is ours.
            () if starts("fsync(") && call.contains("/.http_server>") => Some("fsync-area"),
            () if starts("fsync(") && call.contains("/.http_server/") => Some("fsync-staged"),
            () if starts("fsync(") && call.contains("/data/a>") => Some("fsync-file"),
            () if starts("fsync(") => Some("fsync"),
            () if starts("pwrite64(") => Some("write"),
            () if starts("linkat(") => Some("linkat"),
            () if starts("utimensat(") => Some("stamp"),
            () if starts("renameat2(") => Some("renameat2"),
            // renameat2(2) without flags.
            () if starts("renameat(") => Some("renameat"),
            () if starts("mkdirat(") => Some("mkdirat"),
            () if starts("unlinkat(") => Some("unlinkat"),
            () if starts("sendto(") && call.contains("HTTP/1.1 20") => Some("answer"),
            () => None,
        }
    };
    calls.iter().filter_map(word).collect()
}

#[test]
fn a_durable_write_is_answered_behind_its_syncs() {
    for (flags, requests, expected) in [
        (
            ["--durability", "disk"],
            ["POST /files/a", "PUT /files/a", "PATCH /files/a", "DELETE /files/a", "PUT /files/d/e/b"],
            "write stamp fsync-staged renameat2 fsync answer \
             write stamp fsync-staged renameat2 fsync unlinkat answer \
             linkat fsync-area write stamp fsync-file unlinkat fsync-area answer \
             renameat fsync unlinkat answer \
             write stamp fsync-staged mkdirat fsync mkdirat fsync renameat2 fsync answer",
        ),
        (
            ["--durability", "cache"],
            ["POST /files/a", "PUT /files/a", "PATCH /files/a", "DELETE /files/a", "PUT /files/d/e/b"],
            "write stamp renameat2 answer write stamp renameat2 unlinkat answer \
             linkat write stamp unlinkat answer unlinkat answer \
             write stamp mkdirat mkdirat renameat2 answer",
        ),
    ] {
        let flags = [&flags[..], &["--threads", "1", "--quiet"]].concat();
        let Some(traced) = Traced::start(&flags) else { return };
        let calls = traced.calls(|client| {
            for line in requests {
                let method = line.split(' ').next().unwrap();
                client.send(request(line, if method == "DELETE" { "" } else { "content" }));
                client.answer(method);
            }
        });
        let order = order(&calls).join(" ");
        // What `strace` showed while it was attached is an answer to another request.
        assert_eq!(order.strip_prefix("answer ").unwrap_or(&order), expected, "{flags:?}");
    }
}
