//! The bugs, and which check has to see each: [`BUGS`].

/// A bug that can be switched on.
#[derive(Debug)]
pub(crate) struct Bug {
    pub(crate) layer: Layer,
    pub(crate) name: &'static str,
    /// Where it is, below `server/src`.
    pub(crate) file: &'static str,
    /// The test that fails.
    pub(crate) check: &'static str,
}

/// Who has to catch it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Layer {
    /// Every schedule of what two threads share.
    Loom,
    /// Every schedule of threads on one store.
    StoreLoom,
    /// The unit tests of the server.
    Unit,
    /// Many threads on one store.
    Threads,
    /// The event loop over a simulated network.
    EventLoop,
    /// The same requests through the reference and everything else.
    Model,
    /// Every crash on a simulated directory.
    CrashModel,
    /// The whole server in simulation.
    Simulation,
    /// The same bytes cut in other ways.
    Cuts,
    /// Three readings of one request.
    Differential,
    /// The cases of RFC 9112.
    Wire9112,
    /// The cases of RFC 9110.
    Wire9110,
    /// Conditions on the binary, by clients that run at once.
    Conditions,
    /// The bounds of the binary: just under, at, just over.
    Limits,
    /// Ways out of the tree of the binary.
    Containment,
    /// Where names lead.
    Names,
    /// Who may do what.
    Rights,
    /// The calls that the binary makes.
    SystemCalls,
}

impl Layer {
    /// The test executable that its checks are in.
    pub(crate) fn executable(self) -> &'static str {
        match self {
            Layer::Loom | Layer::Unit | Layer::Threads | Layer::EventLoop => "http_server",
            Layer::StoreLoom | Layer::Model => "model",
            Layer::Simulation => "simulation",
            Layer::CrashModel => "crash_model",
            Layer::Cuts => "cuts",
            Layer::Differential => "differential",
            Layer::Wire9112 => "wire_9112",
            Layer::Wire9110 => "wire_9110",
            Layer::Conditions => "conditions",
            Layer::Limits => "limits",
            Layer::Containment => "containment",
            Layer::Names => "names",
            Layer::Rights => "rights",
            Layer::SystemCalls => "system_calls",
        }
    }

    /// Where its package is, as seen from this one: tests are started there.
    pub(crate) fn package(self) -> &'static str {
        match self {
            Layer::StoreLoom => "../model",
            _ if self.executable() == "http_server" => "../server",
            _ => ".",
        }
    }
}

const fn bug(layer: Layer, name: &'static str, file: &'static str, check: &'static str) -> Bug {
    Bug { layer, name, file, check }
}

