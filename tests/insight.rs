//! What whoever watches the server is told: health, readiness and figures, on an address of their own.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper of tests fails the test that it helps")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tests::{Client, PATIENCE, Server, eventually, exchange, ledger, request};

const NEXT: &str = "http_server: health and metrics on http://";

/// A server with these flags, and where it is watched.
fn watched(flags: &[&str]) -> (Server, SocketAddr) {
    let server = Server::start(&[&["--admin", "127.0.0.1:0"], flags].concat());
    let line = server.next_line();
    let address = line.strip_prefix(NEXT).unwrap_or_else(|| panic!("{line}")).parse().unwrap();
    (server, address)
}

/// Status and content of a page.
#[track_caller]
fn page(address: SocketAddr, path: &str) -> (u16, String) {
    let mut client = Client::connect(address);
    client.send(request(&format!("GET {path}"), ""));
    let answer = client.answer("GET");
    assert!(answer.closes(), "one request for each connection");
    client.expect_end();
    (answer.status, answer.text().to_owned())
}

/// The samples of `/metrics`, by name and labels; their form is checked.
#[track_caller]
fn metrics(address: SocketAddr) -> BTreeMap<String, f64> {
    let (status, text) = page(address, "/metrics");
    assert_eq!(status, 200);
    assert!(text.ends_with("# EOF\n"), "{text}");
    let sample = |line: &str| {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(name.starts_with("http_server_"), "{line}");
        (name.to_owned(), value.parse().unwrap())
    };
    text.lines().filter(|line| !line.starts_with('#')).map(sample).collect()
}

/// Of a name and one of its labels, or any: the sum.
fn sum(metrics: &BTreeMap<String, f64>, name: &str, label: &str) -> f64 {
    let is_it = |key: &str| key.split('{').next() == Some(name) && key.contains(label);
    metrics.iter().filter(|(key, _)| is_it(key)).map(|(_, value)| value).sum()
}

