//! The command line, read into the server's [`Options`]: every flag with its unit and default.

use std::ffi::OsString;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::thread::available_parallelism;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, RangedU64ValueParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Args, Parser};

use http_server::driver::server::Options;
use http_server::limits::{HEAD_FIELDS_CEILING, Limits};
use http_server::store::Durability;

/// Reads the command line, its first word being the program's name.
pub(crate) fn read<Word>(words: impl IntoIterator<Item = Word>) -> Result<Options, Ending>
where
    Word: Into<OsString> + Clone,
{
    let command_line = CommandLine::try_parse_from(words).map_err(Ending::from)?;
    command_line.options().map_err(Ending::Refused)
}

/// Why a command line leads to no server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It asked for this text: help or version.
    Shown(String),
    /// It cannot be obeyed.
    Refused(UsageError),
}

/// What is wrong with a command line, in one line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UsageError(String);

#[derive(Debug, Parser)]
#[command(
    version,
    about,
    after_help = "A SIZE is a whole number of bytes, or of KiB, MiB, GiB or TiB with that behind it: 64KiB. \
    SECONDS may have a fraction: 0.5."
)]
struct CommandLine {
    /// Directory whose files are served; made if it is missing
    base_directory: PathBuf,
    /// IP address to listen on; 0.0.0.0 lets every machine that can reach this one read and write
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    bind: IpAddr,
    /// TCP port to listen on; 0 takes a free one and prints it
    #[arg(long, value_name = "PORT", default_value_t = 4221)]
    port: u16,
    /// Event loops [default: one per CPU]
    #[arg(long, value_name = "COUNT", value_parser = threads())]
    threads: Option<usize>,
    // They wait for the disk and not for a CPU, so there are more of them than CPUs: writes that are
    // synced at the same time share the file system's commits, and 32 shared better than 8.
    /// Threads for what may wait for the disk
    #[arg(long, value_name = "COUNT", default_value_t = 32, value_parser = threads())]
    pool: usize,
    /// After SIGTERM or SIGINT, finish what is under way for this long; then cut it off
    #[arg(long, value_name = "SECONDS", default_value_t = Seconds::whole(10), value_parser = seconds(0.0))]
    grace: Seconds,
    /// Write no access log to stderr
    #[arg(long)]
    quiet: bool,
    /// What an acknowledged write survives: a power cut, or the death of the process alone
    #[arg(long, value_name = "LEVEL", default_value = "disk", value_parser = durability())]
    durability: Durability,
    /// Let reads follow symbolic links that stay inside the base directory; else they get 403
    #[arg(long)]
    follow_symlinks: bool,
    #[command(flatten)]
    limits: LimitFlags,
}

impl CommandLine {
    fn options(self) -> Result<Options, UsageError> {
        Ok(Options {
            address: SocketAddr::new(self.bind, self.port),
            event_loops: self
                .threads
                .unwrap_or_else(|| available_parallelism().map_or(1, usize::from).min(THREADS_MAX)),
            workers: self.pool,
            grace: self.grace.0,
            quiet: self.quiet,
            durability: self.durability,
            follow_symlinks: self.follow_symlinks,
            limits: self.limits.limits()?,
            base_directory: self.base_directory,
        })
    }
}

const CONNECTIONS: &str = "Limits on connections";
const HEADS: &str = "Limits on heads";
const CONTENT: &str = "Limits on content";
const TIME: &str = "Limits on time";

