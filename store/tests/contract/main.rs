//! The same behaviours on SQLite, in a file and in memory, and on MariaDB.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "so a test fails and tells"
)]

mod backing;
mod behaviours;
mod counts;
mod mariadb;
mod outage;
mod proxy;
mod samples;

/// Each behaviour as a test on each database.
macro_rules! on_each_database {
    ($($area:ident :: $behaviour:ident),+ $(,)?) => {
        mod sqlite_in_a_file {
            $(#[tokio::test]
            async fn $behaviour() {
                let backing = super::backing::Backing::sqlite_in_a_file().await;
                super::behaviours::$area::$behaviour(&backing).await;
            })+
        }
        mod sqlite_in_memory {
            $(#[tokio::test(start_paused = true)]
            async fn $behaviour() {
                let backing = super::backing::Backing::sqlite_in_memory().await;
                super::behaviours::$area::$behaviour(&backing).await;
            })+
        }
        mod mariadb_server {
            $(#[tokio::test]
            async fn $behaviour() {
                if let Some(backing) = super::backing::Backing::mariadb().await {
                    super::behaviours::$area::$behaviour(&backing).await;
                    backing.remove().await;
                }
            })+
        }
    };
}

on_each_database! {
    claims::whoever_lost_a_partition_cannot_write_it,
    claims::of_many_claimers_at_once_only_the_last_can_write,
    claims::a_claim_sees_every_commit_that_succeeded_before_it,
    claims::partitions_commit_at_the_same_time_without_disturbing_each_other,
    claims::positions_belong_to_scope_topic_and_partition,
    commits::states_come_back_as_they_were,
    commits::a_newer_state_replaces_the_older,
    commits::a_commit_that_fails_in_its_middle_leaves_nothing,
    commits::the_outbox_keeps_its_order_until_rows_are_published,
    commits::a_large_outbox_row_comes_back_whole,
    commits::deadlines_come_most_overdue_first_and_follow_the_state,
    commits::the_time_of_a_last_event_is_read_everywhere_and_belongs_to_one_writing_of_the_state,
    commits::only_ledger_rows_that_are_unsettled_or_failed_are_loaded,
    commits::many_alerts_are_loaded_at_once,
    commits::migrating_again_and_at_the_same_time_does_no_harm,
    commits::data_survives_reopening,
    lists::a_list_is_filtered_by_every_condition,
    lists::names_are_told_apart_by_case_and_trailing_space,
    lists::pages_have_no_gaps_and_no_repeats_while_alerts_come_in,
    lists::open_and_closed_alerts_are_listed_together_in_order,
    lists::closed_alerts_are_listed_with_what_has_closed_last_first,
    lists::open_alerts_come_in_the_order_of_their_fingerprints,
    lists::an_alert_that_is_only_waited_for_is_in_no_list,
    lists::history_is_paged_newest_first,
    lists::what_cannot_be_understood_is_refused_with_a_remedy,
    lists::what_cannot_be_read_is_called_corrupt,
    lists::l7_rows_that_cannot_be_read_are_left_out_and_named,
    lists::l5_rare_alerts_are_found_wherever_they_are,
    deliveries::a_delivery_is_unfinished_until_it_is_sent,
    deliveries::receipts_wait_in_the_outbox_of_their_owner_until_they_are_published,
    deliveries::what_a_version_before_has_left_is_found,
    deliveries::deliveries_come_in_the_order_in_which_they_were_accepted,
    deliveries::many_deliveries_are_updated_each_with_its_own_values,
    deliveries::the_message_that_opened_an_episode_is_known,
    deliveries::old_deliveries_are_removed_but_not_those_of_open_alerts,
    deliveries::old_history_is_removed_but_not_that_of_open_alerts,
    deliveries::alerts_that_closed_long_ago_are_removed_with_all_that_belongs_to_them,
    opsgenie::c2_outcomes_of_requests_are_kept_and_forgotten_by_their_age,
    opsgenie::c2_saved_searches_have_names_of_their_own_in_their_integration,
    opsgenie::c2_attachments_belong_to_their_alert_and_go_with_it,
    sites::a_change_of_an_old_revision_is_a_conflict,
    sites::of_many_changes_at_once_one_wins,
    sites::a_revision_counts_as_published_until_the_next_change,
    sites::every_revision_can_be_read_as_it_was,
    sites::an_empty_revision_is_one,
    sites::revisions_are_listed_newest_first_in_pages,
    sites::only_the_newest_revisions_are_kept_and_each_of_them_is_whole,
}

#[tokio::test(start_paused = true)]
async fn a_paused_clock_stands_still_while_the_store_in_memory_works() {
    let before = tokio::time::Instant::now();
    let sleeper = tokio::spawn(tokio::time::sleep(std::time::Duration::from_secs(1)));
    let backing = backing::Backing::sqlite_in_memory().await;
    for partition in 0..50 {
        backing.store.claim("daemon", partition, "test").await.unwrap();
    }
    assert_eq!(before.elapsed(), std::time::Duration::ZERO);
    sleeper.await.unwrap();
    assert!(before.elapsed() >= std::time::Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_search_without_results_ends_after_a_bounded_scan_and_can_go_on() {
    let backing = backing::Backing::sqlite_in_memory().await;
    behaviours::lists::a_long_search_is_answered_in_parts(&backing).await;
}
