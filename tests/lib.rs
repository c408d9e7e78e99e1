//! What the end-to-end tests share: the binary, a server that ends with its test, and a strict client.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper of tests fails the test that it helps"
)]

mod support {
    pub(crate) mod answer;
    pub(crate) mod binary;
    pub(crate) mod client;
    pub mod costs;
    pub(crate) mod depth;
    pub mod ledger;
    pub(crate) mod mount;
    pub(crate) mod server;
    pub(crate) mod system;
    pub(crate) mod tree;
}

pub use support::answer::Answer;
pub use support::binary::binary;
pub use support::client::{Client, check, exchange, request};
pub use support::costs;
pub use support::depth::{Depth, depth};
pub use support::ledger;
pub use support::mount::{Mount, can_mount, may_mount, succeeds};
pub use support::server::{Server, Stderr, unprivileged};
pub use support::system::{am_root, eventually, make_fifo, open_files_max};
pub use support::tree::{staged, tree};

/// The longest that any test waits for one thing. Far more than anything takes, so that a busy
/// machine fails no test; and an end, so that a stuck server does.
pub const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);
