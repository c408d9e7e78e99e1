//! Who may do what: nobody anything but by a rule that says so, on whatever way it is asked.
//!
//! `rights/decision.rs` holds the decision against the reference, `rights/matrix.rs` the binary, each
//! method by everybody on whatever stands there; `rights/guesses.rs` is about wrong credentials.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper of tests fails the test that it helps"
)]

#[path = "rights/decision.rs"]
mod decision;
#[path = "rights/guesses.rs"]
mod guesses;
#[path = "rights/matrix.rs"]
mod matrix;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;
use tests::{Answer, Client, PATIENCE, Server, check, eventually, request};

/// The password is `U*U`: a test vector of crypt_blowfish, which costs a millisecond.
const BCRYPT: &str = "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
/// `U*U` of each user, in base 64.
const ANN: &str = "Authorization: Basic YW5uOlUqVQ==\r\n";
const BOB: &str = "Authorization: Basic Ym9iOlUqVQ==\r\n";
/// The token is `abc`, whose digest is the example of FIPS 180-4.
const DEVICE: &str = "Authorization: Bearer abc\r\n";
const DIGEST: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

/// A home with a file of the users `ann` and `bob`, and one of the token `device`.
fn home() -> (Arc<TempDir>, Vec<String>) {
    let home = Arc::new(tempfile::tempdir().unwrap());
    fs::write(home.path().join("users"), format!("ann:{BCRYPT}\nbob:{BCRYPT}\n")).unwrap();
    fs::write(home.path().join("tokens"), format!("# of 256 bits\ndevice:{DIGEST}\n")).unwrap();
    let path = |name: &str| home.path().join(name).to_str().unwrap().to_owned();
    let flags = ["--users", &path("users"), "--tokens", &path("tokens"), "--durability", "cache"];
    let flags = flags.map(str::to_owned).to_vec();
    (home, flags)
}

/// A server with these rules, and others flags.
fn start(rules: &[&str], more: &[&str]) -> Server {
    let (home, mut flags) = home();
    flags.extend(rules.iter().map(|rule| format!("--allow={rule}")));
    flags.extend(more.iter().map(|flag| (*flag).to_owned()));
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    Server::start_in(home, &flags)
}

/// A request with further fields.
fn with(fields: &str, line: &str, content: &str) -> Vec<u8> {
    let plain = String::from_utf8(request(line, content)).unwrap();
    plain.replacen("Host: h\r\n", &format!("Host: h\r\n{fields}"), 1).into_bytes()
}

fn put(server: &Server, path: &str, content: &str) -> PathBuf {
    let file = server.directory().join(path);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, content).unwrap();
    file
}

#[track_caller]
fn ask(client: &mut Client, fields: &str, line: &str, content: &str) -> Answer {
    client.send(with(fields, line, content));
    client.answer(line.split(' ').next().unwrap())
}

#[test]
fn a_server_for_reading_has_no_other_methods() {
    let server = Server::start(&["--read-only"]);
    let file = put(&server, "a", "content");
    assert_eq!(check(&server, request("GET /files/a", ""), "200 keep").text(), "content");
    check(&server, request("HEAD /files/missing", ""), "404 keep");
    for line in
        ["POST /files/b", "PUT /files/a", "PUT /files/b", "PATCH /files/a", "DELETE /files/a", "PUT /files/"]
    {
        let answer = check(&server, request(line, "more"), "405 keep");
        assert_eq!(answer.allow(), ["GET", "HEAD", "OPTIONS"], "{line}");
        // RFC 9110 §10.1.1: in place of 100.
        let fields = "Content-Length: 4\r\nExpect: 100-continue\r\n";
        check(&server, format!("{line} HTTP/1.1\r\nHost: h\r\n{fields}\r\n"), "405 close");
    }
    for target in ["/files/a", "/files/d/", "*"] {
        let answer = check(&server, request(&format!("OPTIONS {target}"), ""), "204 keep");
        assert_eq!(answer.allow(), ["GET", "HEAD", "OPTIONS"], "{target}");
        assert_eq!(answer.field("accept-patch"), None);
    }
    // The page offers what there is, and no more.
    let page = |server: &Server| check(server, request("GET /files/", ""), "200 keep").text().to_owned();
    let tools = ["<script", "<form", "<dialog"];
    assert!(
        page(&server).contains("<a href=\"a\"") && !tools.iter().any(|tool| page(&server).contains(tool))
    );
    let other = Server::start(&[]);
    assert!(tools.iter().all(|tool| page(&other).contains(tool)));
    assert_eq!(fs::read_to_string(file).unwrap(), "content");
    assert!(!server.directory().join("b").exists());
    assert!(server.start_line().contains("may then read"), "{}", server.start_line());
}

