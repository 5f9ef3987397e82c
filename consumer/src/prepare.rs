//! From an event to the content that the index should hold: clean and chunk, without looking at the index.

use shared::embedding::TokenCounter;
use shared::{ChangeEvent, DocumentType, Operation};
use shared::{Identity, Metadata};
use xxhash_rust::xxh3::Xxh3;

use crate::chunk::{Chunk, chunk};
use crate::clean::{AuthorName, author, clean};

/// What the index should hold of a document.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Content {
    /// The document is gone.
    Gone,
    /// A user.
    Author(AuthorName),
    /// Text in chunks.
    Document(Prepared),
    /// It cannot be indexed; the reason is in its dead letter.
    Failed(String),
}

/// A document, cleaned and chunked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Prepared {
    /// What it is filtered and shown by.
    pub(crate) metadata: Metadata,
    /// The whole text after cleaning.
    pub(crate) cleaned_text: String,
    /// Hash of all that indexing depends on.
    pub(crate) source_hash: String,
    /// Its chunks, in order.
    pub(crate) chunks: Vec<Chunk>,
}

/// A document that cannot be indexed, whatever is tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unindexable {
    /// One or two words that can be counted by.
    pub(crate) reason: &'static str,
    /// The stage that gave up.
    pub(crate) stage: &'static str,
    /// What is wrong with the document.
    pub(crate) error: String,
}

/// Cleans and chunks. Pure, and long for long documents: not for the runtime's threads.
///
/// # Errors
/// [`Unindexable`] says what is wrong with the document.
pub(crate) fn prepare(identity: &Identity, event: &ChangeEvent, tokens: &TokenCounter) -> Result<Content, Unindexable> {
    if event.operation == Operation::Delete {
        return Ok(Content::Gone);
    }
    let Some(document) = &event.document else {
        let error = event.omitted.clone().unwrap_or_default();
        return Err(Unindexable {
            reason: "omitted",
            stage: "decode",
            error: format!("the document was omitted: {error}"),
        });
    };
    let unclean = |error: &dyn std::error::Error| Unindexable {
        reason: "invalid document",
        stage: "clean",
        error: error.to_string(),
    };
    if identity.document_type == DocumentType::Users {
        return author(identity, document).map(Content::Author).map_err(|error| unclean(&error));
    }
    let cleaned = clean(identity, document).map_err(|error| unclean(&error))?;
    let chunks = chunk(&cleaned, tokens).map_err(|error| Unindexable {
        reason: "cannot be chunked",
        stage: "chunk",
        error: error.to_string(),
    })?;
    Ok(Content::Document(Prepared {
        cleaned_text: cleaned.text(),
        source_hash: cleaned.hash(),
        metadata: cleaned.metadata,
        chunks,
    }))
}

/// The texts that the model is given for this event, in order; none where it cannot be indexed. For measurements, which compare indexing with
/// embedding alone.
pub fn embedded_texts(identity: &Identity, event: &ChangeEvent, tokens: &TokenCounter) -> Vec<String> {
    match prepare(identity, event, tokens) {
        Ok(Content::Document(prepared)) => prepared.chunks.into_iter().map(|chunk| chunk.embedded_text).collect(),
        Ok(Content::Gone | Content::Author(_) | Content::Failed(_)) | Err(_) => Vec::new(),
    }
}

impl Prepared {
    /// Hash of each chunk: its text, where it is from, and the metadata that it is filtered by. Equal hashes make
    /// equal points.
    pub(crate) fn chunk_hashes(&self) -> Vec<String> {
        let hash = |chunk: &Chunk| {
            let mut hasher = Xxh3::new();
            let metadata = &self.metadata;
            let fields = [
                Some(&chunk.text),
                Some(&chunk.embedded_text),
                chunk.path.as_ref(),
                chunk.symbol.as_ref(),
                metadata.author_id.as_ref(),
                metadata.author_full_name.as_ref(),
                metadata.platform.as_ref(),
                metadata.link.as_ref(),
                metadata.title.as_ref(),
                metadata.language.as_ref(),
            ];
            for field in fields {
                // Length first, so that no two lists of fields run together alike.
                hasher.update(&field.map_or(u64::MAX, |text| text.len() as u64).to_le_bytes());
                hasher.update(field.map_or(&[], |text| text.as_bytes()));
            }
            format!("{:032x}", hasher.digest128())
        };
        self.chunks.iter().map(hash).collect()
    }
}
