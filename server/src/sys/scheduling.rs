//! Which of the server's threads the scheduler lets go first, sched(7): [`go_first`] and [`stand_back`].
//! All keep their fair share of the CPUs; only who waits for whom changes.

use std::io;
use std::mem;

use super::call::check;

/// How long the calling thread wants to run at a time, in nanoseconds: the scheduler lets those go first
/// that ask for little (Linux 6.12; older ones take no notice).
const SLICE_NANOSECONDS: u64 = 100_000;

/// How much nicer a thread is that stands back: its share is a tenth of that of one that goes first. There may
/// be dozens of them, and where all have work an even share for each leaves too little for the one that they
/// all wait for.
const NICER: i32 = 10;

/// For a thread that does many short things that others wait for.
///
/// # Errors
/// What `sched_setattr` said; all is as before.
pub fn go_first() -> io::Result<()> {
    let mut attributes = attributes()?;
    attributes.sched_runtime = SLICE_NANOSECONDS;
    set(&attributes)
}

/// For a thread that does long things: woken, it waits until whoever runs there is done for the moment.
///
/// # Errors
/// What `sched_setattr` said; all is as before.
pub fn stand_back() -> io::Result<()> {
    let mut attributes = attributes()?;
    // Not for whoever runs the server in a class of its own choice.
    if attributes.sched_policy == libc::SCHED_OTHER as u32 {
        attributes.sched_policy = libc::SCHED_BATCH as u32;
    }
    attributes.sched_nice = (attributes.sched_nice + NICER).min(19);
    set(&attributes)
}

/// As sched_setattr(2) has it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct Attributes {
    size: u32,
    sched_policy: u32,
    sched_flags: u64,
    sched_nice: i32,
    sched_priority: u32,
    sched_runtime: u64,
    sched_deadline: u64,
    sched_period: u64,
}

/// Those of the calling thread.
fn attributes() -> io::Result<Attributes> {
    let mut attributes = Attributes::default();
    let size = mem::size_of::<Attributes>();
    // SAFETY: `attributes` is a valid place of `size` bytes for the answer.
    let result = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, size, 0) };
    check(result as libc::c_int)?;
    attributes.size = size as u32;
    Ok(attributes)
}

fn set(attributes: &Attributes) -> io::Result<()> {
    // SAFETY: `attributes` is initialised, and says how long it is.
    let result = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const *attributes, 0) };
    check(result as libc::c_int).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_calling_thread_changes() {
        let before = attributes().unwrap();
        std::thread::spawn(|| {
            stand_back().unwrap();
            assert_eq!(attributes().unwrap().sched_policy, libc::SCHED_BATCH as u32);
        })
        .join()
        .unwrap();
        std::thread::spawn(move || {
            go_first().unwrap();
            let after = attributes().unwrap();
            assert_eq!((after.sched_policy, after.sched_nice), (before.sched_policy, before.sched_nice));
        })
        .join()
        .unwrap();
        assert_eq!(attributes().unwrap().sched_policy, before.sched_policy);
    }
}
