//! The connection as a pure machine: bytes in, answers out. Cases are lines; one `check` knows
//! how a connection is driven.

#![allow(clippy::panic, reason = "a helper of tests fails the test that it helps")]

use std::sync::Arc;
use std::time::Duration;

use http_server::clock::{Instant, Now};
use http_server::connection::{Connection, Input, Output, Want};
use http_server::limits::Limits;
use http_server::store::operation::{Operation, Outcome};
use http_server::store::version::Version;
use model::pump::Pump;
use model::scripted::{FILE_BYTES, Scripted};
use model::wire::{WireAnswer, read_answers};

fn limits() -> Limits {
    Limits {
        target_bytes_max: 60,
        head_bytes_max: 300,
        head_fields_max: 5,
        content_bytes_max: 1000,
        content_buffer_bytes_max: 100,
        discard_bytes_max: 50,
        chunk_overhead_bytes_max: 40,
        requests_per_connection_max: 10,
        ..Limits::default()
    }
}

fn pump() -> Pump<Scripted> {
    Pump::new(Scripted::default(), Arc::new(limits()))
}

/// The answers and what becomes of the connection: `200 404 open`, `400 close`, `200 linger`.
fn verdict(pump: &Pump<Scripted>, requests: &str) -> String {
    let answers = answers(pump, requests);
    let codes = answers.iter().map(|answer| format!("{} ", answer.status));
    let end = match pump.end() {
        None => "open",
        Some(false) => "close",
        Some(true) => "linger",
    };
    let text: String = codes.chain([end.to_owned()]).collect();
    if let (Some(last), Some(_)) = (answers.last(), pump.end()) {
        assert_eq!(last.field("connection"), "close", "the last answer says so: {requests:?}");
    }
    text
}

fn answers(pump: &Pump<Scripted>, requests: &str) -> Vec<WireAnswer> {
    let head_only: Vec<bool> =
        requests.split("\r\n\r\n").map(|head| head.trim_start().starts_with("HEAD ")).collect();
    read_answers(pump.output(), &head_only).unwrap_or_else(|error| {
        panic!("{error} in {} to {requests:?}", pump.output().escape_ascii());
    })
}

/// `{}` stands for what every request of HTTP/1.1 needs.
fn expand(requests: &str) -> String {
    requests.replace("{}", "HTTP/1.1\r\nHost: h\r\n")
}

fn check(requests: &str, expected: &str) {
    let requests = expand(requests);
    let mut pump = pump();
    pump.send(requests.as_bytes());
    assert_eq!(verdict(&pump, &requests), expected, "{requests:?}");
}

#[test]
fn each_request_has_one_answer_in_order() {
    check("GET /echo/a {}\r\n", "200 open");
    check(
        "GET /echo/a {}\r\nGET /x {}\r\nHEAD /echo/b {}\r\nGET /files/missing {}\r\nGET /files/a {}\r\n",
        "200 404 200 404 200 open",
    );
    check("", "open");
    check("GET /echo/a HTTP/1.1\r\nHost", "open");
}

#[test]
fn content_comes_back_exactly() {
    let content = |request: &str| {
        let mut pump = pump();
        pump.send(expand(request).as_bytes());
        String::from_utf8(answers(&pump, request).remove(0).content).expect("text")
    };
    assert_eq!(content("GET /echo/a%2fb%20c?d {}\r\n"), "a/b c");
    assert_eq!(content("GET /echo/ {}\r\n"), "");
    assert_eq!(content("GET /user-agent {}User-Agent:  one two \r\n\r\n"), "one two");
    assert_eq!(content("GET /user-agent {}\r\n"), "");
    assert_eq!(content("GET /files/a {}\r\n").len() as u64, FILE_BYTES);
    assert_eq!(content("HEAD /files/a {}\r\n"), "");
}

#[test]
fn head_is_get_without_content() {
    for target in
        ["/", "/echo/a", "/files/a", "/files/empty", "/files/missing", "/files/..", "/nothing", "/echo/%"]
    {
        let fields = |method: &str| {
            let request = expand(&format!("{method} {target} {{}}\r\n"));
            let mut pump = pump();
            pump.send(request.as_bytes());
            let answer = answers(&pump, &request).remove(0);
            (answer.status, answer.fields)
        };
        assert_eq!(fields("GET"), fields("HEAD"), "{target}");
    }
    check("HEAD /echo/a HTTP/1.1\r\n\r\n", "400 linger");
    check("HEAD /echo/a HTTP/3.0\r\n\r\n", "505 linger");
}

