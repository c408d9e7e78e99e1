//! Clients who share syncs: what one of them has heard of survives a power cut from then on.

use http_server::store::Durability;
use http_server::sync::schedules::{EVERY_IN_TIME, FEW, MANY};

use super::{PLAIN, Story, explore_store};

const STORY: Story = Story { durability: Durability::Disk, after: &["GET a", "GET b"], ..PLAIN };

#[test]
fn two_files_in_one_directory_share_a_sync() {
    explore_store(
        "loom:store_durable_posts",
        MANY,
        &Story { clients: &[&["POST a 1:5"], &["POST b 2:6"]], heard: &["201 | 201"], ..STORY },
    );
}

#[test]
fn replacement_and_removal_share_a_sync() {
    explore_store(
        "loom:store_durable_put_delete",
        EVERY_IN_TIME,
        &Story {
            before: &["PUT a 1:5", "PUT b 2:6"],
            clients: &[&["PUT a 3:7"], &["DELETE b"]],
            heard: &["200 | 200"],
            ..STORY
        },
    );
}

#[test]
fn replacements_of_one_file_are_durable_in_their_order() {
    explore_store(
        "loom:store_durable_puts",
        EVERY_IN_TIME,
        &Story {
            before: &["PUT a 1:5"],
            clients: &[&["PUT a 2:6"], &["PUT a 3:7"]],
            heard: &["200 | 200"],
            ..STORY
        },
    );
}

#[test]
fn appends_to_two_files_share_the_syncs_of_their_records() {
    explore_store(
        "loom:store_durable_appends",
        FEW,
        &Story {
            before: &["PUT a 1:5", "PUT b 2:6"],
            clients: &[&["PATCH a 3:7"], &["PATCH b 4:8"]],
            heard: &["200 | 200"],
            ..STORY
        },
    );
}

#[test]
fn nobody_reads_what_a_power_cut_takes_back() {
    explore_store(
        "loom:store_durable_read",
        EVERY_IN_TIME,
        &Story {
            before: &["PUT a 1:5"],
            clients: &[&["PATCH a 2:6"], &["GET a"]],
            heard: &["200 | 200:5", "200 | 200:11"],
            ..STORY
        },
    );
}

#[test]
fn nobody_reads_a_name_that_a_power_cut_takes_back() {
    explore_store(
        "loom:store_durable_name",
        MANY,
        &Story {
            clients: &[&["POST a 1:5"], &["GET a", "POST b 2:6"]],
            heard: &["201 | 404 201", "201 | 200:5 201"],
            ..STORY
        },
    );
}

#[test]
fn nobody_is_refused_for_a_file_that_a_power_cut_takes_back() {
    explore_store(
        "loom:store_durable_file_above",
        MANY,
        &Story {
            clients: &[&["POST d 1:5"], &["POST d/b 2:6"]],
            after: &["GET d", "GET d/b"],
            heard: &["201 | 409", "409 | 201"],
            ..STORY
        },
    );
}

#[test]
fn three_share_a_sync() {
    explore_store(
        "loom:store_3_durable",
        FEW,
        &Story {
            before: &["PUT b 1:5"],
            clients: &[&["POST a 2:6"], &["DELETE b"], &["POST c 3:7"]],
            heard: &["201 | 200 | 201"],
            ..STORY
        },
    );
}
