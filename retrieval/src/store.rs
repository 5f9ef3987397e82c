//! What a search asks of the index: candidates and manifests.

use std::collections::HashMap;

use serde::Deserialize;
use shared::{ChunkPayload, Identity, Revision};
use uuid::Uuid;

use crate::error::SearchError;

/// The index as one search sees it: its pair of collections, the query's vectors and filters are fixed.
pub(crate) trait Store {
    /// An answer to each of `questions`, in their order, in one round trip. What stands in the scope throughout the
    /// call and is among the best is found; what comes or goes meanwhile may be.
    async fn candidates(&self, questions: &[Question]) -> Result<Vec<Answer>, SearchError>;

    /// The manifests that exist of these documents (by manifest id), in one round trip, each read in one piece.
    async fn manifests(&self, documents: &[Uuid]) -> Result<HashMap<Uuid, Listing>, SearchError>;
}

/// The best of which chunks, and how many from each list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) scope: Scope,
    pub(crate) limit: usize,
}

/// Where to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scope {
    /// In the chunks of all documents but these.
    Everywhere { except: Vec<Identity> },
    /// In these chunks.
    Within(Vec<Uuid>),
}

/// What both lists hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Answer {
    pub(crate) candidates: Vec<Candidate>,
    /// A list reached its limit: there may be more.
    pub(crate) cut: bool,
}

/// A chunk that was found; whether it stands is for its manifest to say.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Candidate {
    pub(crate) id: Uuid,
    pub(crate) chunk: ChunkPayload,
    /// Similarity, where the dense list found it.
    pub(crate) dense: Option<f32>,
    /// BM25's weight, where that list found it.
    pub(crate) bm25: Option<f32>,
}

/// The part of a manifest that decides.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Listing {
    pub(crate) revision: Revision,
    pub(crate) deleted: bool,
    pub(crate) chunk_ids: Vec<Uuid>,
}

impl Candidate {
    /// The same chunk found once more: each list's score is kept.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.dense = self.dense.or(other.dense);
        self.bm25 = self.bm25.or(other.bm25);
    }
}
