//! What signals do to the server: [`obey`].

use std::sync::atomic::{AtomicBool, Ordering};

use sd_notify::NotifyState;

use super::Post;
use crate::clock::{Clock, SystemClock};
use crate::driver::certificate::Certificate;
use crate::driver::event_loop::Message;
use crate::driver::log::{Lines, Reopening};
use crate::driver::socket_file::SocketFile;
use crate::sys::signal::{Signal, Signals};

/// The first signal to end lets the server finish what is under way, the second does not.
pub(super) fn obey(
    signals: &Signals,
    posts: &[Post],
    files: Vec<SocketFile>,
    again: &mut Again,
    draining: &AtomicBool,
) {
    let mut files = Some(files);
    while let Ok(signal) = signals.wait() {
        match signal {
            Signal::Reload => {
                tracing::info!("reading again what may have changed");
                again.reload();
            }
            Signal::End if files.is_some() => {
                tracing::info!("ending: what is under way is finished");
                draining.store(true, Ordering::Relaxed);
                let _ = sd_notify::notify(&[NotifyState::Stopping]);
                // While their sockets listen: who has come by then is still served.
                files = None;
                for post in posts {
                    post.post(Message::Drain);
                }
            }
            Signal::End => {
                tracing::warn!("ending at once");
                std::process::exit(1);
            }
        }
    }
}

/// What is read or opened again when the operator says so.
pub(super) struct Again {
    pub(super) certificate: Option<Certificate>,
    pub(super) log: Option<Reopening>,
    pub(super) lines: Lines,
    pub(super) clock: SystemClock,
}

impl Again {
    fn reload(&mut self) {
        if let Ok(now) = NotifyState::monotonic_usec_now() {
            let _ = sd_notify::notify(&[NotifyState::Reloading, now]);
        }
        if let Some(log) = &self.log {
            log.ask();
        }
        if let Some(certificate) = &self.certificate {
            let now = self.clock.now();
            match certificate.read_again() {
                Ok(()) => self.lines.noted("the certificate was read again", &now),
                Err(error) => {
                    self.lines.noted(format_args!("the certificate stays as it is: {error}"), &now);
                }
            }
            self.lines.hand_over(&now);
        }
        let _ = sd_notify::notify(&[NotifyState::Ready]);
    }
}
