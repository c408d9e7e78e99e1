//! The words of a listing's target behind its `?`, read and written.

use super::{Form, Malformed};
use crate::api::link;
use crate::limits::Limits;
use crate::store::listing::{Order, Place, View};
use crate::store::path::percent_decode;

/// What a query says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) view: View,
    pub(super) form: Option<Form>,
    /// Whoever asks wants to say who it is first.
    pub(super) sign_in: bool,
}

const SIGN_IN: &[u8] = b"sign-in";

/// Reads a query. Words that say nothing about listings are ignored.
pub(super) fn read(query: &[u8], limits: &Limits) -> Result<Words, Malformed> {
    let mut view = View {
        order: Order::Name,
        descending: false,
        after: Place::Beginning,
        entries_max: limits.listing_entries_max,
        sorted_max: limits.listing_sorted_max,
    };
    let (mut form, mut name, mut value, mut position) = (None, None, None, None);
    let mut sign_in = false;
    for word in query.split(|&byte| byte == b'&') {
        let equals = memchr::memchr(b'=', word).unwrap_or(word.len());
        let given = word.get(equals + 1..).unwrap_or_default();
        match &word[..equals] {
            b"sort" => {
                let known = ORDERS.iter().find(|(known, _)| known.as_bytes() == given);
                view.order = known.ok_or(Malformed("sort is name, size or modified"))?.1;
            }
            b"order" => {
                view.descending = match given {
                    b"asc" => false,
                    b"desc" => true,
                    _ => return Err(Malformed("order is asc or desc")),
                }
            }
            b"format" => {
                form = match given {
                    b"html" => Some(Form::Html),
                    b"json" => Some(Form::Json),
                    _ => return Err(Malformed("format is html or json")),
                }
            }
            b"limit" => {
                let limit =
                    number(given).and_then(|limit| usize::try_from(limit).ok()).filter(|max| *max > 0);
                let limit = limit.ok_or(Malformed("limit is a number of entries"))?;
                view.entries_max = limit.min(limits.listing_entries_max);
            }
            b"after" => {
                let mut decoded = Vec::new();
                percent_decode(given, &mut decoded)
                    .map_err(|_| Malformed("after has a % without two hexadecimal digits"))?;
                name = Some(decoded);
            }
            b"value" => value = Some(number(given).ok_or(Malformed("value is a number"))?),
            b"at" => {
                position = Some(
                    number(given).filter(|at| *at >= 0).ok_or(Malformed("at is a place in a directory"))?,
                );
            }
            SIGN_IN => sign_in = true,
            _ => {}
        }
    }
    view.after = match (name, position) {
        (Some(_), Some(_)) => return Err(Malformed("after and at name two places")),
        (Some(name), None) => Place::Entry { name, value },
        (None, Some(position)) => Place::Position(position),
        (None, None) => Place::Beginning,
    };
    Ok(Words { view, form, sign_in })
}

/// Writes a query that reads the same, with its `?`; the rest of the target is the directory's.
pub(super) fn write(view: &View, form: Option<Form>) -> String {
    let mut words = vec![format!("limit={}", view.entries_max)];
    if let Some((name, _)) =
        ORDERS.iter().find(|(_, order)| *order == view.order && view.order != Order::Name)
    {
        words.push(format!("sort={name}"));
    }
    if view.descending {
        words.push("order=desc".to_owned());
    }
    match form {
        Some(Form::Html) => words.push("format=html".to_owned()),
        Some(Form::Json) => words.push("format=json".to_owned()),
        None => {}
    }
    match &view.after {
        Place::Beginning => {}
        Place::Entry { name, value } => {
            words.push(format!("after={}", link::encoded(name)));
            words.extend(value.map(|value| format!("value={value}")));
        }
        Place::Position(position) => words.push(format!("at={position}")),
    }
    format!("?{}", words.join("&"))
}

/// The same query, from somebody who wants to say who it is.
pub(super) fn signing_in(query: &str) -> String {
    format!("{query}&{}", SIGN_IN.escape_ascii())
}

/// The orders, each with its word.
pub(super) const ORDERS: [(&str, Order); 3] =
    [("name", Order::Name), ("size", Order::Size), ("modified", Order::Modified)];

fn number(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let valid = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    str::from_utf8(text).ok().filter(|_| valid)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn limits() -> Limits {
        Limits { listing_entries_max: 100, ..Limits::default() }
    }

    fn places() -> impl Strategy<Value = Place> {
        prop_oneof![
            Just(Place::Beginning),
            (any::<Vec<u8>>(), any::<Option<i64>>()).prop_map(|(name, value)| Place::Entry { name, value }),
            (0..i64::MAX).prop_map(Place::Position),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: Some(Box::new(proptest::test_runner::FileFailurePersistence::SourceParallel(
                "../proptest-regressions/server",
            ))),
            ..ProptestConfig::default()
        })]

        #[test]
        fn what_is_written_reads_the_same(
            order in 0..3_usize,
            descending: bool,
            after in places(),
            entries_max in 1..=100_usize,
            form in 0..3_usize,
        ) {
            let sorted_max = limits().listing_sorted_max;
            let view = View { order: ORDERS[order].1, descending, after, entries_max, sorted_max };
            let form = [None, Some(Form::Html), Some(Form::Json)][form];
            let query = write(&view, form);
            prop_assert!(query.bytes().all(|byte| byte.is_ascii_graphic() && !b"#\"'<>".contains(&byte)));
            let mut words = Words { view, form, sign_in: false };
            prop_assert_eq!(&read(&query.as_bytes()[1..], &limits()), &Ok(words.clone()));
            words.sign_in = true;
            prop_assert_eq!(read(&signing_in(&query).as_bytes()[1..], &limits()), Ok(words));
        }
    }

    #[test]
    fn words_with_values_that_mean_nothing_are_refused() {
        for query in [
            "sort=",
            "sort=Name",
            "order=down",
            "format=xml",
            "limit=0",
            "limit=-1",
            "limit=x",
            "limit=",
            "limit=99999999999999999999",
            "after=%4",
            "value=",
            "value=1.5",
            "at=-1",
            "at=",
            "after=a&at=1",
        ] {
            assert!(read(query.as_bytes(), &limits()).is_err(), "{query}");
        }
        for query in ["", "sorted=x", "a&b=&=c&", "LIMIT=0", "limits"] {
            let Words { view, form, .. } = read(query.as_bytes(), &limits()).unwrap();
            assert_eq!((view.entries_max, view.after, form), (100, Place::Beginning, None), "{query}");
        }
        assert_eq!(read(b"limit=7", &limits()).unwrap().view.entries_max, 7);
        assert_eq!(read(b"limit=101", &limits()).unwrap().view.entries_max, 100);
    }
}
