//! Chunks to points: dense vectors by the model, remembered by text, and sparse ones by BM25.

use std::collections::HashMap;
use std::sync::Arc;

use moka::sync::Cache;
use qdrant_client::qdrant::{NamedVectors, PointStruct, Vector};
use shared::Record;
use shared::embedding::{EmbedError, Embedder};
use shared::index::{BM25, DENSE};
use shared::sparse::document_vector;
use xxhash_rust::xxh3::xxh3_128;

use crate::plan::NewChunk;

/// Bytes of vectors that are remembered.
const CACHE_BYTES: u64 = 64 << 20;
/// Texts that the model runs at once.
const PROBE_TEXTS: usize = 8;

/// Makes points of chunks. A text that was embedded lately is not embedded again: with this model a text's vector does
/// not depend on its batch, so that remembering it changes nothing.
#[derive(Clone)]
pub struct Vectors {
    embedder: Embedder,
    by_text: Cache<u128, Arc<[f32]>>,
}

impl Vectors {
    /// Vectors by this model.
    pub fn new(embedder: Embedder) -> Self {
        let bytes = |_: &u128, vector: &Arc<[f32]>| u32::try_from(size_of_val(&**vector) + 64).unwrap_or(u32::MAX);
        Self { embedder, by_text: Cache::builder().weigher(bytes).max_capacity(CACHE_BYTES).build() }
    }

    /// The model.
    pub fn embedder(&self) -> &Embedder {
        &self.embedder
    }

    /// The chunks' points, in their order.
    ///
    /// # Errors
    /// [`EmbedError`].
    pub(crate) async fn points(&self, chunks: &[&NewChunk]) -> Result<Vec<PointStruct>, EmbedError> {
        let vectors = self.dense(chunks).await?;
        let point = |(chunk, dense): (&&NewChunk, Arc<[f32]>)| {
            let sparse = document_vector(&chunk.embedded_text);
            let vectors = NamedVectors::default()
                .add_vector(DENSE, Vector::new_dense(dense.to_vec()))
                .add_vector(BM25, Vector::new_sparse(sparse.indices, sparse.values));
            let payload = chunk.payload.to_payload().map_err(|error| EmbedError::Model(error.to_string()))?;
            Ok(PointStruct::new(chunk.id.to_string(), vectors, payload))
        };
        chunks.iter().zip(vectors).map(point).collect()
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

    async fn dense(&self, chunks: &[&NewChunk]) -> Result<Vec<Arc<[f32]>>, EmbedError> {
        let keys: Vec<u128> = chunks.iter().map(|chunk| xxh3_128(chunk.embedded_text.as_bytes())).collect();
        // Held apart from the cache, which may forget one of them before this call is over.
        let mut known: HashMap<u128, Arc<[f32]>> =
            keys.iter().filter_map(|key| Some((*key, self.by_text.get(key)?))).collect();
        let unknown: HashMap<u128, &String> = keys
            .iter()
            .zip(chunks)
            .filter(|(key, _)| !known.contains_key(key))
            .map(|(key, chunk)| (*key, &chunk.embedded_text))
            .collect();
        metrics::counter!("twin_consumer_chunks_embedded_total").increment(unknown.len() as u64);
        let (new_keys, texts): (Vec<u128>, Vec<String>) =
            unknown.into_iter().map(|(key, text)| (key, text.clone())).unzip();
        for (key, vector) in new_keys.into_iter().zip(self.embedder.embed(texts).await?) {
            let vector: Arc<[f32]> = vector.into();
            self.by_text.insert(key, Arc::clone(&vector));
            known.insert(key, vector);
        }
        Ok(keys.iter().filter_map(|key| known.get(key).map(Arc::clone)).collect())
    }
}
