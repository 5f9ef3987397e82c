//! One producer at a time.

use std::time::Duration;

use bson::doc;
use mongodb::bson::Document;
use shared::Operation;

use crate::bench::{Bench, PARTITIONS};

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_takes_over_after_kill_9() {
    let bench = Bench::new().await;
    let mut reader = bench.read().await;
    let mut active = bench.start();
    reader.until("the first sweep", |r| r.count(Operation::Sweep, "repositories") == usize::from(PARTITIONS)).await;
    let _standby = bench.start();
    tokio::time::sleep(Duration::from_secs(2)).await;
    bench.collection("posts").insert_one(doc! {"_id": 1}).await.unwrap();
    reader.until("the active one relays", |r| !r.of("posts", "1").is_empty()).await;
    active.kill();
    bench.collection("posts").insert_one(doc! {"_id": 2}).await.unwrap();
    reader.until("the standby relays", |r| !r.of("posts", "2").is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_producer_that_wakes_up_neither_publishes_nor_moves_the_checkpoint() {
    let bench = Bench::new().await;
    let posts = bench.collection("posts");
    let mut reader = bench.read().await;
    let zombie = bench.start();
    reader.until("the first sweep", |r| r.count(Operation::Sweep, "repositories") == usize::from(PARTITIONS)).await;
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
    let _producer = bench.start();
    reader.until("the first sweep", |r| r.count(Operation::Sweep, "repositories") == usize::from(PARTITIONS)).await;
    let checkpoints = bench.client.database("twin_cdc").collection::<Document>("checkpoints");
    let marked = doc! {"$set": {"epoch": 1000_i64, "mark": "not to be written over"}};
    checkpoints.update_one(doc! {"_id": &bench.name}, marked).await.unwrap();
    let before = bench.checkpoint().await.unwrap();
    bench.collection("posts").insert_one(doc! {"_id": 1}).await.unwrap();
    reader.until("what was read before it knew", |r| !r.of("posts", "1").is_empty()).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(bench.checkpoint().await.unwrap()["position"], before["position"]);
}
