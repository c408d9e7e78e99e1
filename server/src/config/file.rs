//! Settings from a TOML file: [`read`].

use std::fs;
use std::path::Path;

use clap::{ArgAction, Command, error::ErrorKind};
use toml::de::{DeTable, DeValue};

use super::UsageError;
use super::flags::NO_SETTINGS;

/// One line of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    /// Its key: the name of the flag, with `_` for `-`.
    pub(super) id: String,
    /// Its value as the flag takes it; several where the flag can be said more than once.
    pub(super) values: Vec<String>,
    /// The file and the line.
    pub(super) place: String,
}

/// Reads a file.
///
/// # Errors
/// It cannot be read, is no TOML, has a key that is no setting, or a value that the flag refuses; with
/// the line.
pub(super) fn read(path: &Path, command: &Command) -> Result<Vec<Setting>, UsageError> {
    let shown = path.display();
    let text = fs::read_to_string(path).map_err(|error| UsageError(format!("{shown}: {error}")))?;
    let place = |at: usize| format!("{shown}:{}", 1 + text[..at].matches('\n').count());
    let table = DeTable::parse(&text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        UsageError(format!("{}: {}", place(at.min(text.len())), error.message()))
    })?;
    let mut settings = Vec::new();
    for (key, value) in table.get_ref() {
        let setting =
            Setting { id: key.get_ref().to_string(), values: Vec::new(), place: place(key.span().start) };
        let refused = |why: &str| UsageError(format!("{}: {}: {why}", setting.place, setting.id));
        if setting.id == RIGHTS {
            for rule in value.get_ref().as_array().ok_or_else(|| refused("to be written as [[rights]]"))? {
                let place = place(rule.span().start);
                let rule = rule_of(rule.get_ref()).map_err(|why| UsageError(format!("{place}: {why}")))?;
                let tried = try_value(command, "allow", &rule);
                tried.map_err(|why| UsageError(format!("{place}: {RIGHTS}: {why}")))?;
                add(&mut settings, Setting { id: "allow".to_owned(), values: vec![rule], place });
            }
            continue;
        }
        let argument = command.get_arguments().find(|arg| arg.get_id().as_str() == setting.id);
        let Some(argument) =
            argument.filter(|_| !NO_SETTINGS.contains(&setting.id.as_str()) && setting.id != "config")
        else {
            return Err(refused("no setting is called so"));
        };
        let values = match value.get_ref() {
            DeValue::Array(values) if matches!(argument.get_action(), ArgAction::Append) => {
                values.iter().map(|value| simple(value.get_ref())).collect::<Option<Vec<_>>>()
            }
            value => simple(value).map(|value| vec![value]),
        };
        let values = values.ok_or_else(|| refused("not a text, a number, true or false"))?;
        for value in &values {
            try_value(command, &setting.id, value).map_err(|why| refused(&why))?;
        }
        add(&mut settings, Setting { values, ..setting });
    }
    // In the order of the file.
    settings.sort_by_key(|setting| text.find(&setting.id));
    Ok(settings)
}

/// A rule of who may do what is a table in the file, and one word on the command line.
const RIGHTS: &str = "rights";

/// One more setting, or more values of one.
fn add(settings: &mut Vec<Setting>, more: Setting) {
    match settings.iter_mut().find(|setting| setting.id == more.id) {
        Some(setting) => setting.values.extend(more.values),
        None => settings.push(more),
    }
}

/// A value that is not made of others, as a flag takes it.
fn simple(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Float(number) => Some(number.to_string()),
        DeValue::Boolean(choice) => Some(choice.to_string()),
        _ => None,
    }
}

/// `who`, `may` and `path` of a table, as the flag takes them.
fn rule_of(table: &DeValue<'_>) -> Result<String, String> {
    let form = "a rule has who = \"…\", path = \"/…\" and may = [\"…\", …], and nothing else";
    let table = table.as_table().filter(|table| table.len() == 3).ok_or(form)?;
    let part = |key: &str| table.iter().find(|(known, _)| known.get_ref() == key).map(|(_, value)| value);
    let text = |key: &str| part(key).and_then(|value| value.get_ref().as_str()).ok_or(form);
    let may = part("may").and_then(|value| value.get_ref().as_array()).ok_or(form)?;
    let may: Option<Vec<&str>> = may.iter().map(|verb| verb.get_ref().as_str()).collect();
    let (who, path) = (text("who")?, text("path")?);
    if who.contains(";") || path.contains(';') {
        return Err("a `;` separates rules and can be in none".to_owned());
    }
    Ok(format!("{who}:{}:{path}", may.ok_or(form)?.join(",")))
}

/// Whether the flag takes this value; else what it says.
fn try_value(command: &Command, id: &str, value: &str) -> Result<(), String> {
    let name = command.get_name().to_owned();
    let word = match command.get_arguments().find(|arg| arg.get_id().as_str() == id) {
        Some(arg) if arg.is_positional() => value.to_owned(),
        _ => format!("--{}={value}", id.replace('_', "-")),
    };
    match command.clone().try_get_matches_from([name, "--".to_owned(), word.clone()].into_iter().filter(
        // A word behind `--` is no flag.
        |part| part != "--" || !word.starts_with("--"),
    )) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::DisplayHelp => Ok(()),
        Err(error) => Err(UsageError::from_paragraphs(&error.render().to_string()).0),
    }
}
