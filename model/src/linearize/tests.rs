//! Histories written by hand: what may be, and what must not. A call a line: who, from when to when
//! (`3-5`, or `3?5` for what nobody heard of), the request, and its answer, with what was read as contents
//! of the alphabet.

mod brute;
mod corrupted;
mod generated;

use super::*;
use crate::alphabet::Content;

/// Far more than any of these takes.
const BUDGET: u64 = 1_000_000;

fn read_history(text: &str) -> Vec<Call> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(read_call).collect()
}

fn read_call(line: &str) -> Call {
    let (asked, answer) =
        line.split_once(" -> ").map_or((line, None), |(asked, answer)| (asked, Some(answer)));
    let (client, rest) = asked.split_once(' ').unwrap();
    let (times, request) = rest.split_once(' ').unwrap();
    let (invoked, end) = times.split_once(['-', '?']).unwrap();
    let (invoked, end) = (invoked.parse().unwrap(), end.parse().unwrap());
    let outcome = match answer {
        Some(answer) => Outcome::Answered { at: end, answer: read_answer(answer) },
        None => Outcome::Unknown { until: end },
    };
    Call { client: client.parse().unwrap(), request: request.parse().unwrap(), invoked, outcome }
}

fn read_answer(text: &str) -> Answer {
    let mut words = text.split(' ');
    let status = words.next().unwrap().parse().unwrap();
    let mut answer = Answer { status, read: None, version: None, length: None };
    while let (Some(name), Some(value)) = (words.next(), words.next()) {
        match name {
            "tag" => answer.version = Some(value.parse().unwrap()),
            "of" => answer.length = Some(value.parse().unwrap()),
            "read" => answer.read = Some(value.split('+').flat_map(read_content).collect()),
            _ => panic!("{name:?} in {text:?}"),
        }
    }
    answer
}

fn read_content(text: &str) -> Vec<u8> {
    let (number, length) = text.split_once(':').unwrap();
    Content { number: number.parse().unwrap(), length: length.parse().unwrap() }.bytes()
}

#[track_caller]
fn accept(text: &str) {
    let verdict = check(&read_history(text), BUDGET);
    assert!(matches!(verdict, Verdict::Linearizable(_)), "{verdict:?}");
    assert!(brute::is_linearizable(&read_history(text)), "not by brute force");
}

#[track_caller]
fn refuse(text: &str) -> String {
    let verdict = check(&read_history(text), BUDGET);
    let Verdict::NotLinearizable { story } = verdict else { panic!("{verdict:?}") };
    assert!(!brute::is_linearizable(&read_history(text)), "by brute force it is one");
    story
}

#[test]
fn what_comes_one_by_one_is_judged_by_the_reference() {
    accept("");
    accept(
        "0 1-2 PUT a/b 1:3 -> 201 tag 1
         1 3-4 GET a/b -> 200 tag 1 read 1:3
         1 5-6 HEAD a/b -> 200 tag 1 read 0:3
         1 7-8 GET a/b if-none-match=1 -> 304 tag 1
         1 9-10 GET a/b range=0-1 -> 206 tag 1 read 1:2 of 3
         0 11-12 PATCH a/b 2:2 upload-offset=3 -> 200 tag 2
         0 13-14 PATCH a/b 2:2 upload-offset=3 -> 409 of 5
         1 15-16 GET a/b -> 200 tag 2 read 1:3+2:2
         1 17-18 DELETE a -> 409
         1 19-20 DELETE a/b if-match=2 -> 200
         1 21-22 DELETE a -> 200
         1 23-24 GET a -> 404",
    );
}

#[test]
fn calls_that_overlap_have_any_order() {
    for answer in ["404", "200 tag 1 read 1:3"] {
        accept(&format!(
            "0 1-4 PUT a 1:3 -> 201 tag 1
             1 2-3 GET a -> {answer}"
        ));
    }
    accept(
        "0 1-8 PUT a 1:3 -> 200 tag 1
         1 2-7 PUT a 2:3 -> 201 tag 2
         2 3-4 GET a -> 200 tag 2 read 2:3
         2 5-6 GET a -> 200 tag 1 read 1:3",
    );
}

#[test]
fn a_stale_read_is_refused() {
    let story = refuse(
        "0 1-2 PUT a 1:3 -> 201 tag 1
         0 3-4 PUT a 2:3 -> 200 tag 2
         1 5-6 GET a -> 200 tag 1 read 1:3",
    );
    assert!(story.contains("the longest order has 2 of 3 answered calls"), "{story}");
    assert!(story.contains("a 3 bytes \"<2>\" tag 2"), "{story}");
    assert!(story.contains("by the tree: 200 3 bytes \"<2>\" tag 2"), "{story}");
    refuse(
        "0 1-20 PUT a 1:3 -> 201 tag 1
         1 2-3 GET a -> 200 tag 1 read 1:3
         2 4-5 GET a -> 404",
    );
}

#[test]
fn a_lost_update_is_refused() {
    refuse(
        "0 1-2 PUT a 1:3 -> 201 tag 1
         0 3-6 PUT a 2:3 if-match=1 -> 200 tag 2
         1 4-5 PUT a 3:3 if-match=1 -> 200 tag 3",
    );
}

