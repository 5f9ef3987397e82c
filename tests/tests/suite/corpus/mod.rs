//! A corpus of bad input, made by hand and by chance: each document and message ends indexed or in the dead letters with
//! a true reason, and its neighbours are not harmed.

mod documents;
mod messages;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, ensure};
use bson::{Document, doc};
use lapin::options::{BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties};
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use shared::body;
use shared::topology::{self, DEAD_LETTERS, EXCHANGE};
use shared::{ChangeEvent, Subject};
use tests::{Audit, World, eventually};

use messages::{Odd, event};

/// What a dead letter says.
#[derive(Debug, Clone)]
struct Letter {
    body: Vec<u8>,
    reason: String,
    stage: String,
    error: String,
}

/// Every dead letter that is there now.
async fn letters(world: &World) -> anyhow::Result<Vec<Letter>> {
    let connection = Connection::connect(&world.rabbitmq_uri, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let mut letters = Vec::new();
    while let Some(message) = channel.basic_get(DEAD_LETTERS.into(), BasicGetOptions { no_ack: true }).await? {
        let headers = message.properties.headers().clone().unwrap_or_default();
        let header = |name: &str| match headers.inner().get(name) {
            Some(AMQPValue::LongString(text)) => Ok(String::from_utf8_lossy(text.as_bytes()).into_owned()),
            other => anyhow::bail!("{name}: {other:?}"),
        };
        let [reason, stage, error] = ["x-twin-reason", "x-twin-stage", "x-twin-error"].map(header);
        letters.push(Letter { body: message.data.clone(), reason: reason?, stage: stage?, error: error? });
    }
    Ok(letters)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_document_of_a_poison_corpus_is_indexed_or_a_dead_letter_and_its_neighbours_are_found() {
    use documents::End;
    let mut world = World::started().await;
    let mut random = StdRng::seed_from_u64(7);
    let mut corpus = documents::by_hand();
    corpus.extend((0..40).map(|_| documents::by_chance(&mut random)));
    assert!(corpus.len() >= 100);
    let neighbours = world.database.collection::<Document>("posts");
    for (number, (collection, document, _)) in corpus.iter().enumerate() {
        let mut document = document.clone();
        document.insert("_id", format!("poison {number}"));
        world.database.collection::<Document>(collection).insert_one(document).await.unwrap();
        if number.is_multiple_of(5) {
            let neighbour = doc! { "_id": format!("neighbour {number}"), "content": "a wombat" };
            neighbours.insert_one(neighbour).await.unwrap();
        }
    }
    let audit = eventually("everything has its manifest", || async {
        let audit = world.audit().await?;
        audit.equal().with_context(|| world.logs())?;
        Ok::<_, anyhow::Error>(audit)
    })
    .await;
    // Users have no manifest that could be waited for: once the consumer has drained, their letters are there too.
    world.stop().await;
    let mut dead: BTreeMap<String, Letter> = BTreeMap::new();
    let mut events = BTreeSet::new();
    for letter in letters(&world).await.unwrap() {
        let event: Value = serde_json::from_slice(&letter.body).unwrap();
        let id = event["entry_id"].as_str().unwrap().to_owned();
        // The first copy of everything may meet a document too, at a revision below its insert.
        assert!(events.insert((id.clone(), event["operation"].to_string())), "two letters of {event}");
        dead.insert(id, letter);
    }
    for (number, (collection, document, end)) in corpus.iter().enumerate() {
        let id = format!("poison {number}");
        let letter = dead.remove(&id);
        if let Some(letter) = &letter {
            assert_eq!((letter.reason.as_str(), letter.stage.as_str()), ("invalid document", "clean"), "{letter:?}");
        }
        match (end, &letter) {
            (End::Indexed, None) | (End::Any, _) => {}
            (End::Dead(says), Some(letter)) if letter.error.contains(says) => {}
            _ => panic!("{id} of {collection} was to be {end:?}: {letter:?}, {:.200}", document.to_string()),
        }
        if *collection != "users" {
            let manifest = &audit.live[&format!("{collection}/str/{id}")];
            assert_eq!(manifest["error"].is_string(), letter.is_some(), "{manifest}");
        }
    }
    assert!(dead.is_empty(), "letters of neighbours: {dead:?}");
    assert!(unharmed(&audit) >= 20);
}

/// How many neighbours are there, each with its text.
fn unharmed(audit: &Audit) -> usize {
    let neighbours = audit.live.iter().filter(|(name, _)| name.contains("neighbour"));
    let has_text = |manifest: &Value| manifest["error"].is_null() && manifest["chunk_ids"] != json!([]);
    neighbours.inspect(|(name, manifest)| assert!(has_text(manifest), "{name}: {manifest}")).count()
}

/// Returns once the broker has it: what a broker does not take itself would end the channel without a word.
async fn publish(channel: &Channel, body: &[u8], properties: BasicProperties) {
    let options = BasicPublishOptions::default();
    let confirm = channel.basic_publish(EXCHANGE.into(), "0".into(), options, body, properties).await.unwrap();
    assert!(matches!(confirm.await.unwrap(), Confirmation::Ack(None)));
}

async fn until_indexed(world: &World, entry_id: &str) {
    eventually(&format!("{entry_id} is indexed"), || async {
        let audit = world.audit().await?;
        let manifest = audit.live.get(&format!("posts/str/{entry_id}")).with_context(|| world.logs())?;
        ensure!(manifest["error"].is_null(), "{manifest}");
        Ok::<_, anyhow::Error>(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_message_of_a_poison_corpus_is_applied_or_a_dead_letter_as_it_was() {
    let mut world = World::new().await;
    let mut random = StdRng::seed_from_u64(8);
    let mut corpus = messages::by_hand();
    corpus.extend((0..60).map(|number| messages::by_chance(&mut random, number)));
    // What a barrier does is no matter of this test.
    corpus.retain(|odd| !matches!(decoded(odd), Ok(ChangeEvent { subject: Subject::Collection(_), .. })));
    assert!(corpus.len() >= 100);
    let connection = Connection::connect(&world.rabbitmq_uri, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    topology::declare(&channel, 3).await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    // The first to say where it comes from: the index is this database's from now on.
    let mut source = FieldTable::default();
    source.insert("cloudEvents:source".into(), AMQPValue::LongString("/mongodb/twin/posts".into()));
    let ours = BasicProperties::default().with_headers(source);
    publish(&channel, event("ours").to_string().as_bytes(), ours).await;
    world.consumer.start().unwrap();
    until_indexed(&world, "ours").await;
    for (number, odd) in corpus.iter().enumerate() {
        publish(&channel, &odd.body, odd.properties.clone()).await;
        if number.is_multiple_of(5) {
            publish(&channel, event(&format!("neighbour {number}")).to_string().as_bytes(), Default::default()).await;
        }
    }
    publish(&channel, event("last").to_string().as_bytes(), Default::default()).await;
    // The last of its queue: then all others are taken, and are drained when the consumer ends.
    until_indexed(&world, "last").await;
    assert!(world.consumer.terminate(Duration::from_secs(30)).await.unwrap(), "it drains");
    let audit = world.audit().await.unwrap();
    let mut dead: BTreeMap<Vec<u8>, Vec<Letter>> = BTreeMap::new();
    for letter in letters(&world).await.unwrap() {
        dead.entry(letter.body.clone()).or_default().push(letter);
    }
    for odd in &corpus {
        let letters = dead.entry(odd.body.clone()).or_default();
        // The same bytes can come under several encodings.
        let error = decoded(odd).err().map(|error| error.to_string());
        let own = letters.iter().position(|letter| error.as_ref().is_none_or(|error| letter.error == *error));
        judge(odd, own.map(|own| letters.remove(own)), &audit);
    }
    assert!(dead.values().all(Vec::is_empty), "letters of nobody: {dead:?}");
    assert!(unharmed(&audit) >= 20);
}

fn decoded(odd: &Odd) -> Result<ChangeEvent, body::DecodeError> {
    let encoding = odd.properties.content_encoding().as_ref().map(ToString::to_string);
    body::decode(&odd.body, encoding.as_deref())
}

/// Whether a message has ended as it had to.
fn judge(odd: &Odd, letter: Option<Letter>, audit: &Audit) {
    use messages::End;
    let text = String::from_utf8_lossy(&odd.body[..odd.body.len().min(300)]).into_owned();
    match (&odd.end, &letter) {
        (End::Applied, None) | (End::Any, _) => {}
        (End::Dead(reason, stage, says), Some(letter)) => {
            assert_eq!((letter.reason.as_str(), letter.stage.as_str()), (*reason, *stage), "{letter:?}: {text}");
            assert!(letter.error.contains(says), "{} does not say {says}: {text}", letter.error);
        }
        (end, letter) => panic!("{end:?} was expected: {letter:?}: {text}"),
    }
    match (decoded(odd), letter) {
        (Err(error), Some(letter)) => {
            assert_eq!((letter.reason.as_str(), letter.error), ("undecodable", error.to_string()), "{text}");
        }
        (Err(error), None) => panic!("lost: {error}: {text}"),
        (Ok(_), Some(letter)) if letter.reason == "foreign source" => {}
        (Ok(event), letter) => {
            let identity = event.identity().unwrap();
            let name = format!("{}/{}/{}", identity.document_type, identity.id_kind.as_str(), identity.entry_id);
            let Some(record) = audit.live.get(&name).or_else(|| audit.tombstones.get(&name)) else {
                panic!("{name} has no record: {letter:?}: {text}");
            };
            assert!(record["revision"].as_i64() >= Some(event.revision.get()), "{record}: {text}");
            let at_fault =
                letter.is_none_or(|letter| ["omitted", "invalid document"].contains(&letter.reason.as_str()));
            assert!(at_fault, "{record}: {text}");
        }
    }
}
