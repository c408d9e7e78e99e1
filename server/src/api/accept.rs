//! What a client prefers, by its `Accept`: RFC 9110 §12.5.1.

use crate::http::field::{list_elements, trim_white_space};

/// Whether `values` of `Accept` rate one of `those` higher than `usual`.
pub(super) fn prefers<'a>(values: impl Iterator<Item = &'a [u8]>, those: &[&str], usual: &str) -> bool {
    // Three are as many as are ever asked for.
    let mut rated = [Rating::default(); 3];
    let mut usually = Rating::default();
    for range in values.flat_map(list_elements) {
        let mut parts = range.split(|&byte| byte == b';').map(trim_white_space);
        let media_range = parts.next().unwrap_or_default();
        let weight = parts.find_map(weight).unwrap_or(WEIGHT_MAX);
        usually.take(media_range, usual.as_bytes(), weight);
        for (rating, media_type) in rated.iter_mut().zip(those) {
            rating.take(media_range, media_type.as_bytes(), weight);
        }
    }
    rated.iter().any(|rating| rating.weight > usually.weight)
}

/// The weight of one media type, by the range that is most specific about it.
#[derive(Clone, Copy, Debug, Default)]
struct Rating {
    specific: usize,
    weight: u16,
}

impl Rating {
    fn take(&mut self, range: &[u8], media_type: &[u8], weight: u16) {
        let main_type = media_type.split(|&byte| byte == b'/').next().unwrap_or_default();
        let any_of = range.strip_suffix(b"/*");
        let specific = if range.eq_ignore_ascii_case(media_type) {
            3
        } else if any_of.is_some_and(|any| any.eq_ignore_ascii_case(main_type)) {
            2
        } else if range == b"*/*" {
            1
        } else {
            return;
        };
        if specific > self.specific {
            *self = Rating { specific, weight };
        }
    }
}

/// RFC 9110 §12.4.2: thousandths.
const WEIGHT_MAX: u16 = 1000;

/// What `q=0.5` says; nothing where that is another parameter.
fn weight(parameter: &[u8]) -> Option<u16> {
    let (name, value) = parameter.split_at_checked(2)?;
    if !name.eq_ignore_ascii_case(b"q=") {
        return None;
    }
    let (whole, rest) = value.split_first()?;
    let fraction = match rest {
        [] => &[][..],
        [b'.', digits @ ..] if digits.len() <= 3 && digits.iter().all(u8::is_ascii_digit) => digits,
        // What is no weight wins nothing.
        _ => return Some(0),
    };
    let thousandths =
        (0..3).fold(0, |sum, at| sum * 10 + fraction.get(at).map_or(0, |digit| u16::from(digit - b'0')));
    match whole {
        b'0' => Some(thousandths),
        b'1' => Some(WEIGHT_MAX),
        _ => Some(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_rated_higher_is_preferred() {
        for (accept, json) in [
            (&[][..], false),
            (&["*/*"], false),
            (&["application/json"], true),
            (&["application/JSON"], true),
            (&["application/*"], true),
            (&["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"], false),
            (&["text/html;q=0.5, application/json;q=0.6"], true),
            (&["text/html;q=0.5, application/json;q=0.5"], false),
            (&["text/html;q=0.5", "application/json;Q=1"], true),
            (&["application/json;q=0, */*"], false),
            (&["text/html;q=0, */*"], true),
            (&["application/json;charset=utf-8;q=0.25, text/*;q=0.255"], false),
            (&["application/json;q=7"], false),
            (&["application/json;q=0.1234"], false),
            (&["image/png"], false),
            (&[";;,/;q", ""], false),
            // Thousandths count.
            (&["text/html;q=0.011, application/json;q=0.012"], true),
            (&["text/html;q=0.1, application/json;q=0.012"], false),
            (&["text/html;q=0.02, application/json;q=0.011"], false),
            (&["text/html;q=0.2, application/json;q=0.11"], false),
        ] {
            let values = accept.iter().map(|value| value.as_bytes());
            assert_eq!(prefers(values, &["application/json"], "text/html"), json, "{accept:?}");
        }
    }
}
