//! What is asked for: [`WORKLOADS`].

/// One kind of load.
pub(crate) struct Workload {
    /// By which it is chosen.
    pub(crate) letter: char,
    pub(crate) title: &'static str,
    /// The bare system calls that it is compared with.
    pub(crate) floor: &'static str,
    pub(crate) need: Need,
    pub(crate) connections: usize,
    /// Requests that are sent at once on each connection.
    pub(crate) depth: usize,
    /// Connections that are open beside it, and quiet.
    pub(crate) idle: usize,
    /// Each request on a connection of its own.
    pub(crate) closes: bool,
}

/// What a server has to be able to do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// A small answer from memory.
    Echo,
    /// The file of this name.
    Get(&'static str),
    /// One of [`TREE_FILES`] files.
    Tree,
    /// The same, which the client has.
    NotModified(&'static str),
    /// A part of it.
    Range(&'static str),
    /// So many bytes under one of so many names.
    Put(usize, usize),
}

/// Files of 4 KiB in a hundred directories.
pub(crate) const TREE_FILES: usize = 10_000;
/// The files beside them.
pub(crate) const FILES: [(&str, usize); 3] = [("1k", 1024), ("100k", 100 * 1024), ("100m", 100 << 20)];

const fn workload(letter: char, title: &'static str, floor: &'static str, need: Need) -> Workload {
    Workload { letter, title, floor, need, connections: 64, depth: 1, idle: 0, closes: false }
}

/// All of them.
pub(crate) const WORKLOADS: [Workload; 12] = [
    workload('a', "tiny answer, 64 kept connections", "echo", Need::Echo),
    Workload { depth: 16, ..workload('b', "tiny answer, 16 requests at once", "echo", Need::Echo) },
    workload('c', "GET of 1 KiB", "open", Need::Get("1k")),
    workload('d', "GET of 100 KiB", "open", Need::Get("100k")),
    Workload { connections: 4, ..workload('e', "GET of 100 MiB, 4 connections", "open", Need::Get("100m")) },
    workload('f', "GET of 4 KiB, one of 10,000 files", "open", Need::Tree),
    workload('g', "PUT of 1 KiB, 1,000 names", "put", Need::Put(1024, 1000)),
    Workload {
        connections: 2,
        ..workload('h', "PUT of 100 MiB, 2 connections", "put", Need::Put(100 << 20, 2))
    },
    Workload { closes: true, ..workload('i', "tiny answer, a connection each", "close", Need::Echo) },
    Workload { idle: 10_000, ..workload('j', "as a, beside 10,000 quiet connections", "echo", Need::Echo) },
    workload('k', "304 for 1 KiB", "not-modified", Need::NotModified("1k")),
    workload('l', "4 KiB out of 100 MiB", "range", Need::Range("100m")),
];

/// The path of a file in the tree.
pub(crate) fn tree_path(number: usize) -> String {
    format!("tree/{:02}/{:04}", number % 100, number)
}
