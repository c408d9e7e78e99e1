//! map
pub mod api;
pub mod clock;
pub mod connection;
pub mod http;
pub mod limits;
pub mod pace;
pub mod shared;
pub mod store;
pub mod sync;
pub mod sys;
