//! The design's executions that broke earlier drafts, on the real protocol and a real Qdrant. A consumer is "killed" by
//! dropping what it still meant to do, or by a store that fails at one call.

mod barriers;
mod bench;
mod disturbed;
mod janitor;
mod partition;
mod pipeline;
mod stepped;
mod work;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use consumer::{Barrier, DeadLetters, Message, PartitionError, Swap, Synchronizer, VectorStore, Vectors, coalesce};
use qdrant_client::Payload;
use qdrant_client::qdrant::{PointStruct, Vector};
use serde_json::{Value, json};
use shared::dead_letter::{DeadLetterError, Postmark};
use shared::embedding::{Embedder, ModelError};
use shared::shutdown::CancellationToken;
use shared::{DocumentType, Identity, Manifest, Record};
use tests::embedder;
use uuid::Uuid;

use bench::{Bench, T, TICK, barrier, delete, event, identity, put, redelivered};
use disturbed::{Disturbance, Write};
use stepped::{Call, Steps};

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
    killed.until(Call::Delete).await;
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
    first.until(Call::Swap).await;
    bench.apply(put(T + TICK, "b")).await;
    let mut second = Steps::of(&bench, change);
    second.until(Call::Swap).await;
    // Its compare-and-set fails, it reads back, and is about to begin again.
    first.past_this_until(Call::Read).await;
    first.past_this_until(Call::Read).await;
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

/// A letter that is not confirmed leaves the manifest where it was: else a kill in between would lose the letter.
#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_does_not_say_failed_before_the_letter_is_confirmed() {
    struct Unconfirmed;
    impl DeadLetters for Unconfirmed {
        async fn send(&self, _: &Message, _: Postmark) -> Result<(), DeadLetterError> {
            Err(DeadLetterError::Refused)
        }
    }
    let bench = Bench::new().await;
    bench.apply(put(T, "a")).await;
    let poison = event("update", T + TICK, json!({ "content": 5 }));
    assert!(bench.consumer().apply(vec![poison], &Unconfirmed).await.is_err());
    bench.assert_stands_at(T).await;
}

/// A document that cannot be indexed is a dead letter, its former text is gone, and its neighbours are not touched.
#[tokio::test(flavor = "multi_thread")]
async fn a_poison_document_is_alone_with_its_fault() {
    let bench = Bench::new().await;
    bench.apply(put(T, "a")).await;
    let mut neighbour = put(T, "neighbour");
    neighbour.identity.entry_id = "two".into();
    let poison = event("update", T + TICK, json!({ "content": 5 }));
    let stale = bench.consumer().apply(vec![poison, neighbour.clone()], &bench.letters).await.unwrap();
    bench.consumer().delete(&stale).await.unwrap();
    assert_eq!(bench.letters.stages(), ["clean"]);
    bench.assert_stands_at(T + TICK).await;
    assert!(bench.chunks().await.is_empty());
    assert!(bench.standing().await.manifest.unwrap().error.is_some());
    assert_eq!(bench.standing_of(&neighbour).await.revision().get(), T);
}

/// A manifest that the store refuses for good (too large, say) is its document's fault alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_the_store_refuses_is_alone_with_its_fault() {
    let bench = Bench::new().await;
    bench.apply(put(T, "a")).await;
    let mut neighbour = put(T, "neighbour");
    neighbour.identity.entry_id = "two".into();
    let consumer = bench.disturbed(Disturbance::Refused("one"));
    let batch = vec![put(T + TICK, "refused"), neighbour.clone()];
    let stale = consumer.apply(batch, &bench.letters).await.unwrap();
    consumer.delete(&stale).await.unwrap();
    assert_eq!(bench.letters.stages(), ["write"]);
    bench.assert_stands_at(T + TICK).await;
    assert!(bench.chunks().await.is_empty());
    assert!(bench.standing().await.manifest.unwrap().error.unwrap().contains("write"));
    assert_eq!(bench.standing_of(&neighbour).await.listed().len(), 1, "the neighbour is indexed");
}

/// A manifest that cannot be read beyond its revision.
fn damaged(revision: i64) -> Value {
    json!({"type": "posts", "id_kind": "str", "entry_id": "one", "revision": revision, "deleted": false,
        "bucket": identity().bucket(), "chunk_ids": "not a list"})
}

/// Damaged between the compare-and-set and the reading back: that it lists nothing does not make what it listed stale.
#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_is_read_back_damaged_is_written_again() {
    let bench = Bench::new().await;
    let consumer = bench.disturbed(Disturbance::Damaged(damaged(T)));
    let stale = consumer.apply(vec![put(T, "a")], &bench.letters).await.unwrap();
    consumer.delete(&stale).await.unwrap();
    bench.assert_stands_at(T).await;
    assert_eq!(bench.chunks().await.len(), 1);
}

/// A manifest that is damaged but for its revision is replaced by the next change, by a redelivery of its own, and by a
/// barrier; what it listed is not left behind.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_manifest_is_replaced_and_leaves_nothing_behind() {
    let bench = Bench::new().await;
    bench.apply(put(T, "a")).await;
    bench.damage(damaged(T)).await;
    bench.apply(put(T + TICK, "b")).await;
    bench.assert_stands_at(T + TICK).await;
    assert_eq!(bench.chunks().await.len(), 1);
    bench.damage(damaged(T + TICK)).await;
    bench.apply(put(T, "a late event")).await;
    assert_eq!(bench.chunks().await.len(), 1, "an older change leaves it as it is");
    bench.apply(redelivered(put(T + TICK, "b"))).await;
    bench.assert_stands_at(T + TICK).await;
    bench.damage(damaged(T + TICK)).await;
    bench.consumer().pass(barrier(T + 2 * TICK)).await.unwrap();
    bench.assert_stands_at((T + 2 * TICK) - 1).await;
    assert!(bench.chunks().await.is_empty() && bench.letters.stages().is_empty());
}

