//! The decision by itself, against the reference.

use std::cell::Cell;

use http_server::api::listing::Offers;
use http_server::api::rights::{Party, Rights, Rule, Schemes, Verbs, Who};
use http_server::api::route::{Action, Reading};
use http_server::api::{condition, listing};
use http_server::http::request::{Expectation, Framing, Request};
use http_server::http::request_line;
use http_server::http::target::Target;
use http_server::limits::Limits;
use http_server::store::operation::{Intent, Mode};
use http_server::store::path::FilePath;
use model::reference::Method;
use model::rights::{self, There};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use tests::{depth, ledger};

const NAMES: [&str; 6] = ["a", "a", "ab", "A", "a-", "% "];
const WHO: [(&str, Who); 5] = [
    ("anonymous", Who::Anonymous),
    ("user:0", Who::User(0)),
    ("user:1", Who::User(1)),
    ("token:0", Who::Token(0)),
    ("token:1", Who::Token(1)),
];
const METHODS: [Method; 6] =
    [Method::Get, Method::Head, Method::Post, Method::Put, Method::Patch, Method::Delete];

/// Names joined by `/`, often with one behind.
fn names() -> impl Strategy<Value = (Vec<&'static str>, bool)> {
    (prop::collection::vec(select(&NAMES[..]), 0..3), any::<bool>())
        .prop_map(|(names, slash)| (names.clone(), slash || names.is_empty()))
}

fn rule() -> impl Strategy<Value = rights::Rule> {
    let who = select(&["anonymous", "*", "user:0", "user:1", "token:0", "token:1"][..]);
    let may = subsequence(Verbs::NAMES.map(|(name, _)| name).to_vec(), 0..=6);
    (who, may, names()).prop_map(|(who, may, (names, slash))| {
        let behind = if slash && !names.is_empty() { "/" } else { "" };
        rights::Rule { who: who.to_owned(), may, path: format!("/{}{behind}", names.join("/")) }
    })
}

/// The same in the server's words.
fn theirs(rule: &rights::Rule) -> Rule {
    let party = match rule.who.as_str() {
        "anonymous" => Party::Anonymous,
        "*" => Party::Known,
        who => Party::One(WHO.iter().find(|(name, _)| *name == who).unwrap().1),
    };
    let verbs = Verbs::NAMES.iter().filter(|(name, _)| rule.may.contains(name)).map(|(_, verb)| *verb);
    let inner = rule.path[1..].trim_end_matches('/');
    let path = FilePath::of_names(inner.as_bytes(), rule.path.ends_with('/')).unwrap();
    Rule { party, path, may: verbs.fold(Verbs::NONE, Verbs::and) }
}

/// What says nothing but what it asks for.
const PLAIN: Request<'_> = Request {
    line: b"",
    method: request_line::Method::Get,
    target: Target::Server,
    version: request_line::Version::Http11,
    framing: Framing::Length(0),
    persistent: true,
    expectation: Expectation::Nothing,
    user_agent: None,
    content_range: false,
    may_want_json: false,
    fields: b"",
    conditions: 0,
};

fn action(method: Method, path: FilePath) -> Action<'static> {
    let upload = |path, mode| Action::Upload(Intent { path, mode, condition: None });
    match method {
        Method::Get | Method::Head if path.names_directory() => {
            let asked = listing::read(&PLAIN, path, None, &Limits::default());
            Action::List(Box::new(asked.unwrap()))
        }
        Method::Get | Method::Head => {
            let parts: Option<Box<condition::WantedParts>> = None;
            Action::Read(Reading { path, condition: None, media_type: "", parts, otherwise: None })
        }
        Method::Post => upload(path, Mode::Create),
        Method::Put => upload(path, Mode::Replace),
        Method::Patch => upload(path, Mode::Append),
        Method::Delete => Action::Delete(path, None),
    }
}

/// Whether it comes to pass, where this stands there.
fn comes_to_pass(action: &Action<'_>, there: There) -> bool {
    match action {
        Action::Reply(_) => false,
        // A directory is refused by the store, for everybody alike.
        Action::Upload(intent) if there != There::Directory => {
            let condition = intent.condition.as_ref();
            condition.is_none_or(|condition| condition.permits(there == There::File))
        }
        _ => true,
    }
}

