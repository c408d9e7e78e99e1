//! Properties of the event loop on a simulated network, with the real connection and store.

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

use super::tests::{echo, get, with_files};
use crate::limits::Limits;

#[derive(Clone, Debug)]
enum Step {
    Send(usize),
    Room(usize),
    /// All but so many bytes of a file leave the memory.
    Cool(&'static str, usize),
    Work,
}

const NAMES: [&str; 5] = ["empty", "small", "copied", "sliced", "large"];

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => prop_oneof![1..10_usize, 1..2000_usize].prop_map(Step::Send),
        3 => prop_oneof![Just(0_usize), 1..300_usize, 1..300_000_usize].prop_map(Step::Room),
        2 => (prop::sample::select(&NAMES[..]), prop_oneof![Just(0_usize), 1..70_000_usize])
            .prop_map(|(name, cached)| Step::Cool(name, cached)),
        2 => Just(Step::Work),
    ]
}

fn request() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => (0..3000_usize).prop_map(|length| echo(&"v".repeat(length))),
        3 => prop::sample::select(&NAMES[..]).prop_map(get),
        1 => Just("PUT /files/new HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n12345".to_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        // What a seeded bug breaks is not to be remembered.
        failure_persistence: std::env::var_os("SEEDED_BUG").is_none().then(|| {
            Box::new(FileFailurePersistence::SourceParallel("../proptest-regressions/server")) as Box<_>
        }),
        ..ProptestConfig::default()
    })]

    /// Goal: neither how bytes come and go nor what the disk has at hand changes an answer, nor a layer that
    /// takes more than there is room for, as TLS does.
    /// Method: the same requests once with all in their way and once with nothing.
    #[test]
    fn the_network_and_the_disk_do_not_change_the_answers(
        requests in prop::collection::vec(request(), 1..12),
        steps in prop::collection::vec(step(), 0..60),
        layered in any::<bool>(),
    ) {
        let requests: Vec<u8> = requests.concat().into_bytes();
        let mut smooth = with_files(Limits::default());
        let peer = smooth.connect();
        smooth.send(peer, &requests);
        smooth.finish(peer);
        smooth.run();
        let expected = smooth.received(peer);
        prop_assert!(smooth.closed(peer));

        let mut rough = with_files(Limits::default());
        rough.working = false;
        let peer = rough.connect();
        rough.world().peers[peer].layered = layered;
        let mut rest = &requests[..];
        for step in steps {
            match step {
                Step::Send(count) => {
                    let (part, left) = rest.split_at(count.min(rest.len()));
                    rough.send(peer, part);
                    rest = left;
                }
                Step::Room(room) => rough.give_room(peer, room),
                Step::Cool(name, cached) => {
                    rough.world().cold.insert(name.into(), cached);
                }
                Step::Work => {
                    rough.working = true;
                    rough.turn();
                    rough.working = false;
                }
            }
            rough.run();
        }
        rough.working = true;
        rough.send(peer, rest);
        rough.finish(peer);
        rough.give_room(peer, usize::MAX);
        rough.turn();
        rough.run();
        let received = rough.received(peer);
        prop_assert_eq!(received.len(), expected.len());
        prop_assert!(received == expected);
        prop_assert!(rough.closed(peer));
        prop_assert_eq!(rough.left_behind(), 0);
    }
}
