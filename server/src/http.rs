//! RFC 9110 and RFC 9112, pure: bytes in, parts out, and back.
//!
//! In reading order: [`head`] finds where a head ends, [`request_line`], [`target`] and [`field`]
//! take its parts, [`request`] puts them together and says how the content is framed, [`content`]
//! unframes it; [`date`], [`entity_tag`] and [`range`] read values that conditions are made of,
//! [`credentials`] who asks;
//! [`response`] writes the answer's head; `search` looks for bytes in what is short. [`rejection`] is why a peer is refused.
#![forbid(unsafe_code)]

pub mod content;
pub mod credentials;
pub mod date;
pub mod entity_tag;
pub mod field;
pub mod head;
pub mod range;
pub mod rejection;
pub mod request;
pub mod request_line;
pub mod response;
mod search;
pub mod status;
pub mod target;