#[test]
fn connection_stays_or_closes_as_agreed() {
    check("GET /echo/a {}Connection: close\r\n\r\n", "200 close");
    check("GET /echo/a {}Connection: close\r\n\r\nGET /echo/b {}\r\n", "200 linger");
    check("GET /echo/a HTTP/1.0\r\n\r\n", "200 close");
    check(
        "GET /echo/a HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /echo/b HTTP/1.0\r\n\r\n",
        "200 200 close",
    );
    check(&"GET /echo/a {}\r\n".repeat(12), &format!("{}linger", "200 ".repeat(10)));
    check("GET /files/a {}Connection: close\r\n\r\n", "200 close");
    check("DELETE /files/missing {}Connection: close\r\n\r\n", "404 close");
}

#[test]
fn error_alone_is_no_reason_to_close() {
    for request in [
        "BREW / {}\r\n",
        "POST /echo/a {}\r\n",
        "GET /files/a//b {}\r\n",
        "GET https://h/ {}\r\n",
        "GET / {}Expect: x\r\n\r\n",
    ] {
        let mut pump = pump();
        pump.send(expand(&request.repeat(2)).as_bytes());
        assert_eq!(pump.end(), None, "{request:?}");
        assert_eq!(pump.answered().count(), 2, "{request:?}");
    }
}

#[test]
fn refused_message_ends_the_connection_and_not_the_answers_before() {
    check("GET /echo/a {}\r\nGET / HTTP/1.1\r\n\r\nGET /echo/b {}\r\n", "200 400 linger");
    check(
        "GET /files/a {}\r\nPOST /files/b {}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "200 400 linger",
    );
    check("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505 linger");
    check("GET / HTTP/1.1\n", "400 linger");
}

#[test]
fn heads_have_limits() {
    check(&format!("GET /echo/{:a<54} {{}}\r\n", ""), "200 open");
    check(&format!("GET /echo/{:a<55} {{}}\r\n", ""), "414 linger");
    check(&format!("GET / {{}}A: {:a<300}", ""), "431 linger");
    check("GET / {}a:\r\nb:\r\nc:\r\nd:\r\n\r\n", "200 open");
    check("GET / {}a:\r\nb:\r\nc:\r\nd:\r\ne:\r\n\r\n", "431 linger");
}

#[test]
fn upload_runs_in_one_operation_where_it_fits() {
    let operations = |request: &str| {
        let mut pump = pump();
        pump.send(expand(request).as_bytes());
        pump.operations()
            .iter()
            .map(|operation| operation.split('(').next().unwrap_or_default().to_owned())
            .collect::<Vec<_>>()
    };
    let upload = |length: usize| format!("PUT /files/a {{}}Content-Length: {length}\r\n\r\n{:a<length$}", "");
    assert_eq!(operations(&upload(0)), ["Store"]);
    assert_eq!(operations(&upload(100)), ["Store"]);
    assert_eq!(operations(&upload(101)), ["Stage", "Write", "Publish"]);
    assert_eq!(operations(&upload(200)), ["Stage", "Write", "Publish"]);
    assert_eq!(operations(&upload(201)), ["Stage", "Write", "Write", "Publish"]);
    let chunked = |length: usize| {
        format!(
            "PUT /files/a {{}}Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n{:a<length$}\r\n0\r\n\r\n",
            ""
        )
    };
    assert_eq!(operations(&chunked(99)), ["Store"]);
    assert_eq!(operations(&chunked(101)), ["Stage", "Write", "Publish"]);
}

#[test]
fn upload_is_answered_by_what_became_of_it() {
    check("POST /files/a {}Content-Length: 3\r\n\r\nabcGET /echo/a {}\r\n", "201 200 open");
    check("PUT /files/a {}Content-Length: 3\r\n\r\nabc", "200 open");
    check("PATCH /files/new {}Content-Length: 3\r\n\r\nabc", "201 open");
    check("PUT /files/full {}Content-Length: 3\r\n\r\nabc", "507 open");
    check("PUT /files/a {}Content-Length: 3\r\n\r\nab", "open");
    check("PUT /files/a {}Content-Length: 1001\r\n\r\n", "413 linger");
    check(
        "PUT /files/a {}Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\nTrailer: x\r\n\r\nGET / {}\r\n",
        "200 200 open",
    );
    check(&format!("PUT /files/a {{}}Transfer-Encoding: chunked\r\n\r\n3e9\r\n{:a<1001}", ""), "413 linger");
    check("PUT /files/a {}Transfer-Encoding: chunked\r\n\r\nx\r\n", "400 linger");
    check("PUT /files/a/ {}Content-Length: 3\r\n\r\nabc", "200 open");
}

