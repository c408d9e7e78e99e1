//! What the measurements have in common: the servers that are measured, and the load on them.

pub mod load;
pub mod server;