/// Each a single line of configuration.
#[test]
fn a_drop_box_and_a_log_that_only_grows() {
    let server =
        Server::start(&["--allow=anonymous:create:/inbox/", "--allow=anonymous:create,append:/logs/"]);
    let answer = |line: &str, content: &str, status: &str| {
        check(&server, request(line, content), &format!("{status} keep"));
    };
    answer("PUT /files/inbox/one", "1", "201");
    answer("POST /files/inbox/deep/two", "2", "201");
    answer("PUT /files/inbox/one", "3", "403");
    answer("POST /files/inbox/one", "3", "409");
    answer("PATCH /files/inbox/one", "3", "403");
    answer("PATCH /files/inbox/three", "3", "201");
    answer("PATCH /files/logs/today", "a\n", "201");
    answer("PATCH /files/logs/today", "b\n", "200");
    answer("PUT /files/logs/today", "c\n", "403");
    for path in ["inbox/one", "inbox/missing", "inbox/", "inbox", "logs/today", "elsewhere"] {
        for method in ["GET", "HEAD", "DELETE"] {
            // Nobody can say who it is, so there is nothing to ask for.
            answer(&format!("{method} /files/{path}"), "", "403");
        }
    }
    // What is called like the directory is not in it.
    answer("PUT /files/inbox", "4", "403");
    answer("PUT /files/inbox-2/x", "4", "403");
    assert_eq!(fs::read_to_string(server.directory().join("inbox/one")).unwrap(), "1");
    assert_eq!(fs::read_to_string(server.directory().join("logs/today")).unwrap(), "a\nb\n");
}

/// Goal: the page has the tools for what its reader may do there, and no others; signing in is offered to who
/// has not, and asks for a name even where anybody may list.
#[test]
fn a_page_offers_what_its_reader_may_do() {
    let rules = [
        "anonymous:read,list:/",
        "user:ann:create,replace,append,delete:/all/",
        "user:ann:create:/in/",
        "user:ann:replace:/changes/",
        "user:ann:delete:/sweeps/",
        "user:ann:append:/logs/",
        "anonymous:create:/box/",
    ];
    let server = start(&rules, &[]);
    let directories = ["all", "in", "changes", "sweeps", "logs", "box", "plain"];
    directories.iter().for_each(|name| drop(put(&server, &format!("{name}/file"), "content")));
    let page = |fields: &str, path: &str| {
        let answer = check(&server, with(fields, &format!("GET /files/{path}"), ""), "200 keep");
        assert_eq!((answer.field("vary"), answer.field("cache-control")), (Some("Accept"), Some("no-store")));
        let policy = answer.field("content-security-policy").unwrap().to_owned();
        let has = |part: &str| answer.text().contains(part);
        assert_eq!(has("<script"), policy.contains("script-src"), "{policy}");
        let tools = [
            ("upload", has("<form id=\"tools\"")),
            ("replace", has(" data-replaces>")),
            ("delete", has("<table data-deletes>")),
            ("script", has("<script")),
            ("sign in", has("<a href=\"?limit=1000&#38;sign-in\">Sign in</a>")),
        ];
        tools.iter().filter(|(_, has)| *has).map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    };
    for (path, anonymous, ann) in [
        ("all/", "sign in", "upload, replace, delete, script"),
        ("in/", "sign in", "upload, script"),
        ("changes/", "sign in", "upload, replace, script"),
        ("sweeps/", "sign in", "delete, script"),
        ("logs/", "sign in", ""),
        ("box/", "upload, script, sign in", "upload, script"),
        ("plain/", "sign in", ""),
        ("", "sign in", ""),
    ] {
        assert_eq!(page("", path), anonymous, "{path}");
        assert_eq!(page(ANN, path), ann, "{path}");
        assert_eq!(page(ANN, &format!("{path}?sign-in")), ann, "{path}");
    }
    let asked = check(&server, request("GET /files/all/?limit=1000&sign-in", ""), "401 keep");
    assert!(asked.field("www-authenticate").unwrap().starts_with("Basic"));
    // Where nobody has a name, there is none to say.
    let server = Server::start(&["--allow=anonymous:list,delete:/"]);
    put(&server, "file", "");
    let answer = check(&server, request("GET /files/?sign-in", ""), "200 keep");
    assert!(!answer.text().contains("Sign in") && answer.text().contains("<table data-deletes>"));
    // With rules and for reading only, no rule offers a tool.
    let server = Server::start(&["--read-only", "--allow=anonymous:list,delete,create:/"]);
    let answer = check(&server, request("GET /files/", ""), "200 keep");
    assert!(!["data-deletes>", "<form", "<script"].iter().any(|part| answer.text().contains(part)));
}

