//! The search for an order.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::state::{Asked, Numbers, State};
use super::{Call, Outcome, Search};
use crate::reference::Method;

/// An order that grows and shrinks.
pub(super) struct Order<'a> {
    /// Sorted by their beginnings.
    calls: Vec<Candidate<'a>>,
    numbers: Numbers,
    /// Bits, one for each call that is in the order.
    taken: Vec<u64>,
    /// How many answered calls are not.
    left: usize,
    /// How many calls in the order have seen each tag.
    seen: HashMap<u64, usize>,
    /// Calls that are in the order or can be no more, and the state behind them.
    tried: HashSet<(Vec<u64>, u32)>,
    longest: Longest,
}

struct Candidate<'a> {
    call: &'a Call,
    content: Vec<u8>,
}

/// How a call stands in an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    Answered,
    /// It took effect, and nobody heard of it.
    Unheard,
    /// It made so many of its parents, and nothing else.
    Parents(usize),
}

/// What a search came to.
pub(super) enum Found {
    All,
    No(Longest),
    BudgetSpent,
}

/// The longest order that was found.
#[derive(Default)]
pub(super) struct Longest {
    pub(super) calls: Vec<(usize, How)>,
    pub(super) answered: usize,
    /// Behind it; nothing where not a single call can be the first.
    pub(super) state: Option<Rc<State>>,
}

/// A call that may come next, with the state behind it where that is known.
struct Choice {
    call: usize,
    how: How,
    next: Option<Rc<State>>,
}

/// The end of an order, and what may follow.
struct End {
    state: Rc<State>,
    /// The last beginning of the calls so far: what was over by then can be put in no more.
    latest: u64,
    /// All calls before this one are in the order, or can be no more.
    first: usize,
    choices: std::vec::IntoIter<Choice>,
    took: Option<(usize, How)>,
}

