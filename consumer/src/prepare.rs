//! From an event to the content that the index should hold: clean and chunk, without looking at the index.

use shared::embedding::TokenCounter;
use shared::{ChangeEvent, DocumentType, Identity, MAX_CLEANED_TEXT, Metadata, Operation};
use xxhash_rust::xxh3::Xxh3;

use crate::chunk::{Chunk, ChunkError, chunk};
use crate::clean::{AuthorName, author, bounded, clean};
use crate::telemetry::timed;

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
    /// The text after cleaning, as far as a manifest keeps it.
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
        let why = event.omitted.as_deref().unwrap_or("there is none");
        return Err(Unindexable { reason: "omitted", stage: "decode", error: format!("the document: {why}") });
    };
    let unclean = |error: &dyn std::error::Error| Unindexable {
        reason: "invalid document",
        stage: "clean",
        error: error.to_string(),
    };
    if identity.document_type == DocumentType::Users {
        return author(document).map(Content::Author).map_err(|error| unclean(&error));
    }
    let cleaning = timed("clean");
    let cleaned = clean(identity, document).map_err(|error| unclean(&error))?;
    drop(cleaning);
    let unchunkable =
        |error: ChunkError| Unindexable { reason: "cannot be chunked", stage: "chunk", error: error.to_string() };
    let _chunking = timed("chunk");
    let chunks = chunk(&cleaned, tokens).map_err(unchunkable)?;
    Ok(Content::Document(Prepared {
        cleaned_text: bounded(&cleaned.text(), MAX_CLEANED_TEXT).to_owned(),
        source_hash: cleaned.hash(),
        metadata: cleaned.metadata,
        chunks,
    }))
}

/// The chunks that this event makes, in order; none where it cannot be indexed. For measurements of what is indexed
/// without the index.
pub fn chunks(identity: &Identity, event: &ChangeEvent, tokens: &TokenCounter) -> Vec<Chunk> {
    match prepare(identity, event, tokens) {
        Ok(Content::Document(prepared)) => prepared.chunks,
        Ok(Content::Gone | Content::Author(_) | Content::Failed(_)) | Err(_) => Vec::new(),
    }
}

/// The text that cleaning leaves of this event's document; empty where it cannot be indexed. For measurements.
pub fn cleaned_text(identity: &Identity, event: &ChangeEvent) -> String {
    let cleaned = event.document.as_ref().and_then(|document| clean(identity, document).ok());
    cleaned.map(|cleaned| cleaned.text()).unwrap_or_default()
}

/// The texts that the model is given for this event. For measurements, which compare indexing with embedding alone.
pub fn embedded_texts(identity: &Identity, event: &ChangeEvent, tokens: &TokenCounter) -> Vec<String> {
    chunks(identity, event, tokens).into_iter().map(|chunk| chunk.embedded_text).collect()
}

impl Prepared {
    /// Hash of each chunk: first of its text and where it is from ([`text_hash`]), then of the metadata that it is
    /// filtered by. Equal hashes make equal points, and equal text hashes equal vectors.
    pub(crate) fn chunk_hashes(&self) -> Vec<String> {
        let Metadata { author_id, author_full_name, platform, link, title, language } = &self.metadata;
        let metadata = [author_id, author_full_name, platform, link, title, language];
        let metadata = hash(metadata.map(Option::as_ref)).digest();
        let hash = |chunk: &Chunk| {
            let Chunk { text, embedded_text, heading_bytes: _, language, path, symbol } = chunk;
            let text = hash([Some(text), Some(embedded_text), path.as_ref(), symbol.as_ref()]).digest128();
            // Another language makes other words of it, and the same vector.
            let metadata = hash([Some(&format!("{metadata:016x}{}", language.code()))]).digest();
            format!("{text:032x}{metadata:016x}")
        };
        self.chunks.iter().map(hash).collect()
    }
}

/// The part of a chunk's hash that its vector depends on.
pub(crate) fn text_hash(chunk_hash: &str) -> &str {
    chunk_hash.get(..32).unwrap_or(chunk_hash)
}

