//! Appends, beside those who read, replace, remove and append.

use http_server::sync::schedules::{EVERY_IN_TIME, FEW, MANY};

use super::{PLAIN, Story, explore_store};
use crate::driven::Style;

const STORY: Story = Story { before: &["PUT a 1:5"], after: &["GET a", "DELETE a"], ..PLAIN };

#[test]
fn reader_sees_no_part_of_an_append() {
    explore_store(
        "loom:store_patch_get",
        EVERY_IN_TIME,
        &Story {
            clients: &[&["PATCH a 2:6"], &["GET a", "GET a"]],
            heard: &["200 | 200:5 200:5", "200 | 200:5 200:11", "200 | 200:11 200:11"],
            ..STORY
        },
    );
}

#[test]
fn reader_sees_no_part_of_a_staged_append() {
    explore_store(
        "loom:store_patch_get_staged",
        MANY,
        &Story {
            style: Style::Parts(4),
            clients: &[&["PATCH a 2:6"], &["GET a", "HEAD a if-none-match=1"]],
            heard: &["200 | 200:5 304", "200 | 200:5 200", "200 | 200:11 200"],
            ..STORY
        },
    );
}

#[test]
fn appends_come_one_behind_the_other() {
    explore_store(
        "loom:store_patch_patch",
        EVERY_IN_TIME,
        &Story {
            clients: &[&["PATCH a 2:6"], &["PATCH a 3:7", "GET a"]],
            heard: &["200 | 200 200:12", "200 | 200 200:18"],
            ..STORY
        },
    );
}

#[test]
fn one_of_two_appends_finds_the_length_that_it_demands() {
    explore_store(
        "loom:store_patch_offset",
        EVERY_IN_TIME,
        &Story {
            clients: &[&["PATCH a 2:6 upload-offset=5"], &["PATCH a 3:7 upload-offset=5"]],
            heard: &["200 | 409", "409 | 200"],
            ..STORY
        },
    );
}

#[test]
fn appends_to_nothing_make_one_file() {
    explore_store(
        "loom:store_patch_new",
        EVERY_IN_TIME,
        &Story {
            before: &[],
            clients: &[&["PATCH a 2:6"], &["PATCH a 3:7", "GET a"]],
            heard: &["201 | 200 200:13", "200 | 201 200:7", "200 | 201 200:13"],
            ..STORY
        },
    );
}

// Whoever is refused for the sake of a version sees that version from then on.
#[test]
fn condition_knows_the_append_that_readers_know() {
    explore_store(
        "loom:store_patch_put",
        EVERY_IN_TIME,
        &Story {
            clients: &[&["PATCH a 2:6"], &["PUT a 3:7 if-match=1", "GET a"]],
            heard: &["200 | 412 200:11", "200 | 200 200:7", "200 | 200 200:13"],
            ..STORY
        },
    );
}

#[test]
fn removal_knows_the_append_that_readers_know() {
    explore_store(
        "loom:store_patch_delete",
        EVERY_IN_TIME,
        &Story {
            clients: &[&["PATCH a 2:6"], &["DELETE a if-match=1", "GET a"]],
            heard: &["200 | 412 200:11", "201 | 200 404", "201 | 200 200:6"],
            ..STORY
        },
    );
}

#[test]
fn three_append_read_and_replace() {
    explore_store(
        "loom:store_3_appends",
        FEW,
        &Story {
            clients: &[&["PATCH a 2:6"], &["PATCH a 3:7"], &["GET a", "PUT a 4:1"]],
            heard: &[
                "200 | 200 | 200:5 200",
                "200 | 200 | 200:11 200",
                "200 | 200 | 200:12 200",
                "200 | 200 | 200:18 200",
            ],
            ..STORY
        },
    );
}