#[test]
fn two_creations_of_one_file_are_refused() {
    refuse(
        "0 1-3 POST a 1:3 -> 201 tag 1
         1 2-4 POST a 2:3 -> 201 tag 2",
    );
    accept(
        "0 1-3 POST a 1:3 -> 201 tag 1
         1 2-4 POST a 2:3 -> 409",
    );
}

#[test]
fn a_value_from_nowhere_is_refused() {
    refuse(
        "0 1-4 PUT a 1:3 -> 201 tag 1
         1 2-3 GET a -> 200 tag 2 read 2:3",
    );
    // Half of one, and half of the other.
    refuse(
        "0 1-2 PUT a 1:6 -> 201 tag 1
         0 3-6 PUT a 2:6 -> 200 tag 2
         1 4-5 GET a -> 200 tag 2 read 1:3+2:3",
    );
}

#[test]
fn a_tag_of_two_contents_is_refused() {
    refuse(
        "0 1-2 PUT a 1:3 -> 201 tag 1
         0 3-4 PUT a 2:3 -> 200 tag 1",
    );
    refuse(
        "0 1-2 PUT a 1:3 -> 201 tag 1
         0 3-4 DELETE a -> 200
         0 5-6 PUT a 1:3 -> 201 tag 1",
    );
    let story = refuse(
        "0 1-2 PUT a 1:3 -> 201 tag 1
         0 3-4 PUT b 2:3 -> 201 tag 1",
    );
    assert!(story.starts_with("tag 1 stands for files of two names"), "{story}");
}

#[test]
fn a_tag_that_changes_alone_is_refused() {
    refuse(
        "0 1-2 PUT a 1:3 -> 201 tag 1
         0 3-4 GET a -> 200 tag 2 read 1:3",
    );
    // To append nothing is no change.
    accept(
        "0 1-2 PUT a 1:3 -> 201 tag 1
         0 3-4 PATCH a 2:0 -> 200 tag 1",
    );
    refuse(
        "0 1-2 PUT a 1:3 -> 201 tag 1
         0 3-4 PATCH a 2:0 -> 200 tag 2",
    );
}

#[test]
fn a_deleted_file_is_read_by_nobody() {
    refuse(
        "0 1-2 PUT a 1:3 -> 201 tag 1
         0 3-4 DELETE a -> 200
         1 5-6 GET a -> 200 tag 1 read 1:3",
    );
    refuse(
        "0 1-2 PUT a 1:3 -> 201 tag 1
         0 3-5 DELETE a -> 200
         1 4-6 DELETE a -> 200",
    );
}

#[test]
fn appends_have_one_order() {
    let appends = "0 1-2 PUT a 1:3 -> 201 tag 1
         0 3-6 PATCH a 2:3 -> 200 tag 2
         1 4-5 PATCH a 3:3 -> 200 tag 3\n";
    for tag in [2, 3] {
        let last = 5 - tag;
        let read = format!("1 7-8 GET a -> 200 tag {tag} read 1:3+{last}:3+{tag}:3");
        accept(&format!("{appends}{read}"));
        refuse(&format!("{appends}{}", read.replace(&format!("tag {tag}"), &format!("tag {last}"))));
    }
    refuse(&format!("{appends}1 7-8 GET a -> 200 tag 2 read 1:3+2:3"));
    refuse(
        "0 1-2 PUT a 1:3 -> 201 tag 1
         0 3-4 PATCH a 2:3 -> 200 tag 2
         1 5-6 PATCH a 3:3 -> 200 tag 3
         1 7-8 GET a -> 200 tag 3 read 1:3+3:3+2:3",
    );
    refuse(
        "0 1-2 PUT a 1:3 -> 201 tag 1
         0 3-6 PATCH a 2:3 upload-offset=3 -> 200 tag 2
         1 4-5 PATCH a 3:3 upload-offset=3 -> 200 tag 3",
    );
}

#[test]
fn what_nobody_heard_of_may_take_effect_or_not() {
    let put = "0 1-2 PUT a 1:3 -> 201 tag 1
         0 3?6 PUT a 2:3\n";
    for answer in ["1 read 1:3", "2 read 2:3"] {
        accept(&format!("{put}1 4-5 GET a -> 200 tag {answer}"));
        accept(&format!("{put}1 7-8 GET a -> 200 tag {answer}"));
    }
    accept(&format!(
        "{put}1 4-5 GET a -> 200 tag 1 read 1:3
         1 7-8 GET a -> 200 tag 2 read 2:3"
    ));
    // Once, and not twice.
    refuse(&format!(
        "{put}1 4-5 GET a -> 200 tag 2 read 2:3
         1 7-8 GET a -> 200 tag 1 read 1:3"
    ));
    refuse(
        "0 1?6 PATCH a 2:3
         1 7-8 GET a -> 200 tag 2 read 2:3+2:3",
    );
    // Before it was asked for.
    refuse(
        "1 1-2 GET a -> 200 tag 2 read 2:3
         0 3?6 PUT a 2:3",
    );
    accept("0 3?6 PUT a 2:3");
    accept(
        "0 3?6 GET a
         1 4-5 GET a -> 404",
    );
}

