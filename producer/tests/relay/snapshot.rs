//! What was there before: copied once, in any order of ids, resumed where it was interrupted, void after a drop.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use bson::spec::BinarySubtype;
use bson::{Binary, Bson, DateTime, Document, RawDocumentBuf, Timestamp, Uuid, doc, oid::ObjectId};
use futures_util::TryStreamExt;
use mongodb::Collection;
use shared::Operation;

use crate::bench::{Bench, PARTITIONS, scripted_mongodb};
use crate::deadline::eventually;
use crate::process::{Producer, output};
use crate::reader::Reader;
use crate::resync::break_history;

const ALL: usize = PARTITIONS as usize;
/// Rows that a worker reads ahead of what is stored.
const CHUNK: usize = 8 * 1000;

async fn fill(bench: &Bench, collection: &str, documents: i32) {
    let rows = |from: i32| (from..documents.min(from + 1000)).map(|id| doc! {"_id": id, "content": "x".repeat(200)});
    for from in (0..documents).step_by(1000) {
        bench.collection(collection).insert_many(rows(from)).await.unwrap();
    }
}

fn rows(reader: &Reader, collection: &str) -> usize {
    reader.count(Operation::Snapshot, collection)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_mid_snapshot_repeats_no_more_than_a_chunk() {
    let bench = Bench::new().await;
    const DOCUMENTS: i32 = 25_000;
    fill(&bench, "posts", DOCUMENTS).await;
    let posts = bench.collection("posts");
    let mut reader = bench.read().await;
    let mut producer = Producer::spawn(bench.command().arg("run"));
    let mut changed = HashMap::new();
    for (kill, upto) in [10_000, 15_000].into_iter().enumerate() {
        reader.until("a part", |r| rows(r, "posts") > upto).await;
        // Some of these are copied already, some not.
        for id in [5, 9_000, 24_999] {
            posts.update_one(doc! {"_id": id}, doc! {"$set": {"content": format!("{kill}")}}).await.unwrap();
            changed.insert(id.to_string(), kill + 1);
        }
        producer.kill();
        producer = bench.start();
    }
    reader.until("the sweep", |r| r.count(Operation::Sweep, "posts") == ALL).await;
    reader.until("every change", |r| changed.iter().all(|(id, changes)| updates(r, id).len() >= *changes)).await;
    let copied =
        reader.arrived.iter().map(|arrived| &arrived.event).filter(|event| event.operation == Operation::Snapshot);
    let (ids, t0s): (HashSet<_>, HashSet<_>) = copied.map(|event| (event.id, event.revision)).unzip();
    assert_eq!((ids.len(), t0s.len()), (DOCUMENTS as usize, 1), "all of them, as of one T0");
    let repeated = rows(&reader, "posts") - ids.len();
    assert!(repeated <= 2 * CHUNK, "{repeated} rows came twice");
    let t0 = t0s.into_iter().next();
    for id in changed.keys() {
        assert!(updates(&reader, id).into_iter().all(|revision| Some(revision) > t0), "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_no_more_than_a_chunk_ahead_of_what_is_stored() {
    let mongodb = scripted_mongodb().await;
    let bench = Bench::with_mongodb(&mongodb).await;
    const DOCUMENTS: i32 = 12_000;
    fill(&bench, "posts", DOCUMENTS).await;
    let mut waiting = Producer::spawn(bench.command().arg("run").env("RABBITMQ_URI", "amqp://127.0.0.1:1/%2f"));
    eventually("T0 is stored", async || bench.checkpoint().await.is_some()).await;
    waiting.kill();
    const UNKNOWN_ERROR: i32 = 8;
    bench.fail("update", Some("twin_cdc.checkpoints"), UNKNOWN_ERROR).await;
    let mut reader = bench.read().await;
    let _producer = bench.start();
    reader.until("a chunk", |r| rows(r, "posts") >= CHUNK).await;
    reader.settle(Duration::from_secs(1)).await;
    assert_eq!(rows(&reader, "posts"), CHUNK);
    bench.mend().await;
    reader.until("the sweep", |r| r.count(Operation::Sweep, "posts") == ALL).await;
    assert_eq!(rows(&reader, "posts"), DOCUMENTS as usize);
}

fn updates(reader: &Reader, id: &str) -> Vec<shared::Revision> {
    let of = reader.of("posts", id).into_iter();
    of.filter(|event| event.operation == Operation::Update).map(|event| event.revision).collect()
}

/// Ids of all types that MongoDB takes, with one that no driver would write.
fn ids() -> Vec<Bson> {
    let decimal: bson::Decimal128 = "9.1".parse().unwrap();
    let binary = Binary { subtype: BinarySubtype::Generic, bytes: vec![1, 2] };
    vec![
        Bson::MinKey,
        Bson::Null,
        f64::NAN.into(),
        f64::NEG_INFINITY.into(),
        1.into(),
        2.5.into(),
        i64::MAX.into(),
        decimal.into(),
        "".into(),
        "a".into(),
        "ab".into(),
        "x".repeat(5000).into(),
        doc! {}.into(),
        doc! {"a": {"b": 1}}.into(),
        doc! {"a": doc! {"b": 1}, "c": "x"}.into(),
        binary.into(),
        Uuid::new().into(),
        ObjectId::new().into(),
        false.into(),
        true.into(),
        DateTime::now().into(),
        Timestamp { time: 1, increment: 2 }.into(),
        Bson::MaxKey,
    ]
}

fn no_text() -> RawDocumentBuf {
    let mut bytes = bson::rawdoc! {"_id": "a~b"}.into_bytes();
    bytes.iter_mut().filter(|byte| **byte == b'~').for_each(|byte| *byte = 0xff);
    RawDocumentBuf::from_bytes(bytes).unwrap()
}

/// The same ids in a plain collection, one with a collation, and a clustered one.
async fn fill_with_all_kinds(bench: &Bench) -> Vec<&'static str> {
    bench
        .database
        .run_command(doc! {"create": "articles", "collation": {"locale": "en", "strength": 1}})
        .await
        .unwrap();
    let clustered = doc! {"create": "posts", "clusteredIndex": {"key": {"_id": 1}, "unique": true}};
    bench.database.run_command(clustered).await.unwrap();
    let collections = vec!["users", "articles", "posts"];
    for collection in &collections {
        for id in ids() {
            // (6.0 cannot cluster by a NaN.)
            if !(*collection == "posts" && id.as_f64().is_some_and(f64::is_nan)) {
                bench.collection(collection).insert_one(doc! {"_id": id, "content": "x"}).await.unwrap();
            }
        }
        bench.insert_raw(collection, no_text()).await;
    }
    collections
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_of_any_kind_is_copied_once_and_is_a_place_to_go_on_from() {
    let bench = Bench::new().await;
    let collections = fill_with_all_kinds(&bench).await;
    let mut expected = HashMap::new();
    for collection in &collections {
        let raw: Collection<RawDocumentBuf> = bench.database.collection(collection);
        let rows: Vec<_> = raw.find(doc! {}).sort(doc! {"_id": 1}).await.unwrap().try_collect().await.unwrap();
        assert!(rows.len() >= ids().len(), "{collection}");
        expected.insert(*collection, rows);
    }
    let longest = expected.values().map(Vec::len).max().unwrap();
    let mut reader = bench.read().await;
    // The rest after each row, another in each collection: T0 is stored, a boundary is put in its place, and the copy
    // goes on from there.
    for from in (0..=longest).step_by(2) {
        let mut waiting = Producer::spawn(bench.command().arg("run").env("RABBITMQ_URI", "amqp://127.0.0.1:1/%2f"));
        eventually("T0 is stored", async || bench.checkpoint().await.is_some()).await;
        waiting.kill();
        let mut left = HashMap::new();
        for (at, collection) in collections.iter().enumerate() {
            let rows = &expected[collection];
            let done = (from + at).min(rows.len());
            let boundary = done.checked_sub(1).and_then(|last| boundary(&rows[last]));
            // One that is too large to be stored leaves the copy where it was.
            left.insert(*collection, if boundary.is_some() { rows.len() - done } else { rows.len() });
            set_boundary(&bench, collection, boundary).await;
        }
        reader.arrived.clear();
        reader.dead.clear();
        let mut producer = bench.start();
        let swept = |r: &Reader| collections.iter().all(|collection| r.count(Operation::Sweep, collection) == ALL);
        reader.until("the sweeps", swept).await;
        reader.settle(Duration::from_millis(300)).await;
        for (collection, left) in left {
            let dead = reader.dead.iter().filter(|letter| {
                let letter: serde_json::Value = serde_json::from_slice(&letter.data).unwrap();
                letter["type"] == collection
            });
            assert_eq!(rows(&reader, collection) + dead.count(), left, "{collection}, round {from}");
        }
        assert_eq!(producer.stop().await, Some(0));
        let checkpoints = bench.client.database("twin_cdc").collection::<Document>("checkpoints");
        checkpoints.delete_one(doc! {"_id": &bench.name}).await.unwrap();
    }
}

/// As it is stored: the type's byte and the bytes of the value. An `_id` is the first field of every document.
fn boundary(row: &RawDocumentBuf) -> Option<Binary> {
    let element = row.iter_elements().next().unwrap().unwrap();
    let value = &row.as_bytes()[4 + 1 + "_id\0".len()..][..element.size()];
    let bytes = [&[row.as_bytes()[4]], value].concat();
    (bytes.len() <= 4097).then_some(Binary { subtype: BinarySubtype::Generic, bytes })
}

async fn set_boundary(bench: &Bench, collection: &str, after: Option<Binary>) {
    let Some(after) = after else { return };
    let checkpoints = bench.client.database("twin_cdc").collection::<Document>("checkpoints");
    let set = doc! {"$set": {"snapshots.$[one].copied": {"after": after, "rows": 0_i64}}};
    let updated = checkpoints.update_one(doc! {"_id": &bench.name}, set).array_filters([doc! {"one.type": collection}]);
    assert_eq!(updated.await.unwrap().modified_count, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drop_in_mid_snapshot_voids_it() {
    let bench = Bench::new().await;
    fill(&bench, "posts", 40_000).await;
    let mut reader = bench.read().await;
    let _producer = bench.start();
    reader.until("the first row", |r| rows(r, "posts") > 0).await;
    bench.collection("posts").drop().await.unwrap();
    reader.until("the drop", |r| r.count(Operation::Drop, "posts") == ALL).await;
    bench.collection("posts").insert_one(doc! {"_id": "after"}).await.unwrap();
    reader.until("streaming goes on", |r| !r.of("posts", "after").is_empty()).await;
    reader.settle(Duration::from_secs(1)).await;
    assert!(rows(&reader, "posts") < 40_000, "dropped too late to prove anything");
    let mut dropped = HashSet::new();
    for arrived in &reader.arrived {
        let event = &arrived.event;
        match event.operation {
            Operation::Drop => drop(dropped.insert(arrived.partition)),
            Operation::Snapshot => assert!(!dropped.contains(&arrived.partition), "a row after its drop"),
            Operation::Sweep => assert_ne!(event.document_type().as_str(), "posts", "a sweep of what is void"),
            _ => {}
        }
    }
    eventually("nothing is left to do", async || {
        bench.checkpoint().await.unwrap().get_array("snapshots").unwrap().is_empty()
    })
    .await;
}

/// Execution 10 of the design: what changed in the gap among the rows that were copied would never be healed.
#[tokio::test(flavor = "multi_thread")]
async fn lost_history_voids_a_snapshot_that_is_half_done() {
    let bench = Bench::new().await;
    const DOCUMENTS: i32 = 30_000;
    fill(&bench, "posts", DOCUMENTS).await;
    let mut reader = bench.read().await;
    let mut producer = bench.start();
    // Not a later row: the reader comes behind the producer.
    reader.until("the first row", |r| rows(r, "posts") > 0).await;
    eventually("a page is stored", async || copied(&bench).await > 0).await;
    producer.kill();
    let (_, status) = output(bench.command().arg("status"));
    assert!(status.contains("of about 30,000 documents"), "{status}");
    reader.settle(Duration::from_millis(300)).await;
    let before = reader.arrived.len();
    assert_eq!(reader.count(Operation::Sweep, "posts"), 0, "killed too late to prove anything");
    bench.collection("posts").delete_one(doc! {"_id": 0}).await.unwrap();
    break_history(&bench).await;
    let _producer = bench.start();
    reader.until("the sweep", |r| r.count(Operation::Sweep, "posts") == ALL).await;
    let former = reader.of("posts", "0")[0].revision;
    let anew = reader.arrived[before..].iter().map(|arrived| &arrived.event);
    let of_posts: Vec<_> = anew.filter(|event| event.document_type().as_str() == "posts").collect();
    assert!(of_posts.iter().all(|event| event.revision > former), "a new T0 for rows and sweep");
    let again = of_posts.iter().filter(|event| event.operation == Operation::Snapshot).count();
    assert_eq!(again, DOCUMENTS as usize - 1, "from the start");
}

async fn copied(bench: &Bench) -> i64 {
    let stored = bench.checkpoint().await.unwrap();
    let of_posts = |snapshot: &&Bson| snapshot.as_document().unwrap()["type"] == Bson::from("posts");
    let snapshot = stored.get_array("snapshots").unwrap().iter().find(of_posts).unwrap().as_document().unwrap();
    snapshot.get_document("copied").unwrap().get_i64("rows").unwrap()
}

/// Pages follow the bytes of their rows.
#[tokio::test(flavor = "multi_thread")]
async fn large_rows_are_copied_in_small_pages() {
    let bench = Bench::new().await;
    let large = "x".repeat(1 << 20);
    for id in 0..40 {
        bench.collection("articles").insert_one(doc! {"_id": id, "content": &large}).await.unwrap();
    }
    let mut reader = bench.read().await;
    let _producer = bench.start();
    reader.until("the sweep", |r| r.count(Operation::Sweep, "articles") == ALL).await;
    assert_eq!(rows(&reader, "articles"), 40);
}
