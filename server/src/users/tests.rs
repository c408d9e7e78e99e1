//! Users and tokens from their files, and what guesses come to.

use super::*;
use crate::shared::attempts::{FREE, WAIT_SECONDS_MAX};
use crate::shared::verified::KEPT_SECONDS;

/// A hash that takes no time: the password is `U*U`, a test vector of crypt_blowfish.
const BCRYPT: &str = "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
const HERE: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));
const THERE: Option<IpAddr> = Some(IpAddr::V6(std::net::Ipv6Addr::LOCALHOST));

fn basic(user: &str, password: &str) -> Credentials {
    Credentials::Basic { user: user.as_bytes().into(), password: password.as_bytes().into() }
}

fn bearer(token: &str) -> Credentials {
    Credentials::Bearer(token.as_bytes().into())
}

fn users() -> Users {
    let passwords = Passwords::parse(&format!("# users\n\nann:{BCRYPT}\nbob:{BCRYPT}\n"));
    let tokens = digest_token("device", "secret").unwrap() + &digest_token("other", "more").unwrap();
    Users::new(passwords.ok(), Tokens::parse(&tokens).ok(), [7; SECRET_BYTES])
}

#[test]
fn everybody_is_known_by_its_own_credentials_only() {
    let users = users();
    let verify = |credentials: &Credentials| users.verify(credentials, HERE, 0);
    assert_eq!((users.user("ann"), users.user("bob")), (Some(Who::User(0)), Some(Who::User(1))));
    assert_eq!((users.token("other"), users.token("ann")), (Some(Who::Token(1)), None));
    assert_eq!(verify(&basic("bob", "U*U")), Verdict::Known(Who::User(1)));
    for (user, password) in [("bob", "U*V"), ("bob", ""), ("eve", "U*U"), ("", ""), ("Bob", "U*U")] {
        assert_eq!(verify(&basic(user, password)), Verdict::Unknown, "{user} {password}");
    }
    assert_eq!(verify(&bearer("more")), Verdict::Known(Who::Token(1)));
    for token in ["", "mor", "More", "more "] {
        assert_eq!(verify(&bearer(token)), Verdict::Unknown, "{token}");
    }
}

#[test]
fn what_was_verified_is_believed_for_a_while() {
    let users = users();
    let right = basic("ann", "U*U");
    assert_eq!(users.check(&right, HERE, 100), None);
    assert_eq!(users.verify(&right, HERE, 100), Verdict::Known(Who::User(0)));
    assert_eq!(users.check(&right, THERE, 100 + KEPT_SECONDS - 1), Some(Verdict::Known(Who::User(0))));
    assert_eq!(users.check(&right, HERE, 100 + KEPT_SECONDS), None);
    assert_eq!(users.check(&basic("ann", "U*V"), HERE, 100), None);
    assert_eq!(users.check(&basic("bob", "U*U"), HERE, 100), None);
    // A token is looked up at once.
    assert_eq!(users.check(&bearer("secret"), HERE, 0), Some(Verdict::Known(Who::Token(0))));
}

#[test]
fn who_guesses_waits_and_nobody_else_does() {
    let users = users();
    let wrong = basic("ann", "guess");
    for _ in 0..FREE {
        assert_eq!(users.verify(&wrong, HERE, 100), Verdict::Unknown);
    }
    assert_eq!(users.verify(&wrong, HERE, 100), Verdict::TooMany(1));
    assert_eq!(users.check(&wrong, HERE, 100), Some(Verdict::TooMany(1)));
    // Not even the right one is looked at; but of others, and from elsewhere.
    assert_eq!(users.verify(&basic("ann", "U*U"), HERE, 100), Verdict::TooMany(1));
    assert_eq!(users.verify(&basic("bob", "U*U"), HERE, 100), Verdict::Known(Who::User(1)));
    assert_eq!(users.verify(&basic("ann", "U*U"), THERE, 100), Verdict::Known(Who::User(0)));
    // What was verified needs no guess.
    assert_eq!(users.verify(&basic("ann", "U*U"), HERE, 100), Verdict::Known(Who::User(0)));
    // Names that nobody has are guessed no faster.
    for _ in 0..FREE {
        assert_eq!(users.verify(&basic("eve", "guess"), HERE, 100), Verdict::Unknown);
    }
    assert_eq!(users.verify(&basic("eve", "guess"), HERE, 100), Verdict::TooMany(1));
    let later = 100 + WAIT_SECONDS_MAX;
    assert_eq!(users.verify(&wrong, HERE, later), Verdict::Unknown);
    assert_eq!(users.verify(&wrong, HERE, later), Verdict::TooMany(2));
}

#[test]
fn files_are_read_line_by_line_and_refused_with_the_line() {
    let of_users = |text: &str| Passwords::parse(text).err().map(|error| (error.line, error.reason));
    let of_tokens = |text: &str| Tokens::parse(text).err().map(|error| (error.line, error.reason));
    let check = |found: Option<(usize, &str)>, line: usize, reason: &str| {
        assert!(found.is_some_and(|found| found.0 == line && found.1.contains(reason)), "{found:?} {reason}");
    };
    assert_eq!(of_users(""), None);
    assert_eq!(of_users(&format!(" # none\r\n\r\nann:{BCRYPT}\r\n")), None);
    let argon2 = hash_password("ann", b"open sesame").unwrap();
    assert_eq!(of_users(&argon2), None);
    let argon2 = Users::new(Passwords::parse(&argon2).ok(), None, [0; SECRET_BYTES]);
    assert_eq!(argon2.verify(&basic("ann", "open sesame"), HERE, 0), Verdict::Known(Who::User(0)));
    assert_eq!(argon2.verify(&basic("ann", "open"), HERE, 0), Verdict::Unknown);
    check(of_users(&format!("\nann:{BCRYPT}\nann:{BCRYPT}\n")), 3, "there already");
    check(of_users("ann"), 1, "NAME:HASH");
    check(of_users(":x"), 1, "NAME:HASH");
    check(of_users("a b:x"), 1, "NAME:HASH");
    check(of_users("ann:secret"), 1, "neither");
    check(of_users("ann:$apr1$x$y"), 1, "htpasswd -B");
    check(of_users("ann:{SHA}x"), 1, "htpasswd -B");
    check(of_users(&format!("ann:{}", BCRYPT.replace("$05$", "$17$"))), 1, "cost");
    check(of_users(&format!("ann:{}", &BCRYPT[..59])), 1, "no bcrypt");
    check(of_users("ann:$argon2id$v=19$m=1,t=1"), 1, "argon2");
    check(of_users("ann:$argon2id$v=19$m=8,t=1,p=1"), 1, "argon2");
    let dear = "ann:$argon2id$v=19$m=2000000,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    check(of_users(dear), 1, "1 GiB");
    let digest = "0".repeat(64);
    assert_eq!(of_tokens(&format!("a:{digest}")), None);
    check(of_tokens(&format!("a:{digest}\na:{}", "1".repeat(64))), 2, "name");
    check(of_tokens(&format!("a:{digest}\nb:{digest}")), 2, "token");
    check(of_tokens(&format!("a:{}", &digest[1..])), 1, "64");
    check(of_tokens(&format!("a:{}g", &digest[1..])), 1, "64");
    check(of_tokens(&format!("{}b:x", "#\n".repeat(LINES_MAX))), LINES_MAX + 1, "10000");
    assert_eq!((hash_password("a:b", b"x"), digest_token("a b", "x")), (None, None));
}

#[test]
fn nothing_secret_is_shown() {
    assert_eq!(format!("{:?} {:?}", users(), basic("ann", "secret")), "Users { .. } Basic");
}
