//! Bad input: each message and document ends indexed or in the dead letters with a true reason, its neighbours
//! unharmed, the services alive. And servers that answer nothing: the consumer ends when it is to.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::time::Duration;

use anyhow::{Context, ensure};
use bson::{Bson, Document, doc};
use futures_util::StreamExt;
use lapin::options::{BasicGetOptions, BasicPublishOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Connection, ConnectionProperties};
use local::Program;
use qdrant_client::qdrant::GetPointsBuilder;
use serde_json::json;
use shared::topology::{self, DEAD_LETTERS, EXCHANGE};
use shared::{DocumentType, IdKind, Identity, Manifest, Record};
use tests::{TestQdrant, World, binary, embedding_environment, eventually, qdrant};

pub(crate) struct DeadLetter {
    pub(crate) body: Vec<u8>,
    pub(crate) reason: String,
    pub(crate) stage: String,
    pub(crate) error: String,
    pub(crate) attempts: i32,
}

/// Takes the dead letters, as they come, until there are `count`.
pub(crate) async fn dead_letters(world: &World, count: usize) -> Vec<DeadLetter> {
    let connection = Connection::connect(&world.rabbitmq_uri, ConnectionProperties::default()).await.unwrap();
    let mut letters = Vec::new();
    while letters.len() < count {
        let letter = eventually(&format!("dead letter {} of {count}\n{}", letters.len() + 1, world.logs()), || async {
            // A channel for each attempt: before the queue is declared, asking for it closes the channel.
            let channel = connection.create_channel().await?;
            let options = BasicGetOptions { no_ack: true };
            channel.basic_get(DEAD_LETTERS.into(), options).await?.context("the queue is empty")
        })
        .await;
        let headers = letter.properties.headers().clone().unwrap_or_default();
        let header = |name: &str| match headers.inner().get(name) {
            Some(AMQPValue::LongString(text)) => String::from_utf8_lossy(text.as_bytes()).into_owned(),
            other => panic!("{name}: {other:?}"),
        };
        letters.push(DeadLetter {
            body: letter.data.clone(),
            reason: header("x-twin-reason"),
            stage: header("x-twin-stage"),
            error: header("x-twin-error"),
            attempts: match headers.inner().get("x-twin-attempts") {
                Some(AMQPValue::LongInt(attempts)) => *attempts,
                other => panic!("x-twin-attempts: {other:?}"),
            },
        });
    }
    letters
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_no_change_event_becomes_a_dead_letter_as_it_was() {
    let mut world = World::started().await;
    let posts = world.database.collection::<Document>("posts");
    posts.insert_one(doc! { "_id": "before", "content": "a neighbour" }).await.unwrap();
    world.until_found("neighbour", "before", "neighbour").await;
    let bomb = zstd::bulk::compress(&vec![b' '; 65 << 20], 3).unwrap();
    let valid = json!({"id": uuid::Uuid::nil(), "operation": "insert", "type": "posts", "id_kind": "str",
        "entry_id": "x", "revision": 1, "occurred_at": "", "document": {}});
    let with = |field: &str, value: serde_json::Value| {
        let mut event = valid.clone();
        event[field] = value;
        event.to_string().into_bytes()
    };
    let messages: Vec<(&str, Option<&str>, Vec<u8>)> = vec![
        ("not a change event", None, b"hello".to_vec()),
        ("not a change event", None, Vec::new()),
        ("not UTF-8", None, vec![b'"', 0xff, b'"']),
        ("not zstd", Some("zstd"), b"plain".to_vec()),
        ("decompresses to more than", Some("zstd"), bomb),
        ("unknown content_encoding", Some("gzip"), b"{}".to_vec()),
        ("missing field", None, json!({"operation": "insert"}).to_string().into_bytes()),
        ("unknown variant `upsert`", None, with("operation", json!("upsert"))),
        ("unknown variant `comments`", None, with("type", json!("comments"))),
        ("recursion limit", None, format!("{{\"document\":{}", "{\"a\":".repeat(10_000)).into_bytes()),
        ("entry_id", None, with("id_kind", json!("oid"))),
    ];
    let connection = Connection::connect(&world.rabbitmq_uri, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    for (_, encoding, body) in &messages {
        let properties = encoding.map_or_else(BasicProperties::default, |encoding| {
            BasicProperties::default().with_content_encoding(encoding.into())
        });
        let options = BasicPublishOptions::default();
        channel.basic_publish(EXCHANGE.into(), "0".into(), options, body, properties).await.unwrap();
    }
    let mut errors: BTreeMap<Vec<u8>, String> = BTreeMap::new();
    for letter in dead_letters(&world, messages.len()).await {
        assert_eq!((letter.stage.as_str(), letter.reason.as_str()), ("decode", "undecodable"));
        errors.insert(letter.body, letter.error);
    }
    for (reason, _, body) in &messages {
        let error = errors.get(body).expect("the body is as it was");
        assert!(error.contains(reason), "{error} does not say {reason}");
    }
    posts.insert_one(doc! { "_id": "after", "content": "another neighbour: wombat" }).await.unwrap();
    world.until_found("wombat", "after", "wombat").await;
    world.stop().await;
}

/// Two consumers had it before ours and gave it back.
#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_says_how_often_it_was_delivered() {
    let mut world = World::new().await;
    let connection = Connection::connect(&world.rabbitmq_uri, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    topology::declare(&channel, 3).await.unwrap();
    channel.basic_publish(EXCHANGE.into(), "0".into(), Default::default(), b"hello", Default::default()).await.unwrap();
    for _ in 0..2 {
        let channel = connection.create_channel().await.unwrap();
        let queue = topology::partition_queue(0).into();
        let mut deliveries =
            channel.basic_consume(queue, "test".into(), Default::default(), FieldTable::default()).await.unwrap();
        deliveries.next().await.unwrap().unwrap();
        channel.close(200, "given back".into()).await.unwrap();
    }
    world.consumer.start().unwrap();
    let letter = dead_letters(&world, 1).await.remove(0);
    assert_eq!((letter.body.as_slice(), letter.attempts), (b"hello".as_slice(), 3));
    assert!(world.consumer.terminate(Duration::from_secs(30)).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_documents_are_indexed_or_dead_letters_with_a_true_reason() {
    let mut world = World::started().await;
    let articles = world.database.collection::<Document>("articles");
    let deep = (0..90).fold(Bson::from("depth"), |inner, _| Bson::from(doc! { "a": inner }));
    let huge = "Tides and ships. ".repeat(60_000);
    let fine: Vec<(&str, Document)> = vec![
        ("null content", doc! { "content": Bson::Null }),
        ("no content", doc! {}),
        ("plain string", doc! { "content": "a plain string" }),
        ("only nulls", doc! { "content": { "Title": Bson::Null, "Content": Bson::Null } }),
        ("blank", doc! { "content": { "Title": "", "Content": " \u{200b}\n" } }),
        ("extra fields", doc! { "content": { "Content": "text" }, "views": 7, "deep": deep }),
        ("a megabyte", doc! { "content": { "Content": huge } }),
        ("control characters", doc! { "content": { "Content": "a\u{0}b\u{1b}[31mc\u{202e}d" } }),
        ("one long word", doc! { "content": { "Content": "x".repeat(20_000) } }),
    ];
    let poison: Vec<(&str, Document)> = vec![
        ("a number", doc! { "content": 5 }),
        ("an array", doc! { "content": ["text"] }),
        ("a number within", doc! { "content": { "Content": 5 } }),
    ];
    for (id, document) in fine.iter().chain(&poison) {
        let mut document = document.clone();
        document.insert("_id", *id);
        articles.insert_one(document).await.unwrap();
    }
    let letters = dead_letters(&world, poison.len()).await;
    for letter in &letters {
        assert_eq!(letter.stage, "clean");
        assert!(letter.error.contains("content"), "{}", letter.error);
        let event: serde_json::Value = serde_json::from_slice(&letter.body).unwrap();
        assert!(poison.iter().any(|(id, _)| event["entry_id"] == *id), "{event}");
    }
    eventually(&format!("every document has its manifest\n{}", world.logs()), || async {
        let audit = world.audit().await?;
        audit.equal()?;
        for (id, _) in &poison {
            let manifest = audit.live.get(&format!("articles/str/{id}")).context("manifest")?;
            ensure!(manifest["error"].is_string() && manifest["chunk_ids"] == json!([]), "{manifest}");
        }
        Ok::<_, anyhow::Error>(())
    })
    .await;
    world.stop().await;
}

/// MongoDB takes documents that are nested more deeply than a parser of JSON does: such an update is a dead letter, and
/// the former text is gone from the index.
#[tokio::test(flavor = "multi_thread")]
async fn an_update_that_is_nested_too_deeply_takes_the_former_text_away() {
    let mut world = World::started().await;
    let posts = world.database.collection::<Document>("posts");
    posts.insert_one(doc! { "_id": "deep", "content": "a former text: axolotl" }).await.unwrap();
    world.until_found("axolotl", "deep", "axolotl").await;
    // By its path: the driver of this test would serialise such a document level by level, on a test's small stack.
    let deep = ["a"; 150].join(".");
    posts.update_one(doc! { "_id": "deep" }, doc! { "$set": { deep: "depth" } }).await.unwrap();
    let letter = dead_letters(&world, 1).await.remove(0);
    assert_eq!((letter.stage.as_str(), letter.reason.as_str()), ("decode", "omitted"));
    assert!(letter.error.contains("nested too deeply"), "{}", letter.error);
    // Not by the audit, which reads the document.
    let id =
        Identity { document_type: DocumentType::Posts, id_kind: IdKind::Str, entry_id: "deep".into() }.manifest_id();
    eventually(&format!("the manifest says so\n{}", world.logs()), || async {
        let wanted = GetPointsBuilder::new("twin_documents", [id.into()]).with_payload(true);
        let found = world.qdrant.client().get_points(wanted).await?.result;
        let manifest = Manifest::from_payload(found.into_iter().next().context("manifest")?.payload)?;
        ensure!(manifest.error.is_some() && manifest.chunk_ids.is_empty(), "{manifest:?}");
        Ok::<_, anyhow::Error>(())
    })
    .await;
    world.until_not_found("axolotl", "deep", "axolotl").await;
    world.stop().await;
}

/// A broker that is paused still takes connections.
#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_ends_though_the_broker_answers_nothing() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let qdrant = qdrant().await;
    let mut environment = embedding_environment().await.to_vec();
    environment.extend([
        ("RABBITMQ_URI", format!("amqp://{}", silent.local_addr().unwrap())),
        ("QDRANT_URL", qdrant.url()),
        ("CONSUMER_HTTP_LISTEN", "127.0.0.1:0".into()),
    ]);
    let mut consumer = Program::new(&binary("consumer"), &["run"], environment).unwrap();
    consumer.start().unwrap();
    let (held, _) = tokio::task::spawn_blocking(move || silent.accept()).await.unwrap().unwrap();
    assert!(consumer.terminate(Duration::from_secs(10)).await.unwrap(), "it ends by itself\n{}", consumer.log_tail());
    drop(held);
}

/// A delivery that waits for Qdrant goes back to the broker when the consumer is to end.
#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_ends_though_qdrant_is_away() {
    let mut world = World::started().await;
    let TestQdrant::Own(qdrant) = &mut world.qdrant else { return }; // not ours to kill
    let posts = world.database.collection::<Document>("posts");
    posts.insert_one(doc! { "_id": "before", "content": "a marmot" }).await.unwrap();
    eventually("the consumer works", || async {
        let log = std::fs::read_to_string(world.consumer.log())?;
        ensure!(log.contains("consuming"), "{log}");
        Ok(())
    })
    .await;
    qdrant.kill9().await.unwrap();
    posts.insert_one(doc! { "_id": "after", "content": "another marmot" }).await.unwrap();
    eventually("the consumer waits for qdrant", || async {
        let log = std::fs::read_to_string(world.consumer.log())?;
        ensure!(log.contains("store request failed"), "{log}");
        Ok(())
    })
    .await;
    assert!(world.consumer.terminate(Duration::from_secs(20)).await.unwrap(), "it ends by itself\n{}", world.logs());
}

/// What a fault harness reads to know where a partition was when it was killed.
#[tokio::test(flavor = "multi_thread")]
async fn the_stage_of_each_partition_is_in_the_log_on_demand() {
    let mut world = World::new().await;
    let mut environment = world.environment();
    environment.retain(|(name, _)| *name != "RUST_LOG");
    environment.push(("RUST_LOG", "info,stage=trace".into()));
    let mut consumer = Program::new(&binary("consumer"), &["run"], environment).unwrap();
    world.producer.start().unwrap();
    consumer.start().unwrap();
    let posts = world.database.collection::<Document>("posts");
    posts.insert_one(doc! { "_id": "a", "content": "a former text" }).await.unwrap();
    world.until_found("former", "a", "former").await;
    posts.update_one(doc! { "_id": "a" }, doc! { "$set": { "content": "another text" } }).await.unwrap();
    eventually("all stages are in the log", || async {
        let log = std::fs::read_to_string(consumer.log())?;
        for stage in [
            "idle",
            "read",
            "prepare",
            "embed",
            "write chunks",
            "write manifests",
            "read back",
            "grace",
            "delete",
            "ack",
        ] {
            let is_it = |line: &str| line.contains("partition{number=") && line.ends_with(&format!("stage: {stage}"));
            ensure!(log.lines().any(is_it), "no `{stage}` in\n{log}");
        }
        Ok(())
    })
    .await;
    assert!(world.producer.terminate(Duration::from_secs(30)).await.unwrap());
    assert!(consumer.terminate(Duration::from_secs(30)).await.unwrap());
}
