//! Time: the only module that reads a clock. Everybody else is told the time.

use std::time::Duration;

use crate::http::date::HttpDate;

/// A point on the monotonic clock, in nanoseconds since its clock was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The point `nanoseconds` after the clock was made.
    pub const fn from_nanoseconds(nanoseconds: u64) -> Instant {
        Instant(nanoseconds)
    }

    /// Nanoseconds since the clock was made.
    pub const fn nanoseconds(self) -> u64 {
        self.0
    }

    /// The point `duration` later; the last one there is where that overflows.
    pub fn after(self, duration: Duration) -> Instant {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Instant(self.0.saturating_add(nanoseconds))
    }

    /// The time from `earlier` to here; zero when `earlier` is later.
    pub fn since(self, earlier: Instant) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// What the clocks said, read once for each turn of an event loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// For deadlines and durations.
    pub instant: Instant,
    /// The time of day, in seconds since 1970.
    pub unix_seconds: i64,
    /// The `Date` of answers made now.
    pub date: HttpDate,
}

impl Now {
    /// This point on both clocks.
    pub fn new(instant: Instant, unix_seconds: i64) -> Now {
        let date = HttpDate::from_unix_seconds(u64::try_from(unix_seconds).unwrap_or(0));
        Now { instant, unix_seconds, date }
    }
}

/// Whoever can tell the time.
pub trait Clock {
    /// The time now.
    fn now(&mut self) -> Now;
}

/// The time of day, in nanoseconds since 1970, by which files are stamped.
pub fn unix_nanoseconds() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

/// The machine's clocks; renders a new `Date` only when the second has changed.
#[derive(Clone, Debug)]
pub struct SystemClock {
    origin: std::time::Instant,
    unix_seconds: u64,
    date: HttpDate,
}

impl SystemClock {
    /// A clock whose monotonic time starts at `origin`: clocks with one origin agree.
    pub fn new(origin: std::time::Instant) -> SystemClock {
        SystemClock { origin, unix_seconds: 0, date: HttpDate::from_unix_seconds(0) }
    }

    /// An origin for [`SystemClock::new`].
    pub fn origin() -> std::time::Instant {
        std::time::Instant::now()
    }
}

impl Clock for SystemClock {
    fn now(&mut self) -> Now {
        let elapsed = self.origin.elapsed();
        let unix_seconds = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        if unix_seconds != self.unix_seconds {
            self.unix_seconds = unix_seconds;
            self.date = HttpDate::from_unix_seconds(unix_seconds);
        }
        Now {
            instant: Instant::default().after(elapsed),
            unix_seconds: i64::try_from(unix_seconds).unwrap_or(i64::MAX),
            date: self.date,
        }
    }
}
