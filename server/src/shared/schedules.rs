//! Every schedule of two to four threads on what they share, under loom.
//!
//! Run with `RUSTFLAGS="--cfg loom"`, as `tests/loom.rs` does; `tests/floors.txt` is the list.

mod addresses;
mod attempts;
mod counters;
mod kept;
mod mailbox;
mod path_locks;
mod pool;
mod queue;
mod rounds;
