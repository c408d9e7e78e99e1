//! The flags, each with its unit and default: the one definition of every setting.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::thread::available_parallelism;

use clap::{Args, Command, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use super::UsageError;
use super::access::{Grant, access};
use super::values::{
    Bytes, COUNT_MAX, LISTING_ENTRIES_MAX, MEMORY_BYTES_MAX, Place, SECONDS_MIN, Seconds, THREADS_MAX, bytes,
    count, durability, file_name, level, log_format, mode, place, seconds, threads,
};
use http_server::driver::certificate::CertificateFiles;
use http_server::driver::diagnostics::Level;
use http_server::driver::listeners::{Endpoint, Wanted};
use http_server::driver::log::Format;
use http_server::driver::server::Options;
use http_server::limits::{Directories, HEAD_FIELDS_CEILING, Limits};
use http_server::store::Durability;

#[derive(Debug, Parser)]
#[command(
    version,
    about,
    after_help = "--help shows the limits, too.",
    after_long_help = "A SIZE is a whole number of bytes, or of KiB, MiB, GiB or TiB with that behind it: 64KiB. \
    SECONDS may have a fraction: 0.5.\n\n\
    --idle-seconds-max 5 can also be said by HTTP_SERVER_IDLE_SECONDS_MAX=5 in the environment, and by \
    idle_seconds_max = 5 in the file of --config. A flag goes before the environment, that before the file.",
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true
)]
pub(super) struct CommandLine {
    /// Directory whose files are served; made if it is missing
    #[arg(value_name = "BASE_DIRECTORY")]
    base_directory: Option<PathBuf>,
    /// Read settings from this TOML file, where neither a flag nor the environment says otherwise
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Print the settings that are in effect, each with where it is from, and end
    #[arg(long)]
    pub(super) check: bool,
    /// IP address to listen on; 0.0.0.0 lets every machine that can reach this one read and write
    #[arg(long, help_heading = PLACES, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    bind: IpAddr,
    /// TCP port to listen on; 0 takes a free one and prints it
    #[arg(long, help_heading = PLACES, value_name = "PORT", default_value_t = 4221)]
    port: u16,
    /// Listen here, too: 127.0.0.1:80, [::1]:80, [::]:80 for IPv6 and IPv4 (for IPv6 alone where another
    /// one takes that port of IPv4), unix:/run/server.socket. Can be said more than once, or several
    /// with commas between them; then the address of --bind and --port is listened on only where one of
    /// these was said, too. With a certificate, TLS is spoken at addresses, but for http://127.0.0.1:80
    #[arg(long, help_heading = PLACES, value_name = "PLACE", value_delimiter = ',', value_parser = place)]
    listen: Vec<Place>,
    /// Permissions of the sockets of --listen unix:PATH, in octal; who may write may connect
    #[arg(long, help_heading = PLACES, value_name = "MODE", default_value = "660", value_parser = mode)]
    socket_mode: u32,
    /// File with the certificate to speak TLS with, and those that lead from it to a known one, in PEM;
    /// read again at SIGHUP
    #[arg(long, help_heading = PLACES, value_name = "FILE")]
    tls_certificate: Option<PathBuf>,
    /// File with the private key of --tls-certificate, in PEM
    #[arg(long, help_heading = PLACES, value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// Event loops [default: one per CPU]
    #[arg(long, help_heading = PROCESS, value_name = "COUNT", value_parser = threads())]
    threads: Option<usize>,
    // They wait for the disk and not for a CPU, so there are more of them than CPUs: writes that are
    // synced at the same time share the file system's commits, and 32 shared better than 8.
    /// Threads for what may wait for the disk
    #[arg(long, help_heading = PROCESS, value_name = "COUNT", default_value_t = 32, value_parser = threads())]
    pool: usize,
    /// After SIGTERM or SIGINT, finish what is under way for this long; then cut it off
    #[arg(long, help_heading = PROCESS, value_name = "SECONDS", default_value_t = Seconds::whole(10), value_parser = seconds(0.0))]
    grace: Seconds,
    /// Write no access log
    #[arg(long, help_heading = INSIGHT, value_name = "BOOL", default_value = "false", default_missing_value = "true",
        num_args = 0..=1, require_equals = true)]
    quiet: bool,
    /// Say on stderr what happens beside requests, up to this level
    #[arg(long, help_heading = INSIGHT, value_name = "LEVEL", default_value = "off", value_parser = level())]
    diagnostics: Level,
    /// How the access log is written: short (address, request line, status, bytes, duration), common (the
    /// Common Log Format), combined (the same with Referer and User-Agent), json (an object in each line)
    #[arg(long, help_heading = INSIGHT, value_name = "FORMAT", default_value = "short", value_parser = log_format())]
    log_format: Format,
    /// Append the access log to this file, and begin it anew on SIGHUP; else it goes to stderr
    #[arg(long, help_heading = INSIGHT, value_name = "FILE")]
    log_file: Option<PathBuf>,
    /// Give each request an id, or keep the one that it has in X-Request-Id: it stands in the answer's
    /// X-Request-Id, and in the log where that is short or json
    #[arg(long, help_heading = INSIGHT, value_name = "BOOL", default_value = "false", default_missing_value = "true",
        num_args = 0..=1, require_equals = true)]
    request_ids: bool,
    /// Answer /healthz, /readyz and /metrics (for Prometheus) here, such as on 127.0.0.1:9100; port 0 takes
    /// a free one and prints it. Whoever reaches it may read them
    #[arg(long, help_heading = INSIGHT, value_name = "ADDRESS")]
    admin: Option<SocketAddr>,
    /// What an acknowledged write survives: a power cut, or the death of the process alone
    #[arg(long, help_heading = FILES, value_name = "LEVEL", default_value = "disk", value_parser = durability())]
    durability: Durability,
    /// Allow reads only: all else gets 405
    #[arg(long, help_heading = ACCESS, value_name = "BOOL", default_value = "false", default_missing_value = "true",
        num_args = 0..=1, require_equals = true)]
    read_only: bool,
    /// Who may do what: WHO is anonymous, user:NAME, token:NAME or * for every user and token; VERBS are
    /// of read, list, create, replace, append, delete. May be said again. Without any, everybody may do
    /// everything; with one, nobody may do what none allows
    #[arg(long, help_heading = ACCESS, value_name = "WHO:VERBS:/PATH", value_delimiter = ';')]
    allow: Vec<Grant>,
    /// File of users, `NAME:HASH` a line with a bcrypt or argon2 hash, as `htpasswd -B` and
    /// `http_server password` write them
    #[arg(long, help_heading = ACCESS, value_name = "FILE")]
    users: Option<PathBuf>,
    /// File of bearer tokens, `NAME:DIGEST` a line with SHA-256, as `http_server token` writes them
    #[arg(long, help_heading = ACCESS, value_name = "FILE")]
    tokens: Option<PathBuf>,
    /// Let reads follow symbolic links that stay inside the base directory; else they get 403
    #[arg(long, help_heading = FILES, value_name = "BOOL", default_value = "false", default_missing_value = "true",
        num_args = 0..=1, require_equals = true)]
    follow_symlinks: bool,
    /// Answer directories with 403 in place of a listing, where they have no --index
    #[arg(long, help_heading = FILES, value_name = "BOOL", default_value = "false", default_missing_value = "true",
        num_args = 0..=1, require_equals = true)]
    no_listing: bool,
    /// Answer a directory with the file of this name in it, index.html for one, where there is one
    #[arg(long, help_heading = FILES, value_name = "FILE_NAME", value_parser = file_name)]
    index: Option<String>,
    /// Once started, give up all files but those below the base directory, and what else is not needed, by
    /// the kernel's Landlock; the start line says how far that went
    #[arg(long, help_heading = PROCESS, value_name = "BOOL", default_value = "true", default_missing_value = "true",
        num_args = 0..=1, require_equals = true, action = clap::ArgAction::Set)]
    landlock: bool,
    #[command(flatten)]
    limits: LimitFlags,
    #[command(subcommand)]
    print: Option<Print>,
}

