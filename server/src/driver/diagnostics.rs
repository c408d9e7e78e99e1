//! What the server does, in words, for whoever looks for a fault: [`show`].
//!
//! Off unless asked for: then an event costs one look at a number. Where it is on, an event is a line beside
//! what else the log says that is no request, and like that lost where nobody reads.

use std::fmt;
use std::str::FromStr;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

use super::log::Notes;

/// How much is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level(LevelFilter);

impl Level {
    /// Nothing.
    pub const OFF: Level = Level(LevelFilter::OFF);
    /// What they are called, from least to most.
    pub const NAMES: [&str; 5] = ["off", "error", "warn", "info", "debug"];
}

impl FromStr for Level {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Level, &'static str> {
        let known = Level::NAMES.contains(&name).then(|| name.parse().ok()).flatten();
        known.map(Level).ok_or("off, error, warn, info or debug")
    }
}

impl fmt::Display for Level {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// From here on says what happens, up to `level`. Once in a process: later calls change nothing.
pub fn show(level: Level, notes: Notes) {
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level.0)
        .with_ansi(false)
        .with_target(false)
        .with_writer(Lines(notes))
        .finish();
    // Refused only where there is one already.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

struct Lines(Notes);

impl MakeWriter<'_> for Lines {
    type Writer = Notes;

    fn make_writer(&self) -> Notes {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_have_the_names_that_help_says() {
        for name in Level::NAMES {
            assert_eq!(name.parse::<Level>().unwrap().to_string(), name);
        }
        for other in ["", "trace", "3", "INFO", "info "] {
            assert!(other.parse::<Level>().is_err(), "{other}");
        }
    }
}
