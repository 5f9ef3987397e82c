//! `consumer verify`: damage done by hand on each side, named, and repaired.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::ensure;
use bson::{Document, doc};
use qdrant_client::Payload;
use qdrant_client::qdrant::{
    DeletePointsBuilder, PointStruct, PointsIdsList, SetPayloadPointsBuilder, UpsertPointsBuilder, Vector,
};
use serde_json::{Value, json};
use shared::{DocumentType, IdKind, Identity};
use tests::{World, eventually};
use uuid::Uuid;

use crate::commands::{Outcome, consumer, consumer_unheard};

const POSTS: [&str; 14] = [
    "fine",
    "busy",
    "changed",
    "deleted",
    "missing",
    "tombstone",
    "hash",
    "ahead",
    "damaged",
    "lost",
    "incomplete",
    "surplus",
    "failed",
    "bucket",
];

fn identity(document_type: DocumentType, entry_id: &str) -> Identity {
    Identity { document_type, id_kind: IdKind::Str, entry_id: entry_id.into() }
}

fn post(entry_id: &str) -> Identity {
    identity(DocumentType::Posts, entry_id)
}

/// A world in which these posts and two users are indexed.
async fn filled() -> World {
    let world = World::started().await;
    let posts = world.database.collection::<Document>("posts");
    for id in POSTS {
        let content = if id == "failed" { bson::Bson::from(5) } else { format!("A post that is {id}.").into() };
        posts.insert_one(doc! {"_id": id, "content": content}).await.unwrap();
    }
    let users = world.database.collection::<Document>("users");
    for id in ["ada", "grace"] {
        users.insert_one(doc! {"_id": id, "first_name": id}).await.unwrap();
    }
    eventually(&format!("all are indexed\n{}", world.logs()), || async {
        let outcome = verify(&world, &[]).await;
        ensure!(outcome.code == Some(0), "{outcome:?}");
        Ok(())
    })
    .await;
    world
}

async fn verify(world: &World, more: &[&str]) -> Outcome {
    consumer(world, &[&["verify", "--json", "--wait", "2"], more].concat(), &[]).await
}

/// `type/entry_id` of what differs, and how.
fn differences(outcome: &Outcome) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{outcome:?}")).to_owned();
    let lines = outcome.json();
    let (summary, lines) = lines.split_last().unwrap();
    assert_eq!(summary["found"], lines.len(), "{outcome:?}");
    let entry = |line: &Value| format!("{}/{}", text(&line["type"]), text(&line["entry_id"]));
    lines.iter().map(|line| (entry(line), text(&line["difference"]))).collect()
}

async fn set(world: &World, collection: &str, of: &Identity, fields: Value) {
    let payload = Payload::try_from(fields).unwrap();
    let ids = PointsIdsList { ids: vec![of.manifest_id().into()] };
    let set = SetPayloadPointsBuilder::new(collection, payload).points_selector(ids).wait(true);
    world.qdrant.client().set_payload(set).await.unwrap();
}

async fn delete(world: &World, collection: &str, id: Uuid) {
    let ids = PointsIdsList { ids: vec![id.into()] };
    let delete = DeletePointsBuilder::new(collection).points(ids).wait(true);
    world.qdrant.client().delete_points(delete).await.unwrap();
}

async fn put(world: &World, collection: &str, id: Uuid, payload: Value) {
    let payload = Payload::try_from(payload).unwrap();
    let mut vectors = std::collections::HashMap::<String, Vector>::new();
    if collection == "twin_chunks" {
        vectors.insert("dense".into(), Vector::new_dense(vec![0.1; 384]));
    }
    let point = PointStruct::new(id.to_string(), vectors, payload);
    let upsert = UpsertPointsBuilder::new(collection, vec![point]).wait(true);
    world.qdrant.client().upsert_points(upsert).await.unwrap();
}

fn chunk(of: &Identity, revision: i64) -> Value {
    json!({"type": of.document_type, "id_kind": of.id_kind, "entry_id": of.entry_id, "revision": revision,
        "bucket": of.bucket(), "text": "damage"})
}

/// The chunks of each live post, by its `entry_id`.
async fn listed(world: &World) -> BTreeMap<String, BTreeSet<String>> {
    let live = world.audit().await.unwrap().live;
    let ids = |manifest: &Value| -> BTreeSet<String> { serde_json::from_value(manifest["chunk_ids"].clone()).unwrap() };
    live.values().map(|manifest| (manifest["entry_id"].as_str().unwrap().to_owned(), ids(manifest))).collect()
}