/// What is printed instead of serving.
#[derive(Clone, Debug, Subcommand)]
pub(super) enum Print {
    /// Print a script that lets a shell complete the flags
    Completions {
        /// Shell that is to read it
        shell: Shell,
    },
    /// Print a manual page, for man(1)
    Man,
    /// Print a line for the file of users, with the password that is the first line of standard input
    Password {
        /// Name of the user
        name: String,
    },
    /// Make a token, and print it with a line for the file of tokens
    Token {
        /// Name of the token
        name: String,
    },
}

/// Every setting has a flag, the same in upper case behind this as a variable of the environment, and
/// as a key of the file.
pub(super) const ENVIRONMENT_PREFIX: &str = "HTTP_SERVER_";

/// No settings: what these are called says what is to be done.
pub(super) const NO_SETTINGS: [&str; 3] = ["check", "help", "version"];

/// The one definition that the command line, the environment, the file, the completions and the
/// manual page are read from.
pub(super) fn command() -> Command {
    CommandLine::command().mut_args(|arg| {
        let id = arg.get_id().as_str();
        if NO_SETTINGS.contains(&id) {
            return arg;
        }
        let variable = format!("{ENVIRONMENT_PREFIX}{}", id.to_uppercase());
        // The text below the flags says it once for all.
        arg.env(variable).hide_env(true)
    })
}

impl CommandLine {
    /// What is to be printed instead of serving.
    pub(super) fn print(&self) -> Option<&Print> {
        self.print.as_ref()
    }