/// A record that lost even its revision holds up nothing: what is not older than the chunks that are there replaces it.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_without_a_readable_revision_is_replaced_by_what_is_not_older_than_its_chunks() {
    let bench = Bench::new().await;
    let damage = || {
        bench.damage(json!({"type": "posts", "id_kind": "str", "entry_id": "one", "revision": "lost", "deleted": false,
            "bucket": identity().bucket()}))
    };
    bench.apply(put(T + TICK, "a")).await;
    damage().await;
    bench.apply(put(T, "a late event")).await;
    assert_eq!(bench.standing().await.stored, None, "the order is told by the chunks");
    bench.apply(put(T + 2 * TICK, "b")).await;
    bench.assert_stands_at(T + 2 * TICK).await;
    damage().await;
    bench.consumer().pass(barrier(T + 3 * TICK)).await.unwrap();
    bench.assert_stands_at((T + 3 * TICK) - 1).await;
    assert!(bench.chunks().await.is_empty() && bench.letters.stages().is_empty());
}

/// What a resync by keys does not find at the source is deleted at T0, with what no record lists: a chunk whose record was
/// lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_repair_leaves_no_chunk_that_no_record_lists() {
    let bench = Bench::new().await;
    bench.apply(put(T, "a")).await;
    bench
        .damage(json!({"type": "posts", "id_kind": "str", "entry_id": "one", "revision": T, "deleted": true,
        "error": null, "source_hash": "", "fingerprint": "", "chunk_ids": [], "chunk_hashes": [], "cleaned_text": "",
        "bucket": identity().bucket()}))
        .await;
    bench.apply(delete(T + TICK)).await;
    bench.assert_stands_at(T + TICK).await;
    assert!(bench.chunks().await.is_empty());
}

/// The first document of a long batch stands before the last one is embedded, and no request holds a whole batch.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_batch_is_written_in_rounds() {
    let bench = Bench::new().await;
    let files: serde_json::Map<_, _> =
        (0..600).map(|file| (format!("notes/{file}.md"), json!(format!("note {file}")))).collect();
    let mut long = event("insert", T, json!({ "content": files }));
    long.identity = Identity { document_type: DocumentType::Repositories, ..identity() };
    let consumer = bench.observed(None);
    consumer.apply(vec![long, put(T, "a")], &bench.letters).await.unwrap();
    let writes = consumer.store().writes.lock().unwrap().clone();
    let expected = [Write::Chunks(512), Write::Chunks(88), Write::Records(1), Write::Chunks(1), Write::Records(1)];
    assert_eq!(writes, expected);
    bench.assert_stands_at(T).await;
}

/// A model that fails on everything while `pressed`, as where memory is short, and on texts that say `poison` always.
async fn touchy_embedder(pressed: &Arc<AtomicBool>) -> Embedder {
    let real = embedder().await;
    let (pressed, dimension) = (Arc::clone(pressed), real.info().dimension);
    let run = move |texts: &[String]| {
        if pressed.load(Ordering::SeqCst) || texts.iter().any(|text| text.contains("poison")) {
            return Err(ModelError::Unknown("scripted".into()));
        }
        Ok(vec![vec![1.0; dimension]; texts.len()])
    };
    let renew = || Err(ModelError::Unknown("not asked for".into()));
    Embedder::of(real.info().clone(), real.tokens().clone(), vec![Box::new(run)], renew)
}

/// While the model fails on everything, no document is at fault: nothing is lost, and it is tried again.
#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_fails_on_everything_makes_no_dead_letters() {
    let pressed = Arc::new(AtomicBool::new(false));
    let bench = Bench::embedding_with(touchy_embedder(&pressed).await).await;
    bench.apply(put(T, "a")).await;
    pressed.store(true, Ordering::SeqCst);
    let mut neighbour = put(T, "neighbour");
    neighbour.identity.entry_id = "two".into();
    for batch in [vec![put(T + TICK, "b"), neighbour], vec![put(T + TICK, "b")]] {
        let outcome = bench.consumer().apply(batch, &bench.letters).await;
        assert!(matches!(outcome, Err(PartitionError::Embed(_))), "{outcome:?}");
    }
    assert!(bench.letters.stages().is_empty());
    bench.assert_stands_at(T).await;
    pressed.store(false, Ordering::SeqCst);
    bench.apply(redelivered(put(T + TICK, "b"))).await;
    bench.assert_stands_at(T + TICK).await;
}

/// A text that the model fails on while it works on others is its document's fault alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_cannot_be_embedded_is_alone_with_its_fault() {
    let bench = Bench::embedding_with(touchy_embedder(&Arc::default()).await).await;
    let mut neighbour = put(T, "neighbour");
    neighbour.identity.entry_id = "two".into();
    let batch = vec![put(T, "poison"), neighbour.clone()];
    bench.consumer().apply(batch, &bench.letters).await.unwrap();
    assert_eq!(bench.letters.stages(), ["embed"]);
    assert!(bench.standing().await.manifest.unwrap().error.unwrap().contains("embed"));
    assert_eq!(bench.standing_of(&neighbour).await.listed().len(), 1);
}
