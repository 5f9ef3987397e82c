//! What the index says of a document, as far as it is compared.

use qdrant_client::Payload;
use qdrant_client::qdrant::RetrievedPoint;
use serde::Deserialize;
use shared::index::uuid_of;
use shared::{DocumentType, Identity, Revision};
use uuid::Uuid;

/// A manifest, or a user's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    /// Where in the document's history; none where that cannot be read.
    pub(super) revision: Option<Revision>,
    /// What it says.
    pub(super) says: Says,
    /// The chunks that it lists.
    pub(super) chunk_ids: Vec<Uuid>,
}

/// What a record says of its document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Says {
    /// Gone.
    Gone,
    /// Not indexed, and why.
    Failed,
    /// Derived from this content, by this model and pipeline.
    Derived {
        /// Of the content.
        source_hash: String,
        /// Of model and pipeline.
        fingerprint: String,
    },
    /// An author: first, last and full name.
    Author([Option<String>; 3]),
    /// Nothing that could be read.
    Damaged,
}

#[derive(Deserialize)]
struct Fields {
    revision: Revision,
    deleted: bool,
    error: Option<String>,
    bucket: u16,
    #[serde(default)]
    source_hash: String,
    #[serde(default)]
    fingerprint: String,
    #[serde(default)]
    chunk_ids: Vec<Uuid>,
    #[serde(default)]
    first_name: Option<String>,
    #[serde(default)]
    last_name: Option<String>,
    #[serde(default)]
    full_name: Option<String>,
}

impl Record {
    /// The record of this document that a point is.
    pub(super) fn of(identity: &Identity, point: RetrievedPoint) -> Self {
        let payload = Payload::from(point.payload);
        let whose: Option<Identity> = payload.clone().deserialize().ok();
        let fields: Option<Fields> = payload.deserialize().ok();
        // Under another bucket it would be passed over by barriers.
        match fields.filter(|fields| fields.bucket == identity.bucket() && whose.as_ref() == Some(identity)) {
            Some(fields) => fields.into_record(identity.document_type),
            None => Self { revision: None, says: Says::Damaged, chunk_ids: Vec::new() },
        }
    }
}

impl Fields {
    fn into_record(self, document_type: DocumentType) -> Record {
        let says = match (self.deleted, self.error, document_type) {
            (true, _, _) => Says::Gone,
            (false, Some(_), _) => Says::Failed,
            (false, None, DocumentType::Users) => Says::Author([self.first_name, self.last_name, self.full_name]),
            (false, None, _) => Says::Derived { source_hash: self.source_hash, fingerprint: self.fingerprint },
        };
        Record { revision: Some(self.revision), says, chunk_ids: self.chunk_ids }
    }
}

/// Whose point it is, if it says so: of a record or of a chunk.
pub(super) fn whose(point: &RetrievedPoint) -> Option<Identity> {
    Payload::from(point.payload.clone()).deserialize().ok()
}

/// A chunk's id and the revision that introduced it. One that cannot be read belongs to nothing newer.
pub(super) fn chunk(point: &RetrievedPoint) -> Option<(Uuid, Revision)> {
    let revision = point.payload.get("revision").and_then(qdrant_client::qdrant::Value::as_integer);
    Some((uuid_of(point.id.as_ref()?)?, revision.map_or(Revision::ZERO, Revision::from)))
}
