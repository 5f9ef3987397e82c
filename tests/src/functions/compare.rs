//! The table: of each language, how many functions that fit into a chunk stay whole.

use std::path::Path;
use std::process;

use anyhow::{Context, Result, ensure};
use consumer::Chunk;
use local::Step;
use regex::Regex;
use serde_json::Value;
use shared::embedding::TokenCounter;
use shared::{ChangeEvent, DocumentType, IdKind, Identity};

use super::language::{LANGUAGES, Language};
use super::layout::functions;
use super::sources::{self, File};
use crate::cpu::Meter;
use crate::eval;

/// What became of a language's files.
#[derive(Default)]
struct Outcome {
    files: usize,
    bytes: usize,
    seconds: f64,
    functions: usize,
    fitting: usize,
    whole: usize,
}

/// Cuts files of every language and looks for their functions in the chunks. With `shown`, those of this language that are
/// not whole are written there.
///
/// # Errors
/// The files are not to be had; or a chunk is over the limit, or a character is in none, which must not be.
pub fn compare(cache: &Path, tokens: &TokenCounter, step: &Step, shown: Option<&str>) -> Result<String> {
    step.doing("fetching the packages, at the first time");
    let unpacked = sources::unpacked(cache)?;
    let mut table =
        format!("| | files | MB/CPU s | functions | of up to {} tokens | of these whole | |\n", tokens.limit());
    table += &format!("| --- |{}\n", " ---: |".repeat(6));
    for language in &LANGUAGES {
        step.doing(language.name);
        let files = sources::of(language, &unpacked)?;
        let outcome = outcome(language, files, tokens, shown == Some(language.name))?;
        let Outcome { files, bytes, seconds, functions, fitting, whole } = outcome;
        let share = 100.0 * whole as f64 / fitting.max(1) as f64;
        let rate = bytes as f64 / 1e6 / seconds.max(0.01);
        let name = language.name;
        table += &format!("| {name} | {files} | {rate:.1} | {functions} | {fitting} | {whole} | {share:.1}% |\n");
    }
    Ok(table)
}

fn outcome(language: &Language, files: Vec<File>, tokens: &TokenCounter, shows: bool) -> Result<Outcome> {
    let head = Regex::new(language.head)?;
    let documents: Vec<Document> = files.into_iter().map(|file| Document::new(language, file)).collect();
    let mut documents: Vec<_> = documents.into_iter().filter(|document| !document.cleaned.is_empty()).collect();
    let meter = Meter::start([process::id()])?;
    for document in &mut documents {
        document.chunks = consumer::chunks(&document.identity, &document.event, tokens);
    }
    let [seconds] = meter.read()?.cpu;
    let bytes = documents.iter().map(|document| document.cleaned.len()).sum();
    let mut outcome = Outcome { files: documents.len(), bytes, seconds, ..Outcome::default() };
    for document in &documents {
        document.check(tokens)?;
        for function in functions(&document.cleaned, &head, language.body) {
            outcome.functions += 1;
            let count = tokens.count(function).context("the tokenizer takes what is embedded")?;
            if count <= tokens.limit() {
                let whole = document.chunks.iter().any(|chunk| chunk.text.contains(function));
                outcome.fitting += 1;
                outcome.whole += usize::from(whole);
                if shows && !whole {
                    println!("--- {}, {count} tokens\n{function}\n", document.identity.entry_id);
                }
            }
        }
    }
    Ok(outcome)
}

/// A file as a repository of its own.
struct Document {
    identity: Identity,
    event: ChangeEvent,
    cleaned: String,
    chunks: Vec<Chunk>,
}

impl Document {
    fn new(language: &Language, File { path, text }: File) -> Self {
        let identity =
            Identity { document_type: DocumentType::Repositories, id_kind: IdKind::Str, entry_id: path.clone() };
        let content = Value::Object([(path, text.into())].into_iter().collect());
        let fields = [("name".to_owned(), language.name.into()), ("content".to_owned(), content)].into_iter().collect();
        let event = eval::event(&identity, &fields);
        let cleaned = consumer::cleaned_text(&identity, &event);
        Self { identity, event, cleaned, chunks: Vec::new() }
    }

    /// What must hold of any file: every character that is not blank in some chunk, in order and once, and no chunk over the limit.
    fn check(&self, tokens: &TokenCounter) -> Result<()> {
        let visible = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
        let (path, all) = (&self.identity.entry_id, self.chunks.iter().map(|chunk| visible(&chunk.text)));
        ensure!(all.collect::<String>() == visible(&self.cleaned), "{path}: a character is in no chunk");
        for chunk in &self.chunks {
            let count = tokens.count(&chunk.embedded_text).context("the tokenizer takes what is embedded")?;
            ensure!(count <= tokens.limit(), "{path}: a chunk has {count} tokens, {} allowed", tokens.limit());
        }
        Ok(())
    }
}
