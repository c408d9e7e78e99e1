//! Peers that are slow, endless, broken or many: each gets what it deserves, and another client that
//! uses the server meanwhile notices nothing.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper of tests fails the test that it helps"
)]

#[path = "hostile/broken.rs"]
mod broken;
#[path = "hostile/endless.rs"]
mod endless;
#[path = "hostile/many.rs"]
mod many;
#[path = "hostile/slow.rs"]
mod slow;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tests::{Client, PATIENCE, Server, exchange, request};

/// The longest that the bystander may wait for one answer: a busy machine stays below it, a server
/// that somebody else keeps busy does not.
const NOTICEABLE: Duration = Duration::from_secs(10);

/// Does `hostile` to the server, while a bystander uses it, on a connection that stays and on new
/// ones: every answer of his is right and comes soon.
#[track_caller]
fn beside_a_bystander<T>(server: &Server, hostile: impl FnOnce() -> T) -> T {
    assert_eq!(exchange(server, "PUT /files/bystander", "content").status, 201);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let bystander = scope.spawn(|| {
            let mut staying = server.connect();
            let (mut answers, mut slowest) = (0_u64, Duration::ZERO);
            while !done.load(Ordering::Relaxed) || answers < 10 {
                let since = Instant::now();
                use_server(&mut staying, answers);
                use_server(&mut server.connect(), answers);
                slowest = slowest.max(since.elapsed());
                answers += 4;
                thread::sleep(Duration::from_millis(5));
            }
            (answers, slowest)
        });
        let result = {
            let _done = Done(&done);
            hostile()
        };
        let (answers, slowest) = bystander.join().expect("the bystander is served");
        println!("bystander: answers={answers} slowest={slowest:?}");
        assert!(slowest < NOTICEABLE, "the bystander waited {slowest:?}");
        result
    })
}

fn use_server(client: &mut Client, number: u64) {
    client.send(request(&format!("GET /echo/{number}"), ""));
    client.send(request("GET /files/bystander", ""));
    assert_eq!(client.answer("GET").text(), number.to_string());
    assert_eq!(client.answer("GET").text(), "content");
}

/// Says that it is over, also when that is because of a panic.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Waits until there is something to read, and leaves it there: now to drop the client is a reset
/// (RFC 1122 §4.2.2.13: a close with unread bytes).
#[track_caller]
fn leave_unread(client: &mut Client) {
    assert!(!client.hears_nothing_for(PATIENCE), "nothing came");
}
