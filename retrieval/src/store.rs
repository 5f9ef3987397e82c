//! What a search asks of the index: candidates and manifests. Public for what stands in for a server: evaluation asks an
//! index in memory by the very search that programs use.

use std::collections::HashMap;

use serde::Deserialize;
use shared::{ChunkPayload, Identity, Revision};
use uuid::Uuid;

use crate::error::SearchError;

/// The index as one search sees it: its pair of collections, the query's vectors and filters are fixed.
#[allow(async_fn_in_trait, reason = "a search awaits its store where it stands; nothing is spawned")]
pub trait Store {
    /// An answer to each of `questions`, in their order, in one round trip. What stands in the scope throughout the
    /// call and is among the best is found; what comes or goes meanwhile may be.
    ///
    /// # Errors
    /// As the index.
    async fn candidates(&self, questions: &[Question]) -> Result<Vec<Answer>, SearchError>;

    /// The manifests that exist of these documents (by manifest id), in one round trip, each read in one piece.
    ///
    /// # Errors
    /// As the index.
    async fn manifests(&self, documents: &[Uuid]) -> Result<HashMap<Uuid, Listing>, SearchError>;
}

/// The best of which chunks, and how many from each list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Where to look.
    pub scope: Scope,
    /// From each list.
    pub limit: usize,
}

/// Where to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// In the chunks of all documents but these.
    Everywhere {
        /// Documents that have shown enough.
        except: Vec<Identity>,
    },
    /// In these chunks.
    Within(Vec<Uuid>),
}

/// What both lists hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answer {
    /// In no order.
    pub candidates: Vec<Candidate>,
    /// A list reached its limit: there may be more.
    pub cut: bool,
}

/// A chunk that was found; whether it stands is for its manifest to say.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// Point id.
    pub id: Uuid,
    /// Its payload.
    pub chunk: ChunkPayload,
    /// Similarity, where the dense list found it.
    pub dense: Option<f32>,
    /// BM25's weight, where that list found it.
    pub bm25: Option<f32>,
}

/// The part of a manifest that decides.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Listing {
    /// Of the document.
    pub revision: Revision,
    /// A tombstone.
    pub deleted: bool,
    /// Its chunks, in order.
    pub chunk_ids: Vec<Uuid>,
}

impl Candidate {
    /// The same chunk found once more: each list's score is kept.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.dense = self.dense.or(other.dense);
        self.bm25 = self.bm25.or(other.bm25);
    }
}
