//! Directories that are made for a file, and removed, at once.

use http_server::sync::schedules::{EVERY_IN_TIME, FEW, MANY};

use super::{PLAIN, Story, explore_store};

// Of the two locks that paths have under loom, `d` and `d/a` share one, and `d/b` has the other.

/// What shows which directories there are.
const STORY: Story =
    Story { after: &["GET d/a", "GET d/b", "DELETE d", "DELETE d/a", "DELETE d/b", "DELETE d"], ..PLAIN };
/// The same, where a directory is left that was made for a file.
const WITH_DIRECTORY: Story = Story { before: &["PUT d/b 1:5", "DELETE d/b"], ..STORY };

#[test]
fn parents_are_made_once_for_two_files() {
    explore_store(
        "loom:store_parents",
        EVERY_IN_TIME,
        &Story { clients: &[&["POST d/a 1:5"], &["POST d/b 2:6"]], heard: &["201 | 201"], ..STORY },
    );
}

#[test]
fn nobody_hears_of_a_directory_before_its_file() {
    explore_store(
        "loom:store_parents_heard",
        EVERY_IN_TIME,
        &Story {
            clients: &[&["POST d/b 1:5"], &["DELETE d", "GET d/b"]],
            heard: &["201 | 404 404", "201 | 404 200:5", "201 | 409 200:5"],
            ..STORY
        },
    );
}

#[test]
fn a_directory_is_not_removed_under_a_file_that_is_made_in_it() {
    explore_store(
        "loom:store_make_remove",
        EVERY_IN_TIME,
        &Story {
            clients: &[&["POST d/b 2:6"], &["DELETE d"]],
            heard: &["201 | 200", "201 | 409"],
            ..WITH_DIRECTORY
        },
    );
}

#[test]
fn of_a_file_and_a_directory_of_one_name_one_is_made() {
    explore_store(
        "loom:store_file_or_directory",
        MANY,
        &Story {
            clients: &[&["POST d/b 1:5"], &["POST d 2:6", "GET d/b"]],
            heard: &["201 | 409 200:5", "409 | 201 404"],
            after: &["GET d", "GET d/b", "DELETE d/b", "DELETE d"],
            ..STORY
        },
    );
}

#[test]
fn a_file_that_goes_leaves_its_directory_to_be_removed() {
    explore_store(
        "loom:store_remove_both",
        EVERY_IN_TIME,
        &Story {
            before: &["PUT d/a 1:5"],
            clients: &[&["DELETE d/a", "DELETE d"], &["PUT d/b 2:6"]],
            heard: &["200 200 | 201", "200 409 | 201"],
            ..STORY
        },
    );
}

#[test]
fn two_are_made_while_their_directory_is_removed() {
    explore_store(
        "loom:store_3_directories",
        FEW,
        &Story {
            clients: &[&["POST d/a 2:6"], &["DELETE d"], &["POST d/b 3:7"]],
            heard: &["201 | 200 | 201", "201 | 409 | 201"],
            ..WITH_DIRECTORY
        },
    );
}
