//! What is measured: this server, its floor, and others that are found on `PATH`.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How one is started.
pub struct Recipe {
    /// What it is called.
    pub name: &'static str,
    /// The program and its arguments.
    command: Vec<String>,
    /// A configuration file, where it wants one: `{config}` in the command.
    config: &'static str,
    /// The target of a small answer, where it has one.
    pub echo: Option<&'static str>,
    /// What stands before the path of a file.
    pub files: &'static str,
    /// Whether it takes `PUT`.
    pub puts: bool,
}

/// This server with so many event loops.
pub fn ours(program: &Path, event_loops: usize) -> Recipe {
    ours_with(program, &format!("--threads {event_loops} --durability cache"))
}

/// The same with one event loop, whose writes survive a power cut.
pub fn ours_durable(program: &Path) -> Recipe {
    ours_with(program, "--threads 1 --durability disk")
}

fn ours_with(program: &Path, flags: &str) -> Recipe {
    let flags = format!("{{root}} --port {{port}} --quiet {flags}");
    let command = std::iter::once(program.to_string_lossy().into_owned());
    Recipe {
        name: "http_server",
        command: command.chain(flags.split(' ').map(str::to_owned)).collect(),
        config: "",
        echo: Some("/echo/hello"),
        files: "/files/",
        puts: true,
    }
}

/// Everything that can be measured here; `{port}`, `{root}` and `{run}` are filled in later.
pub fn recipes(program: &Path) -> Vec<Recipe> {
    let command = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let mut all = vec![ours(program, 1)];
    all.push(Recipe {
        name: "nginx",
        command: command("nginx -p {run} -c {config}"),
        config: NGINX,
        echo: Some("/echo"),
        files: "/",
        puts: true,
    });
    all.push(Recipe {
        name: "lighttpd",
        command: command("lighttpd -D -f {config}"),
        config: LIGHTTPD,
        echo: None,
        files: "/",
        puts: false,
    });
    all.push(Recipe {
        name: "h2o",
        command: command("h2o -c {config}"),
        config: H2O,
        echo: None,
        files: "/",
        puts: false,
    });
    all.push(Recipe {
        name: "caddy",
        command: command("caddy run --adapter caddyfile --config {config}"),
        config: CADDY,
        echo: Some("/echo"),
        files: "/",
        puts: false,
    });
    all.push(Recipe {
        name: "dufs",
        command: command("dufs -A --log-format= --bind 127.0.0.1 -p {port} {root}"),
        config: "",
        echo: None,
        files: "/",
        puts: true,
    });
    all.retain(|recipe| Path::new(&recipe.command[0]).is_absolute() || is_on_path(&recipe.command[0]));
    all
}

/// The program of bare system calls.
pub fn floor(program: &Path, kind: &str) -> Recipe {
    let command = [&program.to_string_lossy(), kind, "{port}", "{root}"].map(str::to_owned).to_vec();
    Recipe { name: "floor", command, config: "", echo: Some("/"), files: "/", puts: true }
}

/// A server that runs; it ends when this is dropped.
pub struct Running {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    run: PathBuf,
}

