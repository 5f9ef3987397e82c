//! Documents, from JSON or as plain text in place of their content: cleaning ends, and what it gives is clean.
//! The first byte says of which type they are.

#![no_main]

use consumer::fuzzing::clean;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use shared::DocumentType;

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, rest)) = bytes.split_first() else { return };
    let document_type = DocumentType::ALL[usize::from(kind % 4)];
    let document = match serde_json::from_slice(rest) {
        Ok(Value::Object(document)) => Value::Object(document),
        _ => {
            let text = String::from_utf8_lossy(rest);
            // Path and text of a file, where it is a repository's.
            let (path, file) = text.split_once('\n').unwrap_or(("README.md", &text));
            match document_type {
                DocumentType::Repositories => json!({ "content": { path: file } }),
                _ => json!({ "content": { "Content": text } }),
            }
        }
    };
    if let Value::Object(document) = document {
        clean(document_type, &document);
    }
});