/// Goal: a page offers what whoever looks at it may do with whatever is in the directory, no less and no more.
/// Method: the same random rules; by the reference's word about a name that no rule has, nothing is offered
/// to who may not list, and each tool to who may do with that name what the tool does.
#[test]
fn a_page_offers_what_the_reference_allows() {
    let cases = depth().of(5_000, 50_000, 500_000);
    let (offered, hidden) = (Cell::new(0), Cell::new(0));
    let strategy = (prop::collection::vec(rule(), 0..6), select(&WHO[..]), names(), any::<(bool, bool)>());
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let result = runner.run(&strategy, |(rules, (name, who), (names, _), (read_only, basic))| {
        let schemes = Schemes { basic, bearer: true };
        let rights = Rights { read_only, rules: Some(rules.iter().map(theirs).collect()), schemes };
        let path = FilePath::of_names(names.join("/").as_bytes(), true).unwrap();
        let names: Vec<Vec<u8>> = names.iter().map(|name| name.as_bytes().to_vec()).collect();
        let entry = [names.clone(), vec![b"no rule's".to_vec()]].concat();
        let lists = rights::allows(&rules, name, Method::Get, (&names, true), There::Directory);
        let entry_may = |method, there| rights::allows(&rules, name, method, (&entry, false), there);
        let changes = |may| may && !read_only;
        let reads = entry_may(Method::Get, There::File);
        let expected = lists.then(|| Offers {
            create: changes(entry_may(Method::Put, There::Nothing)),
            replace: changes(entry_may(Method::Put, There::File)) && reads,
            delete: changes(entry_may(Method::Delete, There::File)),
            sign_in: basic && who == Who::Anonymous,
        });
        let found = match rights.judge(who, action(Method::Get, path)) {
            Action::List(asked) => Some(asked.offers()),
            _ => None,
        };
        prop_assert_eq!(found, expected, "{} {:?} {:?}", name, rules, names);
        let any = expected.is_some_and(|offers| offers.create || offers.replace || offers.delete);
        let count = if any { &offered } else { &hidden };
        count.set(count.get() + 1);
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    ledger::record("rights:offers", &[("offered", offered.get()), ("hidden", hidden.get())]);
}

/// Goal: the decision is that of the reference. Method: random rules, and whoever asks for whatever, on
/// a path that is written with some of its bytes encoded.
#[test]
fn the_decision_is_that_of_the_reference() {
    let cases = depth().of(20_000, 200_000, 2_000_000);
    let (allowed, refused) = (Cell::new(0), Cell::new(0));
    let strategy = (
        prop::collection::vec(rule(), 0..6),
        select(&WHO[..]),
        select(&METHODS[..]),
        names(),
        select(&[There::Nothing, There::File, There::Directory][..]),
        any::<u64>(),
    );
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases,
        failure_persistence: None,
        max_shrink_iters: 10_000,
        ..ProptestConfig::default()
    });
    let result = runner.run(&strategy, |(rules, (name, who), method, (names, slash), there, bits)| {
        let rights = Rights {
            rules: Some(rules.iter().map(theirs).collect()),
            schemes: Schemes { basic: true, bearer: true },
            ..Rights::default()
        };
        let mut encoded = String::new();
        for (at, byte) in names.join("/").bytes().enumerate() {
            let written = byte != b'/' && (bits >> (at % 64) & 1 == 1 || b"% ".contains(&byte));
            encoded.push_str(&if written { format!("%{byte:02x}") } else { char::from(byte).to_string() });
        }
        encoded.push_str(if slash && !names.is_empty() { "/" } else { "" });
        let path = FilePath::parse(encoded.as_bytes()).unwrap();
        let names: Vec<Vec<u8>> = names.iter().map(|name| name.as_bytes().to_vec()).collect();
        let expected = rights::allows(&rules, name, method, (&names, slash), there);
        let found = comes_to_pass(&rights.judge(who, action(method, path)), there);
        prop_assert_eq!(found, expected, "{} {:?} {} {:?}", name, method, encoded, there);
        let count = if expected { &allowed } else { &refused };
        count.set(count.get() + 1);
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    ledger::record("rights:decision", &[("allowed", allowed.get()), ("refused", refused.get())]);
}
