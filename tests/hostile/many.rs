//! Ten thousand connections that are quiet: they cost memory, little of it, and nothing else.

use std::time::Duration;

use tests::{Client, Server, ledger, open_files_max};

use super::beside_a_bystander;

#[test]
fn ten_thousand_idle_connections_cost_little_memory_and_no_time() {
    const WANTED: usize = 10_000;
    /// For all that this process and the server have open besides.
    const RESERVE: usize = 1000;
    const BYTES_EACH_MAX: u64 = 1024;
    let count = WANTED.min(open_files_max().saturating_sub(RESERVE)).min(ports() / 2);
    ledger::record("hostile:idle", &[("connections", count as u64)]);
    assert!(count >= 500, "too few open files or ports are allowed to try this");
    let server = Server::start(&["--idle-seconds-max", "600"]);
    // Whatever is made once is made now.
    beside_a_bystander(&server, || std::thread::sleep(Duration::from_millis(500)));
    let before = server.memory_kib();
    let mut clients: Vec<Client> = (0..count).map(|_| server.connect()).collect();
    // Half of them have been used, which must make no difference.
    clients.iter_mut().step_by(2).for_each(Client::expect_alive);
    let bytes_each = server.memory_kib().saturating_sub(before) * 1024 / count as u64;
    println!("idle memory: connections={count} bytes_each={bytes_each}");
    assert!(bytes_each < BYTES_EACH_MAX, "{bytes_each} bytes for each idle connection");

    std::fs::remove_file(server.directory().join("bystander")).unwrap();
    beside_a_bystander(&server, || {
        let ticks = server.cpu_ticks();
        std::thread::sleep(Duration::from_secs(1));
        println!("idle ticks_beside_a_bystander={}", server.cpu_ticks() - ticks);
    });
    // They are all still there.
    clients.iter_mut().step_by(97).for_each(Client::expect_alive);
    clients.iter_mut().skip(1).step_by(98).for_each(Client::expect_alive);
    drop(clients);
    server.stop();
}

/// How many connections to one address there can be from another.
fn ports() -> usize {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap();
    let mut ends = range.split_whitespace().map(|end| end.parse::<usize>().unwrap());
    let (first, last) = (ends.next().unwrap(), ends.next().unwrap());
    last.saturating_sub(first)
}
