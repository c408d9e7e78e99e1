//! Found by the checks of this folder, each as the smallest case.

use http_server::store::{Durability, Store};
use model::driven::{Judge, Style};
use model::simulated::{Fault, Simulated};

use super::enumeration::START;

const SECOND: i64 = 1_000_000_000;

/// What an append that could not be undone pins must not be taken for a later file whose inode has
/// the same number: readers are told a length that the file does not have.
#[test]
fn a_file_in_place_of_one_whose_append_failed_is_read_as_itself() {
    let disk = Simulated::empty(START);
    let store = Store::new(disk.clone(), Durability::Disk);
    let mut judge = Judge::default();
    let mut ask = |request: &str| judge.perform(&store, &request.parse().unwrap(), Style::Whole);
    ask("PUT a 1:9").unwrap();
    // The record is removed. That cannot be synced, nor can the append be cut off.
    disk.fail(Fault::ErrorFromThere(5), 10);
    assert!(ask("PATCH a 2:1").is_err());
    assert_eq!(disk.repair(), Some("sync_staged"));
    let story = [("PUT a 3:5", 200), ("PUT a 4:5", 200), ("GET a", 200)];
    for (request, status) in story {
        assert_eq!(ask(request), Ok(status));
    }
}

/// `Directory::last_change` has to be later than every stamp that was ever given, also where the
/// clock was set back and servers were started since. The time of the staging directory is not: the
/// kernel sets it by the clock.
#[test]
fn a_clock_that_is_set_back_makes_no_version_twice() {
    let later = START + 10 * SECOND;
    let mut disk = Simulated::empty(later);
    let mut judge = Judge::default();
    let lives: [(i64, &[&str]); 4] = [
        (later, &["PUT a 1:5"]),
        (START, &["PUT b 2:5", "DELETE b"]),
        (START, &["DELETE a"]),
        (later, &["PUT a 3:5"]),
    ];
    for (time, requests) in lives {
        disk = Simulated::new(&disk.image(), time, false);
        let store = Store::new(disk.clone(), Durability::Disk);
        for request in requests {
            judge.perform(&store, &request.parse().unwrap(), Style::Whole).unwrap();
        }
    }
}
