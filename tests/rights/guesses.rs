//! Wrong credentials, and what they cost whoever has them, and nobody else.

use tests::{check, request};

use super::{ANN, BOB, DEVICE, ask, put, start, with};

#[test]
fn wrong_credentials_are_refused_even_where_nobody_needs_any() {
    let server = start(&["anonymous:read:/", "*:create:/"], &[]);
    put(&server, "a", "content");
    check(&server, request("GET /files/a", ""), "200 keep");
    for fields in [ANN, BOB, DEVICE, "aUTHORIZATION:\tbASIC  YW5uOlUqVQ==\t\r\n"] {
        check(&server, with(fields, "GET /files/a", ""), "200 keep");
    }
    for fields in [
        "Authorization:\r\n",
        "Authorization: Basic\r\n",
        "Authorization: Basic YW5uOlUqVg==\r\n",
        "Authorization: Basic YW5u\r\n",
        "Authorization: Basic !\r\n",
        "Authorization: Bearer abd\r\n",
        "Authorization: Bearer \r\n",
        "Authorization: Digest username=\"ann\"\r\n",
        "Authorization: Basic YW5uOlUqVQ==, Bearer abc\r\n",
        &format!("{ANN}{ANN}"),
        &format!("{ANN}{DEVICE}"),
    ] {
        let answer = check(&server, with(fields, "GET /files/a", ""), "401 keep");
        assert!(answer.field("www-authenticate").is_some(), "{fields}");
    }
    // They are of no account where there is nothing to be allowed.
    check(&server, with("Authorization: Basic !\r\n", "GET /echo/a", ""), "200 keep");
    check(&server, with("Authorization: Basic !\r\n", "GET /files/..", ""), "400 keep");
}

#[test]
fn who_guesses_has_to_wait_and_others_do_not() {
    let server = start(&["*:read:/"], &[]);
    put(&server, "a", "content");
    let known = |fields: &str| check(&server, with(fields, "GET /files/a", ""), "200 keep").text().to_owned();
    assert_eq!(known(ANN), "content");
    let wrong = "Authorization: Basic YW5uOndyb25n\r\n";
    let mut client = server.connect();
    // The fourth and later waits are longer than any pause of this test.
    let answers: Vec<_> = (0..400).map(|_| ask(&mut client, wrong, "GET /files/a", "")).collect();
    let refused = answers.iter().filter(|answer| answer.status == 401).count();
    assert!((5..20).contains(&refused), "{refused} guesses were looked at");
    assert!(answers[..5].iter().all(|answer| answer.status == 401));
    let last = answers.last().unwrap();
    assert_eq!(last.status, 429);
    assert!(last.field("retry-after").unwrap().parse::<u64>().unwrap() > 0, "{last:?}");
    // What was verified before is still believed; others are looked at; anonymous requests are as ever.
    assert_eq!(
        (known(ANN), known(BOB), known(DEVICE)),
        ("content".into(), "content".into(), "content".into())
    );
    check(&server, request("GET /files/a", ""), "401 keep");
    // Content is read past as ever, and the connection stays.
    assert_eq!(ask(&mut client, wrong, "PUT /files/b", "content").status, 429);
    client.expect_alive();
}

/// Goal: an event loop never hashes. Method: one event loop, and a hash that takes long; what another
/// client asks meanwhile is answered first, as the log has it.
#[test]
fn nobody_waits_for_the_password_of_another() {
    let server = start(&["*:read:/"], &["--threads", "1"]);
    let dear = "$argon2id$v=19$m=65536,t=40,p=1$c2FsdHNhbHRzYWx0$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let users = server.outside("dear");
    std::fs::write(&users, format!("ann:{dear}\n")).unwrap();
    let server =
        tests::Server::start(&["--threads=1", "--users", users.to_str().unwrap(), "--allow=*:read:/"]);
    let mut slow = server.connect();
    slow.send([with(ANN, "GET /files/a", ""), request("GET /echo/behind", "")].concat());
    let mut others = 0;
    for _ in 0..20 {
        check(&server, request("GET /echo/a", ""), "200 keep");
        others += 1;
    }
    assert_eq!(others, 20);
    // Behind it, in order.
    assert_eq!((slow.answer("GET").status, slow.answer("GET").text()), (401, "behind"));
    let log = server.stop();
    let at = |what: &str| log.lines().position(|line| line.contains(what));
    assert!(at("/echo/a ") < at("/files/a "), "{log}");
    assert!(log.contains("/echo/a "), "{log}");
}