#[test]
fn what_nobody_heard_of_does_not_come_too_late() {
    refuse(
        "0 1-2 PUT a 1:3 -> 201 tag 1
         0 3?6 PUT a 2:3
         1 7-8 GET a -> 200 tag 1 read 1:3
         1 9-10 GET a -> 200 tag 2 read 2:3",
    );
    refuse(
        "0 1-2 PUT a 1:3 -> 201 tag 1
         0 3?6 DELETE a
         1 7-8 GET a -> 200 tag 1 read 1:3
         1 9-10 GET a -> 404",
    );
}

#[test]
fn what_nobody_heard_of_may_leave_parents() {
    for left in ["404", "404\n 1 9-10 DELETE a -> 200", "404\n 1 9-10 DELETE a -> 409"] {
        accept(&format!(
            "0 1?2 PUT a/b/c 1:3
             1 3-4 GET a/b/c -> {left}"
        ));
    }
    refuse(
        "0 1?2 PUT a/b/c 1:3 if-match=*
         1 3-4 DELETE a -> 200",
    );
    refuse(
        "0 1?2 DELETE a/b/c
         1 3-4 DELETE a -> 200",
    );
    refuse(
        "0 1-2 PUT a/b/c 1:3 -> 412
         1 3-4 DELETE a -> 200",
    );
}

#[test]
fn a_condition_is_judged_on_the_version_that_is_there() {
    let puts = "0 1-2 PUT a 1:3 -> 201 tag 1
         0 3-4 PUT a 2:3 -> 200 tag 2\n";
    accept(&format!("{puts}1 5-6 PUT a 3:3 if-match=1 -> 412"));
    refuse(&format!("{puts}1 5-6 PUT a 3:3 if-match=1 -> 200 tag 3"));
    refuse(&format!("{puts}1 5-6 PUT a 3:3 if-match=1,2 -> 412"));
    refuse(&format!("{puts}1 5-6 GET a if-none-match=1 -> 304 tag 2"));
    accept(&format!("{puts}1 5-6 GET a if-none-match=1 -> 200 tag 2 read 2:3"));
    accept(&format!("{puts}1 5-6 GET a range=0-1 if-range=2 -> 206 tag 2 read 2:2 of 3"));
    refuse(&format!("{puts}1 5-6 GET a range=0-1 if-range=1 -> 206 tag 2 read 2:2 of 3"));
    // A tag that no file ever had.
    refuse(&format!("{puts}1 5-6 DELETE a if-match=99 -> 200"));
    accept(&format!("{puts}1 5-6 DELETE a if-match=99 -> 412"));
    // A file of that tag is there, but not here.
    refuse(&format!("{puts}0 5-6 PUT b 3:3 -> 201 tag 3\n1 7-8 DELETE a if-match=3 -> 200"));
}

#[test]
fn directories_are_not_removed_under_files() {
    refuse(
        "0 1-2 PUT a/b 1:3 -> 201 tag 1
         1 3-4 DELETE a -> 200",
    );
    refuse(
        "0 1-2 PUT a/b 1:3 -> 201 tag 1
         0 3-6 DELETE a/b -> 200
         1 4-8 DELETE a -> 200
         2 5-7 GET a/b -> 404
         2 9-10 GET a/b -> 200 tag 1 read 1:3",
    );
    accept(
        "0 1-2 PUT a/b 1:3 -> 201 tag 1
         0 3-6 DELETE a/b -> 200
         1 4-8 DELETE a -> 200
         2 5-7 PUT a 2:3 -> 201 tag 2",
    );
}

#[test]
fn too_few_steps_decide_nothing() {
    let history = read_history(
        "0 1-2 PUT a 1:3 -> 201 tag 1
         0 3-4 PUT a 2:3 -> 200 tag 2",
    );
    assert_eq!(check(&history, 0), Verdict::Undecided);
    assert!(matches!(check(&history, 10), Verdict::Linearizable(Search { steps: 2, .. })));
}

#[test]
fn names_that_are_written_in_two_ways_are_one() {
    refuse(
        "0 1-2 PUT a 1:3 -> 201 tag 1
         0 3-4 GET %61 -> 404",
    );
}

#[test]
fn a_search_ends_when_its_budget_is_spent() {
    let history = read_history(
        "0 1-20 PUT a 1:1 -> 201 tag 1
         1 1-20 PUT b 1:1 -> 201 tag 2
         2 1-20 PUT a 2:2 -> 200 tag 3
         3 1-20 GET a -> 200 tag 1 read 1:1",
    );
    let Verdict::Linearizable(search) = check(&history, BUDGET) else { panic!("there is an order") };
    assert_eq!(search.parts, 2);
    assert!(search.steps >= 4 && search.states >= 4, "{search:?}");
    assert_eq!(check(&history, search.steps), Verdict::Linearizable(search));
    assert_eq!(check(&history, 1), Verdict::Undecided);
    assert_eq!(check(&history, 0), Verdict::Undecided);
}
