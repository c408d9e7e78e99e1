//! What is printed instead of serving: completions, the manual page, the settings in effect.

use clap::parser::ValueSource;
use clap::{ArgAction, ArgMatches, Command};

use super::file::Setting;
use super::flags::{ENVIRONMENT_PREFIX, NO_SETTINGS, Print};
use super::{UsageError, access};

/// A text that is made instead of serving.
///
/// # Errors
/// Where it cannot be made of what was said.
pub(super) fn generated(what: &Print, mut command: Command) -> Result<String, UsageError> {
    let mut text = Vec::new();
    match what {
        Print::Completions { shell } => {
            let name = command.get_name().to_owned();
            clap_complete::generate(*shell, &mut command, name, &mut text);
        }
        // Writing to memory cannot fail.
        Print::Man => clap_mangen::Man::new(command).render(&mut text).unwrap_or_default(),
        Print::Password { name } => return access::password_line(name, std::io::stdin().lock()),
        Print::Token { name } => return access::token_lines(name),
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// The settings in effect, as a file that says the same; each with where it is from.
pub(super) fn effective(command: &Command, matches: &ArgMatches, settings: &[Setting]) -> String {
    let mut text = String::new();
    for arg in command.get_arguments() {
        let id = arg.get_id().as_str();
        if NO_SETTINGS.contains(&id) || id == "config" {
            continue;
        }
        let Some(values) = matches.get_raw(id) else {
            let without = if id == "threads" { "as many as there are CPUs" } else { "none" };
            text.push_str(&format!("# {id}: {without}\n"));
            continue;
        };
        let place = match matches.value_source(id) {
            Some(ValueSource::CommandLine) => "command line".to_owned(),
            Some(ValueSource::EnvVariable) => format!("{ENVIRONMENT_PREFIX}{}", id.to_uppercase()),
            _ => {
                let setting = settings.iter().find(|setting| setting.id == id);
                setting.map_or("default".to_owned(), |setting| setting.place.clone())
            }
        };
        let values: Vec<String> = values.map(|value| in_toml(&value.to_string_lossy())).collect();
        let value = match (arg.get_action(), &values[..]) {
            (ArgAction::Append, values) => format!("[{}]", values.join(", ")),
            (_, values) => values.concat(),
        };
        text.push_str(&format!("{id} = {value} # {}\n", place.escape_debug()));
    }
    text
}

fn in_toml(value: &str) -> String {
    let bare = value.parse::<i64>().is_ok() || value == "true" || value == "false";
    if bare { value.to_owned() } else { toml::Value::from(value).to_string() }
}
