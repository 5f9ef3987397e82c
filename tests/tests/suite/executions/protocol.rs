//! The write protocol: order, overlap, redelivery.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use consumer::{Barrier, Swap, Synchronizer, VectorStore, Vectors, coalesce};
use qdrant_client::Payload;
use qdrant_client::qdrant::{PointStruct, Vector};
use serde_json::json;
use shared::shutdown::CancellationToken;
use shared::{Manifest, Record};
use uuid::Uuid;

use super::bench::{Bench, T, TICK, barrier, delete, event, identity, put, redelivered, touchy_embedder};
use super::disturbed::Disturbance;
use super::stepped::{Step, Steps};

/// 1. Two updates within one second: as doubles their revisions are equal, so a range filter would refuse the second.
#[tokio::test(flavor = "multi_thread")]
async fn two_updates_within_one_second_are_both_applied() {
    let bench = Bench::new().await;
    bench.apply(put(T + 1, "first")).await;
    bench.apply(put(T + 2, "second")).await;
    bench.assert_stands_at(T + 2).await;
    bench.apply(put(T + 1, "first")).await;
    bench.assert_stands_at(T + 2).await;
}

/// 2. r1 = \[a\], r2 = \[b\], r3 = \[a\] again, and r2's deletion of a comes last: a zombie's, or an overlapped batch's.
#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_that_comes_back_survives_the_deletion_of_its_former_self() {
    let bench = Bench::new().await;
    bench.apply(put(T, "a")).await;
    let zombie = bench.consumer();
    let stale = zombie.apply(vec![put(T + TICK, "b")], &bench.letters).await.unwrap();
    bench.apply(put(T + 2 * TICK, "a")).await;
    zombie.delete(&stale).await.unwrap();
    bench.assert_stands_at(T + 2 * TICK).await;
    assert_eq!(bench.chunks().await.len(), 1);
}

/// 3. Killed between manifest and deletes: the redelivery sees an equal revision and must still clean up.
#[tokio::test(flavor = "multi_thread")]
async fn a_kill_between_manifest_and_deletes_leaves_no_orphan() {
    let bench = Bench::new().await;
    bench.apply(put(T, "a")).await;
    let stale = bench.consumer().apply(vec![put(T + TICK, "b")], &bench.letters).await.unwrap();
    assert!(!stale.is_empty());
    assert_eq!(bench.chunks().await.len(), 2, "the killed consumer left its former chunk");
    bench.apply(redelivered(put(T + TICK, "b"))).await;
    bench.assert_stands_at(T + TICK).await;
}

/// 9. The author changes and the text does not: no chunk may bear the former author.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_author_makes_new_chunks() {
    let bench = Bench::new().await;
    bench.apply(put(T, "same text")).await;
    let before = bench.chunks().await;
    bench.apply(event("update", T + TICK, json!({ "content": "same text", "author_id": "B" }))).await;
    bench.assert_stands_at(T + TICK).await;
    assert!(before.is_disjoint(&bench.chunks().await));
}

/// The text was embedded once, by a consumer that is gone: the new points bear the old vectors, and no model is asked.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_author_embeds_nothing() {
    let broken = Arc::new(AtomicBool::new(false));
    let bench = Bench::embedding_with(touchy_embedder(&broken).await).await;
    bench.apply(put(T, "same text")).await;
    let before = bench.dense_vectors().await;
    broken.store(true, Ordering::SeqCst);
    let vectors = Vectors::new(bench.vectors.embedder().clone());
    let another = Synchronizer::new(bench.store(), vectors, "fingerprint".into(), CancellationToken::new());
    let change = event("update", T + TICK, json!({ "content": "same text", "author_id": "B" }));
    let stale = another.apply(vec![change], &bench.letters).await.unwrap();
    another.delete(&stale).await.unwrap();
    bench.assert_stands_at(T + TICK).await;
    assert!(!stale.is_empty() && before == bench.dense_vectors().await);
}

/// Unchanged chunks keep their points.
#[tokio::test(flavor = "multi_thread")]
async fn an_unchanged_text_moves_only_the_revision() {
    let bench = Bench::new().await;
    bench.apply(put(T, "same text")).await;
    let before = bench.chunks().await;
    bench.apply(put(T + TICK, "same text")).await;
    bench.assert_stands_at(T + TICK).await;
    assert_eq!(before, bench.chunks().await);
}

/// 11. A row at T0 comes again after the sweep at T0: it must not lose against the sweep's tombstone.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_redelivered_after_its_sweep_still_counts() {
    let bench = Bench::new().await;
    bench.apply(put(T, "before the snapshot")).await;
    let consumer = bench.consumer();
    consumer.pass(barrier(T + TICK)).await.unwrap();
    assert!(bench.standing().await.deleted);
    bench.apply(redelivered(event("snapshot", T + TICK, json!({ "content": "row" })))).await;
    bench.assert_stands_at(T + TICK).await;
    assert!(!bench.standing().await.deleted);
}

