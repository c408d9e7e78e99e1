//! The event loop on a simulated network, with the real connection and store.

mod ending;
mod jobs;

use super::ready::GOING_ON_TURNS;
use super::*;
use crate::driver::simulated::Simulation;
use crate::driver::transport::Transport;
use crate::store::base_directory::BaseDirectory;

pub(super) fn echo(value: &str) -> String {
    format!("GET /echo/{value} HTTP/1.1\r\nHost: h\r\n\r\n")
}

pub(super) fn get(name: &str) -> String {
    format!("GET /files/{name} HTTP/1.1\r\nHost: h\r\n\r\n")
}

/// The beginning of an upload that has to be staged, as more is announced than comes.
fn upload(name: &str, limits: &Limits) -> Vec<u8> {
    let length = limits.content_buffer_bytes_max * 4;
    let head = format!("PUT /files/{name} HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n");
    [head.into_bytes(), vec![b'x'; length / 2]].concat()
}

/// Bytes that differ from place to place.
pub(super) fn content(length: usize) -> Vec<u8> {
    (0..length).map(|place| (place * 7 % 251) as u8).collect()
}

pub(super) fn with_files(limits: Limits) -> Simulation {
    let simulation = Simulation::new(limits);
    for (name, length) in
        [("empty", 0), ("small", 1000), ("copied", 65_536), ("sliced", 65_537), ("large", 700_000)]
    {
        simulation.world().files.insert(name.into(), content(length));
    }
    simulation
}

pub(super) fn statuses(answers: &[u8]) -> Vec<String> {
    let answers = String::from_utf8_lossy(answers).into_owned();
    answers.split("HTTP/1.1 ").skip(1).map(|answer| answer[..3].to_owned()).collect()
}

#[test]
fn a_batch_of_requests_costs_one_receive_and_one_send() {
    for (request, requests) in [(echo("abc"), 1), (echo("abc"), 16), (get("small"), 10)] {
        let mut simulation = with_files(Limits::default());
        let peer = simulation.connect();
        simulation.run();
        simulation.world().calls.clear();
        simulation.send(peer, request.repeat(requests));
        let turns = simulation.run();
        assert_eq!(statuses(&simulation.received(peer)).len(), requests);
        assert_eq!(simulation.world().calls, [("receive", peer), ("send", peer)]);
        assert_eq!(turns, 1);
    }
}

#[test]
fn a_long_file_costs_one_call_for_each_slice() {
    let mut simulation = with_files(Limits::default());
    let peer = simulation.connect();
    simulation.run();
    simulation.world().calls.clear();
    simulation.send(peer, get("large"));
    simulation.run();
    let calls: Vec<&str> = simulation.world().calls.iter().map(|call| call.0).collect();
    assert_eq!(calls, ["receive", "send_more", "send_file", "send_file", "send_file"]);

    // From one byte more on than is read at once.
    for (name, calls) in
        [("copied", &["receive", "send"][..]), ("sliced", &["receive", "send_more", "send_file"])]
    {
        simulation.world().calls.clear();
        simulation.send(peer, get(name));
        simulation.run();
        assert!(simulation.world().calls.iter().map(|call| call.0).eq(calls.iter().copied()), "{name}");
    }
}

#[test]
fn a_quiet_connection_costs_nothing_until_its_time_is_up() {
    let mut simulation = Simulation::new(Limits::default());
    let peer = simulation.connect();
    simulation.send(peer, echo("abc"));
    simulation.run();
    simulation.world().calls.clear();
    let idle = Limits::default().idle_time_max;
    simulation.pass(idle - Duration::from_nanos(1));
    assert!(!simulation.closed(peer) && simulation.world().calls.is_empty());
    simulation.pass(Duration::from_nanos(1));
    assert!(simulation.closed(peer));
}

#[test]
fn a_half_closed_client_is_answered() {
    let mut simulation = with_files(Limits::default());
    let peer = simulation.connect();
    simulation.world().cold.insert(b"small".to_vec(), 0);
    simulation.send(peer, get("small"));
    simulation.send(peer, echo("abc"));
    simulation.finish(peer);
    simulation.run();
    assert_eq!(statuses(&simulation.received(peer)), ["200", "200"]);
    assert!(simulation.closed(peer));
}

