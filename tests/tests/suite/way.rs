//! The way of a document: from MongoDB to a search result, for every operation, type and kind of `_id`.

use anyhow::ensure;
use bson::{Bson, Document, doc, oid::ObjectId};
use tests::{World, eventually};
use uuid::Uuid;

async fn insert(world: &World, collection: &str, document: Document) {
    world.database.collection::<Document>(collection).insert_one(document).await.unwrap();
}

async fn until_equal(world: &World) {
    eventually(&format!("the index equals the source\n{}", world.logs()), || async { world.audit().await?.equal() })
        .await;
}

fn article(id: impl Into<Bson>, text: &str) -> Document {
    doc! { "_id": id.into(), "platform": "blog", "link": "https://example.org/a", "author_id": "ada",
    "content": { "Title": "A title", "Subtitle": Bson::Null, "Content": text, "language": "en" } }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_on_every_type_is_found_or_gone() {
    let mut world = World::started().await;
    let (article_id, post_id, repository_id) = (ObjectId::new(), ObjectId::new(), ObjectId::new());
    insert(&world, "articles", article(article_id, "# Tides\n\nThe quokka marker lives in an article.")).await;
    insert(
        &world,
        "posts",
        doc! { "_id": post_id, "platform": "linkedin", "author_id": "ada",
        "content": { "text": "A post about the axolotl marker." } },
    )
    .await;
    insert(
        &world,
        "repositories",
        doc! { "_id": repository_id, "name": "tides", "link": "https://example.org/r",
        "owner_id": "ada", "content": { "src/main.rs": "fn narwhal_marker() {}\n", "README.md": Bson::Null } },
    )
    .await;
    world.until_found("quokka", &article_id.to_hex(), "quokka").await;
    world.until_found("axolotl", &post_id.to_hex(), "axolotl").await;
    world.until_found("narwhal_marker", &repository_id.to_hex(), "narwhal_marker").await;

    let articles = world.database.collection::<Document>("articles");
    let update = doc! { "$set": { "content.Content": "The capybara took its place." } };
    articles.update_one(doc! { "_id": article_id }, update).await.unwrap();
    world.until_found("capybara", &article_id.to_hex(), "capybara").await;
    world.until_not_found("quokka", &article_id.to_hex(), "quokka").await;

    let posts = world.database.collection::<Document>("posts");
    posts.replace_one(doc! { "_id": post_id }, doc! { "content": "Now about the tapir." }).await.unwrap();
    world.until_found("tapir", &post_id.to_hex(), "tapir").await;
    world.until_not_found("axolotl", &post_id.to_hex(), "axolotl").await;

    let repositories = world.database.collection::<Document>("repositories");
    repositories.delete_one(doc! { "_id": repository_id }).await.unwrap();
    world.until_not_found("narwhal_marker", &repository_id.to_hex(), "narwhal_marker").await;
    until_equal(&world).await;

    articles.drop().await.unwrap();
    posts.delete_many(doc! {}).await.unwrap();
    until_equal(&world).await;
    let end = world.audit().await.unwrap();
    assert!(end.live.is_empty() && end.chunks.is_empty(), "{end:?}");
    assert_eq!(end.tombstones.len(), 3);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_there_before_the_first_start_is_relayed_too() {
    let mut world = World::new().await;
    for number in 0..40 {
        insert(&world, "posts", doc! { "_id": number, "content": format!("Post number {number}.") }).await;
    }
    insert(&world, "users", doc! { "_id": "ada", "first_name": "Ada", "last_name": "Lovelace" }).await;
    insert(&world, "articles", article("a", "Written by somebody before anything ran.")).await;
    world.start();
    until_equal(&world).await;
    eventually("the author is known by name", || async {
        let hits = world.search("written by somebody", &["--author", "Ada Lovelace"]).await?;
        ensure!(hits.first().is_some_and(|hit| hit["entry_id"] == "a"), "hits: {hits:?}");
        Ok::<_, anyhow::Error>(())
    })
    .await;
    world.stop().await;
}

/// Execution 5 among them: an `_id` of 300 characters, whose resume token exceeds what AMQP's `message_id` can hold.
#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_id_is_indexed_and_kinds_are_not_mixed_up() {
    let mut world = World::started().await;
    let uuid = bson::Uuid::new();
    let long = "x".repeat(300);
    let ids: Vec<Bson> = vec![
        ObjectId::new().into(),
        "five".into(),
        5.into(),
        "5".into(),
        Bson::Int64(-9_007_199_254_740_993),
        Bson::Double(7.0),
        uuid.into(),
        long.into(),
        "日本語\u{0}\n/?".into(),
        "".into(),
    ];
    for (number, id) in ids.iter().enumerate() {
        insert(&world, "articles", article(id.clone(), &format!("Document number {number}."))).await;
    }
    until_many(&world, ids.len()).await;
    world.database.collection::<Document>("articles").delete_one(doc! { "_id": 5 }).await.unwrap();
    until_many(&world, ids.len() - 1).await;
    world.stop().await;
}

/// (Kinds share texts, so that the audit by `entry_id` alone would not do.)
async fn until_many(world: &World, documents: usize) {
    eventually(&format!("{documents} live documents\n{}", world.logs()), || async {
        let found = count(world, "twin_documents").await?;
        ensure!(found == documents as u64, "{found} live manifests");
        Ok::<_, anyhow::Error>(())
    })
    .await;
}

async fn count(world: &World, collection: &str) -> anyhow::Result<u64> {
    use qdrant_client::qdrant::{Condition, CountPointsBuilder, Filter};
    let live = Filter::must([Condition::matches("deleted", false)]);
    let counted = world.qdrant.client().count(CountPointsBuilder::new(collection).filter(live).exact(true)).await?;
    Ok(counted.result.map_or(0, |result| result.count))
}

#[tokio::test(flavor = "multi_thread")]
async fn several_events_of_one_document_in_one_transaction_end_as_the_transaction_does() {
    let mut world = World::started().await;
    let posts = world.database.collection::<Document>("posts");
    posts.insert_one(doc! { "_id": "seed", "content": "seed" }).await.unwrap();
    let mut session = world.database.client().start_session().await.unwrap();
    session.start_transaction().await.unwrap();
    for text in ["one", "two", "three"] {
        posts.insert_one(doc! { "_id": "t", "content": text }).session(&mut session).await.unwrap();
        posts.delete_one(doc! { "_id": "t" }).session(&mut session).await.unwrap();
    }
    posts.insert_one(doc! { "_id": "t", "content": "the last word: okapi" }).session(&mut session).await.unwrap();
    session.commit_transaction().await.unwrap();
    world.until_found("okapi", "t", "okapi").await;
    until_equal(&world).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_language_is_found_by_its_own_words() {
    let mut world = World::started().await;
    let texts = [
        ("ru", "Поиск по векторам находит похожие тексты.", "похожие"),
        ("ja", "ベクトル検索は意味の近い文章を見つけます。", "検索"),
        ("ar", "البحث الدلالي يجد النصوص المتشابهة", "الدلالي"),
        ("hi", "सिमेंटिक खोज समान पाठ ढूँढती है", "सिमेंटिक"),
        ("el", "Η σημασιολογική αναζήτηση βρίσκει παρόμοια κείμενα", "αναζήτηση"),
    ];
    for (id, text, _) in texts {
        insert(&world, "posts", doc! { "_id": id, "content": { "text": text } }).await;
    }
    for (id, _, word) in texts {
        world.until_found(word, id, word).await;
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_before_anything_is_indexed_says_so() {
    let world = World::new().await;
    let error = world.search(&Uuid::new_v4().to_string(), &[]).await.unwrap_err().to_string();
    assert!(error.contains("index"), "{error}");
}
