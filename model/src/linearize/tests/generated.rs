//! Histories that really happened to a reference are accepted, those that were falsified are not, and
//! small ones of either kind are judged as by brute force.

use std::collections::BTreeMap;
use std::time::Instant;

use super::super::{Call, Outcome, Verdict, check};
use super::BUDGET;
use super::brute::is_linearizable;
use super::corrupted::{KINDS, corrupt};
use crate::alphabet::{Content, METHODS, Request};
use crate::reference::{Answer, Method, Reference, Terms, Versions};

pub(super) const PATHS: [&str; 7] = ["a", "a/b", "a/c", "a/", "b", "b/c/d", "b/c"];
/// Of a tag that no file ever had.
pub(super) const NEVER: u64 = 1_000_000;

/// splitmix64.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }

    pub(super) fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }
}

/// How far a client is with its request: asked, and answered but not back yet.
#[derive(Clone)]
enum Stage {
    Idle,
    Asked(Request, u64),
    Done(Request, u64, Option<Answer>),
}

/// Clients that take turns at random with a reference between them.
struct Clients<'a> {
    random: &'a mut Random,
    paths: &'a [&'a str],
    reference: Reference,
    time: u64,
    tags: BTreeMap<u64, u64>,
    written: u32,
    history: Vec<Call>,
}

impl Clients<'_> {
    fn now(&mut self) -> u64 {
        // Room for what is inserted between.
        self.time += 4;
        self.time
    }

    fn request(&mut self) -> Request {
        let method = self.random.pick(&METHODS);
        let path = self.random.pick(self.paths).to_owned();
        self.written += 1;
        let length = if self.random.below(10) == 0 { 0 } else { 5 + self.random.below(8) };
        let content = method.has_content().then_some(Content { number: self.written, length });
        let terms = self.terms(&path, method);
        Request { method, path, content, terms }
    }

    fn terms(&mut self, path: &str, method: Method) -> Terms {
        let file = self.reference.request(Method::Get, path, b"", &Terms::default());
        let current = file.version.and_then(|version| self.tags.get(&version)).copied();
        let any = self.random.below(self.tags.len() + 1) as u64;
        let tag = current.filter(|_| self.random.below(3) > 0).unwrap_or(if any == 0 { NEVER } else { any });
        let length = file.read.map_or(0, |content| content.len()) as u64;
        match self.random.below(12) {
            0 | 1 => Terms { if_match: Some(Versions::Of(vec![tag])), ..Terms::default() },
            2 => Terms { if_none_match: Some(Versions::Of(vec![tag, NEVER])), ..Terms::default() },
            3 => Terms { if_none_match: Some(Versions::Any), ..Terms::default() },
            4 if method == Method::Patch => Terms { upload_offset: Some(length), ..Terms::default() },
            4..6 => {
                let range = Some((Some(self.random.below(9) as u64), Some(self.random.below(16) as u64)));
                Terms { range, if_range: Some(tag).filter(|_| tag.is_multiple_of(2)), ..Terms::default() }
            }
            _ => Terms::default(),
        }
    }

    /// Asks the reference, or gets lost on the way there or back.
    fn take_effect(&mut self, request: &Request, may_be_lost: bool) -> Option<Answer> {
        let content = request.content_bytes();
        let versions: BTreeMap<u64, u64> = self.tags.iter().map(|(version, tag)| (*tag, *version)).collect();
        let version = |tag: &u64| versions.get(tag).copied().unwrap_or(u64::MAX);
        let of = |wanted: &Option<Versions>| match wanted {
            Some(Versions::Of(tags)) => Some(Versions::Of(tags.iter().map(version).collect())),
            other => other.clone(),
        };
        let terms = Terms {
            if_match: of(&request.terms.if_match),
            if_none_match: of(&request.terms.if_none_match),
            if_range: request.terms.if_range.as_ref().map(version),
            ..request.terms.clone()
        };
        let lost = if may_be_lost { self.random.below(30) } else { 30 };
        let before = self.reference.clone();
        let answer = self.reference.request(request.method, &request.path, &content, &terms);
        match (lost, request.path.rsplit_once('/')) {
            (0, _) => self.reference = before,
            (1, Some((parent, _))) if answer.status == 201 => {
                let file = format!("{parent}/parents-only");
                self.reference = before;
                self.reference.request(Method::Put, &file, b"", &Terms::default());
                self.reference.request(Method::Delete, &file, b"", &Terms::default());
            }
            _ => {}
        }
        Some(answer).filter(|_| lost > 2)
    }

    fn come_back(&mut self, client: usize, request: Request, invoked: u64, answer: Option<Answer>) {
        let end = self.now();
        let outcome = match answer {
            None => Outcome::Unknown { until: end },
            Some(answer) => {
                let next = self.tags.len() as u64 + 1;
                let version = answer.version.map(|version| *self.tags.entry(version).or_insert(next));
                let unread =
                    |read: Vec<u8>| if request.method == Method::Head { vec![0; read.len()] } else { read };
                let answer = Answer { version, read: answer.read.map(unread), ..answer };
                Outcome::Answered { at: end, answer }
            }
        };
        self.history.push(Call { client, request, invoked, outcome });
    }
}

