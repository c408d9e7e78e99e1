//! Status codes, RFC 9110 §15, with their reason phrases.

/// A status code that this server answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status(u16, &'static str);

impl Status {
    /// Three digits.
    pub const fn code(self) -> u16 {
        self.0
    }

    /// The code with the phrase behind it, as the status line has them.
    pub const fn line(self) -> &'static str {
        self.1
    }

    /// The phrase alone.
    pub fn phrase(self) -> &'static str {
        self.1.get(4..).unwrap_or_default()
    }

    /// Whether it is a client's or a server's error, RFC 9110 §15.5, §15.6.
    pub const fn is_error(self) -> bool {
        self.0 >= 400
    }

    /// RFC 9110 §15.2.1.
    pub const CONTINUE: Status = Status(100, "100 Continue");
    /// RFC 9110 §15.3.1.
    pub const OK: Status = Status(200, "200 OK");
    /// RFC 9110 §15.3.2.
    pub const CREATED: Status = Status(201, "201 Created");
    /// RFC 9110 §15.3.5.
    pub const NO_CONTENT: Status = Status(204, "204 No Content");
    /// RFC 9110 §15.3.7.
    pub const PARTIAL_CONTENT: Status = Status(206, "206 Partial Content");
    /// RFC 9110 §15.4.2.
    pub const MOVED_PERMANENTLY: Status = Status(301, "301 Moved Permanently");
    /// RFC 9110 §15.4.5.
    pub const NOT_MODIFIED: Status = Status(304, "304 Not Modified");
    /// RFC 9110 §15.5.1.
    pub const BAD_REQUEST: Status = Status(400, "400 Bad Request");
    /// RFC 9110 §15.5.2.
    pub const UNAUTHORIZED: Status = Status(401, "401 Unauthorized");
    /// RFC 9110 §15.5.4.
    pub const FORBIDDEN: Status = Status(403, "403 Forbidden");
    /// RFC 9110 §15.5.5.
    pub const NOT_FOUND: Status = Status(404, "404 Not Found");
    /// RFC 9110 §15.5.6.
    pub const METHOD_NOT_ALLOWED: Status = Status(405, "405 Method Not Allowed");
    /// RFC 9110 §15.5.9.
    pub const REQUEST_TIMEOUT: Status = Status(408, "408 Request Timeout");
    /// RFC 9110 §15.5.10.
    pub const CONFLICT: Status = Status(409, "409 Conflict");
    /// RFC 9110 §15.5.13.
    pub const PRECONDITION_FAILED: Status = Status(412, "412 Precondition Failed");
    /// RFC 9110 §15.5.14.
    pub const CONTENT_TOO_LARGE: Status = Status(413, "413 Content Too Large");
    /// RFC 9110 §15.5.15.
    pub const URI_TOO_LONG: Status = Status(414, "414 URI Too Long");
    /// RFC 9110 §15.5.17.
    pub const RANGE_NOT_SATISFIABLE: Status = Status(416, "416 Range Not Satisfiable");
    /// RFC 9110 §15.5.18.
    pub const EXPECTATION_FAILED: Status = Status(417, "417 Expectation Failed");
    /// RFC 9110 §15.5.20.
    pub const MISDIRECTED_REQUEST: Status = Status(421, "421 Misdirected Request");
    /// RFC 6585 §4.
    pub const TOO_MANY_REQUESTS: Status = Status(429, "429 Too Many Requests");
    /// RFC 6585 §5.
    pub const REQUEST_HEADER_FIELDS_TOO_LARGE: Status = Status(431, "431 Request Header Fields Too Large");
    /// RFC 9110 §15.6.1.
    pub const INTERNAL_SERVER_ERROR: Status = Status(500, "500 Internal Server Error");
    /// RFC 9110 §15.6.2.
    pub const NOT_IMPLEMENTED: Status = Status(501, "501 Not Implemented");
    /// RFC 9110 §15.6.4.
    pub const SERVICE_UNAVAILABLE: Status = Status(503, "503 Service Unavailable");
    /// RFC 9110 §15.6.6.
    pub const HTTP_VERSION_NOT_SUPPORTED: Status = Status(505, "505 HTTP Version Not Supported");
    /// RFC 4918 §11.5.
    pub const INSUFFICIENT_STORAGE: Status = Status(507, "507 Insufficient Storage");
}
