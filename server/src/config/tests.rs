//! Each flag reaches its field and no other, `--help` cannot drift from the defaults, and bad values
//! are refused in one line.

use std::path::PathBuf;
use std::thread::available_parallelism;
use std::time::Duration;

use super::values::{Bytes, Seconds};
use super::*;
use http_server::driver::listeners::Endpoint;
use http_server::driver::log::Format;
use http_server::limits::{Directories, HEAD_FIELDS_CEILING, Limits};
use http_server::store::Durability;

const BASE: [&str; 2] = ["http_server", "data"];

fn options(flags: &[&str]) -> Options {
    read(BASE.iter().chain(flags)).unwrap_or_else(|ending| panic!("{flags:?}: {ending:?}"))
}

fn shown(words: &[&str]) -> String {
    match read(words) {
        Err(Ending::Shown(text)) => text,
        other => panic!("{words:?} shows nothing: {other:?}"),
    }
}

fn refused(words: &[&str]) -> String {
    match read(words) {
        Err(Ending::Refused(error)) => error.to_string(),
        other => panic!("{words:?} is not refused: {other:?}"),
    }
}

/// The flag of each field, and the field's value as its flag takes it.
fn flags(limits: &Limits) -> Vec<(&'static str, String)> {
    // No `..`: a new field does not compile until it has its row here.
    let Limits {
        connections_max,
        connections_per_address_max,
        target_bytes_max,
        head_bytes_max,
        head_fields_max,
        content_bytes_max,
        content_buffer_bytes_max,
        discard_bytes_max,
        chunk_overhead_bytes_max,
        listing_entries_max,
        listing_sorted_max,
        queue_jobs_max,
        requests_per_connection_max,
        head_time_max,
        content_time_max,
        idle_time_max,
        write_time_max,
        transfer_bytes_per_second_min,
        linger_time_max,
        directories: _,
    } = *limits;
    let memory = |bytes: usize| Bytes::from(bytes).to_string();
    let file = |bytes: u64| Bytes(bytes).to_string();
    let time = |span: Duration| Seconds(span).to_string();
    vec![
        ("--connections-max", connections_max.to_string()),
        ("--connections-per-address-max", connections_per_address_max.to_string()),
        ("--target-bytes-max", memory(target_bytes_max)),
        ("--head-bytes-max", memory(head_bytes_max)),
        ("--head-fields-max", head_fields_max.to_string()),
        ("--content-bytes-max", file(content_bytes_max)),
        ("--content-buffer-bytes-max", memory(content_buffer_bytes_max)),
        ("--discard-bytes-max", file(discard_bytes_max)),
        ("--chunk-overhead-bytes-max", memory(chunk_overhead_bytes_max)),
        ("--listing-entries-max", listing_entries_max.to_string()),
        ("--listing-sorted-max", listing_sorted_max.to_string()),
        ("--queue-jobs-max", queue_jobs_max.to_string()),
        ("--requests-per-connection-max", requests_per_connection_max.to_string()),
        ("--head-seconds-max", time(head_time_max)),
        ("--content-seconds-max", time(content_time_max)),
        ("--idle-seconds-max", time(idle_time_max)),
        ("--write-seconds-max", time(write_time_max)),
        ("--transfer-bytes-per-second-min", file(transfer_bytes_per_second_min)),
        ("--linger-seconds-max", time(linger_time_max)),
    ]
}

#[test]
fn without_flags_the_defaults_hold() {
    let options = options(&[]);
    assert_eq!(options.base_directory, PathBuf::from("data"));
    assert_eq!(options.listen.endpoints, []);
    assert_eq!(options.listen.otherwise.to_string(), "127.0.0.1:4221");
    assert_eq!(options.listen.socket_mode, 0o660);
    assert_eq!(options.event_loops, available_parallelism().unwrap().get());
    assert_eq!(options.workers, 32);
    assert_eq!(options.grace, Duration::from_secs(10));
    assert!(!options.quiet && options.confined);
    assert_eq!((options.log_format, options.log_file), (Format::Short, None));
    assert_eq!(options.durability, Durability::Disk);
    assert_eq!(options.limits, Limits::default());
}

#[test]
fn each_flag_reaches_its_field() {
    let options = options(&[
        "--bind=::1",
        "--port=0",
        "--threads=3",
        "--pool=5",
        "--grace=0.25",
        "--quiet",
        "--durability=cache",
        "--no-listing",
        "--index=index.html",
        "--landlock=false",
    ]);
    assert!(!options.confined);
    let address = "[::1]:0".parse().unwrap();
    assert_eq!(options.listen.endpoints, [Endpoint::Address { address, secure: false }]);
    assert_eq!(options.certificate, None);
    assert_eq!((options.event_loops, options.workers), (3, 5));
    assert_eq!(options.grace, Duration::from_millis(250));
    assert!(options.quiet);
    assert_eq!(options.durability, Durability::Cache);
    let index = Some("index.html".to_owned());
    assert_eq!(options.limits.directories, Directories { listed: false, index });
}

