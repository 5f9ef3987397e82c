//! `_id`s that no document of ours has: dead letters, and their neighbours go on.

use anyhow::ensure;
use bson::spec::BinarySubtype;
use bson::{Binary, Bson, Document, Timestamp, doc};
use tests::{World, eventually};

use crate::poison::dead_letters;

/// `_id`s that have no identity go to the dead letters from the producer; their neighbours go on.
#[tokio::test(flavor = "multi_thread")]
async fn an_unsupported_id_is_a_dead_letter_of_the_producer() {
    let mut world = World::started().await;
    let posts = world.database.collection::<Document>("posts");
    let binary = |subtype, bytes: &[u8]| Bson::from(Binary { subtype, bytes: bytes.to_vec() });
    let odd: Vec<Bson> = vec![
        5.5.into(),
        f64::NAN.into(),
        f64::NEG_INFINITY.into(),
        1e300.into(),
        true.into(),
        doc! { "a": 1 }.into(),
        bson::DateTime::now().into(),
        Bson::Null,
        Bson::MinKey,
        Bson::MaxKey,
        Bson::Timestamp(Timestamp { time: 1, increment: 1 }),
        Bson::Decimal128("5".parse().unwrap()),
        Bson::JavaScriptCode("f()".into()),
        Bson::Symbol("s".into()),
        binary(BinarySubtype::Generic, &[7; 16]),
        binary(BinarySubtype::UuidOld, &[7; 16]),
        binary(BinarySubtype::Uuid, &[7; 3]),
        binary(BinarySubtype::UserDefined(0x80), &[]),
    ];
    for id in &odd {
        posts.insert_one(doc! { "_id": id, "content": "odd" }).await.unwrap();
    }
    posts.insert_one(doc! { "_id": "after", "content": "the neighbour: ocelot" }).await.unwrap();
    for letter in dead_letters(&world, odd.len()).await {
        assert_eq!(letter.stage, "map");
        assert!(letter.error.contains("_id"), "{}", letter.error);
    }
    world.until_found("ocelot", "after", "ocelot").await;
    world.stop().await;
}

/// An `_id` is copied to every chunk. MongoDB takes one of megabytes.
#[tokio::test(flavor = "multi_thread")]
async fn a_document_with_an_id_of_a_megabyte_is_a_dead_letter_and_can_be_deleted() {
    let mut world = World::started().await;
    let posts = world.database.collection::<Document>("posts");
    let id = "i".repeat(1 << 20);
    posts.insert_one(doc! { "_id": &id, "content": "long ".repeat(100_000) }).await.unwrap();
    posts.insert_one(doc! { "_id": "after", "content": "the neighbour: quokka" }).await.unwrap();
    let letter = dead_letters(&world, 1).await.remove(0);
    assert_eq!((letter.stage.as_str(), letter.reason.as_str()), ("clean", "invalid document"));
    assert!(letter.error.contains("_id: 1048576 bytes"), "{}", letter.error);
    world.until_found("quokka", "after", "quokka").await;
    posts.delete_one(doc! { "_id": &id }).await.unwrap();
    eventually("the record is a tombstone", || async {
        let audit = world.audit().await?;
        audit.equal()?;
        ensure!(audit.tombstones.len() == 1, "{} tombstones", audit.tombstones.len());
        Ok::<_, anyhow::Error>(())
    })
    .await;
    let log = std::fs::read_to_string(world.consumer.log()).unwrap();
    assert!(log.lines().all(|line| line.len() < 10_000), "a line of the log holds all of it");
    world.stop().await;
}
