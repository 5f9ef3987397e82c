//! The evaluation stands on an index in memory: it must rank as the real one does.

use std::fmt::Write as _;

use consumer::{Change, DeadLetters, Message, QdrantStore, Synchronizer, Vectors};
use local::Progress;
use qdrant_client::qdrant::CountPointsBuilder;
use retrieval::{Query, Ranking, Searcher};
use serde_json::json;
use shared::dead_letter::{DeadLetterError, Postmark};
use shared::index::{CHUNKS, Index, IndexMeta};
use shared::shutdown::CancellationToken;
use tests::eval::{self, Data, Library, Lists, Weighting};
use tests::text::Text;
use tests::{embedder, qdrant};

struct NoLetters;

impl DeadLetters for NoLetters {
    async fn send(&self, _: &Message, postmark: Postmark) -> Result<(), DeadLetterError> {
        panic!("a dead letter: {postmark:?}")
    }
}

/// Made-up articles, and questions in words of theirs.
fn data() -> Data {
    let (mut text, mut articles, mut queries) = (Text::new(11), String::new(), String::new());
    for id in 0..40 {
        let content = json!({"Title": text.words(4), "Content": text.article(3)});
        let link = format!("https://example.org/{}/{}", text.word(), text.word());
        writeln!(articles, "{}", json!({"_id": id, "link": link, "content": content})).unwrap();
        writeln!(queries, "{}", json!({"query": text.words(5), "relevant": [id]})).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("articles.jsonl"), articles).unwrap();
    std::fs::write(folder.path().join("queries.jsonl"), queries).unwrap();
    Data::read(folder.path()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_in_memory_ranks_as_qdrant_does() {
    let (data, qdrant, embedder) = (data(), qdrant().await, embedder().await.clone());
    let index = Index::ensure(&qdrant.client(), &IndexMeta::new(embedder.info(), 1)).await.unwrap();
    let store = QdrantStore::new(qdrant.client(), index, 1);
    let (vectors, shutdown) = (Vectors::new(embedder.clone()), CancellationToken::new());
    let consumer = Synchronizer::new(store, vectors, "fingerprint".into(), shutdown);
    let change = |(identity, fields): &(shared::Identity, _)| Change {
        identity: identity.clone(),
        event: eval::event(identity, fields),
        redelivered: false,
        message: Message::default(),
    };
    consumer.apply(data.documents.iter().map(change).collect(), &NoLetters).await.unwrap();

    let step = Progress::quiet().step("library");
    let library = Library::build(&data, &embedder, embedder.tokens(), true, &step).await.unwrap();
    let count = qdrant.client().count(CountPointsBuilder::new(CHUNKS).exact(true)).await.unwrap();
    assert_eq!(count.result.unwrap().count, library.len() as u64);

    let words = library.words(&Weighting::default());
    let searcher = Searcher::new(qdrant.client(), embedder.clone());
    for question in &data.questions {
        let vector = embedder.embed(vec![question.text.clone()]).await.unwrap().remove(0);
        let asked = (question.text.as_str(), vector.as_slice());
        let ours = library.search(&words, asked, Lists::Hybrid, &Ranking::default(), (5, 1)).await.unwrap();
        let query = Query { limit: 5, per_document: 1, ..Query::new(&question.text) };
        let hits = searcher.search(&query).await.unwrap();
        let theirs: Vec<_> = hits.into_iter().map(|hit| hit.chunk.identity).collect();
        let ours: Vec<_> = ours.iter().map(|shown| shown.identity.clone()).collect();
        assert_eq!(ours, theirs, "{}", question.text);
    }
}
