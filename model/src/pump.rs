//! A second driver: a connection over anything that carries operations out, with no socket, no
//! thread and a clock that stands where it is told to.

use std::sync::Arc;

use http_server::api::rights::Verdict;
use http_server::clock::{Instant, Now};
use http_server::connection::{Connection, Input, Output, Want};
use http_server::limits::Limits;
use http_server::store::directory::Directory;
use http_server::store::operation::{Operation, Outcome};
use http_server::store::{Held, Store};

/// Whoever carries operations out.
pub trait Files {
    /// Carries out one operation.
    fn run(&mut self, operation: Operation) -> Outcome;
    /// Reads a part of the file that is held; fewer bytes where it ends early.
    fn read(&mut self, offset: u64, length: usize) -> Vec<u8>;
}

/// A store, and what one connection holds of it.
pub struct StoreFiles<'a, D: Directory> {
    store: &'a Store<D>,
    held: Held<D>,
    names: D::Names,
}

impl<'a, D: Directory> StoreFiles<'a, D> {
    /// Nothing is held.
    pub fn new(store: &'a Store<D>) -> StoreFiles<'a, D> {
        StoreFiles { names: store.names(), store, held: Held::Nothing }
    }
}

impl<D: Directory> Files for StoreFiles<'_, D> {
    fn run(&mut self, operation: Operation) -> Outcome {
        // As in the server: without waiting first, and with waiting only then.
        match self.store.run_cached(operation, &mut self.held, &mut self.names) {
            Ok(outcome) => outcome,
            Err(operation) => self.store.run(operation, &mut self.held),
        }
    }

    fn read(&mut self, offset: u64, length: usize) -> Vec<u8> {
        let mut content = vec![0; length];
        let mut filled = 0;
        if let Held::File(file) = &self.held {
            while let Ok(count @ 1..) = self.store.read(file, &mut content[filled..], offset + filled as u64)
            {
                filled += count;
            }
        }
        content.truncate(filled);
        content
    }
}

/// A connection and whoever carries out what it wants.
pub struct Pump<F> {
    files: F,
    connection: Connection,
    now: Now,
    sent: Vec<u8>,
    /// What has been made and not sent; empty between two inputs.
    unsent: Output,
    /// In words, which takes longer than anything else: nothing where nobody asks for them.
    operations: Option<Vec<String>>,
    end: Option<bool>,
}

impl<F: Files> Pump<F> {
    /// A new connection at time 0.
    pub fn new(files: F, limits: Arc<Limits>) -> Pump<F> {
        let now = Now::new(Instant::default(), 0);
        let unsent = Output { bytes: Vec::new(), answered: Some(Vec::new()), ..Output::default() };
        let connection = Connection::new(limits, &now);
        Pump { files, connection, now, sent: Vec::new(), unsent, operations: Some(Vec::new()), end: None }
    }

    /// The same where nobody asks for the operations.
    pub fn without_operations(self) -> Pump<F> {
        Pump { operations: None, ..self }
    }

    /// The peer sends `bytes`; they are lost where the connection has ended.
    pub fn send(&mut self, bytes: &[u8]) {
        self.take(Input::Bytes(bytes));
    }

    /// The peer sends no more.
    pub fn finish(&mut self) {
        self.take(Input::End);
    }

    /// The server is about to end.
    pub fn drain(&mut self) {
        self.take(Input::Drain);
    }

    /// Time goes on to the connection's deadline, and nothing else happens. Says how far it went.
    pub fn expire(&mut self) -> Option<Instant> {
        let deadline = self.connection.deadline()?;
        self.now.instant = deadline;
        self.take(Input::Deadline);
        Some(deadline)
    }

    /// Time goes on, and nothing else happens.
    pub fn wait(&mut self, time: std::time::Duration) {
        self.now.instant = self.now.instant.after(time);
    }

    /// All bytes for the peer so far.
    pub fn output(&self) -> &[u8] {
        &self.sent
    }

    /// All operations so far, each with its content, in words.
    pub fn operations(&self) -> &[String] {
        self.operations.as_deref().unwrap_or_default()
    }

    /// Whether the connection has ended; then, whether it lingers.
    pub fn end(&self) -> Option<bool> {
        self.end
    }

    /// The access log so far: status and content bytes of each answer.
    pub fn answered(&self) -> impl Iterator<Item = (u16, u64)> {
        self.unsent.answered.iter().flatten().map(|answered| (answered.status.code(), answered.content_bytes))
    }

    fn take(&mut self, input: Input<'_>) {
        if self.end.is_some() {
            return;
        }
        let mut unsent = std::mem::take(&mut self.unsent);
        let mut want = self.connection.advance(input, &self.now, &mut unsent);
        loop {
            let input = match want {
                Want::Receive | Want::Same => break,
                Want::Run(operation) => {
                    if let Some(operations) = &mut self.operations {
                        operations.push(format!("{operation:?}"));
                    }
                    Input::Outcome(self.files.run(operation))
                }
                // Nobody here has rights, so nobody has to say who it is.
                Want::Verify(_) => Input::Verified(Verdict::Unknown),
                Want::Send => {
                    self.sent.append(&mut unsent.bytes);
                    Input::Sent
                }
                Want::SendFile(range) => {
                    self.sent.append(&mut unsent.bytes);
                    let length = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
                    let content = self.files.read(range.start, length);
                    assert_eq!(content.len(), length, "the file is shorter than was said");
                    self.sent.extend_from_slice(&content);
                    Input::Sent
                }
                Want::Close { linger } => {
                    self.end = Some(linger);
                    break;
                }
            };
            want = self.connection.advance(input, &self.now, &mut unsent);
        }
        self.sent.append(&mut unsent.bytes);
        self.unsent = unsent;
    }
}
