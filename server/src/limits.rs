//! Every bound of the server in one place, unit and kind in each name, with its default.

use std::time::Duration;

/// The bounds that hold for one server. Reaching one has a defined answer and harms no other
/// connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Open connections; one more is answered 503 and closed.
    pub connections_max: usize,
    /// Open connections from one address, which is a network of 64 bits in IPv6; one more is
    /// answered 503 and closed.
    pub connections_per_address_max: usize,
    /// Bytes of a request target; a longer one is answered 414.
    pub target_bytes_max: usize,
    /// Bytes of a head with its empty line; a longer one is answered 431.
    pub head_bytes_max: usize,
    /// Field lines of a head; more are answered 431. At most [`HEAD_FIELDS_CEILING`].
    pub head_fields_max: usize,
    /// Bytes of a request's content; more are answered 413.
    pub content_bytes_max: u64,
    /// Bytes of content that one connection holds in memory on their way to a file.
    pub content_buffer_bytes_max: usize,
    /// Bytes of unwanted content that are read past to keep a connection; more close it.
    pub discard_bytes_max: u64,
    /// Bytes of chunk extensions and trailers of one request; more are answered 400.
    pub chunk_overhead_bytes_max: usize,
    /// Entries of a directory on one page of its listing; more are on the next ones.
    pub listing_entries_max: usize,
    /// Entries of a directory that are still sorted; a longer listing is in the directory's own order.
    pub listing_sorted_max: usize,
    /// Jobs that wait for a worker; a request that would start one more is answered 503.
    pub queue_jobs_max: usize,
    /// Requests on one connection; the last one's answer closes it.
    pub requests_per_connection_max: u64,
    /// From the first byte of a head to its last; then 408.
    pub head_time_max: Duration,
    /// How far the sender of content may fall behind [`Limits::transfer_bytes_per_second_min`]; then 408.
    pub content_time_max: Duration,
    /// Between two requests; then the connection is closed without an answer.
    pub idle_time_max: Duration,
    /// How far the reader of an answer may fall behind [`Limits::transfer_bytes_per_second_min`];
    /// then the connection is closed.
    pub write_time_max: Duration,
    /// The pace below which a transfer uses up its time, in either direction.
    pub transfer_bytes_per_second_min: u64,
    /// How long a connection stays open after its last answer, so that the peer can read it.
    pub linger_time_max: Duration,
    /// How directories are answered. It bounds nothing, but goes wherever the bounds go.
    pub directories: Directories,
}

/// How directories are answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directories {
    /// With listings; else with 403.
    pub listed: bool,
    /// With the file of this name, where they have one.
    pub index: Option<String>,
}

/// The most field lines that [`Limits::head_fields_max`] can allow: their places lie on the stack.
pub const HEAD_FIELDS_CEILING: usize = 256;

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections_max: 16_384,
            // The same: behind a reverse proxy or an address translation all peers have one address,
            // and only who runs the server knows that it stands behind none.
            connections_per_address_max: 16_384,
            target_bytes_max: 16 * 1024,
            head_bytes_max: 32 * 1024,
            head_fields_max: 100,
            content_bytes_max: 1 << 40,
            content_buffer_bytes_max: 256 * 1024,
            discard_bytes_max: 256 * 1024,
            chunk_overhead_bytes_max: 16 * 1024,
            listing_entries_max: 1000,
            listing_sorted_max: 10_000,
            queue_jobs_max: 4096,
            requests_per_connection_max: 1_000_000,
            head_time_max: Duration::from_secs(10),
            content_time_max: Duration::from_secs(60),
            idle_time_max: Duration::from_secs(75),
            write_time_max: Duration::from_secs(60),
            transfer_bytes_per_second_min: 1024,
            linger_time_max: Duration::from_secs(5),
            directories: Directories { listed: true, index: None },
        }
    }
}