#[test]
fn while_answers_are_unsent_nothing_is_received() {
    let mut simulation = with_files(Limits::default());
    let peer = simulation.connect();
    simulation.give_room(peer, 10);
    simulation.send(peer, get("copied"));
    simulation.run();
    simulation.world().calls.clear();
    for _ in 0..3 {
        simulation.send(peer, echo("more"));
        simulation.run();
    }
    assert_eq!(simulation.world().calls, []);
    simulation.give_room(peer, usize::MAX);
    simulation.run();
    assert_eq!(statuses(&simulation.received(peer)), ["200"; 4]);
}

#[test]
fn a_reader_that_stalls_is_closed_and_one_that_keeps_up_is_not() {
    let limits = Limits::default();
    for (name, file) in [("copied", 65_536), ("large", 700_000)] {
        let step = Duration::from_secs(10);
        let enough = limits.transfer_bytes_per_second_min as usize * 10;
        for (room, survives) in [(0, false), (enough / 2, false), (enough, true)] {
            let mut simulation = with_files(limits.clone());
            let peer = simulation.connect();
            simulation.give_room(peer, 100);
            simulation.send(peer, get(name));
            simulation.run();
            let mut received = 0;
            // At half the pace, the time at first lasts for twice itself.
            for _ in 0..if survives { file / enough + 1 } else { 13 } {
                simulation.pass(step);
                simulation.give_room(peer, room);
                simulation.run();
                received += simulation.received(peer).len();
            }
            assert_eq!(received > file, survives, "{name} with {room} bytes in 10 s");
            assert_eq!(simulation.left_behind(), 0);
            // Once all is sent, it may be quiet as long as any.
            simulation.give_room(peer, usize::MAX);
            simulation.send(peer, echo("abc"));
            simulation.pass(limits.write_time_max + Duration::from_secs(1));
            assert_eq!(!simulation.closed(peer), survives);
            simulation.pass(limits.idle_time_max);
            assert!(simulation.closed(peer));
        }
    }
}

#[test]
fn each_session_has_its_slice_in_turn() {
    let mut simulation = with_files(Limits::default());
    let peers = [simulation.connect(), simulation.connect()];
    for peer in peers {
        simulation.send(peer, get("large"));
    }
    simulation.run();
    let slices: Vec<usize> =
        simulation.world().calls.iter().filter(|call| call.0 == "send_file").map(|call| call.1).collect();
    assert_eq!(slices, [0, 1, 0, 1, 0, 1]);
}

/// Goal: however many go on with a file, a small answer waits for one slice at most. Method: files that are in
/// memory, files that are read first, and between any two turns somebody who asks.
#[test]
fn a_small_answer_waits_for_one_slice() {
    let mut simulation = with_files(Limits::default());
    let other = simulation.connect();
    let senders: Vec<usize> = (0..8).map(|_| simulation.connect()).collect();
    simulation.run();
    for (number, &sender) in senders.iter().enumerate() {
        let name = if number % 2 == 0 { "large" } else { "sliced" };
        simulation.send(sender, get(name));
    }
    simulation.world().cold.insert(b"sliced".to_vec(), 1000);
    simulation.turn();
    simulation.work();
    let mut slices = simulation.calls("send_file");
    for _ in 0..40 {
        simulation.send(other, echo("abc"));
        simulation.world().calls.clear();
        simulation.turn();
        let calls: Vec<_> = simulation.world().calls.iter().map(|call| call.0).collect();
        let sent = calls.iter().filter(|call| **call == "send_file").count();
        assert!(sent <= 1 && calls.starts_with(&["receive", "send"]), "{calls:?}");
        assert_eq!(statuses(&simulation.received(other)), ["200"]);
        slices += sent;
    }
    assert_eq!(slices, 4 * 3 + 4);
}

