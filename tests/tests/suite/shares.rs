//! Several consumers on one set of partitions: each its share, and whatever happens to one of them, order and content
//! stay.

use std::net::TcpListener;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bson::{Document, doc};
use local::Program;
use tests::{TestQdrant, World, binary, eventually_within, http};

/// A paused instance has lost its partitions after two heartbeats, and more on a busy machine.
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(120);
const DOCUMENTS: i32 = 30;

/// One consumer of several.
struct Instance {
    program: Program,
    port: u16,
}

impl Instance {
    fn start(world: &World, share: &str) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut environment = world.environment();
        environment.push(("CONSUMER_SHARE", share.into()));
        environment.push(("CONSUMER_HTTP_LISTEN", format!("127.0.0.1:{port}")));
        let mut program = Program::new(&binary("consumer"), &["run"], environment).unwrap();
        program.start().unwrap();
        Self { program, port }
    }

    async fn held(&self) -> Result<f64> {
        http::metric(self.port, "twin_consumer_partitions_held").await
    }
}

/// Every document gets its next version, which says so.
async fn write(world: &World, version: i32) {
    let posts = world.database.collection::<Document>("posts");
    for number in 0..DOCUMENTS {
        let content = format!("Post {number} of the tides, version {version}.");
        posts.replace_one(doc! { "_id": number }, doc! { "content": content }).upsert(true).await.unwrap();
    }
}

/// The index holds this version of every document, and each instance so many partitions. A partition counts as held from
/// its first delivery on: all get more of them meanwhile.
async fn until(world: &World, version: &mut i32, held: &[(&Instance, f64)]) {
    let logs = || held.iter().map(|(instance, _)| instance.program.log_tail()).collect::<Vec<_>>().join("\n---\n");
    eventually_within(TAKEN_OVER_WITHIN, "each instance holds its share", || async {
        write(world, 0).await;
        for (instance, expected) in held {
            let held = instance.held().await?;
            ensure!(held == *expected, "{held} partitions held, not {expected}\n{}", logs());
        }
        Ok::<_, anyhow::Error>(())
    })
    .await;
    *version += 1;
    write(world, *version).await;
    let last = format!("version {version}.");
    eventually_within(Duration::from_secs(60), "every document is there in its last version", || async {
        let audit = world.audit().await?;
        audit.equal()?;
        for (document, manifest) in &audit.live {
            let text = manifest["cleaned_text"].as_str().context("a text")?;
            ensure!(text.ends_with(&last), "{document}: {text}, not {last}\n{}", logs());
        }
        Ok::<_, anyhow::Error>(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_that_come_pause_die_and_return_share_the_partitions_and_break_nothing() {
    let mut world = World::new().await;
    world.producer.start().unwrap();
    let version = &mut 0;
    let mut first = Instance::start(&world, "1/2");
    until(&world, version, &[(&first, 3.0)]).await;
    // Of partitions 0, 1 and 2 the second instance's own is 1: it is given back.
    let mut second = Instance::start(&world, "2/2");
    until(&world, version, &[(&first, 2.0), (&second, 1.0)]).await;
    second.program.pause().unwrap();
    until(&world, version, &[(&first, 3.0)]).await;
    second.program.resume().unwrap();
    until(&world, version, &[(&first, 2.0), (&second, 1.0)]).await;
    first.program.kill9();
    until(&world, version, &[(&second, 3.0)]).await;
    first.program.start().unwrap();
    until(&world, version, &[(&first, 2.0), (&second, 1.0)]).await;
    let grace = Duration::from_secs(30);
    assert!(first.program.terminate(grace).await.unwrap() && second.program.terminate(grace).await.unwrap());
    world.producer.terminate(grace).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_instance_with_the_same_share_says_so_and_stands_by() {
    let mut world = World::new().await;
    world.producer.start().unwrap();
    let version = &mut 0;
    let mut first = Instance::start(&world, "1/1");
    until(&world, version, &[(&first, 3.0)]).await;
    let second = Instance::start(&world, "1/1");
    eventually_within(Duration::from_secs(60), "the second says so", || async {
        let log = second.program.log_tail();
        ensure!(log.contains("CONSUMER_SHARE") && second.held().await? == 0.0, "{log}");
        Ok::<_, anyhow::Error>(())
    })
    .await;
    first.program.kill9();
    until(&world, version, &[(&second, 3.0)]).await;
}

/// What the metrics tell of a document that came, was changed and was deleted.
#[tokio::test(flavor = "multi_thread")]
async fn the_metrics_tell_what_was_done_and_how_long_it_took() {
    let mut world = World::new().await;
    world.producer.start().unwrap();
    let consumer = Instance::start(&world, "1/1");
    until(&world, &mut 0, &[(&consumer, 3.0)]).await;
    eventually_within(Duration::from_secs(30), "everything is acknowledged", || async {
        let unacked = http::metric(consumer.port, "twin_consumer_deliveries_unacked").await?;
        ensure!(unacked == 0.0, "{unacked} deliveries unacked");
        Ok::<_, anyhow::Error>(())
    })
    .await;
    let metrics = http::get(consumer.port, "/metrics").await.unwrap();
    let has = |line: &str| metrics.lines().any(|found| found.starts_with(line));
    for quantile in ["0.5", "0.95", "0.99"] {
        assert!(has(&format!("twin_consumer_event_age_seconds{{quantile=\"{quantile}\"}}")), "{metrics}");
    }
    for stage in ["read", "clean", "chunk", "embed", "write chunks", "write manifests", "read back", "grace", "delete"]
    {
        assert!(has(&format!("twin_consumer_stage_seconds_count{{stage=\"{stage}\"}}")), "{stage}: {metrics}");
    }
    for counter in ["changes_total", "chunks_embedded_total", "chunks_deleted_total", "batch_documents_count"] {
        let counted = http::metric(consumer.port, &format!("twin_consumer_{counter}")).await.unwrap();
        assert!(counted > 0.0, "{counter}: {metrics}");
    }
    assert!(http::get(consumer.port, "/readyz").await.unwrap().contains("deliveries: ok"));
}

/// Who asks whether it is ready is told what is away, and when it is back.
#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_whose_store_is_away_is_not_ready_until_it_is_back() {
    let mut world = World::new().await;
    let consumer = Instance::start(&world, "1/1");
    let ready = async || http::get(consumer.port, "/readyz").await;
    eventually_within(Duration::from_secs(60), "it is ready", ready).await;
    let TestQdrant::Own(qdrant) = &mut world.qdrant else { return }; // not ours to kill
    qdrant.kill9().await.unwrap();
    eventually_within(Duration::from_secs(60), "it says that the store is away", || async {
        let answer = ready().await.map_err(|error| error.to_string());
        ensure!(answer.as_ref().is_err_and(|error| error.contains("qdrant: ")), "{answer:?}");
        Ok::<_, anyhow::Error>(())
    })
    .await;
    qdrant.restart().await.unwrap();
    eventually_within(Duration::from_secs(60), "it is ready again", ready).await;
}
