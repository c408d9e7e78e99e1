//! What runs the requests of a case: [`through_both`] a store and a connection over it, on a
//! directory of either kind, and [`through_binary`].

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use http_server::limits::Limits;
use http_server::store::base_directory::BaseDirectory;
use http_server::store::directory::Directory;
use http_server::store::path::RESERVED_NAME;
use http_server::store::version::Version;
use http_server::store::{Durability, Store};
use model::alphabet::Request;
use model::driven::{Judge, Style};
use model::pump::{Pump, StoreFiles};
use model::reference::{Names, Node, Reference};
use model::served::{Pumped, Wire, serve};
use model::simulated::{Simulated, Tree};
use model::wire::{WireAnswer, read_answer};
use tests::{PATIENCE, Server};

/// What is run: requests from an empty tree on, and how their bytes are cut.
#[derive(Clone, Copy)]
pub(crate) struct Case<'a> {
    pub(crate) requests: &'a [Request],
    pub(crate) cuts: &'a [usize],
}

impl Case<'_> {
    fn fails(self, engine: &str) -> impl Fn(String) -> String {
        let story: String = self.requests.iter().map(|request| format!("{request}\n")).collect();
        move |error| format!("{engine}: {error}, on\n{story}")
    }
}

/// A directory to stand a store on, empty at first.
pub(crate) trait Disk {
    type Directory: Directory;
    const NAME: &str;
    const DURABILITY: Durability;
    fn new() -> Self;
    fn directory(&self) -> Self::Directory;
    /// What is there, and how many files are staged.
    fn left(&self) -> (Tree, usize);
}

impl Disk for Simulated {
    type Directory = Simulated;
    const NAME: &str = "simulated";
    const DURABILITY: Durability = Durability::Disk;

    fn new() -> Simulated {
        Simulated::empty(1_700_000_000_000_000_000)
    }

    fn directory(&self) -> Simulated {
        self.clone()
    }

    fn left(&self) -> (Tree, usize) {
        (self.tree(), self.staged().len())
    }
}

/// A directory of the machine's.
pub(crate) struct Real(tempfile::TempDir);

impl Disk for Real {
    type Directory = BaseDirectory;
    const NAME: &str = "real";
    const DURABILITY: Durability = Durability::Cache;

    fn new() -> Real {
        Real(tempfile::tempdir().unwrap())
    }

    fn directory(&self) -> BaseDirectory {
        // What is read again is open, and its name known, as in the server.
        BaseDirectory::open(self.0.path()).unwrap().keep_open(1024).0
    }

    fn left(&self) -> (Tree, usize) {
        left_in(self.0.path())
    }
}

fn left_in(folder: &Path) -> (Tree, usize) {
    let mut tree = Tree::new();
    walk(folder, &Names::new(), &mut tree);
    (tree, tests::staged(folder))
}

fn walk(folder: &Path, names: &Names, tree: &mut Tree) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if names.is_empty() && entry.file_name().as_bytes() == RESERVED_NAME {
            continue;
        }
        let names: Names = names.iter().cloned().chain([entry.file_name().as_bytes().to_vec()]).collect();
        let status = entry.metadata().unwrap();
        if status.is_dir() {
            walk(&entry.path(), &names, tree);
            tree.insert(names, None);
        } else {
            let modified = status.mtime() * 1_000_000_000 + status.mtime_nsec();
            let version = Version { inode: status.ino(), modified, length: status.len() };
            tree.insert(names, Some((version, std::fs::read(entry.path()).unwrap())));
        }
    }
}

/// Through a store, and through a connection over another one.
pub(crate) fn through_both<D: Disk>(case: Case<'_>) -> Result<(), String> {
    through_store::<D>(case).map_err(case.fails(&format!("the store, {}", D::NAME)))?;
    through_connection::<D>(case).map_err(case.fails(&format!("the connection, {}", D::NAME)))
}

fn through_store<D: Disk>(case: Case<'_>) -> Result<(), String> {
    let disk = D::new();
    let (store, mut judge) = (Store::new(disk.directory(), D::DURABILITY), Judge::default());
    for (request, part) in case.requests.iter().zip(case.cuts.iter().cycle()) {
        // In one operation, or in parts of so many bytes where that is an odd number.
        let style = if part.is_multiple_of(2) { Style::Whole } else { Style::Parts(*part.max(&1000)) };
        judge.perform(&store, &request.of_whole_files(), style)?;
    }
    let (tree, staged) = disk.left();
    judge.check_tree(&tree)?;
    expect_nothing_staged(staged)
}

