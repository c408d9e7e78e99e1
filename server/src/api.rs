//! Our REST interface, pure: which resource a request is about, and what an outcome means in HTTP.
#![forbid(unsafe_code)]

mod accept;
pub mod condition;
mod cross_site;
pub mod entity_tag;
pub mod link;
pub mod listing;
pub mod media_type;
pub mod partial;
pub mod problem;
pub mod reply;
pub mod rights;
pub mod route;
