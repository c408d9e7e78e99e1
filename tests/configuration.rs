//! One setting, three ways to say it: a flag, a variable of the environment, a line of a file.
//!
//! Goal: whatever can be said by a flag can be said by the others; a flag goes before the environment,
//! that before the file, that before the default; what is wrong is refused with its place. Method: the
//! binary's own list of settings, one by one, and what `--check` says is in effect.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper of tests fails the test that it helps")]

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use tempfile::TempDir;
use tests::{PATIENCE, binary, ledger};

/// A home for a file of settings.
struct Settings {
    home: TempDir,
}

impl Settings {
    fn new(text: &str) -> Settings {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("settings.toml"), text).unwrap();
        Settings { home }
    }

    fn path(&self) -> PathBuf {
        self.home.path().join("settings.toml")
    }

    /// Runs the binary with this file, these flags and these variables.
    fn run(&self, flags: &[&str], variables: &[(&str, &str)]) -> Output {
        let mut command = Command::new(binary());
        command.arg("--config").arg(self.path()).args(flags).envs(variables.iter().copied());
        assert_cmd::Command::from_std(command).timeout(PATIENCE).output().unwrap()
    }

    /// What is in effect, and where each value is from.
    #[track_caller]
    fn effective(&self, flags: &[&str], variables: &[(&str, &str)]) -> BTreeMap<String, (String, String)> {
        let output = self.run(&[&["--check"], flags].concat(), variables);
        assert!(output.status.success() && output.stderr.is_empty(), "{flags:?} {variables:?}: {output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with('#')).map(|line| {
            let (id, rest) = line.split_once(" = ").unwrap();
            let (value, place) = rest.rsplit_once(" # ").unwrap();
            (id.to_owned(), (value.to_owned(), place.to_owned()))
        });
        lines.collect()
    }

    /// Checks that the binary ends with status 2 and one line that says all of this.
    #[track_caller]
    fn refused(&self, flags: &[&str], reasons: &[&str]) {
        let output = self.run(flags, &[]);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(reasons.iter().all(|reason| stderr.contains(reason)), "{reasons:?}: {stderr}");
    }
}

/// Another value than the default, as the flag takes it.
fn another(id: &str, value: &str) -> String {
    match (id, value.trim_matches('"')) {
        ("bind", _) => "127.0.0.2".to_owned(),
        ("durability", _) => "cache".to_owned(),
        ("log_format", _) => "json".to_owned(),
        ("diagnostics", _) => "info".to_owned(),
        (_, "false") => "true".to_owned(),
        (_, "true") => "false".to_owned(),
        // Little enough for every bound, and enough for those that others depend on.
        (_, value) if value.ends_with("iB") => "20KiB".to_owned(),
        _ => "7".to_owned(),
    }
}

#[test]
fn each_setting_can_be_said_in_three_ways() {
    let settings = Settings::new("base_directory = \"data\"\n");
    let defaults = settings.effective(&[], &[]);
    let mut tried = 0;
    for (id, (value, place)) in &defaults {
        if id == "base_directory" {
            assert!(place.ends_with("settings.toml:1"), "{place}");
            continue;
        }
        assert_eq!(place, "default", "{id}");
        let other = another(id, value);
        let quoted = if other.parse::<i64>().is_ok() || other == "true" || other == "false" {
            other.clone()
        } else {
            format!("\"{other}\"")
        };
        let flag = format!("--{}={other}", id.replace('_', "-"));
        let variable = format!("HTTP_SERVER_{}", id.to_uppercase());
        let in_file = Settings::new(&format!("base_directory = \"data\"\n\n{id} = {quoted}\n"));
        // Nothing but this one is changed, each way.
        let check = |found: BTreeMap<String, (String, String)>, from: &str| {
            for (other_id, (found, place)) in &found {
                let (expected, from) =
                    if other_id == id { (&quoted, from) } else { (&defaults[other_id].0, "") };
                assert_eq!(found, expected, "{other_id} where {id} is {other}, {from}");
                assert!(place.contains(from), "{id}: {place}, not {from}");
            }
        };
        check(settings.effective(&[&flag], &[]), "command line");
        check(settings.effective(&[], &[(&variable, &other)]), &variable);
        check(in_file.effective(&[], &[]), "settings.toml:3");
        // Each goes before the next.
        let default = value.trim_matches('"');
        let back = format!("--{}={default}", id.replace('_', "-"));
        let found = in_file.effective(&[&back], &[(&variable, &other)]);
        assert_eq!(found[id], (value.clone(), "command line".to_owned()), "{id}");
        let found = in_file.effective(&[], &[(&variable, default)]);
        assert_eq!(found[id], (value.clone(), variable.clone()), "{id}");
        tried += 1;
    }
    ledger::record("configuration", &[("settings", tried)]);
}

