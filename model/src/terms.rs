//! What requests demand, random and as text and as fields: the terms of the alphabet.

use proptest::prelude::*;

use crate::reference::{Date, Terms, Versions};

/// Terms, most of which demand nothing. Versions are among the first that a sequence makes.
pub fn terms() -> impl Strategy<Value = Terms> {
    let one = || {
        let versions = || {
            prop_oneof![
                1 => Just(Versions::Any),
                3 => prop::collection::vec(1_u64..8, 1..4).prop_map(Versions::Of),
            ]
        };
        let date = || prop_oneof![Just(Date::Past), Just(Date::Future)];
        // Mostly within what there is, so that both ends of a part are seen.
        let number =
            || prop::option::weighted(0.7, prop_oneof![6 => 0_u64..20, 2 => 0_u64..60, 1 => Just(u64::MAX)]);
        let range = (number(), number())
            .prop_filter("a range has an end", |(first, last)| first.is_some() || last.is_some());
        prop_oneof![
            2 => versions().prop_map(|versions| Terms { if_match: Some(versions), ..Terms::default() }),
            2 => versions().prop_map(|versions| Terms { if_none_match: Some(versions), ..Terms::default() }),
            2 => date().prop_map(|date| Terms { if_unmodified_since: Some(date), ..Terms::default() }),
            2 => date().prop_map(|date| Terms { if_modified_since: Some(date), ..Terms::default() }),
            2 => (0_u64..60).prop_map(|offset| Terms { upload_offset: Some(offset), ..Terms::default() }),
            6 => (range, prop::option::weighted(0.3, 1_u64..8)).prop_map(|(range, if_range)| Terms {
                range: Some(range),
                if_range,
                ..Terms::default()
            }),
        ]
    };
    let both = |(one, other): (Terms, Terms)| Terms {
        if_match: one.if_match.or(other.if_match),
        if_none_match: one.if_none_match.or(other.if_none_match),
        if_unmodified_since: one.if_unmodified_since.or(other.if_unmodified_since),
        if_modified_since: one.if_modified_since.or(other.if_modified_since),
        upload_offset: one.upload_offset.or(other.upload_offset),
        range: one.range.or(other.range),
        if_range: one.if_range.or(other.if_range),
    };
    prop_oneof![5 => Just(Terms::default()), 4 => one(), 1 => (one(), one()).prop_map(both)]
}

impl Terms {
    /// The field lines of a request with these terms, with the tags that `tag` has for versions.
    pub fn fields(&self, tag: impl Fn(u64) -> String) -> String {
        let mut fields = String::new();
        let mut add = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                fields.push_str(&format!("{name}: {value}\r\n"));
            }
        };
        let versions = |versions: &Option<Versions>| {
            versions.as_ref().map(|versions| match versions {
                Versions::Any => "*".to_owned(),
                Versions::Of(versions) => {
                    versions.iter().map(|version| tag(*version)).collect::<Vec<_>>().join(", ")
                }
            })
        };
        let date = |date: Option<Date>| {
            date.map(|date| match date {
                // In the form of asctime, which means the same in every year (RFC 9110 §5.6.7).
                Date::Past => "Thu Jan  1 00:00:00 1970".to_owned(),
                Date::Future => "Fri, 31 Dec 9999 23:59:59 GMT".to_owned(),
            })
        };
        add("If-Match", versions(&self.if_match));
        add("If-None-Match", versions(&self.if_none_match));
        add("If-Unmodified-Since", date(self.if_unmodified_since));
        add("If-Modified-Since", date(self.if_modified_since));
        add("Upload-Offset", self.upload_offset.map(|offset| offset.to_string()));
        add("Range", self.range.map(|range| format!("bytes={}", range_text(range))));
        add("If-Range", self.if_range.map(&tag));
        fields
    }

    /// Gives the versions that are named other numbers.
    pub fn rename(&mut self, number: impl Fn(u64) -> u64) {
        let named = [&mut self.if_match, &mut self.if_none_match].into_iter().flatten();
        let listed = named.flat_map(|versions| match versions {
            Versions::Any => &mut [][..],
            Versions::Of(versions) => versions,
        });
        listed.chain(&mut self.if_range).for_each(|version| *version = number(*version));
    }

    /// Every version that is named.
    pub fn versions(&self) -> Vec<u64> {
        let named = [&self.if_match, &self.if_none_match].into_iter().flatten();
        let listed = named.flat_map(|versions| match versions {
            Versions::Any => &[][..],
            Versions::Of(versions) => versions,
        });
        listed.copied().chain(self.if_range).collect()
    }
}

