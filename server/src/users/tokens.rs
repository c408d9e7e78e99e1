//! Names and digests of tokens: [`Tokens`].
//!
//! A token is a random number of 256 bits that nobody can guess, so a plain digest is enough, and there
//! is nothing to slow down.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

use super::{LineError, entries};
use crate::shared::verified::Digest;

/// Tokens by their digests.
pub struct Tokens {
    digests: Vec<Digest>,
    /// By the first bytes of the digest of a digest, which nobody can steer: those that have them.
    places: BTreeMap<[u8; 8], Vec<u32>>,
    names: BTreeMap<Box<str>, u32>,
}

impl Tokens {
    /// Reads `NAME:DIGEST` of each line, the digest being SHA-256 in hexadecimal; empty ones and those
    /// that begin with `#` say nothing.
    ///
    /// # Errors
    /// The first line that says something else, or names something twice.
    pub fn parse(text: &str) -> Result<Tokens, LineError> {
        let mut tokens = Tokens { digests: Vec::new(), places: BTreeMap::new(), names: BTreeMap::new() };
        for entry in entries(text) {
            let (line, name, digest) = entry?;
            let refused = |reason| LineError { line, reason };
            let digest = hexadecimal(digest)
                .ok_or(refused("no SHA-256 digest of 64 hexadecimal digits (http_server token)"))?;
            let number = u32::try_from(tokens.digests.len()).unwrap_or(u32::MAX);
            if tokens.names.insert(name.into(), number).is_some() {
                return Err(refused("this name is there already"));
            }
            if tokens.number_of(&digest).is_some() {
                return Err(refused("this token is there already"));
            }
            tokens.places.entry(place(&digest)).or_default().push(number);
            tokens.digests.push(digest);
        }
        Ok(tokens)
    }

    pub(super) fn number(&self, name: &str) -> Option<u32> {
        self.names.get(name).copied()
    }

    /// The number of `token`. What is searched for is a digest of a digest, and what is found is compared
    /// in constant time, so the time it takes tells nothing that helps to find a token.
    pub(super) fn find(&self, token: &[u8]) -> Option<u32> {
        self.number_of(&Sha256::digest(token).into())
    }

    fn number_of(&self, digest: &Digest) -> Option<u32> {
        let mut candidates = self.places.get(&place(digest))?.iter().copied();
        candidates.find(|&number| bool::from(self.digests[number as usize].ct_eq(digest)))
    }
}

fn place(digest: &Digest) -> [u8; 8] {
    let again: Digest = Sha256::digest(digest).into();
    let mut place = [0; 8];
    place.copy_from_slice(&again[..8]);
    place
}

fn hexadecimal(text: &str) -> Option<Digest> {
    let mut digest = [0; 32];
    let digits: Option<Vec<u8>> =
        text.chars().map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let digits = digits.filter(|digits| digits.len() == 64)?;
    for (byte, pair) in digest.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = pair[0] << 4 | pair[1];
    }
    Some(digest)
}

/// A line of a file for `token`; nothing where that cannot be its name.
pub fn digest_token(name: &str, token: &str) -> Option<String> {
    if !super::is_name(name) || name.contains(':') {
        return None;
    }
    let digest: Digest = Sha256::digest(token).into();
    let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    Some(format!("{name}:{digits}\n"))
}
