//! `producer resync`: a running producer relays documents anew.

use std::time::Duration;

use bson::{Document, doc};
use shared::{ChangeEvent, Operation};

use crate::bench::{Bench, PARTITIONS};
use crate::deadline::eventually;
use crate::process::{Producer, output};
use crate::reader::Reader;

const ALL: usize = PARTITIONS as usize;

async fn sync(reader: &mut Reader) {
    for collection in ["users", "articles", "posts", "repositories"] {
        reader.until("the first sweeps", |r| r.count(Operation::Sweep, collection) == ALL).await;
    }
    reader.arrived.clear();
}

async fn requests(bench: &Bench) -> u64 {
    let requests = bench.client.database("twin_cdc").collection::<Document>("resyncs");
    requests.count_documents(doc! {"database": &bench.name}).await.unwrap()
}

fn said(bench: &Bench, arguments: &[&str]) -> String {
    let (code, said) = output(bench.command().arg("resync").args(arguments));
    assert_eq!(code, Some(0), "{said}");
    said
}

fn documents(reader: &Reader) -> Vec<(&ChangeEvent, &str)> {
    let document = |event: &'_ ChangeEvent| event.identity().is_some();
    let events = reader.arrived.iter().map(|arrived| &arrived.event).filter(|event| document(event));
    let mut documents: Vec<_> = events.map(|event| (event, event.identity().unwrap().entry_id.as_str())).collect();
    documents.sort_by_key(|(_, id)| *id);
    documents
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_type_is_relayed_anew_and_swept() {
    let bench = Bench::new().await;
    bench.collection("posts").insert_many([doc! {"_id": 1}, doc! {"_id": 2}]).await.unwrap();
    bench.collection("articles").insert_one(doc! {"_id": 3}).await.unwrap();
    let mut reader = bench.read().await;
    let _producer = bench.start();
    sync(&mut reader).await;
    let text = said(&bench, &["--type", "posts", "--wait"]);
    assert!(text.contains("all posts") && text.ends_with("done\n"), "{text}");
    reader.until("the sweep", |r| r.count(Operation::Sweep, "posts") == ALL).await;
    assert_eq!(reader.count(Operation::Snapshot, "posts"), 2);
    assert_eq!(reader.arrived.len(), 2 + ALL, "nothing of any other type");
    assert!(documents(&reader).iter().all(|(event, _)| !event.repair));
    eventually("the request is removed", async || requests(&bench).await == 0).await;
    said(&bench, &["--wait"]);
    sync(&mut reader).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_and_keys_bring_what_they_name_and_no_sweep() {
    let bench = Bench::new().await;
    let posts = bench.collection("posts");
    posts.insert_many((0..10).map(|id| doc! {"_id": id, "platform": if id < 3 { "a" } else { "b" }})).await.unwrap();
    let mut reader = bench.read().await;
    let _producer = bench.start();
    sync(&mut reader).await;

    said(&bench, &["--type", "posts", "--filter", r#"{"platform": "a"}"#, "--wait"]);
    reader.until("three rows", |r| documents(r).len() == 3).await;
    let found: Vec<_> = documents(&reader).into_iter().map(|(event, id)| (event.operation, event.repair, id)).collect();
    assert_eq!(found, ["0", "1", "2"].map(|id| (Operation::Snapshot, false, id)));
    reader.arrived.clear();

    said(&bench, &["--type", "posts", "--keys", "7", "int:8", "str:7", "--wait"]);
    reader.until("three documents", |r| documents(r).len() == 3).await;
    let found: Vec<_> = documents(&reader).into_iter().map(|(event, id)| (event.operation, event.repair, id)).collect();
    assert_eq!(found.iter().filter(|found| **found == (Operation::Delete, false, "7")).count(), 1, "{found:?}");
    assert_eq!(found.iter().filter(|found| **found == (Operation::Snapshot, true, "7")).count(), 1, "{found:?}");
    assert_eq!(found[2], (Operation::Snapshot, true, "8"));
    reader.settle(Duration::from_secs(1)).await;
    assert_eq!(reader.arrived.len(), 3, "no sweep");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_asked_for_without_a_producer_is_done_when_one_starts() {
    let bench = Bench::new().await;
    let mut reader = bench.read().await;
    let mut producer = bench.start();
    sync(&mut reader).await;
    assert_eq!(producer.stop().await, Some(0));
    let text = said(&bench, &["--type", "posts", "--keys", "gone"]);
    assert!(text.contains("when one starts"), "{text}");
    let _producer = bench.start();
    reader.until("the delete", |r| r.count(Operation::Delete, "posts") == 1).await;
    assert_eq!(documents(&reader)[0].1, "gone");
    eventually("the request is removed", async || requests(&bench).await == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_type_that_is_not_relayed_is_refused() {
    let bench = Bench::new().await;
    // Nobody knows yet what will be relayed.
    said(&bench, &["--type", "users"]);
    let _producer = Producer::spawn(bench.command().arg("run").env("TYPES", "posts"));
    let written = bench.client.database("twin_cdc").collection::<Document>("resyncs");
    let refused = doc! {"database": &bench.name, "refused": "users is not among the producer's TYPES"};
    eventually("it is refused", async || written.count_documents(refused.clone()).await.unwrap() == 1).await;
    let (code, said) = output(bench.command().args(["resync", "--type", "users"]));
    assert_eq!((code, said.contains("its TYPES: posts")), (Some(2), true), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_request_is_one_clear_line() {
    let bench = Bench::new().await;
    for (arguments, expected) in [
        (vec!["--keys", "7"], "--keys: needs exactly one --type"),
        (vec!["--type", "posts", "--keys", "oid:7"], "`oid:7` is no key"),
        (vec!["--type", "nothing"], "unknown type `nothing`"),
        (vec!["--type", "posts", "--filter", "{platform: 1}"], "--filter: is not JSON"),
        (vec!["--type", "posts", "--filter", r#"{"$nothing": 1}"#], "unknown top level operator: $nothing"),
        (vec!["--type", "posts", "--filter", "{}", "--keys", "7"], "cannot be used with"),
    ] {
        let (code, said) = output(bench.command().arg("resync").args(&arguments));
        assert_eq!(code, Some(2), "{arguments:?}: {said}");
        assert!(said.contains(expected) && said.lines().count() == 1, "{arguments:?}: {said}");
    }
    let mut unreachable = bench.command();
    unreachable.arg("resync").env("MONGODB_URI", "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=500");
    assert_eq!(output(&mut unreachable).0, Some(3));
    assert_eq!(requests(&bench).await, 0);
}

/// Anyone can write there.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_none_is_refused_and_harms_nothing() {
    let bench = Bench::new().await;
    let mut reader = bench.read().await;
    let _producer = bench.start();
    sync(&mut reader).await;
    let written = bench.client.database("twin_cdc").collection::<Document>("resyncs");
    let wrong = doc! {"_id": 7, "database": &bench.name, "type": "nothing"};
    let filter = doc! {"_id": bson::Uuid::new().to_string(), "database": &bench.name, "type": "posts",
    "filter": r#"{"$nothing": 1}"#, "requested_at": bson::DateTime::now(), "requested_by": "a test"};
    let old =
        doc! {"_id": 8, "database": &bench.name, "refused": "long ago", "refused_at": bson::DateTime::from_millis(0)};
    written.insert_many([old, wrong, filter]).await.unwrap();
    let refused = doc! {"database": &bench.name, "refused": {"$exists": true}};
    eventually("both are refused", async || written.count_documents(refused.clone()).await.unwrap() == 2).await;
    said(&bench, &["--type", "posts", "--keys", "gone", "--wait"]);
    reader.until("the delete", |r| r.count(Operation::Delete, "posts") == 1).await;
}

/// What a filter does to a row that comes late is seen only when it is read.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_is_told_of_a_filter_that_fails_on_a_later_row() {
    let bench = Bench::new().await;
    bench.collection("posts").insert_many([doc! {"_id": 1, "n": 1}, doc! {"_id": 2, "n": 0}]).await.unwrap();
    let mut reader = bench.read().await;
    let _producer = bench.start();
    sync(&mut reader).await;
    let filter = r#"{"$expr": {"$gt": [{"$divide": [1, "$n"]}, 0]}}"#;
    let (code, text) = output(bench.command().args(["resync", "--type", "posts", "--filter", filter, "--wait"]));
    assert!(code == Some(1) && text.contains("the filter does not run"), "{code:?} {text}");
    eventually("nothing is left of the request", async || requests(&bench).await == 0).await;
    said(&bench, &["--type", "posts", "--keys", "1", "--wait"]);
    reader.until("the row", |r| r.count(Operation::Snapshot, "posts") == 1).await;
}
