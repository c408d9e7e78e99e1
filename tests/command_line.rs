//! What the operator is told: one line where serving begins, one line where it cannot.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper of tests fails the test that it helps"
)]

use std::fs::{self, Permissions};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;
use tests::{Client, PATIENCE, Server, binary, eventually, unprivileged};

/// Runs a command that has to end by itself.
fn run(command: Command) -> Output {
    assert_cmd::Command::from_std(command).timeout(PATIENCE).output().expect("the binary runs")
}

fn binary_with(arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(arguments);
    command
}

/// Checks that a command ends with `status`, one line on stderr that says `reason`, and nothing else.
#[track_caller]
fn check_refused(command: Command, status: i32, reason: &str) {
    let shown = format!("{command:?}");
    let output = run(command);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(status), "{shown}\n{stderr}");
    assert!(output.stdout.is_empty(), "{shown}: {:?}", output.stdout);
    assert!(stderr.starts_with("http_server: "), "{shown}\n{stderr}");
    assert_eq!(stderr.find('\n'), Some(stderr.len() - 1), "{shown}: one line\n{stderr}");
    assert!(!stderr.trim_end().contains(|character: char| character.is_control()), "{shown}: {stderr:?}");
    assert!(stderr.contains(reason), "{shown}: no {reason:?}\n{stderr}");
}

#[test]
fn bad_command_lines_are_refused_in_one_line_with_status_2() {
    let refused = |arguments: &[&str], reason: &str| check_refused(binary_with(arguments), 2, reason);
    refused(&[], "<BASE_DIRECTORY>");
    refused(&["--port", "0"], "<BASE_DIRECTORY>");
    refused(&["data", "more"], "'more'");
    refused(&["data", "--nonsense"], "'--nonsense'");
    refused(&["data", "--nonsense\n\x1b[31mred\n\nUsage: none"], "--nonsense");
    refused(&["data", "--bind", "localhost"], "--bind");
    refused(&["data", "--port", "65536"], "--port");
    refused(&["data", "--port", "\n"], "--port");
    refused(&["data", "--port"], "--port");
    refused(&["data", "--port", "1", "--port", "2"], "--port");
    refused(&["data", "--threads", "0"], "--threads");
    refused(&["data", "--pool", "0"], "--pool");
    refused(&["data", "--durability", "paper"], "[possible values: disk, cache]");
    refused(&["data", "--head-bytes-max", "1KiB"], "--target-bytes-max");
    refused(&["data", "--idle-seconds-max", "0"], "--idle-seconds-max");
}

#[test]
fn help_and_version_are_no_errors() {
    for (flag, expected) in
        [("--help", "Usage: http_server"), ("-h", "--port <PORT>"), ("--version", "http_server ")]
    {
        let output = run(binary_with(&[flag]));
        assert!(output.status.success() && output.stderr.is_empty(), "{flag}: {output:?}");
        assert!(String::from_utf8(output.stdout).unwrap().contains(expected), "{flag}");
    }
}

#[test]
fn a_base_directory_that_is_none_is_refused() {
    let home = TempDir::new().unwrap();
    let file = home.path().join("file");
    fs::write(&file, "content").unwrap();
    let file = file.to_str().unwrap();
    check_refused(binary_with(&["--port", "0", file]), 1, file);
    let below = format!("{file}/below");
    check_refused(binary_with(&["--port", "0", &below]), 1, &below);
    assert_eq!(fs::read_to_string(file).unwrap(), "content");
    let two_lines = home.path().join("two\nlines");
    fs::write(&two_lines, "content").unwrap();
    let two_lines = two_lines.to_str().unwrap();
    check_refused(binary_with(&["--port", "0", two_lines]), 1, "two\\nlines");
}