/// 13. Nothing older than a tombstone comes back.
#[tokio::test(flavor = "multi_thread")]
async fn a_late_event_does_not_resurrect() {
    let bench = Bench::new().await;
    bench.apply(delete(T + TICK)).await;
    bench.apply(redelivered(put(T, "late"))).await;
    bench.assert_stands_at(T + TICK).await;
    assert!(bench.standing().await.deleted);
    assert!(bench.chunks().await.is_empty());
}

/// 14. The text is the same, and its chunks are another pipeline's: they are made anew, and the former ones go.
#[tokio::test(flavor = "multi_thread")]
async fn an_unchanged_text_under_another_pipeline_is_written_anew() {
    let bench = Bench::new().await;
    bench.apply(put(T, "same text")).await;
    let before = bench.chunks().await;
    let next = Synchronizer::new(bench.store(), bench.vectors.clone(), "another".into(), CancellationToken::new());
    let stale = next.apply(vec![put(T + TICK, "same text")], &bench.letters).await.unwrap();
    next.delete(&stale).await.unwrap();
    bench.assert_stands_at(T + TICK).await;
    assert!(before.is_disjoint(&bench.chunks().await));
}

/// 15. A redelivered e1 folded into a fresh e2: what e1 left behind must still be looked for.
#[tokio::test(flavor = "multi_thread")]
async fn a_redelivery_folded_into_a_fresh_event_leaves_no_orphan() {
    let bench = Bench::new().await;
    bench.apply_and_be_killed(put(T, "e1")).await;
    assert_eq!(bench.chunks().await.len(), 1, "the killed consumer left a chunk that no manifest lists");
    for change in coalesce([redelivered(put(T, "e1")), put(T + TICK, "e2")]) {
        bench.apply(change).await;
    }
    bench.assert_stands_at(T + TICK).await;
}

/// 15. A redelivered drop sees its own tombstones, and must still clean up after its first attempt.
#[tokio::test(flavor = "multi_thread")]
async fn a_redelivered_drop_cleans_up_after_its_first_attempt() {
    let bench = Bench::new().await;
    bench.apply(put(T, "a")).await;
    let mut killed = Steps::passing(&bench, barrier(T + TICK));
    killed.until(Step::Delete).await;
    drop(killed);
    assert_eq!(bench.chunks().await.len(), 1, "killed before its deletes");
    bench.consumer().pass(Barrier { redelivered: true, ..barrier(T + TICK) }).await.unwrap();
    assert!(bench.chunks().await.is_empty());
    assert!(bench.standing().await.deleted);
}

/// 16. Overtaken by an older change: what was written is not deleted but listed at the next attempt.
#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_overtaken_by_an_older_change_begins_again() {
    let bench = Bench::new().await;
    bench.apply(put(T, "a")).await;
    let overtaken = bench.disturbed(Disturbance::Overtaken(Box::new(put(T + TICK, "b"))));
    let stale = overtaken.apply(vec![put(T + 2 * TICK, "c")], &bench.letters).await.unwrap();
    overtaken.delete(&stale).await.unwrap();
    bench.assert_stands_at(T + 2 * TICK).await;
    assert_eq!(bench.chunks().await.len(), 1);
}

/// 16. Two consumers apply one change in a hand-over. The first is overtaken by an older change and finds what it wrote
/// unlisted: the second is about to list it.
#[tokio::test(flavor = "multi_thread")]
async fn what_another_consumer_is_about_to_list_is_not_deleted() {
    let bench = Bench::new().await;
    bench.apply(put(T, "a")).await;
    let change = put(T + 2 * TICK, "c");
    let mut first = Steps::of(&bench, change.clone());
    first.until(Step::Swap).await;
    bench.apply(put(T + TICK, "b")).await;
    let mut second = Steps::of(&bench, change);
    second.until(Step::Swap).await;
    // Its compare-and-set fails, it reads back, and is about to begin again.
    first.past_this_until(Step::Read).await;
    first.past_this_until(Step::Read).await;
    second.finish().await;
    first.finish().await;
    bench.assert_stands_at(T + 2 * TICK).await;
}

/// 16. Overtaken by a newer change: what was written and is not listed goes.
#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_overtaken_by_a_newer_change_takes_its_chunks_away() {
    let bench = Bench::new().await;
    bench.apply(put(T, "a")).await;
    let overtaken = bench.disturbed(Disturbance::Overtaken(Box::new(put(T + 2 * TICK, "c"))));
    let stale = overtaken.apply(vec![put(T + TICK, "b")], &bench.letters).await.unwrap();
    assert!(!stale.is_empty());
    overtaken.delete(&stale).await.unwrap();
    bench.assert_stands_at(T + 2 * TICK).await;
}