#[test]
fn places_to_listen_can_be_said_in_three_ways() {
    let several = "[\"127.0.0.1:1\", \"unix:a b\"]";
    let settings = Settings::new(&format!("base_directory = \"data\"\nlisten = {several}\n"));
    let found = settings.effective(&[], &[]);
    assert_eq!(found["listen"].0, several);
    assert!(found["listen"].1.ends_with("settings.toml:2"), "{found:?}");
    let found = settings.effective(&[], &[("HTTP_SERVER_LISTEN", "[::1]:2,unix:c")]);
    assert_eq!(found["listen"], ("[\"[::1]:2\", \"unix:c\"]".to_owned(), "HTTP_SERVER_LISTEN".to_owned()));
    let found =
        settings.effective(&["--listen=0.0.0.0:3", "--listen=unix:d"], &[("HTTP_SERVER_LISTEN", "unix:c")]);
    assert_eq!(found["listen"].0, "[\"0.0.0.0:3\", \"unix:d\"]");
    Settings::new("base_directory = \"data\"\n\nlisten = [\"unix:a\", \"80\"]\n")
        .refused(&[], &["settings.toml:3", "127.0.0.1:80"]);
}

#[test]
fn what_is_in_effect_can_be_a_file() {
    let settings = Settings::new("base_directory = \"a # \\\"b\\\"\"\nport = 1\nquiet = true\ngrace = 0.5\n");
    let output = settings.run(&["--check", "--threads", "2"], &[]);
    let text = std::str::from_utf8(&output.stdout).unwrap();
    let again = Settings::new(text);
    // In the order of `--help`, whatever is from where.
    let ids = |text: &str| -> Vec<String> {
        text.lines()
            .map(|line| line.trim_start_matches("# ").split([' ', ':']).next().unwrap().to_owned())
            .collect()
    };
    let plain = Settings::new("base_directory = \"data\"\n").run(&["--check"], &[]);
    assert_eq!(ids(text), ids(std::str::from_utf8(&plain.stdout).unwrap()));
    assert!(text.starts_with("base_directory = "), "{text}");
    let values = |found: BTreeMap<String, (String, String)>| -> Vec<_> {
        found.into_iter().map(|(id, (value, _))| (id, value)).collect()
    };
    assert_eq!(values(again.effective(&[], &[])), values(settings.effective(&["--threads", "2"], &[])));
}

