//! What the pool does for the event loop.

use super::*;

#[test]
fn earlier_answers_do_not_wait_for_a_slow_job() {
    for name in ["small", "large"] {
        for cold_from in ["the open", "the read"] {
            let mut simulation = with_files(Limits::default());
            let peer = simulation.connect();
            simulation.world().cold.insert(name.into(), 0);
            simulation.working = false;
            simulation.send(peer, echo("abc").repeat(3) + &get(name));
            simulation.run();
            assert_eq!(statuses(&simulation.received(peer)), ["200"; 3]);
            if cold_from == "the read" {
                simulation.send(peer, echo("abc"));
                simulation.work();
                simulation.run();
                assert_eq!(statuses(&simulation.received(peer)), ["200"], "the head");
            }
        }
    }
}

#[test]
fn a_slice_is_sent_when_its_end_is_in_memory() {
    for (cached, sends) in [(1000, 0), (256 << 10, 1), (512 << 10, 2), (700_000, 3)] {
        let mut simulation = with_files(Limits::default());
        simulation.world().cold.insert(b"large".to_vec(), cached);
        let peer = simulation.connect();
        simulation.working = false;
        simulation.send(peer, get("large"));
        simulation.run();
        assert_eq!(simulation.calls("send_file"), sends);
    }
}

#[test]
fn what_a_worker_has_read_is_sent_though_the_kernel_gave_it_up_again() {
    for (name, file) in [("copied", 65_536), ("large", 700_000)] {
        let mut simulation = with_files(Limits::default());
        let peer = simulation.connect();
        simulation.send(peer, get(name));
        simulation.working = false;
        for _ in 0..10 {
            simulation.world().cold.insert(name.into(), 0);
            simulation.run();
            simulation.work();
        }
        assert!(simulation.received(peer).len() > file);
    }
}

#[test]
fn a_very_long_file_is_let_go_by_a_worker() {
    let mut simulation = Simulation::new(Limits::default());
    simulation.world().files.insert(b"very-long".to_vec(), vec![0; 16 << 20]);
    let peer = simulation.connect();
    simulation.working = false;
    simulation.send(peer, "HEAD /files/very-long HTTP/1.1\r\nHost: h\r\n\r\n");
    simulation.run();
    assert_eq!(statuses(&simulation.received(peer)), ["200"]);
    assert_eq!(simulation.left_behind(), 1);
    simulation.work();
    assert_eq!(simulation.left_behind(), 0);
}

#[test]
fn a_hang_up_while_a_job_is_out_is_noted_and_spins_nothing() {
    let limits = Limits::default();
    let mut simulation = Simulation::new(limits.clone());
    let peer = simulation.connect();
    simulation.working = false;
    simulation.send(peer, upload("new", &limits));
    simulation.run();
    simulation.reset(peer);
    assert!(simulation.run() <= 2);
    assert!(!simulation.closed(peer));
    simulation.working = true;
    simulation.post(Message::Done(Done {
        token: Token::unpacked(u64::from(u32::MAX)),
        result: crate::driver::pool::Finished::Read(Ok(Vec::new())),
        held: crate::store::Held::Nothing,
        handed_over: Instant::default(),
    }));
    simulation.run();
    assert!(simulation.closed(peer));
    assert_eq!(simulation.left_behind(), 0);
}

#[test]
fn the_disk_does_not_use_up_the_peers_time() {
    let limits = Limits::default();
    let mut simulation = with_files(limits.clone());
    let peer = simulation.connect();
    simulation.working = false;
    simulation.give_room(peer, 300_000);
    simulation.send(peer, get("large"));
    simulation.run();
    simulation.world().cold.insert(b"large".to_vec(), 0);
    simulation.give_room(peer, usize::MAX);
    simulation.run();
    simulation.pass(2 * limits.write_time_max);
    simulation.work();
    simulation.run();
    assert!(simulation.received(peer).len() > 700_000 && !simulation.closed(peer));
}

#[test]
fn an_upload_that_is_cut_off_vanishes() {
    let limits = Limits::default();
    let mut simulation = Simulation::new(limits.clone());
    let peer = simulation.connect();
    simulation.send(peer, upload("new", &limits));
    simulation.run();
    assert_eq!(simulation.world().staged, 1);
    simulation.reset(peer);
    simulation.run();
    assert!(simulation.closed(peer));
    assert_eq!(simulation.left_behind(), 0);
}

