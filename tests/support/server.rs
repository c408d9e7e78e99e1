//! A server of its own for each test, on a free port, that ends with its test.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::{Client, PATIENCE, am_root, binary};

/// A running server and the directory that it serves.
#[derive(Debug)]
pub struct Server {
    child: Child,
    start_line: String,
    lines: Mutex<Receiver<String>>,
    address: SocketAddr,
    // A handle each, so that a server started again finds what the first one left.
    home: Arc<TempDir>,
    directory: PathBuf,
    stderr: Arc<Mutex<Vec<u8>>>,
}

/// What becomes of the server's stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stderr {
    /// It is read and kept for [`Server::stderr`].
    Read,
    /// Nobody reads it, so that its pipe fills.
    Stuck,
}

impl Server {
    /// Starts a server with these flags on a directory of its own.
    #[track_caller]
    pub fn start(flags: &[&str]) -> Server {
        Server::start_with(flags, Stderr::Read)
    }

    /// The same, with a say about its stderr.
    #[track_caller]
    pub fn start_with(flags: &[&str], stderr: Stderr) -> Server {
        Server::launch(Command::new(binary()), new_home(), "0", flags, stderr)
    }

    /// The same, with so many descriptors at most.
    #[track_caller]
    pub fn start_with_open_files(at_most: usize, flags: &[&str]) -> Server {
        Server::start_limited("-n", at_most, flags)
    }

    /// The same, below a limit of the shell's `ulimit`.
    #[track_caller]
    pub fn start_limited(limit: &str, at_most: usize, flags: &[&str]) -> Server {
        let mut command = Command::new("sh");
        let set = format!("ulimit {limit} \"$0\" && exec \"$@\"");
        command.args(["-c", &set, &at_most.to_string()]).arg(binary());
        Server::launch(command, new_home(), "0", flags, Stderr::Read)
    }

    /// The same, by a user for whom file permissions hold.
    #[track_caller]
    pub fn start_unprivileged(flags: &[&str]) -> Server {
        let home = new_home();
        let command = unprivileged(home.path());
        Server::launch(command, home, "0", flags, Stderr::Read)
    }

    /// The same on `data` in `home`, where something may have been made ready.
    #[track_caller]
    pub fn start_in(home: Arc<TempDir>, flags: &[&str]) -> Server {
        Server::launch(Command::new(binary()), home, "0", flags, Stderr::Read)
    }

    /// Kills this server as `kill -9` does, and waits for its end.
    #[track_caller]
    pub fn kill(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        self.expect_exit();
    }

    /// Kills this server, and starts another one on its directory and port.
    #[track_caller]
    pub fn kill_and_restart(mut self, flags: &[&str]) -> Server {
        self.kill();
        let port = self.address.port().to_string();
        Server::launch(Command::new(binary()), Arc::clone(&self.home), &port, flags, Stderr::Read)
    }

