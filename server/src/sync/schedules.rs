//! Every schedule of a few threads on what they share, under loom: [`explore`].
//!
//! Loom knows no spurious wake-up, no timed wait, and no preference between readers and writers; and
//! of what is shared only the types of the shim.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// A count of std's, so that counting is no step of a schedule.
pub use std::sync::atomic::AtomicUsize as Count;

/// How often a thread may be preempted, by the depth of the run; nothing is any number.
#[derive(Clone, Copy, Debug)]
pub struct Preemptions {
    quick: Option<usize>,
    full: Option<usize>,
    soak: Option<usize>,
}

/// Any number: for two threads, and for three that do little.
pub const EVERY: Preemptions = Preemptions { quick: None, full: None, soak: None };
/// The same where it takes a while, and a few where there is no time for that.
pub const EVERY_IN_TIME: Preemptions = Preemptions { quick: Some(3), full: None, soak: None };
/// Three preemptions: enough for every defect that is known of, where all would take hours.
pub const FEW: Preemptions = Preemptions { quick: Some(2), full: Some(3), soak: Some(4) };

/// The same for two threads whose every schedule would take minutes.
pub const MANY: Preemptions = Preemptions { quick: Some(3), full: Some(4), soak: None };
/// For five threads, or steps without number.
pub const VERY_FEW: Preemptions = Preemptions { quick: Some(1), full: Some(2), soak: Some(3) };

/// Explores the schedules of `model`, and prints what was done: `tests/loom.rs` reads it, and holds it
/// against the floor.
///
/// An outcome of `0..outcomes` that `model` never returned is a failure: loom passes over some
/// schedules, depending on which thread does what. So is a search that would run for hours unseen.
///
/// # Panics
/// Where `model` does, in a schedule.
pub fn explore(
    name: &'static str,
    preemptions: Preemptions,
    outcomes: usize,
    model: impl Fn() -> usize + Sync + Send + 'static,
) {
    for variable in [
        "LOOM_MAX_PERMUTATIONS",
        "LOOM_MAX_DURATION",
        "LOOM_MAX_PREEMPTIONS",
        "LOOM_MAX_BRANCHES",
        "LOOM_CHECKPOINT_FILE",
    ] {
        assert!(std::env::var_os(variable).is_none(), "{variable} would end the search early");
    }
    let (bound, most) = match std::env::var("VERIFY").as_deref() {
        Err(_) | Ok("" | "quick") => (preemptions.quick, 100_000),
        Ok("full") => (preemptions.full, 2_000_000),
        Ok("soak") => (preemptions.soak, usize::MAX),
        Ok(other) => panic!("VERIFY is quick, full or soak, not {other:?}"),
    };
    let begin = Instant::now();
    let counts: Arc<[Count]> = (0..outcomes).map(|_| Count::new(0)).collect();
    let started = Arc::new(Count::new(0));
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = bound;
    builder.check({
        let (counts, started) = (Arc::clone(&counts), Arc::clone(&started));
        move || {
            let before = started.fetch_add(1, Ordering::Relaxed);
            assert!(before < most, "{name}: more than {most} executions");
            counts[model()].fetch_add(1, Ordering::Relaxed);
        }
    });
    let (executions, seconds) = (started.load(Ordering::Relaxed), begin.elapsed().as_secs_f32());
    let bound = bound.map_or("none".to_owned(), |bound| bound.to_string());
    println!("explored {name} executions={executions} preemptions={bound} seconds={seconds:.1}");
    let seen = counts.iter().map(|count| count.load(Ordering::Relaxed)).collect::<Vec<_>>();
    assert!(!seen.contains(&0), "{name}: an outcome was never seen: {seen:?}");
}
