//! The README's tour works as it is written there.
#![expect(clippy::expect_used, reason = "a helper of tests fails the test that it helps")]

use std::path::Path;
use std::process::Command;

use tests::{PATIENCE, Server};

/// Goal: a reader who types the tour sees what it shows. Method: each `sh` block of the tour is run by
/// bash, in order, beside the served directory, and its output compared with the `text` block behind it.
#[test]
fn the_tour_of_the_readme_shows_what_happens() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = std::fs::read_to_string(readme).expect("there is a README");
    let steps = steps(&readme);
    assert!(steps.len() >= 8, "the tour has lost its steps: {steps:?}");

    let server = Server::start(&[]);
    // The README's port may be taken on this machine.
    let port = server.address().port().to_string();
    for (command, expected) in steps {
        let mut bash = Command::new("bash");
        bash.args(["-euo", "pipefail", "-c", &command.replace("4221", &port)]);
        bash.current_dir(server.outside("."));
        let output = assert_cmd::Command::from_std(bash).timeout(PATIENCE).output().expect("bash runs");
        let stdout = String::from_utf8_lossy(&output.stdout).replace(&port, "4221");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(stdout.trim_end(), expected.trim_end(), "{command}\n{stderr}");
        assert!(output.status.success(), "{command}\n{}: {stderr}", output.status);
    }
}

/// The commands of the tour, each with the output that is shown for it.
fn steps(readme: &str) -> Vec<(String, String)> {
    let (_, from_tour) = readme.split_once("\n## A tour\n").expect("the README has a tour");
    let tour = from_tour.split("\n## ").next().unwrap_or_default();
    let mut blocks = tour.split("```").skip(1).step_by(2);
    let mut steps = Vec::new();
    while let Some(command) = blocks.next() {
        let command = command.strip_prefix("sh\n").expect("a step of the tour begins with an sh block");
        let output = blocks.next().and_then(|block| block.strip_prefix("text\n"));
        let output = output.expect("each sh block of the tour is followed by a text block");
        steps.push((command.to_owned(), output.to_owned()));
    }
    steps
}
