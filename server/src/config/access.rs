//! Who may do what, from the settings: rules, a file of users, a file of tokens.

use std::fmt;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::str::FromStr;

use super::UsageError;
use http_server::api::rights::{Party, Rights, Rule, Verbs};
use http_server::store::path::FilePath;
use http_server::users::{LineError, Passwords, SECRET_BYTES, Tokens, Users, digest_token, hash_password};

/// More rules than this would be a burden on each request.
const RULES_MAX: usize = 1000;
/// A file of users or tokens that is longer is another one.
const FILE_BYTES_MAX: u64 = 4 << 20;
/// Bytes of a password, at most.
const PASSWORD_BYTES_MAX: u64 = 512;

/// A rule as it is written: `WHO:VERBS:/path`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Grant {
    who: Named,
    may: Verbs,
    path: FilePath,
    text: String,
}

/// Who is meant, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Named {
    Anonymous,
    Known,
    User(String),
    Token(String),
}

impl FromStr for Grant {
    type Err = String;

    fn from_str(text: &str) -> Result<Grant, String> {
        let form = "not WHO:VERBS:/path such as anonymous:create:/inbox/ or user:ci:read,list:/";
        let (left, path) = text.split_at(text.find(":/").ok_or(form)?);
        let (who, verbs) = left.rsplit_once(':').ok_or(form)?;
        let who = match who.split_once(':') {
            None if who == "anonymous" => Named::Anonymous,
            None if who == "*" => Named::Known,
            Some(("user", name)) if !name.is_empty() => Named::User(name.to_owned()),
            Some(("token", name)) if !name.is_empty() => Named::Token(name.to_owned()),
            _ => return Err(format!("{who:?} is neither anonymous, user:NAME, token:NAME nor *")),
        };
        let mut may = Verbs::NONE;
        for name in verbs.split(',').map(str::trim) {
            let verb = Verbs::NAMES.iter().find(|(known, _)| *known == name);
            let (_, verb) = verb
                .ok_or_else(|| format!("{name:?} is none of read, list, create, replace, append, delete"))?;
            may = may.and(*verb);
        }
        // Not encoded: the names as they are.
        let names = &path[2..];
        let inner = names.strip_suffix('/').unwrap_or(names);
        let path = FilePath::of_names(inner.as_bytes(), names.ends_with('/'))
            .filter(|_| names != "/")
            .ok_or_else(|| format!("{:?} is no path of a file or directory", &path[1..]))?;
        Ok(Grant { who, may, path, text: text.to_owned() })
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// Who may do what: nothing where everybody may do everything.
pub(super) fn access(
    read_only: bool,
    grants: &[Grant],
    users: Option<&Path>,
    tokens: Option<&Path>,
) -> Result<(Option<Rights>, Option<Users>), UsageError> {
    if grants.is_empty() {
        let files = [("--users", users), ("--tokens", tokens)];
        if let Some((flag, _)) = files.iter().find(|(_, file)| file.is_some()) {
            let why = "without --allow everybody may do everything; say who may do what";
            return Err(UsageError(format!("{flag} has no effect: {why}")));
        }
        return Ok((read_only.then(|| Rights { read_only, ..Rights::default() }), None));
    }
    if grants.len() > RULES_MAX {
        return Err(UsageError(format!("more than {RULES_MAX} rules with --allow")));
    }
    let passwords = users.map(|path| parsed("--users", path, Passwords::parse)).transpose()?;
    let tokens = tokens.map(|path| parsed("--tokens", path, Tokens::parse)).transpose()?;
    let mut secret = [0; SECRET_BYTES];
    getrandom::fill(&mut secret).map_err(|error| UsageError(format!("no random numbers: {error}")))?;
    let users = Users::new(passwords, tokens, secret);
    let rules = grants.iter().map(|grant| rule(grant, &users)).collect::<Result<_, _>>()?;
    let rights = Rights { read_only, rules: Some(rules), schemes: users.schemes() };
    Ok((Some(rights), Some(users)))
}

fn rule(grant: &Grant, users: &Users) -> Result<Rule, UsageError> {
    let one = |found: Option<_>, what: &str, flag: &str| {
        let missing = || UsageError(format!("--allow {grant}: {what} is not in the file of {flag}"));
        found.map(Party::One).ok_or_else(missing)
    };
    let party = match &grant.who {
        Named::Anonymous => Party::Anonymous,
        Named::Known => Party::Known,
        Named::User(name) => one(users.user(name), &format!("user {name:?}"), "--users")?,
        Named::Token(name) => one(users.token(name), &format!("token {name:?}"), "--tokens")?,
    };
    Ok(Rule { party, path: grant.path.clone(), may: grant.may })
}

fn parsed<T>(flag: &str, path: &Path, parse: impl Fn(&str) -> Result<T, LineError>) -> Result<T, UsageError> {
    let shown = path.display();
    let failed = |error: std::io::Error| {
        UsageError(format!("{shown}: {error}; {flag} wants a file of text that the server may read"))
    };
    let file = fs::File::open(path).map_err(failed)?;
    let mut text = String::new();
    let length = file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(failed)?;
    if length as u64 > FILE_BYTES_MAX {
        return Err(UsageError(format!("{shown}: longer than 4 MiB")));
    }
    parse(&text).map_err(|error| UsageError(format!("{shown}:{}: {}", error.line, error.reason)))
}

/// A line for the file of users: `name`, and the hash of the first line of `input`.
pub(super) fn password_line(name: &str, input: impl Read) -> Result<String, UsageError> {
    let mut password = String::new();
    let read = input.take(PASSWORD_BYTES_MAX + 1).read_to_string(&mut password);
    read.map_err(|error| UsageError(format!("standard input: {error}")))?;
    let password = password.lines().next().unwrap_or_default();
    if password.is_empty() || password.len() as u64 > PASSWORD_BYTES_MAX {
        return Err(UsageError("a password is one line of standard input, of 512 bytes at most".to_owned()));
    }
    hash_password(name, password.as_bytes()).ok_or_else(|| not_a_name(name))
}

/// A new token, and a line for the file of tokens.
pub(super) fn token_lines(name: &str) -> Result<String, UsageError> {
    let mut random = [0_u8; 32];
    getrandom::fill(&mut random).map_err(|error| UsageError(format!("no random numbers: {error}")))?;
    let token: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let line = digest_token(name, &token).ok_or_else(|| not_a_name(name))?;
    Ok(format!("# For its owner, and nobody else: {token}\n{line}"))
}

fn not_a_name(name: &str) -> UsageError {
    UsageError(format!("{name:?} is no name: no white space, colon or control character"))
}
