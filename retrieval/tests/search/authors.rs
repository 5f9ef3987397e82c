//! Whose text is whose: the same text a thousand times, of a thousand authors, and all of it changing hands.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

use futures_util::future::join_all;

use crate::index::{Document, TestIndex};
use retrieval::Query;

const AUTHORS: usize = 1_000;
const TEXT: &str = "Everybody says that tea is better in the afternoon";

fn by(author: usize, document: usize) -> Document {
    Document::article(&format!("d{document}")).by(&format!("author {author}"))
}

fn of(author: &str) -> Query {
    Query { author: Some(author.into()), limit: 50, ..Query::new("tea in the afternoon") }
}

/// When a document ceased to be somebody's: after the write that gave it away.
struct Ownership {
    author: String,
    until: Option<Instant>,
}

#[tokio::test]
async fn of_a_thousand_authors_of_one_text_each_has_their_own() {
    let index = TestIndex::new().await;
    let documents: Vec<Document> = (0..AUTHORS).map(|n| by(n, n)).collect();
    index.write_all(&documents, TEXT).await;
    for author in (0..AUTHORS).step_by(37) {
        let hits = index.searcher.search(&of(&format!("author {author}"))).await.expect("an answer");
        let found: Vec<&str> = hits.iter().map(|hit| hit.chunk.identity.entry_id.as_str()).collect();
        assert_eq!(found, [format!("d{author}")]);
    }
}

#[tokio::test]
async fn no_author_is_shown_what_was_anothers_all_along_while_texts_change_hands() {
    const DOCUMENTS: usize = 20;
    const MOVES: usize = 120;
    let index = TestIndex::new().await;
    let mut documents: Vec<Document> = (0..DOCUMENTS).map(|n| by(n % 5, n)).collect();
    index.write_all(&documents, TEXT).await;
    let first = |n: usize| vec![Ownership { author: format!("author {}", n % 5), until: None }];
    let owners: RefCell<HashMap<String, Vec<Ownership>>> =
        RefCell::new((0..DOCUMENTS).map(|n| (format!("d{n}"), first(n))).collect());
    let writing = async {
        for step in 0..MOVES {
            let at = step * 7 % DOCUMENTS;
            let (name, author) = (format!("d{at}"), format!("author {}", step * 3 % 5));
            let next = Ownership { author: author.clone(), until: None };
            owners.borrow_mut().get_mut(&name).expect("known").push(next);
            let former = documents[at].clone();
            documents[at] = former.changed().by(&author);
            index.write(&documents[at], &[TEXT]).await;
            let mut owners = owners.borrow_mut();
            let known = owners.get_mut(&name).expect("known");
            let before = known.len() - 2;
            known[before].until = Some(Instant::now());
        }
    };
    let reading = async {
        let mut seen = BTreeSet::new();
        for round in 0..MOVES {
            let asked: Vec<String> = (0..5).map(|author| format!("author {}", (author + round) % 5)).collect();
            let from = Instant::now();
            let queries: Vec<Query> = asked.iter().map(|author| of(author)).collect();
            let answers = join_all(queries.iter().map(|query| index.searcher.search(query))).await;
            for (author, hits) in asked.iter().zip(answers) {
                for hit in hits.expect("an answer") {
                    let name = &hit.chunk.identity.entry_id;
                    assert_eq!(hit.chunk.metadata.author_id.as_ref(), Some(author));
                    let owners = owners.borrow();
                    let theirs =
                        |held: &Ownership| held.author == *author && held.until.is_none_or(|until| until >= from);
                    assert!(owners[name].iter().any(theirs), "{name} was no longer {author}'s");
                    seen.insert(name.clone());
                }
            }
        }
        assert_eq!(seen.len(), DOCUMENTS, "all are found by somebody");
    };
    tokio::join!(writing, reading);
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_clients_at_once_all_have_their_answers() {
    const CLIENTS: usize = 50;
    const QUESTIONS: usize = 4;
    let index = TestIndex::new().await;
    index.write_all(&(0..CLIENTS).map(|n| by(n, n)).collect::<Vec<_>>(), TEXT).await;
    let clients = (0..CLIENTS).map(|n| {
        let searcher = index.another_searcher(&index.url);
        tokio::spawn(async move {
            for question in 0..QUESTIONS {
                let asked = (n + question) % CLIENTS;
                let hits = searcher.search(&of(&format!("author {asked}"))).await.expect("an answer");
                assert_eq!(hits[0].chunk.identity.entry_id, format!("d{asked}"));
            }
        })
    });
    for client in join_all(clients).await {
        client.expect("each has its answers");
    }
}