#[test]
fn the_log_has_a_format_and_a_place() {
    for (name, format) in [
        ("short", Format::Short),
        ("common", Format::Common),
        ("combined", Format::Combined),
        ("json", Format::Json),
    ] {
        assert_eq!(options(&["--log-format", name]).log_format, format);
    }
    assert_eq!(options(&["--log-file", "a b"]).log_file, Some(PathBuf::from("a b")));
    assert!(refused(&["http_server", "data", "--log-format", "long"]).contains("combined"));
    assert!(refused(&["http_server", "data", "--quiet", "--log-file", "a"]).contains("leave out one"));
}

#[test]
fn places_to_listen_add_up() {
    let endpoints = |flags: &[&str]| -> Vec<String> {
        options(flags).listen.endpoints.iter().map(Endpoint::to_string).collect()
    };
    assert_eq!(endpoints(&["--listen", "127.0.0.1:80"]), ["http://127.0.0.1:80"]);
    let several = ["--listen=[::]:80,unix:/run/a", "--listen", "0.0.0.0:0"];
    assert_eq!(endpoints(&several), ["http://[::]:80", "unix:/run/a", "http://0.0.0.0:0"]);
    // The simple way is one of them where somebody has taken it.
    let with_port = ["--listen", "unix:a b", "--port", "4221"];
    assert_eq!(endpoints(&with_port), ["http://127.0.0.1:4221", "unix:a b"]);
    assert_eq!(endpoints(&["--bind=::1", "--listen=unix:a"]), ["http://[::1]:4221", "unix:a"]);
    assert_eq!(options(&["--socket-mode", "0777"]).listen.socket_mode, 0o777);
}

#[test]
fn with_a_certificate_addresses_speak_tls_unless_somebody_says_otherwise() {
    let pair = ["--tls-certificate=c", "--tls-key=k"];
    let secure = options(&pair);
    let files = secure.certificate.unwrap();
    assert_eq!((files.certificate, files.key), (PathBuf::from("c"), PathBuf::from("k")));
    assert!(secure.listen.secure && !options(&[]).listen.secure);
    let several = "127.0.0.1:1,http://127.0.0.1:2,https://127.0.0.1:3,unix:a";
    let endpoints = options(&[pair[0], pair[1], "--port=4", "--listen", several]).listen.endpoints;
    let shown: Vec<String> = endpoints.iter().map(Endpoint::to_string).collect();
    let expected =
        ["https://127.0.0.1:4", "https://127.0.0.1:1", "http://127.0.0.1:2", "https://127.0.0.1:3"];
    assert_eq!(shown[..4], expected);
    assert_eq!(shown[4], "unix:a");
    for (flags, missing) in [
        (&pair[..1], "--tls-key"),
        (&pair[1..], "--tls-certificate"),
        (&["--listen=https://127.0.0.1:3"], "--tls-certificate"),
    ] {
        let line = refused(&[&BASE, flags].concat());
        assert!(line.contains(missing), "{line}");
    }
}

#[test]
fn every_limit_has_a_flag_that_sets_it_and_nothing_else() {
    let defaults = flags(&Limits::default());
    for (index, (flag, default)) in defaults.iter().enumerate() {
        let value = match *flag {
            "--head-fields-max" => "7".to_owned(),
            "--target-bytes-max" => "512".to_owned(),
            _ if flag.contains("bytes") => "3MiB".to_owned(),
            _ if flag.contains("seconds") => "0.125".to_owned(),
            _ => "12345".to_owned(),
        };
        assert_ne!(value, *default, "{flag}: the test sets the default");
        let mut expected = defaults.clone();
        expected[index].1.clone_from(&value);
        assert_eq!(flags(&options(&[flag, &value]).limits), expected);
    }
}

#[test]
fn help_shows_each_flag_with_its_default() {
    let help = shown(&["http_server", "--help"]);
    let described: Vec<String> = help
        .split("\n      --")
        .map(|flag| format!("--{} ", flag.split_whitespace().collect::<Vec<_>>().join(" ")))
        .collect();
    let mut expected = flags(&Limits::default());
    expected.extend([
        ("--bind", "127.0.0.1".to_owned()),
        ("--port", "4221".to_owned()),
        ("--socket-mode", "660".to_owned()),
        ("--threads", "one per CPU".to_owned()),
        ("--pool", "32".to_owned()),
        ("--grace", "10".to_owned()),
        ("--durability", "disk".to_owned()),
    ]);
    for (flag, default) in expected {
        let line = described
            .iter()
            .find(|line| line.starts_with(&format!("{flag} <")))
            .unwrap_or_else(|| panic!("--help knows no {flag}:\n{help}"));
        assert!(line.contains(&format!("[default: {default}]")), "{line}");
    }
}

