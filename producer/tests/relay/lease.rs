//! One producer at a time.

use std::time::Duration;

use bson::doc;
use mongodb::bson::Document;
use shared::Operation;

use crate::bench::{Bench, scripted_mongodb};
use crate::deadline::eventually;
use crate::http::{free_address, readyz};
use crate::process::Producer;

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_takes_over_after_kill_9() {
    let bench = Bench::new().await;
    let mut reader = bench.read().await;
    let mut active = bench.start();
    reader.until("the first sweep", |r| r.is_swept(1)).await;
    let (_standby, log) = Producer::spawn_logged(bench.command().arg("run"));
    log.until("standing by").await;
    bench.collection("posts").insert_one(doc! {"_id": 1}).await.unwrap();
    reader.until("the active one relays", |r| !r.of("posts", "1").is_empty()).await;
    active.kill();
    bench.collection("posts").insert_one(doc! {"_id": 2}).await.unwrap();
    reader.until("the standby relays", |r| !r.of("posts", "2").is_empty()).await;
}

/// An hour before it runs out: only that its holder is gone ends it.
async fn prolong(bench: &Bench, process: Option<bson::Bson>) {
    let leases = bench.client.database("twin_cdc").collection::<Document>("leases");
    let later = bson::DateTime::from_millis(bson::DateTime::now().timestamp_millis() + 3_600_000);
    let mut set = doc! {"expires_at": later};
    set.extend(process.map(|pid| doc! {"process.pid": pid}).unwrap_or_default());
    let prolonged = leases.update_one(doc! {"_id": &bench.name}, doc! {"$set": set}).await.unwrap();
    assert_eq!(prolonged.matched_count, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_after_kill_9_does_not_wait_for_the_lease_to_run_out() {
    let bench = Bench::new().await;
    let mut reader = bench.read().await;
    let mut producer = bench.start();
    reader.until("the first sweep", |r| r.is_swept(1)).await;
    producer.kill();
    prolong(&bench, None).await;
    bench.collection("posts").insert_one(doc! {"_id": 1}).await.unwrap();
    let _restarted = bench.start();
    reader.until("it relays", |r| !r.of("posts", "1").is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lease_of_a_process_that_is_there_is_left_alone() {
    let bench = Bench::new().await;
    let mut reader = bench.read().await;
    let mut producer = bench.start();
    reader.until("the first sweep", |r| r.is_swept(1)).await;
    producer.kill();
    // This test is a process that is there.
    prolong(&bench, Some(i32::try_from(std::process::id()).unwrap().into())).await;
    bench.collection("posts").insert_one(doc! {"_id": 1}).await.unwrap();
    let (_standby, log) = Producer::spawn_logged(bench.command().arg("run"));
    log.until("standing by").await;
    reader.settle(Duration::from_secs(2)).await;
    assert!(reader.of("posts", "1").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_producer_that_wakes_up_neither_publishes_nor_moves_the_checkpoint() {
    let bench = Bench::new().await;
    let posts = bench.collection("posts");
    let mut reader = bench.read().await;
    let zombie = bench.start();
    reader.until("the first sweep", |r| r.is_swept(1)).await;
    zombie.signal("-STOP");
    let _successor = bench.start();
    posts.insert_one(doc! {"_id": 1}).await.unwrap();
    reader.until("the successor relays", |r| !r.of("posts", "1").is_empty()).await;
    zombie.signal("-CONT");
    for id in 2..50 {
        posts.insert_one(doc! {"_id": id}).await.unwrap();
    }
    reader.until("the last", |r| !r.of("posts", "49").is_empty()).await;
    reader.settle(Duration::from_secs(2)).await;
    assert_eq!(reader.count(Operation::Insert, "posts"), 49, "each once");
    assert_eq!(bench.checkpoint().await.unwrap().get_i64("epoch").ok(), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_checkpoint_of_a_later_epoch_stops_the_one_at_work() {
    let bench = Bench::new().await;
    let mut reader = bench.read().await;
    let (_producer, log) = Producer::spawn_logged(bench.command().arg("run"));
    reader.until("the first sweep", |r| r.is_swept(1)).await;
    // With nothing left to write, it learns of the other epoch only after the next change.
    let is_done = |stored: Document| stored.get_datetime("snapshot_finished_at").is_ok();
    eventually("the snapshots are stored as done", async || bench.checkpoint().await.is_some_and(is_done)).await;
    let checkpoints = bench.client.database("twin_cdc").collection::<Document>("checkpoints");
    let marked = doc! {"$set": {"epoch": 1000_i64, "mark": "not to be written over"}};
    checkpoints.update_one(doc! {"_id": &bench.name}, marked).await.unwrap();
    let before = bench.checkpoint().await.unwrap();
    bench.collection("posts").insert_one(doc! {"_id": 1}).await.unwrap();
    reader.until("what was read before it knew", |r| !r.of("posts", "1").is_empty()).await;
    log.until("standing by").await;
    assert_eq!(bench.checkpoint().await.unwrap()["position"], before["position"]);
}

/// The broker is back, the lease cannot be renewed: that is MongoDB's failure, and ends the turn.
#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_cannot_be_renewed_is_no_fault_of_the_broker() {
    let mongodb = scripted_mongodb().await;
    let bench = Bench::with_mongodb(&mongodb).await;
    let address = free_address();
    let reader = bench.read().await;
    let _producer = Producer::spawn(bench.command().arg("run").env("PRODUCER_HTTP_LISTEN", address.to_string()));
    eventually("it is ready", async || readyz(address).contains("200 OK")).await;
    eventually("T0 is stored", async || bench.checkpoint().await.is_some()).await;
    const UNKNOWN_ERROR: i32 = 8;
    bench.fail("update", Some("twin_cdc.leases"), UNKNOWN_ERROR).await;
    bench.close_connections().await;
    let mut said = Vec::new();
    eventually("MongoDB is said to fail", async || {
        said.push(readyz(address));
        said.iter().any(|said| said.contains("mongodb: MongoDB:"))
    })
    .await;
    assert!(!said.iter().any(|said| said.contains("rabbitmq: MongoDB")), "{said:#?}");
    bench.mend().await;
    drop(reader);
    let mut reader = bench.read().await;
    bench.collection("posts").insert_one(doc! {"_id": 1}).await.unwrap();
    reader.until("it relays again", |r| !r.of("posts", "1").is_empty()).await;
}
