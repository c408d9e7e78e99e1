//! What the server is judged against.

pub mod pump;
pub mod scripted;
pub mod wire;