impl<'a> Order<'a> {
    pub(super) fn new(calls: &[&'a Call]) -> Order<'a> {
        // To a read that nobody heard of nothing can be said.
        let unheard_read =
            |call: &Call| !call.is_answered() && matches!(call.request.method, Method::Get | Method::Head);
        let calls = calls.iter().filter(|call| !unheard_read(call));
        let mut calls: Vec<Candidate<'_>> =
            calls.map(|call| Candidate { call, content: call.request.content_bytes() }).collect();
        calls.sort_by_key(|candidate| candidate.call.invoked);
        Order {
            numbers: Numbers::default(),
            taken: vec![0; calls.len().div_ceil(64)],
            left: calls.iter().filter(|candidate| candidate.call.is_answered()).count(),
            seen: HashMap::new(),
            tried: HashSet::new(),
            longest: Longest::default(),
            calls,
        }
    }

    /// Tries orders, depth first.
    pub(super) fn find(mut self, spent: &mut Search, budget: u64) -> Found {
        let root = State::new(&mut self.numbers);
        let mut ends = vec![self.end(root, 0, 0, None, spent)];
        let found = loop {
            if self.left == 0 {
                break Found::All;
            }
            if spent.steps > budget {
                break Found::BudgetSpent;
            }
            let Some(end) = ends.last_mut() else { break Found::No(std::mem::take(&mut self.longest)) };
            let Some(choice) = end.choices.next() else {
                let took = end.took;
                ends.pop();
                if let Some((call, _)) = took {
                    self.put_back(call);
                }
                continue;
            };
            let (state, latest, first) = (Rc::clone(&end.state), end.latest, end.first);
            let Some(next) = choice.next.or_else(|| self.step(&state, choice.call, choice.how, spent)) else {
                continue;
            };
            self.take(choice.call);
            let latest = latest.max(self.calls[choice.call].call.invoked);
            if self.tried.insert((self.settled(latest), next.number)) {
                let end = self.end(next, latest, first, Some((choice.call, choice.how)), spent);
                ends.push(end);
                self.measure(&ends);
            } else {
                self.put_back(choice.call);
            }
        };
        spent.states += self.tried.len() as u64;
        found
    }

    /// The state behind a call.
    fn step(&mut self, state: &Rc<State>, call: usize, how: How, spent: &mut Search) -> Option<Rc<State>> {
        spent.steps += 1;
        let Candidate { call, content } = &self.calls[call];
        let asked = Asked { request: &call.request, content };
        match (how, &call.outcome) {
            (How::Answered, Outcome::Answered { answer, .. }) => {
                let seen = &self.seen;
                let bound = |tag| seen.get(&tag).is_some_and(|count| *count > 0);
                state.answered(asked, answer, bound, &mut self.numbers)
            }
            (How::Parents(count), _) => state.with_parents(asked, count, &mut self.numbers),
            (How::Answered | How::Unheard, _) => state.unheard(asked, &mut self.numbers),
        }
    }

    /// The end of an order, with all that can follow there.
    fn end(
        &mut self,
        state: Rc<State>,
        latest: u64,
        mut first: usize,
        took: Option<(usize, How)>,
        spent: &mut Search,
    ) -> End {
        while first < self.calls.len() && !self.is_open(first, latest) {
            first += 1;
        }
        // Whatever comes next must have begun before any call that is left came back.
        let mut bound = u64::MAX;
        let mut unheard_until = u64::MAX;
        let (mut answered, mut unheard) = (Vec::new(), Vec::new());
        for number in first..self.calls.len() {
            let call = self.calls[number].call;
            if call.invoked >= bound {
                break;
            }
            if !self.is_open(number, latest) {
                continue;
            }
            if call.is_answered() {
                bound = bound.min(call.end());
                answered.push(number);
            } else {
                unheard_until = unheard_until.min(call.end());
                unheard.push(number);
            }
        }
        answered.retain(|number| self.calls[*number].call.invoked < bound);
        unheard.retain(|number| self.calls[*number].call.invoked < bound);
        answered.sort_by_key(|number| self.calls[*number].call.end());
        let mut choices = Vec::new();
        for number in answered {
            let how = How::Answered;
            if !self.changes_nothing(number) {
                choices.push(Choice { call: number, how, next: None });
                continue;
            }
            let Some(next) = self.step(&state, number, how, spent) else { continue };
            // Where the state stays as it is, whatever else can follow can as well follow behind this
            // call, so it need not be tried without; unless this call is too late for some of it.
            let stays = Rc::ptr_eq(&next, &state);
            let choice = Choice { call: number, how, next: Some(next) };
            if stays && self.calls[number].call.invoked < unheard_until {
                choices = vec![choice];
                unheard.clear();
                break;
            }
            choices.push(choice);
        }
        for number in unheard {
            choices.push(Choice { call: number, how: How::Unheard, next: None });
            let request = &self.calls[number].call.request;
            if request.method.has_content() {
                let parents = 1..=request.path.matches('/').count();
                choices.extend(parents.map(|count| {
                    let how = How::Parents(count);
                    Choice { call: number, how, next: None }
                }));
            }
        }
        End { state, latest, first, choices: choices.into_iter(), took }
    }

    /// Whether a call answered so leaves the tree as it is.
    fn changes_nothing(&self, number: usize) -> bool {
        let call = self.calls[number].call;
        let reads = matches!(call.request.method, Method::Get | Method::Head);
        reads || matches!(&call.outcome, Outcome::Answered { answer, .. } if answer.status >= 300)
    }

    /// Whether a call can still be put into the order.
    fn is_open(&self, number: usize, latest: u64) -> bool {
        let call = self.calls[number].call;
        self.taken[number / 64] & (1 << (number % 64)) == 0 && (call.is_answered() || call.end() > latest)
    }

    /// The calls that are in the order, or can be no more.
    fn settled(&self, latest: u64) -> Vec<u64> {
        let mut settled = self.taken.clone();
        for (number, candidate) in self.calls.iter().enumerate() {
            if !candidate.call.is_answered() && candidate.call.end() <= latest {
                settled[number / 64] |= 1 << (number % 64);
            }
        }
        settled
    }

    fn take(&mut self, number: usize) {
        self.taken[number / 64] |= 1 << (number % 64);
        let call = self.calls[number].call;
        self.left -= usize::from(call.is_answered());
        if let Some(tag) = call.tag() {
            *self.seen.entry(tag).or_insert(0) += 1;
        }
    }

    fn put_back(&mut self, number: usize) {
        self.taken[number / 64] &= !(1 << (number % 64));
        let call = self.calls[number].call;
        self.left += usize::from(call.is_answered());
        if let Some(count) = call.tag().and_then(|tag| self.seen.get_mut(&tag)) {
            *count -= 1;
        }
    }

    /// Keeps the order if none has had more answered calls.
    fn measure(&mut self, ends: &[End]) {
        let calls = || ends.iter().filter_map(|end| end.took);
        let answered = calls().filter(|(_, how)| *how == How::Answered).count();
        if answered > self.longest.answered {
            let state = ends.last().map(|end| Rc::clone(&end.state));
            self.longest = Longest { calls: calls().collect(), answered, state };
        }
    }
}

/// The calls of a part in the order in which [`Longest`] counts them.
pub(super) fn counted<'a>(part: &[&'a Call]) -> Vec<&'a Call> {
    Order::new(part).calls.into_iter().map(|candidate| candidate.call).collect()
}