/// Goal: no page of another site makes a browser create a file here, which could then do what its reader may.
/// Method: the fields that browsers send with such a request, which they send for any page, and for none of
/// the other changes. Preflights are not answered in their favour.
#[test]
fn a_page_of_another_site_creates_nothing() {
    let server = Server::start(&[]);
    let (host, mut number) = (server.address().to_string(), 0);
    let own = format!("Origin: http://{host}\r\n");
    let other_scheme = format!("Origin: https://{host}\r\n");
    for (fields, may) in [
        ("", true),
        (own.as_str(), true),
        (&other_scheme, true),
        ("Origin: http://elsewhere.example\r\n", false),
        ("Origin: null\r\n", false),
        ("Origin: \r\n", false),
        ("Origin: http://127.0.0.1:1\r\n", false),
        (&format!("{own}Origin: http://elsewhere.example\r\n"), false),
        ("Sec-Fetch-Site: cross-site\r\n", false),
        ("Sec-Fetch-Site: same-site\r\n", false),
        ("Sec-Fetch-Site: none\r\nSec-Fetch-Site: cross-site\r\n", false),
        ("Sec-Fetch-Site: none\r\n", true),
        // Behind a proxy that changes the host.
        ("Origin: https://proxy.example\r\nSec-Fetch-Site: same-origin\r\n", true),
        (&format!("{own}Sec-Fetch-Site: cross-site\r\n"), false),
    ] {
        number += 1;
        let line = format!("POST /files/{number} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1\r\n");
        let answer =
            check(&server, format!("{line}{fields}\r\nx"), if may { "201 keep" } else { "403 keep" });
        assert_eq!(server.directory().join(number.to_string()).exists(), may, "{fields:?} {answer:?}");
    }
    let fields = "Origin: http://elsewhere.example\r\nAccess-Control-Request-Method: PUT\r\n";
    let answer = check(&server, with(fields, "OPTIONS /files/a", ""), "204 keep");
    assert!(answer.fields.iter().all(|(name, _)| !name.to_ascii_lowercase().starts_with("access-control")));
}

/// An index stands for its directory: each is for whom it is.
#[test]
fn listings_are_for_those_who_may_list() {
    let server = start(
        &["anonymous:list:/listed/", "anonymous:read:/read/", "user:ann:read,list:/"],
        &["--index=index.html"],
    );
    for path in ["listed/index.html", "listed/file", "read/index.html", "read/without/file"] {
        put(&server, path, "content");
    }
    for (path, anonymous, ann) in [
        ("listed/", "<!DOCTYPE", "content"),
        ("listed/?format=json", "{\"path\"", "{\"path\""),
        ("listed/file", "401", "content"),
        ("listed/missing/", "nothing is there", "nothing is there"),
        ("read/", "content", "content"),
        ("read/?format=json", "401", "{\"path\""),
        ("read/without/", "nothing is there", "<!DOCTYPE"),
        ("", "401", "<!DOCTYPE"),
    ] {
        for (fields, expected) in [("", anonymous), (ANN, ann)] {
            let mut client = server.connect();
            client.send(with(fields, &format!("GET /files/{path}"), ""));
            let answer = client.answer("GET");
            let begins = answer.text().starts_with(expected) && answer.status != 401;
            assert!(begins || answer.status.to_string() == expected, "{path} {expected}: {answer:?}");
        }
    }
}

