//! System calls that std lacks, each in a safe wrapper that owns its descriptor. The only unsafe code.
#![expect(unsafe_code, reason = "system calls; nothing else in the workspace may")]

mod call;

pub mod descriptors;
pub mod entries;
pub mod epoll;
pub mod event_fd;
pub mod file;
#[cfg(test)]
pub(crate) mod identity;
pub mod inotify;
pub mod local_socket;
pub mod scheduling;
pub mod signal;
pub mod socket;
