//! Freshness: from the commit in MongoDB until the retrieval library finds it, at rest and at half the rate that the whole way can do.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bson::{Document, doc};
use mongodb::Collection;
use retrieval::{Query, Searcher};
use shared::embedding::Embedder;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use super::index::APPLIED;
use super::report::Report;
use super::samples::Samples;
use super::site::Bench;
use crate::text::Text;

/// Posts that are committed at once, to see how fast they come through.
const FLOOD: usize = 400;
const PROBES: usize = 60;
const FOUND_WITHIN: Duration = Duration::from_secs(60);
/// Between two searches: without it the search itself would be half the load.
const POLL: Duration = Duration::from_millis(5);
/// Between two probes, so that each meets another moment of the programs' own rhythms.
const PAUSE: Duration = Duration::from_millis(97);

/// Measures.
///
/// # Errors
/// A server or a program fails, or something committed is not found.
pub async fn freshness(bench: &Bench) -> Result<Report> {
    let step = bench.step("freshness");
    let site = bench.site().await?;
    let (mut producer, mut consumer) = (site.producer(&[])?, site.consumer()?);
    tokio::try_join!(producer.start(), consumer.start())?;
    let searcher = Searcher::new(site.qdrant_client()?, Embedder::start(&bench.embedding(), 1)?);
    let posts = site.database.collection::<Document>("posts");
    let (mut text, flood, probes) = (Text::new(4), bench.amount(FLOOD), bench.amount(PROBES));
    probe(&posts, &searcher, &mut text, 3, "warm").await?;

    step.doing(&format!("{probes} probes at rest"));
    let idle = probe(&posts, &searcher, &mut text, probes, "idle").await?;

    step.doing(&format!("the rate of {flood} posts at once"));
    let applied = consumer.counter(APPLIED).await?;
    let begun = Instant::now();
    posts.insert_many((0..flood).map(|_| post(&mut text))).await?;
    consumer.reaches(APPLIED, applied + flood as f64).await?;
    let saturation = flood as f64 / begun.elapsed().as_secs_f64();

    step.doing(&format!("{probes} probes at {:.0} posts/s", saturation / 2.0));
    let writer = write(posts.clone(), saturation / 2.0);
    let loaded = probe(&posts, &searcher, &mut text, probes, "loaded").await;
    writer.abort();
    let loaded = loaded?;

    producer.stop().await?;
    consumer.stop().await?;
    bench.clear(site).await?;
    step.done(format!("{} probes", 2 * probes));
    Ok(report(&idle, &loaded, saturation, probes))
}

/// Seconds until each of so many posts was found, one after the other.
async fn probe(
    posts: &Collection<Document>,
    searcher: &Searcher,
    text: &mut Text,
    count: usize,
    name: &str,
) -> Result<Samples> {
    let mut seconds = Vec::with_capacity(count);
    for number in 0..count {
        // A word that occurs nowhere else.
        let word = format!("{name}{number}probe");
        let mut document = post(text);
        document.insert("content", doc! {"Content": format!("{} {word}.", text.sentence())});
        posts.insert_one(document).await?;
        let committed = Instant::now();
        // Among ten: the word's only hit may tie with whatever lies nearest by meaning.
        let query = Query::new(word.clone());
        while !searcher.search(&query).await?.iter().any(|hit| hit.chunk.text.contains(&word)) {
            ensure!(committed.elapsed() < FOUND_WITHIN, "{word} was not found within {FOUND_WITHIN:?}");
            tokio::time::sleep(POLL).await;
        }
        seconds.push(committed.elapsed().as_secs_f64());
        tokio::time::sleep(PAUSE).await;
    }
    Ok(seconds.into_iter().collect())
}

/// Writes so many posts a second, until aborted.
fn write(posts: Collection<Document>, per_second: f64) -> JoinHandle<Result<()>> {
    tokio::spawn(async move {
        let mut text = Text::new(5);
        let mut due = interval(Duration::from_secs_f64(1.0 / per_second));
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            due.tick().await;
            posts.insert_one(post(&mut text)).await?;
        }
    })
}

fn post(text: &mut Text) -> Document {
    doc! {"platform": "linkedin", "author_id": "2", "content": {"Content": format!("{} {}", text.sentence(), text.sentence())}}
}

fn report(idle: &Samples, loaded: &Samples, saturation: f64, probes: usize) -> Report {
    let mut report = Report::default();
    report.section(format!("Freshness: commit in MongoDB → found by the retrieval library, {probes} posts each"));
    report.figure("freshness_saturation", "the whole way, posts at once", saturation, "posts/s");
    for (name, said, samples) in [("idle", "at rest", idle), ("loaded", "at half that rate", loaded)] {
        for (percentile, share) in [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)] {
            let key = format!("freshness_{name}_{percentile}_ms");
            report.figure(key, format!("{said}, {percentile}"), samples.percentile(share) * 1e3, "ms");
        }
    }
    report
}
