//! A desk: one index on a Qdrant of its own, and as many consumers and readers on it as a drill wants, all in this
//! process. Its model computes nothing, and counts what it is given.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use consumer::{Change, DeadLetters, Message, QdrantStore, Synchronizer, Vectors};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use retrieval::Searcher;
use serde_json::Value;
use shared::dead_letter::{DeadLetterError, Postmark};
use shared::embedding::{Embedder, ModelInfo, Run, TokenCounter};
use shared::index::{Index, IndexMeta};
use shared::shutdown::CancellationToken;
use shared::{ChangeEvent, Identity, Operation, Revision, Subject};
use uuid::Uuid;

use super::drill::Order;
use crate::servers::{TestQdrant, qdrant};

const PARTITIONS: u16 = 1;
/// As all-MiniLM-L6-v2: texts are cut as they would be for it.
const MAX_TOKENS: usize = 256;
const DIMENSION: usize = 16;
/// The first revision of a document …
const FIRST: i64 = 3_855_425_992_956_837_888;
/// … and what the next ones lie apart: less than the 512 that a double can tell at this size.
const TICK: i64 = 256;

/// An index, a model and a clock.
pub(super) struct Desk {
    client: qdrant_client::Qdrant,
    // Held, for it ends with it.
    _qdrant: TestQdrant,
    index: Index,
    embedder: Embedder,
    embedded: Arc<AtomicU64>,
}

impl Desk {
    /// An empty index.
    ///
    /// # Errors
    /// As Qdrant.
    pub(super) async fn new(order: &Order) -> Result<Self> {
        let tokens = TokenCounter::from_file(&order.installation.model.join("tokenizer.json"), MAX_TOKENS)?;
        let (name, fingerprint) = ("desk".into(), "desk".into());
        let info =
            ModelInfo { name, dimension: DIMENSION, max_tokens: MAX_TOKENS, fingerprint, batch_independent: true };
        let embedded = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&embedded);
        let embedder = Embedder::of(info, tokens, vec![run(&embedded)], move || Ok(run(&counted)));
        let qdrant = qdrant().await;
        let client = qdrant.client();
        let index = Index::ensure(&client, &IndexMeta::new(embedder.info(), PARTITIONS)).await?;
        Ok(Self { client, _qdrant: qdrant, index, embedder, embedded })
    }

    /// The store that consumers write to.
    pub(super) fn store(&self) -> QdrantStore {
        QdrantStore::new(self.client.clone(), self.index.clone(), PARTITIONS)
    }

    /// A consumer that remembers no vector.
    pub(super) fn consumer<S: consumer::VectorStore>(&self, store: S) -> Synchronizer<S> {
        let vectors = Vectors::new(self.embedder.clone());
        Synchronizer::new(store, vectors, "desk".into(), CancellationToken::new())
    }

    /// A reader.
    pub(super) fn searcher(&self) -> Searcher {
        Searcher::new(self.client.clone(), self.embedder.clone())
    }

    /// A client for plain reads.
    pub(super) fn client(&self) -> &qdrant_client::Qdrant {
        &self.client
    }

    /// The live collections.
    pub(super) fn index(&self) -> &Index {
        &self.index
    }

    /// Texts that the model was given so far, queries included.
    pub(super) fn embedded(&self) -> u64 {
        self.embedded.load(Ordering::SeqCst)
    }
}

/// A direction for each text, without meaning.
fn run(counter: &Arc<AtomicU64>) -> Run {
    let counter = Arc::clone(counter);
    Box::new(move |texts| {
        counter.fetch_add(texts.len() as u64, Ordering::SeqCst);
        Ok(texts.iter().map(|text| direction(text)).collect())
    })
}

fn direction(text: &str) -> Vec<f32> {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    let mut random = StdRng::seed_from_u64(hasher.finish());
    (0..DIMENSION).map(|_| random.random::<f32>() - 0.5).collect()
}

/// The revision of a document's event with this number, from 0.
pub(super) fn revision(number: usize) -> Revision {
    Revision::from(FIRST + TICK * number as i64)
}

/// A change as a consumer gets it, delivered for the first time. A delete has no document.
pub(super) fn change(identity: &Identity, operation: Operation, revision: Revision, document: Value) -> Change {
    let event = ChangeEvent {
        id: Uuid::new_v4(),
        operation,
        subject: Subject::Document(identity.clone()),
        revision,
        occurred_at: "2026-11-22T04:43:51.510Z".into(),
        document: match document {
            Value::Object(document) => Some(document),
            _ => None,
        },
        omitted: None,
        repair: false,
    };
    Change { identity: identity.clone(), event, redelivered: false, message: Message::default() }
}

/// Where nothing may go: all documents of a desk can be indexed.
pub(super) struct NoLetters;

impl DeadLetters for NoLetters {
    async fn send(&self, _: &Message, _: Postmark) -> Result<(), DeadLetterError> {
        Err(DeadLetterError::Refused)
    }
}
