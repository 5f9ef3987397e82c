//! Records as points: manifests, authors, floors.

use std::collections::HashMap;

use qdrant_client::Payload;
use qdrant_client::qdrant::{PointStruct, RetrievedPoint, Value, Vector};
use serde::Deserialize;
use shared::{DocumentType, Identity, Manifest, NAMESPACE, Record, Revision};
use uuid::Uuid;

use crate::error::StoreError;

/// All of a manifest but its text, which can be megabytes and decides nothing.
pub(super) const STANDING_FIELDS: [&str; 16] = [
    "type",
    "id_kind",
    "entry_id",
    "revision",
    "deleted",
    "error",
    "source_hash",
    "fingerprint",
    "chunk_ids",
    "chunk_hashes",
    "author_id",
    "author_full_name",
    "platform",
    "link",
    "title",
    "language",
];

/// `None` where it is damaged.
pub(super) fn manifest_of(point: &RetrievedPoint) -> Option<Manifest> {
    let mut payload = Payload::from(point.payload.clone());
    payload.insert("cleaned_text", "");
    let damaged = |error: &_| tracing::warn!(id = ?point.id, error = %error, "damaged manifest");
    Manifest::from_payload(payload).inspect_err(damaged).ok()
}

/// Nothing can be compared with such a record, nor swapped for it.
pub(super) fn unreadable(identity: &Identity) {
    let id = identity.manifest_id();
    tracing::error!(document = %identity, %id, "record without a readable revision: delete this point and resync");
}

pub(super) fn revision_of(point: &RetrievedPoint) -> Result<Revision, StoreError> {
    #[derive(Deserialize)]
    struct Fields {
        revision: Revision,
    }
    let revision = point.payload.get("revision").cloned().unwrap_or_default();
    let fields = Payload::from(HashMap::from([("revision", revision)]));
    fields.deserialize::<Fields>().map(|fields| fields.revision).map_err(|_| StoreError::Damaged("revision"))
}

pub(super) fn is_deleted(point: &RetrievedPoint) -> bool {
    point.payload.get("deleted").and_then(Value::as_bool).unwrap_or(false)
}

pub(super) fn record_point(id: Uuid, payload: Payload) -> PointStruct {
    PointStruct::new(id.to_string(), HashMap::<String, Vector>::new(), payload)
}

pub(super) fn floor_id(document_type: DocumentType, partition: u16) -> Uuid {
    Uuid::new_v5(&NAMESPACE, format!("floor\0{document_type}\0{partition}").as_bytes())
}
