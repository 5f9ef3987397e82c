//! Chunks to points: dense vectors by the model, remembered by text, and sparse ones by BM25.

use std::collections::HashMap;
use std::sync::Arc;

use moka::sync::Cache;
use qdrant_client::qdrant::{NamedVectors, PointStruct, Vector};
use shared::Record;
use shared::embedding::{EmbedError, Embedder};
use shared::index::{BM25, DENSE};
use shared::sparse::{Searched, document_vector};
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_128;

use crate::plan::NewChunk;
use crate::telemetry;

/// Bytes of vectors that are remembered: four thousand of 384 numbers. What comes again and again stays; more would only
/// be memory that goes on growing long after the start.
const CACHE_BYTES: u64 = 6 << 20;
/// Texts that the model runs at once.
const PROBE_TEXTS: usize = 8;

/// Makes points of chunks. A text that was embedded lately is not embedded again, if with this model a text's vector
/// does not depend on its batch, so that remembering it changes nothing.
#[derive(Clone)]
pub struct Vectors {
    embedder: Embedder,
    /// None where a vector depends on its batch.
    by_text: Option<Cache<u128, Arc<[f32]>>>,
}

impl Vectors {
    /// Vectors by this model.
    pub fn new(embedder: Embedder) -> Self {
        let bytes = |_: &u128, vector: &Arc<[f32]>| u32::try_from(size_of_val(&**vector) + 64).unwrap_or(u32::MAX);
        let cache = || Cache::builder().weigher(bytes).max_capacity(CACHE_BYTES).build();
        Self { by_text: embedder.info().batch_independent.then(cache), embedder }
    }

    /// The model.
    pub fn embedder(&self) -> &Embedder {
        &self.embedder
    }

    /// Chunks in the index that have the vectors which these need and which are not remembered.
    pub(crate) fn to_be_read(&self, chunks: &[&NewChunk]) -> Vec<Uuid> {
        let forgotten = |chunk: &&&NewChunk| self.remembered(key(chunk)).is_none();
        chunks.iter().filter(forgotten).filter_map(|chunk| chunk.same_text).collect()
    }

    /// The chunks' points, in their order. `held` are vectors that were read from the index.
    ///
    /// # Errors
    /// [`EmbedError`].
    pub(crate) async fn points(
        &self,
        chunks: &[&NewChunk],
        held: &HashMap<Uuid, Vec<f32>>,
    ) -> Result<Vec<PointStruct>, EmbedError> {
        let vectors = self.dense(chunks, held).await?;
        let mut points = Vec::with_capacity(chunks.len());
        for (chunk, dense) in chunks.iter().zip(vectors) {
            // Hundreds take as long as the broker's heartbeats may wait on a busy machine.
            tokio::task::yield_now().await;
            let sparse = document_vector(&searched(chunk));
            let vectors = NamedVectors::default()
                .add_vector(DENSE, Vector::new_dense(dense.to_vec()))
                .add_vector(BM25, Vector::new_sparse(sparse.indices, sparse.values));
            let payload = chunk.payload.to_payload().map_err(|error| EmbedError::Model(error.to_string()))?;
            points.push(PointStruct::new(chunk.id.to_string(), vectors, payload));
        }
        Ok(points)
    }

    /// Whether the model works: on as many texts at once, and as long ones, as it ever gets. A smaller probe would pass
    /// where memory is short.
    ///
    /// # Errors
    /// [`EmbedError`].
    pub(crate) async fn probe(&self) -> Result<(), EmbedError> {
        let longest = "tide ".repeat(self.embedder.info().max_tokens);
        self.embedder.embed(vec![longest; PROBE_TEXTS]).await.map(drop)
    }

    fn remembered(&self, key: u128) -> Option<Arc<[f32]>> {
        self.by_text.as_ref()?.get(&key)
    }

    async fn dense(&self, chunks: &[&NewChunk], held: &HashMap<Uuid, Vec<f32>>) -> Result<Vec<Arc<[f32]>>, EmbedError> {
        let keys: Vec<u128> = chunks.iter().map(|chunk| key(chunk)).collect();
        // Apart from the cache, which may forget one of them before this call is over.
        let mut known: HashMap<u128, Arc<[f32]>> = HashMap::new();
        for (key, chunk) in keys.iter().zip(chunks) {
            let held = chunk.same_text.and_then(|id| held.get(&id)).map(|vector| Arc::from(vector.as_slice()));
            if let Some(vector) = self.remembered(*key).or(held) {
                known.insert(*key, vector);
            }
        }
        let unknown: HashMap<u128, &String> = keys
            .iter()
            .zip(chunks)
            .filter(|(key, _)| !known.contains_key(key))
            .map(|(key, chunk)| (*key, &chunk.embedded_text))
            .collect();
        telemetry::embedded(unknown.len());
        telemetry::remembered(chunks.len() - unknown.len());
        let (new_keys, texts): (Vec<u128>, Vec<String>) =
            unknown.into_iter().map(|(key, text)| (key, text.clone())).unzip();
        for (key, vector) in new_keys.into_iter().zip(self.embedder.embed(texts).await?) {
            let vector: Arc<[f32]> = vector.into();
            if let Some(by_text) = &self.by_text {
                by_text.insert(key, Arc::clone(&vector));
            }
            known.insert(key, vector);
        }
        Ok(keys.iter().filter_map(|key| known.get(key).map(Arc::clone)).collect())
    }
}

fn key(chunk: &NewChunk) -> u128 {
    xxh3_128(chunk.embedded_text.as_bytes())
}

fn searched(chunk: &NewChunk) -> Searched<'_> {
    let (heading, body) = chunk.embedded_text.split_at(chunk.heading_bytes);
    let link = chunk.payload.metadata.link.as_deref().unwrap_or_default();
    Searched { heading, body, link, language: chunk.language }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prepare::tests::tokens;
    use shared::embedding::ModelInfo;
    use shared::{ChunkPayload, DocumentType, IdKind, Identity, Language, Metadata, Revision};
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn chunk() -> NewChunk {
        let identity = Identity { document_type: DocumentType::Posts, id_kind: IdKind::Str, entry_id: "a".into() };
        let (revision, metadata) = (Revision::from(1), Metadata::default());
        let payload = ChunkPayload { identity, revision, text: "text".into(), path: None, symbol: None, metadata };
        NewChunk {
            id: Uuid::nil(),
            payload,
            embedded_text: "text".into(),
            same_text: None,
            heading_bytes: 0,
            language: Language::ENGLISH,
        }
    }

    /// How often the model is asked for a text that comes twice.
    async fn runs(batch_independent: bool) -> usize {
        let runs = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&runs);
        let run = move |texts: &[String]| {
            counted.fetch_add(1, Ordering::SeqCst);
            Ok(vec![vec![1.0]; texts.len()])
        };
        let (name, fingerprint) = ("counting".into(), String::new());
        let info = ModelInfo { name, dimension: 1, max_tokens: 256, fingerprint, batch_independent };
        let renew = || panic!("no run of this test panics");
        let vectors = Vectors::new(Embedder::of(info, tokens(), vec![Box::new(run)], renew));
        for _ in 0..2 {
            vectors.points(&[&chunk()], &HashMap::new()).await.unwrap();
        }
        runs.load(Ordering::SeqCst)
    }

    #[tokio::test]
    async fn a_vector_is_remembered_only_where_it_does_not_depend_on_its_batch() {
        assert_eq!(runs(true).await, 1);
        assert_eq!(runs(false).await, 2);
    }
}
