//! Why a message is refused before anybody asks what it wants: the peer's mistakes.

use super::status::Status;

/// One cause each. After any of them the end of the request is unknown or not to be trusted, so
/// the connection is closed behind the answer (RFC 9112 §9.6, §11.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// A CR without its LF, RFC 9112 §2.2.
    BareCarriageReturn,
    /// A LF without its CR; RFC 9112 §2.2 lets a server accept it, and this one does not.
    BareLineFeed,
    /// More than one empty line before the request line, RFC 9112 §2.2.
    LeadingEmptyLines,
    /// A byte in the request line that is no visible ASCII and no space, RFC 9112 §3.
    RequestLineByte,
    /// Not method, space, target, space, version, RFC 9112 §3.
    RequestLine,
    /// A method that is no token, RFC 9110 §9.1.
    Method,
    /// A method longer than any that is known, RFC 9112 §3.
    MethodTooLong,
    /// A version that is not `HTTP/` digit `.` digit, RFC 9112 §2.3.
    VersionSyntax,
    /// A major version that is not 1, RFC 9110 §15.6.6.
    Version,
    /// A target of no form that the method allows, RFC 9112 §3.2.
    Target,
    /// A target beyond its limit, RFC 9112 §3.
    TargetTooLong,
    /// A head beyond its limit, RFC 6585 §5.
    HeadTooLarge,
    /// More field lines than the limit, RFC 6585 §5.
    TooManyFields,
    /// A field line that is not `name: value`, or is folded, RFC 9112 §5.
    Field,
    /// More than one `Content-Type` or `Content-Range`, RFC 9110 §5.3.
    FieldRepeated,
    /// No `Host`, RFC 9112 §3.2.
    HostMissing,
    /// More than one `Host`, RFC 9112 §3.2.
    HostRepeated,
    /// A `Host` that is no host and port, RFC 9112 §3.2.
    Host,
    /// A `Content-Length` that is not one number, RFC 9112 §6.3.
    ContentLength,
    /// More than one `Content-Length`, RFC 9112 §6.3.
    ContentLengthRepeated,
    /// A length and a transfer coding together, RFC 9112 §6.3.
    BothLengths,
    /// A transfer coding that does not end in one `chunked`, RFC 9112 §6.3.
    TransferEncoding,
    /// A transfer coding before `chunked` that is not known, RFC 9112 §6.1.
    TransferCodingUnknown,
    /// A transfer coding in HTTP/1.0, RFC 9112 §6.1.
    TransferEncodingInHttp10,
    /// A chunk-size line that is malformed, RFC 9112 §7.1.
    ChunkSize,
    /// A chunk extension that is malformed, RFC 9112 §7.1.1.
    ChunkExtension,
    /// Chunk data not followed by CRLF, RFC 9112 §7.1.
    ChunkEnd,
    /// A trailer field that is malformed, RFC 9112 §7.1.2.
    Trailer,
    /// More bytes of chunk extensions and trailers than the limit, RFC 9112 §7.1.1.
    ChunkOverhead,
    /// More content than the limit, RFC 9110 §15.5.14.
    ContentTooLarge,
    /// The peer ended in the middle of a request, RFC 9112 §8.
    Incomplete,
    /// The head took too long, RFC 9110 §15.5.9.
    HeadTimeout,
    /// The content came too slowly, RFC 9110 §15.5.9.
    ContentTimeout,
    /// More connections than the limit, RFC 9110 §15.6.4.
    TooManyConnections,
}

impl Rejection {
    /// Each of them, in the order of their numbers.
    pub const ALL: [Rejection; 34] = [
        Rejection::BareCarriageReturn,
        Rejection::BareLineFeed,
        Rejection::LeadingEmptyLines,
        Rejection::RequestLineByte,
        Rejection::RequestLine,
        Rejection::Method,
        Rejection::MethodTooLong,
        Rejection::VersionSyntax,
        Rejection::Version,
        Rejection::Target,
        Rejection::TargetTooLong,
        Rejection::HeadTooLarge,
        Rejection::TooManyFields,
        Rejection::Field,
        Rejection::FieldRepeated,
        Rejection::HostMissing,
        Rejection::HostRepeated,
        Rejection::Host,
        Rejection::ContentLength,
        Rejection::ContentLengthRepeated,
        Rejection::BothLengths,
        Rejection::TransferEncoding,
        Rejection::TransferCodingUnknown,
        Rejection::TransferEncodingInHttp10,
        Rejection::ChunkSize,
        Rejection::ChunkExtension,
        Rejection::ChunkEnd,
        Rejection::Trailer,
        Rejection::ChunkOverhead,
        Rejection::ContentTooLarge,
        Rejection::Incomplete,
        Rejection::HeadTimeout,
        Rejection::ContentTimeout,
        Rejection::TooManyConnections,
    ];

