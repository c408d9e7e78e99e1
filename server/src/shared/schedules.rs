//! Every schedule of two to four threads on what they share, under loom: [`explore`].
//!
//! Run with `RUSTFLAGS="--cfg loom"`; `tests/loom.rs` does so, and holds the list of models.
//! Loom knows no spurious wake-up, no timed wait, and no preference between readers and writers.

mod addresses;
mod counters;
mod kept;
mod mailbox;
mod path_locks;
mod pool;
mod queue;
mod rounds;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize as Count, Ordering};

/// Any number of preemptions: for two threads, and for three that do little.
const EVERY: Option<usize> = None;
/// Three preemptions: enough for every defect that is known of, where all would take hours.
const FEW: Option<usize> = Some(3);

/// Explores the schedules of `model` with at most so many preemptions, and prints a ledger line.
///
/// Coverage that was lost is a failure: fewer executions than `floor`; an outcome of
/// `0..outcomes` that `model` never returned, for loom passes over some schedules, depending on
/// which thread does what. So is growth by four times, which would run for hours unseen.
fn explore(
    name: &'static str,
    preemptions: Option<usize>,
    floor: usize,
    outcomes: usize,
    model: impl Fn() -> usize + Sync + Send + 'static,
) {
    for variable in ["LOOM_MAX_PERMUTATIONS", "LOOM_MAX_DURATION", "LOOM_MAX_PREEMPTIONS"] {
        assert!(std::env::var_os(variable).is_none(), "{variable} would end the search early");
    }
    // `Count` is of std, so that counting is no step of the schedule.
    let counts: Arc<[Count]> = (0..outcomes).map(|_| Count::new(0)).collect();
    let started = Arc::new(Count::new(0));
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = preemptions;
    builder.check({
        let (counts, started) = (Arc::clone(&counts), Arc::clone(&started));
        move || {
            let before = started.fetch_add(1, Ordering::Relaxed);
            assert!(before < 4 * floor, "{name}: more than four times {floor} executions");
            counts[model()].fetch_add(1, Ordering::Relaxed);
        }
    });
    let executions = started.load(Ordering::Relaxed);
    println!("loom:{name} executions={executions} floor={floor}");
    assert!(executions >= floor, "{name}: {executions} executions are fewer than {floor}");
    let seen = counts.iter().map(|count| count.load(Ordering::Relaxed)).collect::<Vec<_>>();
    assert!(!seen.contains(&0), "{name}: an outcome was never seen: {seen:?}");
}
