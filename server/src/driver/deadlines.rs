//! When to look at which session again: [`Deadlines`]. Pure.

use crate::clock::Instant;

/// One time for each slot at most, the earliest at hand.
///
/// A time here may be earlier than the real deadline, which moves on with every request, or belong
/// to a session that was closed: it is put right only when it comes. So a deadline that moves on,
/// and one of a new session in an old slot, cost one comparison.
#[derive(Default)]
pub struct Deadlines {
    /// A binary heap: no entry is earlier than the one at half its place.
    heap: Vec<Entry>,
    /// Where in the heap the entry of each slot is, or [`NOWHERE`].
    places: Vec<u32>,
}

#[derive(Clone, Copy)]
struct Entry {
    time: Instant,
    index: u32,
}

const NOWHERE: u32 = u32::MAX;

impl Deadlines {
    /// Sees to it that the slot is taken no later than at `time`.
    pub fn schedule(&mut self, index: usize, time: Instant) {
        if self.places.len() <= index {
            self.places.resize(index + 1, NOWHERE);
        }
        let mut place = self.places[index] as usize;
        if let Some(entry) = self.heap.get_mut(place) {
            if entry.time <= time {
                return;
            }
            entry.time = time;
        } else {
            place = self.heap.len();
            self.heap.push(Entry { time, index: index as u32 });
        }
        self.rise(place);
    }

    /// The earliest time there is.
    pub fn first(&self) -> Option<Instant> {
        self.heap.first().map(|entry| entry.time)
    }

    /// Takes a slot out whose time has come.
    pub fn take_due(&mut self, now: Instant) -> Option<usize> {
        let index = self.heap.first().filter(|entry| entry.time <= now)?.index as usize;
        self.heap.swap_remove(0);
        self.places[index] = NOWHERE;
        if !self.heap.is_empty() {
            self.sink(0);
        }
        Some(index)
    }

    fn rise(&mut self, mut place: usize) {
        let entry = self.heap[place];
        while place > 0 {
            let parent = (place - 1) / 2;
            if self.heap[parent].time <= entry.time {
                break;
            }
            self.put(place, self.heap[parent]);
            place = parent;
        }
        self.put(place, entry);
    }

    fn sink(&mut self, mut place: usize) {
        let entry = self.heap[place];
        loop {
            let left = 2 * place + 1;
            let Some(mut child) = self.heap.get(left).map(|_| left) else { break };
            if self.heap.get(left + 1).is_some_and(|right| right.time < self.heap[left].time) {
                child = left + 1;
            }
            if self.heap[child].time >= entry.time {
                break;
            }
            self.put(place, self.heap[child]);
            place = child;
        }
        self.put(place, entry);
    }

    fn put(&mut self, place: usize, entry: Entry) {
        self.heap[place] = entry;
        self.places[entry.index as usize] = place as u32;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use proptest::test_runner::FileFailurePersistence;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Schedule(usize, u64),
        TakeDue(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0..12_usize, 0..30_u64).prop_map(|(index, time)| Step::Schedule(index, time)),
            2 => (0..30_u64).prop_map(Step::TakeDue),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 2000,
            failure_persistence: Some(Box::new(FileFailurePersistence::SourceParallel(
                "../proptest-regressions/server",
            ))),
            ..ProptestConfig::default()
        })]

        /// Goal: each slot is taken once, at the earliest time for which it was scheduled.
        /// Method: the same steps on a map from slot to that time.
        #[test]
        fn slots_are_taken_when_their_earliest_time_comes(
            steps in prop::collection::vec(step(), 0..80)
        ) {
            let mut deadlines = Deadlines::default();
            let mut model: BTreeMap<usize, u64> = BTreeMap::new();
            for step in steps {
                match step {
                    Step::Schedule(index, time) => {
                        deadlines.schedule(index, Instant::from_nanoseconds(time));
                        model.entry(index).and_modify(|known| *known = time.min(*known)).or_insert(time);
                    }
                    Step::TakeDue(now) => {
                        let mut last = 0;
                        while let Some(index) = deadlines.take_due(Instant::from_nanoseconds(now)) {
                            let time = model.remove(&index);
                            prop_assert!(time.is_some_and(|time| (last..=now).contains(&time)));
                            last = time.unwrap_or(0);
                        }
                        prop_assert!(model.values().all(|&time| time > now));
                    }
                }
                let first = model.values().min().map(|&time| Instant::from_nanoseconds(time));
                prop_assert_eq!(deadlines.first(), first);
                prop_assert_eq!(deadlines.heap.len(), model.len());
            }
        }
    }
}
