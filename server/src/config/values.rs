//! What a setting's value may be, and how it is written: sizes, times, counts.

use std::fmt;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, RangedU64ValueParser, TypedValueParser};

use http_server::driver::diagnostics::Level;
use http_server::driver::log::Format;
use http_server::store::Durability;
use http_server::store::path::FilePath;

/// More threads than this are a slip of the keyboard, and starting them would fail half-way.
pub(super) const THREADS_MAX: usize = 1024;
/// More than the descriptors that a process can have by default, and little enough to make room for.
pub(super) const COUNT_MAX: usize = 1 << 24;
/// A page is made in memory, of up to some KiB for an entry.
pub(super) const LISTING_ENTRIES_MAX: usize = 100_000;
/// What is held in memory for one connection.
pub(super) const MEMORY_BYTES_MAX: u64 = 1 << 30;
/// Timers that count in milliseconds know nothing between this and never waiting.
pub(super) const SECONDS_MIN: f64 = 0.001;
/// A year: far from every overflow when times are added.
pub(super) const SECONDS_MAX: f64 = 365.0 * 24.0 * 3600.0;

pub(super) fn threads() -> RangedU64ValueParser<usize> {
    count(THREADS_MAX)
}

pub(super) fn count(at_most: usize) -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=at_most as u64)
}

pub(super) fn durability() -> impl TypedValueParser<Value = Durability> {
    PossibleValuesParser::new(["disk", "cache"]).map(|level| match level.as_str() {
        "cache" => Durability::Cache,
        _ => Durability::Disk,
    })
}

pub(super) fn level() -> impl TypedValueParser<Value = Level> {
    PossibleValuesParser::new(Level::NAMES).try_map(|name| name.parse::<Level>())
}

pub(super) fn log_format() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(["short", "common", "combined", "json"]).map(|format| match format.as_str() {
        "common" => Format::Common,
        "combined" => Format::Combined,
        "json" => Format::Json,
        _ => Format::Short,
    })
}

/// A name that a file in a directory can have.
pub(super) fn file_name(text: &str) -> Result<String, String> {
    let possible = !text.contains('/') && FilePath::of_names(text.as_bytes(), false).is_some();
    if possible && !text.is_empty() {
        Ok(text.to_owned())
    } else {
        Err("no name that a file can have".to_owned())
    }
}

/// Where to listen, as it is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// An address, and whether TLS is spoken there, where that was said.
    Address(SocketAddr, Option<bool>),
    Path(PathBuf),
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Address(address, Some(true)) => write!(formatter, "https://{address}"),
            Place::Address(address, Some(false)) => write!(formatter, "http://{address}"),
            Place::Address(address, None) => address.fmt(formatter),
            Place::Path(path) => write!(formatter, "unix:{}", path.display()),
        }
    }
}

pub(super) fn place(text: &str) -> Result<Place, String> {
    if let Some(path) = text.strip_prefix("unix:") {
        if path.is_empty() {
            return Err("unix: needs a path behind it".to_owned());
        }
        return Ok(Place::Path(PathBuf::from(path)));
    }
    let (address, secure) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
        (Some(address), _) => (address, Some(true)),
        (_, Some(address)) => (address, Some(false)),
        _ => (text, None),
    };
    SocketAddr::from_str(address)
        .map(|address| Place::Address(address, secure))
        .map_err(|_| "not a place such as 127.0.0.1:80, [::1]:80 or unix:/run/server.socket".to_owned())
}

pub(super) fn mode(text: &str) -> Result<u32, String> {
    u32::from_str_radix(text, 8)
        .ok()
        .filter(|mode| *mode <= 0o777 && text.bytes().all(|byte| byte.is_ascii_digit()))
        .ok_or_else(|| "not permissions in octal such as 660".to_owned())
}

pub(super) fn bytes(range: RangeInclusive<u64>) -> impl Fn(&str) -> Result<Bytes, String> + Clone {
    move |text| {
        let size = Bytes::from_str(text)?;
        if range.contains(&size.0) {
            Ok(size)
        } else {
            Err(format!("{size} is not in {}..={}", Bytes(*range.start()), Bytes(*range.end())))
        }
    }
}

pub(super) fn seconds(at_least: f64) -> impl Fn(&str) -> Result<Seconds, String> + Clone {
    move |text| {
        // No sign, exponent, `inf` or `nan`: a number as one writes it.
        let number = Some(text)
            .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'))
            .and_then(|text| f64::from_str(text).ok())
            .ok_or("not a number of seconds such as 10 or 0.5")?;
        if (at_least..=SECONDS_MAX).contains(&number) {
            Ok(Seconds(Duration::from_secs_f64(number)))
        } else {
            Err(format!("{number} is not in {at_least}..={SECONDS_MAX}"))
        }
    }
}

/// A number of bytes, written in the largest unit that divides it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Bytes(pub(super) u64);

impl Bytes {
    const UNITS: [(&str, u64); 5] =
        [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("", 1)];

    /// For what lies in memory, and so is at most [`MEMORY_BYTES_MAX`].
    pub(super) fn in_memory(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl From<usize> for Bytes {
    fn from(bytes: usize) -> Bytes {
        Bytes(bytes as u64)
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, size) = Bytes::UNITS
            .into_iter()
            .find(|(_, size)| self.0 >= *size && self.0.is_multiple_of(*size))
            .unwrap_or(("", 1));
        write!(formatter, "{}{unit}", self.0 / size)
    }
}

impl FromStr for Bytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Bytes, String> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, suffix) = text.split_at(digits);
        let (_, size) = Bytes::UNITS
            .into_iter()
            .find(|(unit, _)| *unit == suffix && !number.is_empty())
            .ok_or("not a size such as 512, 64KiB, 10MiB or 1GiB")?;
        u64::from_str(number)
            .ok()
            .and_then(|number| number.checked_mul(size))
            .map(Bytes)
            .ok_or_else(|| "more bytes than 64 bits can count".to_owned())
    }
}

/// A span of time, written in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seconds(pub(super) Duration);

impl Seconds {
    pub(super) const fn whole(seconds: u64) -> Seconds {
        Seconds(Duration::from_secs(seconds))
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0.as_secs_f64())
    }
}
