//! What the index holds of a document: the manifest of a document, the author point of a user, and a chunk's payload.

use qdrant_client::{Payload, QdrantError};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::identity::{DocumentType, IdKind, Identity};
use crate::revision::Revision;

/// What is filtered and shown by; copied to every chunk of the document.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Metadata {
    /// Text of the author's `_id`.
    pub author_id: Option<String>,
    /// The author's name as the document had it; `twin_authors` knows better.
    pub author_full_name: Option<String>,
    /// Where it was published.
    pub platform: Option<String>,
    /// URL.
    pub link: Option<String>,
    /// Title, or the name of a repository.
    pub title: Option<String>,
    /// Language, as the document says.
    pub language: Option<String>,
}

/// Bytes of [`Manifest::cleaned_text`]: what is longer is cut there, at a character. A manifest is read and written in
/// one gRPC message; Qdrant takes 32 MiB, and many a client no more than 4.
pub const MAX_CLEANED_TEXT: usize = 2 << 20;

/// The one record that decides what the index holds of a document: readers believe only what it lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Of which document.
    #[serde(flatten)]
    pub identity: Identity,
    /// The revision that stands.
    pub revision: Revision,
    /// A tombstone: the document is gone, and nothing older may bring it back.
    pub deleted: bool,
    /// Why this revision could not be indexed.
    pub error: Option<String>,
    /// Hash of all that indexing depends on in the document.
    pub source_hash: String,
    /// Fingerprint of model and pipeline that made the chunks.
    pub fingerprint: String,
    /// The document's chunks, in order.
    pub chunk_ids: Vec<Uuid>,
    /// Hash of text and metadata of each chunk, in the same order.
    pub chunk_hashes: Vec<String>,
    /// The text after cleaning, its first [`MAX_CLEANED_TEXT`] bytes.
    pub cleaned_text: String,
    /// What it is filtered and shown by.
    #[serde(flatten)]
    pub metadata: Metadata,
}

impl Manifest {
    /// A live manifest without content.
    pub fn empty(identity: Identity, revision: Revision) -> Self {
        Self {
            identity,
            revision,
            deleted: false,
            error: None,
            source_hash: String::new(),
            fingerprint: String::new(),
            chunk_ids: Vec::new(),
            chunk_hashes: Vec::new(),
            cleaned_text: String::new(),
            metadata: Metadata::default(),
        }
    }

    /// The document is gone as of `revision`.
    pub fn tombstone(identity: Identity, revision: Revision) -> Self {
        Self { deleted: true, ..Self::empty(identity, revision) }
    }

    /// `revision` could not be indexed: the former text is gone, the new one is in the dead letters.
    pub fn failed(identity: Identity, revision: Revision, error: String) -> Self {
        Self { error: Some(error), ..Self::empty(identity, revision) }
    }
}

/// A user in `twin_authors`, kept by the same rules as a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    /// Of which user; `entry_id` is what documents call `author_id`.
    #[serde(flatten)]
    pub identity: Identity,
    /// The revision that stands.
    pub revision: Revision,
    /// A tombstone.
    pub deleted: bool,
    /// Why this revision could not be indexed.
    pub error: Option<String>,
    /// As in the document.
    pub first_name: Option<String>,
    /// As in the document.
    pub last_name: Option<String>,
    /// First and last name.
    pub full_name: Option<String>,
}

/// Payload of a chunk point. Chunk points are immutable: written once, under an id of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "FlatChunk")]
pub struct ChunkPayload {
    /// Of which document.
    #[serde(flatten)]
    pub identity: Identity,
    /// The revision that introduced it; the document's own may be newer.
    pub revision: Revision,
    /// The text that is shown.
    pub text: String,
    /// Path in a repository.
    pub path: Option<String>,
    /// Name of the function or type that it is from.
    pub symbol: Option<String>,
    /// The document's metadata at that revision.
    #[serde(flatten)]
    pub metadata: Metadata,
}

/// A chunk's payload as it comes. A search reads a hundred of them: serde copies every field of a struct that is flattened into
/// another once more.
#[derive(Deserialize)]
struct FlatChunk {
    #[serde(rename = "type")]
    document_type: DocumentType,
    id_kind: IdKind,
    entry_id: String,
    revision: Revision,
    text: String,
    path: Option<String>,
    symbol: Option<String>,
    author_id: Option<String>,
    author_full_name: Option<String>,
    platform: Option<String>,
    link: Option<String>,
    title: Option<String>,
    language: Option<String>,
}

impl From<FlatChunk> for ChunkPayload {
    fn from(flat: FlatChunk) -> Self {
        let FlatChunk { document_type, id_kind, entry_id, revision, text, path, symbol, .. } = flat;
        let FlatChunk { author_id, author_full_name, platform, link, title, language, .. } = flat;
        let identity = Identity { document_type, id_kind, entry_id };
        let metadata = Metadata { author_id, author_full_name, platform, link, title, language };
        Self { identity, revision, text, path, symbol, metadata }
    }
}

/// A record that is a point's payload and bears its document's bucket there.
pub trait Record: Serialize + DeserializeOwned {
    /// Of which document.
    fn identity(&self) -> &Identity;

    /// The point's payload.
    ///
    /// # Errors
    /// As `serde_json`: never for the records of this module.
    fn to_payload(&self) -> Result<Payload, serde_json::Error> {
        let mut fields = serde_json::to_value(self)?;
        fields["bucket"] = self.identity().bucket().into();
        Payload::try_from(fields).map_err(serde::ser::Error::custom)
    }

    /// The record that this payload is.
    ///
    /// # Errors
    /// The payload is of something else, or damaged.
    fn from_payload(payload: impl Into<Payload>) -> Result<Self, QdrantError> {
        payload.into().deserialize()
    }
}

impl Record for Manifest {
    fn identity(&self) -> &Identity {
        &self.identity
    }
}

impl Record for Author {
    fn identity(&self) -> &Identity {
        &self.identity
    }
}

impl Record for ChunkPayload {
    fn identity(&self) -> &Identity {
        &self.identity
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity { document_type: DocumentType::Posts, id_kind: IdKind::Str, entry_id: "a".into() }
    }

    #[test]
    fn records_survive_the_payload_exactly() {
        let manifest = Manifest {
            chunk_ids: vec![Uuid::nil()],
            chunk_hashes: vec!["h".into()],
            cleaned_text: "text".into(),
            metadata: Metadata { platform: Some("medium".into()), ..Metadata::default() },
            ..Manifest::empty(identity(), Revision::from(3_855_425_992_956_837_889))
        };
        assert_eq!(Manifest::from_payload(manifest.to_payload().unwrap()).unwrap(), manifest);
        let chunk = ChunkPayload {
            identity: identity(),
            revision: manifest.revision,
            text: "text".into(),
            path: Some("src/a.rs".into()),
            symbol: Some("a".into()),
            metadata: Metadata {
                author_id: Some("1".into()),
                author_full_name: Some("2".into()),
                platform: Some("3".into()),
                link: Some("4".into()),
                title: Some("5".into()),
                language: None,
            },
        };
        assert_eq!(ChunkPayload::from_payload(chunk.to_payload().unwrap()).unwrap(), chunk);
    }

    #[test]
    fn the_payload_is_the_contract() {
        let tombstone = Manifest::tombstone(identity(), Revision::from(7));
        let json = serde_json::Value::from(tombstone.to_payload().unwrap());
        insta::assert_json_snapshot!(json);
    }
}