    /// What the server is to be. `chosen` says whether somebody has set a thing of this name, or it is as
    /// it is by default.
    pub(super) fn options(self, chosen: impl Fn(&str) -> bool) -> Result<Options, UsageError> {
        let base_directory = self.base_directory.ok_or_else(|| {
            UsageError("no base directory: `http_server <BASE_DIRECTORY>` serves one".to_owned())
        })?;
        if self.quiet && self.log_file.is_some() {
            let reason = "--quiet writes no access log, --log-file says where it goes: leave out one of them";
            return Err(UsageError(reason.to_owned()));
        }
        let (rights, users) =
            access(self.read_only, &self.allow, self.users.as_deref(), self.tokens.as_deref())?;
        let address = SocketAddr::new(self.bind, self.port);
        let certificate = match (self.tls_certificate, self.tls_key) {
            (Some(certificate), Some(key)) => Some(CertificateFiles { certificate, key }),
            (None, None) => None,
            (Some(_), None) => {
                return Err(UsageError("--tls-certificate needs --tls-key beside it".to_owned()));
            }
            (None, Some(_)) => {
                return Err(UsageError("--tls-key needs --tls-certificate beside it".to_owned()));
            }
        };
        let secure = certificate.is_some();
        let mut endpoints = Vec::new();
        if chosen("bind") || chosen("port") {
            endpoints.push(Endpoint::Address { address, secure });
        }
        for place in self.listen {
            endpoints.push(match place {
                Place::Address(_, Some(true)) if !secure => {
                    return Err(UsageError(format!(
                        "--listen {place} needs --tls-certificate and --tls-key beside it"
                    )));
                }
                Place::Address(address, chosen) => {
                    Endpoint::Address { address, secure: chosen.unwrap_or(secure) }
                }
                Place::Path(path) => Endpoint::Path(path),
            });
        }
        Ok(Options {
            listen: Wanted { endpoints, otherwise: address, secure, socket_mode: self.socket_mode },
            certificate,
            event_loops: self
                .threads
                .unwrap_or_else(|| available_parallelism().map_or(1, usize::from).min(THREADS_MAX)),
            workers: self.pool,
            grace: self.grace.0,
            quiet: self.quiet,
            diagnostics: self.diagnostics,
            log_format: self.log_format,
            log_file: self.log_file,
            request_ids: self.request_ids,
            admin: self.admin,
            durability: self.durability,
            follow_symlinks: self.follow_symlinks,
            confined: self.landlock,
            rights,
            users,
            limits: Limits {
                directories: Directories { listed: !self.no_listing, index: self.index },
                ..self.limits.limits()?
            },
            base_directory,
        })
    }
}

const PLACES: &str = "Where it listens";
const FILES: &str = "What is served, and how safely";
const ACCESS: &str = "Who may do what";
const INSIGHT: &str = "What it says of itself";
const PROCESS: &str = "The process";
const CONNECTIONS: &str = "Limits on connections";
const HEADS: &str = "Limits on heads";
const CONTENT: &str = "Limits on content";
const LISTINGS: &str = "Limits on listings";
const TIME: &str = "Limits on time";