fn through_connection<D: Disk>(case: Case<'_>) -> Result<(), String> {
    let disk = D::new();
    let store = Store::new(disk.directory(), D::DURABILITY);
    // Whatever is refused here is read past, so that no refusal ends the connection.
    let limits = Limits { discard_bytes_max: 1 << 20, ..Limits::default() };
    let pump = Pump::new(StoreFiles::new(&store), Arc::new(limits)).without_operations();
    let reference = serve(&mut Pumped::new(pump, case.cuts), case.requests)?;
    check_contents(&reference, disk.left())
}

/// Through the binary, on one connection.
pub(crate) fn through_binary(case: Case<'_>) -> Result<(), String> {
    let server = Server::start(&["--discard-bytes-max", "1MiB", "--durability", "cache", "--quiet"]);
    let stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut socket = Socket { stream, received: Vec::new(), cuts: case.cuts };
    let reference = serve(&mut socket, case.requests).map_err(case.fails("the binary"))?;
    check_contents(&reference, left_in(server.directory())).map_err(case.fails("the binary"))
}

fn check_contents(reference: &Reference, (tree, staged): (Tree, usize)) -> Result<(), String> {
    let content = |node: &Node| match node {
        Node::Directory => None,
        Node::File(file) => Some(file.content.clone()),
    };
    let expected: BTreeMap<_, _> =
        reference.tree().iter().map(|(names, node)| (names, content(node))).collect();
    let left: BTreeMap<_, _> =
        tree.iter().map(|(names, node)| (names, node.as_ref().map(|node| node.1.clone()))).collect();
    if left != expected {
        return Err(format!("{} is left where {:?} was due", model::driven::show(&tree), expected.keys()));
    }
    expect_nothing_staged(staged)
}

fn expect_nothing_staged(staged: usize) -> Result<(), String> {
    if staged == 0 { Ok(()) } else { Err(format!("{staged} files stay staged")) }
}

/// A socket to which bytes are written in parts of these sizes, as far as they are not too many.
struct Socket<'a> {
    stream: TcpStream,
    received: Vec<u8>,
    cuts: &'a [usize],
}

/// Writes for one batch: as many parts as make no test slow.
const PARTS_MAX: usize = 200;

impl Wire for Socket<'_> {
    fn exchange(&mut self, requests: &[u8], head_only: &[bool]) -> Result<Vec<WireAnswer>, String> {
        let mut sending = self.stream.try_clone().map_err(|error| error.to_string())?;
        let cuts = self.cuts;
        std::thread::scope(|scope| {
            // Beside the reading: who sends much and reads nothing may wait for ever.
            let sender = scope.spawn(move || {
                let mut rest = requests;
                for part in cuts.iter().cycle().take(PARTS_MAX) {
                    let (part, behind) = rest.split_at((*part).min(rest.len()));
                    sending.write_all(part)?;
                    rest = behind;
                }
                sending.write_all(rest)
            });
            let answers = receive(&mut self.stream, &mut self.received, head_only);
            let sent = sender.join().map_err(|_| "the sender panicked")?;
            // What the server says tells more than that it takes no more.
            answers.and_then(|answers| sent.map(|()| answers).map_err(|error| error.to_string()))
        })
    }
}

fn receive(
    stream: &mut TcpStream,
    received: &mut Vec<u8>,
    head_only: &[bool],
) -> Result<Vec<WireAnswer>, String> {
    let (mut answers, mut buffer) = (Vec::new(), vec![0; 1 << 16]);
    while answers.len() < head_only.len() {
        if let Some((answer, length)) = read_answer(received, head_only[answers.len()])? {
            received.drain(..length);
            // What is only on the way to an answer is none.
            answers.extend((answer.status >= 200).then_some(answer));
            continue;
        }
        match stream.read(&mut buffer) {
            Ok(0) => return Err(format!("the end behind {} answers", answers.len())),
            Ok(count) => received.extend_from_slice(&buffer[..count]),
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(answers)
}
