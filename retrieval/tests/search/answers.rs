//! What a search shows: the reader's part of the design's executions 9, 12 and 20, filters, order and caps.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::index::{Document, TestIndex};
use retrieval::{Hit, Preferences, Query};
use shared::index::GRACE;
use shared::{ChunkPayload, DocumentType, Revision};

fn ids(hits: &[Hit]) -> Vec<&str> {
    hits.iter().map(|hit| hit.chunk.identity.entry_id.as_str()).collect()
}

fn texts(hits: &[Hit]) -> Vec<&str> {
    hits.iter().map(|hit| hit.chunk.text.as_str()).collect()
}

async fn found(index: &TestIndex, query: &Query) -> Vec<Hit> {
    index.searcher.search(query).await.expect("an answer")
}

#[tokio::test]
async fn the_best_hit_comes_first_by_words_and_by_meaning() {
    let index = TestIndex::new().await;
    index.write(&Document::article("bread"), &["How to bake bread with a sourdough starter"]).await;
    index
        .write(&Document::article("cdc"), &["Change data capture relays every update of the database to a queue"])
        .await;
    index.write(&Document::article("cats"), &["Cats sleep for most of the day"]).await;
    for (query, best) in
        [("sourdough", "bread"), ("kittens and felines", "cats"), ("streaming database changes", "cdc")]
    {
        let hits = found(&index, &Query::new(query)).await;
        assert_eq!(ids(&hits)[0], best, "{query}");
        assert!(hits.is_sorted_by(|a, b| a.score >= b.score));
    }
}

#[tokio::test]
async fn a_chunk_that_its_manifest_does_not_list_is_not_shown() {
    let index = TestIndex::new().await;
    let (first, second) = (Document::article("a"), Document::article("a").changed());
    index.put(&first, &["the former text about tea"]).await;
    index.write(&second, &["the present text about tea"]).await;
    index.put(&Document::article("unborn"), &["tea that no manifest speaks of"]).await;
    let hits = found(&index, &Query::new("tea")).await;
    assert_eq!(texts(&hits), ["the present text about tea"]);
    assert_eq!(hits[0].revision, second.revision);
}

#[tokio::test]
async fn nothing_of_a_deleted_document_is_shown() {
    let index = TestIndex::new().await;
    let document = Document::article("a");
    index.write(&document, &["a text about tea"]).await;
    index.bury(&document.changed()).await;
    assert_eq!(found(&index, &Query::new("tea")).await, []);
}

