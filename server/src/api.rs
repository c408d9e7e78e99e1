//! Our REST interface, pure: which resource a request is about, and what an outcome means in HTTP.
#![forbid(unsafe_code)]

pub mod media_type;
pub mod reply;
pub mod route;
