//! What cannot be indexed, written or read: one document's fault, or nobody's.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use consumer::{DeadLetters, Message, PartitionError};
use serde_json::{Value, json};
use shared::dead_letter::{DeadLetterError, Postmark};
use shared::{DocumentType, Identity};

use super::bench::{Bench, T, TICK, barrier, delete, event, identity, put, redelivered, touchy_embedder};
use super::disturbed::{Disturbance, Write};

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
    let writes = consumer.store().watch.writes.lock().unwrap().clone();
    let expected = [Write::Chunks(512), Write::Chunks(88), Write::Records(1), Write::Chunks(1), Write::Records(1)];
    assert_eq!(writes, expected);
    bench.assert_stands_at(T).await;
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