/// One request of a script: its bytes, and what is read of its method.
type Script = Vec<(Vec<u8>, &'static str)>;

fn one_request() -> impl Strategy<Value = (Vec<u8>, &'static str)> {
    let methods =
        prop::sample::select(&["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS", "BREW"][..]);
    let targets =
        prop::sample::select(&["/echo/a", "/files/a", "/files/b/c", "/files/..", "/missing", "/"][..]);
    let content = prop::collection::vec(any::<u8>(), 0..300);
    (methods, targets, content).prop_map(|(method, target, content)| {
        let content = if method.starts_with('P') { &content[..] } else { b"" };
        let counted = if method == "BREW" { "other" } else { method };
        (request(&format!("{method} {target}"), content), counted)
    })
}

/// What was sent and answered.
#[derive(Default, Debug, PartialEq)]
struct Counted {
    answers: BTreeMap<String, u64>,
    sent: u64,
    received: u64,
    connections: u64,
}

/// Sends a script at once on a connection, with something at its end that is no request where that is
/// wanted; counts what comes of it.
fn play(server: &Server, script: &Script, nonsense: bool, counted: &mut Counted) {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut bytes: Vec<u8> = script.iter().flat_map(|(bytes, _)| bytes.clone()).collect();
    if nonsense {
        bytes.extend_from_slice(b"G@T / HTTP/1.1\r\n\r\n");
    }
    stream.write_all(&bytes).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut received = Vec::new();
    stream.read_to_end(&mut received).unwrap();
    counted.connections += 1;
    counted.sent += bytes.len() as u64;
    counted.received += received.len() as u64;
    let mut rest = &received[..];
    for method in script.iter().map(|(_, method)| *method).chain(nonsense.then_some("none")) {
        let end = rest.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4;
        let head = std::str::from_utf8(&rest[..end]).unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        let length: usize = length.filter(|_| method != "HEAD").map_or(0, |length| length.parse().unwrap());
        let key = format!("http_server_requests_total{{method=\"{method}\",status=\"{}\"}}", &head[9..12]);
        *counted.answers.entry(key).or_default() += 1;
        rest = &rest[end + length..];
    }
    assert!(rest.is_empty(), "bytes behind the last answer");
}

fn told(address: SocketAddr) -> Counted {
    let metrics = metrics(address);
    let number = |name: &str| sum(&metrics, &format!("http_server_{name}"), "") as u64;
    let answers = metrics.iter().filter(|(key, _)| key.starts_with("http_server_requests_total"));
    let counted = Counted {
        answers: answers.map(|(key, count)| (key.clone(), *count as u64)).collect(),
        sent: number("received_bytes_total"),
        received: number("sent_bytes_total"),
        connections: number("connections_accepted_total"),
    };
    let all: u64 = counted.answers.values().sum();
    assert_eq!(number("request_duration_seconds_count"), all);
    assert_eq!(sum(&metrics, "http_server_request_duration_seconds_bucket", "+Inf") as u64, all);
    counted
}

/// Goal: the figures are what clients did and were answered. Method: random scripts of requests, a few
/// connections each; by every one of them, the figures equal what was counted at the other end.
#[test]
fn the_figures_are_what_was_sent_and_answered() {
    let (server, address) = watched(&["--quiet", "--durability", "cache"]);
    let mut runner = TestRunner::new(Config { cases: 40, failure_persistence: None, ..Config::default() });
    let (counted, requests) = (std::cell::RefCell::new(Counted::default()), std::cell::Cell::new(0));
    let scripts = prop::collection::vec((prop::collection::vec(one_request(), 0..12), any::<bool>()), 1..4);
    let result = runner.run(&scripts, |scripts| {
        let mut counted = counted.borrow_mut();
        for (script, nonsense) in &scripts {
            play(&server, script, *nonsense, &mut counted);
            requests.set(requests.get() + script.len() as u64);
        }
        // The last of them is counted behind its answer.
        eventually(&format!("the figures are {counted:?}"), || told(address) == *counted);
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    let nonsense =
        counted.borrow().answers.iter().find(|(key, _)| key.contains("none")).map(|(_, count)| *count);
    assert_eq!(
        sum(&metrics(address), "http_server_rejections_total", "\"method\"") as u64,
        nonsense.unwrap_or(0)
    );
    ledger::record("insight", &[("requests", requests.get())]);
}

#[test]
fn connections_syncs_and_refusals_are_counted() {
    let (server, address) = watched(&["--quiet", "--connections-max", "3"]);
    let mut clients: Vec<Client> = (0..3).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.expect_alive();
    }
    let state = |state: &str| sum(&metrics(address), "http_server_connections", state);
    eventually("all rest", || (state("resting"), state("active")) == (3.0, 0.0));
    clients[0].send("GET /echo/a");
    eventually("one has begun a request", || (state("resting"), state("active")) == (2.0, 1.0));
    let mut refused = server.connect();
    assert_eq!(refused.answer("GET").status, 503);
    let reason = "reason=\"connections_max\"";
    eventually("it is counted", || {
        sum(&metrics(address), "http_server_connections_refused_total", reason) == 1.0
    });
    assert_eq!(metrics(address)["http_server_rejections_total{reason=\"too_many_connections\"}"], 1.0);
    let before = metrics(address)["http_server_syncs_total"];
    assert_eq!(clients[1].ask("PUT /files/a", "content").status, 201);
    let after = metrics(address);
    assert!(after["http_server_syncs_total"] >= before + 2.0, "content and name");
    assert_eq!(after["http_server_job_duration_seconds_count"], 1.0);
    for pool in ["files", "passwords"] {
        assert_eq!(after[&format!("http_server_jobs_waiting{{pool=\"{pool}\"}}")], 0.0);
    }
    drop((clients, refused));
    eventually("none is left", || (state("resting"), state("active")) == (0.0, 0.0));
}

/// Goal: the time in a queue stands by itself, for each pool, and is a part of a job's, as that is of a
/// request's. Method: as many requests that take one job each, and each of them more than a microsecond, as
/// jobs are counted; half of them are for a thread that looks at passwords.
#[test]
fn waits_are_counted_apart_from_the_work() {
    // Of `U*U`, in a millisecond: a test vector of crypt_blowfish.
    let users = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(users.path(), "ann:$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW\n")
        .unwrap();
    let users = users.path().to_str().unwrap();
    let (server, address) =
        watched(&["--quiet", "--pool", "1", "--users", users, "--allow=anonymous:create:/"]);
    let mut clients: Vec<Client> = (0..16).map(|_| server.connect()).collect();
    // `a:x` to `h:x` in base 64: a wrong password for a name of its own each.
    let wrong = ["YTp4", "Yjp4", "Yzp4", "ZDp4", "ZTp4", "Zjp4", "Zzp4", "aDp4"];
    for (number, client) in clients.iter_mut().enumerate() {
        let fields = match number % 2 {
            0 => String::new(),
            _ => format!("Authorization: Basic {}\r\n", wrong[number / 2]),
        };
        client.send(format!("PUT /files/{number} HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n{fields}\r\n"));
    }
    for (number, client) in clients.iter_mut().enumerate() {
        assert_eq!(client.answer("PUT").status, if number % 2 == 0 { 201 } else { 401 });
    }
    let name = |what: &str| format!("http_server_job_wait_seconds_{what}");
    let requests = "http_server_request_duration_seconds_count";
    eventually("all are counted", || metrics(address)[requests] == 16.0);
    let metrics = metrics(address);
    for pool in ["files", "passwords"] {
        let pool = format!("pool=\"{pool}\"");
        assert_eq!(sum(&metrics, &name("count"), &pool), 8.0, "{metrics:?}");
        let steps = metrics.iter().filter(|(key, _)| key.starts_with(&name("bucket")) && key.contains(&pool));
        assert_eq!(steps.filter(|(key, count)| key.contains("+Inf") && **count == 8.0).count(), 1);
    }
    assert_eq!(metrics["http_server_job_duration_seconds_count"], 16.0);
    let (waits, jobs) = (sum(&metrics, &name("sum"), ""), metrics["http_server_job_duration_seconds_sum"]);
    let requests = metrics["http_server_request_duration_seconds_sum"];
    assert!(0.0 < waits && waits < jobs && jobs <= requests, "{waits} of {jobs} of {requests}");
}

#[test]
fn lost_lines_are_counted() {
    let (server, address) = watched(&["--log-file", "/dev/full"]);
    server.connect().expect_alive();
    eventually("it is counted", || metrics(address)["http_server_log_lines_dropped_total"] == 1.0);
}

#[test]
fn a_server_that_is_about_to_end_is_alive_and_not_ready() {
    let (mut server, address) = watched(&[]);
    assert_eq!(page(address, "/healthz"), (200, "ok\n".to_owned()));
    assert_eq!(page(address, "/readyz"), (200, "ready\n".to_owned()));
    let mut client = server.connect();
    client.send("PUT /files/a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\na");
    server.signal("TERM");
    eventually("it is not ready", || page(address, "/readyz").0 == 503);
    assert_eq!(page(address, "/healthz").0, 200);
    client.send("b");
    assert_eq!(client.answer("PUT").status, 201);
    assert_eq!(server.expect_exit().code(), Some(0));
}

#[test]
fn there_is_nothing_else() {
    let (server, address) = watched(&[]);
    assert_eq!(page(address, "/").0, 404);
    assert_eq!(page(address, "/files/a").0, 404);
    let ask = |request: &str, method| {
        let mut client = Client::connect(address);
        client.send(request);
        let answer = client.answer(method);
        client.expect_end();
        answer
    };
    let refused = ask("POST /metrics HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc", "POST");
    assert_eq!((refused.status, refused.allow()), (405, vec!["GET", "HEAD"]));
    let head = ask("HEAD /healthz HTTP/1.1\r\nHost: h\r\n\r\n", "HEAD");
    assert_eq!((head.status, head.field("content-length")), (200, Some("3")));
    // And none of it where the files are.
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(server.connect().ask(&format!("GET {path}"), "").status, 404);
    }
}

/// Goal: no peer keeps others from being answered there. Method: more silent, slow, endless and broken
/// ones than there is room for; a page is had all the while, and files are served.
#[test]
fn hostile_peers_hold_nobody_up() {
    let (server, address) = watched(&["--quiet"]);
    let descriptors = server.descriptors();
    let connect = || TcpStream::connect_timeout(&address, PATIENCE).unwrap();
    let mut silent: Vec<TcpStream> = (0..100).map(|_| connect()).collect();
    for round in 0..5 {
        let mut trickling = connect();
        for byte in b"GET /metrics" {
            trickling.write_all(&[*byte]).unwrap();
        }
        let mut endless = connect();
        endless.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
        // It is told what is wrong, or cut off, in the middle of this.
        let _ = endless.write_all(&vec![b'a'; 1 << 20]);
        let mut broken = connect();
        let _ = broken.write_all(b"\0\xff\r\n\r\n");
        drop(broken);
        silent.push(trickling);
        silent.push(endless);
        assert_eq!(page(address, "/healthz").0, 200, "round {round}");
        server.connect().expect_alive();
    }
    let mut long = Client::connect(address);
    long.send(format!("GET /healthz HTTP/1.1\r\nHost: h\r\nLong: {}\r\n\r\n", "a".repeat(10_000)));
    assert_eq!(long.answer("GET").status, 431);
    assert!(server.descriptors() <= descriptors + 40, "each has a descriptor");
    drop((silent, long));
    eventually("they are closed", || server.descriptors() <= descriptors + 1);
}

/// Goal: the answer and the log's line of a request have the same id, no two requests have the same, and a
/// client's own is kept where it can do no harm.
#[test]
fn requests_are_found_in_the_log_by_their_ids() {
    let server = Server::start(&["--request-ids", "--log-format", "json"]);
    let ask = |line: &str, id: &str| {
        let mut client = server.connect();
        client.send(format!("{line} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{id}\r\n"));
        let answer = client.answer(line.split(' ').next().unwrap());
        answer.field("x-request-id").unwrap().to_owned()
    };
    let mut ids = vec![
        ask("GET /echo/a", ""),
        ask("GET /files/none", ""),
        ask("PUT /files/a", ""),
        ask("GET /files/a", "X-Request-Id: a b\r\n"),
        ask("GET /files/a", "X-Request-Id: a\r\nX-Request-Id: b\r\n"),
        ask("GET /files/../a", ""),
        ask("no request", ""),
    ];
    for own in ["a", "5f1e/+=:~._-9"] {
        assert_eq!(ask("GET /echo/a", &format!("X-Request-ID: {own}\r\n")), own);
        ids.push(own.to_owned());
    }
    assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), ids.len());
    let log = server.stop();
    let logged: Vec<String> = log
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["id"].as_str().unwrap().to_owned()
        })
        .collect();
    // Each event loop hands over its own lines.
    let sorted = |mut ids: Vec<String>| {
        ids.sort();
        ids
    };
    assert_eq!(sorted(logged), sorted(ids));

    let server = Server::start(&["--request-ids"]);
    let answer = exchange(&server, "GET /echo/a", "");
    let log = server.stop();
    assert!(log.ends_with(&format!("ms {}\n", answer.field("x-request-id").unwrap())), "{log}");
    let server = Server::start(&[]);
    assert_eq!(exchange(&server, "GET /echo/a", "").field("x-request-id"), None);
}

#[test]
fn diagnostics_say_what_happens_beside_requests() {
    let connect = |server: &Server| drop(exchange(server, "GET /echo/a", ""));
    let said = |flags: &[&str]| {
        let server = Server::start(&[&["--quiet"], flags].concat());
        connect(&server);
        server.stop()
    };
    assert_eq!(said(&[]), "");
    let info = said(&["--diagnostics", "info"]);
    let words = ["INFO started", "INFO ending"];
    assert!(words.iter().all(|word| info.contains(word)) && !info.contains("accepted"), "{info}");
    let debug = said(&["--diagnostics", "debug"]);
    assert!(["accepted", "closed", "INFO started"].iter().all(|word| debug.contains(word)), "{debug}");
    // A request's line stays one.
    let server = Server::start(&["--diagnostics", "debug"]);
    connect(&server);
    assert!(server.stop().contains("\"GET /echo/a HTTP/1.1\" 200 1 "));
}
