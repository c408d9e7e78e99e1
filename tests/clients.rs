//! Clients that people use, each as it comes: what is strict here must not break them. One that is not
//! installed is skipped, which is counted and printed with the versions of the others.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper of tests fails the test that it helps")]

use std::fs::File;
use std::io::ErrorKind;
use std::process::{Command, Output, Stdio};

use assert_cmd::Command as Tried;
use tests::{PATIENCE, Server, exchange, ledger};

/// Runs a client that has to end by itself; what it wrote to stdout and stderr.
#[track_caller]
fn run(program: &str, arguments: &[&str], stdin: &[u8]) -> (String, String) {
    let output = Tried::new(program).args(arguments).write_stdin(stdin).timeout(PATIENCE).output().unwrap();
    let Output { status, stdout, stderr } = output;
    let (stdout, stderr) =
        (String::from_utf8_lossy(&stdout).into_owned(), String::from_utf8_lossy(&stderr).into_owned());
    assert!(status.success(), "{program} {arguments:?}: {status}\n{stdout}\n{stderr}");
    (stdout, stderr)
}

/// Whether `program` is there; prints the first line that it says of its version.
fn is_installed(program: &str, flag: &str) -> bool {
    match Command::new(program).arg(flag).stdin(Stdio::null()).output() {
        Ok(output) => {
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8_lossy(&said).into_owned();
            println!("clients: {program} is {:?}", said.lines().next().unwrap_or("?"));
            true
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            ledger::skipped("clients", &format!("{program} is not installed"));
            false
        }
        Err(error) => panic!("{program}: {error}"),
    }
}

fn url(server: &Server, path: &str) -> String {
    format!("http://{}{path}", server.address())
}

/// What curl prints with `--write-out`, when it is given these arguments and all that it receives is
/// thrown away.
#[track_caller]
fn curl(arguments: &[&str], write_out: &str, stdin: &[u8]) -> (String, String) {
    let mut all = vec!["-s", "-S", "-v", "-o", "/dev/null", "-w", write_out];
    all.extend(arguments);
    run("curl", &all, stdin)
}

#[test]
fn curl_gets_puts_and_expects() {
    if !is_installed("curl", "--version") {
        return;
    }
    let server = Server::start(&[]);
    let content = vec![b'x'; 3 << 20];
    let file = server.outside("upload");
    std::fs::write(&file, &content).unwrap();
    let (file, target) = (file.to_str().unwrap(), url(&server, "/files/curl"));

    // More than 1 MiB: curl asks first, and is told to go on.
    let (status, said) = curl(&["-T", file, &target], "%{http_code}", b"");
    assert_eq!(status, "201");
    assert!(said.contains("> Expect: 100-continue") && said.contains("< HTTP/1.1 100 Continue"), "{said}");
    assert_eq!(std::fs::read(server.directory().join("curl")).unwrap(), content);
    let seen = "%{http_code} %{size_download} %{num_connects}\n";
    assert_eq!(curl(&[&target], seen, b"").0, format!("200 {} 1\n", content.len()));
    assert_eq!(curl(&["-I", &target], "%{http_code} %header{content-length}", b"").0, "200 3145728");
    // From stdin its length is unknown: chunked in HTTP/1.1.
    let (status, said) = curl(&["-T", "-", &target], "%{http_code}", &content[..2_500_000]);
    assert!(status == "200" && said.contains("> Transfer-Encoding: chunked"), "{status} {said}");
    assert_eq!(std::fs::metadata(server.directory().join("curl")).unwrap().len(), 2_500_000);
    // A refusal comes in place of 100, and curl keeps its content.
    let (refused, said) = curl(
        &["-X", "POST", "-H", "Expect: 100-continue", "-T", file, &target],
        "%{http_code} %{size_upload}",
        b"",
    );
    assert!(refused.starts_with("409 "), "{refused}\n{said}");
    // One connection for all of them.
    let many = url(&server, "/echo/[1-50]");
    let connects = curl(&["--http1.1", &many], "%{num_connects}", b"").0;
    assert_eq!(connects, "1".to_owned() + &"0".repeat(49));
    let parallel = curl(&["--parallel", "--parallel-max", "8", &many], "%{http_code}\n", b"").0;
    assert_eq!(parallel, "200\n".repeat(50));
    for (arguments, expected) in [
        (&[&*target][..], "200 1.1"),
        (&["-T", file, &target], "200 1.1"),
        (&["-H", "Connection: keep-alive", &target], "200 1.1"),
        (&["-X", "DELETE", &target], "200 1.1"),
    ] {
        let all = [&["--http1.0"], arguments].concat();
        assert_eq!(curl(&all, "%{http_code} %{http_version}", b"").0, expected, "{all:?}");
    }
}

#[test]
fn libraries_of_python_are_served() {
    if !is_installed("python3", "--version") {
        return;
    }
    let server = Server::start(&[]);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/library.py");
    let (host, port) = (server.address().ip().to_string(), server.address().port().to_string());
    run("python3", &[script, &host, &port], b"");
}

#[test]
fn ab_has_all_its_requests_answered_on_kept_connections() {
    if !is_installed("ab", "-V") {
        return;
    }
    let server = Server::start(&["--quiet"]);
    assert_eq!(exchange(&server, "PUT /files/a", "content").status, 201);
    for path in ["/echo/a", "/files/a"] {
        let (report, _) = run("ab", &["-q", "-k", "-n", "5000", "-c", "20", &url(&server, path)], b"");
        for (name, expected) in
            [("Complete requests:", "5000"), ("Failed requests:", "0"), ("Keep-Alive requests:", "5000")]
        {
            let value = report.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
            assert_eq!(value, Some(expected), "{path}: {name}\n{report}");
        }
        assert!(!report.contains("Non-2xx"), "{report}");
    }
}

#[test]
fn wrk_sees_no_error() {
    if !is_installed("wrk", "-v") {
        return;
    }
    let server = Server::start(&["--quiet"]);
    File::create(server.directory().join("large")).unwrap().set_len(300_000).unwrap();
    for path in ["/echo/a", "/files/large"] {
        let (report, _) = run("wrk", &["-t", "1", "-c", "20", "-d", "1s", &url(&server, path)], b"");
        assert!(report.contains("requests in"), "{report}");
        assert!(!report.contains("Socket errors") && !report.contains("Non-2xx"), "{report}");
    }
}