#[test]
fn a_base_directory_that_may_not_be_used_is_refused() {
    let home = TempDir::new().unwrap();
    let closed = home.path().join("closed");
    fs::create_dir(&closed).unwrap();
    let mut command = unprivileged(home.path());
    fs::set_permissions(&closed, Permissions::from_mode(0o000)).unwrap();
    command.args(["--port", "0"]).arg(&closed);
    check_refused(command, 1, closed.to_str().unwrap());
    let mut command = unprivileged(home.path());
    command.args(["--port", "0"]).arg(closed.join("below"));
    check_refused(command, 1, closed.to_str().unwrap());
    fs::set_permissions(&closed, Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_port_that_is_taken_is_refused() {
    let home = TempDir::new().unwrap();
    let data = home.path().join("data");
    let data = data.to_str().unwrap();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port().to_string();
    check_refused(binary_with(&["--port", &port, data]), 1, &port);
    // Nor is it shared with another one of our own, each to get a part of the connections.
    let server = Server::start(&[]);
    let port = server.address().port().to_string();
    check_refused(binary_with(&["--port", &port, data]), 1, &port);
}

#[test]
fn an_address_of_another_machine_is_refused() {
    let home = TempDir::new().unwrap();
    let data = home.path().join("data");
    // RFC 5737: nobody has this address.
    let command = binary_with(&["--port", "0", "--bind", "192.0.2.1", data.to_str().unwrap()]);
    check_refused(command, 1, "192.0.2.1");
}

#[test]
fn a_port_that_needs_privilege_is_refused() {
    let first_free = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap();
    let first_free: u16 = first_free.trim().parse().unwrap();
    // Where every port is free to all, the port that cannot be had is one that is taken.
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = match first_free {
        0 | 1 => other.local_addr().unwrap().port(),
        _ => first_free - 1,
    };
    let home = TempDir::new().unwrap();
    let mut command = unprivileged(home.path());
    command.args(["--port", &port.to_string()]).arg(home.path().join("data"));
    check_refused(command, 1, &port.to_string());
}

#[test]
fn the_start_line_says_where_what_and_with_how_many_threads() {
    let server = Server::start(&["--threads", "3", "--pool", "5", "--landlock=false"]);
    let directory = server.directory().canonicalize().unwrap();
    let expected = format!(
        "http_server: serving {} on http://{} (3 event loops, 5 pool threads, not confined); \
         --bind 0.0.0.0 opens it to other machines, who may then write",
        directory.display(),
        server.address()
    );
    assert_eq!(server.start_line(), expected);
    assert_ne!(server.address().port(), 0);
    assert!(server.address().ip().is_loopback());
}

#[test]
fn a_missing_base_directory_is_made() {
    let server = Server::start(&[]);
    // The test has only made the directory above it.
    assert!(server.directory().is_dir());
}

#[test]
fn any_address_of_the_machine_can_be_bound() {
    let server = Server::start(&["--bind", "127.0.0.2"]);
    assert_eq!(server.address().ip().to_string(), "127.0.0.2");
    server.connect().expect_alive();
    let server = Server::start(&["--bind", "0.0.0.0"]);
    assert!(server.start_line().ends_with("; every machine that reaches this address may write"));
    Client::connect(SocketAddr::from(([127, 0, 0, 1], server.address().port()))).expect_alive();
}

#[test]
fn a_server_to_whom_nobody_listens_serves() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let home = TempDir::new().unwrap();
    let mut unheard = Killed(
        binary_with(&["--port", &free.port().to_string()])
            .arg(home.path().join("data"))
            .stdin(Stdio::null())
            .stdout(writer.try_clone().unwrap())
            .stderr(writer)
            .spawn()
            .unwrap(),
    );
    eventually("it listens", || {
        assert_eq!(unheard.0.try_wait().unwrap(), None, "it ended because nobody reads its output");
        TcpStream::connect(free).is_ok()
    });
    Client::connect(free).expect_alive();
    assert_eq!(unheard.0.try_wait().unwrap(), None);
}

/// A child that does not outlive its test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