/// A redelivery looks for leftovers while another consumer has written the chunks of a newer change, but not its
/// manifest: those are not its to delete.
#[tokio::test(flavor = "multi_thread")]
async fn a_redelivery_leaves_alone_what_a_newer_change_is_writing() {
    let bench = Bench::new().await;
    bench.apply(put(T, "a")).await;
    let older = redelivered(put(T, "a"));
    let writing = bench.disturbed(Disturbance::Overtaken(Box::new(older)));
    let stale = writing.apply(vec![put(T + TICK, "b")], &bench.letters).await.unwrap();
    writing.delete(&stale).await.unwrap();
    bench.assert_stands_at(T + TICK).await;
    assert_eq!(bench.chunks().await.len(), 1);
}

/// What the store has answered is there for the next request, without which reading back would prove nothing.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_is_there_when_the_write_returns() {
    let bench = Bench::new().await;
    let (store, id) = (bench.store(), Uuid::new_v4());
    let payload = json!({ "type": "posts", "id_kind": "str", "entry_id": "one", "revision": T });
    let chunk = PointStruct::new(id.to_string(), HashMap::<String, Vector>::new(), Payload::try_from(payload).unwrap());
    store.put_chunks(vec![chunk]).await.unwrap();
    assert_eq!(bench.chunks().await, BTreeSet::from([id]));
    let payload = Manifest::tombstone(identity(), T.into()).to_payload().unwrap();
    store.swap(&[Swap { identity: identity(), expected: None, payload }]).await.unwrap();
    assert_eq!(bench.standing().await.revision().get(), T);
    store.delete_chunks(&[id]).await.unwrap();
    assert_eq!(bench.chunks().await, BTreeSet::new());
}

/// 17. The same revision with newer content: compare-and-set cannot tell them apart, so it is not applied.
#[tokio::test(flavor = "multi_thread")]
async fn a_replayed_revision_with_newer_content_changes_nothing() {
    let bench = Bench::new().await;
    bench.apply(put(T, "a")).await;
    let before = bench.chunks().await;
    bench.apply(redelivered(put(T, "b"))).await;
    assert_eq!(before, bench.chunks().await);
    bench.assert_stands_at(T).await;
}

/// 18. Drop and T0 at one clusterTime; and a late row under a drop that found no manifest.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_at_a_drops_revision_stands_and_one_below_it_does_not() {
    let bench = Bench::new().await;
    bench.consumer().pass(barrier(T + TICK)).await.unwrap();
    bench.apply(event("snapshot", T, json!({ "content": "late row of a voided snapshot" }))).await;
    assert_eq!(bench.standing().await.stored, None, "the floor held it back");
    bench.apply(event("snapshot", T + TICK, json!({ "content": "row" }))).await;
    bench.assert_stands_at(T + TICK).await;
    bench.consumer().pass(barrier(T + TICK)).await.unwrap();
    bench.assert_stands_at(T + TICK).await;
}

/// 21. A repair at an equal revision writes every chunk again, under new ids.
#[tokio::test(flavor = "multi_thread")]
async fn a_repair_rewrites_a_document_whose_chunks_were_damaged() {
    let bench = Bench::new().await;
    bench.apply(put(T, "a")).await;
    let damaged: Vec<Uuid> = bench.chunks().await.into_iter().collect();
    bench.store().delete_chunks(&damaged).await.unwrap();
    let mut repair = event("snapshot", T + TICK, json!({ "content": "a", "author_id": "A" }));
    repair.event.repair = true;
    bench.apply(repair.clone()).await;
    bench.assert_stands_at(T + TICK).await;
    let damaged_again: Vec<Uuid> = bench.chunks().await.into_iter().collect();
    bench.store().delete_chunks(&damaged_again).await.unwrap();
    bench.apply(repair).await;
    bench.assert_stands_at(T + TICK).await;
}

/// 21, folded: a change comes right behind the repair, and would keep the chunks that were to be written again.
#[tokio::test(flavor = "multi_thread")]
async fn a_repair_that_is_folded_into_a_newer_change_still_repairs() {
    let bench = Bench::new().await;
    bench.apply(put(T, "a")).await;
    let damaged: Vec<Uuid> = bench.chunks().await.into_iter().collect();
    bench.store().delete_chunks(&damaged).await.unwrap();
    let mut repair = event("snapshot", T + TICK, json!({ "content": "a", "author_id": "A" }));
    repair.event.repair = true;
    for change in coalesce([repair, put(T + TICK + 1, "a")]) {
        bench.apply(change).await;
    }
    bench.assert_stands_at(T + TICK + 1).await;
    assert_eq!(bench.chunks().await.len(), 1);
}
