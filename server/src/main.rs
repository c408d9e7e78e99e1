//! Command line in, exit status out: 0 after a drain, 1 when serving failed, 2 for a bad command line.

mod config;

use std::fmt::Display;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use config::Ending;
use http_server::api::rights::Rights;
use http_server::driver::confinement::Confinement;
use http_server::driver::listeners::Endpoint;
use http_server::driver::server::{Options, Server};

fn main() -> ExitCode {
    match config::read(std::env::args_os()) {
        Ok(options) => serve(options),
        Err(Ending::Shown(text)) => {
            show(&text);
            ExitCode::SUCCESS
        }
        Err(Ending::Refused(error)) => {
            complain(&error);
            ExitCode::from(2)
        }
    }
}

fn serve(options: Options) -> ExitCode {
    let base_directory = options.base_directory.clone();
    let threads = (options.event_loops, options.workers);
    let may = may(options.rights.as_ref());
    let server = match Server::start(options) {
        Ok(server) => server,
        Err(error) => {
            complain(&error);
            return ExitCode::FAILURE;
        }
    };
    show(&start_line(&base_directory, server.endpoints(), threads, server.confinement(), may));
    if let Some(address) = server.admin() {
        show(&format!("http_server: health and metrics on http://{address}\n"));
    }
    match server.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

/// What those may who reach the server.
fn may(rights: Option<&Rights>) -> &'static str {
    match rights {
        None => "write",
        Some(Rights { rules: Some(_), .. }) => "do what --allow says",
        Some(_) => "read",
    }
}

fn start_line(
    base_directory: &Path,
    endpoints: &[Endpoint],
    (event_loops, workers): (usize, usize),
    confinement: &Confinement,
    may: &str,
) -> String {
    let directory = base_directory.canonicalize().unwrap_or_else(|_| PathBuf::from(base_directory));
    let event_loops = counted(event_loops, "event loop");
    let workers = counted(workers, "pool thread");
    let places: Vec<String> = endpoints.iter().map(Endpoint::to_string).collect();
    let (places, openness) = (places.join(" and "), openness(endpoints, may));
    let directory = directory.display();
    let line =
        format!("serving {directory} on {places} ({event_loops}, {workers}, {confinement}); {openness}");
    format!("http_server: {}\n", in_one_line(&line))
}

/// Who reaches the server, and what those may.
fn openness(endpoints: &[Endpoint], may: &str) -> String {
    let loopback = |endpoint: &Endpoint| match endpoint {
        Endpoint::Address { address, .. } => Some(address.ip().is_loopback()),
        Endpoint::Path(_) => None,
    };
    match endpoints {
        [Endpoint::Address { address, .. }] if address.ip().is_loopback() && address.is_ipv4() => {
            format!("--bind 0.0.0.0 opens it to other machines, who may then {may}")
        }
        [Endpoint::Address { address, .. }] if address.ip().is_loopback() => {
            format!("--bind :: opens it to other machines, who may then {may}")
        }
        [Endpoint::Address { .. }] => format!("every machine that reaches this address may {may}"),
        _ if endpoints.iter().any(|endpoint| loopback(endpoint) == Some(false)) => {
            format!("every machine that reaches one of these addresses may {may}")
        }
        _ => format!("whoever on this machine may connect may {may}"),
    }
}

fn counted(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// To stdout; that nobody reads there is no reason to stop.
fn show(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// One line to stderr; that nobody reads there is no reason to panic.
fn complain(error: &dyn Display) {
    let line = format!("http_server: {}\n", in_one_line(&error.to_string()));
    let _ = std::io::stderr().lock().write_all(line.as_bytes());
}

/// Names and arguments come from outside: whatever would end the line or move the cursor is escaped.
fn in_one_line(text: &str) -> String {
    text.chars().fold(String::new(), |mut line, character| {
        if character.is_control() {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
        line
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_line_names_address_directory_and_threads() {
        let check = |places: &str, threads, expected: &str| {
            let endpoint = |text: &str| match text.strip_prefix("unix:") {
                Some(path) => Endpoint::Path(path.into()),
                None => Endpoint::Address { address: text.parse().unwrap(), secure: false },
            };
            let endpoints: Vec<Endpoint> = places.split(' ').map(endpoint).collect();
            let confinement = Confinement::Version(6);
            let line =
                start_line(Path::new("/no/such\ndirectory"), &endpoints, threads, &confinement, may(None));
            assert_eq!(line, format!("http_server: serving /no/such\\ndirectory on {expected}\n"));
        };
        check(
            "127.0.0.1:4221",
            (2, 32),
            "http://127.0.0.1:4221 (2 event loops, 32 pool threads, confined by Landlock 6); \
             --bind 0.0.0.0 opens it to other machines, who may then write",
        );
        check(
            "[::1]:80",
            (1, 1),
            "http://[::1]:80 (1 event loop, 1 pool thread, confined by Landlock 6); --bind :: opens it to other machines, who may then write",
        );
        check(
            "0.0.0.0:4221",
            (1, 2),
            "http://0.0.0.0:4221 (1 event loop, 2 pool threads, confined by Landlock 6); every machine that reaches this address may write",
        );
        check(
            "127.0.0.1:80 unix:/run/a\n",
            (1, 2),
            "http://127.0.0.1:80 and unix:/run/a\\n (1 event loop, 2 pool threads, confined by Landlock 6); \
             whoever on this machine may connect may write",
        );
        check(
            "unix:/run/a [::]:80",
            (1, 2),
            "unix:/run/a and http://[::]:80 (1 event loop, 2 pool threads, confined by Landlock 6); \
             every machine that reaches one of these addresses may write",
        );
    }
}
