//! Who may do what, decided in one place: [`Rights::judge`], on the path that the store would open and
//! before it is asked. What depends on what stands there becomes part of the operation, which looks in
//! the same step as its effect.

use std::fmt;

use super::listing::{Asked, Offers};
use super::reply::{self, About, Reply};
use super::route::{ALLOW_READ, Action, READ_OPTIONS, Reading};
use crate::http::credentials::Credentials;
use crate::http::request::Request;
use crate::http::status::Status;
use crate::seeded::bug;
use crate::store::condition::{Condition, Only};
use crate::store::operation::{Intent, Mode};
use crate::store::path::FilePath;

/// What a server lets be done, and by whom. Where there is none, everybody may do everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// Nobody may change anything.
    pub read_only: bool,
    /// What is allowed, all of them together; without any list, everything is.
    pub rules: Option<Vec<Rule>>,
    /// How clients can say who they are.
    pub schemes: Schemes,
}

/// Somebody may do something with a path and all below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Who.
    pub party: Party,
    /// Where. With a slash at its end, the directory and what is in it, but nothing else of that name.
    pub path: FilePath,
    /// What.
    pub may: Verbs,
}

/// Whom a rule is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Party {
    /// Everybody, also who does not say who it is.
    Anonymous,
    /// Every user and every token.
    Known,
    /// This one.
    One(Who),
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Nobody said.
    Anonymous,
    /// The user of this number.
    User(u32),
    /// Whoever has the token of this number.
    Token(u32),
}

/// How clients can say who they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Schemes {
    /// By a name and a password, RFC 7617.
    pub basic: bool,
    /// By a token, RFC 6750.
    pub bearer: bool,
}

/// What a request says of who asks.
#[derive(Debug, PartialEq, Eq)]
pub enum Claim {
    /// Nothing, or it is of no account.
    Nothing,
    /// That it has these.
    Credentials(Credentials),
    /// Something that nobody here can be known by.
    Unreadable,
}

/// What credentials turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Those of this one.
    Known(Who),
    /// Nobody's.
    Unknown,
    /// Wrong so often that nobody looks at them before so many seconds have passed.
    TooMany(u64),
    /// Too many are being looked at.
    Busy,
}

/// What can be done with a path, a bit each.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Verbs(u8);

impl Verbs {
    /// Nothing.
    pub const NONE: Verbs = Verbs(0);
    /// Read files.
    pub const READ: Verbs = Verbs(1);
    /// List directories.
    pub const LIST: Verbs = Verbs(2);
    /// Make files that are not there.
    pub const CREATE: Verbs = Verbs(4);
    /// Put other content in the place of a file's.
    pub const REPLACE: Verbs = Verbs(8);
    /// Put content behind a file's.
    pub const APPEND: Verbs = Verbs(16);
    /// Remove files and empty directories.
    pub const DELETE: Verbs = Verbs(32);
    /// Each by its name.
    pub const NAMES: [(&str, Verbs); 6] = [
        ("read", Verbs::READ),
        ("list", Verbs::LIST),
        ("create", Verbs::CREATE),
        ("replace", Verbs::REPLACE),
        ("append", Verbs::APPEND),
        ("delete", Verbs::DELETE),
    ];

    /// These and those.
    #[must_use]
    pub const fn and(self, others: Verbs) -> Verbs {
        Verbs(self.0 | others.0)
    }

    /// Whether one of `others` is among them.
    pub const fn has(self, others: Verbs) -> bool {
        self.0 & others.0 != 0
    }
}

impl fmt::Debug for Verbs {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Verbs::NAMES.iter().filter(|(_, verb)| self.has(*verb)).map(|(name, _)| name);
        formatter.debug_set().entries(names).finish()
    }
}

impl Rule {
    fn is_for(&self, who: Who) -> bool {
        match self.party {
            // Whoever says who it is may do no less than before.
            Party::Anonymous => true,
            Party::Known => who != Who::Anonymous,
            Party::One(one) => who == one,
        }
    }

    /// Whole names are compared, so that `/logs` says nothing of `/logs-private`.
    fn covers(&self, path: &FilePath) -> bool {
        let Some(below) = path.as_bytes().strip_prefix(self.path.as_bytes()) else { return false };
        if self.path.is_base_directory() || bug("rights_of_a_part_of_a_name") {
            return true;
        }
        match below {
            [] => path.names_directory() || !self.path.names_directory(),
            [first, ..] => *first == b'/',
        }
    }
}

