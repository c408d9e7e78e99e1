//! Another user's rights for one thread, so that tests meet refusals also where root runs them.

use std::io;

use super::call::check_count;

/// Nobody's user and group.
pub(crate) const NOBODY: u32 = 65534;

/// Gives the calling thread nobody's rights on files; the other threads keep theirs.
///
/// # Errors
/// `PermissionDenied` where the process may not.
pub(crate) fn become_nobody() -> io::Result<()> {
    for call in [libc::SYS_setfsgid, libc::SYS_setfsuid] {
        // SAFETY: setfsgid(2) and setfsuid(2) take a number and touch no memory.
        check_count(unsafe { libc::syscall(call, NOBODY) } as libc::ssize_t)?;
        // setfsuid(2): a refusal shows only in what a second call says that it was before.
        // SAFETY: as above.
        if unsafe { libc::syscall(call, NOBODY) } != libc::c_long::from(NOBODY) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
    }
    Ok(())
}
