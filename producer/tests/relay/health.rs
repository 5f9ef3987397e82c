//! What /readyz and /metrics say of a relay that stands still.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bson::doc;
use local::RabbitMq;
use shared::{DocumentType, Identity, Operation};

use crate::bench::{Bench, PARTITIONS, installation, scripted_mongodb};
use crate::deadline::eventually;
use crate::http::{free_address, get, readyz};
use crate::process::Producer;

fn start(bench: &Bench, address: SocketAddr) -> Producer {
    Producer::spawn(bench.command().arg("run").env("PRODUCER_HTTP_LISTEN", address.to_string()))
}

/// The value of a metric, by the beginning of its line.
fn metric(address: SocketAddr, name: &str) -> Option<f64> {
    let said = get(address, "/metrics");
    let line = said.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')))?;
    line.rsplit(' ').next()?.parse().ok()
}

async fn is_ready(address: SocketAddr) {
    eventually("it is ready", async || readyz(address).contains("200 OK")).await;
}

/// Waits for a line of /readyz, and how long that took.
async fn says(address: SocketAddr, line: &str) -> Duration {
    let begun = Instant::now();
    eventually(line, async || {
        let said = readyz(address);
        said.contains("503") && said.contains(line)
    })
    .await;
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_short_of_memory_is_seen_within_two_seconds_and_nothing_is_lost() {
    let rabbitmq = RabbitMq::start(&installation().await).await.unwrap();
    let bench = Bench::over(&rabbitmq).await;
    let address = free_address();
    let _producer = start(&bench, address);
    is_ready(address).await;
    assert_eq!(metric(address, "twin_producer_blocked"), Some(0.0));
    rabbitmq.press().await.unwrap();
    // RabbitMQ tells a connection only once it publishes.
    bench.collection("posts").insert_many((0..100).map(|id| doc! {"_id": id, "content": "x"})).await.unwrap();
    let seen = says(address, "rabbitmq: blocked by the broker: low on memory").await;
    assert!(seen < Duration::from_secs(2), "{seen:?}");
    assert_eq!(metric(address, "twin_producer_blocked"), Some(1.0));
    eventually("blocked seconds", async || metric(address, "twin_producer_blocked_seconds_total") >= Some(1.0)).await;
    rabbitmq.ease().await.unwrap();
    is_ready(address).await;
    assert_eq!(metric(address, "twin_producer_blocked"), Some(0.0));
    let mut reader = bench.read().await;
    reader.until("every insert", |r| (0..100).all(|id| !r.of("posts", &id.to_string()).is_empty())).await;
    reader.assert_no_inversion();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_checkpoint_is_said_within_five_seconds() {
    let bench = Bench::new().await;
    let address = free_address();
    let mut reader = bench.read().await;
    let _producer = start(&bench, address);
    is_ready(address).await;
    reader.until("the first sweep", |r| r.is_swept(1)).await;
    let partition = Identity::of(DocumentType::Posts, &1.into()).unwrap().partition(PARTITIONS);
    reader.unbind(partition).await;
    bench.collection("posts").insert_one(doc! {"_id": 1}).await.unwrap();
    let line = format!("checkpoint: frozen: the broker takes no messages for partition {partition}\n");
    let seen = says(address, &line).await;
    assert!(seen < Duration::from_secs(5), "{seen:?}");
    assert!(metric(address, "twin_producer_events_returned_total") >= Some(1.0));
    reader.bind(partition).await;
    is_ready(address).await;
    reader.until("what was held", |r| !r.of("posts", "1").is_empty()).await;
}

/// The server takes half a minute for each answer, as one does that has gigabytes of history to pass over.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_without_an_answer_is_said_and_waited_for() {
    let mongodb = scripted_mongodb().await;
    let bench = Bench::with_mongodb(&mongodb).await;
    let address = free_address();
    let mut reader = bench.read().await;
    let _producer = start(&bench, address);
    is_ready(address).await;
    bench.delay("getMore", Duration::from_secs(25)).await;
    says(address, "stream: no answer from MongoDB for 10s").await;
    bench.mend().await;
    bench.collection("posts").insert_one(doc! {"_id": 1}).await.unwrap();
    reader.until("it goes on", |r| r.count(Operation::Insert, "posts") == 1).await;
    is_ready(address).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_snapshot_whatever_comes_after_ready_is_relayed() {
    let bench = Bench::new().await;
    let posts = bench.collection("posts");
    posts.insert_one(doc! {"_id": "before"}).await.unwrap();
    let mut reader = bench.read().await;
    let address = free_address();
    let command = &mut bench.command();
    let run = command.arg("run").env("SNAPSHOT", "never").env("PRODUCER_HTTP_LISTEN", address.to_string());
    let _producer = Producer::spawn(run);
    while !readyz(address).contains("200 OK") {
        tokio::task::yield_now().await;
    }
    posts.insert_one(doc! {"_id": "after"}).await.unwrap();
    reader.until("the insert after ready", |r| !r.of("posts", "after").is_empty()).await;
    assert!(reader.of("posts", "before").is_empty());
    assert_eq!(reader.count(Operation::Sweep, "posts"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metrics_tell_lag_age_and_what_is_left_of_the_oplog() {
    let bench = Bench::new().await;
    let address = free_address();
    let mut reader = bench.read().await;
    let _producer = start(&bench, address);
    is_ready(address).await;
    bench.collection("posts").insert_one(doc! {"_id": 1}).await.unwrap();
    reader.until("the insert", |r| r.count(Operation::Insert, "posts") == 1).await;
    for quantile in ["0.5", "0.95", "0.99"] {
        let name = format!("twin_producer_lag_seconds{{quantile=\"{quantile}\"}}");
        eventually(&name, async || metric(address, &name).is_some_and(|lag| lag > 0.0 && lag < 30.0)).await;
    }
    for name in ["token_age_seconds", "oplog_window_seconds", "oplog_remaining_seconds", "checkpoint_age_seconds"] {
        let name = format!("twin_producer_{name}");
        eventually(&name, async || metric(address, &name).is_some_and(|seconds| (0.0..3600.0).contains(&seconds)))
            .await;
    }
    for name in ["in_flight", "in_flight_bytes", "blocked", "gaps_total", "stream_reopened_total"] {
        let name = format!("twin_producer_{name}");
        eventually(&name, async || metric(address, &name) == Some(0.0)).await;
    }
}

/// While nothing is published history runs out: how far the checkpoint is behind has to be seen then most of all.
#[tokio::test(flavor = "multi_thread")]
async fn the_age_of_the_checkpoint_goes_on_while_there_is_no_broker() {
    let mut rabbitmq = RabbitMq::start(&installation().await).await.unwrap();
    let bench = Bench::over(&rabbitmq).await;
    let address = free_address();
    let _producer = start(&bench, address);
    is_ready(address).await;
    rabbitmq.kill9().await.unwrap();
    says(address, "rabbitmq: ").await;
    let age = metric(address, "twin_producer_token_age_seconds").unwrap();
    let grows = async || metric(address, "twin_producer_token_age_seconds") >= Some(age + 3.0);
    eventually("the age grows", grows).await;
    rabbitmq.restart().await.unwrap();
    is_ready(address).await;
}
