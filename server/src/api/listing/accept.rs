//! Which form of a listing a client prefers, by its `Accept`: RFC 9110 §12.5.1.

use super::Form;
use crate::http::field::{list_elements, trim_white_space};

/// The form that `values` of `Accept` rate higher; HTML where they rate both alike, or neither.
pub(super) fn preferred<'a>(values: impl Iterator<Item = &'a [u8]>) -> Form {
    let (mut html, mut json) = (Rating::default(), Rating::default());
    for range in values.flat_map(list_elements) {
        let mut parts = range.split(|&byte| byte == b';').map(trim_white_space);
        let media_range = parts.next().unwrap_or_default();
        let weight = parts.find_map(weight).unwrap_or(WEIGHT_MAX);
        html.take(media_range, b"text/html", weight);
        json.take(media_range, b"application/json", weight);
    }
    if json.weight > html.weight { Form::Json } else { Form::Html }
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
    fn the_form_is_the_one_that_is_rated_higher() {
        for (accept, form) in [
            (&[][..], Form::Html),
            (&["*/*"], Form::Html),
            (&["application/json"], Form::Json),
            (&["application/JSON"], Form::Json),
            (&["application/*"], Form::Json),
            (&["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"], Form::Html),
            (&["text/html;q=0.5, application/json;q=0.6"], Form::Json),
            (&["text/html;q=0.5, application/json;q=0.5"], Form::Html),
            (&["text/html;q=0.5", "application/json;Q=1"], Form::Json),
            (&["application/json;q=0, */*"], Form::Html),
            (&["text/html;q=0, */*"], Form::Json),
            (&["application/json;charset=utf-8;q=0.25, text/*;q=0.255"], Form::Html),
            (&["application/json;q=7"], Form::Html),
            (&["application/json;q=0.1234"], Form::Html),
            (&["image/png"], Form::Html),
            (&[";;,/;q", ""], Form::Html),
        ] {
            assert_eq!(preferred(accept.iter().map(|value| value.as_bytes())), form, "{accept:?}");
        }
    }
}