fn hash<const N: usize>(fields: [Option<&String>; N]) -> Xxh3 {
    let mut hasher = Xxh3::new();
    for field in fields {
        // Length first, so that no two lists of fields run together alike.
        hasher.update(&field.map_or(u64::MAX, |text| text.len() as u64).to_le_bytes());
        hasher.update(field.map_or(&[], |text| text.as_bytes()));
    }
    hasher
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::{Value, json};
    use shared::IdKind;

    /// A tokenizer that cuts at blanks.
    pub(crate) fn tokens() -> TokenCounter {
        let tokenizer = json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
            "pre_tokenizer": {"type": "WhitespaceSplit"}, "post_processor": null, "decoder": null,
            "model": {"type": "WordLevel", "unk_token": "?", "vocab": {"?": 0}},
        });
        let file = tempfile::NamedTempFile::new().unwrap();
        serde_json::to_writer(file.as_file(), &tokenizer).unwrap();
        TokenCounter::from_file(file.path(), 256).unwrap()
    }

    fn prepared(document_type: DocumentType, content: Value) -> Result<Content, Unindexable> {
        let identity = Identity { document_type, id_kind: IdKind::Str, entry_id: "a".into() };
        let json = json!({"id": "0b0e2b5c-5a3e-5f5e-9d5c-1f0e7a3c2b1d", "operation": "insert", "type": document_type,
            "id_kind": "str", "entry_id": "a", "revision": 1, "occurred_at": "", "document": {"content": content}});
        let event = ChangeEvent::from_json(json.to_string().as_bytes()).unwrap();
        prepare(&identity, &event, &tokens())
    }

    /// A manifest travels in one message: a text of any length must not make it one that is refused.
    #[test]
    fn the_text_of_a_manifest_is_bounded_at_a_character() {
        let text = "€uro ".repeat(MAX_CLEANED_TEXT / 4);
        let Ok(Content::Document(prepared)) = prepared(DocumentType::Posts, json!(text)) else { panic!("a document") };
        let kept = prepared.cleaned_text.len();
        assert!(kept <= MAX_CLEANED_TEXT && kept > MAX_CLEANED_TEXT - 4, "{kept} bytes");
        assert!(text.starts_with(&prepared.cleaned_text));
        let shown: usize = prepared.chunks.iter().map(|chunk| chunk.text.len()).sum();
        assert!(shown > MAX_CLEANED_TEXT, "the chunks have all of it: {shown} bytes");
    }

    /// Copied to each of seven thousand chunks, an id of 8 MB would take 56 GB.
    #[test]
    fn a_document_whose_id_is_too_long_to_be_copied_is_refused_and_can_be_deleted() {
        let of = |entry_id: &str, operation: &str| {
            let identity =
                Identity { document_type: DocumentType::Posts, id_kind: IdKind::Str, entry_id: entry_id.into() };
            let mut json = json!({"id": "0b0e2b5c-5a3e-5f5e-9d5c-1f0e7a3c2b1d", "operation": operation, "type": "posts",
                "id_kind": "str", "entry_id": entry_id, "revision": 1, "occurred_at": ""});
            if operation != "delete" {
                json["document"] = json!({"content": "text"});
            }
            prepare(&identity, &ChangeEvent::from_json(json.to_string().as_bytes()).unwrap(), &tokens())
        };
        assert!(of(&"i".repeat(4_096), "insert").is_ok());
        let fault = of(&"i".repeat(4_097), "insert").unwrap_err();
        assert_eq!((fault.stage, fault.reason), ("clean", "invalid document"));
        assert!(fault.error.contains("_id: 4097 bytes"), "{}", fault.error);
        assert_eq!(of(&"i".repeat(4_097), "delete"), Ok(Content::Gone));
    }

    #[test]
    fn a_document_of_more_chunks_than_a_manifest_lists_is_refused() {
        let files: serde_json::Map<_, _> =
            (0..=crate::chunk::MAX_CHUNKS).map(|file| (format!("{file}.md"), json!("x"))).collect();
        let fault = prepared(DocumentType::Repositories, files.into()).unwrap_err();
        assert_eq!((fault.stage, fault.reason), ("chunk", "cannot be chunked"));
    }
}
