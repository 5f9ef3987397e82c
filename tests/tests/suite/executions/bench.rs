//! What every execution runs on: one Qdrant, one document, and changes to it.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use consumer::{Barrier, Change, DeadLetters, Message, QdrantStore, Standing, Synchronizer, VectorStore, Vectors};
use qdrant_client::Payload;
use qdrant_client::qdrant::{PointStruct, UpsertPointsBuilder, Vector};
use serde_json::{Value, json};
use shared::dead_letter::{DeadLetterError, Postmark};
use shared::embedding::{Embedder, ModelError};
use shared::index::{Index, IndexMeta};
use shared::shutdown::CancellationToken;
use shared::{ChangeEvent, DocumentType, Identity, Revision};
use tests::{TestQdrant, WatchedStore, embedder, qdrant};
use tokio::sync::Notify;
use uuid::Uuid;

use super::disturbed::{Disturbance, Disturbed};

pub(super) const PARTITIONS: u16 = 1;
/// clusterTimes of one second lie this far apart at least, and doubles only reach every 512th revision.
pub(super) const TICK: i64 = 256;
pub(super) const T: i64 = 3_855_425_992_956_837_888;

#[derive(Default)]
pub(super) struct Letters(pub(super) Mutex<Vec<Postmark>>);

impl Letters {
    /// The stages that gave up, in order.
    pub(super) fn stages(&self) -> Vec<&'static str> {
        self.0.lock().unwrap().iter().map(|letter| letter.stage).collect()
    }
}

impl DeadLetters for Letters {
    async fn send(&self, _: &Message, postmark: Postmark) -> Result<(), DeadLetterError> {
        self.0.lock().unwrap().push(postmark);
        Ok(())
    }
}

/// One Qdrant, one document, and as many consumers as a test wants.
pub(super) struct Bench {
    pub(super) qdrant: TestQdrant,
    pub(super) index: Index,
    pub(super) vectors: Vectors,
    pub(super) letters: Letters,
}

impl Bench {
    pub(super) async fn new() -> Self {
        Self::embedding_with(embedder().await.clone()).await
    }

    pub(super) async fn embedding_with(embedder: Embedder) -> Self {
        let qdrant = qdrant().await;
        let meta = IndexMeta::new(embedder.info(), PARTITIONS);
        let index = Index::ensure(&qdrant.client(), &meta).await.unwrap();
        Self { qdrant, index, vectors: Vectors::new(embedder), letters: Letters::default() }
    }

    pub(super) fn store(&self) -> QdrantStore {
        QdrantStore::new(self.qdrant.client(), self.index.clone(), PARTITIONS)
    }

    pub(super) fn consumer(&self) -> Synchronizer<QdrantStore> {
        Synchronizer::new(self.store(), self.vectors.clone(), "fingerprint".into(), CancellationToken::new())
    }

    /// A consumer to which something happens between the writing of its chunks and that of its manifest.
    pub(super) fn disturbed(&self, disturbance: Disturbance) -> Synchronizer<WatchedStore<Disturbed<'_>>> {
        self.observed(Some(disturbance))
    }

    /// A consumer whose writes are remembered.
    pub(super) fn observed(&self, disturbance: Option<Disturbance>) -> Synchronizer<WatchedStore<Disturbed<'_>>> {
        let (disturbance, writes, places) = (Mutex::new(disturbance), Mutex::default(), Mutex::default());
        let watch = Disturbed { bench: self, disturbance, writes, places };
        let store = WatchedStore { store: self.store(), watch };
        Synchronizer::new(store, self.vectors.clone(), "fingerprint".into(), CancellationToken::new())
    }

    /// A consumer that is killed between the writing of its chunks and that of its manifest.
    pub(super) async fn apply_and_be_killed(&self, change: Change) {
        let killed = Arc::new(Notify::new());
        let consumer = self.disturbed(Disturbance::Killed(Arc::clone(&killed)));
        tokio::select! {
            outcome = consumer.apply(vec![change], &self.letters) => panic!("not killed: {outcome:?}"),
            () = killed.notified() => {}
        }
    }

    /// Puts another payload in place of the document's manifest.
    pub(super) async fn damage(&self, payload: Value) {
        let payload = Payload::try_from(payload).unwrap();
        let id = identity().manifest_id().to_string();
        let point = PointStruct::new(id, HashMap::<String, Vector>::new(), payload);
        let upsert = UpsertPointsBuilder::new(&self.index.documents, vec![point]).wait(true);
        self.qdrant.client().upsert_points(upsert).await.unwrap();
    }

    /// Applies and cleans up, as a consumer that is not killed does.
    pub(super) async fn apply(&self, change: Change) {
        let consumer = self.consumer();
        let stale = consumer.apply(vec![change], &self.letters).await.unwrap();
        consumer.delete(&stale).await.unwrap();
    }

    pub(super) async fn standing(&self) -> Standing {
        self.standing_of(&delete(T)).await
    }

    pub(super) async fn standing_of(&self, Change { identity, .. }: &Change) -> Standing {
        self.store().standings(std::slice::from_ref(identity)).await.unwrap().remove(identity).unwrap()
    }

    pub(super) async fn chunks(&self) -> BTreeSet<Uuid> {
        self.store().chunks_of(&identity()).await.unwrap().into_iter().map(|(id, _)| id).collect()
    }

    /// The dense vectors of its chunks, in no order.
    pub(super) async fn dense_vectors(&self) -> Vec<Vec<f32>> {
        let ids: Vec<Uuid> = self.chunks().await.into_iter().collect();
        self.store().dense_vectors(&ids).await.unwrap().into_values().collect()
    }

    /// The document stands at `revision`, and the index holds exactly what its manifest lists.
    pub(super) async fn assert_stands_at(&self, revision: i64) {
        let standing = self.standing().await;
        assert_eq!(standing.revision().get(), revision);
        assert_eq!(standing.listed(), self.chunks().await, "listed and held chunks");
    }
}

pub(super) fn identity() -> Identity {
    Identity { document_type: DocumentType::Posts, id_kind: shared::IdKind::Str, entry_id: "one".into() }
}

pub(super) fn event(operation: &str, revision: i64, document: Value) -> Change {
    let mut json = json!({"id": Uuid::new_v4(), "operation": operation, "type": "posts", "id_kind": "str",
        "entry_id": "one", "revision": revision, "occurred_at": "2026-11-22T04:43:51.510Z"});
    if !document.is_null() {
        json["document"] = document;
    }
    let event = ChangeEvent::from_json(json.to_string().as_bytes()).unwrap();
    Change { identity: identity(), event, redelivered: false, message: Message::default() }
}

pub(super) fn put(revision: i64, text: &str) -> Change {
    event("update", revision, json!({ "content": text, "author_id": "A" }))
}

pub(super) fn delete(revision: i64) -> Change {
    event("delete", revision, Value::Null)
}

pub(super) fn redelivered(change: Change) -> Change {
    Change { redelivered: true, ..change }
}

pub(super) fn barrier(revision: i64) -> Barrier {
    let revision = Revision::from(revision);
    let id = Uuid::from_u128(u128::from(revision.get().unsigned_abs()));
    Barrier { id, document_type: DocumentType::Posts, partition: 0, revision, redelivered: false }
}

/// A model that fails on everything while `pressed`, as where memory is short, and on texts that say `poison` always.
pub(super) async fn touchy_embedder(pressed: &Arc<AtomicBool>) -> Embedder {
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
