//! Each drill of `make chaos DRILL=…`, small.

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
async fn in_whatever_order_its_events_come_a_document_ends_the_same() {
    holds("shuffles", 0.05).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_is_rewritten_without_pause_is_found_in_one_revision_and_never_missed() {
    holds("reads", 0.02).await;
}