#[test]
fn no_way_of_writing_a_path_leads_around_a_rule() {
    let server = start(&["anonymous:read:/open/", "user:ann:read:/private/"], &[]);
    for path in ["open/a", "private/a", "private-not/a", "open-not/a", "Open/a"] {
        put(&server, path, "content");
    }
    for (path, anonymous, ann) in [
        ("open/a", 200, 200),
        ("%6fpen/a", 200, 200),
        ("private/a", 401, 200),
        ("%70rivate/a", 401, 200),
        ("p%72ivate%2fa", 400, 400),
        ("open/../private/a", 400, 400),
        ("open/%2e%2e/private/a", 400, 400),
        ("open/.%2E/private/a", 400, 400),
        ("open/..%2fprivate/a", 400, 400),
        ("open/%2e%2e%2fprivate%2fa", 400, 400),
        ("open//private/a", 400, 400),
        ("/private/a", 400, 400),
        ("./private/a", 400, 400),
        ("open/%00/a", 400, 400),
        ("open/%252e%252e/private/a", 404, 404),
        ("private/a/", 401, 403),
        ("private/", 401, 403),
        ("private-not/a", 401, 403),
        ("open-not/a", 401, 403),
        ("Open/a", 401, 403),
        ("open%20/a", 401, 403),
        ("open", 401, 403),
        ("", 401, 403),
        // The query is no part of a path.
        ("private/a?/../open/a", 401, 200),
        ("open/a?/private", 200, 200),
    ] {
        for (fields, expected) in [("", anonymous), (ANN, ann)] {
            let request = with(fields, &format!("GET /files/{path}"), "");
            check(&server, request, &format!("{expected} keep"));
        }
    }
    // The resource's name may be encoded as well; a whole URI names the same.
    check(&server, request("GET /%66iles/private/a", ""), "401 keep");
    check(&server, request("GET http://h/files/private/a", ""), "401 keep");
    // What is no file is for everybody.
    for target in ["/", "/echo/private", "/user-agent"] {
        check(&server, request(&format!("GET {target}"), ""), "200 keep");
    }
}

#[test]
fn a_refusal_is_the_same_whatever_stands_there() {
    let server = start(&["user:ann:delete:/x/"], &[]);
    put(&server, "x/file", "content");
    put(&server, "x/directory/file", "content");
    for (fields, expected) in [("", 401), (ANN, 403)] {
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH"] {
            let demands = format!("{fields}If-Match: *\r\n");
            for fields in [fields, &demands] {
                let answers = ["file", "missing", "directory", "file/below", "no/directory"].map(|name| {
                    let line = format!("{method} /files/x/{name}");
                    check(&server, with(fields, &line, ""), &format!("{expected} keep")).without_date()
                });
                assert!(answers.iter().all(|answer| *answer == answers[0]), "{method} {answers:?}");
            }
        }
    }
}

#[test]
fn a_refusal_stands_in_place_of_100_and_a_permission_does_not() {
    let server = start(&["user:ann:create:/in/", "anonymous:read:/"], &[]);
    put(&server, "in/there", "old");
    let head = |fields: &str, path: &str| {
        let fields = format!("{fields}Content-Length: 3\r\nExpect: 100-continue\r\n");
        format!("PUT /files/{path} HTTP/1.1\r\nHost: h\r\n{fields}\r\n")
    };
    check(&server, head("", "in/new"), "401 close");
    check(&server, head(BOB, "in/new"), "403 close");
    check(&server, head(ANN, "out"), "403 close");
    // Where something is there already, the store refuses, and no content is asked for either.
    check(&server, head(ANN, "in/there"), "403 close");
    let mut client = server.connect();
    client.send(head(ANN, "in/new"));
    assert_eq!(client.head("PUT").status, 100);
    client.send("new");
    assert_eq!(client.answer("PUT").status, 201);
    client.expect_alive();
    // More than is read past: the answer comes before the content, and the connection ends.
    let long = "PUT /files/in/new HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000000\r\n\r\n";
    check(&server, long, "401 close");
    // Less is read past.
    let mut client = server.connect();
    client.send([request("PUT /files/in/new", [b'x'; 10_000]), request("GET /files/in/there", "")].concat());
    assert_eq!((client.answer("PUT").status, client.answer("GET").text()), (401, "old"));
}

#[test]
fn options_tell_everybody_its_own_methods() {
    let server = start(
        &["anonymous:read:/", "user:ann:create:/in/", "user:bob:replace,append,delete:/in/", "*:list:/in/"],
        &[],
    );
    for (fields, path, methods, patch) in [
        ("", "in/a", "GET HEAD OPTIONS", false),
        (ANN, "in/a", "GET HEAD OPTIONS PATCH POST PUT", true),
        (BOB, "in/a", "DELETE GET HEAD OPTIONS PATCH PUT", true),
        (DEVICE, "in/a", "GET HEAD OPTIONS", false),
        ("", "in/", "OPTIONS", false),
        (DEVICE, "in/", "GET HEAD OPTIONS", false),
        (ANN, "out", "GET HEAD OPTIONS", false),
    ] {
        let answer = check(&server, with(fields, &format!("OPTIONS /files/{path}"), ""), "204 keep");
        assert_eq!(answer.allow().join(" "), methods, "{fields} {path}");
        assert_eq!(answer.field("accept-patch").is_some(), patch);
    }
    check(&server, request("OPTIONS *", ""), "204 keep");
}

