//! The rest of what a change stream can bring: each event that the design names is what arrives.

use bson::{Binary, Bson, doc, spec::BinarySubtype};
use futures_util::StreamExt;
use mongodb::bson::Document;
use serde_json::Value;
use shared::{Operation, body};

use crate::bench::{Bench, PARTITIONS, scripted_mongodb};
use crate::deadline::eventually;
use crate::http::{free_address, readyz};
use crate::process::{Producer, output};
use crate::reader::Reader;

const ALL: usize = PARTITIONS as usize;

/// A producer that streams, and what it has sent so far.
async fn streaming(bench: &Bench) -> (Producer, Reader) {
    let mut reader = bench.read().await;
    let producer = bench.start();
    reader.until("the first sweeps", |r| r.sweeps() == 4 * ALL).await;
    (producer, reader)
}

/// What is left of the posts downstream is what MongoDB holds.
async fn in_step(bench: &Bench, reader: &mut Reader) {
    let mut held = std::collections::BTreeMap::new();
    let mut found = bench.collection("posts").find(doc! {}).await.unwrap();
    while let Some(document) = found.next().await {
        let document = document.unwrap();
        let Value::Object(mut json) = Bson::from(document).into_relaxed_extjson() else { unreachable!("a document") };
        let id = json.remove("_id").unwrap();
        held.insert(id.as_str().map_or(id.to_string(), str::to_owned), Value::Object(json));
    }
    reader.until("all that MongoDB holds, and nothing else", |r| r.standing("posts") == held).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn out_into_a_type_replaces_what_stood_there() {
    let bench = Bench::new().await;
    bench.collection("posts").insert_many((0..5).map(|id| doc! {"_id": id, "content": "old"})).await.unwrap();
    bench.collection("source").insert_many((3..9).map(|id| doc! {"_id": id, "content": "new"})).await.unwrap();
    let (_producer, mut reader) = streaming(&bench).await;
    let out = bench.collection("source").aggregate([doc! {"$out": "posts"}]).await.unwrap();
    drop(out);
    reader.until("drop of what stood there", |r| r.count(Operation::Drop, "posts") == ALL).await;
    reader.until("rows of what came, then a sweep", |r| r.count(Operation::Sweep, "posts") == 2 * ALL).await;
    in_step(&bench, &mut reader).await;
    bench.collection("posts").delete_one(doc! {"_id": 3}).await.unwrap();
    in_step(&bench, &mut reader).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_dropped_under_load_comes_back_in_step() {
    let bench = Bench::new().await;
    let (_producer, mut reader) = streaming(&bench).await;
    let posts = bench.collection("posts");
    let writer = async {
        for n in 0..400 {
            // While the database is being dropped, a write may be refused.
            let _ = posts.update_one(doc! {"_id": n % 40}, doc! {"$set": {"n": n}}).upsert(true).await;
        }
    };
    let dropper = async {
        for _ in 0..3 {
            tokio::time::sleep(std::time::Duration::from_millis(150)).await;
            bench.database.drop().await.unwrap();
        }
    };
    tokio::join!(writer, dropper);
    posts.insert_one(doc! {"_id": "last"}).await.unwrap();
    reader.until("the last", |r| !r.of("posts", "last").is_empty()).await;
    in_step(&bench, &mut reader).await;
    assert!(reader.count(Operation::Drop, "posts") >= ALL);
    reader.assert_no_inversion();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_that_is_created_later_is_relayed() {
    let bench = Bench::new().await;
    let (_producer, mut reader) = streaming(&bench).await;
    bench.database.create_collection("repositories").await.unwrap();
    bench.collection("repositories").insert_one(doc! {"_id": 1, "name": "late"}).await.unwrap();
    reader.until("its insert", |r| r.count(Operation::Insert, "repositories") == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn large_documents_arrive_whole_or_say_that_they_do_not_fit() {
    let bench = Bench::new().await;
    let (_producer, mut reader) = streaming(&bench).await;
    let posts = bench.collection("posts");
    let length = |r: &Reader, id: &str| {
        let event = r.of("posts", id).pop()?.document.clone()?;
        event["content"].as_str().map(str::len)
    };
    posts.insert_one(doc! {"_id": "15", "content": "x".repeat(15 << 20)}).await.unwrap();
    posts.update_one(doc! {"_id": "15"}, doc! {"$set": {"n": 1}}).await.unwrap();
    reader.until("the update of 15 MB", |r| r.count(Operation::Update, "posts") == 1).await;
    assert_eq!(length(&reader, "15"), Some(15 << 20));
    posts.insert_one(doc! {"_id": "9", "content": "x".repeat(9 << 20)}).await.unwrap();
    posts.replace_one(doc! {"_id": "9"}, doc! {"content": "y".repeat(9_000_000)}).await.unwrap();
    reader.until("the replace", |r| r.count(Operation::Replace, "posts") == 1).await;
    assert_eq!(length(&reader, "9"), Some(9_000_000));

    let mut state = 1_u64;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_be_bytes()[0]
    });
    let bytes = noise.take(16_000_000).collect();
    let binary = Binary { subtype: BinarySubtype::Generic, bytes };
    posts.insert_one(doc! {"_id": "noise", "binary": binary}).await.unwrap();
    posts.insert_one(doc! {"_id": "next"}).await.unwrap();
    reader.until("what follows", |r| !r.of("posts", "next").is_empty() && !r.of("posts", "noise").is_empty()).await;
    let event = reader.of("posts", "noise")[0];
    assert_eq!((event.document.is_some(), event.omitted.as_deref()), (false, Some(body::TOO_LARGE)));
}

/// Of the longer one no server can send an event: its resume token alone is over 16 MB. Of the shorter one's, token and
/// document fit each, but not together.
#[tokio::test(flavor = "multi_thread")]
async fn an_id_of_eight_megabytes_ends_no_relay() {
    let bench = Bench::new().await;
    let (posts, address) = (bench.collection("posts"), free_address());
    let mut reader = bench.read().await;
    let (_producer, log) =
        Producer::spawn_logged(bench.command().arg("run").env("PRODUCER_HTTP_LISTEN", address.to_string()));
    reader.until("the first sweeps", |r| r.sweeps() == 4 * ALL).await;
    let arrives = |r: &Reader, id: &str| !r.of("posts", id).is_empty();
    for (name, megabytes) in [("shorter", 4), ("longer", 8)] {
        let long = name.chars().next().unwrap().to_string().repeat(megabytes << 20);
        // A cache that other tests share may be full for the moment.
        eventually("the long one is there", async || {
            posts.update_one(doc! {"_id": &long}, doc! {"$set": {"n": 0}}).upsert(true).await.is_ok()
        })
        .await;
        for n in 1..3 {
            let next = format!("after {n} of the {name}");
            posts.insert_one(doc! {"_id": &next}).await.unwrap();
            reader.until(&next, |r| arrives(r, &next)).await;
            eventually("its update", async || {
                posts.update_one(doc! {"_id": &long}, doc! {"$set": {"n": n}}).await.is_ok()
            })
            .await;
        }
        posts.insert_one(doc! {"_id": name}).await.unwrap();
        reader.until(name, |r| arrives(r, name) && arrives(r, &long)).await;
        in_step(&bench, &mut reader).await;
    }
    log.until("an event exceeds 16 MB even without its document").await;
    eventually("it lives on", async || readyz(address).contains("200 OK")).await;
}

/// Execution 4 of the design: what is relayed again after a kill within a transaction has the same place as before.
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_is_resumed_in_the_middle_keeps_its_order() {
    let bench = Bench::new().await;
    bench.database.create_collection("posts").await.unwrap();
    let (mut producer, mut reader) = streaming(&bench).await;
    assert_eq!(producer.stop().await, Some(0));
    transaction(&bench, "").await;
    // One message at a time, so that a kill finds the transaction half relayed.
    let slow = || Producer::spawn(bench.command().arg("run").env("PRODUCER_WINDOW_EVENTS", "1"));
    for seen in [50, 120, 200] {
        let mut producer = slow();
        reader.until("part of the transaction", |r| r.arrived.len() >= seen).await;
        producer.kill();
    }
    let _producer = slow();
    reader.until("its end", |r| r.of("posts", "1").iter().any(|event| event.revision.get() & 255 == 4)).await;
    in_step(&bench, &mut reader).await;
    each_event_has_one_place(&reader);
}

/// The same where the stream is opened anew between its batches.
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_whose_stream_breaks_in_the_middle_keeps_its_order() {
    let mongodb = scripted_mongodb().await;
    let bench = Bench::with_mongodb(&mongodb).await;
    bench.database.create_collection("posts").await.unwrap();
    let (_producer, mut reader) = streaming(&bench).await;
    const UNKNOWN_ERROR: i32 = 8;
    bench.fail_half("getMore", UNKNOWN_ERROR).await;
    // A batch holds 16 MB, and this is more.
    transaction(&bench, &"x".repeat(60_000)).await;
    reader.until("its end", |r| r.of("posts", "1").iter().any(|event| event.revision.get() & 255 == 4)).await;
    bench.mend().await;
    in_step(&bench, &mut reader).await;
    each_event_has_one_place(&reader);
}

/// insert, update, delete and insert of one document, with a hundred others in between.
async fn transaction(bench: &Bench, padding: &str) {
    let posts = bench.collection("posts");
    let mut session = bench.client.start_session().await.unwrap();
    session.start_transaction().await.unwrap();
    for part in 0..4 {
        let others = (0..100).map(|n| doc! {"_id": format!("{part}-{n}"), "padding": padding});
        posts.insert_many(others).session(&mut session).await.unwrap();
        let own = doc! {"_id": 1};
        match part {
            0 => drop(posts.insert_one(doc! {"_id": 1, "n": 0}).session(&mut session).await.unwrap()),
            1 => drop(posts.update_one(own, doc! {"$set": {"n": 1}}).session(&mut session).await.unwrap()),
            2 => drop(posts.delete_one(own).session(&mut session).await.unwrap()),
            _ => drop(posts.insert_one(doc! {"_id": 1, "n": 2}).session(&mut session).await.unwrap()),
        }
    }
    session.commit_transaction().await.unwrap();
}

fn each_event_has_one_place(reader: &Reader) {
    let mut places = std::collections::HashMap::new();
    for arrived in &reader.arrived {
        let former = places.insert(arrived.event.id, arrived.event.revision);
        assert!(former.is_none_or(|former| former == arrived.event.revision), "{:?}", arrived.event);
    }
    let of_1 = reader.of("posts", "1");
    let mut indices: Vec<_> = of_1.iter().map(|event| event.revision.get() & 255).filter(|index| *index > 0).collect();
    indices.sort_unstable();
    indices.dedup();
    // The update's document is gone or the new one when it is looked up.
    assert!(indices == [1, 2, 3, 4] || indices == [1, 3, 4], "{indices:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_database_on_the_same_broker_is_refused() {
    let bench = Bench::new().await;
    let (mut producer, mut reader) = streaming(&bench).await;
    assert_eq!(producer.stop().await, Some(0));
    let (code, said) = output(bench.command().arg("run").env("MONGODB_DATABASE", "mistyped"));
    let lines: Vec<_> = said.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!((code, lines.len()), (Some(2), 1), "{said}");
    for word in ["MONGODB_DATABASE", "`mistyped`", bench.name.as_str(), "twin_cdc.settings"] {
        assert!(lines[0].contains(word), "{said}");
    }
    let settings = bench.client.database("twin_cdc").collection::<Document>("settings");
    let record = settings.find_one(doc! {"database": &bench.name}).await.unwrap().expect("a record");
    assert!(!record.to_string().contains("guest"), "no credentials: {record}");
    let _producer = bench.start();
    bench.collection("posts").insert_one(doc! {"_id": 1}).await.unwrap();
    reader.until("the first one still may", |r| !r.of("posts", "1").is_empty()).await;
}
