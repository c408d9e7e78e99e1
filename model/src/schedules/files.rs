//! Files that are made, replaced, read and removed at once.

use http_server::sync::schedules::{EVERY_IN_TIME, FEW, MANY};

use super::{PLAIN, Story, explore_store};
use crate::driven::Style;

const STORY: Story = Story { after: &["GET a", "DELETE a", "GET a"], ..PLAIN };

#[test]
fn one_of_two_creations_wins() {
    explore_store(
        "loom:store_post_post",
        MANY,
        &Story { clients: &[&["POST a 1:5"], &["POST a 2:6"]], heard: &["201 | 409", "409 | 201"], ..STORY },
    );
}

#[test]
fn replacements_come_one_after_the_other() {
    explore_store(
        "loom:store_put_put",
        EVERY_IN_TIME,
        &Story {
            before: &["PUT a 1:5"],
            clients: &[&["PUT a 2:6"], &["PUT a 3:7", "GET a"]],
            heard: &["200 | 200 200:6", "200 | 200 200:7"],
            ..STORY
        },
    );
}

#[test]
fn reader_sees_old_or_new_and_never_goes_back() {
    explore_store(
        "loom:store_put_get",
        EVERY_IN_TIME,
        &Story {
            before: &["PUT a 1:5"],
            clients: &[&["PUT a 2:6"], &["GET a", "GET a"]],
            heard: &["200 | 200:5 200:5", "200 | 200:5 200:6", "200 | 200:6 200:6"],
            ..STORY
        },
    );
}

#[test]
fn replacement_and_removal_come_one_after_the_other() {
    explore_store(
        "loom:store_put_delete",
        EVERY_IN_TIME,
        &Story {
            before: &["PUT a 1:5"],
            clients: &[&["PUT a 2:6"], &["DELETE a", "GET a"]],
            heard: &["200 | 200 404", "201 | 200 404", "201 | 200 200:6"],
            ..STORY
        },
    );
}

#[test]
fn one_of_two_removals_finds_the_file() {
    explore_store(
        "loom:store_delete_delete",
        EVERY_IN_TIME,
        &Story {
            before: &["PUT a 1:5"],
            clients: &[&["DELETE a"], &["DELETE a"]],
            heard: &["200 | 404", "404 | 200"],
            ..STORY
        },
    );
}

#[test]
fn who_changes_what_it_has_read_loses_no_update() {
    explore_store(
        "loom:store_if_match",
        MANY,
        &Story {
            before: &["PUT a 1:5"],
            clients: &[&["PUT a 2:6 if-match=1"], &["PUT a 3:7 if-match=1"]],
            heard: &["200 | 412", "412 | 200"],
            ..STORY
        },
    );
}

#[test]
fn condition_is_judged_again_behind_a_staged_upload() {
    explore_store(
        "loom:store_if_match_staged",
        MANY,
        &Story {
            style: Style::Parts(4),
            before: &["PUT a 1:5"],
            clients: &[&["PUT a 2:6 if-match=1"], &["PUT a 3:7 if-match=1"]],
            heard: &["200 | 412", "412 | 200"],
            ..STORY
        },
    );
}

#[test]
fn a_version_is_not_removed_under_a_condition_that_names_another() {
    explore_store(
        "loom:store_delete_if_match",
        EVERY_IN_TIME,
        &Story {
            before: &["PUT a 1:5"],
            clients: &[&["PUT a 2:6"], &["DELETE a if-match=1", "GET a"]],
            heard: &["200 | 412 200:6", "201 | 200 404", "201 | 200 200:6"],
            ..STORY
        },
    );
}

#[test]
fn three_change_one_file_one_after_the_other() {
    explore_store(
        "loom:store_3_changes",
        FEW,
        &Story {
            before: &["PUT a 1:5"],
            clients: &[&["PUT a 2:6 if-match=1"], &["POST a 3:7"], &["DELETE a"]],
            heard: &["200 | 201 | 200", "200 | 409 | 200", "412 | 201 | 200", "412 | 409 | 200"],
            ..STORY
        },
    );
}

#[test]
fn three_creations_have_one_winner() {
    explore_store(
        "loom:store_3_creations",
        FEW,
        &Story {
            clients: &[&["POST a 1:5"], &["PUT a 2:6 if-none-match=*"], &["GET a", "GET a"]],
            heard: &[
                "201 | 412 | 404 404",
                "201 | 412 | 404 200:5",
                "201 | 412 | 200:5 200:5",
                "409 | 201 | 404 404",
                "409 | 201 | 404 200:6",
                "409 | 201 | 200:6 200:6",
            ],
            ..STORY
        },
    );
}

// Where the file system cannot exchange names, a rename takes the place of the old file.
#[test]
fn replacement_by_a_rename_is_one_step_too() {
    explore_store(
        "loom:store_rename",
        MANY,
        &Story {
            no_exchange: true,
            before: &["PUT a 1:5"],
            clients: &[&["PUT a 2:6 if-match=1", "GET a"], &["GET a", "DELETE a"]],
            heard: &[
                "200 200:6 | 200:5 200",
                "200 404 | 200:5 200",
                "200 200:6 | 200:6 200",
                "200 404 | 200:6 200",
                "412 404 | 200:5 200",
            ],
            ..STORY
        },
    );
}
