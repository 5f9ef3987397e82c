//! Ids of change events: the same cause has the same id, however often it is relayed.

use bson::RawDocument;
use shared::{DocumentType, Identity, NAMESPACE};
use uuid::Uuid;

/// Of an event of the stream. The token itself may exceed the 255 bytes that a message id has room for.
pub(crate) fn of_change(token: &RawDocument) -> Uuid {
    Uuid::new_v5(&NAMESPACE, token.as_bytes())
}

/// Of the message that tells one partition of a drop.
pub(crate) fn of_drop(token: &RawDocument, document_type: DocumentType, partition: u16) -> Uuid {
    derive(token.as_bytes(), format!("{document_type}\0{partition}").as_bytes())
}

/// Of a row of a snapshot.
pub(crate) fn of_row(snapshot: Uuid, identity: &Identity) -> Uuid {
    derive(snapshot.as_bytes(), identity.key().as_bytes())
}

/// Of a row whose `_id` makes no identity.
pub(crate) fn of_unidentified_row(snapshot: Uuid, document_type: DocumentType, id: &[u8]) -> Uuid {
    derive(snapshot.as_bytes(), &[document_type.as_str().as_bytes(), b"\0\0", id].concat())
}

/// Of the message that tells one partition of the end of a snapshot.
pub(crate) fn of_sweep(snapshot: Uuid, document_type: DocumentType, partition: u16) -> Uuid {
    derive(snapshot.as_bytes(), format!("{document_type}\0{partition}").as_bytes())
}

fn derive(cause: &[u8], part: &[u8]) -> Uuid {
    Uuid::new_v5(&NAMESPACE, &[cause, part].concat())
}
