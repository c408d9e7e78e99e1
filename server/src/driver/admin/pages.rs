//! What is answered there: `/healthz`, `/readyz` and `/metrics`.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::metrics;
use crate::clock::Now;
use crate::http::rejection::Rejection;
use crate::http::request::Request;
use crate::http::request_line::Method;
use crate::http::response::{Persistence, ResponseHead};
use crate::http::status::Status;
use crate::http::target::Target;
use crate::shared::figures::{Figures, WorkerFigures};

/// The pools of threads: the one that waits for the disk, and the one that looks at passwords.
pub const POOLS: [&str; 2] = ["files", "passwords"];

/// What is asked of a running server when somebody wants to know.
pub trait Watched: Send {
    /// Why it refuses work that it would do otherwise, if it does.
    fn refuses_work(&self) -> Option<&'static str>;
    /// Jobs that wait for a thread, of each of [`POOLS`].
    fn waiting_jobs(&self) -> [u64; POOLS.len()];
    /// Calls to the system that put something on stable storage.
    fn syncs(&self) -> u64;
    /// Lines of the log that nobody will read.
    fn dropped_lines(&self) -> u64;
}

/// All pages.
pub struct Pages {
    /// Of each event loop.
    pub figures: Vec<Arc<Figures>>,
    /// Of each thread of each of [`POOLS`].
    pub workers: [Vec<Arc<WorkerFigures>>; POOLS.len()],
    /// The server beside them.
    pub watched: Box<dyn Watched>,
    /// The server has been told to end.
    pub draining: Arc<AtomicBool>,
}

const TEXT: &str = "text/plain; charset=utf-8";
/// OpenMetrics 1.0, which Prometheus asks for first.
const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Page = (Status, &'static str, Cow<'static, str>);

impl Pages {
    /// The whole answer to a request.
    pub(super) fn answer(&self, request: &Request<'_>, now: &Now) -> Vec<u8> {
        let page = match (request.target, request.method) {
            (Target::Path(b"/healthz" | b"/readyz" | b"/metrics"), method)
                if !matches!(method, Method::Get | Method::Head) =>
            {
                (Status::METHOD_NOT_ALLOWED, TEXT, Cow::Borrowed("this resource has GET and HEAD\n"))
            }
            (Target::Path(b"/healthz"), _) => (Status::OK, TEXT, Cow::Borrowed("ok\n")),
            (Target::Path(b"/readyz"), _) => self.ready(),
            (Target::Path(b"/metrics"), _) => (Status::OK, METRICS, Cow::Owned(metrics::text(self))),
            _ => (Status::NOT_FOUND, TEXT, Cow::Borrowed("there are /healthz, /readyz and /metrics\n")),
        };
        write(page, request.method == Method::Head, now)
    }

    /// The whole answer to what is no request.
    pub(super) fn reject(&self, rejection: Rejection, now: &Now) -> Vec<u8> {
        write((rejection.status(), TEXT, Cow::Owned(format!("{}\n", rejection.reason()))), false, now)
    }

    fn ready(&self) -> Page {
        let reason = if self.draining.load(Ordering::Relaxed) {
            Some("the server is about to end")
        } else {
            self.watched.refuses_work()
        };
        match reason {
            None => (Status::OK, TEXT, Cow::Borrowed("ready\n")),
            Some(reason) => (Status::SERVICE_UNAVAILABLE, TEXT, Cow::Owned(format!("{reason}\n"))),
        }
    }
}

fn write((status, media_type, text): Page, head_only: bool, now: &Now) -> Vec<u8> {
    const FIELDS: &[(&str, &str)] = &[("Cache-Control", "no-store")];
    const ALLOW: &[(&str, &str)] = &[("Allow", "GET, HEAD"), FIELDS[0]];
    const RETRY: &[(&str, &str)] = &[("Retry-After", "1"), FIELDS[0]];
    let mut bytes = Vec::new();
    ResponseHead {
        status,
        date: &now.date,
        content: Some((media_type, text.len() as u64)),
        fields: match status {
            Status::METHOD_NOT_ALLOWED => ALLOW,
            Status::SERVICE_UNAVAILABLE => RETRY,
            _ => FIELDS,
        },
        location: None,
        validators: None,
        content_range: None,
        request_id: None,
        persistence: Persistence::Close,
    }
    .write(&mut bytes);
    if !head_only {
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes
}
