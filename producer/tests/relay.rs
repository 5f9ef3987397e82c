//! The relay against a real MongoDB and a real RabbitMQ, as the built program.

mod bench;

use std::time::Duration;

use bench::{Bench, PARTITIONS, Producer, eventually, header};
use bson::{Bson, Uuid, doc, oid::ObjectId};
use local::RabbitMq;
use mongodb::bson::Document;
use shared::{DocumentType, IdKind, Identity, Operation};

fn partition_of(collection: DocumentType, id: impl Into<Bson>) -> u16 {
    Identity::of(collection, &id.into()).expect("identity").partition(PARTITIONS)
}

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
    reader.until("the first sweep", |r| r.count(Operation::Sweep, "repositories") == all).await;
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
    reader.until("the first sweep", |r| r.count(Operation::Sweep, "repositories") == usize::from(PARTITIONS)).await;
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

/// Rule 12: a publish is done when its confirm has come and no return has.
#[tokio::test(flavor = "multi_thread")]
async fn an_unbound_queue_freezes_the_checkpoint_and_loses_nothing() {
    let bench = Bench::new().await;
    let posts = bench.collection("posts");
    bench.database.create_collection("posts").await.unwrap();
    let mut reader = bench.read().await;
    let _producer = bench.start();
    reader.until("the first sweep", |r| r.count(Operation::Sweep, "repositories") == usize::from(PARTITIONS)).await;
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

/// Writes to `documents` documents, each change numbered, until told to stop; returns the last number of each.
async fn write(bench: &Bench, documents: i32, rounds: i32) {
    let posts = bench.collection("posts");
    for round in 1..=rounds {
        for id in 0..documents {
            posts.update_one(doc! {"_id": id}, doc! {"$set": {"round": round}}).upsert(true).await.unwrap();
        }
    }
}

fn last_round(reader: &bench::Reader, id: i32) -> Option<i64> {
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
fn first_round_of_stream(reader: &bench::Reader, id: i32) -> usize {
    let events = reader.of("posts", &id.to_string());
    let row = events.iter().find(|event| event.operation == Operation::Snapshot);
    row.and_then(|row| row.document.as_ref()?["round"].as_u64()).unwrap_or_default() as usize
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_of_the_broker_in_mid_flow_loses_nothing() {
    let mut rabbitmq = RabbitMq::start(&bench::installation().await).await.unwrap();
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
    reader.until("the sweep", |r| r.count(Operation::Sweep, "repositories") == usize::from(PARTITIONS)).await;
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

/// 9 MB set anew make an event of 18 MB, which MongoDB cannot send.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_over_16_mb_is_relayed_with_its_document() {
    let bench = Bench::new().await;
    let posts = bench.collection("posts");
    posts.insert_one(doc! {"_id": 1, "content": "small"}).await.unwrap();
    let mut reader = bench.read().await;
    let _producer = bench.start();
    reader.until("the first sweep", |r| r.count(Operation::Sweep, "repositories") == usize::from(PARTITIONS)).await;
    let content = "x".repeat(9 << 20);
    posts.update_one(doc! {"_id": 1}, doc! {"$set": {"content": &content}}).await.unwrap();
    posts.insert_one(doc! {"_id": 2}).await.unwrap();
    reader.until("what follows", |r| !r.of("posts", "2").is_empty()).await;
    reader.until("the large one", |r| r.count(Operation::Update, "posts") == 1).await;
    let updated = reader.of("posts", "1").pop().unwrap();
    assert_eq!(updated.document.as_ref().unwrap()["content"].as_str().map(str::len), Some(content.len()));
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

async fn break_history(bench: &Bench) {
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
    reader.until("the first sweep", |r| r.count(Operation::Sweep, "repositories") == all).await;
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
    let all = usize::from(PARTITIONS);
    reader.until("the first sweep", |r| r.count(Operation::Sweep, "repositories") == all).await;
    let (code, said) = bench::output(bench.command().args(["checkpoint", "reset"]));
    assert_eq!((code, said.contains("--force")), (Some(1), true), "{said}");
    assert_eq!(producer.stop().await, Some(0));
    let (code, said) = bench::output(bench.command().args(["checkpoint", "reset"]));
    assert_eq!(code, Some(0), "{said}");
    let _producer = bench.start();
    reader.until("a second snapshot", |r| r.count(Operation::Sweep, "repositories") == 2 * all).await;
    assert_eq!(reader.count(Operation::Snapshot, "posts"), 2);
    let (code, said) = bench::output(bench.command().args(["checkpoint", "reset", "--force"]));
    assert_eq!(code, Some(0), "{said}");
    reader.until("a third, by the producer at work", |r| r.count(Operation::Sweep, "repositories") == 3 * all).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_settings_and_absent_servers_are_one_line_and_their_exit_code() {
    let bench = Bench::new().await;
    let mut producer = bench.start();
    eventually("partitions are recorded", async || bench.checkpoint().await.is_some()).await;
    assert_eq!(producer.stop().await, Some(0));
    let (code, said) = bench::output(bench.command().arg("run").env("PARTITIONS", "5"));
    assert_eq!((code, said.contains("PARTITIONS")), (Some(2), true), "{said}");
    for (name, value) in [
        ("MONGODB_URI", ""),
        ("MONGODB_URI", "http://x"),
        ("RABBITMQ_URI", "http://x"),
        ("TYPES", "comments"),
        ("SNAPSHOT", "perhaps"),
        ("PARTITIONS", "0"),
    ] {
        let (code, said) = bench::output(bench.command().arg("run").env(name, value));
        assert_eq!(
            (code, said.contains(name), said.trim().lines().count()),
            (Some(2), true, 1),
            "{name}={value}: {said}"
        );
    }
    let (code, said) = bench::output(bench.command().arg("status"));
    assert_eq!((code, said.trim().lines().count()), (Some(0), 3), "{said}");
    let absent = "mongodb://127.0.0.1:1/?replicaSet=rs0&serverSelectionTimeoutMS=300";
    let (code, said) = bench::output(bench.command().arg("status").env("MONGODB_URI", absent));
    assert_eq!((code, said.trim().lines().count()), (Some(3), 1), "{said}");
}