/// One flag for each field of [`Limits`], named like it, with its unit.
#[derive(Debug, Args)]
struct LimitFlags {
    /// Open connections; one more is answered 503 and closed
    #[arg(long, hide_short_help = true, help_heading = CONNECTIONS, value_name = "COUNT",
        default_value_t = Limits::default().connections_max, value_parser = count(COUNT_MAX))]
    connections_max: usize,
    /// Open connections from one IPv4 address or one IPv6 /64; one more is answered 503 and closed.
    /// As many as there may be in all by default, for behind a proxy all come from one address
    #[arg(long, hide_short_help = true, help_heading = CONNECTIONS, value_name = "COUNT",
        default_value_t = Limits::default().connections_per_address_max,
        value_parser = count(COUNT_MAX))]
    connections_per_address_max: usize,
    /// Requests on one connection; the last one's answer closes it
    #[arg(long, hide_short_help = true, help_heading = CONNECTIONS, value_name = "COUNT",
        default_value_t = Limits::default().requests_per_connection_max,
        value_parser = clap::value_parser!(u64).range(1..))]
    requests_per_connection_max: u64,
    /// Jobs that wait for a thread of the pool; a request that would add one is answered 503
    #[arg(long, hide_short_help = true, help_heading = CONNECTIONS, value_name = "COUNT",
        default_value_t = Limits::default().queue_jobs_max, value_parser = count(COUNT_MAX))]
    queue_jobs_max: usize,

    /// Bytes of a request target, at most --head-bytes-max; a longer one is answered 414
    #[arg(long, hide_short_help = true, help_heading = HEADS, value_name = "SIZE",
        default_value_t = Bytes::from(Limits::default().target_bytes_max),
        value_parser = bytes(1..=MEMORY_BYTES_MAX))]
    target_bytes_max: Bytes,
    /// Bytes of a head with its empty line; a longer one is answered 431
    #[arg(long, hide_short_help = true, help_heading = HEADS, value_name = "SIZE",
        default_value_t = Bytes::from(Limits::default().head_bytes_max),
        value_parser = bytes(1..=MEMORY_BYTES_MAX))]
    head_bytes_max: Bytes,
    /// Field lines of a head; more are answered 431
    #[arg(long, hide_short_help = true, help_heading = HEADS, value_name = "COUNT",
        default_value_t = Limits::default().head_fields_max, value_parser = count(HEAD_FIELDS_CEILING))]
    head_fields_max: usize,

    /// Bytes of a request's content; more are answered 413
    #[arg(long, hide_short_help = true, help_heading = CONTENT, value_name = "SIZE",
        default_value_t = Bytes(Limits::default().content_bytes_max),
        value_parser = bytes(0..=u64::MAX))]
    content_bytes_max: Bytes,
    /// Bytes of content that one connection holds in memory on their way to a file
    #[arg(long, hide_short_help = true, help_heading = CONTENT, value_name = "SIZE",
        default_value_t = Bytes::from(Limits::default().content_buffer_bytes_max),
        value_parser = bytes(1..=MEMORY_BYTES_MAX))]
    content_buffer_bytes_max: Bytes,
    /// Bytes of unwanted content that are read past to keep a connection; more close it
    #[arg(long, hide_short_help = true, help_heading = CONTENT, value_name = "SIZE",
        default_value_t = Bytes(Limits::default().discard_bytes_max),
        value_parser = bytes(0..=u64::MAX))]
    discard_bytes_max: Bytes,
    /// Bytes of chunk extensions and trailers of one request; more are answered 400
    #[arg(long, hide_short_help = true, help_heading = CONTENT, value_name = "SIZE",
        default_value_t = Bytes::from(Limits::default().chunk_overhead_bytes_max),
        value_parser = bytes(0..=MEMORY_BYTES_MAX))]
    chunk_overhead_bytes_max: Bytes,

    /// Entries on one page of a directory's listing; more are on the next ones
    #[arg(long, hide_short_help = true, help_heading = LISTINGS, value_name = "COUNT",
        default_value_t = Limits::default().listing_entries_max, value_parser = count(LISTING_ENTRIES_MAX))]
    listing_entries_max: usize,
    /// Entries of a directory that are still sorted; a longer listing is in the directory's own order
    #[arg(long, hide_short_help = true, help_heading = LISTINGS, value_name = "COUNT",
        default_value_t = Limits::default().listing_sorted_max, value_parser = count(COUNT_MAX))]
    listing_sorted_max: usize,

    /// From the first byte of a head to its last; then 408
    #[arg(long, hide_short_help = true, help_heading = TIME, value_name = "SECONDS",
        default_value_t = Seconds(Limits::default().head_time_max), value_parser = seconds(SECONDS_MIN))]
    head_seconds_max: Seconds,
    /// How far the sender of content may fall behind --transfer-bytes-per-second-min; then 408
    #[arg(long, hide_short_help = true, help_heading = TIME, value_name = "SECONDS",
        default_value_t = Seconds(Limits::default().content_time_max), value_parser = seconds(SECONDS_MIN))]
    content_seconds_max: Seconds,
    /// Between two requests; then the connection is closed without an answer
    #[arg(long, hide_short_help = true, help_heading = TIME, value_name = "SECONDS",
        default_value_t = Seconds(Limits::default().idle_time_max), value_parser = seconds(SECONDS_MIN))]
    idle_seconds_max: Seconds,
    /// How far the reader of an answer may fall behind --transfer-bytes-per-second-min; then the
    /// connection is closed
    #[arg(long, hide_short_help = true, help_heading = TIME, value_name = "SECONDS",
        default_value_t = Seconds(Limits::default().write_time_max), value_parser = seconds(SECONDS_MIN))]
    write_seconds_max: Seconds,
    /// Pace below which a transfer uses up its time, in either direction
    #[arg(long, hide_short_help = true, help_heading = TIME, value_name = "SIZE",
        default_value_t = Bytes(Limits::default().transfer_bytes_per_second_min),
        value_parser = bytes(1..=u64::MAX))]
    transfer_bytes_per_second_min: Bytes,
    /// How long a connection stays open after its last answer, so that the peer can read it
    #[arg(long, hide_short_help = true, help_heading = TIME, value_name = "SECONDS",
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
            // Said by flags that are no limits.
            directories: Limits::default().directories,
            listing_entries_max: self.listing_entries_max,
            listing_sorted_max: self.listing_sorted_max,
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
