//! Chunking: cleaning and cutting alone, on one thread, by the processor's clock.

use std::process;

use anyhow::Result;
use serde_json::json;
use shared::embedding::TokenCounter;
use shared::{DocumentType, IdKind, Identity};

use super::corpus::{Corpus, RawDocument};
use super::report::Report;
use super::site::{Bench, ROUNDS};
use crate::cpu::Meter;
use crate::crates::{SourceFile, crates};
use crate::eval;

/// Bytes of each kind of text.
const BYTES: usize = 4_000_000;
/// Tokens of the model.
const TOKENS: usize = 256;
/// Real code, by crates that this program is built from.
const CRATES: [&str; 6] = ["axum", "bson", "serde_json", "tokio-util", "url", "uuid"];

/// Measures.
///
/// # Errors
/// The sources or the model's tokenizer are not at hand.
pub fn chunk(bench: &Bench) -> Result<Report> {
    let step = bench.step("chunk");
    let tokens = TokenCounter::from_file(&bench.installation.model.join("tokenizer.json"), TOKENS)?;
    let mut corpora = Corpus::all(bench.amount(BYTES), bench.data.as_deref())?;
    corpora.push(Corpus { name: "crates", documents: sources()? });
    let mut report = Report::default();
    report.section("Chunking (cleaned and cut, on one thread)");
    for corpus in &corpora {
        let bytes: usize = corpus.documents.iter().map(|document| document.text().len()).sum();
        let (mut seconds, mut chunks) = (Vec::new(), 0);
        for _ in 0..ROUNDS {
            let meter = Meter::start([process::id()])?;
            chunks = corpus.documents.iter().map(|document| chunks_of(document, &tokens)).sum();
            seconds.push(meter.read()?.cpu[0]);
        }
        seconds.sort_unstable_by(f64::total_cmp);
        let (name, rate) = (corpus.name, bytes as f64 / 1e6 / seconds[ROUNDS / 2].max(0.01));
        report.figure(format!("chunk_{name}_mb_per_cpu_s"), format!("{name}, {chunks} chunks"), rate, "MB/CPU s");
    }
    step.done("measured");
    Ok(report)
}

fn chunks_of(document: &RawDocument, tokens: &TokenCounter) -> usize {
    consumer::chunks(&document.identity, &eval::event(&document.identity, &document.fields), tokens).len()
}

/// A document for each file.
fn sources() -> Result<Vec<RawDocument>> {
    let document = |file: SourceFile| {
        let entry_id = format!("{}/{}", file.package, file.path);
        let identity = Identity { document_type: DocumentType::Repositories, id_kind: IdKind::Str, entry_id };
        let content = json!({file.path: file.text});
        RawDocument {
            identity,
            fields: [("name".to_owned(), file.package.into()), ("content".to_owned(), content)].into_iter().collect(),
        }
    };
    Ok(crates(&CRATES)?.into_iter().map(document).collect())
}
