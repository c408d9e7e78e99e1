//! What the power cut leaves at a moment in which somebody hears an answer: [`Moment`].

use http_server::store::{Durability, Store};

use super::{Record, SEARCH_STEPS_MAX, TIME};
use crate::linearize::{self, Call, Outcome, Verdict};
use crate::reference::{Answer, Method, Terms};
use crate::simulated::{History, Image, Simulated};

/// Behind every time of a schedule.
const LATE: u64 = u64::MAX / 4;
/// Tags that no client has heard of.
const UNHEARD: u64 = u64::MAX / 2;

/// An answer was heard, behind so many changes and syncs.
pub(super) struct Moment {
    pub(super) events: usize,
    /// All that had been asked, and what had been answered.
    pub(super) calls: Vec<Call>,
    pub(super) at: u64,
}

impl Moment {
    /// Whether a power cut leaves what the answers have said: where all is lost that was not synced, and
    /// where nothing is.
    pub(super) fn check(&self, history: &History, record: &Record) {
        let crash = history.crash(self.events);
        for kept in [false, true] {
            let calls = self.calls_and_what_is_found(&crash.image(|_| kept), record);
            match linearize::check(&calls, SEARCH_STEPS_MAX) {
                Verdict::Linearizable(_) => {}
                Verdict::NotLinearizable { story } => panic!("behind a power cut in no order:\n{story}"),
                Verdict::Undecided => panic!("the search came to no end"),
            }
        }
    }

    /// The history, with a read of each path behind the next start.
    fn calls_and_what_is_found(&self, image: &Image, record: &Record) -> Vec<Call> {
        let directory = Simulated::new(image, TIME, false);
        Store::new(directory.clone(), Durability::Disk).recover().unwrap();
        let tree = directory.tree();
        let mut calls = self.calls.clone();
        for call in &mut calls {
            if let Outcome::Unknown { until } = &mut call.outcome {
                *until = self.at;
            }
        }
        let mut paths: Vec<String> = calls.iter().map(|call| call.request.path.clone()).collect();
        paths.sort();
        paths.dedup();
        for (number, path) in (0..).zip(paths) {
            let names: Vec<Vec<u8>> = path.split('/').map(|name| name.as_bytes().to_vec()).collect();
            let answer = match tree.get(&names) {
                Some(Some((version, content))) => {
                    let tag = record.judge.versions.number(version).unwrap_or(UNHEARD + number);
                    Answer { status: 200, read: Some(content.clone()), version: Some(tag), length: None }
                }
                Some(None) => Answer { status: 301, read: None, version: None, length: None },
                None => Answer { status: 404, read: None, version: None, length: None },
            };
            let request = crate::alphabet::Request {
                method: Method::Get,
                path,
                content: None,
                terms: Terms::default(),
            };
            let (invoked, at) = (LATE + 2 * number, LATE + 2 * number + 1);
            calls.push(Call {
                client: usize::MAX,
                request,
                invoked,
                outcome: Outcome::Answered { at, answer },
            });
        }
        calls
    }
}
