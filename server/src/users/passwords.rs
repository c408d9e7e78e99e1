//! Names and hashes of passwords, as htpasswd(1) writes them: [`Passwords`].

use std::collections::BTreeMap;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, Params, PasswordHasher, PasswordVerifier};

use super::{LineError, entries};

/// The dearest hash that is taken: a guess may not take a minute, or the memory of the machine.
const BCRYPT_COST_MAX: u32 = 16;
const ARGON2_KIB_MAX: u32 = 1 << 20;
const ARGON2_PASSES_MAX: u32 = 64;
/// Whoever comes behind somebody whom nobody knows is to wait as long: a hash of nothing.
const NOBODY: &str = "$2b$10$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";

/// Names with the hashes of their passwords.
pub struct Passwords {
    /// By name: its number, its hash.
    users: BTreeMap<Box<[u8]>, (u32, Hash)>,
    nobody: Hash,
}

#[derive(Clone)]
enum Hash {
    Bcrypt(Box<str>),
    Argon2(Box<PasswordHash>),
}

impl Passwords {
    /// Reads `NAME:HASH` of each line; empty ones and those that begin with `#` say nothing.
    ///
    /// # Errors
    /// The first line that says something else, names somebody twice, or has another kind of hash.
    pub fn parse(text: &str) -> Result<Passwords, LineError> {
        let mut users = BTreeMap::new();
        let mut first = None;
        for entry in entries(text) {
            let (line, name, hash) = entry?;
            let hash = Hash::parse(hash).map_err(|reason| LineError { line, reason })?;
            first.get_or_insert_with(|| hash.clone());
            let number = u32::try_from(users.len()).unwrap_or(u32::MAX);
            if users.insert(name.as_bytes().into(), (number, hash)).is_some() {
                return Err(LineError { line, reason: "this name is there already" });
            }
        }
        Ok(Passwords { users, nobody: first.unwrap_or_else(|| Hash::Bcrypt(NOBODY.into())) })
    }

    pub(super) fn number(&self, name: &[u8]) -> Option<u32> {
        self.users.get(name).map(|(number, _)| *number)
    }

    /// The number of `name`, where this is its password. Takes as long where there is no such name.
    pub(super) fn verify(&self, name: &[u8], password: &[u8]) -> Option<u32> {
        match self.users.get(name) {
            Some((number, hash)) => hash.is_of(password).then_some(*number),
            None => {
                let _ = std::hint::black_box(self.nobody.is_of(password));
                None
            }
        }
    }
}

impl Hash {
    fn parse(text: &str) -> Result<Hash, &'static str> {
        if let Some(rest) = ["$2y$", "$2b$", "$2a$"].iter().find_map(|kind| text.strip_prefix(kind)) {
            let cost = rest.split('$').next().and_then(|cost| cost.parse().ok());
            let Some(0..=BCRYPT_COST_MAX) = cost else {
                return Err("a bcrypt hash of a cost beyond 16");
            };
            return match text.parse::<bcrypt::HashParts>() {
                Ok(_) => Ok(Hash::Bcrypt(text.into())),
                Err(_) => Err("no bcrypt hash"),
            };
        }
        if !text.starts_with("$argon2") {
            return Err("neither a bcrypt hash (htpasswd -B) nor an argon2 one (http_server password)");
        }
        let hash = PasswordHash::new(text).map_err(|_| "no argon2 hash")?;
        let params = Params::try_from(&hash).map_err(|_| "no argon2 hash")?;
        if params.m_cost() > ARGON2_KIB_MAX || params.t_cost() > ARGON2_PASSES_MAX {
            return Err("an argon2 hash that takes more than 1 GiB or 64 passes");
        }
        if hash.hash.is_none() || hash.salt.is_none() {
            return Err("no argon2 hash");
        }
        Ok(Hash::Argon2(Box::new(hash)))
    }

    /// Compared in constant time, by either library.
    fn is_of(&self, password: &[u8]) -> bool {
        match self {
            Hash::Bcrypt(hash) => bcrypt::verify(password, hash).unwrap_or(false),
            Hash::Argon2(hash) => Argon2::default().verify_password(password, &**hash).is_ok(),
        }
    }
}

/// A line of a file for a new password, with argon2id; nothing where the system has no random numbers.
pub fn hash_password(name: &str, password: &[u8]) -> Option<String> {
    if !super::is_name(name) || name.contains(':') {
        return None;
    }
    let hash = Argon2::default().hash_password(password).ok()?;
    Some(format!("{name}:{hash}\n"))
}
