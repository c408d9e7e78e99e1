//! The binary: everybody, with each set of verbs, each method, on whatever stands there.

use std::fs;

use model::reference::{Method, Reference, Terms};
use model::rights::{self, There};
use tests::{depth, ledger};

use super::{ANN, BOB, DEVICE, ask, start};

const VERBS: [&str; 6] = ["read", "list", "create", "replace", "append", "delete"];
const PARTIES: [&str; 4] = ["anonymous", "*", "user:ann", "token:device"];
const METHODS: [(&str, Method); 6] = [
    ("GET", Method::Get),
    ("HEAD", Method::Head),
    ("POST", Method::Post),
    ("PUT", Method::Put),
    ("PATCH", Method::Patch),
    ("DELETE", Method::Delete),
];

/// Goal: what is allowed is answered as if there were no rights, and what is not changes nothing. Method:
/// a directory for each party and each set of verbs; in it everybody tries each method on nothing, a file
/// and a directory, and both references say what is due.
#[test]
fn everybody_may_do_what_the_rules_say_and_nothing_else() {
    let step = depth().of(7, 1, 1);
    let sets = (0..64).step_by(step).chain([1, 2, 4, 8, 16, 32, 63]);
    let mut sets: Vec<usize> = sets.collect();
    sets.sort_unstable();
    sets.dedup();
    let mut rules = Vec::new();
    for (number, who) in PARTIES.iter().enumerate() {
        for set in &sets {
            let may = VERBS.iter().enumerate().filter(|(bit, _)| set >> bit & 1 == 1).map(|(_, verb)| *verb);
            let may: Vec<&str> = may.collect();
            rules.push(rights::Rule { who: (*who).to_owned(), may, path: format!("/{number}-{set}/") });
        }
    }
    let words: Vec<String> = rules
        .iter()
        .filter(|rule| !rule.may.is_empty())
        .map(|rule| format!("{}:{}:{}", rule.who, rule.may.join(","), rule.path))
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let server = start(&words, &["--quiet"]);
    let askers = [("anonymous", ""), ("user:ann", ANN), ("user:bob", BOB), ("token:device", DEVICE)];
    let (mut allowed, mut refused) = (0, 0);
    for (who, fields) in askers {
        let mut client = server.connect();
        for rule in &rules {
            let folder = &rule.path[1..];
            fs::create_dir_all(server.directory().join(folder)).unwrap();
            for (method, known) in METHODS {
                for there in [There::Nothing, There::File, There::Directory] {
                    for slash in [false, true] {
                        let name = format!("{method}-{there:?}-{slash}-{}", who.replace(':', "-"));
                        let place = server.directory().join(folder).join(&name);
                        let mut reference = Reference::default();
                        let path = format!("{folder}{name}");
                        let terms = Terms::default();
                        match there {
                            There::Nothing => {}
                            There::File => {
                                fs::write(&place, "old").unwrap();
                                reference.request(Method::Put, &path, b"old", &terms);
                            }
                            There::Directory => {
                                fs::create_dir(&place).unwrap();
                                fs::write(place.join("x"), "old").unwrap();
                                reference.request(Method::Put, &format!("{path}/x"), b"old", &terms);
                            }
                        }
                        let behind = if slash { "/" } else { "" };
                        let line = format!("{method} /files/{path}{behind}");
                        let content = if method.starts_with('P') { "new" } else { "" };
                        let answer = ask(&mut client, fields, &line, content);
                        let names: Vec<Vec<u8>> =
                            path.split('/').map(|name| name.as_bytes().to_vec()).collect();
                        // A slash says that a directory is meant, which no upload can change.
                        let seen = if slash && !content.is_empty() { There::Directory } else { there };
                        let may = rights::allows(&rules, who, known, (&names, slash), seen);
                        let due =
                            reference.request(known, &format!("{path}{behind}"), content.as_bytes(), &terms);
                        let shown = format!("{who} {rule:?} {line} {there:?}: {answer:?}");
                        if may {
                            allowed += 1;
                            let listed =
                                matches!(known, Method::Get | Method::Head) && there == There::Directory;
                            assert!(answer.status == due.status || listed && answer.status < 400, "{shown}");
                        } else {
                            refused += 1;
                            // Who might do it if something else stood there is told so by the store.
                            let other = [There::Nothing, There::File, There::Directory];
                            let other = other
                                .iter()
                                .any(|there| rights::allows(&rules, who, known, (&names, slash), *there));
                            let expected = if who == "anonymous" && !other { 401 } else { 403 };
                            assert_eq!(answer.status, expected, "{shown}");
                            assert_eq!(
                                answer.field("www-authenticate").is_some(),
                                expected == 401,
                                "{shown}"
                            );
                            let as_before = match there {
                                There::Nothing => !place.exists(),
                                There::File => fs::read(&place).unwrap() == b"old",
                                There::Directory => fs::read(place.join("x")).unwrap() == b"old",
                            };
                            assert!(as_before, "{shown}");
                        }
                    }
                }
            }
        }
    }
    ledger::record("rights:matrix", &[("allowed", allowed), ("refused", refused)]);
}
