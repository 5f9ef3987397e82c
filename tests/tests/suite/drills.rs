//! Each drill of `make chaos DRILL=…`, small: see docs/drills.md.

use tests::drills::{Order, drill, named};
use tests::installation;

async fn holds(name: &str, scale: f64) {
    let order = Order { seed: 1, scale, installation: installation().await.clone(), say: |line| println!("{line}") };
    let verdict = drill(named(name).unwrap()[0], &order).await;
    assert!(verdict.held(), "{}", verdict.markdown());
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_of_the_producer_lose_invert_and_repeat_nothing_that_was_checkpointed() {
    holds("producer-kills", 0.03).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_and_an_outage_of_the_broker_lose_nothing_and_cost_no_memory() {
    holds("broker", 0.01).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unbound_queue_is_told_and_nothing_of_it_is_lost() {
    holds("unbound", 0.1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deletes_in_forgotten_history_are_found_by_the_resync() {
    holds("history-lost", 0.02).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_stream_does_not_age_with_what_others_write() {
    holds("idle-roll", 0.1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_with_kills_goes_on_and_no_row_beats_a_change() {
    holds("snapshot", 0.02).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_primary_is_followed_at_once() {
    holds("failover", 0.1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_takes_over_and_a_zombie_does_nothing() {
    holds("standby", 0.1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn collections_that_come_and_go_are_followed() {
    holds("structure", 0.1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_whatever_order_its_events_come_a_document_ends_the_same() {
    holds("shuffles", 0.05).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_is_rewritten_without_pause_is_found_in_one_revision_and_never_missed() {
    holds("reads", 0.02).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_author_is_shown_what_is_anothers_while_documents_change_hands() {
    holds("authors", 0.02).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_of_the_consumer_in_every_stage_lose_nothing_and_leave_nothing_behind() {
    holds("consumer-kills", 0.02).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_away_makes_no_dead_letters_and_is_caught_up_with() {
    holds("outage", 0.01).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_stays_where_it_is() {
    holds("memory", 0.01).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_embedded_of_an_edit_history_is_what_is_new() {
    holds("edits", 0.1).await;
}