#[test]
fn an_outcome_never_reaches_a_successor() {
    let mut simulation = with_files(Limits::default());
    let first = simulation.connect();
    simulation.run();
    simulation.reset(first);
    simulation.run();
    let second = simulation.connect();
    simulation.world().cold.insert(b"small".to_vec(), 0);
    simulation.working = false;
    simulation.send(second, get("small"));
    simulation.run();
    // The first connection's place, under its old name.
    simulation.post(Message::Done(Done {
        token: Token::unpacked(0),
        result: crate::driver::pool::Finished::Outcome(crate::store::operation::Outcome::Deleted),
        held: simulation.staged_upload(),
        handed_over: Instant::default(),
    }));
    simulation.run();
    assert!(!simulation.closed(second) && simulation.received(second).is_empty());
    simulation.working = true;
    simulation.send(second, "");
    simulation.run();
    assert_eq!(statuses(&simulation.received(second)), ["200"]);
    assert_eq!(simulation.left_behind(), 0);
}

#[test]
fn a_full_queue_refuses_what_begins() {
    let limits = Limits { queue_jobs_max: 1, ..Limits::default() };
    let mut simulation = with_files(limits);
    simulation.world().cold.insert(b"small".to_vec(), 0);
    simulation.working = false;
    let peers = [simulation.connect(), simulation.connect(), simulation.connect()];
    for peer in peers {
        simulation.send(peer, get("small"));
        simulation.run();
    }
    assert_eq!(simulation.received(peers[0]), b"");
    assert_eq!(statuses(&simulation.received(peers[1])), ["503"]);
    assert_eq!(statuses(&simulation.received(peers[2])), ["503"]);
    simulation.working = true;
    simulation.work();
    simulation.run();
    simulation.send(peers[1], get("small"));
    simulation.run();
    assert_eq!(statuses(&simulation.received(peers[0])), ["200"]);
    assert_eq!(statuses(&simulation.received(peers[1])), ["200"]);
}

#[test]
fn a_full_queue_takes_what_goes_on() {
    let mut simulation = with_files(Limits { queue_jobs_max: 1, ..Limits::default() });
    simulation.world().cold.insert(b"small".to_vec(), 0);
    simulation.working = false;
    let (first, second) = (simulation.connect(), simulation.connect());
    simulation.send(first, get("small"));
    simulation.run();
    let Some(opened) = simulation.work_without_word() else { panic!("no job") };
    simulation.send(second, get("small"));
    simulation.run();
    simulation.post(Message::Done(opened));
    simulation.run();
    simulation.working = true;
    simulation.post(Message::Drain);
    simulation.run();
    for peer in [first, second] {
        assert!(simulation.received(peer).len() > 1000);
    }
}

#[test]
fn an_upload_goes_on_in_a_full_queue_and_vanishes_in_an_overfull_one() {
    let limits = Limits { queue_jobs_max: 1, connections_max: 1, ..Limits::default() };
    for (waiting, goes_on) in [(1, true), (2, false)] {
        let mut simulation = Simulation::new(limits.clone());
        let peer = simulation.connect();
        simulation.send(peer, &upload("new", &limits)[..limits.content_buffer_bytes_max + 1000]);
        simulation.run();
        assert_eq!(simulation.world().staged, 1);
        simulation.working = false;
        simulation.fill_queue(waiting);
        simulation.send(peer, vec![b'x'; 2 * limits.content_buffer_bytes_max]);
        simulation.run();
        assert_eq!(statuses(&simulation.received(peer)).is_empty(), goes_on);
        assert_eq!(simulation.world().staged == 1, goes_on);
        simulation.reset(peer);
        simulation.working = true;
        simulation.turn();
        simulation.run();
        assert_eq!(simulation.left_behind(), 0);
    }
}

#[test]
fn a_job_that_panics_harms_one_connection() {
    let mut simulation = with_files(Limits::default());
    simulation.world().cold.insert(b"small".to_vec(), 0);
    simulation.world().cold.insert(b"copied".to_vec(), 0);
    simulation.world().panics = Some(b"small".to_vec());
    let peers = [simulation.connect(), simulation.connect()];
    simulation.send(peers[0], get("small"));
    simulation.send(peers[1], get("copied"));
    simulation.run();
    assert!(simulation.closed(peers[0]) && !simulation.closed(peers[1]));
    assert_eq!(statuses(&simulation.received(peers[1])), ["200"]);
    assert_eq!(simulation.left_behind(), 0);
}
