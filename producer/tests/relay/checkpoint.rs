//! The checkpoint moves only behind what is confirmed, and a restart goes on from it.

use std::time::Duration;

use bson::{Bson, doc};
use mongodb::bson::Document;
use shared::{DocumentType, Identity, Operation};

use crate::bench::{Bench, PARTITIONS};
use crate::deadline::eventually;
use crate::process::Producer;

fn partition_of(collection: DocumentType, id: impl Into<Bson>) -> u16 {
    Identity::of(collection, &id.into()).expect("identity").partition(PARTITIONS)
}

/// Rule 12: a publish is done when its confirm has come and no return has.
#[tokio::test(flavor = "multi_thread")]
async fn an_unbound_queue_freezes_the_checkpoint_and_loses_nothing() {
    let bench = Bench::new().await;
    let posts = bench.collection("posts");
    bench.database.create_collection("posts").await.unwrap();
    let mut reader = bench.read().await;
    let _producer = bench.start();
    reader.until("the first sweep", |r| r.is_swept(1)).await;
    posts.insert_one(doc! {"_id": 0}).await.unwrap();
    reader.until("the first event", |r| !r.of("posts", "0").is_empty()).await;
    let blocked = partition_of(DocumentType::Posts, 1);
    reader.unbind(blocked).await;
    posts.insert_one(doc! {"_id": 1}).await.unwrap();
    let elsewhere = (2..).find(|id| partition_of(DocumentType::Posts, *id) != blocked).unwrap();
    posts.insert_one(doc! {"_id": elsewhere}).await.unwrap();
    reader.until("another partition goes on", |r| !r.of("posts", &elsewhere.to_string()).is_empty()).await;
    // Whatever was confirmed before the unbinding may still be written down; then it stands still.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let frozen = bench.checkpoint().await.unwrap();
    for n in 0..50 {
        posts.update_one(doc! {"_id": 1}, doc! {"$set": {"n": n}}).await.unwrap();
    }
    reader.settle(Duration::from_secs(2)).await;
    assert_eq!(bench.checkpoint().await.unwrap()["position"], frozen["position"]);
    assert!(reader.of("posts", "1").is_empty());
    reader.bind(blocked).await;
    reader.until("all that was held", |r| r.of("posts", "1").len() >= 51).await;
    reader.assert_no_inversion();
    eventually("the checkpoint moves on", async || bench.checkpoint().await.unwrap()["position"] != frozen["position"])
        .await;
}

/// Execution 10 of the design.
#[tokio::test(flavor = "multi_thread")]
async fn killed_right_after_t0_the_restart_goes_on_from_the_stored_position() {
    let bench = Bench::new().await;
    let posts = bench.collection("posts");
    posts.insert_many([doc! {"_id": 1}, doc! {"_id": 2}]).await.unwrap();
    // Without a broker nothing can follow T0: the kill is sure to come before the first row and the first event.
    let mut producer = Producer::spawn(bench.command().arg("run").env("RABBITMQ_URI", "amqp://127.0.0.1:1/%2f"));
    eventually("T0 is stored", async || bench.checkpoint().await.is_some()).await;
    producer.kill();
    let t0 = bench.checkpoint().await.unwrap();
    posts.delete_one(doc! {"_id": 1}).await.unwrap();
    posts.insert_one(doc! {"_id": 3}).await.unwrap();
    let mut reader = bench.read().await;
    let _producer = bench.start();
    reader.until("the delete made in between", |r| r.count(Operation::Delete, "posts") == 1).await;
    reader.until("the insert made in between", |r| r.count(Operation::Insert, "posts") == 1).await;
    reader.until("the sweep", |r| r.count(Operation::Sweep, "posts") == usize::from(PARTITIONS)).await;
    let row = reader.of("posts", "2")[0];
    let stored = t0["snapshots"].as_array().unwrap()[0].as_document().unwrap().get_timestamp("t0").unwrap();
    assert_eq!(row.revision.seconds(), i64::from(stored.time), "the same T0");
    assert!(
        reader
            .of("posts", "1")
            .iter()
            .all(|event| event.revision > row.revision || event.operation == Operation::Snapshot)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_repeats_little_and_reads_no_snapshot_again() {
    let bench = Bench::new().await;
    bench.collection("posts").insert_one(doc! {"_id": 1}).await.unwrap();
    let mut reader = bench.read().await;
    let mut producer = bench.start();
    reader.until("the sweep", |r| r.is_swept(1)).await;
    assert_eq!(producer.stop().await, Some(0));
    bench.collection("posts").insert_one(doc! {"_id": 2}).await.unwrap();
    let leases = bench.client.database("twin_cdc").collection::<Document>("leases");
    let lease = leases.find_one(doc! {"_id": &bench.name}).await.unwrap().expect("a lease");
    assert!(*lease.get_datetime("expires_at").unwrap() <= bson::DateTime::now(), "the lease was given back: {lease}");
    let _producer = bench.start();
    reader.until("what changed in between", |r| !r.of("posts", "2").is_empty()).await;
    reader.settle(Duration::from_secs(2)).await;
    assert_eq!(reader.count(Operation::Snapshot, "posts"), 1);
}

/// For a fault harness: the last stage before a kill.
#[tokio::test(flavor = "multi_thread")]
async fn each_stage_can_be_traced() {
    let bench = Bench::new().await;
    bench.collection("posts").insert_one(doc! {"_id": 1}).await.unwrap();
    let mut reader = bench.read().await;
    let (_producer, log) = Producer::spawn_logged(bench.command().arg("run").env("RUST_LOG", "off,stage=trace"));
    reader.until("the sweep", |r| r.count(Operation::Sweep, "posts") == usize::from(PARTITIONS)).await;
    bench.collection("posts").insert_one(doc! {"_id": 2}).await.unwrap();
    for stage in ["snapshot row", "read", "publish", "confirm", "checkpoint"] {
        log.until(&format!("TRACE stage: {stage}\n")).await;
    }
}
