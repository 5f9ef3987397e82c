//! Both sides of some documents, looked at together.

use std::collections::HashMap;

use shared::{DocumentType, Identity, Revision};
use uuid::Uuid;

use super::difference::{self, Difference, Terms};
use super::documents::Documents;
use super::expected::Expected;
use super::record::{Record, Says, chunk, whose};
use crate::command_error::CommandError;
use crate::patience::Patience;
use crate::qdrant_store::QdrantStore;

/// Documents looked at in one go.
const PAGE: usize = 256;

/// MongoDB and the index.
pub(super) struct Sides {
    /// What is relayed.
    pub(super) documents: Documents,
    /// What is indexed.
    pub(super) store: QdrantStore,
    /// For a store that stumbles.
    pub(super) patience: Patience,
    /// Of the index's model and this pipeline.
    pub(super) fingerprint: String,
}

/// A document on both sides.
#[derive(Debug, Clone)]
pub(super) struct Look {
    /// What the index should say.
    pub(super) expected: Option<Expected>,
    /// What it says.
    pub(super) record: Option<Record>,
    /// How many chunks of it the index holds, listed or not.
    pub(super) held: usize,
    /// What is amiss.
    pub(super) difference: Option<Difference>,
}

impl Look {
    /// Revision of the record.
    pub(super) fn revision(&self) -> Option<Revision> {
        self.record.as_ref().and_then(|record| record.revision)
    }

    /// Whether the record says why its document is not indexed.
    pub(super) fn is_failed(&self) -> bool {
        self.record.as_ref().is_some_and(|record| record.says == Says::Failed)
    }
}

impl Sides {
    /// What holds now.
    pub(super) async fn terms(&self) -> Result<Terms, CommandError> {
        Ok(Terms { fingerprint: self.fingerprint.clone(), clock: self.documents.clock().await? })
    }

    /// Looks at each of these documents, on both sides.
    pub(super) async fn look(&self, identities: &[Identity]) -> Result<Vec<(Identity, Look)>, CommandError> {
        let mut looks = Vec::with_capacity(identities.len());
        for page in identities.chunks(PAGE) {
            let mut expected = self.documents.of(page).await?;
            let mut records = self.patience.ask("read records", || self.store.records_of(page)).await?;
            let mut chunks = self.chunks_of(page).await?;
            // Asked for last: no record that was read can be later.
            let terms = self.terms().await?;
            for identity in page {
                let record = records.remove(&identity.manifest_id()).map(|point| Record::of(identity, point));
                let (expected, held) = (expected.remove(identity), chunks.remove(identity).unwrap_or_default());
                let difference = difference::of_record(expected.as_ref(), record.as_ref(), &terms)
                    .or_else(|| difference::of_chunks(record.as_ref(), &held));
                looks.push((identity.clone(), Look { expected, record, held: held.len(), difference }));
            }
        }
        Ok(looks)
    }

    async fn chunks_of(&self, page: &[Identity]) -> Result<HashMap<Identity, Vec<(Uuid, Revision)>>, CommandError> {
        let mut chunks: HashMap<Identity, Vec<(Uuid, Revision)>> = HashMap::new();
        for document_type in DocumentType::ALL.into_iter().filter(|known| *known != DocumentType::Users) {
            let ours = page.iter().filter(|identity| identity.document_type == document_type);
            let entries: Vec<String> = ours.map(|identity| identity.entry_id.clone()).collect();
            if entries.is_empty() {
                continue;
            }
            let read = || self.store.chunks_of_entries(document_type, entries.clone());
            for point in self.patience.ask("read chunks", read).await? {
                if let (Some(identity), Some(chunk)) = (whose(&point), chunk(&point)) {
                    chunks.entry(identity).or_default().push(chunk);
                }
            }
        }
        Ok(chunks)
    }
}
