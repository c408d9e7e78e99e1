//! What a request demands of the version that is there: [`Condition`], judged in the same step as
//! its effect.

use super::version::Version;
use crate::seeded::bug;

/// What has to be so for an operation to take effect. What is not demanded is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    /// One of these is there.
    pub matches: Option<Versions>,
    /// What is there has not changed since this second of Unix time. Of no account with `matches`.
    pub unmodified_since: Option<i64>,
    /// None of these is there.
    pub differs: Option<Versions>,
    /// What is there has changed since this second; asked by readers only. Of no account with
    /// `differs`.
    pub modified_since: Option<i64>,
    /// It is so many bytes long, for which nothing there counts as none; looked at last, and by
    /// whoever appends only.
    pub length: Option<u64>,
    /// Whether it is there, for whoever may do no more; looked at first, and by uploads only.
    pub only: Option<Only>,
}

/// All that an upload may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Only {
    /// Make a file where nothing is.
    New,
    /// Change a file that is there.
    Existing,
}

/// A choice of versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Versions {
    /// Whatever there is.
    Any,
    /// These; those that no file here can have are left out.
    Of(Vec<Version>),
}

/// What is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum There {
    /// Nothing.
    Nothing,
    /// A directory, which has no version.
    Directory,
    /// A file.
    File(Version),
}

/// How a condition turned out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The operation may go on.
    Holds,
    /// It must not.
    Fails,
    /// It need not: whoever reads has this version already.
    NotModified,
}

impl Condition {
    /// Whether an upload is permitted, with or without a file there.
    pub fn permits(&self, there: bool) -> bool {
        match self.only {
            None => true,
            Some(Only::New) => !there,
            Some(Only::Existing) => there,
        }
    }

    /// Judges what is there, in the order of RFC 9110 §13.2.2; `length` and `only` apart.
    pub fn judge(&self, there: There, reads: bool) -> Verdict {
        let modified = match there {
            There::File(version) => Some(version.modified_seconds()),
            // RFC 9110 §13.1.4: ignored where no modification date is to be had.
            There::Nothing | There::Directory => None,
        };
        let dated = bug("date_outranks_tag") && self.unmodified_since.is_some();
        let unmodified = match (self.matches.as_ref().filter(|_| !dated), self.unmodified_since) {
            (Some(versions), _) => versions.include(there),
            (None, Some(second)) => modified.is_none_or(|modified| modified <= second),
            (None, None) => true,
        };
        if !unmodified {
            return Verdict::Fails;
        }
        let news = match (&self.differs, self.modified_since) {
            (Some(versions), _) => !versions.include(there),
            (None, Some(second)) if reads => modified.is_none_or(|modified| modified > second),
            (None, _) => true,
        };
        match (news, reads) {
            (true, _) => Verdict::Holds,
            (false, true) => Verdict::NotModified,
            (false, false) => Verdict::Fails,
        }
    }
}

impl Versions {
    fn include(&self, there: There) -> bool {
        match (self, there) {
            (_, There::Nothing) | (Versions::Of(_), There::Directory) => false,
            (Versions::Any, There::Directory | There::File(_)) => true,
            (Versions::Of(versions), There::File(version)) => versions.contains(&version),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;
    const THERE: Version = Version { inode: 1, modified: 10 * SECOND + 5, length: 3 };
    const OTHER: Version = Version { inode: 1, modified: 10 * SECOND + 6, length: 3 };

    fn of(versions: &[Version]) -> Option<Versions> {
        Some(Versions::Of(versions.to_vec()))
    }

    fn check(condition: Condition, expected: [Verdict; 4]) {
        let judged = [
            condition.judge(There::File(THERE), true),
            condition.judge(There::File(THERE), false),
            condition.judge(There::Nothing, false),
            condition.judge(There::Directory, false),
        ];
        assert_eq!(judged, expected, "{condition:?}");
    }

    // Expected are, in order: reading a file, writing it, writing where nothing is, and at a directory.
    #[test]
    fn conditions_are_judged_one_by_one() {
        use Verdict::{Fails, Holds, NotModified};
        let no = Condition::default;
        check(no(), [Holds; 4]);
        check(Condition { matches: Some(Versions::Any), ..no() }, [Holds, Holds, Fails, Holds]);
        check(Condition { matches: of(&[OTHER, THERE]), ..no() }, [Holds, Holds, Fails, Fails]);
        check(Condition { matches: of(&[OTHER]), ..no() }, [Fails; 4]);
        check(Condition { matches: of(&[]), ..no() }, [Fails; 4]);
        check(Condition { differs: Some(Versions::Any), ..no() }, [NotModified, Fails, Holds, Fails]);
        check(Condition { differs: of(&[OTHER, THERE]), ..no() }, [NotModified, Fails, Holds, Holds]);
        check(Condition { differs: of(&[OTHER]), ..no() }, [Holds; 4]);
        check(Condition { unmodified_since: Some(10), ..no() }, [Holds; 4]);
        check(Condition { unmodified_since: Some(9), ..no() }, [Fails, Fails, Holds, Holds]);
        check(Condition { modified_since: Some(9), ..no() }, [Holds; 4]);
        check(Condition { modified_since: Some(10), ..no() }, [NotModified, Holds, Holds, Holds]);
    }

    // RFC 9110 §13.2.2: the tag decides where both are there.
    #[test]
    fn tags_take_precedence_over_dates() {
        use Verdict::{Fails, Holds, NotModified};
        let no = Condition::default;
        let matched = Condition { matches: of(&[THERE]), unmodified_since: Some(0), ..no() };
        check(matched, [Holds, Holds, Fails, Fails]);
        let differing = Condition { differs: of(&[OTHER]), modified_since: Some(99), ..no() };
        check(differing, [Holds; 4]);
        let both = Condition { matches: of(&[THERE]), differs: of(&[THERE]), ..no() };
        check(both, [NotModified, Fails, Fails, Fails]);
        let neither = Condition { matches: of(&[OTHER]), differs: of(&[THERE]), ..no() };
        check(neither, [Fails; 4]);
    }

    #[test]
    fn seconds_before_1970_are_whole_too() {
        let version = Version { modified: -1, ..THERE };
        assert_eq!(version.modified_seconds(), -1);
    }
}
