//! Relay: our producer against what the servers can do, and against the relay of tutorials. The same events of the oplog are read in every round.

use std::time::Instant;

use anyhow::{Result, ensure};
use bson::{Document, Timestamp, doc};
use local::Step;

use super::broker::{Broker, Letter, lead};
use super::limits::{Limits, drain, limits};
use super::report::Report;
use super::rivals;
use super::samples::median;
use super::site::{Bench, ROUNDS, Site};
use crate::cpu::{Meter, cpu_time};
use crate::service::Service;
use crate::text::Text;

const EVENTS: usize = 40_000;
/// It manages some tens a second.
const TUTORIAL_EVENTS: usize = 200;
pub(super) const CONFIRMED: &str = "twin_producer_events_confirmed_total";

/// Documents that wait in the oplog, and how to begin before them again.
struct Course {
    site: Site,
    broker: Broker,
    producer: Service,
    /// The producer's checkpoint from before the first of them.
    checkpoint: Document,
    from: Timestamp,
    letters: Vec<Letter>,
}

struct Round {
    ours: f64,
    /// CPU microseconds an event of mongod, the broker and the producer.
    cpu: [f64; 3],
    limits: Limits,
    /// CPU microseconds an event of mongod and of the drain.
    drain_cpu: [f64; 2],
    tutorial: f64,
}

/// Measures.
///
/// # Errors
/// A server or a program fails.
pub async fn relay(bench: &Bench) -> Result<Report> {
    let step = bench.step("relay");
    let mut course = lay_out(bench, &step).await?;
    let mut rounds = Vec::with_capacity(ROUNDS);
    for number in 1..=ROUNDS {
        rounds.push(round(bench, &mut course, &step, number).await?);
    }
    bench.clear(course.site).await?;
    step.done(format!("{} events, {ROUNDS} rounds", course.letters.len()));
    Ok(report(&course.letters, &rounds))
}

async fn lay_out(bench: &Bench, step: &Step) -> Result<Course> {
    let events = bench.amount(EVENTS);
    step.doing(&format!("{events} documents"));
    let site = bench.site().await?;
    let broker = Broker::connect(&site.rabbitmq_uri).await?;
    let mut producer = site.producer(&[("SNAPSHOT", "never")])?;
    producer.start().await?;
    let checkpoint = site.beginning().await?;
    producer.stop().await?;
    let (posts, mut text) = (site.database.collection::<Document>("posts"), Text::new(1));
    let from = site.database.run_command(doc! {"hello": 1}).await?.get_timestamp("operationTime")?;
    for begun in (0..events).step_by(1000) {
        let batch: Vec<Document> = (begun..events.min(begun + 1000)).map(|_| post(&mut text)).collect();
        posts.insert_many(batch).await?;
    }
    // The first relay warms everything and shows the bytes that the others then publish.
    let mut course = Course { site, broker, producer, checkpoint, from, letters: Vec::new() };
    ours(bench, &mut course, events).await?;
    course.letters = course.broker.take(events).await?;
    ensure!(course.letters.iter().all(|letter| letter.body.len() > 1000), "every event bears its document");
    Ok(course)
}

/// A post of some 1,800 bytes as JSON.
pub(super) fn post(text: &mut Text) -> Document {
    doc! {
        "platform": "linkedin", "content": {"Content": text.words(250)}, "link": format!("https://example.org/{}", text.word()),
        "author_id": "660f57b3153bbb219fd901aa", "author_full_name": "Ada Lovelace",
    }
}

