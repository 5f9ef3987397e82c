//! Update: a sentence of a long document is edited, against indexing such a document anew.

use std::time::Instant;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use shared::embedding::TokenCounter;
use shared::{DocumentType, IdKind, Identity, Revision};

use super::broker::Broker;
use super::corpus::{RawDocument, revision};
use super::embedding::Bare;
use super::index::APPLIED;
use super::report::Report;
use super::samples::median;
use super::site::Bench;
use crate::service::Service;
use crate::text::Text;

const CHUNKS: usize = 100;
const TURNS: u32 = 5;

/// Seconds of one turn.
struct Turn {
    indexed: f64,
    updated: f64,
}

/// Measures.
///
/// # Errors
/// A server or a program fails.
pub async fn update(bench: &Bench) -> Result<Report> {
    let step = bench.step("update");
    let site = bench.site().await?;
    let broker = Broker::connect(&site.rabbitmq_uri).await?;
    let mut consumer = site.consumer()?;
    consumer.start().await?;
    let model = Bare::load(&bench.embedding(), 1)?;
    let (mut text, mut turns) = (Text::new(3), Vec::new());
    for number in 1..=TURNS {
        step.doing(&format!("turn {number} of {TURNS}"));
        let (before, after) = versions(&mut text, number, bench.amount(CHUNKS), model.tokens())?;
        // Nobody has seen this text before: everything is embedded. Then all but an edge of it is known.
        let indexed = apply(&broker, &consumer, &before, revision(2 * number)?).await?;
        let updated = apply(&broker, &consumer, &after, revision(2 * number + 1)?).await?;
        turns.push(Turn { indexed, updated });
    }
    consumer.stop().await?;
    bench.clear(site).await?;
    step.done(format!("{TURNS} turns"));
    Ok(report(&turns, bench.amount(CHUNKS)))
}

/// Seconds from the publish until chunks and manifest are written.
async fn apply(broker: &Broker, consumer: &Service, document: &RawDocument, revision: Revision) -> Result<f64> {
    let (letter, applied) = (document.letter(revision)?, consumer.counter(APPLIED).await?);
    let begun = Instant::now();
    broker.publish(&[letter], |_| ()).await?;
    consumer.reaches(APPLIED, applied + 1.0).await?;
    Ok(begun.elapsed().as_secs_f64())
}

/// A document of so many chunks, and the same with one sentence in its middle replaced.
fn versions(text: &mut Text, number: u32, chunks: usize, tokens: &TokenCounter) -> Result<(RawDocument, RawDocument)> {
    let identity =
        Identity { document_type: DocumentType::Articles, id_kind: IdKind::Int, entry_id: number.to_string() };
    let document = |content: &str| -> Result<RawDocument> {
        let fields = json!({"platform": "medium", "author_id": "1", "content": {"Title": "A long document", "Content": content}});
        let Value::Object(fields) = fields else { anyhow::bail!("an object") };
        Ok(RawDocument { identity: identity.clone(), fields })
    };
    let mut content = String::new();
    loop {
        content.push_str(&text.article(chunks.div_ceil(20)));
        let whole = document(&content)?;
        let event = whole.event(Revision::ZERO);
        if consumer::embedded_texts(&identity, &event, tokens).len() < chunks {
            continue;
        }
        let middle = content[content.floor_char_boundary(content.len() / 2)..].find(". ").context("a sentence")?;
        let begin = content.floor_char_boundary(content.len() / 2) + middle + 2;
        let end = begin + content[begin..].find('.').context("its end")? + 1;
        let edited = format!("{}{}{}", &content[..begin], text.sentence(), &content[end..]);
        return Ok((whole, document(&edited)?));
    }
}

fn report(turns: &[Turn], chunks: usize) -> Report {
    let mut report = Report::default();
    report.section(format!("Update: one sentence in a document of {chunks} chunks"));
    report.figure("update_ms", "from the event to the manifest", median(turns, |turn| turn.updated * 1e3), "ms");
    report.figure("reindex_ms", "the whole document, new to the index", median(turns, |turn| turn.indexed * 1e3), "ms");
    report.ratio("update_vs_reindex", "re-indexing / update", median(turns, |turn| turn.indexed / turn.updated));
    report
}
