//! Where a server listens: several places at once, local sockets, sockets that a service manager hands
//! over, and what the manager is told.
//!
//! Goal: at each place the same server answers, a local socket is there just as long as its server, and a
//! place that somebody has is refused. Method: the binary, with clients at every place.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper of tests fails the test that it helps"
)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use tests::{Client, PATIENCE, Server, binary, eventually, ledger};

const ECHO: &str = "GET /echo/here HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

/// Asks on a connection of its own; whether the server answered.
fn answers(mut stream: impl Read + Write) -> bool {
    let mut answer = String::new();
    let exchanged = stream.write_all(ECHO.as_bytes()).and_then(|()| stream.read_to_string(&mut answer));
    exchanged.is_ok() && answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("here")
}

fn local(path: &Path) -> UnixStream {
    let stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn internet(address: impl Into<SocketAddr>) -> TcpStream {
    let stream = TcpStream::connect(address.into()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// A server that is not started in the simple way; it ends with its test.
struct Started {
    child: Child,
    start_line: String,
    _home: TempDir,
}

impl Started {
    /// Runs `command`, which is to start the binary with the base directory that it gets behind its other
    /// words.
    fn launch(mut command: Command) -> Started {
        let home = tempfile::tempdir().unwrap();
        let child = command.arg(home.path().join("data")).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = child.spawn().unwrap();
        let mut start_line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut start_line).unwrap();
        Started { child, start_line, _home: home }
    }

    fn signal(&self, name: &str) {
        let mut kill = Command::new("sh");
        kill.args(["-c", "kill -s \"$0\" \"$1\"", name, &self.child.id().to_string()]);
        assert!(kill.status().unwrap().success());
    }

    fn stop(&mut self) {
        self.signal("TERM");
        eventually("the server ends", || self.child.try_wait().unwrap().is_some());
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }

    /// The port in its start line behind `prefix`.
    fn port(&self, prefix: &str) -> u16 {
        let (_, rest) = self.start_line.split_once(prefix).unwrap_or_else(|| panic!("{}", self.start_line));
        rest.split(' ').next().unwrap().parse().unwrap()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn one_server_answers_at_every_place() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("socket");
    let places = format!("[::1]:0,unix:{}", path.display());
    let server = Server::start(&["--threads", "3", "--listen", &places, "--listen", "127.0.0.2:0"]);
    let line = server.start_line();
    let port = |prefix: &str| -> u16 {
        let (_, rest) = line.split_once(prefix).unwrap();
        rest.split(' ').next().unwrap().parse().unwrap()
    };
    let addresses: [SocketAddr; 3] = [
        server.address(),
        (Ipv6Addr::LOCALHOST, port("http://[::1]:")).into(),
        (Ipv4Addr::new(127, 0, 0, 2), port("http://127.0.0.2:")).into(),
    ];
    assert!(line.contains(&format!(" and unix:{} and ", path.display())), "{line}");
    assert!(line.ends_with("whoever on this machine may connect may write"), "{line}");
    let mut answered = 0;
    for _ in 0..30 {
        for address in addresses {
            answered += u64::from(answers(internet(address)));
        }
        answered += u64::from(answers(local(&path)));
    }
    ledger::record("listeners:places", &[("answered", answered)]);
    // What one client leaves the others find, wherever they come in.
    Client::connect(addresses[1]).ask("PUT /files/a", "content");
    assert_eq!(Client::connect(addresses[0]).ask("GET /files/a", "").text(), "content");
    let log = server.stop();
    assert!(log.contains("unix \"GET /echo/here HTTP/1.1\" 200 4"), "{log}");
    assert!(!path.exists());
}

#[test]
fn many_clients_of_a_local_socket_are_served_by_all_event_loops() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("socket");
    let server = Server::start(&["--threads", "4", "--listen", &format!("unix:{}", path.display())]);
    // All connections at once, so that none is left behind by an event loop that was not woken.
    let mut clients: Vec<UnixStream> = (0..200).map(|_| local(&path)).collect();
    clients.iter_mut().for_each(|client| client.write_all(ECHO.as_bytes()).unwrap());
    for mut client in clients {
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert!(answer.ends_with("here"), "{answer}");
    }
    // A file goes over it as over any other.
    let content: Vec<u8> = (0..3_000_000_u32).map(|at| (at % 251) as u8).collect();
    fs::write(server.directory().join("large"), &content).unwrap();
    let mut client = local(&path);
    client.write_all(b"GET /files/large HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    assert!(answer.ends_with(&content));
}

#[test]
fn all_addresses_of_version_6_are_all_of_version_4_as_well() {
    let mut command = Command::new(binary());
    command.args(["--quiet", "--listen", "[::]:0"]);
    let server = Started::launch(command);
    let port = server.port("http://[::]:");
    assert!(answers(internet((Ipv6Addr::LOCALHOST, port))));
    assert!(answers(internet((Ipv4Addr::LOCALHOST, port))));
    assert!(server.start_line.contains("every machine that reaches this address may write"));
    // Where somebody asks for both, each has its own.
    let mut command = Command::new(binary());
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    command.args(["--quiet", "--listen", &format!("[::]:{free},0.0.0.0:{free}")]);
    let server = Started::launch(command);
    assert!(answers(internet((Ipv6Addr::LOCALHOST, free))));
    assert!(answers(internet((Ipv4Addr::LOCALHOST, free))));
    drop(server);
}

#[test]
fn a_local_socket_is_there_as_long_as_its_server() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("socket");
    let place = format!("unix:{}", path.display());
    let flags = ["--listen", &place, "--socket-mode", "640", "--grace", "50"];
    let server = Server::start(&flags);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    // A second server is refused, and does the first one no harm.
    let other = home.path().join("data");
    let output = Command::new(binary()).args(["--listen", &place]).arg(&other).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains(&format!("cannot listen on {place}: another program does")), "{stderr}");
    assert!(answers(local(&path)));
    // One that was killed leaves its socket, and the next one takes its place.
    let mut server = server.kill_and_restart(&flags);
    assert!(answers(local(&path)));
    // At the end the name goes first; who is connected is served to the end.
    let mut late = local(&path);
    late.write_all(b"PUT /files/a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
        .unwrap();
    let mut proceed = [0; 25];
    late.read_exact(&mut proceed).unwrap();
    assert_eq!(&proceed, b"HTTP/1.1 100 Continue\r\n\r\n");
    server.signal("TERM");
    eventually("the socket is gone", || !path.exists());
    assert!(server.is_running());
    late.write_all(b"here").unwrap();
    let mut answer = String::new();
    late.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    assert_eq!(server.expect_exit().code(), Some(0));
}

#[test]
fn what_is_no_socket_is_not_replaced() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("socket");
    fs::write(&path, "precious").unwrap();
    let place = format!("unix:{}", path.display());
    let output =
        Command::new(binary()).args(["--listen", &place]).arg(home.path().join("data")).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("is no socket"));
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
}