/// A rule is a table in a file, and a word anywhere else.
#[test]
fn rules_can_be_said_in_each_way_and_add_up_within_one() {
    let text = "base_directory = \"data\"\n\n[[rights]]\nwho = \"anonymous\"\npath = \"/in/\"\nmay = [\"create\", \"append\"]\n\n\
        [[rights]]\nwho = \"*\"\npath = \"/\"\nmay = [\"read\"]\n";
    let settings = Settings::new(text);
    let allow = |settings: &Settings, flags: &[&str], variables: &[(&str, &str)]| {
        settings.effective(flags, variables).remove("allow").unwrap()
    };
    let (value, place) = allow(&settings, &[], &[]);
    assert_eq!(value, "[\"anonymous:create,append:/in/\", \"*:read:/\"]");
    assert!(place.ends_with("settings.toml:3"), "{place}");
    // What is in effect can be a file again.
    let again = Settings::new(&format!("base_directory = \"data\"\nallow = {value}\n"));
    assert_eq!(allow(&again, &[], &[]).0, value);
    let variable = ("HTTP_SERVER_ALLOW", "*:read:/a;*:list:/a/");
    let (value, place) = allow(&settings, &[], &[variable]);
    assert_eq!((value.as_str(), place.as_str()), ("[\"*:read:/a\", \"*:list:/a/\"]", "HTTP_SERVER_ALLOW"));
    let (value, place) = allow(&settings, &["--allow=*:read:/b", "--allow", "*:read:/c"], &[variable]);
    assert_eq!((value.as_str(), place.as_str()), ("[\"*:read:/b\", \"*:read:/c\"]", "command line"));
    let refused = |text: &str, reasons: &[&str]| Settings::new(text).refused(&[], reasons);
    refused("rights = 1\n", &["settings.toml:1", "[[rights]]"]);
    refused("[[rights]]\nwho = \"*\"\n", &["settings.toml:1", "a rule has"]);
    let rule = "[[rights]]\nwho = \"*\"\npath = \"/\"\n";
    refused(&format!("{rule}may = \"read\"\n"), &["settings.toml:1", "a rule has"]);
    refused(&format!("{rule}may = []\n"), &["settings.toml:1", "none of"]);
    refused(&format!("\n{rule}may = [\"fly\"]\n"), &["settings.toml:2", "\"fly\""]);
    refused(&format!("{rule}may = [\"read\"]\nmore = 1\n"), &["settings.toml:1", "nothing else"]);
    refused("allow = [1]\n", &["settings.toml:1", "WHO:VERBS:/path"]);
}

#[test]
fn what_is_wrong_in_a_file_is_refused_with_its_line() {
    let refused = |text: &str, reasons: &[&str]| Settings::new(text).refused(&[], reasons);
    refused("port = 80\nprot = 81\n", &["settings.toml:2", "prot", "no setting"]);
    refused("check = true\n", &["settings.toml:1", "check"]);
    refused("config = \"other\"\n", &["settings.toml:1", "config"]);
    refused("port = 80\nport = 81\n", &["settings.toml:2", "duplicate"]);
    refused("port = \n", &["settings.toml:1"]);
    refused("[limits]\nport = 80\n", &["settings.toml:1", "limits"]);
    refused("port = [80]\n", &["settings.toml:1", "port", "not a text"]);
    refused("port = 65536\n", &["settings.toml:1", "65536"]);
    refused("\nhead_bytes_max = \"many\"\n", &["settings.toml:2", "many", "64KiB"]);
    refused("quiet = 1\n", &["settings.toml:1", "quiet"]);
    refused("port = 80\n", &["no base directory"]);
    refused("base_directory = \"data\"\nhead_bytes_max = 1\n", &["--target-bytes-max"]);
    let missing = Settings::new("");
    fs::remove_file(missing.path()).unwrap();
    missing.refused(&[], &["settings.toml", "No such file"]);
}

#[test]
fn completions_and_a_manual_page_know_every_flag() {
    let settings = Settings::new("base_directory = \"data\"\n");
    let shown = |words: &[&str]| {
        let output = Command::new(binary()).args(words).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{words:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let manual = shown(&["man"]).replace('\\', "");
    let scripts = ["bash", "zsh", "fish"].map(|shell| shown(&["completions", shell]));
    for id in settings.effective(&[], &[]).keys().filter(|id| *id != "base_directory") {
        let flag = id.replace('_', "-");
        assert!(manual.contains(&format!("--{flag}")), "{flag}");
        assert!(scripts.iter().all(|script| script.contains(&flag)), "{flag}");
    }
}
