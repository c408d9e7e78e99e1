//! What a thread does instead of blocking where many simulated threads are one: it gives way.

use std::cell::Cell;

thread_local! {
    static GIVE_WAY: Cell<Option<fn()>> = const { Cell::new(None) };
}

/// From now on whoever would block this thread calls `give_way` until it need not; `None` blocks.
pub fn set(give_way: Option<fn()>) {
    GIVE_WAY.set(give_way);
}

/// How this thread gives way, where it is not to block.
pub fn give_way() -> Option<fn()> {
    GIVE_WAY.get()
}
