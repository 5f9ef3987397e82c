//! What the write protocol asks of the vector store.

use std::collections::{BTreeSet, HashMap};
use std::future::Future;

use qdrant_client::Payload;
use qdrant_client::qdrant::{PointId, PointStruct};
use shared::{DocumentType, Identity, Manifest, Revision};
use uuid::Uuid;

use crate::error::StoreError;

/// What the index holds of a document when a change to it is considered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Standing {
    /// Revision of the stored record; compare-and-set expects it. `None`: there is no record.
    pub stored: Option<Revision>,
    /// What counts where there is no record: the revision under which everything was swept or dropped.
    pub floor: Option<Revision>,
    /// Whether that record is a tombstone.
    pub deleted: bool,
    /// The manifest, without its text. `None` for users, where there is no record and where it is damaged.
    pub manifest: Option<Manifest>,
    /// Whether there is a record that cannot be read beyond its revision. It lists nothing that can be believed: a
    /// change at its own revision may replace it, and what the index holds of the document has to be scrolled for.
    pub damaged: bool,
}

impl Standing {
    /// The revision that a change must exceed.
    pub fn revision(&self) -> Revision {
        self.stored.or(self.floor).unwrap_or(Revision::ZERO)
    }

    /// Which of the chunks that the store holds are not listed and never will be. Read *before* they were scrolled: what
    /// is newer than the record belongs to a change that is still being written.
    pub(crate) fn unlisted(&self, held: Vec<(Uuid, Revision)>) -> BTreeSet<Uuid> {
        let (listed, newest) = (self.listed(), self.revision());
        let unlisted = held.into_iter().filter(|(id, revision)| *revision <= newest && !listed.contains(id));
        unlisted.map(|(id, _)| id).collect()
    }

    /// The chunks that readers may see.
    pub fn listed(&self) -> BTreeSet<Uuid> {
        self.manifest.iter().flat_map(|manifest| manifest.chunk_ids.iter().copied()).collect()
    }
}

/// A record to put in place of the one that was read.
#[derive(Debug, Clone)]
pub struct Swap {
    /// Of which document.
    pub identity: Identity,
    /// Revision of the record that was read; `None` inserts only where there is none.
    pub expected: Option<Revision>,
    /// The new record's payload.
    pub payload: Payload,
}

/// How far a barrier has got.
#[derive(Debug, Clone, PartialEq)]
pub enum Passed {
    /// All records before this place, where the next page begins.
    UpTo(PointId),
    /// All of them.
    All,
}

/// The vector store, as the write protocol sees it. Every write is durable when it returns.
pub trait VectorStore: Send + Sync {
    /// What stands for each of these documents, in one read, floors included.
    fn standings(
        &self,
        identities: &[Identity],
    ) -> impl Future<Output = Result<HashMap<Identity, Standing>, StoreError>> + Send;

    /// Writes chunk points.
    fn put_chunks(&self, points: Vec<PointStruct>) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Compare-and-set of each record. A refusal is no error: read back to learn what stands.
    fn swap(&self, swaps: &[Swap]) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Every chunk that the store holds of this document, with the revision that introduced it.
    fn chunks_of(&self, identity: &Identity) -> impl Future<Output = Result<Vec<(Uuid, Revision)>, StoreError>> + Send;

    /// Dense vectors of these chunks, as far as the store holds them.
    fn dense_vectors(&self, ids: &[Uuid]) -> impl Future<Output = Result<HashMap<Uuid, Vec<f32>>, StoreError>> + Send;

    /// Deletes chunk points by id; those that are gone already are no error.
    fn delete_chunks(&self, ids: &[Uuid]) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// A page of the identities that have a record of this type and partition, and where the next one begins.
    fn recorded(
        &self,
        document_type: DocumentType,
        partition: u16,
        from: Option<PointId>,
    ) -> impl Future<Output = Result<(Vec<Identity>, Option<PointId>), StoreError>> + Send;

    /// Removes each of these tombstones that still stands at its revision.
    fn purge(&self, tombstones: &[(Identity, Revision)]) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The source that the index is of: this one, if none was recorded before.
    fn bind(&self, source: &str) -> impl Future<Output = Result<String, StoreError>> + Send;

    /// How many trials of the message of this name in this partition were begun and not ended in order, by what
    /// [`Self::set_trials`] said.
    fn trials(&self, partition: u16, message: &str) -> impl Future<Output = Result<u32, StoreError>> + Send;

    /// Writes down how many trials of a message were begun and not ended in order.
    fn set_trials(
        &self,
        partition: u16,
        message: &str,
        trials: u32,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// How far this barrier has got, by what [`Self::note_passed`] said.
    fn passed(
        &self,
        document_type: DocumentType,
        partition: u16,
        barrier: Uuid,
    ) -> impl Future<Output = Result<Option<Passed>, StoreError>> + Send;

    /// Writes down how far a barrier has got, in place of what was noted of an earlier one of this type and partition.
    fn note_passed(
        &self,
        document_type: DocumentType,
        partition: u16,
        barrier: Uuid,
        passed: &Passed,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Raises the floor of a type and partition to at least `revision`.
    fn raise_floor(
        &self,
        document_type: DocumentType,
        partition: u16,
        revision: Revision,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}
