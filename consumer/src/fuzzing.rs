//! What fuzzers drive (`make fuzz`), and what has to hold of every result. No part of the programs.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use shared::embedding::TokenCounter;
use shared::{DocumentType, IdKind, Identity, Metadata};

use crate::chunk::{self, ChunkError};
use crate::clean::{self, CleanedDocument, Format, Section};

/// Cleans a document.
///
/// # Panics
/// Where the result is not clean.
pub fn clean(document_type: DocumentType, document: &Map<String, Value>) {
    let identity = Identity { document_type, id_kind: IdKind::Str, entry_id: "fuzzed".into() };
    if document_type == DocumentType::Users {
        clean::author(document).ok();
        return;
    }
    let Ok(cleaned) = clean::clean(&identity, document) else { return };
    assert_eq!(clean::clean(&identity, document).as_ref(), Ok(&cleaned), "the same again");
    for Section { format, text, .. } in &cleaned.sections {
        assert!(!text.is_empty(), "an empty section");
        let stray = text.chars().find(|c| c.is_control() && !matches!(c, '\n' | '\t'));
        assert!(*format == Format::Code || stray.is_none(), "{stray:?} in {text:?}");
    }
}

/// Cuts a text into chunks.
///
/// # Panics
/// Where a chunk has more tokens than it may, or the chunks are not the text.
pub fn chunk(format: u8, title: &str, text: &str, tokens: &TokenCounter) {
    let format = [Format::Markdown, Format::Plain, Format::Code][usize::from(format % 3)];
    let title = (!title.is_empty()).then(|| title.to_owned());
    let path = (format == Format::Code).then(|| "src/fuzzed.rs".to_owned());
    let metadata = Metadata { title, ..Metadata::default() };
    let document = CleanedDocument { metadata, sections: vec![Section { path, format, text: text.to_owned() }] };
    let chunks = match chunk::chunk(&document, tokens) {
        Ok(chunks) => chunks,
        // A model that takes next to nothing cannot take every character.
        Err(ChunkError::Indivisible { .. }) if tokens.limit() < 20 => return,
        Err(error) => panic!("{error}"),
    };
    let visible = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
    let all: String = chunks.iter().map(|chunk| visible(&chunk.text)).collect();
    assert_eq!(all, visible(text), "every character that is not blank, in order and once");
    for chunk in &chunks {
        let count = tokens.count(&chunk.embedded_text).expect("what was cut can be counted");
        assert!(count <= tokens.limit(), "{count} tokens, {} allowed: {:?}", tokens.limit(), chunk.embedded_text);
        assert!(!chunk.text.trim().is_empty() && !chunk.embedded_text.trim().is_empty(), "a blank chunk");
    }
}

/// A tokenizer of the model's kind (`WordPiece` under BERT's rules) that knows letters and a few words.
pub fn tokens() -> Value {
    let words = ["the", "a", "of", "and", "search", "vector", "text", "##s", "##ing", "[UNK]"].map(str::to_owned);
    let letters = (' '..'\u{7f}').chain('а'..='я').flat_map(|letter| [letter.to_string(), format!("##{letter}")]);
    let pieces: BTreeSet<String> = letters.chain(words).collect();
    let vocabulary: Map<_, _> = pieces.into_iter().enumerate().map(|(id, piece)| (piece, json!(id))).collect();
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "post_processor": null, "decoder": null,
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": vocabulary},
    })
}
