//! Query: the retrieval library over indexes of three sizes, which part of its time is whose, and fifty who ask at once.
//!
//! Ours is what the asking thread computes from question to hits, by its own CPU clock, less what the bare client computes there
//! for the same two calls: sending them, and making structures of the bytes that come. The library runs on that thread alone: the model
//! has one of its own, Qdrant is another process. A wall clock would tell how busy the machine is.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures_util::future::join_all;
use qdrant_client::Qdrant;
use qdrant_client::qdrant::{
    GetPointsBuilder, PayloadIncludeSelector, PointId, QueryBatchPointsBuilder, QueryPoints, QueryPointsBuilder,
};
use retrieval::{Query, Searcher};
use rustix::time::{ClockId, clock_gettime};
use shared::embedding::Embedder;
use shared::index::{BM25, CHUNKS, DENSE, DOCUMENTS, Index, IndexMeta};
use shared::sparse::query_vector;

use super::library::{Library, question};
use super::report::Report;
use super::samples::Samples;
use super::site::{Bench, PARTITIONS, Site};
use crate::text::Text;

const SIZES: [usize; 3] = [1_000, 10_000, 100_000];
const QUERIES: usize = 200;
/// As the library asks for ten hits.
const CANDIDATES: u64 = 64;
/// Who ask at once, each on a connection of their own …
const CLIENTS: usize = 50;
/// … and how often each of them.
const QUERIES_A_CLIENT: usize = 4;

/// Milliseconds of many queries.
struct Times {
    chunks: usize,
    whole: Samples,
    computed: Samples,
    ours: Samples,
    embedding: Samples,
    qdrant: Samples,
}

/// Milliseconds of one query: of the whole, of what this thread computed, of embedding alone, of Qdrant's calls alone, of what the bare client computed for them.
type Time = [f64; 5];

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
    let (mut library, mut all, mut text) = (Library::new(embedder.info().dimension), Vec::new(), Text::new(7));
    for size in SIZES.map(|size| bench.amount(size)) {
        library.grow(&qdrant, size, |done| step.doing(&format!("{done} of {size} chunks"))).await?;
        step.doing(&format!("queries over {size} chunks"));
        let questions = (0..=bench.amount(QUERIES)).map(|_| question(&mut text)).collect();
        let asked = ask_all(&site, &embedder, questions).await?;
        let times = |of: usize| asked.iter().map(|times| times[of]).collect();
        let ours = asked.iter().map(|times| times[1] - times[4]).collect();
        let (whole, computed, embedding, qdrant) = (times(0), times(1), times(2), times(3));
        all.push(Times { chunks: size, whole, computed, ours, embedding, qdrant });
    }
    step.doing(&format!("{CLIENTS} at once"));
    let crowd = crowd(&site, &embedder, &mut text).await?;
    bench.clear(site).await?;
    step.done(format!("{} queries at each size, {CLIENTS} clients at once", bench.amount(QUERIES)));
    Ok(report(&all, bench.amount(QUERIES), &crowd))
}

/// One question after the other, on a thread that does nothing else. The first is not counted: it opens the connection.
async fn ask_all(site: &Site, embedder: &Embedder, questions: Vec<String>) -> Result<Vec<Time>> {
    let (embedder, clients) = (embedder.clone(), [site.qdrant_client()?, site.qdrant_client()?]);
    let ask_all = async move {
        let [ours, alone] = clients;
        let searcher = Searcher::new(ours, embedder.clone());
        let mut times = Vec::new();
        for words in questions {
            times.push(ask(&searcher, &embedder, &alone, &words).await?);
        }
        Ok(times.split_off(1))
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::spawn_blocking(move || runtime.block_on(ask_all)).await.context("the asking thread ends in order")?
}

async fn ask(searcher: &Searcher, embedder: &Embedder, qdrant: &Qdrant, words: &str) -> Result<Time> {
    let (begun, before) = (Instant::now(), cpu_of_this_thread());
    let hits = searcher.search(&Query::new(words)).await?;
    let (whole, computed) = (begun.elapsed(), cpu_of_this_thread() - before);
    ensure!(hits.len() == 10, "`{words}` finds {} hits", hits.len());

    let begun = Instant::now();
    let vectors = embedder.embed(vec![words.to_owned()]).await?;
    let embedding = begun.elapsed();

    let (calls, client) = calls(qdrant, &vectors[0], words).await?;
    Ok([whole, computed, embedding, calls, client].map(|time| time.as_secs_f64() * 1e3))
}

fn cpu_of_this_thread() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

/// Many who ask at once: milliseconds of each answer, and seconds of all.
struct Crowd {
    answers: Samples,
    failed: usize,
    seconds: f64,
}

async fn crowd(site: &Site, embedder: &Embedder, text: &mut Text) -> Result<Crowd> {
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let questions: Vec<String> = (0..QUERIES_A_CLIENT).map(|_| question(text)).collect();
        clients.push((Searcher::new(site.qdrant_client()?, embedder.clone()), questions));
    }
    let begun = Instant::now();
    let asking = clients.into_iter().map(|(searcher, questions)| {
        tokio::spawn(async move {
            let mut answers = Vec::new();
            for words in questions {
                let begun = Instant::now();
                let answer = searcher.search(&Query::new(words)).await;
                let found = answer.inspect_err(|error| eprintln!("one of {CLIENTS}: {error}")).is_ok();
                answers.push(found.then(|| begun.elapsed().as_secs_f64() * 1e3));
            }
            answers
        })
    });
    let answers: Vec<Option<f64>> = join_all(asking).await.into_iter().collect::<Result<Vec<_>, _>>()?.concat();
    let seconds = begun.elapsed().as_secs_f64();
    let failed = answers.iter().filter(|answer| answer.is_none()).count();
    Ok(Crowd { answers: answers.into_iter().flatten().collect(), failed, seconds })
}

