//! Users and tokens, and whether credentials are theirs: [`Users`].
//!
//! A token takes a digest, which an event loop makes itself; a password takes a tenth of a second of a
//! CPU, on purpose, and so a thread of its own ([`Users::verify`]), a place in a line that is bounded, and
//! after a few wrong ones a wait. What was verified is believed for a while ([`Users::check`]).

mod passwords;
mod tokens;

use std::fmt;
use std::net::IpAddr;

use sha2::{Digest as _, Sha256};

use crate::api::rights::{Schemes, Verdict, Who};
use crate::http::credentials::Credentials;
use crate::shared::attempts::Attempts;
use crate::shared::verified::{Digest, Verified};
pub use passwords::{Passwords, hash_password};
pub use tokens::{Tokens, digest_token};

/// Lines of a file, at most.
pub const LINES_MAX: usize = 10_000;
/// Bytes of the secret.
pub const SECRET_BYTES: usize = 32;

/// Everybody who can say who it is.
pub struct Users {
    passwords: Option<Passwords>,
    tokens: Option<Tokens>,
    /// Of this process alone, so that nobody can choose what falls into one place of a table.
    secret: [u8; SECRET_BYTES],
    verified: Verified,
    attempts: Attempts,
}

/// A line of a file that cannot be obeyed.
#[derive(Debug, PartialEq, Eq)]
pub struct LineError {
    /// Which, from 1.
    pub line: usize,
    /// Why.
    pub reason: &'static str,
}

impl Users {
    /// Those of the two files, as far as there are any.
    pub fn new(passwords: Option<Passwords>, tokens: Option<Tokens>, secret: [u8; SECRET_BYTES]) -> Users {
        let (verified, attempts) = (Verified::new(), Attempts::new());
        Users { passwords, tokens, secret, verified, attempts }
    }

    /// How they can say who they are.
    pub fn schemes(&self) -> Schemes {
        Schemes { basic: self.passwords.is_some(), bearer: self.tokens.is_some() }
    }

    /// The user of this name.
    pub fn user(&self, name: &str) -> Option<Who> {
        self.passwords.as_ref()?.number(name.as_bytes()).map(Who::User)
    }

    /// The token of this name.
    pub fn token(&self, name: &str) -> Option<Who> {
        self.tokens.as_ref()?.number(name).map(Who::Token)
    }

    /// Whose `credentials` are, where that takes no while; a peer by a local socket has no `address`, and
    /// `now` is in seconds.
    pub fn check(&self, credentials: &Credentials, address: Option<IpAddr>, now: u64) -> Option<Verdict> {
        match credentials {
            Credentials::Bearer(token) => {
                let number = self.tokens.as_ref().and_then(|tokens| tokens.find(token));
                Some(number.map_or(Verdict::Unknown, |number| Verdict::Known(Who::Token(number))))
            }
            Credentials::Basic { user, password } => {
                if let Some(number) = self.verified.find(&self.digest(user, password), now) {
                    return Some(Verdict::Known(Who::User(number)));
                }
                match self.attempts.wait(self.guesser(user, address), now) {
                    0 => None,
                    seconds => Some(Verdict::TooMany(seconds)),
                }
            }
        }
    }

    /// The same where it takes a while. Who guesses names is looked at no less closely than who knows
    /// one, so that the time it takes tells neither apart.
    pub fn verify(&self, credentials: &Credentials, address: Option<IpAddr>, now: u64) -> Verdict {
        // Another thread may just have been through with the same.
        if let Some(verdict) = self.check(credentials, address, now) {
            return verdict;
        }
        let (Credentials::Basic { user, password }, Some(passwords)) = (credentials, &self.passwords) else {
            return Verdict::Unknown;
        };
        let guesser = self.guesser(user, address);
        if let Err(seconds) = self.attempts.begin(guesser, now) {
            return Verdict::TooMany(seconds);
        }
        match passwords.verify(user, password) {
            Some(number) => {
                self.attempts.succeeded(guesser);
                self.verified.keep(&self.digest(user, password), number, now);
                Verdict::Known(Who::User(number))
            }
            None => Verdict::Unknown,
        }
    }

    /// Of credentials, so that they themselves are not kept.
    fn digest(&self, user: &[u8], password: &[u8]) -> Digest {
        // A name has no colon.
        self.keyed(&[b"password ", user, b":", password])
    }

    /// Who is held responsible: whoever asks from one address for one name. By the address alone,
    /// everybody behind a proxy would pay for one of them; by the name alone, its owner for strangers.
    fn guesser(&self, user: &[u8], address: Option<IpAddr>) -> u64 {
        let digest = match address.map(|address| address.to_canonical()) {
            Some(IpAddr::V4(address)) => self.keyed(&[b"guess 4", &address.octets(), user]),
            // A host may take any address of its network (RFC 4291 §2.5.1).
            Some(IpAddr::V6(address)) => self.keyed(&[b"guess 6", &address.octets()[..8], user]),
            // By a local socket.
            None => self.keyed(&[b"guess 0", user]),
        };
        digest.iter().take(8).fold(0, |key, byte| key << 8 | u64::from(*byte))
    }

    fn keyed(&self, parts: &[&[u8]]) -> Digest {
        let mut hash = Sha256::new();
        hash.update(self.secret);
        for part in parts {
            hash.update(part);
        }
        hash.finalize().into()
    }
}

impl fmt::Debug for Users {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Users").finish_non_exhaustive()
    }
}

/// The lines of a file that say something, each with its number and its parts around the first colon.
fn entries(text: &str) -> impl Iterator<Item = Result<(usize, &str, &str), LineError>> {
    text.lines().enumerate().map(|(at, line)| (at + 1, line.trim())).filter_map(|(line, text)| {
        if text.is_empty() || text.starts_with('#') {
            return None;
        }
        if line > LINES_MAX {
            return Some(Err(LineError { line, reason: "more than 10000 lines" }));
        }
        let parts = text.split_once(':').filter(|(name, _)| is_name(name));
        let reason = "no line `NAME:HASH`, where a name has no white space, colon or control character";
        Some(parts.map(|(name, rest)| (line, name, rest)).ok_or(LineError { line, reason }))
    })
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|character| character.is_control() || character.is_whitespace())
}

#[cfg(test)]
mod tests;