/// Execution 12: the former chunk is found, the manifest lists another that is far from the query.
#[tokio::test]
async fn a_document_whose_only_hit_was_stale_is_asked_again() {
    let index = TestIndex::new().await;
    let crowd: Vec<String> = (0..150).map(|n| format!("tea, tea and tea again, cup {n}")).collect();
    index.write(&Document::article("crowd"), &crowd.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let first = Document::article("a");
    index.put(&first, &["tea"]).await;
    index.write(&first.changed(), &["The committee has published its quarterly report on road maintenance"]).await;
    let hits = found(&index, &Query { per_document: 1, ..Query::new("tea") }).await;
    assert_eq!(ids(&hits), ["crowd", "a"]);
    assert!(hits[1].chunk.text.contains("road maintenance"));
}

/// Execution 20: chunks of two revisions are found at once.
#[tokio::test]
async fn all_hits_of_a_document_are_of_one_revision() {
    let index = TestIndex::new().await;
    let first = Document::article("a");
    let second = first.changed();
    index.put(&first, &["tea in the first revision", "more tea in the first revision"]).await;
    let listed = index.put(&second, &["tea in the second revision", "more tea in the second revision"]).await;
    index.list(&second, listed).await;
    let hits = found(&index, &Query { per_document: 10, ..Query::new("tea revision") }).await;
    assert_eq!(hits.len(), 2);
    assert!(hits.iter().all(|hit| hit.chunk.text.contains("second") && hit.revision == second.revision));
}

/// Execution 9: the text is the same, the author another; the former author's chunk still stands.
#[tokio::test]
async fn a_document_that_changed_hands_is_found_under_its_new_author_only() {
    let index = TestIndex::new().await;
    let before = Document::article("a").by("ann");
    let after = before.changed().by("ben");
    index.put(&before, &["a text about tea"]).await;
    index.write(&after, &["a text about tea"]).await;
    let of = |author: &str| Query { author: Some(author.into()), ..Query::new("tea") };
    assert_eq!(found(&index, &of("ann")).await, []);
    let hits = found(&index, &of("ben")).await;
    assert_eq!(hits.len(), 1);
    assert_eq!(hits[0].chunk.metadata.author_id.as_deref(), Some("ben"));
    let anyones = found(&index, &Query::new("tea")).await;
    assert_eq!(anyones[0].chunk.metadata.author_id.as_deref(), Some("ben"));
}

#[tokio::test]
async fn an_author_is_an_id_or_a_name() {
    let index = TestIndex::new().await;
    index.introduce("u1", "Ann Lee").await;
    index.write(&Document::article("by-id").by("u1"), &["a text about tea"]).await;
    let mut namesake = Document::article("namesake").by("u2");
    namesake.metadata.author_full_name = Some("Ann Lee".into());
    index.write(&namesake, &["another text about tea"]).await;
    let mut unknown = Document::article("unknown").by("u3");
    unknown.metadata.author_full_name = Some("Bo Ek".into());
    index.write(&unknown, &["yet another text about tea"]).await;
    for (author, expected) in [
        ("u1", vec!["by-id"]),
        ("Ann Lee", vec!["by-id"]),
        ("Bo Ek", vec!["unknown"]),
        ("u3", vec!["unknown"]),
        ("nobody", vec![]),
    ] {
        let hits = found(&index, &Query { author: Some(author.into()), ..Query::new("tea") }).await;
        assert_eq!(ids(&hits), expected, "{author}");
    }
    let hits = found(&index, &Query::new("tea")).await;
    let names = index.searcher.author_names(&hits).await.expect("names");
    assert_eq!(names.get("u1").map(String::as_str), Some("Ann Lee"));
    assert_eq!(names.len(), 1);
}

#[tokio::test]
async fn filters_leave_out_what_does_not_match() {
    let index = TestIndex::new().await;
    let mut article = Document::article("article");
    article.metadata.platform = Some("medium".into());
    article.metadata.language = Some("en".into());
    index.write(&article, &["a text about tea"]).await;
    let mut post = Document::of(DocumentType::Posts, "post");
    post.metadata.platform = Some("linkedin".into());
    index.write(&post, &["a post about tea"]).await;
    let all = Query::new("tea");
    for (query, expected) in [
        (Query { types: vec![DocumentType::Posts], ..all.clone() }, vec!["post"]),
        (Query { types: vec![DocumentType::Repositories], ..all.clone() }, vec![]),
        (Query { platform: Some("medium".into()), ..all.clone() }, vec!["article"]),
        (Query { language: Some("en".into()), ..all.clone() }, vec!["article"]),
        (Query { language: Some("de".into()), ..all.clone() }, vec![]),
    ] {
        assert_eq!(ids(&found(&index, &query).await), expected, "{query:?}");
    }
    let both = Query { types: vec![DocumentType::Posts, DocumentType::Articles], ..all };
    assert_eq!(found(&index, &both).await.len(), 2);
}

#[tokio::test]
async fn a_long_document_leaves_room_for_the_others() {
    let index = TestIndex::new().await;
    let long: Vec<String> = (0..300).map(|n| format!("tea ceremony, part {n}")).collect();
    index.write(&Document::article("long"), &long.iter().map(String::as_str).collect::<Vec<_>>()).await;
    index.write(&Document::article("other"), &["The committee has published its report on roads"]).await;
    let hits = found(&index, &Query::new("tea ceremony")).await;
    assert_eq!(ids(&hits), ["long", "long", "other"]);
    let one = found(&index, &Query { limit: 1, ..Query::new("tea ceremony") }).await;
    assert_eq!(ids(&one), ["long"]);
}

#[tokio::test]
async fn a_query_of_any_kind_has_an_answer() {
    let index = TestIndex::new().await;
    index.write(&Document::article("a"), &["an ordinary text about tea"]).await;
    let megabyte = "tea and more ".repeat(80_000);
    for query in [&megabyte, "🍵", "…!?", "お茶", "\u{1b}[31mtea\u{0}", "-- ; DROP TABLE"] {
        assert_eq!(
            ids(&found(&index, &Query::new(query)).await),
            ["a"],
            "{}",
            query.chars().take(20).collect::<String>()
        );
    }
}

/// A writer that follows the protocol moves on while the reader asks: the document is always there, in one revision.
#[tokio::test]
async fn a_document_that_keeps_changing_is_always_found_in_one_revision() {
    let index = TestIndex::new().await;
    let first = Document::article("a");
    let text = |revision: Revision, part: &str| format!("{part} part about tea in revision {revision}");
    let both = |revision| [text(revision, "first"), text(revision, "second")];
    let put = async |document: &Document| {
        let texts = both(document.revision);
        index.put(document, &[&texts[0], &texts[1]]).await
    };
    let mut listed = put(&first).await;
    index.list(&first, listed.clone()).await;
    let last = first.revision.get() + 20;

    let write = async {
        let mut stale = VecDeque::new();
        let mut pace = tokio::time::interval(Duration::from_millis(200));
        let mut standing = first.clone();
        while standing.revision.get() < last {
            pace.tick().await;
            standing = standing.changed();
            let ids = put(&standing).await;
            index.list(&standing, ids.clone()).await;
            stale.push_back((Instant::now(), std::mem::replace(&mut listed, ids)));
            while let Some((_, ids)) = stale.pop_front_if(|(moved, _)| moved.elapsed() > GRACE) {
                index.delete(ids).await;
            }
        }
    };
    let read = async {
        let mut seen = first.revision;
        while seen.get() < last {
            let hits = found(&index, &Query::new("tea")).await;
            assert!(!hits.is_empty(), "missed at {seen}");
            let revision = hits[0].revision;
            assert!(revision >= seen, "went back");
            for hit in &hits {
                assert_eq!(hit.revision, revision);
                assert!(hit.chunk.text.ends_with(&revision.to_string()), "{} at {revision}", hit.chunk.text);
            }
            seen = revision;
        }
    };
    tokio::join!(write, read);
}

#[tokio::test]
async fn a_link_a_path_and_a_day_leave_out_what_does_not_match() {
    let index = TestIndex::new().await;
    let mut linked = Document::article("linked");
    linked.metadata.link = Some("https://example.org/tea".into());
    index.write(&linked, &["a text about tea"]).await;
    for (name, path) in [("inside", "src/tea/pot.rs"), ("beside", "lib/src/tea.rs")] {
        let file = Document { path: Some(path.into()), ..Document::of(DocumentType::Repositories, name) };
        index.write(&file, &["a file about tea"]).await;
    }
    let old = Document { revision: Revision::new(1_600_000_000, 1, 1).unwrap(), ..Document::article("old") };
    index.write(&old, &["an old text about tea"]).await;
    let tea = || Query::new("tea");
    for (query, expected) in [
        (Query { link: Some("https://example.org/tea".into()), ..tea() }, vec!["linked"]),
        (Query { path: Some("src/".into()), ..tea() }, vec!["inside"]),
        (Query { path: Some("src/te".into()), ..tea() }, vec!["inside"]),
        (Query { path: Some("sr".into()), ..tea() }, vec!["inside"]),
        (Query { path: Some("lib".into()), ..tea() }, vec!["beside"]),
        (Query { path: Some("src/coffee".into()), ..tea() }, vec![]),
        (Query { before: Some("2020-12-31".parse().unwrap()), ..tea() }, vec!["old"]),
        (
            Query { since: Some("2020-01-01".parse().unwrap()), before: Some("2021-01-01".parse().unwrap()), ..tea() },
            vec!["old"],
        ),
    ] {
        assert_eq!(ids(&found(&index, &query).await), expected, "{query:?}");
    }
    let recent = found(&index, &Query { since: Some("2026-01-01".parse().unwrap()), ..tea() }).await;
    assert_eq!(recent.len(), 3);
}

/// To the server a path is words, whatever their order: what has them elsewhere fills its lists.
#[tokio::test]
async fn a_path_is_found_behind_many_that_only_look_like_it() {
    let index = TestIndex::new().await;
    let at = |path: &str, name| Document { path: Some(path.into()), ..Document::of(DocumentType::Repositories, name) };
    index.write(&at("crates/kettle/src/tea.rs", "elsewhere"), &["tea"; 600]).await;
    index.write(&at("src/cup.rs", "here"), &["Among many other things there is a word about tea."]).await;
    let query = Query { path: Some("src/".into()), ..Query::new("tea") };
    assert_eq!(ids(&found(&index, &query).await), ["here"]);
}

#[tokio::test]
async fn a_hit_says_what_found_it_and_a_least_score_leaves_the_others_out() {
    let index = TestIndex::new().await;
    index.write(&Document::article("a"), &["sourdough bread takes its time"]).await;
    index.write(&Document::article("b"), &["the committee met on roads"]).await;
    let hits = found(&index, &Query::new("sourdough")).await;
    assert_eq!(hits[0].found.bm25.map(|place| place.rank), Some(1));
    assert_eq!(hits[0].found.dense.map(|place| place.rank), Some(1));
    assert_eq!((ids(&hits)[1], hits[1].found.bm25), ("b", None));
    let least_score = Some(f32::midpoint(hits[0].score, hits[1].score));
    assert_eq!(ids(&found(&index, &Query { least_score, ..Query::new("sourdough") }).await), ["a"]);
}

#[tokio::test]
async fn neighbours_come_with_a_hit_and_a_preferred_platform_before_others() {
    let index = TestIndex::new().await;
    let mut document = Document::article("a");
    document.metadata.platform = Some("medium".into());
    index.write(&document, &["first part on roads", "second part on tea", "third part on rivers"]).await;
    index.write(&Document::article("b"), &["a part on tea, second to none"]).await;
    let platforms = vec!["medium=3".parse().unwrap()];
    let preferences = Preferences { platforms, fresh_days: Some(30.0) };
    let mut hits = found(&index, &Query { preferences, per_document: 1, ..Query::new("second part on tea") }).await;
    assert_eq!(ids(&hits), ["a", "b"]);
    index.searcher.expand(&mut hits, 1).await.expect("neighbours");
    let texts = |chunks: &[ChunkPayload]| chunks.iter().map(|chunk| chunk.text.clone()).collect::<Vec<_>>();
    assert_eq!(texts(&hits[0].before), ["first part on roads"]);
    assert_eq!(texts(&hits[0].after), ["third part on rivers"]);
    assert!(hits[1].before.is_empty() && hits[1].after.is_empty());
}
