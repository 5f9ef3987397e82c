//! What several unit tests need.

use shared::{ChunkPayload, DocumentType, IdKind, Identity, Metadata, Revision};
use uuid::Uuid;

use crate::hit::{Found, Hit};

pub(crate) fn identity(entry_id: &str) -> Identity {
    Identity { document_type: DocumentType::Posts, id_kind: IdKind::Str, entry_id: entry_id.into() }
}

pub(crate) fn chunk(entry_id: &str, text: &str) -> ChunkPayload {
    ChunkPayload {
        identity: identity(entry_id),
        revision: Revision::from(1),
        text: text.into(),
        path: None,
        symbol: None,
        metadata: Metadata::default(),
    }
}

pub(crate) fn hit(entry_id: &str, position: usize, text: &str) -> Hit {
    let revision = Revision::from(3_855_425_992_956_837_889);
    Hit {
        score: 0.5,
        found: Found::default(),
        chunk_id: chunk_id(entry_id, position),
        position,
        revision,
        chunk: chunk(entry_id, text),
        before: Vec::new(),
        after: Vec::new(),
    }
}

pub(crate) fn chunk_id(entry_id: &str, number: usize) -> Uuid {
    Uuid::new_v5(&identity(entry_id).manifest_id(), &number.to_be_bytes())
}
