//! How connections and the event loop end.

use std::time::Duration;

use super::{content, echo, get, statuses, with_files};
use crate::driver::event_loop::Message;
use crate::driver::simulated::Simulation;
use crate::limits::Limits;

#[test]
fn a_drain_finishes_what_is_under_way_and_ends() {
    let mut simulation = with_files(Limits::default());
    simulation.world().cold.insert(b"small".to_vec(), 0);
    let (idle, asked, working, slow) =
        (simulation.connect(), simulation.connect(), simulation.connect(), simulation.connect());
    simulation.give_room(slow, 10);
    simulation.send(slow, get("large"));
    simulation.run();
    simulation.working = false;
    simulation.send(working, get("small"));
    simulation.run();
    let late = simulation.connect();
    simulation.send(late, echo("abc"));
    simulation.send_without_word(asked, echo("abc"));
    simulation.post(Message::Drain);
    simulation.turn();
    assert!(simulation.closed(idle) && simulation.received(idle).is_empty());
    for peer in [asked, late] {
        assert_eq!(statuses(&simulation.received(peer)), ["200"]);
        assert!(simulation.closed(peer));
    }
    assert!(!simulation.ended && !simulation.closed(working) && !simulation.closed(slow));
    let refused = simulation.connect();
    simulation.working = true;
    simulation.run();
    simulation.turn();
    simulation.run();
    assert!(String::from_utf8_lossy(&simulation.received(working)).contains("Connection: close\r\n"));
    simulation.give_room(slow, usize::MAX);
    simulation.finish(working);
    simulation.run();
    simulation.finish(slow);
    simulation.run();
    assert!(simulation.received(slow).len() > 700_000 && !simulation.closed(refused));
    assert!(simulation.ended);
    assert_eq!(simulation.left_behind(), 0);
}

#[test]
fn the_grace_ends_and_a_second_message_ends_at_once() {
    for at_once in [false, true] {
        let mut simulation = with_files(Limits::default());
        let slow = simulation.connect();
        simulation.give_room(slow, 10);
        simulation.send(slow, get("large"));
        simulation.post(Message::Drain);
        simulation.run();
        simulation.pass(Duration::from_secs(9));
        // A second one gives no more time.
        simulation.post(Message::Drain);
        simulation.run();
        assert!(!simulation.ended && !simulation.closed(slow));
        if at_once {
            simulation.post(Message::End);
            simulation.turn();
        } else {
            simulation.pass(Duration::from_secs(1));
        }
        assert!(simulation.ended && simulation.closed(slow));
        assert_eq!(simulation.left_behind(), 0);
    }
}

#[test]
fn what_follows_the_last_answer_is_read_past_for_a_while() {
    let limits = Limits::default();
    for ends in [false, true] {
        let mut simulation = Simulation::new(limits.clone());
        let peer = simulation.connect();
        simulation.send(peer, "nonsense\r\n\r\n");
        simulation.run();
        assert_eq!(statuses(&simulation.received(peer)), ["400"]);
        assert!(simulation.world().peers[peer].shut_down && !simulation.closed(peer));
        simulation.send(peer, content(100_000));
        simulation.run();
        assert!(!simulation.closed(peer));
        if ends {
            simulation.finish(peer);
            simulation.run();
        } else {
            simulation.pass(limits.linger_time_max);
        }
        assert!(simulation.closed(peer) && simulation.received(peer).is_empty());
    }
}

#[test]
fn what_follows_the_last_answer_is_read_past_up_to_a_bound() {
    const MEBIBYTE: usize = 1 << 20;
    let mut simulation = Simulation::new(Limits::default());
    let peer = simulation.connect();
    simulation.send(peer, "nonsense\r\n\r\n");
    simulation.run();
    for _ in 1..16 {
        simulation.send(peer, vec![0; MEBIBYTE]);
        simulation.run();
        assert!(!simulation.closed(peer));
    }
    simulation.send(peer, vec![0; MEBIBYTE]);
    simulation.run();
    assert!(simulation.closed(peer));
}