/// Runs the binary as a service manager does, with these sockets.
fn activate(sockets: [OwnedFd; 2]) -> Started {
    let [first, second] = sockets;
    // sd_listen_fds(3): they are 3 and 4, and the process is told so by its number.
    let script = "export LISTEN_FDS=2 LISTEN_PID=$$; exec \"$0\" \"$@\" 3<&0 4<&2 </dev/null 2>/dev/null";
    let mut command = Command::new("sh");
    command.args(["-c", script]).arg(binary()).args(["--quiet", "--threads", "2"]);
    // Through the streams that a child can be given; `launch` gives it others, so here it is done by hand.
    let home = tempfile::tempdir().unwrap();
    command.arg(home.path().join("data")).stdin(first).stderr(second).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut start_line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut start_line).unwrap();
    Started { child, start_line, _home: home }
}

#[test]
fn sockets_that_are_handed_over_are_listened_on_and_outlive_the_server() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("socket");
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let unix = UnixListener::bind(&path).unwrap();
    let address = tcp.local_addr().unwrap();
    let mut early = internet(address);
    early.write_all(ECHO.as_bytes()).unwrap();
    for _ in 0..2 {
        let mut server = activate([tcp.try_clone().unwrap().into(), unix.try_clone().unwrap().into()]);
        // In place of the port that is listened on otherwise.
        let expected = format!(" on http://{address} and unix:{} (2 event loops", path.display());
        assert!(server.start_line.contains(&expected), "{}", server.start_line);
        for _ in 0..20 {
            assert!(answers(internet(address)));
            assert!(answers(local(&path)));
        }
        server.stop();
        assert!(path.exists(), "it is not ours to remove");
    }
    // Whoever came before the first one was not forgotten, nor is who comes when none runs.
    let mut answer = String::new();
    early.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("here"), "{answer}");
    let mut between = internet(address);
    between.write_all(ECHO.as_bytes()).unwrap();
    let _server = activate([tcp.into(), unix.into()]);
    let mut answer = String::new();
    between.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("here"), "{answer}");
}

