//! The change event: one change of one document, or a barrier for a whole collection.

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::document::BoundedDocument;
use crate::identity::{DocumentType, IdKind, Identity};
use crate::revision::Revision;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// A document was inserted.
    Insert,
    /// A document was updated in place.
    Update,
    /// A document was replaced.
    Replace,
    /// A document was deleted.
    Delete,
    /// A row of a snapshot: the document as it stood at T0 or later.
    Snapshot,
    /// A collection was dropped, or renamed away.
    Drop,
    /// Every row of a snapshot has gone out: what is older than T0 and was not among them is gone.
    Sweep,
}

impl Operation {
    /// The operation's name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Replace => "replace",
            Self::Delete => "delete",
            Self::Snapshot => "snapshot",
            Self::Drop => "drop",
            Self::Sweep => "sweep",
        }
    }

    /// Whether the operation leaves nothing that a message could bear.
    fn has_no_document(self) -> bool {
        matches!(self, Self::Delete | Self::Drop | Self::Sweep)
    }

    /// Whether the operation speaks of a whole collection and is a barrier in every partition.
    pub fn is_barrier(self) -> bool {
        matches!(self, Self::Drop | Self::Sweep)
    }
}

/// What a change event is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// One document.
    Document(Identity),
    /// A whole collection (`drop` and `sweep`).
    Collection(DocumentType),
}

/// A change event, as it travels in the body of a message (the schema is `shared/change-event.schema.json`).
#[derive(Debug, Clone, PartialEq)]
pub struct ChangeEvent {
    /// UUIDv5 of what caused it: the same event relayed twice bears the same id.
    pub id: Uuid,
    /// What happened.
    pub operation: Operation,
    /// To which document or collection.
    pub subject: Subject,
    /// Where in the document's history.
    pub revision: Revision,
    /// When, RFC 3339 with milliseconds, by the source's clock.
    pub occurred_at: String,
    /// The document after the change, relaxed extended JSON without `_id`.
    pub document: Option<Map<String, Value>>,
    /// Why there is no document although the operation has one.
    pub omitted: Option<String>,
    /// A row of a keyed resync: applied also at an equal revision.
    pub repair: bool,
}

impl ChangeEvent {
    /// The collection that it is about.
    pub fn document_type(&self) -> DocumentType {
        match &self.subject {
            Subject::Document(identity) => identity.document_type,
            Subject::Collection(document_type) => *document_type,
        }
    }

    /// The document that it is about; none for a barrier.
    pub fn identity(&self) -> Option<&Identity> {
        match &self.subject {
            Subject::Document(identity) => Some(identity),
            Subject::Collection(_) => None,
        }
    }
}

/// A JSON body that is no change event.
#[derive(Debug, thiserror::Error)]
pub enum InvalidEvent {
    /// Not JSON, or a field is missing or of the wrong type.
    #[error("not a change event: {0}")]
    Json(#[from] serde_json::Error),
    /// The fields contradict each other.
    #[error("not a change event: {0}")]
    Fields(String),
}

/// The body field by field; `D` is what the document is read as.
#[derive(Serialize, Deserialize)]
struct Wire<D> {
    id: Uuid,
    operation: Operation,
    #[serde(rename = "type")]
    document_type: DocumentType,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_kind: Option<IdKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entry_id: Option<String>,
    revision: Revision,
    occurred_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<D>,
    #[serde(skip_serializing_if = "Option::is_none")]
    omitted: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    repair: bool,
}

impl ChangeEvent {
    /// The event as JSON.
    ///
    /// # Errors
    /// As `serde_json`: never for an event that this crate made.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        let identity = self.identity().cloned();
        serde_json::to_vec(&Wire {
            id: self.id,
            operation: self.operation,
            document_type: self.document_type(),
            id_kind: identity.as_ref().map(|identity| identity.id_kind),
            entry_id: identity.map(|identity| identity.entry_id),
            revision: self.revision,
            occurred_at: self.occurred_at.clone(),
            document: self.document.clone(),
            omitted: self.omitted.clone(),
            repair: self.repair,
        })
    }

    /// The event that this JSON describes; unknown fields are ignored.
    ///
    /// # Errors
    /// [`InvalidEvent`] says which field is wrong.
    pub fn from_json(json: &[u8]) -> Result<Self, InvalidEvent> {
        let mut wire: Wire<BoundedDocument> = serde_json::from_slice(json)?;
        wire.check_document()?;
        let (document, omitted) = (wire.document.take().map(|BoundedDocument(fields)| fields), wire.omitted.take());
        Ok(Self { document, omitted, ..wire.envelope()? })
    }