impl Rights {
    /// What `who` may do with `path`.
    pub fn verbs(&self, who: Who, path: &FilePath) -> Verbs {
        let Some(rules) = &self.rules else { return Verbs(u8::MAX) };
        let mine = rules.iter().filter(|rule| rule.is_for(who) && rule.covers(path));
        mine.fold(Verbs::NONE, |verbs, rule| verbs.and(rule.may))
    }

    /// What `request` says of who asks for `action`, where that is of account.
    pub fn claim(&self, request: &Request<'_>, action: &Action<'_>) -> Claim {
        let schemes = self.schemes;
        let decided = match action {
            Action::Reply(_) | Action::Options(None) => true,
            Action::Upload(_) | Action::Delete(..) => self.read_only,
            Action::Read(_) | Action::List(_) | Action::Options(Some(_)) => false,
        };
        if decided || self.rules.is_none() || schemes == Schemes::default() {
            return Claim::Nothing;
        }
        let mut values = request.values("authorization");
        match (values.next().map(Credentials::read), values.next()) {
            (None, _) => Claim::Nothing,
            (Some(Some(credentials @ Credentials::Basic { .. })), None) if schemes.basic => {
                Claim::Credentials(credentials)
            }
            (Some(Some(credentials @ Credentials::Bearer(_))), None) if schemes.bearer => {
                Claim::Credentials(credentials)
            }
            // Of two, somebody before us may have taken the other one.
            _ => Claim::Unreadable,
        }
    }

