//! Whose credentials were verified a moment ago: [`Verified`], so that a client that stays does not
//! pay for its password each time.
//!
//! Property: what is found was kept under the same digest, and less than [`KEPT_SECONDS`] ago.

use subtle::ConstantTimeEq;

use super::lock;
use crate::seeded::bug;
use crate::sync::Mutex;

/// How long nobody looks again, in seconds.
pub const KEPT_SECONDS: u64 = 300;
const PLACES: usize = if cfg!(loom) { 1 } else { 1024 };

/// A digest of credentials that nobody can make who does not know the server's secret.
pub type Digest = [u8; 32];

/// A table of fixed size; who comes takes the place of who was there.
#[derive(Debug)]
pub struct Verified(Mutex<Box<[Option<Entry>]>>);

#[derive(Clone, Copy, Debug)]
struct Entry {
    digest: Digest,
    number: u32,
    since: u64,
}

impl Verified {
    /// Nobody.
    pub fn new() -> Verified {
        Verified(Mutex::new(vec![None; PLACES].into()))
    }

    /// The number that was kept under `digest`; `now` is in seconds.
    pub fn find(&self, digest: &Digest, now: u64) -> Option<u32> {
        let entry = lock(&self.0)[place(digest)]?;
        let same = bool::from(entry.digest.ct_eq(digest)) || bug("verified_by_place_alone");
        (same && now < entry.since + KEPT_SECONDS).then_some(entry.number)
    }

    /// Keeps `number` under `digest`.
    pub fn keep(&self, digest: &Digest, number: u32, now: u64) {
        lock(&self.0)[place(digest)] = Some(Entry { digest: *digest, number, since: now });
    }
}

impl Default for Verified {
    fn default() -> Verified {
        Verified::new()
    }
}

fn place(digest: &Digest) -> usize {
    usize::from(u16::from_le_bytes([digest[0], digest[1]])) % PLACES
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_was_kept_under_the_same_digest_and_not_long_ago() {
        let verified = Verified::new();
        let (one, other) = ([1; 32], [[1; 16], [2; 16]].concat());
        let other: Digest = other.try_into().unwrap_or_default();
        verified.keep(&one, 7, 100);
        assert_eq!(verified.find(&one, 100 + KEPT_SECONDS - 1), Some(7));
        assert_eq!(verified.find(&one, 100 + KEPT_SECONDS), None);
        assert_eq!(verified.find(&other, 100), None);
        verified.keep(&other, 8, 100);
        assert_eq!((verified.find(&one, 100), verified.find(&other, 100)), (None, Some(8)));
    }
}
