//! Every kind of change arrives, in order.

use bson::{Bson, Document, RawDocumentBuf, Uuid, doc, oid::ObjectId};
use shared::{DocumentType, IdKind, Operation};

use crate::bench::{Bench, PARTITIONS};
use crate::reader::header;

fn sweeps() -> usize {
    usize::from(PARTITIONS) * DocumentType::ALL.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_there_before_and_every_change_after_arrives() {
    let bench = Bench::new().await;
    let (posts, articles) = (bench.collection("posts"), bench.collection("articles"));
    posts.insert_one(doc! {"_id": "before", "content": "x"}).await.unwrap();
    let mut reader = bench.read().await;
    let mut producer = bench.start();
    reader
        .until("snapshot ends in a sweep", |r| {
            r.arrived.iter().filter(|a| a.event.operation == Operation::Sweep).count() >= sweeps()
        })
        .await;
    let row = reader.of("posts", "before")[0].clone();
    assert_eq!(row.operation, Operation::Snapshot);

    let (oid, uuid) = (ObjectId::new(), Uuid::new());
    for id in [Bson::from(5), Bson::from("5"), Bson::from(oid), Bson::from(uuid), Bson::from(7.0)] {
        articles.insert_one(doc! {"_id": id, "link": "l"}).await.unwrap();
    }
    articles.update_one(doc! {"_id": 5}, doc! {"$set": {"link": "m"}}).await.unwrap();
    // Its document must not be gone when it is looked up.
    reader.until("the update", |r| r.count(Operation::Update, "articles") > 0).await;
    articles.replace_one(doc! {"_id": 5}, doc! {"name": "n"}).await.unwrap();
    articles.delete_one(doc! {"_id": 5}).await.unwrap();
    reader.until("the delete", |r| r.count(Operation::Delete, "articles") > 0).await;
    for (id, kind) in [
        ("5".to_owned(), IdKind::Str),
        (oid.to_hex(), IdKind::Oid),
        (uuid.to_string(), IdKind::Uuid),
        ("7".to_owned(), IdKind::Int),
    ] {
        let found = reader
            .of("articles", &id)
            .into_iter()
            .any(|event| event.identity().is_some_and(|identity| identity.id_kind == kind));
        assert!(found, "{id}");
    }
    let of_5: Vec<_> = reader
        .of("articles", "5")
        .into_iter()
        .filter(|event| event.identity().unwrap().id_kind == IdKind::Int)
        .collect();
    let operations: Vec<_> = of_5.iter().map(|event| event.operation).collect();
    assert_eq!(operations, [Operation::Insert, Operation::Update, Operation::Replace, Operation::Delete]);
    assert!(of_5.is_sorted_by_key(|event| event.revision) && row.revision < of_5[0].revision);
    assert!(of_5[3].document.is_none() && of_5[0].document.is_some());
    assert_eq!(producer.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn drop_rename_and_a_dropped_database_are_barriers_and_the_stream_goes_on() {
    let bench = Bench::new().await;
    let posts = bench.collection("posts");
    posts.insert_one(doc! {"_id": 1}).await.unwrap();
    let mut reader = bench.read().await;
    let _producer = bench.start();
    let all = usize::from(PARTITIONS);
    reader.until("the first sweep", |r| r.is_swept(1)).await;
    posts.drop().await.unwrap();
    reader.until("drop in every partition", |r| r.count(Operation::Drop, "posts") == all).await;
    posts.insert_one(doc! {"_id": 2}).await.unwrap();
    reader.until("an insert after the drop", |r| !r.of("posts", "2").is_empty()).await;

    // Into a type: no insert is reported for these.
    bench.collection("stage").insert_many((10..20).map(|id| doc! {"_id": id, "content": "staged"})).await.unwrap();
    let rename = doc! {"renameCollection": format!("{}.stage", bench.name), "to": format!("{}.posts", bench.name), "dropTarget": true};
    bench.client.database("admin").run_command(rename).await.unwrap();
    reader.until("drop of what stood there", |r| r.count(Operation::Drop, "posts") == 2 * all).await;
    reader.until("rows of what came, then a sweep", |r| r.count(Operation::Sweep, "posts") == 2 * all).await;
    let dropped =
        reader.arrived.iter().filter(|a| a.event.operation == Operation::Drop).map(|a| a.event.revision).max();
    for id in 10..20 {
        let row = reader.of("posts", &id.to_string())[0];
        assert_eq!(row.operation, Operation::Snapshot);
        assert!(Some(row.revision) > dropped, "T0 is newer than the rename");
    }

    // Away.
    let rename = doc! {"renameCollection": format!("{}.posts", bench.name), "to": format!("{}.archive", bench.name)};
    bench.client.database("admin").run_command(rename).await.unwrap();
    reader.until("drop of what went", |r| r.count(Operation::Drop, "posts") == 3 * all).await;

    bench.collection("users").insert_one(doc! {"_id": 1}).await.unwrap();
    bench.database.drop().await.unwrap();
    reader.until("drop of the database", |r| r.count(Operation::Drop, "users") >= all).await;
    bench.collection("users").insert_one(doc! {"_id": 2}).await.unwrap();
    reader.until("an insert after the invalidate", |r| !r.of("users", "2").is_empty()).await;
}

/// Execution 4 of the design, and more events of one document than there are places.
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_is_relayed_in_order_and_its_last_event_in_any_case() {
    let bench = Bench::new().await;
    let posts = bench.collection("posts");
    bench.database.create_collection("posts").await.unwrap();
    let mut reader = bench.read().await;
    let _producer = bench.start();
    // A transaction from before T0 would arrive as rows.
    reader.until("the first sweep", |r| r.is_swept(1)).await;
    let mut session = bench.client.start_session().await.unwrap();
    session.start_transaction().await.unwrap();
    posts.insert_one(doc! {"_id": 1, "n": 0}).session(&mut session).await.unwrap();
    posts.update_one(doc! {"_id": 1}, doc! {"$set": {"n": 1}}).session(&mut session).await.unwrap();
    posts.delete_one(doc! {"_id": 1}).session(&mut session).await.unwrap();
    posts.insert_one(doc! {"_id": 1, "n": 2}).session(&mut session).await.unwrap();
    for n in 1..=300 {
        posts.update_one(doc! {"_id": 2}, doc! {"$set": {"n": n}}).upsert(true).session(&mut session).await.unwrap();
    }
    session.commit_transaction().await.unwrap();
    posts.insert_one(doc! {"_id": 3}).await.unwrap();
    reader.until("what follows the transaction", |r| !r.of("posts", "3").is_empty()).await;
    reader.until("its events", |r| r.of("posts", "2").iter().any(|event| event.revision.get() & 255 == 255)).await;
    let streamed = |id| reader.of("posts", id).into_iter().filter(|event| event.operation != Operation::Snapshot);
    let indices: Vec<_> = streamed("1").map(|event| event.revision.get() & 255).collect();
    // The update's document may be gone when looked up or the new one.
    assert!(indices == [1, 2, 3, 4] || indices == [1, 3, 4], "{indices:?}");
    assert_eq!(streamed("1").next_back().unwrap().document.as_ref().unwrap()["n"], 2);
    assert_eq!(streamed("2").count(), 255);
    assert_eq!(streamed("2").next_back().unwrap().document.as_ref().unwrap()["n"], 300);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unsupported_id_becomes_a_dead_letter_and_its_neighbours_pass() {
    let bench = Bench::new().await;
    let posts = bench.collection("posts");
    posts.insert_one(doc! {"_id": {"a": 1}, "content": "before"}).await.unwrap();
    let mut reader = bench.read().await;
    let _producer = bench.start();
    reader.until("the row's letter", |r| r.dead.len() == 1).await;
    posts.insert_one(doc! {"_id": 2.5, "content": "bad"}).await.unwrap();
    posts.insert_one(doc! {"_id": "x".repeat(100_000), "content": "long"}).await.unwrap();
    posts.insert_one(doc! {"_id": 3, "content": "good"}).await.unwrap();
    reader
        .until("the neighbours", |r| !r.of("posts", "3").is_empty() && !r.of("posts", &"x".repeat(100_000)).is_empty())
        .await;
    reader.until("the event's letter", |r| r.dead.len() == 2).await;
    assert_eq!(header(&reader.dead[1], "x-twin-reason"), "unsupported _id");
    assert_eq!(header(&reader.dead[1], "x-twin-stage"), "map");
    let content: serde_json::Value = serde_json::from_slice(&reader.dead[1].data).unwrap();
    assert_eq!((&content["_id"], &content["document"]["content"]), (&2.5.into(), &"bad".into()));
}

/// 9 MB set anew make an event of 18 MB, which MongoDB cannot send.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_over_16_mb_is_relayed_with_its_document() {
    let bench = Bench::new().await;
    let posts = bench.collection("posts");
    posts.insert_one(doc! {"_id": 1, "content": "small"}).await.unwrap();
    let mut reader = bench.read().await;
    let _producer = bench.start();
    reader.until("the first sweep", |r| r.is_swept(1)).await;
    let content = "x".repeat(9 << 20);
    posts.update_one(doc! {"_id": 1}, doc! {"$set": {"content": &content}}).await.unwrap();
    posts.insert_one(doc! {"_id": 2}).await.unwrap();
    reader.until("what follows", |r| !r.of("posts", "2").is_empty()).await;
    reader.until("the large one", |r| r.count(Operation::Update, "posts") == 1).await;
    let updated = reader.of("posts", "1").pop().unwrap();
    assert_eq!(updated.document.as_ref().unwrap()["content"].as_str().map(str::len), Some(content.len()));
}

/// A document in which `~` stands for a byte that is no UTF-8.
fn damaged(document: &Document) -> RawDocumentBuf {
    let mut bytes = RawDocumentBuf::try_from(document).unwrap().into_bytes();
    bytes.iter_mut().filter(|byte| **byte == b'~').for_each(|byte| *byte = 0xff);
    RawDocumentBuf::from_bytes(bytes).unwrap()
}

/// MongoDB stores what its drivers cannot read.
#[tokio::test(flavor = "multi_thread")]
async fn documents_that_are_not_utf_8_end_no_relay() {
    let bench = Bench::new().await;
    bench.insert_raw("posts", damaged(&doc! {"_id": "row~", "content": "x"})).await;
    bench.insert_raw("posts", damaged(&doc! {"_id": "row", "name~": "x"})).await;
    let mut reader = bench.read().await;
    let mut producer = bench.start();
    reader.until("the row's letter", |r| r.dead.len() == 1).await;
    reader.until("the sweep", |r| r.count(Operation::Sweep, "posts") == usize::from(PARTITIONS)).await;
    bench.insert_raw("posts", damaged(&doc! {"_id": "event~", "content": "x"})).await;
    bench.insert_raw("posts", damaged(&doc! {"_id": "event", "inner": {"name~": "x"}})).await;
    bench.insert_raw("posts", damaged(&doc! {"_id": "text", "content": "x~"})).await;
    bench.collection("posts").delete_one(doc! {"content": "x", "_id": {"$gt": "event"}}).await.unwrap();
    bench.collection("posts").insert_one(doc! {"_id": "good"}).await.unwrap();
    reader.until("what follows", |r| !r.of("posts", "good").is_empty()).await;
    reader.until("the letters of insert and delete", |r| r.dead.len() == 3).await;
    for letter in &reader.dead {
        assert_eq!(header(letter, "x-twin-reason"), "unreadable _id");
    }
    for id in ["row", "event"] {
        reader.until("the event", |r| !r.of("posts", id).is_empty()).await;
        let event = reader.of("posts", id)[0];
        assert_eq!((&event.document, event.omitted.as_deref()), (&None, Some("unreadable")));
    }
    reader.until("damaged text", |r| !r.of("posts", "text").is_empty()).await;
    assert_eq!(reader.of("posts", "text")[0].document.as_ref().unwrap()["content"], "x\u{fffd}");
    assert_eq!(producer.stop().await, Some(0));
}
