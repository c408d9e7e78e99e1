//! An error as a document for programs, RFC 9457, for whoever asks for one.

use serde::Serialize;

use super::accept;
use super::reply::Reply;
use crate::http::request::Request;

/// What it is made as, and what else asks for it.
const MEDIA_TYPE: &str = "application/problem+json";
const ASKED_FOR_BY: &[&str] = &[MEDIA_TYPE, "application/json"];
/// RFC 9110 §12.5.5: it depends on `Accept` whether an error is one.
pub const FIELD: (&str, &str) = ("Vary", "Accept");

/// RFC 9457 §3.1, with a member of its own: what is meant in a word that stays, whatever becomes of the
/// sentence.
#[derive(Serialize)]
struct Document {
    /// RFC 9457 §4.2.1: the status says which kind it is.
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
    code: &'static str,
}

/// Whether errors are to be documents.
pub fn is_asked_for(request: &Request<'_>) -> bool {
    request.may_want_json && accept::prefers(request.values("accept"), ASKED_FOR_BY, "text/plain")
}

/// Media type and content of an error that is one.
pub fn document(reply: &Reply<'_>) -> (&'static str, Vec<u8>) {
    let detail = String::from_utf8_lossy(reply.content.trim_ascii_end()).into_owned();
    let (title, status) = (reply.status.phrase(), reply.status.code());
    let document = Document { r#type: "about:blank", title, status, detail, code: reply.code };
    // Nothing in it can fail: it has neither maps nor numbers that JSON lacks.
    let mut content = serde_json::to_vec(&document).unwrap_or_default();
    content.push(b'\n');
    (MEDIA_TYPE, content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::reply;
    use crate::http::rejection::Rejection;
    use crate::http::status::Status;

    #[test]
    fn a_document_says_what_the_sentence_says() {
        let (media_type, content) = document(&reply::refusal(Status::CONFLICT, "file-exists", "a \"file\""));
        assert_eq!(media_type, MEDIA_TYPE);
        let expected = "{\"type\":\"about:blank\",\"title\":\"Conflict\",\"status\":409,\
                        \"detail\":\"a \\\"file\\\"\",\"code\":\"file-exists\"}\n";
        assert_eq!(str::from_utf8(&content), Ok(expected));
    }

    #[test]
    fn codes_are_words_and_name_one_thing() {
        let mut codes: Vec<&str> = Rejection::ALL.iter().map(|rejection| rejection.code()).collect();
        for code in &codes {
            assert!(code.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-')), "{code}");
        }
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Rejection::ALL.len());
    }
}
