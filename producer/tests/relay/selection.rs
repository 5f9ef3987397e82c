//! `FILTER` and `EXCLUDE_FIELDS`: against MongoDB's own answers, and from end to end.

use bson::{Bson, Document, doc};
use futures_util::TryStreamExt;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestRunner;
use shared::Operation;
use source::Filter;

use crate::bench::{Bench, PARTITIONS};
use crate::process::Producer;
use crate::reader::Reader;

/// Few values, so that they often meet, and the odd ones of each kind.
fn scalar() -> impl Strategy<Value = Bson> {
    let decimal = |text: &str| Bson::Decimal128(text.parse().expect("a decimal"));
    select(vec![
        Bson::Null,
        Bson::Int32(0),
        Bson::Int32(1),
        Bson::Int64(1),
        Bson::Int64((1 << 53) + 1),
        Bson::Double(1.0),
        Bson::Double(-0.5),
        Bson::Double(9_007_199_254_740_992.0),
        Bson::Double(f64::NAN),
        Bson::Double(f64::INFINITY),
        decimal("1.0"),
        decimal("-0.50"),
        decimal("NaN"),
        decimal("1E+400"),
        Bson::from(""),
        Bson::from("a"),
        Bson::from("ab"),
        Bson::from("B"),
        Bson::from(true),
        Bson::from(false),
        Bson::DateTime(bson::DateTime::from_millis(-1)),
        Bson::DateTime(bson::DateTime::from_millis(1)),
        Bson::Timestamp(bson::Timestamp { time: 1, increment: 0 }),
        Bson::ObjectId(bson::oid::ObjectId::from_bytes([1; 12])),
        Bson::Binary(bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: vec![1, 2] }),
        Bson::Document(doc! {}),
        Bson::Array(vec![]),
    ])
}

fn name() -> impl Strategy<Value = String> {
    select(vec!["a", "b", "c", "0", "1"]).prop_map(str::to_owned)
}

fn value() -> impl Strategy<Value = Bson> {
    scalar().prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Bson::Array),
            proptest::collection::vec((name(), inner), 0..3)
                .prop_map(|fields| Bson::Document(fields.into_iter().collect())),
        ]
    })
}

fn document() -> impl Strategy<Value = Document> {
    proptest::collection::vec((name(), value()), 0..4).prop_map(|fields| fields.into_iter().collect())
}

fn path() -> impl Strategy<Value = String> {
    proptest::collection::vec(name(), 1..4).prop_map(|names| names.join("."))
}

fn operators() -> impl Strategy<Value = Bson> {
    let comparison = (select(vec!["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"]), value());
    let within = (select(vec!["$in", "$nin"]), proptest::collection::vec(value(), 0..3));
    let types = select(vec!["number", "string", "object", "array", "null", "int", "double", "decimal", "bool", "date"]);
    let pattern = (select(vec!["a", "^a", "b$", "^$", "."]), select(vec!["", "i"]));
    let simple = prop_oneof![
        6 => comparison.prop_map(|(operator, value)| doc! {operator: value}),
        2 => within.prop_map(|(operator, values)| doc! {operator: values}),
        1 => any::<bool>().prop_map(|exists| doc! {"$exists": exists}),
        1 => types.prop_map(|name| doc! {"$type": name}),
        1 => pattern.prop_map(|(pattern, options)| doc! {"$regex": pattern, "$options": options}),
    ];
    let negated = (simple.clone(), any::<bool>());
    negated.prop_map(|(operators, not)| {
        Bson::Document(if not {
            doc! {"$not": operators}
        } else {
            operators
        })
    })
}

fn filter() -> impl Strategy<Value = Document> {
    let clause = prop_oneof![
        2 => (path(), value()).prop_map(|(path, value)| doc! {path: value}),
        3 => (path(), operators()).prop_map(|(path, operators)| doc! {path: operators}),
    ];
    clause.prop_recursive(2, 6, 3, |inner| {
        let logic = (select(vec!["$and", "$or", "$nor"]), proptest::collection::vec(inner.clone(), 1..3));
        prop_oneof![
            logic.prop_map(|(operator, clauses)| doc! {operator: clauses}),
            (inner.clone(), inner).prop_map(|(mut one, other)| {
                one.extend(other);
                one
            }),
        ]
    })
}

async fn found(bench: &Bench, filter: &Document) -> Vec<i32> {
    let found = bench.database.collection::<Document>("any").find(filter.clone()).sort(doc! {"_id": 1}).await;
    let found: Vec<Document> = found.expect("a filter").try_collect().await.expect("documents");
    found.iter().map(|document| document.get_i32("_id").expect("our _id")).collect()
}