/// One flag for each field of [`Limits`], named like it, with its unit.
#[derive(Debug, Args)]
struct LimitFlags {
    /// Open connections; one more is answered 503 and closed
    #[arg(long, help_heading = CONNECTIONS, value_name = "COUNT",
        default_value_t = Limits::default().connections_max, value_parser = count(COUNT_MAX))]
    connections_max: usize,
    /// Open connections from one IPv4 address or one IPv6 /64; one more is answered 503 and closed.
    /// As many as there may be in all by default, for behind a proxy all come from one address
    #[arg(long, help_heading = CONNECTIONS, value_name = "COUNT",
        default_value_t = Limits::default().connections_per_address_max,
        value_parser = count(COUNT_MAX))]
    connections_per_address_max: usize,
    /// Requests on one connection; the last one's answer closes it
    #[arg(long, help_heading = CONNECTIONS, value_name = "COUNT",
        default_value_t = Limits::default().requests_per_connection_max,
        value_parser = clap::value_parser!(u64).range(1..))]
    requests_per_connection_max: u64,
    /// Jobs that wait for a thread of the pool; a request that would add one is answered 503
    #[arg(long, help_heading = CONNECTIONS, value_name = "COUNT",
        default_value_t = Limits::default().queue_jobs_max, value_parser = count(COUNT_MAX))]
    queue_jobs_max: usize,

    /// Bytes of a request target, at most --head-bytes-max; a longer one is answered 414
    #[arg(long, help_heading = HEADS, value_name = "SIZE",
        default_value_t = Bytes::from(Limits::default().target_bytes_max),
        value_parser = bytes(1..=MEMORY_BYTES_MAX))]
    target_bytes_max: Bytes,
    /// Bytes of a head with its empty line; a longer one is answered 431
    #[arg(long, help_heading = HEADS, value_name = "SIZE",
        default_value_t = Bytes::from(Limits::default().head_bytes_max),
        value_parser = bytes(1..=MEMORY_BYTES_MAX))]
    head_bytes_max: Bytes,
    /// Field lines of a head; more are answered 431
    #[arg(long, help_heading = HEADS, value_name = "COUNT",
        default_value_t = Limits::default().head_fields_max, value_parser = count(HEAD_FIELDS_CEILING))]
    head_fields_max: usize,

    /// Bytes of a request's content; more are answered 413
    #[arg(long, help_heading = CONTENT, value_name = "SIZE",
        default_value_t = Bytes(Limits::default().content_bytes_max),
        value_parser = bytes(0..=u64::MAX))]
    content_bytes_max: Bytes,
    /// Bytes of content that one connection holds in memory on their way to a file
    #[arg(long, help_heading = CONTENT, value_name = "SIZE",
        default_value_t = Bytes::from(Limits::default().content_buffer_bytes_max),
        value_parser = bytes(1..=MEMORY_BYTES_MAX))]
    content_buffer_bytes_max: Bytes,
    /// Bytes of unwanted content that are read past to keep a connection; more close it
    #[arg(long, help_heading = CONTENT, value_name = "SIZE",
        default_value_t = Bytes(Limits::default().discard_bytes_max),
        value_parser = bytes(0..=u64::MAX))]
    discard_bytes_max: Bytes,
    /// Bytes of chunk extensions and trailers of one request; more are answered 400
    #[arg(long, help_heading = CONTENT, value_name = "SIZE",
        default_value_t = Bytes::from(Limits::default().chunk_overhead_bytes_max),
        value_parser = bytes(0..=MEMORY_BYTES_MAX))]
    chunk_overhead_bytes_max: Bytes,

    /// From the first byte of a head to its last; then 408
    #[arg(long, help_heading = TIME, value_name = "SECONDS",
        default_value_t = Seconds(Limits::default().head_time_max), value_parser = seconds(SECONDS_MIN))]
    head_seconds_max: Seconds,
    /// How far the sender of content may fall behind --transfer-bytes-per-second-min; then 408
    #[arg(long, help_heading = TIME, value_name = "SECONDS",
        default_value_t = Seconds(Limits::default().content_time_max), value_parser = seconds(SECONDS_MIN))]
    content_seconds_max: Seconds,
    /// Between two requests; then the connection is closed without an answer
    #[arg(long, help_heading = TIME, value_name = "SECONDS",
        default_value_t = Seconds(Limits::default().idle_time_max), value_parser = seconds(SECONDS_MIN))]
    idle_seconds_max: Seconds,
    /// How far the reader of an answer may fall behind --transfer-bytes-per-second-min; then the
    /// connection is closed
    #[arg(long, help_heading = TIME, value_name = "SECONDS",
        default_value_t = Seconds(Limits::default().write_time_max), value_parser = seconds(SECONDS_MIN))]
    write_seconds_max: Seconds,
    /// Pace below which a transfer uses up its time, in either direction
    #[arg(long, help_heading = TIME, value_name = "SIZE",
        default_value_t = Bytes(Limits::default().transfer_bytes_per_second_min),
        value_parser = bytes(1..=u64::MAX))]
    transfer_bytes_per_second_min: Bytes,
    /// How long a connection stays open after its last answer, so that the peer can read it
    #[arg(long, help_heading = TIME, value_name = "SECONDS",
        default_value_t = Seconds(Limits::default().linger_time_max), value_parser = seconds(0.0))]
    linger_seconds_max: Seconds,
}