#[test]
fn failed_upload_is_read_past_or_closed() {
    // 101 bytes do not fit the buffer, so the refusal comes before the content; 50 may be read past.
    check(&format!("PUT /files/full {{}}Content-Length: 101\r\n\r\n{:a<101}", ""), "507 linger");
    check(
        &format!("PUT /files/full-later {{}}Content-Length: 150\r\n\r\n{:a<150}GET / {{}}\r\n", ""),
        "507 linger",
    );
    let mut pump = Pump::new(Scripted::default(), Arc::new(Limits { discard_bytes_max: 500, ..limits() }));
    pump.send(
        expand(&format!("PUT /files/full {{}}Content-Length: 101\r\n\r\n{:a<101}GET / {{}}\r\n", ""))
            .as_bytes(),
    );
    assert_eq!(verdict(&pump, ""), "507 200 open");
}

#[test]
fn unwanted_content_is_read_past_before_the_answer() {
    check("GET /echo/a {}Content-Length: 3\r\n\r\nab", "open");
    check("GET /echo/a {}Content-Length: 3\r\n\r\nabcGET /echo/b {}\r\n", "200 200 open");
    check("DELETE /files/a {}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", "200 open");
    check("DELETE /files/a {}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\nx", "400 linger");
    check(&format!("POST /echo/a {{}}Content-Length: 50\r\n\r\n{:a<50}", ""), "405 open");
    check("POST /echo/a {}Content-Length: 51\r\n\r\n", "405 linger");
    check(&format!("POST /echo/a {{}}Transfer-Encoding: chunked\r\n\r\n33\r\n{:a<51}", ""), "405 linger");
    // Content that is not read to its end has no effect.
    check("DELETE /files/a {}Content-Length: 51\r\n\r\n", "413 linger");
}

#[test]
fn continue_is_sent_where_content_is_wanted() {
    let output = |request: &str| {
        let mut pump = pump();
        pump.send(expand(request).as_bytes());
        let continues = String::from_utf8_lossy(pump.output()).matches("100 Continue").count();
        format!("{continues} {}", verdict(&pump, ""))
    };
    assert_eq!(output("PUT /files/a {}Content-Length: 3\r\nExpect: 100-continue\r\n\r\n"), "1 open");
    assert_eq!(output("PUT /files/a {}Content-Length: 3\r\nExpect: 100-continue\r\n\r\nabc"), "1 200 open");
    assert_eq!(output("PUT /files/a {}Content-Length: 0\r\nExpect: 100-continue\r\n\r\n"), "0 200 open");
    assert_eq!(
        output("PUT /files/a HTTP/1.0\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc"),
        "0 200 close"
    );
    assert_eq!(output("PUT /files/full {}Content-Length: 3\r\nExpect: 100-continue\r\n\r\n"), "0 507 linger");
    assert_eq!(output("PUT /echo/a {}Content-Length: 3\r\nExpect: 100-continue\r\n\r\n"), "0 405 linger");
    assert_eq!(output("PUT /files/a {}Content-Length: 1001\r\nExpect: 100-continue\r\n\r\n"), "0 413 linger");
    assert_eq!(output("PUT /files/a {}Content-Length: 3\r\nExpect: x\r\n\r\nabc"), "0 417 linger");
}