#[test]
fn a_descriptor_that_does_not_listen_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let script = "export LISTEN_FDS=1 LISTEN_PID=$$; exec \"$0\" \"$@\" 3</dev/null";
    let mut command = Command::new("sh");
    let output = command.args(["-c", script]).arg(binary()).arg(home.path().join("data")).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("socket 1 of those that were handed over"), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}

#[test]
fn the_service_manager_hears_of_start_reload_and_end() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let heard = || {
        let mut buffer = [0; 1024];
        let count = manager.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..count].to_vec()).unwrap()
    };
    let mut command = Command::new(binary());
    command.args(["--quiet", "--port", "0"]).env("NOTIFY_SOCKET", &path);
    let mut server = Started::launch(command);
    assert_eq!(heard(), "READY=1\n");
    // By then it answers.
    assert!(answers(internet((Ipv4Addr::LOCALHOST, server.port("http://127.0.0.1:")))));
    for _ in 0..2 {
        server.signal("HUP");
        let reloading = heard();
        assert!(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{reloading}");
        assert_eq!(heard(), "READY=1\n");
    }
    assert!(answers(internet((Ipv4Addr::LOCALHOST, server.port("http://127.0.0.1:")))));
    server.stop();
    assert_eq!(heard(), "STOPPING=1\n");
}

#[test]
fn the_units_are_what_the_service_manager_takes_and_are_confined() {
    let tool = Command::new("systemd-analyze").arg("--version").output();
    if !tool.is_ok_and(|output| output.status.success()) {
        ledger::skipped("listeners:units", "systemd-analyze is not installed");
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let units = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging");
    let copies = ["http_server.service", "http_server.socket"].map(|name| {
        let text = fs::read_to_string(units.join(name)).unwrap();
        // Where the binary is installed there is none here.
        let text = text.replace("/usr/local/bin/http_server", binary().to_str().unwrap());
        let copy = home.path().join(name);
        fs::write(&copy, text).unwrap();
        copy
    });
    let analyze = |words: &[&str], files: &[&Path]| {
        let output = Command::new("systemd-analyze").args(words).args(files).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        assert!(output.status.success(), "{words:?}: {text}");
        text
    };
    let complaints = analyze(&["verify", "--man=no"], &[&copies[0], &copies[1]]);
    let complaints = complaints.lines().filter(|line| line.contains("http_server")).count();
    assert_eq!(complaints, 0);
    // Its exposure in tenths: what is left is that it may open sockets.
    analyze(&["security", "--offline=true", "--threshold=15"], &[&copies[0]]);
    ledger::record("listeners:units", &[("checked", 2)]);
}