/// Goal: of many who go on with a file each has its turn soon. Method: so many that one of them in a turn would
/// leave the last one waiting for more turns than there are.
#[test]
fn many_that_go_on_share_a_turn() {
    let mut simulation = with_files(Limits::default());
    let senders: Vec<usize> = (0..4 * GOING_ON_TURNS).map(|_| simulation.connect()).collect();
    simulation.run();
    senders.iter().for_each(|&sender| simulation.send(sender, get("large")));
    simulation.turn();
    let begun = simulation.calls("send_file");
    for _ in 0..GOING_ON_TURNS {
        simulation.turn();
    }
    assert!(simulation.calls("send_file") >= begun + senders.len());
}

#[test]
fn a_client_that_never_pauses_does_not_keep_others_waiting() {
    let mut simulation = Simulation::new(Limits::default());
    let (busy, other) = (simulation.connect(), simulation.connect());
    simulation.run();
    simulation.send(busy, echo("abc").repeat(200_000));
    simulation.send(other, echo("abc"));
    simulation.turn();
    assert_eq!(statuses(&simulation.received(other)), ["200"]);
    assert!(statuses(&simulation.received(busy)).len() < 50_000);
    simulation.run();
    assert!(statuses(&simulation.received(busy)).len() > 150_000);
}

#[test]
fn a_file_that_became_shorter_ends_the_connection_early() {
    for (name, length) in [("small", 1000), ("copied", 65_536), ("large", 700_000)] {
        let mut simulation = with_files(Limits::default());
        simulation.world().cold.insert(name.into(), 0);
        simulation.working = false;
        let peer = simulation.connect();
        simulation.send(peer, [echo("abc"), get(name), echo("abc")].concat());
        simulation.run();
        // It is opened, and then read, which finds it shorter.
        simulation.work();
        simulation.world().cold.insert(name.into(), 0);
        simulation.run();
        simulation.world().files.insert(name.into(), content(length / 3));
        simulation.work();
        simulation.run();
        let received = simulation.received(peer);
        assert_eq!(statuses(&received), ["200", "200"], "{name}");
        assert!((length / 3..length / 2 + 1000).contains(&received.len()), "{name}: {}", received.len());
        assert!(simulation.world().peers[peer].shut_down, "{name}");
        simulation.finish(peer);
        simulation.run();
        assert!(simulation.closed(peer), "{name}");
        assert_eq!(simulation.left_behind(), 0);
    }
}

#[test]
fn a_file_that_cannot_be_read_ends_the_connection_early() {
    for name in ["small", "large"] {
        let mut simulation = with_files(Limits::default());
        let peer = simulation.connect();
        simulation.world().unreadable = Some(name.into());
        simulation.send(peer, get(name));
        simulation.run();
        simulation.finish(peer);
        simulation.run();
        assert!(simulation.closed(peer) && simulation.received(peer).len() < 1000);
        assert_eq!(simulation.left_behind(), 0);
    }
}

#[test]
fn a_hang_up_ends_an_answer_that_is_stalled() {
    for name in ["copied", "large"] {
        let mut simulation = with_files(Limits::default());
        let peer = simulation.connect();
        simulation.give_room(peer, 1000);
        simulation.send(peer, get(name));
        simulation.run();
        simulation.reset(peer);
        simulation.run();
        assert!(simulation.closed(peer));
        assert_eq!(simulation.left_behind(), 0);
    }
}

#[test]
fn connections_are_accepted_a_bounded_number_at_a_time() {
    let mut simulation = Simulation::new(Limits::default());
    for _ in 0..3 * ACCEPTS_PER_TURN {
        simulation.connect();
    }
    simulation.turn();
    assert_eq!(simulation.open(), ACCEPTS_PER_TURN);
    simulation.run();
    assert_eq!(simulation.open(), 3 * ACCEPTS_PER_TURN);
}