    #[track_caller]
    fn launch(
        mut command: Command,
        home: Arc<TempDir>,
        port: &str,
        flags: &[&str],
        stderr: Stderr,
    ) -> Server {
        let directory = home.path().join("data");
        let mut child = command
            .args(["--port", port])
            .args(flags)
            .arg(&directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let kept = Arc::new(Mutex::new(Vec::new()));
        if stderr == Stderr::Read {
            keep(child.stderr.take().expect("stderr is a pipe"), Arc::clone(&kept));
        }
        let child_stdout = child.stdout.take().expect("stdout is a pipe");
        let mut server = Server {
            child,
            start_line: String::new(),
            lines: Mutex::new(lines(child_stdout)),
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            home,
            directory,
            stderr: kept,
        };
        let first = server.lines.lock().expect("nobody panics with it").recv_timeout(PATIENCE);
        server.start_line = match first {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => {
                panic!("the server says nothing\n{}", server.stderr())
            }
            Err(RecvTimeoutError::Disconnected) => {
                let status = server.expect_exit();
                panic!("the server does not start: {status}\n{}", server.stderr());
            }
        };
        server.address = address_in(&server.start_line);
        server
    }

    /// The first line of its stdout.
    pub fn start_line(&self) -> &str {
        &self.start_line
    }

    /// The next line of its stdout.
    #[track_caller]
    pub fn next_line(&self) -> String {
        let lines = self.lines.lock().expect("nobody panics with it");
        lines.recv_timeout(PATIENCE).expect("the server says more")
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A new connection to it.
    #[track_caller]
    pub fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    /// The directory that it serves.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// A path that it must not reach: beside its directory.
    pub fn outside(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// What it has written to stderr so far.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.stderr.lock().expect("no reader panics")).into_owned()
    }

    /// Sends it a signal: `TERM`, `INT`.
    pub fn signal(&self, name: &str) {
        // The shell's own `kill` is everywhere; std has only the one that cannot be caught.
        let status = Command::new("sh")
            .args(["-c", "kill -s \"$0\" \"$1\"", name, &self.id()])
            .status()
            .expect("sh runs");
        assert!(status.success(), "kill: {status}");
    }

    /// Waits for its end.
    #[track_caller]
    pub fn expect_exit(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("the server is our child") {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "the server does not end\n{}", self.stderr());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("the server is our child").is_none()
    }

    /// Ends it with `SIGTERM`, in order; gives back all that it wrote to stderr.
    #[track_caller]
    pub fn stop(mut self) -> String {
        self.signal("TERM");
        let status = self.expect_exit();
        assert_eq!(status.code(), Some(0), "{}", self.stderr());
        // The readers hold a handle each until they have seen the end.
        crate::eventually("stderr has ended", || Arc::strong_count(&self.stderr) == 1);
        self.stderr()
    }

    /// How many descriptors it has open.
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(self.process_file("fd")).expect("the server runs").count()
    }

    /// The most memory that it has had resident, in KiB.
    pub fn peak_memory_kib(&self) -> u64 {
        self.memory_in_status("VmHWM:")
    }

    /// The memory that it has resident, in KiB.
    pub fn memory_kib(&self) -> u64 {
        self.memory_in_status("VmRSS:")
    }

    fn memory_in_status(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(self.process_file("status")).expect("the server runs");
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("the kernel keeps it");
        line.trim().trim_end_matches(" kB").parse().expect("memory is a number")
    }

    /// The time that its threads have had a CPU, in ticks of 10 ms.
    pub fn cpu_ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(self.process_file("stat")).expect("the server runs");
        // proc_pid_stat(5): the name in parentheses is field 2, `utime` and `stime` are 14 and 15.
        let (_, behind_name) = stat.rsplit_once(") ").expect("a process has a name");
        let numbers = behind_name.split(' ').skip(11).take(2);
        numbers.map(|ticks| ticks.parse::<u64>().expect("ticks are a number")).sum()
    }

    fn process_file(&self, name: &str) -> PathBuf {
        Path::new("/proc").join(self.id()).join(name)
    }

    fn id(&self) -> String {
        self.child.id().to_string()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // By its id, which is its own until it has been waited for; it may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let stderr = self.stderr();
        if std::thread::panicking() {
            eprintln!("the server's stderr ends with:\n{}", tail(&stderr));
        } else {
            assert!(!stderr.contains("panicked at"), "the server panicked:\n{}", tail(&stderr));
        }
    }
}

fn new_home() -> Arc<TempDir> {
    Arc::new(TempDir::new().expect("a temporary directory can be made"))
}

/// The binary, to be run by a user for whom file permissions hold: root becomes `nobody`, who gets
/// `home` and a copy of the binary there, because the original may lie where only root comes.
pub fn unprivileged(home: &Path) -> Command {
    const NOBODY: u32 = 65_534;
    if !am_root() {
        return Command::new(binary());
    }
    let copy = home.join("http_server");
    // Not by this process: a file that one of its threads writes to cannot be run while another forks.
    let status = Command::new("cp").arg(binary()).arg(&copy).status().expect("cp runs");
    assert!(status.success(), "cp: {status}");
    chown(home, Some(NOBODY), Some(NOBODY)).expect("root can give files away");
    let mut command = Command::new(copy);
    command.uid(NOBODY).gid(NOBODY);
    command
}

/// `… on http://127.0.0.1:4221 (…`
fn address_in(start_line: &str) -> SocketAddr {
    start_line
        .split_once(" on http")
        .and_then(|(_, rest)| rest.split_once("://"))
        .and_then(|(_, rest)| rest.split_once(' '))
        .and_then(|(address, _)| address.parse().ok())
        .unwrap_or_else(|| panic!("no address in {start_line:?}"))
}

fn tail(text: &str) -> &str {
    let start = text.len().saturating_sub(2000);
    text.get(start..).unwrap_or(text)
}

fn lines(stdout: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            // Only the first line is waited for; the rest is read so that the pipe cannot fill.
            let _ = sender.send(line);
        }
    });
    receiver
}

fn keep(mut stderr: impl Read + Send + 'static, kept: Arc<Mutex<Vec<u8>>>) {
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = stderr.read(&mut buffer) {
            kept.lock().expect("no reader panics").extend_from_slice(&buffer[..count]);
        }
    });
}