/// Each has a place in the sources that asks for it by name.
#[rustfmt::skip]
pub(crate) const BUGS: &[Bug] = &[
    bug(Layer::Unit, "round_end_wakes_one", "shared/rounds.rs", "shared::rounds::tests::those_who_ask_meanwhile_share_one_call"),
    bug(Layer::Loom, "queue_close_wakes_one", "shared/queue.rs", "shared::schedules::queue::closing_wakes_every_consumer"),
    bug(Layer::Loom, "queue_push_wakes_nobody", "shared/queue.rs", "shared::schedules::queue::every_item_wakes_a_sleeper"),
    bug(Layer::Loom, "queue_pop_wakes_nobody", "shared/queue.rs", "shared::schedules::queue::every_item_wakes_a_sleeper"),
    bug(Layer::Loom, "queue_one_wake_for_ever", "shared/queue.rs", "shared::schedules::queue::item_whose_predecessor_was_taken_by_another_wakes_again"),
    bug(Layer::Loom, "mailbox_second_post_wakes", "shared/mailbox.rs", "shared::schedules::mailbox::posted_outcome_is_never_missed"),
    bug(Layer::Loom, "round_is_joined_late", "shared/rounds.rs", "shared::schedules::rounds::change_is_synced_by_a_call_that_begins_behind_it"),
    bug(Layer::Loom, "round_end_wakes_nobody", "shared/rounds.rs", "shared::schedules::rounds::changes_share_a_call"),
    bug(Layer::Loom, "stamp_is_not_agreed_on", "shared/stamps.rs", "shared::schedules::rounds::stamps_are_given_once"),
    bug(Layer::Loom, "count_is_looked_at_first", "shared/counters.rs", "shared::schedules::counters::count_never_exceeds_its_bound"),
    bug(Layer::Loom, "sweeper_is_not_woken", "shared/kept.rs", "shared::schedules::kept::what_is_kept_is_swept"),
    bug(Layer::Names, "changed_entry_is_not_noticed", "store/base_directory/names.rs", "who_may_open_it_no_more_is_noticed"),
    bug(Layer::Names, "lost_changes_are_not_noticed", "store/base_directory/names.rs", "more_changes_than_are_told_are_noticed"),
    bug(Layer::Names, "moved_directory_is_not_noticed", "store/base_directory/names.rs", "each_change_is_noticed_at_once"),
    bug(Layer::Unit, "kept_file_is_not_compared", "store/base_directory.rs", "store::base_directory::tests::a_file_is_used_again_only_as_it_was"),
    bug(Layer::Loom, "queue_is_open_a_moment_ago", "shared/queue.rs", "shared::schedules::queue::push_against_close_is_refused_or_popped"),
    bug(Layer::Loom, "queue_has_room_a_moment_ago", "shared/queue.rs", "shared::schedules::queue::producers_share_one_bound"),
    bug(Layer::Loom, "queue_close_forgets_items", "shared/queue.rs", "shared::schedules::pool::two_workers_answer_what_waits_when_the_queue_closes"),
    bug(Layer::Loom, "mailbox_is_looked_at_again", "shared/mailbox.rs", "shared::schedules::mailbox::two_posters_share_a_wake_and_lose_nothing"),
    bug(Layer::Loom, "count_is_taken_back", "shared/counters.rs", "shared::schedules::counters::nobody_is_turned_away_below_the_bound"),
    bug(Layer::Loom, "tally_is_reset_behind_a_look", "shared/counters.rs", "shared::schedules::counters::tally_reports_each_once"),
    bug(Layer::Loom, "address_is_looked_at_first", "shared/addresses.rs", "shared::schedules::addresses::address_never_exceeds_its_bound_and_is_forgotten"),
    bug(Layer::Loom, "pin_is_overlooked", "shared/path_locks.rs", "shared::schedules::path_locks::reader_of_a_pinned_path_sees_old_or_new"),
    bug(Layer::StoreLoom, "pin_ignored_by_conditions", "store/upload.rs", "schedules::appends::condition_knows_the_append_that_readers_know"),
    bug(Layer::StoreLoom, "append_is_not_pinned", "store/append.rs", "schedules::appends::reader_sees_no_part_of_an_append"),
    bug(Layer::StoreLoom, "append_is_shown_before_its_sync", "store/append.rs", "schedules::durable::nobody_reads_what_a_power_cut_takes_back"),
    bug(Layer::StoreLoom, "name_is_shown_before_its_sync", "store/upload.rs", "schedules::durable::nobody_reads_a_name_that_a_power_cut_takes_back"),
    bug(Layer::Unit, "unpin_forgets_all", "shared/path_locks.rs", "shared::path_locks::tests::readers_see_what_is_pinned_for_their_path_alone"),
    bug(Layer::Unit, "append_is_not_undone", "store/recovery.rs", "store::tests::recovery::unfinished_append_is_undone_with_the_version"),
    bug(Layer::Unit, "create_replaces", "store/base_directory.rs", "store::base_directory::tests::what_must_be_new_replaces_nothing"),
    bug(Layer::Unit, "decoded_twice", "store/path.rs", "store::path::tests::segments_are_decoded_once"),
    bug(Layer::Unit, "chunk_size_overflows", "http/content.rs", "http::content::tests::sizes_are_hexadecimal_digits_of_64_bits"),
    bug(Layer::Threads, "pin_ignored_by_readers", "store/read.rs", "store::tests::threads::readers_see_whole_appends"),
    bug(Layer::Threads, "listed_before_its_file", "store/list.rs", "store::tests::threads::directories_are_heard_of_together_with_their_file"),
    bug(Layer::Threads, "parents_made_beside_others", "store/upload.rs", "store::tests::threads::directories_are_heard_of_together_with_their_file"),
    bug(Layer::Threads, "directory_removed_beside_others", "store/remove.rs", "store::tests::threads::a_file_that_is_put_back_finds_its_directory"),
    bug(Layer::EventLoop, "idle_time_is_endless", "connection/quiet.rs", "driver::event_loop::tests::a_quiet_connection_costs_nothing_until_its_time_is_up"),
    bug(Layer::EventLoop, "drain_forgets_one", "driver/event_loop.rs", "driver::event_loop::tests::ending::a_drain_finishes_what_is_under_way_and_ends"),
    bug(Layer::EventLoop, "closed_connection_is_counted_on", "driver/event_loop/counting.rs", "driver::event_loop::tests::connections_beyond_the_bound_are_told_so"),
    bug(Layer::EventLoop, "closed_connection_of_an_address_is_counted_on", "driver/event_loop/counting.rs", "driver::event_loop::tests::connections_of_one_address_are_counted_until_they_close"),
    bug(Layer::EventLoop, "held_file_is_not_closed", "driver/session/jobs.rs", "driver::event_loop::tests::jobs::an_outcome_never_reaches_a_successor"),
    bug(Layer::EventLoop, "stale_token_finds_its_successor", "driver/slots.rs", "driver::event_loop::tests::jobs::an_outcome_never_reaches_a_successor"),
    bug(Layer::EventLoop, "rest_of_a_short_send_is_lost", "driver/session/sending.rs", "driver::event_loop::tests::while_answers_are_unsent_nothing_is_received"),
    bug(Layer::EventLoop, "short_send_is_repeated", "driver/session/sending.rs", "driver::event_loop::properties::the_network_and_the_disk_do_not_change_the_answers"),
    bug(Layer::EventLoop, "all_that_go_on_have_the_same_turn", "driver/event_loop/ready.rs", "driver::event_loop::tests::a_small_answer_waits_for_one_slice"),
    bug(Layer::EventLoop, "closed_over_unread_bytes", "driver/session.rs", "driver::event_loop::tests::ending::what_follows_the_last_answer_is_read_past_for_a_while"),
    bug(Layer::Unit, "pin_ignored_by_listings", "store/list.rs", "store::tests::listings::a_file_that_is_being_appended_to_is_listed_as_it_was"),
    bug(Layer::Model, "entry_is_on_two_pages", "store/list.rs", "random_sequences_agree_with_the_reference"),
    bug(Layer::Model, "position_skips_an_entry", "store/list.rs", "random_sequences_agree_with_the_reference"),
    bug(Layer::Model, "empty_append_makes_a_version", "store/append.rs", "random_sequences_agree_with_the_reference"),
    bug(Layer::Model, "length_demand_ignored", "store/upload.rs", "random_sequences_agree_with_the_reference"),
    bug(Layer::Model, "record_stays", "store/append.rs", "random_sequences_agree_with_the_reference"),
    bug(Layer::Model, "append_begins_a_byte_early", "store/append.rs", "all_short_sequences_agree_with_the_reference"),
    bug(Layer::Model, "slash_names_a_file", "api/route.rs", "random_sequences_agree_with_the_reference"),
    bug(Layer::Model, "date_outranks_tag", "store/condition.rs", "random_sequences_agree_with_the_reference"),
    bug(Layer::Model, "last_byte_left_out", "http/range.rs", "random_sequences_agree_with_the_reference"),
    bug(Layer::Model, "if_range_ignored", "api/partial.rs", "random_sequences_agree_with_the_reference"),
    bug(Layer::CrashModel, "stamp_repeats", "shared/stamps.rs", "agreement::all_short_sequences_agree_with_the_reference"),
    bug(Layer::CrashModel, "content_not_synced", "store/syncs.rs", "every_crash_of_every_pair_leaves_what_is_allowed"),
    bug(Layer::CrashModel, "names_not_synced", "store/syncs.rs", "every_crash_of_every_pair_leaves_what_is_allowed"),
    bug(Layer::CrashModel, "record_not_synced", "store/syncs.rs", "every_crash_of_every_pair_leaves_what_is_allowed"),
    bug(Layer::CrashModel, "record_goes_before_the_sync", "store/append.rs", "every_crash_of_every_pair_leaves_what_is_allowed"),
    bug(Layer::CrashModel, "parents_not_synced", "store/upload.rs", "every_crash_of_every_pair_leaves_what_is_allowed"),
    bug(Layer::CrashModel, "recovery_is_not_synced", "store/recovery.rs", "every_crash_after_a_recovery_leaves_what_is_allowed"),
    bug(Layer::CrashModel, "time_is_not_restored", "store/recovery.rs", "every_crash_of_every_pair_leaves_what_is_allowed"),
    bug(Layer::CrashModel, "short_write_taken_for_whole", "store/content.rs", "each_call_can_fail_and_each_crash_leaves_old_or_new"),
    bug(Layer::CrashModel, "short_copy_taken_for_whole", "store/content.rs", "each_call_can_fail_and_each_crash_leaves_old_or_new"),
    bug(Layer::CrashModel, "interrupted_call_fails", "store/content.rs", "each_call_can_fail_and_each_crash_leaves_old_or_new"),
    bug(Layer::Simulation, "refusal_is_told_to_the_next", "driver/event_loop.rs", "seeds_that_broke_a_promise_once_keep_it"),
    bug(Layer::Simulation, "sync_behind_a_failed_one_counts", "store/syncs.rs", "seeds_that_broke_a_promise_once_keep_it"),
    bug(Layer::Simulation, "failed_area_is_not_its_neighbour_s", "store/syncs.rs", "seeds_that_broke_a_promise_once_keep_it"),
    bug(Layer::Simulation, "nothing_above_taken_for_final", "store/above.rs", "seeds_that_broke_a_promise_once_keep_it"),
    bug(Layer::Simulation, "pin_ignored_by_appends", "store/append.rs", "seeds_that_broke_a_promise_once_keep_it"),
    bug(Layer::Simulation, "undo_not_synced", "store/syncs.rs", "seeds_that_broke_a_promise_once_keep_it"),
    bug(Layer::Simulation, "file_above_taken_for_final", "store/above.rs", "seeds_that_broke_a_promise_once_keep_it"),
    bug(Layer::Simulation, "content_is_gathered_whole", "connection/content.rs", "whatever_goes_wrong_the_promises_are_kept"),
    bug(Layer::Cuts, "split_line_end_is_missed", "http/head.rs", "cutting_changes_nothing"),
    bug(Layer::Differential, "bare_carriage_return_ends_a_line", "http/head.rs", "three_readings_agree_but_for_what_is_listed"),
    bug(Layer::Differential, "chunk_size_has_a_sign", "http/content.rs", "three_readings_agree_but_for_what_is_listed"),
    bug(Layer::Wire9112, "unread_content_is_parsed", "connection/content.rs", "framing::content_is_read_past_on_every_method"),
    bug(Layer::Wire9112, "length_may_be_repeated", "http/request.rs", "framing::lengths_are_read_strictly"),
    bug(Layer::Wire9112, "length_beside_coding_accepted", "http/request.rs", "framing::lengths_and_codings_exclude_each_other"),
    bug(Layer::Wire9112, "close_is_ignored", "http/request.rs", "connections_stay_as_agreed"),
    bug(Layer::Wire9112, "malformed_request_keeps_the_connection", "connection/outcome.rs", "framing::smuggled_requests_are_not_answered"),
    bug(Layer::Wire9110, "head_has_content", "connection/exchange.rs", "head_is_get_without_content_everywhere"),
    bug(Layer::Wire9110, "not_modified_has_a_length", "api/reply.rs", "conditions::not_modified_says_which_version_and_little_else"),
    bug(Layer::Wire9110, "weak_tag_matches", "api/condition.rs", "conditions::if_match_compares_strongly"),
    bug(Layer::Wire9110, "continue_before_the_refusal", "connection/content.rs", "conditions::a_doomed_upload_is_refused_before_its_content"),
    bug(Layer::Conditions, "condition_judged_before_the_lock", "store/upload.rs", "who_changes_what_it_has_read_loses_no_update"),
    bug(Layer::Limits, "content_bound_is_one_less", "connection/content.rs", "content_beyond_its_limit_is_413_and_has_no_effect"),
    bug(Layer::Containment, "dots_are_names", "store/path.rs", "spellings::no_spelling_of_two_dots_leads_out"),
    bug(Layer::Containment, "encoded_slash_accepted", "store/path.rs", "spellings::no_spelling_of_two_dots_leads_out"),
    bug(Layer::Containment, "own_name_is_a_name", "store/path.rs", "spellings::the_server_s_own_name_is_400_in_any_place_and_spelling"),
    bug(Layer::Containment, "links_followed_by_reads", "store/base_directory.rs", "kinds::links_in_any_place_are_403_and_stay"),
    bug(Layer::Rights, "rights_of_a_part_of_a_name", "api/rights.rs", "decision::the_decision_is_that_of_the_reference"),
    bug(Layer::Rights, "creator_may_replace", "api/rights.rs", "matrix::everybody_may_do_what_the_rules_say_and_nothing_else"),
    bug(Layer::Rights, "guess_is_not_counted", "shared/attempts.rs", "guesses::who_guesses_has_to_wait_and_others_do_not"),
    bug(Layer::Unit, "verified_by_place_alone", "shared/verified.rs", "shared::verified::tests::what_is_found_was_kept_under_the_same_digest_and_not_long_ago"),
    bug(Layer::SystemCalls, "folder_sync_forgotten", "store/base_directory.rs", "a_durable_write_is_answered_behind_its_syncs"),
    bug(Layer::SystemCalls, "time_not_synced", "store/base_directory.rs", "a_durable_write_is_answered_behind_its_syncs"),
];