#[test]
fn connections_beyond_the_bound_are_told_so() {
    let mut simulation = Simulation::new(Limits { connections_max: 2, ..Limits::default() });
    let peers: Vec<usize> = (0..2).map(|_| simulation.connect()).collect();
    simulation.run();
    let refused: Vec<usize> = (0..REFUSED_MAX + 10).map(|_| simulation.connect()).collect();
    for &peer in &refused {
        simulation.send(peer, echo("abc"));
    }
    simulation.run();
    let told = refused.iter().filter(|&&peer| statuses(&simulation.received(peer)) == ["503"]).count();
    assert_eq!(told, REFUSED_MAX);
    simulation.pass(Limits::default().linger_time_max);
    assert!(refused.iter().all(|&peer| simulation.closed(peer)));

    simulation.reset(peers[0]);
    simulation.run();
    let next = simulation.connect();
    simulation.send(next, echo("abc"));
    simulation.send(peers[1], echo("abc"));
    simulation.run();
    assert_eq!(statuses(&simulation.received(next)), ["200"]);
    assert_eq!(statuses(&simulation.received(peers[1])), ["200"]);
}

/// Goal: ten thousand quiet connections are cheap. `tests/hostile.rs` measures what they really take.
#[test]
fn a_quiet_connection_takes_few_bytes() {
    let bytes = size_of::<Place<Transport, BaseDirectory>>();
    // Eight of them are its rights: kept with it, none can be lost by a rest.
    assert!(bytes <= 88, "{bytes} bytes");
}

#[test]
fn connections_of_one_address_are_counted_until_they_close() {
    // Simulated peers all have the same address.
    let mut simulation = Simulation::new(Limits { connections_per_address_max: 2, ..Limits::default() });
    let peers: Vec<usize> = (0..3).map(|_| simulation.connect()).collect();
    for round in 0..3 {
        for &peer in &peers[..2] {
            simulation.send(peer, echo("abc"));
        }
        let refused = if round == 0 { peers[2] } else { simulation.connect() };
        simulation.run();
        assert_eq!(statuses(&simulation.received(refused)), ["503"]);
        assert!(peers[..2].iter().all(|&peer| statuses(&simulation.received(peer)) == ["200"]));
        simulation.pass(Limits::default().linger_time_max);
        assert!(simulation.closed(refused));
    }
    simulation.reset(peers[0]);
    simulation.run();
    let next = simulation.connect();
    simulation.send(next, echo("abc"));
    simulation.run();
    assert_eq!(statuses(&simulation.received(next)), ["200"]);
}

#[test]
fn without_descriptors_one_connection_is_told_and_the_rest_wait_without_spinning() {
    let mut simulation = Simulation::new(Limits::default());
    let first = simulation.connect();
    simulation.run();
    simulation.world().descriptors_max = Some(1);
    let waiting: Vec<usize> = (0..3).map(|_| simulation.connect()).collect();
    for &peer in &waiting {
        simulation.send(peer, echo("abc"));
    }
    simulation.run();
    simulation.pass(ACCEPT_PAUSE - Duration::from_nanos(1));
    assert_eq!(simulation.calls("exhausted"), 1);
    assert_eq!(statuses(&simulation.received(waiting[0])), ["503"]);
    simulation.pass(Duration::from_nanos(1));
    assert_eq!(simulation.calls("exhausted"), 2);
    assert_eq!(statuses(&simulation.received(waiting[1])), ["503"]);

    simulation.reset(first);
    simulation.pass(ACCEPT_PAUSE);
    assert_eq!(statuses(&simulation.received(waiting[2])), ["200"]);
    assert_eq!(simulation.calls("exhausted"), 2);
}

/// Goal: what one connection is told is told to no other. Method: one that is to be refused cannot
/// even be registered; then another one is answered.
#[test]
fn a_refusal_that_cannot_be_told_is_told_to_nobody() {
    let mut simulation = Simulation::new(Limits { connections_max: 1, ..Limits::default() });
    let admitted = simulation.connect();
    simulation.run();
    simulation.world().unregistered = 1;
    let refused = simulation.connect();
    simulation.run();
    assert!(simulation.closed(refused));
    simulation.send(admitted, echo("abc"));
    simulation.run();
    assert_eq!(statuses(&simulation.received(admitted)), ["200"]);
}