    /// The answer's status.
    pub fn status(self) -> Status {
        match self {
            Rejection::Version => Status::HTTP_VERSION_NOT_SUPPORTED,
            Rejection::TargetTooLong => Status::URI_TOO_LONG,
            Rejection::HeadTooLarge | Rejection::TooManyFields => Status::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Rejection::MethodTooLong | Rejection::TransferCodingUnknown => Status::NOT_IMPLEMENTED,
            Rejection::ContentTooLarge => Status::CONTENT_TOO_LARGE,
            Rejection::HeadTimeout | Rejection::ContentTimeout => Status::REQUEST_TIMEOUT,
            Rejection::TooManyConnections => Status::SERVICE_UNAVAILABLE,
            _ => Status::BAD_REQUEST,
        }
    }

    /// Which one it is, in a word that stays.
    pub fn code(self) -> &'static str {
        match self {
            Rejection::BareCarriageReturn => "bare-carriage-return",
            Rejection::BareLineFeed => "bare-line-feed",
            Rejection::LeadingEmptyLines => "leading-empty-lines",
            Rejection::RequestLineByte => "request-line-byte",
            Rejection::RequestLine => "request-line",
            Rejection::Method => "method",
            Rejection::MethodTooLong => "method-too-long",
            Rejection::VersionSyntax => "version-syntax",
            Rejection::Version => "version",
            Rejection::Target => "target",
            Rejection::TargetTooLong => "target-too-long",
            Rejection::HeadTooLarge => "head-too-large",
            Rejection::TooManyFields => "too-many-fields",
            Rejection::Field => "field",
            Rejection::FieldRepeated => "field-repeated",
            Rejection::HostMissing => "host-missing",
            Rejection::HostRepeated => "host-repeated",
            Rejection::Host => "host",
            Rejection::ContentLength => "content-length",
            Rejection::ContentLengthRepeated => "content-length-repeated",
            Rejection::BothLengths => "both-lengths",
            Rejection::TransferEncoding => "transfer-encoding",
            Rejection::TransferCodingUnknown => "transfer-coding-unknown",
            Rejection::TransferEncodingInHttp10 => "transfer-encoding-in-http-1-0",
            Rejection::ChunkSize => "chunk-size",
            Rejection::ChunkExtension => "chunk-extension",
            Rejection::ChunkEnd => "chunk-end",
            Rejection::Trailer => "trailer",
            Rejection::ChunkOverhead => "chunk-overhead",
            Rejection::ContentTooLarge => "content-too-large",
            Rejection::Incomplete => "incomplete",
            Rejection::HeadTimeout => "head-timeout",
            Rejection::ContentTimeout => "content-timeout",
            Rejection::TooManyConnections => "too-many-connections",
        }
    }

    /// One sentence for the peer.
    pub fn reason(self) -> &'static str {
        match self {
            Rejection::BareCarriageReturn => "a CR without its LF",
            Rejection::BareLineFeed => "a LF without its CR",
            Rejection::LeadingEmptyLines => "more than one empty line before the request line",
            Rejection::RequestLineByte => {
                "the request line has a byte that is neither visible ASCII nor a space"
            }
            Rejection::RequestLine => {
                "the request line is not a method, a target and a version, one space apart"
            }
            Rejection::Method => "the method is not a token",
            Rejection::MethodTooLong => "the method is longer than any that is known",
            Rejection::VersionSyntax => "the version is not HTTP/digit.digit",
            Rejection::Version => "only HTTP/1.1 and HTTP/1.0 are spoken here",
            Rejection::Target => "the request target has no form that the method allows",
            Rejection::TargetTooLong => "the request target is too long",
            Rejection::HeadTooLarge => "the head of the request is too large",
            Rejection::TooManyFields => "the request has too many fields",
            Rejection::Field => "a field line is not a name, a colon and a value",
            Rejection::FieldRepeated => "a field that has one value is there more than once",
            Rejection::HostMissing => "the Host field is missing",
            Rejection::HostRepeated => "there is more than one Host field",
            Rejection::Host => "the Host field is not a host and a port",
            Rejection::ContentLength => "the Content-Length is not one decimal number",
            Rejection::ContentLengthRepeated => "there is more than one Content-Length",
            Rejection::BothLengths => "Content-Length and Transfer-Encoding exclude each other",
            Rejection::TransferEncoding => "the Transfer-Encoding does not end in one chunked",
            Rejection::TransferCodingUnknown => "of the transfer codings only chunked is known here",
            Rejection::TransferEncodingInHttp10 => "HTTP/1.0 has no Transfer-Encoding",
            Rejection::ChunkSize => "a chunk size is malformed",
            Rejection::ChunkExtension => "a chunk extension is malformed",
            Rejection::ChunkEnd => "the data of a chunk does not end in CRLF",
            Rejection::Trailer => "a trailer field is malformed",
            Rejection::ChunkOverhead => "the chunk extensions or trailer fields are too large",
            Rejection::ContentTooLarge => "the content is too large",
            Rejection::Incomplete => "the request ended before it was complete",
            Rejection::HeadTimeout => "the head of the request took too long",
            Rejection::ContentTimeout => "the content of the request came too slowly",
            Rejection::TooManyConnections => "too many connections, come back later",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_all() {
        for (number, rejection) in Rejection::ALL.into_iter().enumerate() {
            assert_eq!(rejection as usize, number);
        }
        // It is the last one.
        assert_eq!(Rejection::ALL.len(), Rejection::TooManyConnections as usize + 1);
    }
}
