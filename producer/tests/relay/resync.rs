//! Everything anew: after lost history and after a reset.

use bson::doc;
use mongodb::bson::Document;
use shared::Operation;

use crate::bench::{Bench, PARTITIONS, scripted_mongodb};
use crate::process::{Producer, output};

pub(crate) async fn break_history(bench: &Bench) {
    let checkpoints = bench.client.database("twin_cdc").collection::<Document>("checkpoints");
    let broken = doc! {"$set": {"position": {"token": {"_data": "82FFFF"}}}};
    checkpoints.update_one(doc! {"_id": &bench.name}, broken).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_history_is_healed_by_a_resync_or_stops_as_the_setting_says() {
    let bench = Bench::new().await;
    let mut reader = bench.read().await;
    let all = usize::from(PARTITIONS);
    let mut producer = bench.start();
    reader.until("the first sweep", |r| r.is_swept(1)).await;
    assert_eq!(producer.stop().await, Some(0));
    break_history(&bench).await;
    let mut failing = Producer::spawn(bench.command().arg("run").env("ON_HISTORY_LOST", "fail"));
    assert_eq!(failing.ended().await, Some(1));
    bench.collection("posts").insert_one(doc! {"_id": 7}).await.unwrap();
    let _producer = bench.start();
    reader.until("the row, then the sweep of a resync", |r| r.count(Operation::Sweep, "posts") == 2 * all).await;
    assert_eq!(reader.of("posts", "7")[0].operation, Operation::Snapshot);
    bench.collection("posts").delete_one(doc! {"_id": 7}).await.unwrap();
    reader.until("streaming goes on", |r| r.count(Operation::Delete, "posts") == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_relays_everything_anew_and_is_refused_while_a_producer_is_at_work() {
    let bench = Bench::new().await;
    bench.collection("posts").insert_one(doc! {"_id": 1}).await.unwrap();
    let mut reader = bench.read().await;
    let mut producer = bench.start();
    reader.until("the first sweep", |r| r.is_swept(1)).await;
    let (code, said) = output(bench.command().args(["checkpoint", "reset"]));
    assert_eq!((code, said.contains("--force")), (Some(1), true), "{said}");
    assert_eq!(producer.stop().await, Some(0));
    let (code, said) = output(bench.command().args(["checkpoint", "reset"]));
    assert_eq!(code, Some(0), "{said}");
    let _producer = bench.start();
    reader.until("a second snapshot", |r| r.is_swept(2)).await;
    assert_eq!(reader.count(Operation::Snapshot, "posts"), 2);
    let (code, said) = output(bench.command().args(["checkpoint", "reset", "--force"]));
    assert_eq!(code, Some(0), "{said}");
    reader.until("a third, by the producer at work", |r| r.is_swept(3)).await;
}

/// The server says so at every look, with nothing to relay in between but an idle stream's token and rows.
#[tokio::test(flavor = "multi_thread")]
async fn history_that_is_lost_again_and_again_stops_the_producer() {
    let mongodb = scripted_mongodb().await;
    let bench = Bench::with_mongodb(&mongodb).await;
    bench.collection("posts").insert_one(doc! {"_id": 1}).await.unwrap();
    const CHANGE_STREAM_HISTORY_LOST: i32 = 286;
    bench.fail("getMore", None, CHANGE_STREAM_HISTORY_LOST).await;
    let (mut producer, log) = Producer::spawn_logged(bench.command().arg("run"));
    assert_eq!(producer.ended().await, Some(1));
    log.until("3 times without a single change").await;
}

/// `$out`, a restore: no insert is reported for what a rename brings, so its snapshot must not be forgotten.
#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_cannot_be_stored_is_begun_as_soon_as_it_can() {
    let mongodb = scripted_mongodb().await;
    let bench = Bench::with_mongodb(&mongodb).await;
    let mut reader = bench.read().await;
    let all = usize::from(PARTITIONS);
    let (_producer, log) = Producer::spawn_logged(bench.command().arg("run"));
    reader.until("the first sweep", |r| r.is_swept(1)).await;
    bench.collection("stage").insert_one(doc! {"_id": 1, "content": "staged"}).await.unwrap();
    const UNKNOWN_ERROR: i32 = 8;
    bench.fail("update", Some("twin_cdc.checkpoints"), UNKNOWN_ERROR).await;
    let rename = doc! {"renameCollection": format!("{}.stage", bench.name), "to": format!("{}.posts", bench.name)};
    bench.client.database("admin").run_command(rename).await.unwrap();
    log.until("snapshot not begun").await;
    bench.mend().await;
    reader.until("a row and a sweep", |r| r.count(Operation::Sweep, "posts") == 2 * all).await;
    assert_eq!(reader.count(Operation::Snapshot, "posts"), 1);
}
