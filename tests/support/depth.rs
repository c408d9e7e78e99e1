//! How deep the checks look: [`depth`], from `VERIFY` in the environment.

/// Three depths of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// Minutes: what a developer runs.
    Quick,
    /// A quarter of an hour, `VERIFY=full`: before a change is taken.
    Full,
    /// Hours, `VERIFY=soak`, with seeds chosen afresh.
    Soak,
}

/// The depth of this run.
pub fn depth() -> Depth {
    match std::env::var("VERIFY").as_deref() {
        Err(_) | Ok("" | "quick") => Depth::Quick,
        Ok("full") => Depth::Full,
        Ok("soak") => Depth::Soak,
        Ok(other) => panic!("VERIFY is quick, full or soak, not {other:?}"),
    }
}

impl Depth {
    /// How many at this depth.
    pub fn of<T>(self, quick: T, full: T, soak: T) -> T {
        match self {
            Depth::Quick => quick,
            Depth::Full => full,
            Depth::Soak => soak,
        }
    }
}