/// What so many clients got of as many calls altogether, and at last what is at each path.
pub(super) fn generate(
    random: &mut Random,
    clients: usize,
    calls: usize,
    paths: &[&str],
    lossy: bool,
) -> Vec<Call> {
    let history = Vec::new();
    let mut all = Clients {
        random,
        paths,
        reference: Reference::default(),
        time: 0,
        tags: BTreeMap::new(),
        written: 0,
        history,
    };
    let mut stages = vec![Stage::Idle; clients];
    let mut left = calls;
    while left > 0 || stages.iter().any(|stage| !matches!(stage, Stage::Idle)) {
        let client = all.random.below(clients);
        stages[client] = match std::mem::replace(&mut stages[client], Stage::Idle) {
            Stage::Idle if left == 0 => continue,
            Stage::Idle => {
                left -= 1;
                let request = all.request();
                Stage::Asked(request, all.now())
            }
            Stage::Asked(request, invoked) => {
                let answer = all.take_effect(&request, lossy);
                Stage::Done(request, invoked, answer)
            }
            Stage::Done(request, invoked, answer) => {
                all.come_back(client, request, invoked, answer);
                Stage::Idle
            }
        };
    }
    for path in paths {
        let request =
            Request { method: Method::Get, path: (*path).to_owned(), content: None, terms: Terms::default() };
        let invoked = all.now();
        let answer = all.take_effect(&request, false);
        all.come_back(0, request, invoked, answer);
    }
    all.history
}

#[test]
fn what_happened_is_accepted() {
    const HISTORIES: u64 = 500;
    let (mut steps, mut states, mut most) = (0, 0, 0);
    let start = Instant::now();
    let mut checking = std::time::Duration::ZERO;
    for seed in 0..HISTORIES {
        let history = generate(&mut Random(seed), 4, 100, &PATHS, seed % 2 == 0);
        let before = Instant::now();
        let verdict = check(&history, BUDGET);
        checking += before.elapsed();
        let Verdict::Linearizable(search) = verdict else { panic!("seed {seed}: {verdict:?}") };
        steps += search.steps;
        states += search.states;
        most = most.max(search.steps);
    }
    println!(
        "linearize:accepted histories={HISTORIES} steps={steps} states={states} most={most} \
         checking={checking:?} all={:?}",
        start.elapsed()
    );
    assert!(most < BUDGET / 10, "{most} steps for one history");
}

#[test]
fn what_did_not_happen_is_refused() {
    const EACH: usize = 64;
    let mut counts = BTreeMap::new();
    let mut seed = 0;
    for kind in KINDS {
        let mut refused = 0;
        while refused < EACH {
            seed += 1;
            let mut random = Random(seed);
            let mut history = generate(&mut random, 4, 100, &PATHS, seed % 2 == 0);
            if !corrupt(&mut history, kind, &mut random) {
                continue;
            }
            let verdict = check(&history, BUDGET);
            assert!(matches!(verdict, Verdict::NotLinearizable { .. }), "{kind:?}, seed {seed}: {verdict:?}");
            refused += 1;
        }
        counts.insert(format!("{kind:?}"), refused);
    }
    let all: usize = counts.values().sum();
    println!("linearize:corrupted histories={all} generated={seed} kinds={counts:?}");
    assert!(all >= 1000, "{all} corrupted histories");
}

#[test]
fn small_histories_are_judged_as_by_brute_force() {
    const HISTORIES: u64 = 20_000;
    let (mut accepted, mut refused) = (0, 0);
    let start = Instant::now();
    for seed in 0..HISTORIES {
        let mut random = Random(seed);
        let paths = [&["a"][..], &["a", "a/b"], &["a/b/c", "a"]][random.below(3)];
        let (clients, calls) = (2 + random.below(3), 2 + random.below(5));
        let mut history = generate(&mut random, clients, calls, paths, true);
        // What was read at last takes no time to order, but brute force takes long for every call.
        history.truncate(6);
        for _ in 0..random.below(3) {
            spoil(&mut history, &mut random);
        }
        let verdict = check(&history, BUDGET);
        let by_force = is_linearizable(&history);
        let expected = matches!(verdict, Verdict::Linearizable(_));
        assert_eq!(expected, by_force, "seed {seed}: {verdict:?}\n{history:#?}");
        *if by_force { &mut accepted } else { &mut refused } += 1;
    }
    println!("linearize:brute accepted={accepted} refused={refused} time={:?}", start.elapsed());
    assert!(accepted >= 3_000 && refused >= 3_000, "{accepted} accepted, {refused} refused");
}

/// Changes something, for good or ill.
fn spoil(history: &mut [Call], random: &mut Random) {
    let (one, other) = (random.below(history.len()), random.below(history.len()));
    let outcome = history[other].outcome.clone();
    let shift = random.below(24) as u64;
    match (random.below(6), &mut history[one].outcome) {
        (0, mine) => *mine = outcome,
        (1, Outcome::Answered { answer, .. }) => answer.version = answer.version.map(|_| shift % 6 + 1),
        (2, Outcome::Answered { answer, .. }) => answer.status = random.pick(&[200, 201, 404, 409, 412]),
        (3, Outcome::Answered { at: end, .. } | Outcome::Unknown { until: end }) => *end += shift,
        (4, mine) => *mine = Outcome::Unknown { until: history[one].invoked + 1 + shift },
        _ => history[one].invoked = history[one].invoked.saturating_sub(shift),
    }
    // Nothing ends before it begins.
    let call = &mut history[one];
    let least = call.invoked + 1;
    match &mut call.outcome {
        Outcome::Answered { at: end, .. } | Outcome::Unknown { until: end } => *end = least.max(*end),
    }
}
