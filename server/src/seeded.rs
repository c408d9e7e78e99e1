//! Bugs that can be switched on by name, to see that the checks notice: [`bug`].
//!
//! Only builds for verification have them; `tests/seeded_bugs.rs` holds the list and runs them all.
//! A bug is one that a tired programmer would write, at the place where it would be written.

/// Whether this bug is switched on, by `SEEDED_BUG` in the environment.
#[cfg(any(feature = "verification", loom))]
pub fn bug(name: &str) -> bool {
    static SWITCHED_ON: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    SWITCHED_ON.get_or_init(|| std::env::var("SEEDED_BUG").ok()).as_deref() == Some(name)
}

/// Never.
#[cfg(not(any(feature = "verification", loom)))]
pub const fn bug(_: &str) -> bool {
    false
}