async fn round(bench: &Bench, course: &mut Course, step: &Step, number: usize) -> Result<Round> {
    let (events, of) = (course.letters.len(), format!("round {number} of {ROUNDS}"));
    step.doing(&format!("{of}: our producer"));
    let (ours, cpu) = ours(bench, course, events).await?;
    step.doing(&format!("{of}: the limits"));
    course.broker.purge().await?;
    let limits = limits(&course.site.database, course.from, &course.broker, &course.letters).await?;
    step.doing(&format!("{of}: the drain alone"));
    let meter = Meter::start([bench.server_pids()?[0], std::process::id()])?;
    drain(&course.site.database, course.from, events).await?;
    let drain_cpu = meter.read()?.cpu.map(|seconds| seconds * 1e6 / events as f64);
    step.doing(&format!("{of}: the tutorial way"));
    let relayed = rivals::relay(bench, &course.site, course.from, bench.amount(TUTORIAL_EVENTS)).await?;
    Ok(Round { ours, cpu, limits, drain_cpu, tutorial: relayed.events as f64 / relayed.seconds })
}

/// Events a second once all is under way, and CPU microseconds an event of mongod, the broker and the producer, its start included: what is read
/// ahead is read early, so that a later beginning would leave mongod's work out.
async fn ours(bench: &Bench, course: &mut Course, events: usize) -> Result<(f64, [f64; 3])> {
    course.broker.purge().await?;
    let own = doc! {"_id": course.site.database.name()};
    course.site.checkpoints().replace_one(own, &course.checkpoint).upsert(true).await?;
    let servers = Meter::start(bench.server_pids()?)?;
    course.producer.launch()?;
    let before = course.producer.reaches(CONFIRMED, lead(events) as f64).await?;
    let begun = Instant::now();
    let after = course.producer.reaches(CONFIRMED, events as f64).await?;
    let rate = (after - before) / begun.elapsed().as_secs_f64();
    let [mongod, broker] = servers.read()?.cpu;
    let producer = cpu_time(course.producer.pid()?)?.as_secs_f64();
    course.producer.stop().await?;
    ensure!(after == events as f64, "{after} confirms for {events} events");
    Ok((rate, [mongod, broker, producer].map(|seconds| seconds * 1e6 / events as f64)))
}

fn report(letters: &[Letter], rounds: &[Round]) -> Report {
    let mut report = Report::default();
    let bytes = letters.iter().map(|letter| letter.body.len()).sum::<usize>() / letters.len();
    report.section(format!("Relay: {} inserts of {bytes} bytes (body), window 2,000", letters.len()));
    let rate = |of: fn(&Round) -> f64| median(rounds, of);
    report.figure("relay_events_per_second", "our producer", rate(|round| round.ours), "events/s");
    report.figure(
        "relay_drain_events_per_second",
        "bare drain, while publishing",
        rate(|round| round.limits.drain),
        "events/s",
    );
    report.figure(
        "relay_publish_events_per_second",
        "bare publish, while draining",
        rate(|round| round.limits.publish),
        "events/s",
    );
    report.figure(
        "relay_tutorial_events_per_second",
        "pymongo and pika as in tutorials",
        rate(|round| round.tutorial),
        "events/s",
    );
    report.ratio(
        "relay_vs_limit",
        "producer / slower of the two limits",
        rate(|round| round.ours / round.limits.slower()),
    );
    report.ratio("relay_vs_tutorial", "producer / tutorial way", rate(|round| round.ours / round.tutorial));
    report.figure("relay_cpu_us_mongod", "CPU of mongod while relaying", rate(|round| round.cpu[0]), "µs/event");
    report.figure("relay_cpu_us_broker", "CPU of the broker while relaying", rate(|round| round.cpu[1]), "µs/event");
    report.figure("relay_cpu_us_producer", "CPU of the producer", rate(|round| round.cpu[2]), "µs/event");
    report.figure("relay_cpu_us_total", "CPU of all three", rate(|round| round.cpu.iter().sum()), "µs/event");
    report.figure(
        "drain_cpu_us_mongod",
        "CPU of mongod under the bare drain alone",
        rate(|round| round.drain_cpu[0]),
        "µs/event",
    );
    report.figure("drain_cpu_us_drain", "CPU of the bare drain", rate(|round| round.drain_cpu[1]), "µs/event");
    report
}
