//! What can go wrong: [`Fault`], of which each seed has a choice, and a count of each that did.

use super::random::Random;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is its own name, and has a line in `NAMES`")]
pub enum Fault {
    Cut,
    ShortSend,
    NoRoom,
    IdleWake,
    Reset,
    HalfClose,
    LostAnswer,
    Gone,
    Exhausted,
    NotRegistered,
    Stall,
    SlowDisk,
    Cold,
    InputOutput,
    NoSpace,
    NoDescriptors,
    ShortTransfer,
    Interrupted,
    ClockSet,
    LongPause,
    Preempted,
    Malformed,
    Kill,
    PowerCut,
    CrashInRecovery,
    Drain,
}

/// All of them, with what each is.
pub const NAMES: [(Fault, &str); 26] = [
    (Fault::Cut, "bytes_cut"),
    (Fault::ShortSend, "short_send"),
    (Fault::NoRoom, "no_room_to_send"),
    (Fault::IdleWake, "wake_for_nothing"),
    (Fault::Reset, "reset"),
    (Fault::HalfClose, "half_close"),
    (Fault::LostAnswer, "answer_lost_by_close"),
    (Fault::Gone, "gone_before_accept"),
    (Fault::Exhausted, "descriptors_exhausted"),
    (Fault::NotRegistered, "epoll_refused"),
    (Fault::Stall, "client_stalls"),
    (Fault::SlowDisk, "slow_disk"),
    (Fault::Cold, "not_in_memory"),
    (Fault::InputOutput, "input_output_error"),
    (Fault::NoSpace, "disk_full"),
    (Fault::NoDescriptors, "no_descriptor_for_a_file"),
    (Fault::ShortTransfer, "short_read_or_write"),
    (Fault::Interrupted, "interrupted_call"),
    (Fault::ClockSet, "clock_set"),
    (Fault::LongPause, "time_jumps"),
    (Fault::Preempted, "thread_starved"),
    (Fault::Malformed, "malformed_request"),
    (Fault::Kill, "process_killed"),
    (Fault::PowerCut, "power_cut"),
    (Fault::CrashInRecovery, "crash_in_recovery"),
    (Fault::Drain, "drained_and_restarted"),
];

/// Which faults happen in a run, how often, and how often they did.
#[derive(Clone, Debug)]
pub struct Faults {
    /// Once in so many occasions; never where it is 0.
    rates: [u64; NAMES.len()],
    counts: [u64; NAMES.len()],
    /// Nothing goes wrong any more.
    calm: bool,
}

impl Faults {
    /// A choice of kinds and rates: about half of them, now and then none.
    pub fn choose(random: &mut Random) -> Faults {
        let mut faults = Faults::none();
        if !random.chance(1, 12) {
            for rate in &mut faults.rates {
                *rate = if random.chance(1, 2) { *random.pick(&[4, 20, 100, 500]) } else { 0 };
            }
        }
        faults
    }

    /// None of any kind.
    pub fn none() -> Faults {
        Faults { rates: [0; NAMES.len()], counts: [0; NAMES.len()], calm: false }
    }

    /// Lets this kind happen once in `rate` occasions.
    pub fn allow(&mut self, fault: Fault, rate: u64) {
        self.rates[fault as usize] = rate;
    }

    /// Whether this kind may happen in this run.
    pub fn enabled(&self, fault: Fault) -> bool {
        self.rates[fault as usize] > 0
    }

    /// Whether it happens here; counted where it does.
    pub fn strike(&mut self, fault: Fault, random: &mut Random) -> bool {
        let rate = self.rates[fault as usize];
        let struck = rate > 0 && !self.calm && random.chance(1, rate);
        self.counts[fault as usize] += u64::from(struck);
        struck
    }

    /// The same, `times` less often.
    pub fn seldom(&mut self, fault: Fault, times: u64, random: &mut Random) -> bool {
        random.chance(1, times) && self.strike(fault, random)
    }

    /// Counts one that happened anyhow.
    pub fn count(&mut self, fault: Fault) {
        self.counts[fault as usize] += 1;
    }

    /// How often it happened.
    pub fn counted(&self, fault: Fault) -> u64 {
        self.counts[fault as usize]
    }

    /// From now on nothing goes wrong.
    pub fn calm(&mut self) {
        self.calm = true;
    }

    /// Whether nothing goes wrong any more.
    pub fn are_over(&self) -> bool {
        self.calm
    }
}