#[test]
fn help_and_version_are_shown() {
    assert!(shown(&["http_server", "-h"]).contains("Usage: http_server [OPTIONS] [BASE_DIRECTORY]"));
    let version = format!("http_server {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(shown(&["http_server", "--version"]), version);
}

#[test]
fn sizes_and_times_are_read_in_their_units() {
    let size = |text: &str| options(&["--content-bytes-max", text]).limits.content_bytes_max;
    assert_eq!(size("0"), 0);
    assert_eq!(size("1023"), 1023);
    assert_eq!(size("1KiB"), 1 << 10);
    assert_eq!(size("10MiB"), 10 << 20);
    assert_eq!(size("3GiB"), 3 << 30);
    assert_eq!(size("2TiB"), 2 << 40);
    assert_eq!(size("18446744073709551615"), u64::MAX);
    let time = |text: &str| options(&["--idle-seconds-max", text]).limits.idle_time_max;
    assert_eq!(time("75"), Duration::from_secs(75));
    assert_eq!(time("0.001"), Duration::from_millis(1));
    assert_eq!(time("31536000"), Duration::from_secs(365 * 24 * 3600));
}

#[test]
fn values_beyond_their_bounds_are_refused_in_one_line_that_names_the_flag() {
    for (flag, value) in [
        ("--bind", "localhost"),
        ("--bind", "127.0.0.1:80"),
        ("--port", "-1"),
        ("--port", "65536"),
        ("--listen", "localhost:80"),
        ("--listen", "127.0.0.1"),
        ("--listen", "::1:80"),
        ("--listen", "unix:"),
        ("--socket-mode", "1000"),
        ("--socket-mode", "rw"),
        ("--socket-mode", "+7"),
        ("--threads", "0"),
        ("--threads", "1025"),
        ("--pool", "0"),
        ("--pool", "1025"),
        ("--grace", "-1"),
        ("--durability", "paper"),
        ("--connections-max", "0"),
        ("--connections-max", "16777217"),
        ("--requests-per-connection-max", "0"),
        ("--queue-jobs-max", "0"),
        ("--target-bytes-max", "0"),
        ("--head-bytes-max", "0"),
        ("--head-bytes-max", "2GiB"),
        ("--head-bytes-max", "1KiB"),
        ("--target-bytes-max", "33KiB"),
        ("--head-fields-max", "0"),
        ("--head-fields-max", "257"),
        ("--content-bytes-max", ""),
        ("--content-bytes-max", "KiB"),
        ("--content-bytes-max", "1KB"),
        ("--content-bytes-max", "1kib"),
        ("--content-bytes-max", "1.5MiB"),
        ("--content-bytes-max", "18446744073709551616"),
        ("--content-bytes-max", "16777216TiB"),
        ("--content-buffer-bytes-max", "0"),
        ("--chunk-overhead-bytes-max", "2GiB"),
        ("--head-seconds-max", "0"),
        ("--content-seconds-max", "0.0001"),
        ("--idle-seconds-max", "nan"),
        ("--idle-seconds-max", "inf"),
        ("--idle-seconds-max", "1e3"),
        ("--write-seconds-max", "."),
        ("--write-seconds-max", "31536001"),
        ("--transfer-bytes-per-second-min", "0"),
        ("--linger-seconds-max", "ten"),
    ] {
        let assigned = format!("{flag}={value}");
        let line = refused(&["http_server", "data", &assigned]);
        assert!(line.contains(flag), "{assigned}: {line}");
        assert_eq!(line.lines().count(), 1, "{assigned}: {line}");
    }
}

#[test]
fn bounds_themselves_are_allowed() {
    let ceiling = HEAD_FIELDS_CEILING.to_string();
    let limits = options(&[
        "--head-bytes-max=1",
        "--target-bytes-max=1",
        "--connections-max=16777216",
        "--requests-per-connection-max=1",
        "--linger-seconds-max=0",
        "--discard-bytes-max=0",
        "--chunk-overhead-bytes-max=0",
        "--head-fields-max",
        &ceiling,
    ])
    .limits;
    assert_eq!((limits.head_bytes_max, limits.target_bytes_max), (1, 1));
    assert_eq!(limits.head_fields_max, HEAD_FIELDS_CEILING);
    assert_eq!(limits.linger_time_max, Duration::ZERO);
}

#[test]
fn refusals_say_what_is_wrong() {
    assert_eq!(
        refused(&["http_server"]),
        "no base directory: `http_server <BASE_DIRECTORY>` serves one (--help lists every flag)"
    );
    let line = refused(&["http_server", "data", "--durability", "paper"]);
    assert!(
        line.starts_with("invalid value 'paper' for '--durability <LEVEL>' [possible values: disk, cache]"),
        "{line}"
    );
    let line = refused(&["http_server", "data", "--prot", "80"]);
    assert!(
        line.starts_with("unexpected argument '--prot' found; tip: a similar argument exists: '--port'"),
        "{line}"
    );
    let line = refused(&["http_server", "data", "more"]);
    assert_eq!(line, "behind the base directory there are only flags, not 'more' (--help lists every flag)");
    let line = refused(&["http_server", "data", "--target-bytes-max=64KiB"]);
    assert!(line.starts_with("--target-bytes-max 64KiB is more than --head-bytes-max 32KiB"), "{line}");
}