/// Does every kind of damage; returns what `verify` has to say of it.
async fn damage(world: &mut World) -> BTreeMap<String, String> {
    // The consumer too: its janitor would take the surplus away.
    for service in [&mut world.producer, &mut world.consumer] {
        assert!(service.terminate(Duration::from_secs(30)).await.unwrap());
    }
    let posts = world.database.collection::<Document>("posts");
    let update = doc! {"$set": {"content": "Now it is another text."}};
    posts.update_one(doc! {"_id": "changed"}, update).await.unwrap();
    posts.insert_one(doc! {"_id": "inserted", "content": "Nobody relays this."}).await.unwrap();
    posts.delete_one(doc! {"_id": "deleted"}).await.unwrap();
    let (manifests, gone) = ("twin_documents", listed(world).await["incomplete"].first().unwrap().parse().unwrap());
    delete(world, manifests, post("missing").manifest_id()).await;
    set(world, manifests, &post("tombstone"), json!({"deleted": true, "chunk_ids": [], "chunk_hashes": []})).await;
    set(world, manifests, &post("hash"), json!({"source_hash": "another"})).await;
    set(world, manifests, &post("ahead"), json!({"revision": i64::MAX / 2})).await;
    set(world, manifests, &post("damaged"), json!({"chunk_ids": "no list"})).await;
    set(world, manifests, &post("lost"), json!({"revision": "lost"})).await;
    set(world, manifests, &post("bucket"), json!({"bucket": (post("bucket").bucket() + 1) % 256})).await;
    delete(world, "twin_chunks", gone).await;
    put(world, "twin_chunks", Uuid::new_v4(), chunk(&post("surplus"), 1)).await;
    put(world, "twin_chunks", Uuid::new_v4(), chunk(&post("nobody's chunk"), 1)).await;
    let nobody = json!({"type": "posts", "id_kind": "str", "entry_id": "nobody", "revision": 1, "deleted": false,
        "error": null, "bucket": post("nobody").bucket(), "source_hash": "", "fingerprint": "", "chunk_ids": [],
        "chunk_hashes": [], "cleaned_text": ""});
    put(world, manifests, post("nobody").manifest_id(), nobody).await;
    let user = |entry_id| identity(DocumentType::Users, entry_id);
    set(world, "twin_authors", &user("ada"), json!({"full_name": "Eve"})).await;
    delete(world, "twin_authors", user("grace").manifest_id()).await;
    [
        ("posts/changed", "stale"),
        ("posts/inserted", "missing"),
        ("posts/deleted", "orphaned"),
        ("posts/missing", "missing"),
        ("posts/tombstone", "missing"),
        ("posts/hash", "stale"),
        ("posts/ahead", "ahead"),
        ("posts/damaged", "damaged"),
        ("posts/lost", "damaged"),
        ("posts/bucket", "damaged"),
        ("posts/incomplete", "incomplete"),
        ("posts/surplus", "surplus"),
        ("posts/nobody's chunk", "orphaned"),
        ("posts/nobody", "orphaned"),
        ("users/ada", "stale"),
        ("users/grace", "missing"),
    ]
    .map(|(document, difference)| (document.to_owned(), difference.to_owned()))
    .into()
}

/// Whatever was done to either side is named, and nothing else; a repair heals it and touches nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn every_damage_is_named_and_repaired_and_nothing_else_is_touched() {
    let mut world = filled().await;
    let before = listed(&world).await;
    let expected = damage(&mut world).await;
    // Everything at once, bucket by bucket, and of one type.
    for more in [[].as_slice(), &["--at-once", "1"]] {
        let outcome = verify(&world, more).await;
        assert_eq!((outcome.code, differences(&outcome)), (Some(1), expected.clone()), "{outcome:?}");
        assert_eq!(outcome.json().last().unwrap()["in_error"], 1, "{outcome:?}");
    }
    let users = differences(&verify(&world, &["--type", "users"]).await);
    assert_eq!(users.keys().collect::<Vec<_>>(), ["users/ada", "users/grace"]);
    // Whoever reads may have seen enough: what was asked for is done, and the exit code is true.
    assert_eq!(consumer_unheard(&world, &["verify", "--wait", "0"]).await, Some(1));
    world.producer.start().unwrap();
    world.consumer.start().unwrap();
    let repaired = consumer_unheard(&world, &["verify", "--repair", "--wait", "2"]).await;
    assert_eq!(repaired, Some(0), "{}", world.logs());
    let outcome = verify(&world, &[]).await;
    assert_eq!((outcome.code, differences(&outcome)), (Some(0), BTreeMap::new()), "{outcome:?}");
    eventually("the audit agrees", || async { world.audit().await?.equal() }).await;
    let after = listed(&world).await;
    for untouched in ["fine", "busy", "failed"] {
        assert_eq!(before[untouched], after[untouched], "{untouched} was not written again");
    }
    world.stop().await;
}

