//! Snapshot: what was there before the producer's first start, until the broker has confirmed all of it.

use std::time::Instant;

use anyhow::Result;
use bson::Document;

use super::relay::{CONFIRMED, post};
use super::report::Report;
use super::samples::median;
use super::site::{Bench, ROUNDS};
use crate::text::Text;

const DOCUMENTS: usize = 20_000;

/// Measures.
///
/// # Errors
/// A server or a program fails.
pub async fn snapshot(bench: &Bench) -> Result<Report> {
    let (step, documents) = (bench.step("snapshot"), bench.amount(DOCUMENTS));
    let mut rates = Vec::with_capacity(ROUNDS);
    for number in 1..=ROUNDS {
        step.doing(&format!("round {number} of {ROUNDS}"));
        let site = bench.site().await?;
        let (posts, mut text) = (site.database.collection::<Document>("posts"), Text::new(number as u64));
        for begun in (0..documents).step_by(1000) {
            let batch: Vec<Document> = (begun..documents.min(begun + 1000)).map(|_| post(&mut text)).collect();
            posts.insert_many(batch).await?;
        }
        let mut producer = site.producer(&[("TYPES", "posts")])?;
        producer.launch()?;
        // From the first confirmed row on: starting is another figure.
        let first = producer.reaches(CONFIRMED, 1.0).await?;
        let since = Instant::now();
        let last = producer.reaches(CONFIRMED, documents as f64).await?;
        rates.push((last - first) / since.elapsed().as_secs_f64());
        producer.stop().await?;
        bench.clear(site).await?;
    }
    step.done(format!("{documents} documents, {ROUNDS} rounds"));
    let mut report = Report::default();
    report.section(format!("Snapshot: {documents} posts that were there before"));
    report.figure(
        "snapshot_documents_per_second",
        "relayed and confirmed",
        median(&rates, |rate| *rate),
        "documents/s",
    );
    Ok(report)
}