/// The terms as text, a word each.
pub fn words(terms: &Terms) -> Vec<String> {
    let mut words = Vec::new();
    let mut add = |name: &str, value: Option<String>| {
        words.extend(value.map(|value| format!("{name}={value}")));
    };
    let versions = |versions: &Option<Versions>| {
        versions.as_ref().map(|versions| match versions {
            Versions::Any => "*".to_owned(),
            Versions::Of(versions) => versions.iter().map(u64::to_string).collect::<Vec<_>>().join(","),
        })
    };
    let date = |date: Option<Date>| {
        date.map(|date| if date == Date::Past { "past".to_owned() } else { "future".to_owned() })
    };
    add("if-match", versions(&terms.if_match));
    add("if-none-match", versions(&terms.if_none_match));
    add("if-unmodified-since", date(terms.if_unmodified_since));
    add("if-modified-since", date(terms.if_modified_since));
    add("upload-offset", terms.upload_offset.map(|offset| offset.to_string()));
    add("range", terms.range.map(range_text));
    add("if-range", terms.if_range.map(|version| version.to_string()));
    words
}

/// Adds what a word of [`words`] says; nothing where it is none.
pub fn read_term(word: &str, terms: &mut Terms) -> Option<()> {
    let (name, value) = word.split_once('=')?;
    let number = || value.parse::<u64>().ok();
    let date = || match value {
        "past" => Some(Date::Past),
        "future" => Some(Date::Future),
        _ => None,
    };
    let versions = || match value {
        "*" => Some(Versions::Any),
        list => Some(Versions::Of(list.split(',').map(|one| one.parse().ok()).collect::<Option<_>>()?)),
    };
    let end = |text: &str| if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) };
    match name {
        "if-match" => terms.if_match = Some(versions()?),
        "if-none-match" => terms.if_none_match = Some(versions()?),
        "if-unmodified-since" => terms.if_unmodified_since = Some(date()?),
        "if-modified-since" => terms.if_modified_since = Some(date()?),
        "upload-offset" => terms.upload_offset = Some(number()?),
        "range" => {
            let (first, last) = value.split_once('-')?;
            terms.range = Some((end(first)?, end(last)?));
        }
        "if-range" => terms.if_range = Some(number()?),
        _ => return None,
    }
    Some(())
}

fn range_text((first, last): (Option<u64>, Option<u64>)) -> String {
    let end = |end: Option<u64>| end.map_or(String::new(), |end| end.to_string());
    format!("{}-{}", end(first), end(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Terms {
        Terms {
            if_match: Some(Versions::Of(vec![1, 2])),
            if_none_match: Some(Versions::Of(vec![3])),
            if_unmodified_since: Some(Date::Future),
            if_modified_since: Some(Date::Past),
            upload_offset: Some(5),
            range: Some((None, Some(6))),
            if_range: Some(4),
        }
    }

    #[test]
    fn each_term_has_its_field() {
        let fields = all().fields(|version| format!("\"v{version}\""));
        let expected = [
            "If-Match: \"v1\", \"v2\"",
            "If-None-Match: \"v3\"",
            "If-Unmodified-Since: Fri, 31 Dec 9999 23:59:59 GMT",
            "If-Modified-Since: Thu Jan  1 00:00:00 1970",
            "Upload-Offset: 5",
            "Range: bytes=-6",
            "If-Range: \"v4\"",
            "",
        ];
        assert_eq!(fields.split("\r\n").collect::<Vec<_>>(), expected);
        let any = Terms { if_match: Some(Versions::Any), ..Terms::default() };
        assert_eq!(any.fields(|_| String::new()), "If-Match: *\r\n");
    }

    #[test]
    fn every_version_that_is_named_can_be_named_otherwise() {
        let mut terms = all();
        assert_eq!(terms.versions(), [1, 2, 3, 4]);
        terms.rename(|version| version * 10);
        assert_eq!(terms.versions(), [10, 20, 30, 40]);
        let mut any = Terms { if_match: Some(Versions::Any), ..Terms::default() };
        any.rename(|_| 1);
        assert_eq!((any.versions(), any.if_match), (vec![], Some(Versions::Any)));
    }

    #[test]
    fn random_ranges_have_an_end() {
        use proptest::strategy::ValueTree;
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        for _ in 0..2000 {
            let range = terms().new_tree(&mut runner).unwrap().current().range;
            assert_ne!(range, Some((None, None)));
        }
    }
}
