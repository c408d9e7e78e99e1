//! Clients that write until their server is gone, and know what they were told.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tests::PATIENCE;

/// A small generator, so that a run can be told by its seed.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// What one client knows of its names, which nobody else writes to.
pub(crate) struct Files {
    /// What is there, as far as was acknowledged; nothing where no file is.
    pub(crate) contents: BTreeMap<String, Option<Vec<u8>>>,
    pub(crate) in_flight: Option<InFlight>,
    pub(crate) acknowledged: u64,
    /// The file system failed beneath the server.
    pub(crate) refused: bool,
    /// Makes each content another one.
    number: u64,
}

/// A request that was sent, and whose answer never came.
pub(crate) struct InFlight {
    pub(crate) name: String,
    pub(crate) method: &'static str,
    /// What is there if it takes effect.
    pub(crate) result: Option<Vec<u8>>,
}

impl Files {
    pub(crate) fn new(client: u64) -> Files {
        let names = ["a", "d/b", "d/e/c", "log"].map(|name| (format!("{client}/{name}"), None));
        Files { contents: names.into(), in_flight: None, acknowledged: 0, refused: false, number: 0 }
    }
}

/// Writes until the connection breaks.
pub(crate) fn write_until_broken(
    address: SocketAddr,
    mut files: Files,
    mut random: Random,
    deaf: &AtomicBool,
) -> Files {
    if let Err(error) = write(address, &mut files, &mut random, deaf) {
        let gone = [
            ErrorKind::ConnectionReset,
            ErrorKind::ConnectionRefused,
            ErrorKind::ConnectionAborted,
            ErrorKind::BrokenPipe,
            ErrorKind::UnexpectedEof,
        ];
        assert!(gone.contains(&error.kind()), "{error}");
    }
    files
}

fn write(address: SocketAddr, files: &mut Files, random: &mut Random, deaf: &AtomicBool) -> io::Result<()> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(Duration::from_secs(10)))?;
    let mut stream = BufReader::new(stream);
    let names: Vec<String> = files.contents.keys().cloned().collect();
    loop {
        let name = names[random.below(names.len() as u64) as usize].clone();
        let old = files.contents[&name].clone();
        // A log does not grow for ever.
        let method = match old.as_ref().map_or(0, Vec::len) {
            0..4_000_000 => ["PUT", "PATCH", "PATCH", "POST", "DELETE"][random.below(5) as usize],
            _ => "DELETE",
        };
        let content = if method == "DELETE" { Vec::new() } else { content(files, random) };
        let (expected, result) = match (method, &old) {
            ("POST", Some(_)) => (409, old),
            ("PATCH", Some(old)) => (200, Some([old, &content[..]].concat())),
            ("PUT", Some(_)) => (200, Some(content.clone())),
            ("DELETE", Some(_)) => (200, None),
            ("DELETE", None) => (404, None),
            (_, None) => (201, Some(content.clone())),
            (_, Some(_)) => panic!("{method} is not used"),
        };
        files.in_flight = Some(InFlight { name: name.clone(), method, result: result.clone() });
        let status = exchange(&mut stream, method, &name, &content)?;
        if deaf.load(Ordering::SeqCst) {
            return Ok(());
        }
        if matches!(status, 500 | 403) {
            // As the system says, where its disk is gone.
            files.refused = true;
            return Ok(());
        }
        assert_eq!(status, expected, "{method} {name}");
        files.in_flight = None;
        files.acknowledged += 1;
        files.contents.insert(name, result);
    }
}

/// Content like no other: now and then more than the server gathers in memory.
fn content(files: &mut Files, random: &mut Random) -> Vec<u8> {
    files.number += 1;
    let length = match random.below(8) {
        0 => 300_000 + random.below(1_200_000),
        _ => 1 + random.below(3000),
    };
    let mark = format!("<{}>", files.number);
    mark.bytes().cycle().take(length as usize).collect()
}

/// One request; the status of its answer.
fn exchange(stream: &mut BufReader<TcpStream>, method: &str, name: &str, content: &[u8]) -> io::Result<u16> {
    let head =
        format!("{method} /files/{name} HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", content.len());
    stream.get_mut().write_all(&[head.as_bytes(), content].concat())?;
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let status = line.get(9..12).and_then(|status| status.parse().ok());
    let status: u16 = status.ok_or(ErrorKind::UnexpectedEof)?;
    let mut length = 0;
    loop {
        line.clear();
        if stream.read_line(&mut line)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        if let Some(value) = line.strip_prefix("Content-Length: ") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
    }
    stream.read_exact(&mut vec![0; length])?;
    Ok(status)
}

/// The signal that nobody can catch, to a server that the caller started.
pub(crate) fn kill(pid: u32) {
    let status = Command::new("sh").args(["-c", "kill -s KILL \"$0\"", &pid.to_string()]).status();
    assert!(status.unwrap().success());
}

/// How two contents differ, in a line.
pub(crate) fn difference(there: &Option<Vec<u8>>, known: &Option<Vec<u8>>) -> String {
    let length = |content: &Option<Vec<u8>>| content.as_ref().map(Vec::len);
    let same = there.iter().flatten().zip(known.iter().flatten()).take_while(|(a, b)| a == b).count();
    format!("{:?} bytes there, {:?} known, the first {same} are the same", length(there), length(known))
}
