//! The client: one thread that never sleeps, because a server that has to wake its client pays for it.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use http_server::sys::epoll::{Epoll, EventBuffer, Readiness};

/// What came of a round.
#[derive(Clone, Copy, Default)]
pub struct Load {
    /// Answered.
    pub requests: u64,
    /// That it took.
    pub seconds: f64,
    /// Of the time from a request to the end of its answer.
    pub p99_microseconds: f64,
}

/// The load of one round.
pub struct Plan<'a> {
    /// Where the server listens.
    pub address: SocketAddr,
    /// Connections that ask.
    pub connections: usize,
    /// Requests that are under way on a connection.
    pub depth: usize,
    /// Each request has a connection of its own.
    pub closes: bool,
    /// The next request: its head, and how much content follows it.
    pub next: &'a mut dyn FnMut() -> (Vec<u8>, usize),
    /// With which each answer's status begins.
    pub status: &'static [u8],
    /// How long it goes on.
    pub time: Duration,
}

struct Client {
    stream: TcpStream,
    /// Of the request that is being sent.
    output: Vec<u8>,
    sent: usize,
    content_left: usize,
    /// Of the answer that is being received: its head so far, then how much is missing.
    head: Vec<u8>,
    missing: u64,
    awaited: usize,
    begun: Instant,
}

/// The length of a complete head, and of the content behind it; 304 has none.
pub fn complete(bytes: &[u8], head_alone: bool) -> Option<(usize, u64)> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    let length = if bytes.get(9..12) == Some(b"304") { 0 } else { length.unwrap_or(0) };
    (head_alone || bytes.len() as u64 >= end as u64 + length).then_some((end, length))
}

/// Loads a server for a while.
///
/// # Errors
/// Where it closes a connection that it was to keep, or answers anything else.
pub fn run(plan: &mut Plan<'_>) -> io::Result<Load> {
    let epoll = Epoll::new()?;
    let mut clients = Vec::new();
    for key in 0..plan.connections {
        clients.push(connect(plan, &epoll, key)?);
    }
    let mut events = EventBuffer::new(256);
    let mut buffer = vec![0; 1 << 20];
    let mut times: Vec<u32> = Vec::new();
    let (begun, mut requests) = (Instant::now(), 0);
    while begun.elapsed() < plan.time {
        let ready: Vec<usize> =
            epoll.wait(&mut events, Some(Duration::ZERO))?.map(|event| event.key as usize).collect();
        for key in ready {
            let client = &mut clients[key];
            send(client)?;
            loop {
                let count = match client.stream.read(&mut buffer) {
                    Ok(count) => count,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                };
                if count == 0 && !plan.closes {
                    return Err(ErrorKind::UnexpectedEof.into());
                }
                let answers = receive(client, &buffer[..count], plan.status)?;
                requests += answers as u64;
                let time = client.begun.elapsed().as_nanos() / 1000;
                times.extend(std::iter::repeat_n(u32::try_from(time).unwrap_or(u32::MAX), answers));
                if plan.closes && (count == 0 || answers > 0) {
                    *client = connect(plan, &epoll, key)?;
                    break;
                }
                client.awaited -= answers;
                if client.awaited == 0 {
                    begin(client, plan)?;
                }
                if count < buffer.len() {
                    break;
                }
            }
        }
    }
    times.sort_unstable();
    let p99 = times.get(times.len() * 99 / 100).copied().unwrap_or(0);
    Ok(Load { requests, seconds: begun.elapsed().as_secs_f64(), p99_microseconds: p99.into() })
}

fn connect(plan: &mut Plan<'_>, epoll: &Epoll, key: usize) -> io::Result<Client> {
    let stream = TcpStream::connect(plan.address)?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    let mut client = Client {
        stream,
        output: Vec::new(),
        sent: 0,
        content_left: 0,
        head: Vec::new(),
        missing: 0,
        awaited: 0,
        begun: Instant::now(),
    };
    begin(&mut client, plan)?;
    epoll.add(client.stream.as_fd(), Readiness::READABLE.and(Readiness::WRITABLE), key as u64)?;
    Ok(client)
}

fn begin(client: &mut Client, plan: &mut Plan<'_>) -> io::Result<()> {
    client.output.clear();
    client.sent = 0;
    for _ in 0..plan.depth {
        let (head, content) = (plan.next)();
        client.output.extend_from_slice(&head);
        client.content_left = content;
    }
    // What is short goes out in one piece.
    if client.content_left <= 64 * 1024 {
        client.output.resize(client.output.len() + std::mem::take(&mut client.content_left), b'x');
    }
    client.awaited = plan.depth;
    client.begun = Instant::now();
    send(client)
}

fn send(client: &mut Client) -> io::Result<()> {
    static CONTENT: [u8; 256 * 1024] = [b'x'; 256 * 1024];
    loop {
        let head = client.sent < client.output.len();
        let piece = match client.content_left {
            _ if head => &client.output[client.sent..],
            0 => return Ok(()),
            left => &CONTENT[..left.min(CONTENT.len())],
        };
        match client.stream.write(piece) {
            Ok(count) if head => client.sent += count,
            Ok(count) => client.content_left -= count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// How many answers come to their end with these bytes.
fn receive(client: &mut Client, mut bytes: &[u8], status: &[u8]) -> io::Result<usize> {
    let mut answers = 0;
    while !bytes.is_empty() {
        if client.missing > 0 {
            let count = bytes.len().min(usize::try_from(client.missing).unwrap_or(usize::MAX));
            client.missing -= count as u64;
            bytes = &bytes[count..];
        } else {
            let before = client.head.len();
            client.head.extend_from_slice(&bytes[..bytes.len().min(4096)]);
            let Some((end, length)) = complete(&client.head, true) else {
                bytes = &bytes[client.head.len() - before..];
                continue;
            };
            if client.head.get(9..9 + status.len()) != Some(status) {
                let line = client.head.split(|byte| *byte == b'\r').next().unwrap_or_default();
                return Err(io::Error::other(String::from_utf8_lossy(line).into_owned()));
            }
            bytes = &bytes[end - before..];
            client.missing = length;
            client.head.clear();
        }
        answers += usize::from(client.missing == 0 && client.head.is_empty());
    }
    Ok(answers)
}
