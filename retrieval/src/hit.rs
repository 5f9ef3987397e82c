//! What is found.

use shared::{ChunkPayload, Revision};
use uuid::Uuid;

/// A chunk that its document's manifest listed during the search.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// By fusion of the lists, or from 0 to 1 by a reranker; times preferences. Comparable within one answer only.
    pub score: f32,
    /// Where the lists had it.
    pub found: Found,
    /// Point id of the chunk.
    pub chunk_id: Uuid,
    /// Place among the document's chunks, from 0.
    pub position: usize,
    /// The document's revision; all hits of a document in one answer are of the same.
    pub revision: Revision,
    /// Text, document and metadata.
    pub chunk: ChunkPayload,
    /// What stands before it in its document, where that was asked for.
    pub before: Vec<ChunkPayload>,
    /// What stands after it.
    pub after: Vec<ChunkPayload>,
}

impl Hit {
    /// The hit, then its neighbours as hits of their own, nearest first.
    pub(crate) fn with_neighbours(&self) -> Vec<Self> {
        let neighbour = |chunk: &ChunkPayload, position: usize| Self {
            chunk: chunk.clone(),
            position,
            before: Vec::new(),
            after: Vec::new(),
            ..self.clone()
        };
        let mut hits = vec![self.clone()];
        for far in 1..=self.before.len().max(self.after.len()) {
            let before = self.before.len().checked_sub(far).map(|at| &self.before[at]);
            hits.extend(before.map(|chunk| neighbour(chunk, self.position.saturating_sub(far))));
            hits.extend(self.after.get(far - 1).map(|chunk| neighbour(chunk, self.position + far)));
        }
        hits
    }
}

/// Where each list had a chunk; nowhere, where it was not among the best of that list.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Found {
    /// By similarity.
    pub dense: Option<Place>,
    /// By words.
    pub bm25: Option<Place>,
    /// By both, where a reranker has made the score since.
    pub fused: Option<Place>,
}

/// A place in a list.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// From 1, among what stands.
    pub rank: usize,
    /// The list's own: cosine, BM25's weight, or what fusion made of both.
    pub score: f32,
}