impl LimitFlags {
    fn limits(self) -> Result<Limits, UsageError> {
        if self.target_bytes_max > self.head_bytes_max {
            return Err(UsageError(format!(
                "--target-bytes-max {} is more than --head-bytes-max {}: the target is a part of the head",
                self.target_bytes_max, self.head_bytes_max
            )));
        }
        Ok(Limits {
            connections_max: self.connections_max,
            connections_per_address_max: self.connections_per_address_max,
            target_bytes_max: self.target_bytes_max.in_memory(),
            head_bytes_max: self.head_bytes_max.in_memory(),
            head_fields_max: self.head_fields_max,
            content_bytes_max: self.content_bytes_max.0,
            content_buffer_bytes_max: self.content_buffer_bytes_max.in_memory(),
            discard_bytes_max: self.discard_bytes_max.0,
            chunk_overhead_bytes_max: self.chunk_overhead_bytes_max.in_memory(),
            queue_jobs_max: self.queue_jobs_max,
            requests_per_connection_max: self.requests_per_connection_max,
            head_time_max: self.head_seconds_max.0,
            content_time_max: self.content_seconds_max.0,
            idle_time_max: self.idle_seconds_max.0,
            write_time_max: self.write_seconds_max.0,
            transfer_bytes_per_second_min: self.transfer_bytes_per_second_min.0,
            linger_time_max: self.linger_seconds_max.0,
        })
    }
}

/// More threads than this are a slip of the keyboard, and starting them would fail half-way.
const THREADS_MAX: usize = 1024;
/// More than the descriptors that a process can have by default, and little enough to make room for.
const COUNT_MAX: usize = 1 << 24;
/// What is held in memory for one connection.
const MEMORY_BYTES_MAX: u64 = 1 << 30;
/// Timers that count in milliseconds know nothing between this and never waiting.
const SECONDS_MIN: f64 = 0.001;
/// A year: far from every overflow when times are added.
const SECONDS_MAX: f64 = 365.0 * 24.0 * 3600.0;

fn threads() -> RangedU64ValueParser<usize> {
    count(THREADS_MAX)
}

fn count(at_most: usize) -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=at_most as u64)
}

fn durability() -> impl TypedValueParser<Value = Durability> {
    PossibleValuesParser::new(["disk", "cache"]).map(|level| match level.as_str() {
        "cache" => Durability::Cache,
        _ => Durability::Disk,
    })
}

fn bytes(range: RangeInclusive<u64>) -> impl Fn(&str) -> Result<Bytes, String> + Clone {
    move |text| {
        let size = Bytes::from_str(text)?;
        if range.contains(&size.0) {
            Ok(size)
        } else {
            Err(format!("{size} is not in {}..={}", Bytes(*range.start()), Bytes(*range.end())))
        }
    }
}

fn seconds(at_least: f64) -> impl Fn(&str) -> Result<Seconds, String> + Clone {
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
struct Bytes(u64);

impl Bytes {
    const UNITS: [(&str, u64); 5] =
        [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("", 1)];

    /// For what lies in memory, and so is at most [`MEMORY_BYTES_MAX`].
    fn in_memory(self) -> usize {
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
struct Seconds(Duration);

impl Seconds {
    const fn whole(seconds: u64) -> Seconds {
        Seconds(Duration::from_secs(seconds))
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0.as_secs_f64())
    }
}

impl From<clap::Error> for Ending {
    fn from(error: clap::Error) -> Ending {
        let text = error.render().to_string();
        match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Ending::Shown(text),
            _ => Ending::Refused(UsageError::from_paragraphs(&text)),
        }
    }
}

impl UsageError {
    /// Of clap's paragraphs, what is wrong and how it may have been meant, in one line.
    fn from_paragraphs(text: &str) -> UsageError {
        let paragraphs: Vec<String> = text
            .trim_start_matches("error: ")
            .split("\n\n")
            .filter(|paragraph| {
                !paragraph.starts_with("Usage:") && !paragraph.starts_with("For more information")
            })
            .map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "))
            .filter(|paragraph| !paragraph.is_empty())
            .collect();
        UsageError(paragraphs.join("; "))
    }
}

impl fmt::Display for UsageError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} (--help lists every flag)", self.0)
    }
}

#[cfg(test)]
mod tests;
