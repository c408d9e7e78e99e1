//! How many connections each address has open: [`AddressCounts`], shared by all event loops.
//!
//! Property: no address ever has more than the bound, and what is remembered is no more than what
//! is open. Touched when a connection comes and when it goes, never by a request.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::lock;
use crate::seeded::bug;
use crate::sync::Mutex;

/// A count for each address that has a connection.
///
/// A tree and not a hash table: peers choose their addresses, and a tree gives its memory back.
#[derive(Debug)]
pub struct AddressCounts {
    counts: Mutex<BTreeMap<Holder, usize>>,
    max: usize,
}

/// Whom an address is given to: one IPv4 address, or an IPv6 network of 64 bits, within which a
/// host may take any address that it likes (RFC 4291 §2.5.1, RFC 8981).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Holder {
    Version4(u32),
    Version6(u64),
}

impl Holder {
    fn of(address: IpAddr) -> Holder {
        // A socket for both versions names IPv4 peers `::ffff:a.b.c.d`.
        match address.to_canonical() {
            IpAddr::V4(address) => Holder::Version4(address.to_bits()),
            IpAddr::V6(address) => Holder::Version6((address.to_bits() >> 64) as u64),
        }
    }
}

impl AddressCounts {
    /// None yet, `max` at most for each address.
    pub fn new(max: usize) -> AddressCounts {
        AddressCounts { counts: Mutex::new(BTreeMap::new()), max }
    }

    /// One more from `address`, where that is allowed. Whoever is let in has to
    /// [`AddressCounts::leave`].
    #[must_use]
    pub fn try_enter(&self, address: IpAddr) -> bool {
        let mut counts = lock(&self.counts);
        let holder = Holder::of(address);
        let before = counts.get(&holder).map_or(0, |&count| count);
        if before >= self.max {
            return false;
        }
        if bug("address_is_looked_at_first") {
            drop(counts);
            counts = lock(&self.counts);
        }
        counts.insert(holder, before + 1);
        true
    }

    /// One less from `address`.
    pub fn leave(&self, address: IpAddr) {
        let mut counts = lock(&self.counts);
        let holder = Holder::of(address);
        let before = counts.get(&holder).map_or(0, |&count| count);
        debug_assert!(before > 0, "whoever leaves was let in");
        if before > 1 {
            counts.insert(holder, before - 1);
        } else {
            counts.remove(&holder);
        }
    }

    /// How many addresses are remembered.
    pub fn remembered(&self) -> usize {
        lock(&self.counts).len()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[expect(clippy::unwrap_used, reason = "a helper of tests fails the test that it helps")]
    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn bound_is_exact_for_each_address() {
        let counts = AddressCounts::new(2);
        let [one, other] = ["192.0.2.1", "192.0.2.2"].map(address);
        assert_eq!([one, one, one].map(|address| counts.try_enter(address)), [true, true, false]);
        assert!(counts.try_enter(other));
        counts.leave(one);
        assert_eq!([one, one, other].map(|address| counts.try_enter(address)), [true, false, true]);
    }

    #[test]
    fn nothing_is_remembered_of_who_has_left_or_was_refused() {
        let counts = AddressCounts::new(2);
        for number in 0..1000_u32 {
            let address = IpAddr::V4(number.into());
            assert_eq!([(); 3].map(|()| counts.try_enter(address)), [true, true, false]);
            assert_eq!(counts.remembered(), 1);
            counts.leave(address);
            assert_eq!(counts.remembered(), 1);
            counts.leave(address);
            assert_eq!(counts.remembered(), 0);
        }
        let closed = AddressCounts::new(0);
        assert!(!closed.try_enter(address("192.0.2.1")));
        assert_eq!(closed.remembered(), 0);
    }

    #[test]
    fn addresses_of_one_holder_share_a_count() {
        for (one, other, same) in [
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("192.0.2.1", "::ffff:192.0.2.2", false),
            ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
            ("2001:db8::1", "2001:db9::1", false),
            // Equal in the bits that are looked at, but not in version.
            ("0.0.0.0", "::1", false),
        ] {
            let counts = AddressCounts::new(1);
            assert!(counts.try_enter(address(one)));
            assert_eq!(counts.try_enter(address(other)), !same, "{one} {other}");
        }
    }
}