    /// The event of a JSON whose document cannot be read, which `omitted` then says with the reason. `None` where
    /// what surrounds the document is no event either, or the event of an operation that has no document.
    pub(crate) fn without_document(json: &[u8], reason: &dyn std::fmt::Display) -> Option<Self> {
        let wire: Wire<IgnoredAny> = serde_json::from_slice(json).ok()?;
        let omitted = (!wire.operation.has_no_document()).then(|| format!("cannot be read: {reason}"))?;
        Some(Self { omitted: Some(omitted), ..wire.envelope().ok()? })
    }
}

impl<D> Wire<D> {
    /// All but the document.
    fn envelope(&self) -> Result<ChangeEvent, InvalidEvent> {
        if self.revision <= Revision::ZERO {
            return Err(InvalidEvent::Fields(format!("revision {} is not positive", self.revision)));
        }
        Ok(ChangeEvent {
            id: self.id,
            operation: self.operation,
            subject: self.subject()?,
            revision: self.revision,
            occurred_at: self.occurred_at.clone(),
            document: None,
            omitted: None,
            repair: self.repair,
        })
    }

    fn subject(&self) -> Result<Subject, InvalidEvent> {
        let operation = self.operation.as_str();
        match (self.operation.is_barrier(), self.id_kind, &self.entry_id) {
            (true, None, None) => Ok(Subject::Collection(self.document_type)),
            (true, _, _) => Err(InvalidEvent::Fields(format!("`{operation}` must not bear id_kind or entry_id"))),
            (false, Some(id_kind), Some(entry_id)) if id_kind.accepts(entry_id) => Ok(Subject::Document(Identity {
                document_type: self.document_type,
                id_kind,
                entry_id: entry_id.clone(),
            })),
            (false, Some(id_kind), Some(_)) => {
                Err(InvalidEvent::Fields(format!("entry_id is not the text of an _id of kind {}", id_kind.as_str())))
            }
            (false, _, _) => Err(InvalidEvent::Fields(format!("`{operation}` needs id_kind and entry_id"))),
        }
    }

    fn check_document(&self) -> Result<(), InvalidEvent> {
        let operation = self.operation.as_str();
        match (self.operation.has_no_document(), &self.document, &self.omitted) {
            (true, None, _) | (false, Some(_), None) | (false, None, Some(_)) => Ok(()),
            (true, Some(_), _) => Err(InvalidEvent::Fields(format!("`{operation}` must not bear a document"))),
            (false, None, None) => Err(InvalidEvent::Fields(format!("`{operation}` needs a document"))),
            (false, Some(_), Some(_)) => Err(InvalidEvent::Fields("a document and `omitted` at once".into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sample() -> Value {
        json!({"id": "0b0e2b5c-5a3e-5f5e-9d5c-1f0e7a3c2b1d", "operation": "insert", "type": "articles", "id_kind": "oid",
            "entry_id": "660f57b3153bbb219fd901aa", "revision": 3_855_425_992_956_837_889_i64,
            "occurred_at": "2026-11-22T04:43:51.510Z", "document": {"platform": "medium"}})
    }

    fn without(field: &str) -> Value {
        let mut event = sample();
        event.as_object_mut().unwrap().remove(field);
        event
    }

    fn with(field: &str, value: Value) -> Value {
        let mut event = sample();
        event[field] = value;
        event
    }

    fn decode(event: &Value) -> Result<ChangeEvent, InvalidEvent> {
        ChangeEvent::from_json(&serde_json::to_vec(event).unwrap())
    }

    #[test]
    fn an_event_survives_the_wire() {
        let event = decode(&sample()).unwrap();
        assert_eq!(event.revision.get(), 3_855_425_992_956_837_889);
        assert_eq!(serde_json::from_slice::<Value>(&event.to_json().unwrap()).unwrap(), sample());
    }

    #[test]
    fn a_barrier_bears_no_entry() {
        let event =
            json!({"id": Uuid::nil(), "operation": "sweep", "type": "posts", "revision": 256, "occurred_at": ""});
        assert_eq!(decode(&event).unwrap().subject, Subject::Collection(DocumentType::Posts));
    }

    #[test]
    fn every_missing_or_contradicting_field_is_named() {
        for field in ["id", "operation", "type", "id_kind", "entry_id", "revision", "occurred_at", "document"] {
            let error = decode(&without(field)).unwrap_err().to_string();
            assert!(error.contains(field), "{error}");
        }
        for (field, value) in [
            ("operation", json!("upsert")),
            ("type", json!("comments")),
            ("id_kind", json!("date")),
            ("entry_id", json!("not an oid")),
            ("revision", json!(3.5)),
            ("revision", json!(-1)),
            ("document", json!(7)),
            ("document", json!([])),
            ("omitted", json!("too large")),
        ] {
            assert!(decode(&with(field, value.clone())).is_err(), "{field} = {value}");
        }
        assert!(decode(&with("operation", json!("delete"))).is_err(), "a delete with a document");
    }
}