    /// What is to be done instead of `action` when `who` asks, or that.
    pub fn judge<'a>(&self, who: Who, action: Action<'a>) -> Action<'a> {
        match action {
            // RFC 9110 §15.5.6: 405 where the resource has no such method, for nobody; 403 would say that
            // somebody else may.
            Action::Upload(_) | Action::Delete(..) if self.read_only => Reply {
                fields: ALLOW_READ,
                ..reply::refusal(Status::METHOD_NOT_ALLOWED, "read-only", "this server is for reading only")
            }
            .into(),
            Action::Options(None) if self.read_only => reply::options(ALLOW_READ).into(),
            Action::Options(Some(_)) if self.read_only && self.rules.is_none() => {
                reply::options(READ_OPTIONS).into()
            }
            Action::Options(Some(path)) if self.rules.is_some() => self.options(who, &path).into(),
            Action::List(asked) => {
                self.list(who, asked).map_or_else(|| self.refusal(who).into(), Action::List)
            }
            Action::Read(mut reading) => {
                // An index stands for its directory: who may not read it may list that, and the other way
                // round.
                let otherwise = reading.otherwise.take().and_then(|asked| self.list(who, asked));
                if self.verbs(who, &reading.path).has(Verbs::READ) {
                    return Action::Read(Reading { otherwise, ..reading });
                }
                otherwise.map_or_else(|| self.refusal(who).into(), Action::List)
            }
            Action::Delete(path, condition) if self.verbs(who, &path).has(Verbs::DELETE) => {
                Action::Delete(path, condition)
            }
            Action::Delete(..) => self.refusal(who).into(),
            Action::Upload(intent) => match upload(self.verbs(who, &intent.path), intent.mode) {
                Some(only) => Action::Upload(restricted(intent, only)),
                None => self.refusal(who).into(),
            },
            action @ (Action::Reply(_) | Action::Options(_)) => action,
        }
    }

    /// What is asked of a directory, where `who` may list it, with what `who` may do with all that is in it:
    /// a rule for the directory covers each entry, and those for single ones are left out.
    fn list(&self, who: Who, mut asked: Box<Asked>) -> Option<Box<Asked>> {
        let verbs = self.verbs(who, asked.path());
        let can_sign_in = who == Who::Anonymous && self.rules.is_some() && self.schemes.basic;
        if !verbs.has(Verbs::LIST) || can_sign_in && asked.wants_to_sign_in() {
            return None;
        }
        let may = |verb| !self.read_only && verbs.has(verb);
        asked.offering(Offers {
            create: may(Verbs::CREATE),
            // Nothing is replaced unseen.
            replace: may(Verbs::REPLACE) && verbs.has(Verbs::READ),
            delete: may(Verbs::DELETE),
            sign_in: can_sign_in,
        });
        Some(asked)
    }

    /// What credentials lead to that are not somebody's.
    pub fn refuse(&self, verdict: Verdict) -> Reply<'static> {
        match verdict {
            Verdict::Known(who) => self.refusal(who),
            Verdict::Unknown => self.unknown(),
            // RFC 6585 §4.
            Verdict::TooMany(seconds) => Reply {
                about: About::RetryAfter(seconds),
                ..reply::refusal(
                    Status::TOO_MANY_REQUESTS,
                    "too-many-wrong",
                    "too many wrong passwords, come back later",
                )
            },
            Verdict::Busy => reply::refusal(
                Status::SERVICE_UNAVAILABLE,
                "busy",
                "too many passwords to look at, come back later",
            ),
        }
    }

    fn unknown(&self) -> Reply<'static> {
        let reason = "nobody has these credentials";
        Reply { fields: self.challenges(true), ..reply::refusal(Status::UNAUTHORIZED, "credentials", reason) }
    }

    /// The same whatever stands there. Who has not said who it is may do so, where that can be.
    fn refusal(&self, who: Who) -> Reply<'static> {
        if who != Who::Anonymous || self.schemes == Schemes::default() {
            return reply::refusal(Status::FORBIDDEN, "not-allowed", "whoever asks may not do this here");
        }
        let reason = "this takes a user's name and password, or a token";
        Reply {
            fields: self.challenges(false),
            ..reply::refusal(Status::UNAUTHORIZED, "unauthorized", reason)
        }
    }

    /// RFC 9110 §11.6.1, one for each scheme. RFC 6750 §3.1: of a token that was sent, that it is wrong.
    fn challenges(&self, wrong: bool) -> &'static [(&'static str, &'static str)] {
        const BASIC: (&str, &str) = ("WWW-Authenticate", "Basic realm=\"http_server\", charset=\"UTF-8\"");
        const BEARER: (&str, &str) = ("WWW-Authenticate", "Bearer realm=\"http_server\"");
        const WRONG: (&str, &str) =
            ("WWW-Authenticate", "Bearer realm=\"http_server\", error=\"invalid_token\"");
        match (self.schemes.basic, self.schemes.bearer, wrong) {
            (true, false, _) => &[BASIC],
            (true, true, false) => &[BASIC, BEARER],
            (true, true, true) => &[BASIC, WRONG],
            (false, true, true) => &[WRONG],
            (false, _, _) => &[BEARER],
        }
    }

    /// What `who` may do with `path`, whatever stands there. RFC 9110 §10.2.1: of this moment, and so of
    /// this client.
    fn options(&self, who: Who, path: &FilePath) -> Reply<'static> {
        let verbs = self.verbs(who, path);
        let read = if path.names_directory() { Verbs::LIST } else { Verbs::READ };
        let writes = !self.read_only;
        let methods = [
            ("GET, HEAD, ", verbs.has(read)),
            ("POST, ", writes && verbs.has(Verbs::CREATE)),
            ("PUT, ", writes && upload(verbs, Mode::Replace).is_some()),
            ("PATCH, ", writes && upload(verbs, Mode::Append).is_some()),
            ("DELETE, ", writes && verbs.has(Verbs::DELETE)),
            ("OPTIONS", true),
        ];
        let allow = methods.iter().filter(|(_, may)| *may).map(|(name, _)| *name).collect();
        let (ranges, patch) = (methods[0].1, methods[3].1);
        Reply { about: About::Methods { allow, ranges, patch }, ..reply::options(&[]) }
    }
}

/// What an upload is restricted to; nothing where it may not be tried at all.
fn upload(may: Verbs, mode: Mode) -> Option<Option<Only>> {
    let changes = match mode {
        // Whoever creates changes nothing that is there, and is told so in its own words.
        Mode::Create => return may.has(Verbs::CREATE).then_some(None),
        Mode::Replace => may.has(Verbs::REPLACE),
        Mode::Append => may.has(Verbs::APPEND),
    };
    match (may.has(Verbs::CREATE), changes) {
        (true, true) => Some(None),
        (true, false) if bug("creator_may_replace") => Some(None),
        (true, false) => Some(Some(Only::New)),
        (false, true) => Some(Some(Only::Existing)),
        (false, false) => None,
    }
}

fn restricted(intent: Intent, only: Option<Only>) -> Intent {
    let Some(only) = only else { return intent };
    let condition = intent.condition.unwrap_or_default();
    Intent { condition: Some(Box::new(Condition { only: Some(only), ..*condition })), ..intent }
}

#[cfg(test)]
mod tests;
