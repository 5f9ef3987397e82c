//! What no redelivery leads to is found by the janitor, and nothing else is touched; and tombstones go in their time.

use std::time::{Duration, Instant};

use consumer::{Expired, Synchronizer, VectorStore};
use shared::index::GRACE;
use shared::{DocumentType, Revision};

use super::bench::{Bench, T, TICK, delete, identity, put, redelivered};
use super::stepped::{Step, Steps};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A revision so many days after `T`.
fn days_later(days: u64) -> Revision {
    Revision::from(T + ((days * DAY.as_secs()) << 31) as i64)
}

/// Goes through the documents of the bench, whose partition has got to `reached`.
async fn tidy(consumer: &Synchronizer<impl VectorStore>, reached: Revision) {
    let (mut from, expired) = (None, Expired { reached, after: 7 * DAY });
    loop {
        from = consumer.tidy(DocumentType::Posts, 0, from, expired).await.unwrap();
        if from.is_none() {
            return;
        }
    }
}

/// A consumer writes its chunk, is paused, another takes over and goes on, the first one wakes up and dies.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_paused_consumer_left_is_found_by_the_janitor() {
    let bench = Bench::new().await;
    bench.apply(put(T, "a")).await;
    let mut paused = Steps::of(&bench, put(T + TICK, "b"));
    paused.until(Step::PutChunks).await;
    bench.apply(redelivered(put(T + TICK, "b"))).await;
    bench.apply(put(T + 2 * TICK, "c")).await;
    paused.past_this_until(Step::Swap).await;
    drop(paused);
    assert_eq!(bench.chunks().await.len(), 2, "one is left that nothing leads to");
    let begun = Instant::now();
    tidy(&bench.consumer(), days_later(0)).await;
    bench.assert_stands_at(T + 2 * TICK).await;
    assert!(begun.elapsed() >= GRACE, "queries that began before the record moved are over");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_janitor_leaves_alone_what_is_being_written() {
    let bench = Bench::new().await;
    bench.apply(put(T, "a")).await;
    let mut writing = Steps::of(&bench, put(T + TICK, "b"));
    writing.until(Step::Swap).await;
    tidy(&bench.consumer(), days_later(0)).await;
    assert_eq!(bench.chunks().await.len(), 2);
    writing.finish().await;
    bench.assert_stands_at(T + TICK).await;
    assert_eq!(bench.chunks().await.len(), 1);
}

/// The first change of a document: there is no record yet.
#[tokio::test(flavor = "multi_thread")]
async fn the_janitor_leaves_alone_what_has_no_record_yet() {
    let bench = Bench::new().await;
    let mut writing = Steps::of(&bench, put(T, "a"));
    writing.until(Step::Swap).await;
    tidy(&bench.consumer(), days_later(30)).await;
    writing.finish().await;
    bench.assert_stands_at(T).await;
    assert_eq!(bench.chunks().await.len(), 1);
}

/// 13. Not before the queue has got past whatever could be older; live documents never.
#[tokio::test(flavor = "multi_thread")]
async fn a_tombstone_goes_when_its_partition_has_got_much_further() {
    let bench = Bench::new().await;
    bench.apply(delete(T)).await;
    let mut live = put(T, "live");
    live.identity.entry_id = "two".into();
    bench.apply(live.clone()).await;
    tidy(&bench.consumer(), days_later(6)).await;
    bench.assert_stands_at(T).await;
    bench.apply(redelivered(put(T - TICK, "late"))).await;
    bench.assert_stands_at(T).await;
    tidy(&bench.consumer(), days_later(8)).await;
    assert_eq!(bench.standing().await.stored, None);
    assert_eq!(bench.standing_of(&live).await.listed().len(), 1);
}

/// The document comes back while its tombstone is on its way out.
#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_comes_back_is_not_purged() {
    let bench = Bench::new().await;
    bench.apply(delete(T)).await;
    bench.apply(put(T + TICK, "back")).await;
    bench.store().purge(&[(identity(), Revision::from(T)), (identity(), Revision::from(T + TICK))]).await.unwrap();
    bench.assert_stands_at(T + TICK).await;
    assert_eq!(bench.chunks().await.len(), 1);
}
