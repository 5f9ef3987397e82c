//! What is found.

use shared::{ChunkPayload, Revision};
use uuid::Uuid;

/// A chunk that its document's manifest listed during the search.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// Reciprocal ranks, summed over the lists that found it: comparable within one answer only.
    pub score: f32,
    /// Point id of the chunk.
    pub chunk_id: Uuid,
    /// Place among the document's chunks, from 0.
    pub position: usize,
    /// The document's revision; all hits of a document in one answer are of the same.
    pub revision: Revision,
    /// Text, document and metadata.
    pub chunk: ChunkPayload,
}