/// A pipeline that is merely behind is not called wrong.
#[tokio::test(flavor = "multi_thread")]
async fn a_system_that_is_at_work_is_equal_in_the_end() {
    let mut world = filled().await;
    let posts = world.database.collection::<Document>("posts");
    let write = async {
        for number in 0..300 {
            let text = format!("Version {number} of a busy post.");
            posts.update_one(doc! {"_id": "busy"}, doc! {"$set": {"content": &text}}).await.unwrap();
            posts.insert_one(doc! {"_id": format!("more {number}"), "content": text}).await.unwrap();
        }
    };
    let look = async { consumer(&world, &["verify", "--json", "--wait", "15"], &[]).await };
    let (outcome, ()) = tokio::join!(look, write);
    assert_eq!(outcome.code, Some(0), "{outcome:?}\n{}", world.logs());
    world.stop().await;
}

/// `--since` goes by MongoDB's own history: a change that was lost is found, an earlier one is not looked at.
#[tokio::test(flavor = "multi_thread")]
async fn only_what_changed_since_is_compared() {
    let mut world = filled().await;
    set(&world, "twin_documents", &post("hash"), json!({"source_hash": "another"})).await;
    let second = bson::DateTime::now().timestamp_millis() / 1000;
    eventually("the next second has begun", || async {
        ensure!(bson::DateTime::now().timestamp_millis() / 1000 > second, "not yet");
        Ok(())
    })
    .await;
    let since = bson::DateTime::from_millis((second + 1) * 1000).try_to_rfc3339_string().unwrap();
    assert!(world.producer.terminate(Duration::from_secs(30)).await.unwrap());
    let posts = world.database.collection::<Document>("posts");
    posts.update_one(doc! {"_id": "changed"}, doc! {"$set": {"content": "Lost."}}).await.unwrap();
    posts.update_one(doc! {"_id": "fine"}, doc! {"$set": {"views": 7}}).await.unwrap();
    let outcome = verify(&world, &["--since", &since]).await;
    assert_eq!(differences(&outcome), [("posts/changed".to_owned(), "stale".to_owned())].into(), "{outcome:?}");
    assert_eq!(outcome.json().last().unwrap()["documents"], 2, "{outcome:?}");
    assert_eq!(differences(&verify(&world, &["--since", "1h"]).await).len(), 2);
    let wrong = verify(&world, &["--since", "yesterday"]).await;
    assert!(wrong.code == Some(2) && wrong.errors.contains("SINCE"), "{wrong:?}");
    world.stop().await;
}

/// What is not relayed is not missing.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_told_is_no_difference_and_no_equality() {
    let mut world = filled().await;
    let away = [("MONGODB_URI", "mongodb://127.0.0.1:1/?directConnection=true")];
    let outcome = consumer(&world, &["verify"], &away).await;
    assert_eq!((outcome.code, outcome.errors.lines().count()), (Some(3), 1), "{outcome:?}");
    let outcome = consumer(&world, &["verify"], &[("QDRANT_URL", "http://127.0.0.1:1")]).await;
    assert_eq!((outcome.code, outcome.errors.lines().count()), (Some(3), 1), "{outcome:?}");
    // Against another database everything would be orphaned, and a repair would empty the index.
    let outcome = consumer(&world, &["verify", "--repair"], &[("MONGODB_DATABASE", "another")]).await;
    assert!(outcome.code == Some(2) && outcome.errors.contains("MONGODB_DATABASE"), "{outcome:?}");
    world.stop().await;
}
