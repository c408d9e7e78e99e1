//! The settings, from the command line, the environment and a file, read into the server's [`Options`].

mod access;
mod file;
mod flags;
mod print;
mod values;

use std::ffi::OsString;
use std::fmt;

use clap::error::{ContextKind, ErrorKind};
use clap::parser::ValueSource;
use clap::{ArgMatches, Command, FromArgMatches};

use file::Setting;
use flags::CommandLine;
use http_server::driver::server::Options;

/// Reads the command line, its first word being the program's name, and where it or the environment
/// says so a file. A flag goes before the environment, that before the file, and that before the default.
pub(crate) fn read<Word>(words: impl IntoIterator<Item = Word>) -> Result<Options, Ending>
where
    Word: Into<OsString> + Clone,
{
    let words: Vec<OsString> = words.into_iter().map(Into::into).collect();
    let command = flags::command();
    let matches = command.clone().try_get_matches_from(&words)?;
    let command_line = CommandLine::from_arg_matches(&matches)?;
    if let Some(what) = command_line.print() {
        return Err(print::generated(what, command).map_or_else(Ending::Refused, Ending::Shown));
    }
    let Some(path) = &command_line.config else {
        return finish(command_line, &command, &matches, &[]);
    };
    let settings = file::read(path, &command).map_err(Ending::Refused)?;
    // What the file says takes the place of the defaults, and so comes behind all else.
    let with_file = settings.iter().fold(command.clone(), |command, setting| {
        command.mut_arg(&setting.id, |arg| arg.default_values(setting.values.clone()))
    });
    let matches = with_file.try_get_matches_from(&words)?;
    let command_line = CommandLine::from_arg_matches(&matches)?;
    finish(command_line, &command, &matches, &settings)
}

fn finish(
    command_line: CommandLine,
    command: &Command,
    matches: &ArgMatches,
    settings: &[Setting],
) -> Result<Options, Ending> {
    let check = command_line.check;
    let chosen = |id: &str| {
        matches.value_source(id).is_some_and(|source| source != ValueSource::DefaultValue)
            || settings.iter().any(|setting| setting.id == id)
    };
    let options = command_line.options(chosen).map_err(Ending::Refused)?;
    if check { Err(Ending::Shown(print::effective(command, matches, settings))) } else { Ok(options) }
}

/// Why a command line leads to no server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It asked for this text.
    Shown(String),
    /// It cannot be obeyed.
    Refused(UsageError),
}

/// What is wrong with the settings, in one line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UsageError(String);

impl From<clap::Error> for Ending {
    fn from(error: clap::Error) -> Ending {
        let text = error.render().to_string();
        // clap takes a word behind the base directory for a subcommand, but says nothing of directories.
        let second = error.get(ContextKind::InvalidSubcommand).or_else(|| error.get(ContextKind::InvalidArg));
        match error.kind() {
            ErrorKind::ArgumentConflict if text.contains("[BASE_DIRECTORY]") => {
                let word = second.map_or(String::new(), |word| format!(", not '{word}'"));
                Ending::Refused(UsageError(format!("behind the base directory there are only flags{word}")))
            }
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Ending::Shown(text),
            _ => Ending::Refused(UsageError::from_paragraphs(&text)),
        }
    }
}

impl UsageError {
    /// Of clap's paragraphs, what is wrong and how it may have been meant, in one line.
    fn from_paragraphs(text: &str) -> UsageError {
        let paragraphs: Vec<String> = text
            .trim_start_matches("error: ")
            .split("\n\n")
            .filter(|paragraph| {
                !paragraph.starts_with("Usage:") && !paragraph.starts_with("For more information")
            })
            .map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "))
            .filter(|paragraph| !paragraph.is_empty())
            .collect();
        UsageError(paragraphs.join("; "))
    }
}

impl fmt::Display for UsageError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} (--help lists every flag)", self.0)
    }
}

#[cfg(test)]
mod tests;