#[test]
fn refusals_name_what_the_peer_can_do() {
    let field = |request: &str, name: &str| {
        let mut pump = pump();
        pump.send(expand(request).as_bytes());
        answers(&pump, request).remove(0).field(name).to_owned()
    };
    assert_eq!(field("PUT /echo/a {}\r\n", "allow"), "GET, HEAD, OPTIONS");
    assert_eq!(field("OPTIONS /files/a {}\r\n", "allow"), "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    assert_eq!(field("OPTIONS * {}\r\n", "allow"), "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    assert_eq!(field("OPTIONS /files/a {}\r\n", "accept-patch"), "application/octet-stream");
    assert_eq!(field("POST /files/a%20b/c {}\r\n", "location"), "/files/a%20b/c");
    assert_eq!(field("GET /files/a.html {}\r\n", "content-type"), "text/html; charset=utf-8");
    assert_eq!(field("GET /files/a {}\r\n", "x-content-type-options"), "nosniff");
}

#[test]
fn peer_that_ends_early_has_no_effect() {
    for (request, expected) in [
        ("", "close"),
        ("\r\n", "close"),
        ("GET /echo/a {}\r\n", "200 close"),
        ("GET /echo", "400 linger"),
        ("GET /echo/a {}", "400 linger"),
        ("PUT /files/a {}Content-Length: 3\r\n\r\nab", "400 linger"),
        ("PUT /files/a {}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n", "400 linger"),
        ("DELETE /files/a {}Content-Length: 3\r\n\r\nab", "400 linger"),
    ] {
        let mut pump = pump();
        pump.send(expand(request).as_bytes());
        pump.finish();
        if expected == "200 close" {
            // The answer could not know that nothing would follow.
            assert_eq!(pump.end(), Some(false));
            continue;
        }
        assert_eq!(verdict(&pump, ""), expected, "{request:?}");
        assert_eq!(pump.operations().len(), 0, "{request:?}");
    }
}

#[test]
fn time_limits_hold_in_each_state() {
    let limits = limits();
    for (request, seconds, expected) in [
        ("", limits.idle_time_max, "close"),
        ("\r\n", limits.idle_time_max, "close"),
        ("GET", limits.head_time_max, "408 linger"),
        ("GET / {}", limits.head_time_max, "408 linger"),
        ("PUT /files/a {}Content-Length: 3\r\n\r\n", limits.content_time_max, "408 linger"),
        ("PUT / {}Content-Length: 3\r\n\r\n", limits.content_time_max, "408 linger"),
    ] {
        let mut pump = pump();
        pump.send(expand(request).as_bytes());
        let expired = pump.expire().expect("a quiet peer has a deadline");
        assert_eq!(Duration::from_nanos(expired.nanoseconds()), seconds, "{request:?}");
        assert_eq!(verdict(&pump, ""), expected, "{request:?}");
    }
}

#[test]
fn time_that_the_disk_takes_is_not_the_peers() {
    let hour = Duration::from_secs(3600);
    let mut now = Now::new(Instant::default(), 0);
    let mut connection = Connection::new(Arc::new(limits()), &now);
    let mut output = Output::default();
    let request = expand("PUT /files/a {}Content-Length: 300\r\n\r\n") + &"x".repeat(101);
    let want = connection.advance(Input::Bytes(request.as_bytes()), &now, &mut output);
    assert!(matches!(want, Want::Run(Operation::Stage(_))), "{want:?}");
    now.instant = now.instant.after(hour);
    let want = connection.advance(Input::Outcome(Outcome::Staged), &now, &mut output);
    assert!(matches!(want, Want::Run(Operation::Write(_))), "{want:?}");
    now.instant = now.instant.after(hour);
    let want = connection.advance(Input::Outcome(Outcome::Written(Vec::new())), &now, &mut output);
    assert!(matches!(want, Want::Receive), "{want:?}");
    assert_eq!(connection.deadline(), Some(now.instant.after(limits().content_time_max)));
}

#[test]
fn trickle_does_not_prolong_a_head() {
    let mut pump = pump();
    for byte in "GET /echo/aaaaaaaaaaaaaaaa".bytes() {
        pump.send(&[byte]);
        pump.wait(Duration::from_millis(100));
    }
    let expired = pump.expire().expect("a head has a deadline");
    assert_eq!(Duration::from_nanos(expired.nanoseconds()), limits().head_time_max);
}

#[test]
fn drain_closes_what_is_idle_and_finishes_what_is_not() {
    let mut idle = pump();
    idle.send(expand("GET /echo/a {}\r\n").as_bytes());
    idle.drain();
    assert_eq!(idle.end(), Some(false));
    let mut busy = pump();
    busy.send(expand("PUT /files/a {}Content-Length: 3\r\n\r\nab").as_bytes());
    busy.drain();
    assert_eq!(busy.end(), None);
    busy.send(b"c");
    assert_eq!(verdict(&busy, ""), "200 linger");
}

#[test]
fn drain_lets_a_file_be_sent_to_its_end() {
    let now = Now::new(Instant::default(), 0);
    let mut output = Output::default();
    let mut connection = Connection::new(Arc::new(limits()), &now);
    let request = expand("GET /files/a {}\r\n");
    let want = connection.advance(Input::Bytes(request.as_bytes()), &now, &mut output);
    assert!(matches!(want, Want::Run(_)), "{want:?}");
    let outcome = Outcome::Opened(Version { inode: 1, modified: 0, length: 5 });
    assert_eq!(connection.advance(Input::Outcome(outcome), &now, &mut output), Want::SendFile(0..5));
    assert_eq!(connection.advance(Input::Drain, &now, &mut output), Want::Same);
    assert_eq!(connection.advance(Input::Sent, &now, &mut output), Want::Close { linger: true });
}

#[test]
fn access_log_has_each_answer() {
    let requests =
        expand("GET /echo/abc {}\r\nHEAD /echo/abc {}\r\nGET /files/a {}\r\nGET / HTTP/1.1\r\n\r\n");
    let mut pump = pump();
    pump.send(requests.as_bytes());
    let bad_request = answers(&pump, &requests)[3].content.len() as u64;
    assert_eq!(
        pump.answered().collect::<Vec<_>>(),
        [(200, 3), (200, 0), (200, FILE_BYTES), (400, bad_request)]
    );
}
