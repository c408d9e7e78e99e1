//! Files that are made, replaced, read and removed at once.

use http_server::store::Durability;
use http_server::sync::schedules::{EVERY_IN_TIME, FEW};

use super::{Story, explore_store};
use crate::driven::Style;

const STORY: Story = Story {
    durability: Durability::Cache,
    style: Style::Whole,
    before: &[],
    clients: &[],
    after: &["GET a", "DELETE a"],
    heard: &[],
};

#[test]
fn one_of_two_creations_wins() {
    explore_store(
        "loom:store_post_post",
        EVERY_IN_TIME,
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
