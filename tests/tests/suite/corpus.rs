//! A corpus of bad input, made by hand and by chance: each document and message ends indexed or in the dead letters with
//! a true reason, and its neighbours are not harmed.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use bson::spec::BinarySubtype;
use bson::{Binary, Bson, DateTime, Document, doc, oid::ObjectId};
use lapin::options::{BasicGetOptions, BasicPublishOptions};
use lapin::types::AMQPValue;
use lapin::{BasicProperties, Connection, ConnectionProperties};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use shared::Subject;
use shared::body;
use shared::topology::{self, DEAD_LETTERS, EXCHANGE};
use tests::{World, eventually};

/// How an input has to end.
#[derive(Debug, Clone, Copy)]
enum End {
    Indexed,
    /// A dead letter whose error says this.
    Dead(&'static str),
    /// Either, as long as it is one of them.
    Any,
}

/// What a dead letter says.
#[derive(Debug, Clone)]
struct Letter {
    body: Vec<u8>,
    reason: String,
    stage: String,
    error: String,
}

/// Every dead letter that is there now.
async fn letters(world: &World) -> Vec<Letter> {
    let connection = Connection::connect(&world.rabbitmq_uri, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let mut letters = Vec::new();
    while let Some(message) = channel.basic_get(DEAD_LETTERS.into(), BasicGetOptions { no_ack: true }).await.unwrap() {
        let headers = message.properties.headers().clone().unwrap_or_default();
        let header = |name: &str| match headers.inner().get(name) {
            Some(AMQPValue::LongString(text)) => String::from_utf8_lossy(text.as_bytes()).into_owned(),
            other => panic!("{name}: {other:?}"),
        };
        let [reason, stage, error] = ["x-twin-reason", "x-twin-stage", "x-twin-error"].map(header);
        letters.push(Letter { body: message.data.clone(), reason, stage, error });
    }
    letters
}

/// Documents of each collection, made by hand.
fn documents() -> Vec<(&'static str, Document, End)> {
    let binary = Bson::from(Binary { subtype: BinarySubtype::Generic, bytes: vec![0, 159, 146, 150] });
    let uuid = Bson::from(Binary { subtype: BinarySubtype::Uuid, bytes: vec![7; 16] });
    let nested = |levels| (0..levels).fold(Bson::from("depth"), |inner, _| Bson::from(doc! { "a": inner }));
    let mut documents: Vec<(&'static str, Document, End)> = Vec::new();
    let mut posts = |end, document| documents.push(("posts", document, end));
    for content in [
        Bson::from(5),
        Bson::from(5.5),
        Bson::from(true),
        Bson::from(vec!["text"]),
        Bson::from(DateTime::now()),
        Bson::from(ObjectId::new()),
        binary.clone(),
        Bson::MinKey,
        Bson::Timestamp(bson::Timestamp { time: 1, increment: 1 }),
        Bson::JavaScriptCode("while (true) {}".into()),
        Bson::from(doc! { "text": 5 }),
        Bson::from(doc! { "text": "fine", "more": [1, 2] }),
        Bson::from(doc! { "deep": { "deeper": { "deepest": false } } }),
        Bson::from(doc! { "text": binary }),
    ] {
        posts(End::Dead("content"), doc! { "content": content });
    }
    for (field, value) in [
        ("platform", Bson::from(7)),
        ("link", Bson::from(vec!["https://example.org"])),
        ("author_full_name", Bson::from(doc! { "first": "A" })),
        ("author_id", Bson::from(true)),
        ("author_id", Bson::from(1.5)),
        ("author_id", Bson::from(vec![1])),
        ("author_id", Bson::from("i".repeat(5_000))),
    ] {
        posts(End::Dead(field), doc! { field: value, "content": "a fine text" });
    }
    for id in [Bson::from(7), Bson::from(7_i64), Bson::from(7.0), uuid, ObjectId::new().into(), Bson::Null, "".into()] {
        posts(End::Indexed, doc! { "author_id": id, "content": "a fine text" });
    }
    for content in [
        Bson::Null,
        Bson::from(""),
        Bson::from(" \t\r\n\u{a0}\u{3000}"),
        Bson::from("\u{200b}\u{200c}\u{200d}\u{feff}"),
        Bson::from("\u{0}\u{1}\u{7f}\u{9f}\u{1b}[31m"),
        Bson::from("\u{202e}desrever\u{202c} \u{2066}isolated\u{2069}"),
        Bson::from("\u{fffe}\u{ffff}\u{10ffff}\u{e000}"),
        Bson::from(format!("z{}", "\u{301}\u{316}\u{353}".repeat(500))),
        Bson::from("👨\u{200d}👩\u{200d}👧\u{200d}👦".repeat(200)),
        Bson::from("\u{fdfa}".repeat(300)),
        Bson::from("x".repeat(20_000)),
        Bson::from("\n".repeat(50_000)),
        Bson::from("9".repeat(5_000)),
        Bson::from("語".repeat(2_000)),
        nested(60),
        Bson::from(doc! {}),
        Bson::from(doc! { "": "a field without a name" }),
        Bson::from(doc! { "a.b": "dots", "$c": "dollars" }),
        Bson::from((0..300).map(|n| (format!("field {n}"), Bson::from("t"))).collect::<Document>()),
    ] {
        posts(End::Indexed, doc! { "content": content });
    }
    let mut articles = |end, content: Document| documents.push(("articles", doc! { "content": content }, end));
    articles(End::Dead("Title"), doc! { "Title": 5, "Content": "text" });
    articles(End::Dead("language"), doc! { "language": ["en"], "Content": "text" });
    articles(End::Indexed, doc! { "Title": "T".repeat(20_000), "Content": "text" });
    for text in [
        "# ".repeat(500),
        "> ".repeat(500),
        "* ".repeat(500),
        "[".repeat(2_000),
        "![](".repeat(500),
        "`".repeat(2_001),
        "```\nnever closed".to_owned(),
        "|".repeat(1_500),
        "<".repeat(1_500),
        "<div>".repeat(3_000),
        "</p>".repeat(1_500),
        "<html><script>".to_owned() + &"x".repeat(9_000),
        "<!--".repeat(500),
        "<a href=\"".to_owned() + &"y".repeat(9_000),
        "&amp;".repeat(1_000),
        "&#x110000;&#xd800;&nosuch;&#0;".repeat(50),
        format!("![](data:image/png;base64,{})", "A".repeat(50_000)),
        format!("https://example.org/{}", "a/".repeat(5_000)),
        "---\ntitle: [\n---\ntext".to_owned(),
        "a\u{2028}b\u{2029}c\rd".to_owned(),
    ] {
        articles(End::Indexed, doc! { "Content": text });
    }
    let mut repositories = |end, document| documents.push(("repositories", document, end));
    repositories(End::Dead("name"), doc! { "name": 5, "content": { "a.md": "text" } });
    repositories(End::Dead("owner_id"), doc! { "owner_id": [], "content": { "a.md": "text" } });
    repositories(End::Dead("a.rs"), doc! { "content": { "src": { "a.rs": 5 } } });
    for files in [
        doc! { "../../etc/passwd": "root", "/": "slash", "": "nameless", "a//b": "double", "C:\\x.md": "text" },
        doc! { "p/".repeat(3_000) + "a.md": "a long path" },
        doc! { "min.js": "var a=1;".repeat(2_000), "b.bin": "\u{0}\u{1}\u{fffd}".repeat(100) },
        doc! { "deep.rs": "fn f() {".repeat(400), "brackets.py": "(".repeat(1_500) },
        (0..300).map(|n| (format!("empty/{n}.rs"), Bson::from(""))).collect::<Document>(),
        doc! { "secret.env": format!("AWS_SECRET_ACCESS_KEY={}", "A".repeat(40)) },
    ] {
        repositories(End::Indexed, doc! { "name": "r", "content": files });
    }
    documents.push(("users", doc! { "first_name": 5 }, End::Dead("first_name")));
    documents
}

/// A value of any kind, of little depth.
fn any_value(random: &mut StdRng, depth: u32) -> Bson {
    let text = |random: &mut StdRng| -> String {
        let length = random.random_range(0..40);
        (0..length).map(|_| char::from_u32(random.random_range(0..0x3_0000)).unwrap_or('\u{fffd}')).collect()
    };
    match random.random_range(0..if depth == 0 { 7 } else { 10 }) {
        0 => Bson::Null,
        1 => random.random::<i64>().into(),
        2 => random.random::<bool>().into(),
        3 => f64::from_bits(random.random()).into(),
        4..=6 => text(random).into(),
        7 => (0..random.random_range(0..3)).map(|_| any_value(random, depth - 1)).collect::<Vec<_>>().into(),
        _ => {
            // A name that BSON can hold.
            let mut name = || text(random).replace('\0', "");
            let names = [name(), name()];
            names.into_iter().map(|name| (name, any_value(random, depth - 1))).collect::<Document>().into()
        }
    }
}

/// Documents of the right names and any values.
fn chance(random: &mut StdRng) -> (&'static str, Document, End) {
    let collection = ["articles", "posts", "repositories"].choose(random).copied().unwrap();
    let mut document = doc! { "content": any_value(random, 3) };
    for field in ["platform", "link", "author_id", "owner_id", "name"] {
        if random.random_bool(0.3) {
            document.insert(field, any_value(random, 1));
        }
    }
    (collection, document, End::Any)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_document_of_a_poison_corpus_is_indexed_or_a_dead_letter_and_its_neighbours_are_found() {
    let mut world = World::started().await;
    let mut random = StdRng::seed_from_u64(7);
    let mut corpus = documents();
    corpus.extend((0..40).map(|_| chance(&mut random)));
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
    let audit = eventually(&format!("everything has its manifest\n{}", world.logs()), || async {
        let audit = world.audit().await?;
        audit.equal()?;
        Ok::<_, anyhow::Error>(audit)
    })
    .await;
    let mut dead = BTreeMap::new();
    for letter in letters(&world).await {
        let event: Value = serde_json::from_slice(&letter.body).unwrap();
        assert!(
            dead.insert(event["entry_id"].as_str().unwrap().to_owned(), letter).is_none(),
            "two letters of {event}"
        );
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
    let unharmed = audit.live.iter().filter(|(name, _)| name.contains("neighbour"));
    assert!(unharmed.clone().count() >= 20 && unharmed.clone().all(|(_, manifest)| manifest["error"].is_null()));
    world.stop().await;
}

/// A message, and its `content_encoding`.
type Raw = (Vec<u8>, Option<&'static str>);

fn event(entry_id: &str) -> Value {
    json!({"id": "0b0e2b5c-5a3e-5f5e-9d5c-1f0e7a3c2b1d", "operation": "update", "type": "posts", "id_kind": "str",
        "entry_id": entry_id, "revision": 3_855_425_992_956_837_889_i64, "occurred_at": "2026-11-22T04:43:51.510Z",
        "document": {"content": {"text": "a fine text"}, "author_id": "A"}})
}

/// Messages made by hand.
fn messages() -> Vec<Raw> {
    let whole = |value: &Value| (value.to_string().into_bytes(), None);
    let mut messages: Vec<Raw> = Vec::new();
    for (field, value) in [
        ("id", json!("no uuid")),
        ("id", json!(null)),
        ("operation", json!("upsert")),
        ("operation", json!(7)),
        ("type", json!("comments")),
        ("id_kind", json!("decimal")),
        ("id_kind", json!("oid")),
        ("id_kind", json!("uuid")),
        ("id_kind", json!("int")),
        ("revision", json!("1")),
        ("revision", json!(1.5)),
        ("revision", json!(u64::MAX)),
        ("occurred_at", json!(5)),
        ("document", json!("text")),
        ("document", json!(null)),
        ("repair", json!("yes")),
    ] {
        let mut event = event("by hand");
        event[field] = value;
        messages.push(whole(&event));
    }
    for field in ["id", "operation", "type", "id_kind", "entry_id", "revision", "document"] {
        let mut event = event("by hand");
        event.as_object_mut().unwrap().remove(field);
        messages.push(whole(&event));
    }
    let plain = event("by hand").to_string();
    let packed = zstd::bulk::compress(plain.as_bytes(), 3).unwrap();
    messages.extend([
        (Vec::new(), None),
        (b"hello".to_vec(), None),
        (b"null".to_vec(), None),
        (b"[]".to_vec(), None),
        (b"{}".to_vec(), None),
        (vec![0xef, 0xbb, 0xbf], None),
        (vec![0; 1_000], None),
        (plain.clone().into_bytes(), Some("zstd")),
        (plain.clone().into_bytes(), Some("gzip")),
        (packed.clone(), None),
        (packed[..packed.len() / 2].to_vec(), Some("zstd")),
        (packed, Some("zstd")),
        (zstd::bulk::compress(&vec![b' '; 65 << 20], 3).unwrap(), Some("zstd")),
        (format!("{plain} trailing").into_bytes(), None),
        (format!("[{plain}]").into_bytes(), None),
        ("[".repeat(100_000).into_bytes(), None),
        (plain.replacen("a fine text", "\\ud800", 1).into_bytes(), None),
        (plain.encode_utf16().flat_map(u16::to_le_bytes).collect(), None),
    ]);
    messages
}

/// A true message with some of its bytes changed, left out or doubled.
fn mutated(random: &mut StdRng, number: usize) -> Raw {
    let mut bytes = event(&format!("chance {number}")).to_string().into_bytes();
    for _ in 0..random.random_range(1..4) {
        let at = random.random_range(0..bytes.len());
        match random.random_range(0..4) {
            0 => bytes[at] ^= 1 << random.random_range(0..8),
            1 => drop(bytes.remove(at)),
            2 => bytes.insert(at, random.random()),
            _ => bytes.truncate(at.max(1)),
        }
    }
    (bytes, None)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_message_of_a_poison_corpus_is_applied_or_a_dead_letter_as_it_was() {
    let mut world = World::new().await;
    let mut random = StdRng::seed_from_u64(8);
    let mut corpus = messages();
    corpus.extend((0..60).map(|number| mutated(&mut random, number)));
    assert!(corpus.len() >= 100);
    // What a barrier does is no matter of this test.
    let is_barrier = |(bytes, encoding): &Raw| {
        body::decode(bytes, *encoding).is_ok_and(|event| matches!(event.subject, Subject::Collection(_)))
    };
    corpus.retain(|message| !is_barrier(message));
    let connection = Connection::connect(&world.rabbitmq_uri, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    topology::declare(&channel, 3).await.unwrap();
    let neighbour = (event("neighbour").to_string().into_bytes(), None);
    for (bytes, encoding) in corpus.iter().chain([&neighbour]) {
        let properties = encoding.map_or_else(BasicProperties::default, |encoding: &str| {
            BasicProperties::default().with_content_encoding(encoding.into())
        });
        let options = BasicPublishOptions::default();
        channel.basic_publish(EXCHANGE.into(), "0".into(), options, bytes, properties).await.unwrap();
    }
    world.consumer.start().unwrap();
    // The last message of its queue: once it is indexed, all others are taken, and drained when the consumer ends.
    eventually(&format!("the neighbour is indexed\n{}", world.logs()), || async {
        let audit = world.audit().await?;
        let manifest = audit.live.get("posts/str/neighbour").context("a manifest")?;
        ensure!(manifest["error"].is_null(), "{manifest}");
        Ok::<_, anyhow::Error>(())
    })
    .await;
    assert!(world.consumer.terminate(std::time::Duration::from_secs(30)).await.unwrap(), "it drains");
    let audit = world.audit().await.unwrap();
    let mut dead: BTreeMap<Vec<u8>, Vec<Letter>> = BTreeMap::new();
    for letter in letters(&world).await {
        dead.entry(letter.body.clone()).or_default().push(letter);
    }
    for (bytes, encoding) in &corpus {
        let letters = dead.entry(bytes.clone()).or_default();
        match body::decode(bytes, *encoding) {
            Err(error) => {
                // The same bytes can come under several encodings.
                let place = letters.iter().position(|letter| letter.error == error.to_string());
                let text = String::from_utf8_lossy(bytes);
                let letter = letters.remove(place.unwrap_or_else(|| panic!("{error}: {letters:?}: {text:.200}")));
                assert_eq!((letter.reason.as_str(), letter.stage.as_str()), ("undecodable", "decode"));
            }
            Ok(event) => {
                let identity = event.identity().unwrap();
                let (kind, entry_id) = (identity.id_kind.as_str(), &identity.entry_id);
                let name = format!("{}/{kind}/{entry_id}", identity.document_type);
                let record = audit.live.get(&name).or_else(|| audit.tombstones.get(&name));
                let reached = record.and_then(|record| record["revision"].as_i64());
                let refused = letters.pop().is_some();
                assert!(refused || reached >= Some(event.revision.get()), "{name}: {record:?}");
            }
        }
    }
    assert!(dead.values().all(Vec::is_empty), "letters of nobody: {dead:?}");
}
