//! kill -9 of producer and broker.

use std::time::Duration;

use bson::doc;
use local::RabbitMq;
use shared::Operation;

use crate::bench::{Bench, installation};
use crate::deadline::eventually;
use crate::reader::Reader;

/// Writes to `documents` documents, each change numbered, until told to stop; returns the last number of each.
async fn write(bench: &Bench, documents: i32, rounds: i32) {
    let posts = bench.collection("posts");
    for round in 1..=rounds {
        for id in 0..documents {
            posts.update_one(doc! {"_id": id}, doc! {"$set": {"round": round}}).upsert(true).await.unwrap();
        }
    }
}

fn last_round(reader: &Reader, id: i32) -> Option<i64> {
    reader.of("posts", &id.to_string()).last()?.document.as_ref()?["round"].as_i64()
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_of_the_producer_in_mid_flow_loses_and_inverts_nothing() {
    let bench = Bench::new().await;
    let mut reader = bench.read().await;
    let writer = write(&bench, 20, 60);
    let killer = async {
        for pause in [700, 1500, 2300, 3100] {
            let mut producer = bench.start();
            tokio::time::sleep(Duration::from_millis(pause)).await;
            producer.kill();
        }
    };
    tokio::join!(writer, killer);
    let _producer = bench.start();
    reader.until("the last change of each document", |r| (0..20).all(|id| last_round(r, id) == Some(60))).await;
    // `update` events carry the document as it stands when looked up: the last content comes early, and the number of
    // events is what must be whole.
    reader.settle(Duration::from_secs(3)).await;
    reader.assert_no_inversion();
    let distinct = |id: i32| {
        let events = reader.of("posts", &id.to_string());
        events
            .iter()
            .filter(|event| event.operation != Operation::Snapshot)
            .map(|event| event.id)
            .collect::<std::collections::HashSet<_>>()
            .len()
    };
    let relayed: usize = (0..20).map(distinct).sum();
    let before_t0: usize = (0..20).map(|id| first_round_of_stream(&reader, id)).sum();
    assert!(relayed + before_t0 >= 20 * 60, "{relayed} relayed, {before_t0} before the snapshot");
}

/// Changes of a document that its first streamed event had before it, at most: those that the snapshot covers.
fn first_round_of_stream(reader: &Reader, id: i32) -> usize {
    let events = reader.of("posts", &id.to_string());
    let row = events.iter().find(|event| event.operation == Operation::Snapshot);
    row.and_then(|row| row.document.as_ref()?["round"].as_u64()).unwrap_or_default() as usize
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_of_the_broker_in_mid_flow_loses_nothing() {
    let mut rabbitmq = RabbitMq::start(&installation().await).await.unwrap();
    let bench = Bench::over(&rabbitmq).await;
    let _producer = bench.start();
    // Not in the first second of the queues' lives: a quorum queue of RabbitMQ 3.10 that is killed while it is being
    // made stays without a leader for ever.
    let begun =
        async || bench.checkpoint().await.is_some_and(|stored| stored.get_datetime("snapshot_finished_at").is_ok());
    eventually("the snapshot is swept", begun).await;
    let writer = write(&bench, 20, 60);
    let killer = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        rabbitmq.kill9().await.unwrap();
        rabbitmq.restart().await.unwrap();
    };
    tokio::join!(writer, killer);
    let mut reader = bench.read().await;
    reader.until("the last change of each document", |r| (0..20).all(|id| last_round(r, id) == Some(60))).await;
    reader.settle(Duration::from_secs(2)).await;
    reader.assert_no_inversion();
    // What was in flight when the broker died is confirmed by now, or else nothing could pass it.
    let frozen = bench.checkpoint().await.unwrap();
    bench.collection("posts").insert_one(doc! {"_id": "after"}).await.unwrap();
    eventually("the checkpoint moves on", async || bench.checkpoint().await.unwrap()["position"] != frozen["position"])
        .await;
}
