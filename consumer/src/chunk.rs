//! CleanedDocument → Chunks: pieces that the model embeds whole. Pure and deterministic.
//!
//! What holds of every result: no `embedded_text` has more tokens than [`TokenCounter::limit`]; every character that is
//! not blank is in some chunk's `text`, in order and once; an edit moves only cuts near it.

mod boundary;
mod breadcrumb;
mod outline;
mod splitter;
mod syntax;
mod token_map;

use shared::Language;
use shared::embedding::TokenCounter;

use crate::clean::CleanedDocument;
use splitter::Splitter;

/// Version of cleaning, chunking and the weights of words. It is part of the fingerprint: raise it with any change of what they give.
pub(crate) const PIPELINE: &str = "clean-2 chunk-2 words-3";

/// Chunks of a document: their ids and hashes stand in its manifest, about 80 bytes each. A document of MongoDB's 16 MB
/// has a third of this, unless it is a heap of tiny files.
pub(crate) const MAX_CHUNKS: usize = 1 << 16;

/// A piece of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// As it is shown.
    pub text: String,
    /// As it is embedded and searched by words: under its title and headings or its path, without emoji.
    pub embedded_text: String,
    /// Bytes of `embedded_text` that stand over its text.
    pub heading_bytes: usize,
    /// Of its words.
    pub language: Language,
    /// Path of its file.
    pub path: Option<String>,
    /// The function or type that it is from, under what that is in: `Fleet::moor`. None outside of any, and where the
    /// language is not known.
    pub symbol: Option<String>,
}

/// A text that cannot be chunked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ChunkError {
    /// The tokenizer refuses a part of the text.
    #[error("the model's tokenizer does not take the text at byte {at} of {section}")]
    Untokenizable {
        /// Path, or `the text`.
        section: String,
        /// Where the refused part begins.
        at: usize,
    },
    /// A single character has more tokens than the model takes.
    #[error("the character at byte {at} of {section} alone has more tokens than the model takes")]
    Indivisible {
        /// Path, or `the text`.
        section: String,
        /// Where it stands.
        at: usize,
    },
    /// More than a manifest lists. Known before the rest of the document is looked at, which may take long.
    #[error("more than the {MAX_CHUNKS} chunks that a manifest lists")]
    TooMany,
}

/// Cuts `document` into chunks, in reading order.
///
/// # Errors
/// [`ChunkError`] where the model's tokenizer does not take the text.
pub(crate) fn chunk(document: &CleanedDocument, tokens: &TokenCounter) -> Result<Vec<Chunk>, ChunkError> {
    let mut chunks = Vec::new();
    for section in &document.sections {
        Splitter::new(&document.metadata, section, tokens)?.split_into(&mut chunks)?;
    }
    Ok(chunks)
}

#[cfg(test)]
mod tests;
