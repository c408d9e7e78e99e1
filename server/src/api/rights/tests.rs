//! What single rules say; random ones are held against the reference by `tests/rights.rs`.

use super::*;

fn path(encoded: &str) -> FilePath {
    FilePath::parse(encoded.as_bytes()).unwrap()
}

fn rule(party: Party, at: &str, may: Verbs) -> Rule {
    Rule { party, path: path(at), may }
}

fn rights(rules: Vec<Rule>) -> Rights {
    Rights { rules: Some(rules), schemes: Schemes { basic: true, bearer: false }, ..Rights::default() }
}

#[test]
fn a_rule_covers_whole_names_of_the_decoded_path() {
    for (of, asked, covered) in [
        ("logs/", "logs/a", true),
        ("logs/", "logs/a/b", true),
        ("logs/", "logs/", true),
        // Something else of that name is not in the directory.
        ("logs/", "logs", false),
        ("logs", "logs", true),
        ("logs", "logs/", true),
        ("logs", "logs/a", true),
        ("logs", "logs-private", false),
        ("logs/", "logs-private/a", false),
        ("logs", "log", false),
        ("logs", "Logs/a", false),
        ("logs/", "lo%67s/a", true),
        ("a/b", "a", false),
        ("a/b", "a/bc", false),
        ("", "", true),
        ("", "anything/at/all", true),
    ] {
        let rule = rule(Party::Anonymous, of, Verbs::READ);
        assert_eq!(rule.covers(&path(asked)), covered, "{of:?} {asked:?}");
    }
}

#[test]
fn rules_add_up_and_nobody_loses_by_saying_who_it_is() {
    let rights = rights(vec![
        rule(Party::Anonymous, "", Verbs::READ),
        rule(Party::Known, "in/", Verbs::CREATE),
        rule(Party::One(Who::User(1)), "in/a", Verbs::DELETE.and(Verbs::REPLACE)),
        rule(Party::One(Who::Token(1)), "in/", Verbs::APPEND),
    ]);
    let verbs = |who| rights.verbs(who, &path("in/a"));
    assert_eq!(verbs(Who::Anonymous), Verbs::READ);
    assert_eq!(verbs(Who::User(0)), Verbs::READ.and(Verbs::CREATE));
    let of_one = Verbs::READ.and(Verbs::CREATE).and(Verbs::DELETE).and(Verbs::REPLACE);
    assert_eq!(verbs(Who::User(1)), of_one);
    assert_eq!(verbs(Who::Token(1)), Verbs::READ.and(Verbs::CREATE).and(Verbs::APPEND));
    assert_eq!(rights.verbs(Who::User(1), &path("out")), Verbs::READ);
    assert_eq!(format!("{of_one:?}"), "{\"read\", \"create\", \"replace\", \"delete\"}");
}

#[test]
fn an_upload_is_restricted_to_what_may_be_done() {
    use Mode::{Append, Create, Replace};
    let (create, replace, append) = (Verbs::CREATE, Verbs::REPLACE, Verbs::APPEND);
    let (new, existing) = (Some(Some(Only::New)), Some(Some(Only::Existing)));
    for (may, expected) in [
        (Verbs::NONE, [None, None, None]),
        (create, [Some(None), new, new]),
        (replace, [None, existing, None]),
        (append, [None, None, existing]),
        (create.and(replace), [Some(None), Some(None), new]),
        (create.and(append), [Some(None), new, Some(None)]),
        (replace.and(append), [None, existing, existing]),
        (Verbs::READ.and(Verbs::LIST).and(Verbs::DELETE), [None, None, None]),
    ] {
        assert_eq!([Create, Replace, Append].map(|mode| upload(may, mode)), expected, "{may:?}");
    }
    // What the client demands stays demanded.
    let demand = Some(Box::new(Condition { length: Some(7), ..Condition::default() }));
    let intent = Intent { path: path("a"), mode: Append, condition: demand };
    let condition = restricted(intent, Some(Only::New)).condition.unwrap();
    assert_eq!((condition.length, condition.only), (Some(7), Some(Only::New)));
}

#[test]
fn refusals_say_how_to_go_on_and_nothing_else() {
    let status = |rights: &Rights, who| {
        let reply = rights.refusal(who);
        (reply.status.code(), reply.fields.len())
    };
    let mut rights = rights(Vec::new());
    assert_eq!((status(&rights, Who::Anonymous), status(&rights, Who::User(0))), ((401, 1), (403, 0)));
    rights.schemes.bearer = true;
    assert_eq!(status(&rights, Who::Anonymous), (401, 2));
    assert!(rights.refuse(Verdict::Unknown).fields[1].1.contains("invalid_token"));
    rights.schemes = Schemes::default();
    assert_eq!(status(&rights, Who::Anonymous), (403, 0));
    let late = rights.refuse(Verdict::TooMany(9));
    assert_eq!((late.status.code(), late.about), (429, About::RetryAfter(9)));
    assert_eq!(rights.refuse(Verdict::Busy).status.code(), 503);
}
