//! Signals as something to wait for: [`Signals`].

use std::io;
use std::mem::MaybeUninit;

use super::call::check;

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// `SIGTERM` or `SIGINT`: come to an end.
    End,
    /// `SIGHUP`: read again what may have changed.
    Reload,
}

/// The signals that are obeyed, blocked in the thread that made it and in all that it starts later.
#[derive(Clone)]
pub struct Signals(libc::sigset_t);

impl Signals {
    /// Blocks them in this thread: call it before any other is started.
    ///
    /// # Errors
    /// Only where this program is wrong.
    pub fn block() -> io::Result<Signals> {
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: `set` is a valid place for a set.
        check(unsafe { libc::sigemptyset(set.as_mut_ptr()) })?;
        // SAFETY: sigemptyset has initialised it.
        let mut set = unsafe { set.assume_init() };
        for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
            // SAFETY: `set` is an initialised set.
            check(unsafe { libc::sigaddset(&raw mut set, signal) })?;
        }
        // SAFETY: `set` is an initialised set; the old one is not asked for.
        let error = unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) };
        error_number(error)?;
        Ok(Signals(set))
    }

    /// Waits for the next one.
    ///
    /// # Errors
    /// Only where this program is wrong.
    pub fn wait(&self) -> io::Result<Signal> {
        let mut signal = 0;
        // SAFETY: the set is initialised, and `signal` is a valid place for the answer.
        error_number(unsafe { libc::sigwait(&raw const self.0, &raw mut signal) })?;
        Ok(if signal == libc::SIGHUP { Signal::Reload } else { Signal::End })
    }
}

/// Ignores `SIGXFSZ` in the whole process: a file beyond `RLIMIT_FSIZE` is an error of the write,
/// `EFBIG`, and not the end of the server (setrlimit(2)). std does the same for `SIGPIPE`.
pub fn ignore_file_size_signal() {
    // SAFETY: no handler is installed, and the call fails only for signals that cannot be ignored.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

/// pthread_sigmask(3) and sigwait(3) return the error instead of setting `errno`.
fn error_number(error: libc::c_int) -> io::Result<()> {
    if error != 0 {
        return Err(io::Error::from_raw_os_error(error));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocked_signals_are_waited_for() {
        // In a thread of its own, for which alone raise(3) is meant there.
        let waited = std::thread::spawn(|| {
            let signals = Signals::block()?;
            let asked = [
                (libc::SIGTERM, Signal::End),
                (libc::SIGHUP, Signal::Reload),
                (libc::SIGINT, Signal::End),
                (libc::SIGTERM, Signal::End),
            ];
            for (signal, meant) in asked {
                // SAFETY: takes no pointers; the signal is blocked, so it only waits to be fetched.
                check(unsafe { libc::raise(signal) })?;
                assert_eq!(signals.wait()?, meant);
            }
            io::Result::Ok(())
        });
        waited.join().unwrap().unwrap();
    }
}
