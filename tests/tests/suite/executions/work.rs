//! The work is in proportion to what changed: what the model is given, and what is written.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use consumer::{Change, Vectors};
use serde_json::json;
use shared::embedding::{Embedder, ModelError};
use tests::embedder;

use super::bench::{Bench, T, TICK, event, put, redelivered};
use super::disturbed::Write;

/// Vectors by a model that counts the texts that it is given.
async fn counting(texts: &Arc<AtomicUsize>) -> Embedder {
    let real = embedder().await;
    let (texts, dimension) = (Arc::clone(texts), real.info().dimension);
    let run = move |some: &[String]| {
        let before = texts.fetch_add(some.len(), Ordering::SeqCst);
        // Each text has a vector in a direction of its own.
        let vector = |number: usize| (0..dimension).map(|at| f32::from(u8::from(at == number))).collect();
        Ok((0..some.len()).map(|number| vector(before + number)).collect())
    };
    let renew = || Err(ModelError::Unknown("no run of this test panics".into()));
    Embedder::of(real.info().clone(), real.tokens().clone(), vec![Box::new(run)], renew)
}

/// A bench, and how many texts were embedded on it since one last asked.
struct Counted {
    bench: Bench,
    texts: Arc<AtomicUsize>,
}

impl Counted {
    async fn new() -> Self {
        let texts = Arc::default();
        Self { bench: Bench::embedding_with(counting(&texts).await).await, texts }
    }

    /// Applies it as a consumer does that was just started and remembers nothing. Returns what was embedded and written.
    async fn apply(&mut self, changes: Vec<Change>) -> (usize, Vec<Write>) {
        self.bench.vectors = Vectors::new(counting(&self.texts).await);
        let before = self.texts.load(Ordering::SeqCst);
        let consumer = self.bench.observed(None);
        let stale = consumer.apply(changes, &self.bench.letters).await.unwrap();
        consumer.delete(&stale).await.unwrap();
        let writes = consumer.store().watch.writes.lock().unwrap().clone();
        (self.texts.load(Ordering::SeqCst) - before, writes)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_in_two_documents_is_embedded_once() {
    let mut counted = Counted::new().await;
    let mut other = put(T, "the same text");
    other.identity.entry_id = "two".into();
    let (embedded, writes) = counted.apply(vec![put(T, "the same text"), other]).await;
    assert_eq!((embedded, writes), (1, vec![Write::Chunks(2), Write::Records(2)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_unchanged_document_only_the_record_is_written() {
    let mut counted = Counted::new().await;
    counted.apply(vec![put(T, "a")]).await;
    let (embedded, writes) = counted.apply(vec![put(T + TICK, "a")]).await;
    assert_eq!((embedded, writes), (0, vec![Write::Records(1)]));
    counted.bench.assert_stands_at(T + TICK).await;
}

/// RabbitMQ takes a delivery back after half an hour, and a document can take longer to embed.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_earlier_attempt_has_embedded_is_not_embedded_again() {
    let mut counted = Counted::new().await;
    counted.bench.apply_and_be_killed(put(T, "a")).await;
    let (vectors, change) = (counted.bench.dense_vectors().await, redelivered(put(T, "a")));
    let (embedded, writes) = counted.apply(vec![change]).await;
    assert_eq!((embedded, writes), (0, vec![Write::Chunks(1), Write::Records(1)]));
    counted.bench.assert_stands_at(T).await;
    assert_eq!(counted.bench.dense_vectors().await, vectors);
}

/// Of a long document of which one part changes, that part alone is embedded and written.
#[tokio::test(flavor = "multi_thread")]
async fn of_a_changed_document_only_what_changed_is_embedded() {
    let mut counted = Counted::new().await;
    let files = |last: &str| {
        let mut files: serde_json::Map<_, _> =
            (0..20).map(|file| (format!("notes/{file:02}.md"), json!(format!("note {file}")))).collect();
        files.insert("notes/99.md".into(), json!(last));
        let mut change = event("update", T, json!({ "content": files, "name": "notes" }));
        change.identity.document_type = shared::DocumentType::Repositories;
        change
    };
    let (embedded, _) = counted.apply(vec![files("before")]).await;
    assert_eq!(embedded, 21);
    let mut after = files("after");
    after.event.revision = (T + TICK).into();
    let (embedded, writes) = counted.apply(vec![after]).await;
    assert_eq!((embedded, writes), (1, vec![Write::Chunks(1), Write::Records(1)]));
}
