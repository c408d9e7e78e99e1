//! Field values: lists, hosts and numbers, RFC 9110 §5.6 and §7.2.

/// The elements of a comma-separated list, without white space around them; empty ones do not
/// count (RFC 9110 §5.6.1).
///
/// A comma in a quoted string splits it too: no field that is read here has an element with one,
/// and the worst that such a piece can be taken for is a reason to refuse or to close.
pub fn list_elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(trim_white_space).filter(|element| !element.is_empty())
}

/// Without the spaces and tabs around it, RFC 9110 §5.6.3.
pub fn trim_white_space(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// One or more digits as a number; nothing where it is anything else or too large.
pub fn decimal(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0_u64, |number, byte| {
        let digit = (*byte as char).to_digit(10)?;
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// Whether `value` is `uri-host [ ":" port ]`, RFC 9110 §7.2, and can be the authority of an
/// `http` URI: its host is not empty (RFC 9110 §4.2.1), its port, if it has one, is one of TCP.
pub fn is_host_and_port(value: &[u8]) -> bool {
    host_and_port(value).is_some_and(|(host, port)| {
        !host.is_empty() && port.is_none_or(|port| port.is_empty() || is_port(port))
    })
}

/// Whether `port` is a number of 16 bits.
pub fn is_port(port: &[u8]) -> bool {
    decimal(port).is_some_and(|port| u16::try_from(port).is_ok())
}

/// The host and the port of `uri-host [ ":" port ]`, RFC 3986 §3.2.
pub fn host_and_port(value: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let host_length = if value.first() == Some(&b'[') {
        memchr::memchr(b']', value)? + 1
    } else {
        // It is short, and each byte of it is looked at anyway.
        registered_name_length(value)
    };
    let (host, rest) = value.split_at(host_length);
    let port = match rest {
        [] => None,
        [b':', port @ ..] if port.iter().all(u8::is_ascii_digit) => Some(port),
        _ => return None,
    };
    let valid = match host {
        [b'[', literal @ .., b']'] => is_address_literal(literal),
        _ => true,
    };
    valid.then_some((host, port))
}

/// RFC 3986 §3.2.2: what stands between brackets, an IPv6 address or one of a version to come.
fn is_address_literal(literal: &[u8]) -> bool {
    if let [b'v' | b'V', future @ ..] = literal {
        let Some(dot) = memchr::memchr(b'.', future) else {
            return false;
        };
        let (version, address) = (&future[..dot], &future[dot + 1..]);
        return !version.is_empty()
            && version.iter().all(u8::is_ascii_hexdigit)
            && !address.is_empty()
            && address.iter().all(|&byte| byte == b':' || is_unreserved_or_sub_delimiter(byte));
    }
    str::from_utf8(literal).is_ok_and(|text| text.parse::<std::net::Ipv6Addr>().is_ok())
}

/// RFC 3986 §3.2.2: how much of `value` is a registered name or an IPv4 address, which has the same
/// characters.
fn registered_name_length(value: &[u8]) -> usize {
    let plain = |rest: &[u8]| rest.iter().position(|byte| !is_unreserved_or_sub_delimiter(*byte));
    let mut rest = value;
    loop {
        let Some(length) = plain(rest) else { return value.len() };
        rest = match &rest[length..] {
            [b'%', high, low, rest @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => rest,
            other => return value.len() - other.len(),
        }
    }
}

/// RFC 3986 §2.2 and §2.3.
fn is_unreserved_or_sub_delimiter(byte: u8) -> bool {
    const TABLE: [bool; 256] = alphanumeric_and(b"-._~!$&'()*+,;=");
    TABLE[usize::from(byte)]
}

/// For each byte whether it is a letter, a digit, or one of these: one look where many bytes are asked for.
pub(super) const fn alphanumeric_and(others: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        table[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let mut other = 0;
    while other < others.len() {
        table[others[other] as usize] = true;
        other += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_split_and_empty_elements_do_not_count() {
        let elements: Vec<_> = list_elements(b" close,, \tkeep-alive\t,").collect();
        assert_eq!(elements, [&b"close"[..], b"keep-alive"]);
        assert_eq!(list_elements(b" , ,").count(), 0);
    }

    #[test]
    fn numbers_are_digits_only_and_do_not_overflow() {
        assert_eq!(decimal(b"0"), Some(0));
        assert_eq!(decimal(b"007"), Some(7));
        assert_eq!(decimal(b"18446744073709551615"), Some(u64::MAX));
        for refused in ["", "18446744073709551616", "+1", "-1", "1 ", " 1", "0x1", "1,1", "1_0", "\u{661}"] {
            assert_eq!(decimal(refused.as_bytes()), None, "{refused:?}");
        }
    }

    #[test]
    fn a_port_is_digits_behind_a_colon() {
        assert_eq!(host_and_port(b"h"), Some((&b"h"[..], None)));
        assert_eq!(host_and_port(b"h:"), Some((&b"h"[..], Some(&b""[..]))));
        assert_eq!(host_and_port(b"[::1]:080"), Some((&b"[::1]"[..], Some(&b"080"[..]))));
        for malformed in [&b"h:x"[..], b"h:8x", b"h: 8", b"[::1]x", b"[::1]x:8"] {
            assert_eq!(host_and_port(malformed), None);
        }
    }

    #[test]
    fn hosts_follow_the_grammar() {
        for valid in [
            "localhost",
            "localhost:4221",
            "a.b-c_d~e",
            "127.0.0.1:80",
            "h:65535",
            "[::1]",
            "[::1]:80",
            "h:",
            "%41b",
            "a,b;c=d",
            "[v1.a:b]",
            "[::ffff:1.2.3.4]",
        ] {
            assert!(is_host_and_port(valid.as_bytes()), "{valid:?}");
        }
        for malformed in [
            "",
            ":",
            ":80",
            "h:65536",
            "h:99999999999999999999",
            "a b",
            "a/b",
            "user@host",
            "h:80x",
            "h:-1",
            "h:1:2",
            "[::1",
            "::1",
            "[]",
            "[::g]",
            "[::1]x",
            "%4",
            "%zz",
            "h\"",
            "[v.a]",
            "[v1.]",
            "[vg.a]",
            "a#b",
            "a?b",
            "\u{e9}",
            "[fe80::1%25eth0]",
        ] {
            assert!(!is_host_and_port(malformed.as_bytes()), "{malformed:?}");
        }
    }
}
