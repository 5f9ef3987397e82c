//! Idle: how long our programs take to be ready, and what they take with nothing to do.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bson::{Document, doc};

use super::relay::CONFIRMED;
use super::report::Report;
use super::samples::Samples;
use super::site::{Bench, ROUNDS};
use crate::cpu::{Meter, memory};

const REST: Duration = Duration::from_secs(20);

/// Measures.
///
/// # Errors
/// A server or a program fails.
pub async fn idle(bench: &Bench) -> Result<Report> {
    let step = bench.step("idle");
    let site = bench.site().await?;
    let (mut producer, mut consumer) = (site.producer(&[("SNAPSHOT", "never")])?, site.consumer()?);
    let posts = site.database.collection::<Document>("posts");
    // The first start makes index, queues and checkpoint.
    producer.start().await?;
    consumer.start().await?;
    site.beginning().await?;
    let (mut producers, mut consumers) = (Vec::new(), Vec::new());
    for number in 1..=ROUNDS {
        step.doing(&format!("start {number} of {ROUNDS}"));
        producer.stop().await?;
        consumer.stop().await?;
        posts.insert_one(doc! {"platform": "linkedin", "content": "waits"}).await?;
        let begun = Instant::now();
        producer.launch()?;
        producer.reaches(CONFIRMED, 1.0).await?;
        producers.push(begun.elapsed().as_secs_f64());
        consumers.push(consumer.start().await?.as_secs_f64());
    }
    step.doing(&format!("{} s of rest", REST.as_secs()));
    let qdrant = site.qdrant.pid().context("qdrant runs")?;
    let [mongod, broker] = bench.server_pids()?;
    let named = [
        ("producer", producer.pid()?),
        ("consumer", consumer.pid()?),
        ("mongod", mongod),
        ("broker", broker),
        ("qdrant", qdrant),
    ];
    let meter = Meter::start(named.map(|(_, pid)| pid))?;
    tokio::time::sleep(REST).await;
    let used = meter.read()?;

    let mut report = Report::default();
    report.section(format!("Start and rest ({} s)", REST.as_secs()));
    let median = |seconds: Vec<f64>| seconds.into_iter().collect::<Samples>().median();
    report.figure(
        "start_ms_producer",
        "producer, start to the confirm of an event that waited",
        median(producers) * 1e3,
        "ms",
    );
    report.figure("start_ms_consumer", "consumer, start to ready, model loaded", median(consumers) * 1e3, "ms");
    for ((name, pid), cpu) in named.into_iter().zip(used.cpu) {
        let share = cpu / used.seconds * 100.0;
        report.figure(format!("idle_cpu_{name}"), format!("{name}, CPU at rest"), share, "% of a core");
        let resident = memory(pid)?.resident as f64 / 1e6;
        report.figure(format!("idle_memory_{name}"), format!("{name}, memory at rest"), resident, "MB");
    }
    producer.stop().await?;
    consumer.stop().await?;
    bench.clear(site).await?;
    step.done(format!("{ROUNDS} starts"));
    Ok(report)
}
