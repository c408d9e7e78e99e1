//! Who a client says it is: the field `Authorization`, RFC 9110 §11.6.2.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Bytes of a credential, at most: what is to be hashed is bounded apart from the head.
pub const CREDENTIALS_BYTES_MAX: usize = 1024;

/// What a client offers to prove who it is. Not shown in any log.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// RFC 7617: a user's name and password.
    Basic {
        /// The name; it has no colon.
        user: Box<[u8]>,
        /// The password, as it was sent: UTF-8 for whoever obeys the challenge.
        password: Box<[u8]>,
    },
    /// RFC 6750 §2.1: whoever has the token may use it.
    Bearer(Box<[u8]>),
}

impl Credentials {
    /// Reads the field's value; nothing where it is neither of the two, or too long.
    pub fn read(value: &[u8]) -> Option<Credentials> {
        let at = memchr::memchr(b' ', value)?;
        let (scheme, rest) = (&value[..at], value[at..].trim_ascii_start());
        if rest.len() > CREDENTIALS_BYTES_MAX || !is_token68(rest) {
            return None;
        }
        // RFC 9110 §11.1: the scheme's name has no case.
        if scheme.eq_ignore_ascii_case(b"bearer") {
            return Some(Credentials::Bearer(rest.into()));
        }
        if !scheme.eq_ignore_ascii_case(b"basic") {
            return None;
        }
        let decoded = STANDARD.decode(rest).ok()?;
        // RFC 7617 §2: a password may have colons, a name none, and neither control characters.
        let colon = memchr::memchr(b':', &decoded)?;
        if decoded.iter().any(u8::is_ascii_control) {
            return None;
        }
        Some(Credentials::Basic { user: decoded[..colon].into(), password: decoded[colon + 1..].into() })
    }
}

/// RFC 9110 §11.2.
fn is_token68(value: &[u8]) -> bool {
    let padding = value.iter().rev().take_while(|byte| **byte == b'=').count();
    let body = &value[..value.len() - padding];
    !body.is_empty() && body.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(byte))
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Credentials::Basic { .. } => "Basic",
            Credentials::Bearer(_) => "Bearer",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(user: &str, password: &str) -> Option<Credentials> {
        Some(Credentials::Basic { user: user.as_bytes().into(), password: password.as_bytes().into() })
    }

    #[test]
    fn names_passwords_and_tokens_are_read() {
        // The examples of RFC 7617 §2 and §2.1, and of RFC 6750 §2.1.
        assert_eq!(Credentials::read(b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), basic("Aladdin", "open sesame"));
        assert_eq!(Credentials::read(b"bASIC dGVzdDoxMjPCow=="), basic("test", "123\u{a3}"));
        assert_eq!(Credentials::read(b"Basic   YTpiOmM="), basic("a", "b:c"));
        assert_eq!(Credentials::read(b"Basic Og=="), basic("", ""));
        let token = Credentials::Bearer(b"mF_9.B5f-4.1JqM".as_slice().into());
        assert_eq!(Credentials::read(b"Bearer mF_9.B5f-4.1JqM"), Some(token.clone()));
        assert_eq!(format!("{token:?} {:?}", basic("a", "b")), "Bearer Some(Basic)");
    }

    #[test]
    fn what_is_no_credential_is_none() {
        let long = [b"Bearer ".as_slice(), &[b'a'; CREDENTIALS_BYTES_MAX]].concat();
        assert!(Credentials::read(&long).is_some());
        for refused in [
            &b""[..],
            b"Basic",
            b"Basic ",
            b"Bearer ",
            b"Bearer =",
            b"Bearer a b",
            b"Bearer a=b",
            b"Bearer a,b",
            b"Bearer \xc3\xa4",
            b"Digest YTpi",
            b"BasicYTpi",
            // No colon; a control character; no base 64.
            b"Basic YQ==",
            b"Basic YToK",
            b"Basic YTp",
            b"Basic YT-i",
            &[&long[..], b"a"].concat(),
        ] {
            assert_eq!(Credentials::read(refused), None, "{}", refused.escape_ascii());
        }
    }
}