impl Recipe {
    /// Starts it on one processor, where that can be said; nothing where it does not answer.
    pub fn start(&self, root: &Path, run: &Path) -> Option<Running> {
        fs::create_dir_all(run).ok()?;
        // Free a moment ago; whoever takes it meanwhile makes this one be left out.
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).ok()?.port();
        let fill = |text: &str| {
            text.replace("{port}", &port.to_string())
                .replace("{root}", &root.to_string_lossy())
                .replace("{run}", &run.to_string_lossy())
                .replace("{config}", &run.join("config").to_string_lossy())
        };
        fs::write(run.join("config"), fill(self.config)).ok()?;
        let mut words: Vec<String> = self.command.iter().map(|word| fill(word)).collect();
        if is_on_path("taskset") {
            words.splice(0..0, ["taskset", "-c", "0"].map(str::to_owned));
        }
        let log = fs::File::create(run.join("log")).ok()?;
        let child = Command::new(&words[0])
            .args(&words[1..])
            .env("GOMAXPROCS", "1")
            .env("TOKIO_WORKER_THREADS", "1")
            .env("XDG_DATA_HOME", run)
            .env("XDG_CONFIG_HOME", run)
            .stdin(Stdio::null())
            .stdout(log.try_clone().ok()?)
            .stderr(log)
            .spawn()
            .ok()?;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let mut running = Running { child, address, run: run.to_owned() };
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(5) {
            if TcpStream::connect(address).is_ok() {
                return Some(running);
            }
            if running.child.try_wait().ok()?.is_some() {
                return None;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    }
}

impl Running {
    /// One request on a connection of its own, and its whole answer.
    ///
    /// # Errors
    /// What the system said.
    pub fn ask(&self, request: &[u8]) -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(request)?;
        let mut answer = Vec::new();
        let mut piece = vec![0; 64 * 1024];
        while crate::load::complete(&answer, false).is_none() {
            match stream.read(&mut piece)? {
                0 => break,
                count => answer.extend_from_slice(&piece[..count]),
            }
        }
        Ok(answer)
    }

    /// The processes that were started: this one and its children.
    pub fn processes(&self) -> Vec<u32> {
        let mut all = vec![self.child.id()];
        let mut at = 0;
        while let Some(&parent) = all.get(at) {
            let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"));
            all.extend(
                children.unwrap_or_default().split_whitespace().filter_map(|id| id.parse::<u32>().ok()),
            );
            at += 1;
        }
        all
    }

    /// Seconds of processor time so far.
    pub fn cpu(&self) -> f64 {
        let cpu = |id: u32| {
            let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
            let mut fields = stat.rsplit(')').next()?.split_ascii_whitespace().skip(11);
            // proc_pid_stat(5): fields 14 and 15, in hundredths of a second.
            Some((fields.next()?.parse::<f64>().ok()? + fields.next()?.parse::<f64>().ok()?) / 100.0)
        };
        self.processes().into_iter().filter_map(cpu).sum()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Those that were started here, and no others: each by its number, asked first.
        for id in self.processes() {
            let _ = Command::new("kill").args(["-TERM", &id.to_string()]).stderr(Stdio::null()).status();
        }
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(3) {
            if !matches!(self.child.try_wait(), Ok(None)) {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.run);
    }
}

/// Whether there is a program of this name.
pub fn is_on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

// Whose files it writes to; whoever is not root is told that this is ignored.
const NGINX: &str =
    "user root root; daemon off; worker_processes 1; pid {run}/pid; error_log {run}/error crit;
worker_rlimit_nofile 20000;
events { worker_connections 16384; multi_accept on; }
http {
  access_log off; sendfile on; tcp_nopush off; tcp_nodelay on; keepalive_requests 1000000000;
  default_type application/octet-stream; client_max_body_size 0; client_body_buffer_size 16k;
  client_body_temp_path {run}/body; proxy_temp_path {run}/proxy; fastcgi_temp_path {run}/fastcgi;
  uwsgi_temp_path {run}/uwsgi; scgi_temp_path {run}/scgi;
  server {
    listen 127.0.0.1:{port} backlog=65535; root {root};
    location = /echo { return 200 hello; }
    location / { dav_methods PUT; create_full_put_path on; }
  }
}
";

const LIGHTTPD: &str = "server.document-root = \"{root}\"
server.port = {port}
server.bind = \"127.0.0.1\"
server.max-fds = 20000
server.max-connections = 12000
server.max-keep-alive-requests = 1000000000
mimetype.assign = (\"\" => \"application/octet-stream\")
";

const H2O: &str = "num-threads: 1
listen:
  host: 127.0.0.1
  port: {port}
hosts:
  default:
    paths:
      /:
        file.dir: {root}
";

const CADDY: &str = "{
  admin off
  auto_https off
}
http://127.0.0.1:{port} {
  respond /echo hello
  root * {root}
  file_server
}
";
