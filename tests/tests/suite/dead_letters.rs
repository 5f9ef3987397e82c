//! `consumer dead-letters`: looking, replaying, removing.

use anyhow::ensure;
use bson::{Document, doc};
use lapin::options::{ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use serde_json::{Value, json};
use shared::dead_letter::{Postmark, send};
use shared::topology::{self, DEAD_LETTERS};
use tests::{World, eventually};
use uuid::Uuid;

use crate::commands::{Outcome, consumer};

async fn channel(world: &World) -> Channel {
    let connection = Connection::connect(&world.rabbitmq_uri, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    topology::declare(&channel, 3).await.unwrap();
    channel
}

/// A letter of this reason; the id that it is given is its number.
async fn put(channel: &Channel, number: u128, reason: &'static str, body: &[u8], source: Option<&str>) {
    let mut headers = FieldTable::default();
    if let Some(source) = source {
        headers.insert("cloudEvents:source".into(), AMQPValue::LongString(source.into()));
    }
    let id = Uuid::from_u128(number).to_string();
    let properties = BasicProperties::default().with_message_id(id.into()).with_headers(headers);
    let error = format!("error \u{1b}[2J {number}");
    let postmark = Postmark { reason, stage: "clean", error, attempts: 2, partition: Some(1) };
    send(channel, body, &properties, &postmark).await.unwrap();
}

fn insert(entry_id: &str) -> Vec<u8> {
    json!({"id": Uuid::new_v4(), "operation": "insert", "type": "posts", "id_kind": "str", "entry_id": entry_id,
        "revision": 7, "occurred_at": "2026-11-22T04:43:51.510Z", "document": {"content": 5}})
    .to_string()
    .into_bytes()
}

fn sweep() -> Vec<u8> {
    json!({"id": Uuid::new_v4(), "operation": "sweep", "type": "posts", "revision": 7, "occurred_at": ""})
        .to_string()
        .into_bytes()
}

/// The broker counts what a command gave back a moment after it has ended.
async fn until_waiting(channel: &Channel, letters: u32) {
    eventually(&format!("{letters} letters wait"), || async {
        let options = QueueDeclareOptions { passive: true, ..Default::default() };
        let queue = channel.queue_declare(DEAD_LETTERS.into(), options, FieldTable::default()).await?;
        ensure!(queue.message_count() == letters, "{}", queue.message_count());
        Ok(())
    })
    .await;
}

/// Ids in the order of the list, by number.
fn numbers(listed: &Outcome) -> Vec<u128> {
    assert_eq!(listed.code, Some(0), "{listed:?}");
    let letters = listed.json();
    let (summary, letters) = letters.split_last().unwrap();
    assert_eq!(summary["letters"], letters.len());
    letters.iter().map(|letter| Uuid::parse_str(letter["id"].as_str().unwrap()).unwrap().as_u128()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_looked_at_in_their_order_and_removed_only_when_asked() {
    let world = World::new().await;
    let none = consumer(&world, &["dead-letters", "list"], &[]).await;
    assert_eq!((none.code, none.out.as_str()), (Some(0), "no dead letters\n"), "{none:?}");
    let channel = channel(&world).await;
    put(&channel, 1, "invalid document", &insert("one"), None).await;
    put(&channel, 2, "undecodable", b"\x1b[2J", None).await;
    put(&channel, 3, "invalid document", &insert("three"), None).await;
    let list = || consumer(&world, &["dead-letters", "list", "--json"], &[]);
    // At once, each sees all of them.
    let (first, second, third) = tokio::join!(list(), list(), list());
    for listed in [first, second, third, list().await] {
        assert_eq!(numbers(&listed), [1, 2, 3]);
    }
    let letter: Value = list().await.json().remove(0);
    let said = ["reason", "stage", "attempts", "partition", "document", "revision"].map(|field| letter[field].clone());
    assert_eq!(said, [json!("invalid document"), json!("clean"), json!(2), json!(1), json!("posts/str:one"), json!(7)]);
    let listed = consumer(&world, &["dead-letters", "list"], &[]).await;
    assert!(listed.out.ends_with("3 dead letters: 2 invalid document, 1 undecodable\n"), "{listed:?}");
    assert!(!listed.out.contains('\u{1b}'), "a letter cannot steer the terminal");
    let shown = consumer(&world, &["dead-letters", "show", &Uuid::from_u128(3).to_string()], &[]).await;
    assert!(shown.out.contains("x-twin-error: error") && shown.out.contains("\"entry_id\": \"three\""), "{shown:?}");
    assert_eq!(consumer(&world, &["dead-letters", "show", "nobody"], &[]).await.code, Some(1));
    let unsure = consumer(&world, &["dead-letters", "purge", "--all"], &[]).await;
    assert!(unsure.code == Some(2) && unsure.errors.contains("--yes"), "{unsure:?}");
    let nobody = consumer(&world, &["dead-letters", "purge", "--id", "nobody", "--yes"], &[]).await;
    assert_eq!(nobody.code, Some(1), "{nobody:?}");
    until_waiting(&channel, 3).await;
    let purged = consumer(&world, &["dead-letters", "purge", "--reason", "undecodable", "--yes"], &[]).await;
    assert_eq!((purged.code, purged.out.as_str()), (Some(0), "removed: 1 dead letter: 1 undecodable\n"), "{purged:?}");
    assert_eq!(numbers(&list().await), [1, 3]);
    let all = consumer(&world, &["dead-letters", "purge", "--all", "--yes"], &[]).await;
    assert_eq!(all.code, Some(0), "{all:?}");
    until_waiting(&channel, 0).await;
}

/// What cannot be asked for at the source stays, and so does everything as long as MongoDB has not stored the request.
#[tokio::test(flavor = "multi_thread")]
async fn a_letter_is_replayed_by_a_request_that_mongodb_holds_before_it_goes() {
    let world = World::new().await;
    let channel = channel(&world).await;
    let ours = format!("/mongodb/{}/posts", world.database.name());
    put(&channel, 1, "invalid document", &insert("one"), Some(&ours)).await;
    put(&channel, 2, "undecodable", b"hello", None).await;
    put(&channel, 3, "foreign source", &insert("three"), Some("/mongodb/other/posts")).await;
    put(&channel, 4, "crash", &sweep(), Some(&ours)).await;
    put(&channel, 5, "invalid document", &insert("one"), None).await;
    let away = [("MONGODB_URI", "mongodb://127.0.0.1:1/?directConnection=true")];
    let failed = consumer(&world, &["dead-letters", "replay", "--all"], &away).await;
    assert_eq!((failed.code, failed.errors.lines().count()), (Some(3), 1), "{failed:?}");
    until_waiting(&channel, 5).await;
    let replayed = consumer(&world, &["dead-letters", "replay", "--all"], &[]).await;
    assert_eq!(replayed.code, Some(1), "{replayed:?}");
    for why in ["it is no change event", "it comes from /mongodb/other", "producer resync --type posts"] {
        assert!(replayed.out.contains(why), "{replayed:?}");
    }
    let listed = consumer(&world, &["dead-letters", "list", "--json"], &[]).await;
    assert_eq!(numbers(&listed), [2, 3, 4]);
    let requests = world.database.client().database("twin_cdc").collection::<Document>("resyncs");
    let request = requests.find_one(doc! {"database": world.database.name()}).await.unwrap().unwrap();
    assert_eq!(request.get_array("keys").unwrap().as_slice(), [doc! {"id_kind": "str", "entry_id": "one"}.into()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_say_what_is_wrong_with_a_setting_or_a_server() {
    let world = World::new().await;
    for (arguments, settings, code, said) in [
        (["dead-letters", "list"].as_slice(), ("RABBITMQ_URI", "nonsense"), 2, "RABBITMQ_URI"),
        (&["dead-letters", "list"], ("RABBITMQ_URI", "amqp://127.0.0.1:1"), 3, "RABBITMQ_URI"),
        (&["dead-letters", "purge", "--yes"], ("LOG_FORMAT", "text"), 2, "--all"),
        (&["dead-letters", "replay", "--all"], ("MONGODB_URI", "nonsense"), 2, "MONGODB_URI"),
    ] {
        let outcome = consumer(&world, arguments, &[settings]).await;
        assert_eq!((outcome.code, outcome.errors.lines().count()), (Some(code), 1), "{outcome:?}");
        assert!(outcome.errors.contains(said), "{outcome:?}");
    }
}
