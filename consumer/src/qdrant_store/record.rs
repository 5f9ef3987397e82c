//! Records as points: manifests, authors, floors.

use std::collections::HashMap;

use qdrant_client::Payload;
use qdrant_client::qdrant::{Condition, Filter, PointStruct, Range, RetrievedPoint, Value, Vector};
use serde::Deserialize;
use shared::{DocumentType, Manifest, NAMESPACE, Record, Revision};
use uuid::Uuid;

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

/// A record whose revision cannot be read says nothing of the order of changes: it is as if there were none, and what
/// comes next takes its place.
pub(super) fn revision_of(point: &RetrievedPoint) -> Option<Revision> {
    #[derive(Deserialize)]
    struct Fields {
        revision: Revision,
    }
    let revision = point.payload.get("revision").cloned().unwrap_or_default();
    let fields = Payload::from(HashMap::from([("revision", revision)]));
    let unreadable = |error: &_| tracing::error!(id = ?point.id, error = %error, "point without a readable revision");
    fields.deserialize::<Fields>().inspect_err(unreadable).ok().map(|fields| fields.revision)
}

/// Stored points of which [`revision_of`] gives nothing, as far as a filter can tell: those whose revision is no number.
pub(super) fn unreadable() -> Condition {
    let any = Range { gte: Some(f64::MIN), ..Range::default() };
    Filter::must_not([Condition::range("revision", any)]).into()
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