/// What MongoDB finds, we find, document by document.
#[tokio::test(flavor = "multi_thread")]
async fn a_filter_lets_through_what_mongodb_finds() {
    let bench = Bench::new().await;
    let collection = bench.collection("any");
    let (documents, filters) = (proptest::collection::vec(document(), 40), proptest::collection::vec(filter(), 60));
    let config = proptest::test_runner::Config { cases: 40, failure_persistence: None, ..Default::default() };
    let runtime = tokio::runtime::Handle::current();
    let compare = |(mut documents, filters): (Vec<Document>, Vec<Document>)| {
        runtime.block_on(async {
            documents.iter_mut().zip(0..).for_each(|(document, id)| drop(document.insert("_id", id)));
            collection.delete_many(doc! {}).await.expect("empty");
            collection.insert_many(&documents).await.expect("documents");
            for filter in &filters {
                let ours = Filter::parse(filter).map_err(|error| TestCaseError::fail(format!("{filter}: {error}")))?;
                let ours: Vec<_> = (0..).zip(&documents).filter(|(_, document)| ours.matches(document)).collect();
                let theirs = found(&bench, filter).await;
                let missed = ours.iter().map(|(id, _)| *id).collect::<Vec<i32>>();
                prop_assert_eq!(&missed, &theirs, "{} over {:?}", filter, documents);
            }
            Ok(())
        })
    };
    tokio::task::block_in_place(|| TestRunner::new(config).run(&(documents, filters), compare)).unwrap();
}

fn of_posts(reader: &Reader, id: i32) -> Vec<(Operation, Option<serde_json::Value>)> {
    let events = reader.of("posts", &id.to_string());
    events.iter().map(|event| (event.operation, event.document.clone().map(Into::into))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_selected_arrives_and_what_matches_no_longer_is_deleted() {
    let bench = Bench::new().await;
    let posts = bench.collection("posts");
    let text = |platform: &str| doc! {"platform": platform, "content": {"text": "t", "raw": "r"}, "image": "i"};
    for (id, platform) in [(1, "linkedin"), (2, "medium")] {
        let mut post = text(platform);
        post.insert("_id", id);
        posts.insert_one(post).await.unwrap();
    }
    let run = |filter: &str| {
        let mut command = bench.command();
        command.arg("run").env("FILTER", filter).env("EXCLUDE_FIELDS", "posts.image,posts.content.raw");
        Producer::spawn(&mut command)
    };
    let all = usize::from(PARTITIONS);
    let mut reader = bench.read().await;
    let mut producer = run(r#"{"posts": {"platform": "linkedin"}}"#);
    reader.until("the first sweeps", |r| r.sweeps() == 4 * all).await;
    let trimmed = serde_json::json!({"platform": "linkedin", "content": {"text": "t"}});
    assert_eq!(of_posts(&reader, 1), [(Operation::Snapshot, Some(trimmed))]);
    assert!(of_posts(&reader, 2).is_empty(), "no row of what is not selected");

    posts.update_one(doc! {"_id": 1}, doc! {"$set": {"platform": "medium"}}).await.unwrap();
    posts.update_one(doc! {"_id": 2}, doc! {"$set": {"platform": "linkedin"}}).await.unwrap();
    posts.insert_one(doc! {"_id": 3, "platform": "medium"}).await.unwrap();
    reader.until("the last", |r| !r.of("posts", "3").is_empty() && r.of("posts", "1").len() == 2).await;
    reader.until("what came to match", |r| !r.of("posts", "2").is_empty()).await;
    assert_eq!(of_posts(&reader, 1)[1], (Operation::Delete, None));
    assert_eq!(of_posts(&reader, 2)[0].0, Operation::Update);
    assert_eq!(of_posts(&reader, 3), [(Operation::Delete, None)]);
    assert_eq!(producer.stop().await, Some(0));

    let mut producer = run(r#"{"posts": {"platform": "linkedin"}}"#);
    posts.insert_one(doc! {"_id": 4, "platform": "linkedin"}).await.unwrap();
    reader.until("the same filter", |r| !r.of("posts", "4").is_empty()).await;
    assert_eq!(reader.count(Operation::Sweep, "posts"), all, "nothing anew");
    assert_eq!(producer.stop().await, Some(0));

    let _producer = run(r#"{"posts": {"platform": "medium"}}"#);
    reader.until("another filter: rows and a sweep", |r| r.count(Operation::Sweep, "posts") == 2 * all).await;
    for (id, last) in [(1, Operation::Snapshot), (2, Operation::Update), (3, Operation::Snapshot)] {
        assert_eq!(of_posts(&reader, id).last().unwrap().0, last, "{id}");
    }
    assert_eq!(reader.count(Operation::Sweep, "users"), all, "no other type anew");
}