/// Of many who may only create, one does; whatever stands there afterwards is what one of them sent.
#[test]
fn who_may_only_create_never_replaces_however_many_try_at_once() {
    let server = start(&["*:create:/"], &[]);
    for round in 0..20 {
        let clients: Vec<Client> = (0..8)
            .map(|number| {
                let mut client = server.connect();
                let method = if number % 2 == 0 { "PUT" } else { "PATCH" };
                let line = format!("{method} /files/{round}");
                client.send(with(ANN, &line, &number.to_string()));
                client
            })
            .collect();
        let answers = clients.into_iter().map(|mut client| client.answer("PUT").status);
        let mut statuses: Vec<u16> = answers.collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 403, 403, 403, 403, 403, 403, 403]);
        assert_eq!(fs::read(server.directory().join(round.to_string())).unwrap().len(), 1);
    }
}

/// A slip of the keyboard in a rule must not take a right away, or give one, unseen.
#[test]
fn a_rule_that_names_nobody_is_refused_at_the_start() {
    let (home, flags) = home();
    let refused = |more: &[&str], reason: &str| {
        let mut command = std::process::Command::new(tests::binary());
        command.args(&flags).args(more).arg(home.path().join("data"));
        let output = assert_cmd::Command::from_std(command).timeout(PATIENCE).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{more:?} {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(stderr.contains(reason), "{reason}: {stderr}");
    };
    refused(&[], "say who may do what");
    refused(&["--allow=user:eve:read:/"], "user \"eve\" is not in the file of --users");
    refused(&["--allow=token:ann:read:/"], "token \"ann\" is not in the file of --tokens");
    refused(&["--allow=ann:read:/"], "neither anonymous");
    refused(&["--allow=user::read:/"], "neither anonymous");
    refused(&["--allow=*:read,write:/"], "\"write\" is none of");
    refused(&["--allow=*::/"], "\"\" is none of");
    refused(&["--allow=*:read:logs"], "WHO:VERBS:/path");
    refused(&["--allow=read:/"], "WHO:VERBS:/path");
    refused(&["--allow=*:read:/a/../b"], "no path");
    refused(&["--allow=*:read:/a//b"], "no path");
    refused(&["--allow=*:read://"], "no path");
    fs::write(home.path().join("users"), "ann:secret\n").unwrap();
    refused(&["--allow=user:ann:read:/"], "users:1: neither a bcrypt hash");
    fs::remove_file(home.path().join("users")).unwrap();
    refused(&["--allow=user:ann:read:/"], "No such file or directory (os error 2); --users wants");
}

/// Goal: what the recipes say works. Method: the two subcommands, then a server with what they printed.
#[test]
fn passwords_and_tokens_are_made_by_the_program_itself() {
    let home = Arc::new(tempfile::tempdir().unwrap());
    let run = |words: &[&str], input: &str| {
        let mut command = assert_cmd::Command::new(tests::binary());
        let output = command.args(words).write_stdin(input).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let line = run(&["password", "ann"], "U*U\n");
    assert!(line.starts_with("ann:$argon2id$"), "{line}");
    let lines = run(&["token", "device"], "");
    let token = lines.lines().next().unwrap().rsplit(' ').next().unwrap().to_owned();
    assert_eq!(token.len(), 64);
    let (users, tokens) = (home.path().join("u"), home.path().join("t"));
    fs::write(&users, line).unwrap();
    fs::write(&tokens, lines.lines().skip(1).collect::<String>()).unwrap();
    let (users, tokens) = (users.to_str().unwrap(), tokens.to_str().unwrap());
    let server =
        Server::start_in(Arc::clone(&home), &["--users", users, "--tokens", tokens, "--allow=*:create:/"]);
    check(&server, with(ANN, "PUT /files/a", "x"), "201 keep");
    check(&server, with(&format!("Authorization: Bearer {token}\r\n"), "PUT /files/b", "x"), "201 keep");
    check(&server, with(DEVICE, "PUT /files/c", "x"), "401 keep");
    eventually("both are there", || server.directory().join("b").exists());
    for (words, reason) in [(["password", "a:b"], "no name"), (["token", "a b"], "no name")] {
        let mut command = assert_cmd::Command::new(tests::binary());
        let output = command.args(words).write_stdin("x\n").output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&output.stderr).contains(reason), "{output:?}");
    }
}
