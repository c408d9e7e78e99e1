//! Ordinary clients are understood and understand: curl, Python's `http.client`, `ab` and `wrk`. One
//! that is not installed is skipped, with a line that says so.

#![allow(clippy::unwrap_used, reason = "a helper of tests fails the test that it helps")]

use std::process::Command;

use tests::Server;

/// Runs a client on a server of its own; `ADDRESS` in its arguments stands for the server's address. What it
/// prints, or nothing where it is not installed.
fn run(program: &str, version: &str, arguments: &[&str]) -> Option<String> {
    let Ok(about) = Command::new(program).arg(version).output() else {
        println!("clients: {program} skipped, it is not installed");
        return None;
    };
    // Some print their version to stderr.
    let about = [about.stdout, about.stderr].concat();
    println!("clients: {}", String::from_utf8_lossy(&about).lines().next().unwrap_or_default());
    let server = Server::start(&["--quiet"]);
    let address = server.address().to_string();
    let output = Command::new(program)
        .args(arguments.iter().map(|argument| argument.replace("ADDRESS", &address)))
        .current_dir(server.directory())
        .output()
        .unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn curl_reads_writes_and_waits_for_continue() {
    let script = "set -e; code() { curl -s -o /dev/null -w '%{http_code} ' \"$@\"; }
        head -c 3000000 /dev/zero > large
        code -T large http://ADDRESS/files/a
        code -T - -H 'Expect: 100-continue' http://ADDRESS/files/a < large
        code -X PATCH --data-binary @large http://ADDRESS/files/a
        code --http1.0 http://ADDRESS/files/a
        code -I http://ADDRESS/files/a
        code -X DELETE http://ADDRESS/files/a
        code http://ADDRESS/files/a http://ADDRESS/echo/b -o /dev/null";
    if let Some(codes) = run("bash", "--version", &["-c", script]) {
        assert_eq!(codes.trim(), "201 200 200 200 200 200 404 200");
    }
}

#[test]
fn python_keeps_its_connection() {
    let script = "
import http.client, sys
c = http.client.HTTPConnection(sys.argv[1])
def ask(*request, **more):
    c.request(*request, **more)
    answer = c.getresponse()
    content = answer.read()
    print(answer.status, len(content), c.sock is not None)
ask('PUT', '/files/a', body=b'x' * 100000)
ask('PATCH', '/files/a', body=(b'chunk' for _ in range(3)), encode_chunked=True, headers={'Transfer-Encoding': 'chunked'})
ask('GET', '/files/a')
ask('HEAD', '/files/a')
ask('OPTIONS', '/files/a')
ask('POST', '/echo/a', body=b'unwanted')
ask('GET', '/echo/a')
";
    if let Some(answers) = run("python3", "--version", &["-c", script, "ADDRESS"]) {
        let expected =
            "201 17 True\n200 9 True\n200 100015 True\n200 0 True\n204 0 True\n405 39 True\n200 1 True\n";
        assert_eq!(answers, expected);
    }
}

#[test]
fn benchmark_tools_see_no_failure() {
    if let Some(report) = run("ab", "-V", &["-q", "-k", "-n", "1000", "-c", "8", "http://ADDRESS/echo/a"]) {
        assert!(report.contains("Failed requests:        0"), "{report}");
        assert!(report.contains("Keep-Alive requests:    1000"), "{report}");
    }
    if let Some(report) = run("wrk", "-v", &["-t1", "-c8", "-d1", "http://ADDRESS/echo/a"]) {
        assert!(!report.contains("Non-2xx") && !report.contains("Socket errors"), "{report}");
    }
}