/// The calls that one search makes, in its shape: both lists at once, then the manifests. How long they took, and what the client computed meanwhile. (The
/// names of the collections are asked for while the model runs, and cost the library no time.)
async fn calls(qdrant: &Qdrant, dense: &[f32], words: &str) -> Result<(Duration, Duration)> {
    let sparse = query_vector(words);
    let terms: Vec<(u32, f32)> = sparse.indices.into_iter().zip(sparse.values).collect();
    let list = |using: &str, query: qdrant_client::qdrant::Query| -> QueryPoints {
        QueryPointsBuilder::new(CHUNKS).query(query).using(using).limit(CANDIDATES).with_payload(true).build()
    };
    let lists = vec![list(DENSE, dense.to_vec().into()), list(BM25, terms.into())];
    let (found, first) = timed(qdrant.query_batch(QueryBatchPointsBuilder::new(CHUNKS, lists))).await;
    let found = found?.result;
    let mut manifests: Vec<PointId> = Vec::new();
    for point in found.iter().flat_map(|list| &list.result) {
        manifests.extend(Library::manifest_of(point));
    }
    manifests.sort_by_key(|id| format!("{id:?}"));
    manifests.dedup();
    let fields = ["revision", "deleted", "chunk_ids"].map(String::from).to_vec();
    let wanted = GetPointsBuilder::new(DOCUMENTS, manifests).with_payload(PayloadIncludeSelector { fields });
    let (found, second) = timed(qdrant.get_points(wanted)).await;
    found?;
    Ok((first.0 + second.0, first.1 + second.1))
}

/// What a call answers, how long it takes and what this thread computes meanwhile.
async fn timed<T>(call: impl Future<Output = T>) -> (T, (Duration, Duration)) {
    let (begun, before) = (Instant::now(), cpu_of_this_thread());
    let answer = call.await;
    (answer, (begun.elapsed(), cpu_of_this_thread() - before))
}

fn report(all: &[Times], queries: usize, crowd: &Crowd) -> Report {
    let mut report = Report::default();
    report.section(format!("Query: ten hits, {queries} queries at each size"));
    for Times { chunks, whole, computed, ours, embedding, qdrant } in all {
        let key = |what: &str| format!("query_{chunks}_{what}_ms");
        report.figure(key("p50"), format!("{chunks} chunks, p50"), whole.percentile(0.5), "ms");
        report.figure(key("p99"), format!("{chunks} chunks, p99"), whole.percentile(0.99), "ms");
        report.figure(key("qdrant"), "Qdrant's calls alone, p50", qdrant.percentile(0.5), "ms");
        report.figure(key("embedding"), "embedding alone, p50", embedding.percentile(0.5), "ms");
        report.figure(key("computed"), "computed on our thread, p50", computed.percentile(0.5), "ms");
        report.figure(key("ours"), "ours of it (without the bare client's share), p50", ours.percentile(0.5), "ms");
        report.figure(key("ours_p99"), "ours, p99", ours.percentile(0.99), "ms");
    }
    report.section(format!("Query: {CLIENTS} clients at once, {QUERIES_A_CLIENT} queries each, the largest index"));
    let answered = (CLIENTS * QUERIES_A_CLIENT - crowd.failed) as f64;
    report.figure("query_clients_failed", "queries without an answer", crowd.failed as f64, "");
    report.figure("query_clients_per_second", "answers", answered / crowd.seconds, "/s");
    report.figure("query_clients_p50_ms", "an answer, p50", crowd.answers.percentile(0.5), "ms");
    report.figure("query_clients_p99_ms", "an answer, p99", crowd.answers.percentile(0.99), "ms");
    report
}
