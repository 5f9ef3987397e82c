//! Query: the retrieval library over indexes of three sizes, and which part of its time is whose.

use std::time::Instant;

use anyhow::{Result, ensure};
use qdrant_client::Qdrant;
use qdrant_client::qdrant::{
    GetPointsBuilder, PayloadIncludeSelector, PointId, QueryBatchPointsBuilder, QueryPoints, QueryPointsBuilder,
};
use retrieval::{Query, Searcher};
use shared::embedding::Embedder;
use shared::index::{BM25, CHUNKS, DENSE, DOCUMENTS, Index, IndexMeta};
use shared::sparse::query_vector;

use super::library::{Library, question};
use super::report::Report;
use super::samples::Samples;
use super::site::{Bench, PARTITIONS};
use crate::text::Text;

const SIZES: [usize; 3] = [1_000, 10_000, 100_000];
const QUERIES: usize = 200;
/// As the library asks for ten hits.
const CANDIDATES: u64 = 64;

/// Milliseconds of many queries.
struct Times {
    chunks: usize,
    whole: Samples,
    embedding: Samples,
    qdrant: Samples,
}

/// Measures.
///
/// # Errors
/// A server fails, or a query finds less than it should.
pub async fn query(bench: &Bench) -> Result<Report> {
    let step = bench.step("query");
    let site = bench.site().await?;
    let qdrant = site.qdrant_client()?;
    let embedder = Embedder::start(&bench.embedding(), 1)?;
    Index::ensure(&qdrant, &IndexMeta::new(embedder.info(), PARTITIONS)).await?;
    let searcher = Searcher::new(site.qdrant_client()?, embedder.clone());
    let (mut library, mut all, mut text) = (Library::new(embedder.info().dimension), Vec::new(), Text::new(7));
    for size in SIZES.map(|size| bench.amount(size)) {
        library.grow(&qdrant, size, |done| step.doing(&format!("{done} of {size} chunks"))).await?;
        step.doing(&format!("queries over {size} chunks"));
        ask(&searcher, &embedder, &qdrant, &question(&mut text)).await?;
        let mut asked = Vec::new();
        for _ in 0..bench.amount(QUERIES) {
            asked.push(ask(&searcher, &embedder, &qdrant, &question(&mut text)).await?);
        }
        let times = |of: usize| asked.iter().map(|times| times[of]).collect();
        all.push(Times { chunks: size, whole: times(0), embedding: times(1), qdrant: times(2) });
    }
    bench.clear(site).await?;
    step.done(format!("{} queries at each size", bench.amount(QUERIES)));
    Ok(report(&all, bench.amount(QUERIES)))
}

/// Milliseconds of the whole, of embedding alone, and of Qdrant's calls alone.
async fn ask(searcher: &Searcher, embedder: &Embedder, qdrant: &Qdrant, words: &str) -> Result<[f64; 3]> {
    let begun = Instant::now();
    let hits = searcher.search(&Query::new(words)).await?;
    let whole = begun.elapsed();
    ensure!(hits.len() == 10, "`{words}` finds {} hits", hits.len());

    let begun = Instant::now();
    let vectors = embedder.embed(vec![words.to_owned()]).await?;
    let embedding = begun.elapsed();

    let begun = Instant::now();
    calls(qdrant, &vectors[0], words).await?;
    let calls = begun.elapsed();
    Ok([whole, embedding, calls].map(|time| time.as_secs_f64() * 1e3))
}

/// The calls that one search makes, in its shape: both lists at once, then the manifests. (The names of the collections are asked for while the model
/// runs, and cost the library no time.)
async fn calls(qdrant: &Qdrant, dense: &[f32], words: &str) -> Result<()> {
    let sparse = query_vector(words);
    let terms: Vec<(u32, f32)> = sparse.indices.into_iter().zip(sparse.values).collect();
    let list = |using: &str, query: qdrant_client::qdrant::Query| -> QueryPoints {
        QueryPointsBuilder::new(CHUNKS).query(query).using(using).limit(CANDIDATES).with_payload(true).build()
    };
    let lists = vec![list(DENSE, dense.to_vec().into()), list(BM25, terms.into())];
    let found = qdrant.query_batch(QueryBatchPointsBuilder::new(CHUNKS, lists)).await?.result;
    let mut manifests: Vec<PointId> = Vec::new();
    for point in found.iter().flat_map(|list| &list.result) {
        manifests.extend(Library::manifest_of(point));
    }
    manifests.sort_by_key(|id| format!("{id:?}"));
    manifests.dedup();
    let fields = ["revision", "deleted", "chunk_ids"].map(String::from).to_vec();
    let wanted = GetPointsBuilder::new(DOCUMENTS, manifests).with_payload(PayloadIncludeSelector { fields });
    qdrant.get_points(wanted).await?;
    Ok(())
}

fn report(all: &[Times], queries: usize) -> Report {
    let mut report = Report::default();
    report.section(format!("Query: ten hits, {queries} queries at each size"));
    for Times { chunks, whole, embedding, qdrant } in all {
        let key = |what: &str| format!("query_{chunks}_{what}_ms");
        report.figure(key("p50"), format!("{chunks} chunks, p50"), whole.percentile(0.5), "ms");
        report.figure(key("p99"), format!("{chunks} chunks, p99"), whole.percentile(0.99), "ms");
        report.figure(key("qdrant"), "of which Qdrant, p50", qdrant.percentile(0.5), "ms");
        report.figure(key("embedding"), "of which embedding, p50", embedding.percentile(0.5), "ms");
        let ours = whole.percentile(0.5) - qdrant.percentile(0.5) - embedding.percentile(0.5);
        report.figure(key("ours"), "of which ours (the rest)", ours.max(0.0), "ms");
    }
    report
}
