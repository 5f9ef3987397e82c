use std::path::{Path, PathBuf};

use shared::Metadata;

use super::*;
use crate::clean::{Format, Section};

mod code;
mod embedded;
mod limits;
mod places;
mod properties;

/// A tokenizer of the model's kind without special tokens.
fn tokens(limit: usize) -> TokenCounter {
    let file = tempfile::NamedTempFile::new().unwrap();
    serde_json::to_writer(file.as_file(), &crate::fuzzing::tokens()).unwrap();
    TokenCounter::from_file(file.path(), limit).unwrap()
}

/// The tokenizer of all-MiniLM-L6-v2, as provisioned.
fn tokens_of_the_model() -> TokenCounter {
    TokenCounter::from_file(&model_folder().join("tokenizer.json"), 256).unwrap()
}

fn model_folder() -> PathBuf {
    let folder = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(model) = folder("EMBEDDING_MODEL_DIR") {
        return model;
    }
    let user = folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")));
    let cache = folder("LLM_TWIN_CACHE").or_else(|| Some(user?.join("llm-twin"))).unwrap_or_default();
    let found = cache.read_dir().into_iter().flatten().flatten().map(|entry| entry.path());
    let mut models = found.filter(|path| is_model(path));
    models.next().expect("no model: set EMBEDDING_MODEL_DIR, or run `make local-start` once, which provisions it")
}

fn is_model(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("all-MiniLM-L6-v2-") && path.join("tokenizer.json").exists()
}

fn document(title: Option<&str>, path: Option<&str>, format: Format, text: &str) -> CleanedDocument {
    let section = Section { path: path.map(str::to_owned), format, text: text.to_owned() };
    let metadata = Metadata { title: title.map(str::to_owned), ..Metadata::default() };
    CleanedDocument { metadata, sections: vec![section] }
}

fn markdown(title: Option<&str>, text: &str) -> CleanedDocument {
    document(title, None, Format::Markdown, text)
}

/// What must hold of any result.
fn check(document: &CleanedDocument, chunks: &[Chunk], tokens: &TokenCounter) {
    let visible = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
    let all: String = chunks.iter().map(|chunk| visible(&chunk.text)).collect();
    assert_eq!(all, visible(&document.text()), "every character that is not blank, in order and once");
    for chunk in chunks {
        let count = tokens.count(&chunk.embedded_text).unwrap();
        assert!(count <= tokens.limit(), "{count} tokens, {} allowed: {:?}", tokens.limit(), chunk.embedded_text);
        assert!(!chunk.text.trim().is_empty() && !chunk.embedded_text.trim().is_empty());
    }
}
