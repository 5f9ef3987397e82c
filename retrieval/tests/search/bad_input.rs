//! What people get wrong, and what is wrong around them: a clear answer and an exit code each time, and never an empty
//! answer that looks like any other.

use std::net::TcpListener;

use retrieval::{Nothing, Query};
use shared::index::{Index, IndexMeta};
use shared::settings::EmbeddingSettings;

use crate::index::{Document, TestIndex, without_index};
use crate::program::{assert_refused, run, run_reading, said};

const NOBODY: &str = "http://127.0.0.1:1";

async fn an_index() -> TestIndex {
    let index = TestIndex::new().await;
    index.introduce("u1", "Ann Lee").await;
    index.introduce("u2", "Bo Ek").await;
    let mut document = Document::article("a").by("u1");
    document.metadata.platform = Some("medium".into());
    index.write(&document, &["a text about tea"]).await;
    index
}

/// Answered with the one document.
#[track_caller]
fn assert_found(output: &std::process::Output) {
    assert!(output.status.success(), "{}", said(&output.stderr));
    assert!(said(&output.stdout).contains("\"entry_id\":\"a\""), "{}", said(&output.stdout));
    assert!(output.stderr.is_empty(), "{}", said(&output.stderr));
}

#[tokio::test]
async fn an_empty_query_is_refused() {
    let (_qdrant, _turn, url, settings) = without_index().await;
    for query in ["", " \t ", "\u{1b}\u{7}\u{3000}"] {
        assert_refused(&run(&url, &settings, &["search", query]).await, 2, "query is empty");
    }
    assert_refused(&run(&url, &settings, &["context", ""]).await, 2, "query is empty");
    assert_refused(&run_reading(&url, &settings, &["search", "-"], b" \n").await, 2, "query is empty");
    assert_refused(&run(&url, &settings, &["search"]).await, 2, "Q");
}

#[tokio::test]
async fn a_query_of_a_megabyte_is_answered_by_its_beginning() {
    let index = an_index().await;
    let megabyte = "tea and more ".repeat(100_000);
    assert_found(&run_reading(&index.url, &index.settings, &["search", "-", "--json"], megabyte.as_bytes()).await);
    // As long as an argument may be.
    assert_found(&run(&index.url, &index.settings, &["search", &megabyte[..128_000], "--json"]).await);
}

#[tokio::test]
async fn control_characters_and_bytes_that_are_no_text_are_passed_over() {
    let index = an_index().await;
    assert_found(&run(&index.url, &index.settings, &["search", "\u{1b}[31mtea\u{7}\r\n", "--json"]).await);
    let bytes = b"\xff\x00tea\xc3(\n";
    assert_found(&run_reading(&index.url, &index.settings, &["search", "-", "--json"], bytes).await);
}

#[tokio::test]
async fn a_query_in_another_script_is_answered() {
    let index = an_index().await;
    for query in ["お茶はどこですか", "чай", "שתו תה", "🍵"] {
        assert_found(&run(&index.url, &index.settings, &["search", query, "--json"]).await);
    }
}

#[tokio::test]
async fn an_unknown_author_is_named() {
    let index = an_index().await;
    for arguments in [&["search", "tea", "--author", "nobody"][..], &["search", "tea", "--author", "nobody", "--json"]]
    {
        let output = run(&index.url, &index.settings, arguments).await;
        assert!(output.status.success() && output.stdout.is_empty());
        assert_eq!(said(&output.stderr), "nothing found: no text in the index is of the author `nobody`\n");
    }
    // A user who has written nothing.
    let output = run(&index.url, &index.settings, &["context", "tea", "--author", "Bo Ek"]).await;
    assert!(output.status.success() && said(&output.stderr).contains("of the author `Bo Ek`"));
    assert_refused(
        &run(&index.url, &index.settings, &["search", "tea", "--author", " "]).await,
        2,
        "--author: is blank",
    );
}

#[tokio::test]
async fn an_unknown_type_is_refused_and_one_without_texts_named() {
    let index = an_index().await;
    let refused = async |given: &str, part: &str| {
        assert_refused(&run(&index.url, &index.settings, &["search", "tea", "--type", given]).await, 2, part);
    };
    refused("books", "unknown type").await;
    refused("users", "users have no text").await;
    refused("", "unknown type").await;
    let output = run(&index.url, &index.settings, &["search", "tea", "--type", "posts,repositories"]).await;
    assert!(said(&output.stderr).contains("of the type `posts, repositories`"), "{}", said(&output.stderr));
}

#[tokio::test]
async fn a_filter_that_lets_nothing_pass_is_named_and_one_that_cannot_is_refused() {
    let index = an_index().await;
    for (query, nothing) in [
        (Query { platform: Some("medum".into()), ..Query::new("tea") }, "of the platform `medum`"),
        (Query { language: Some("de".into()), ..Query::new("tea") }, "of the language `de`"),
        (Query { link: Some("https://x.org".into()), ..Query::new("tea") }, "of the link `https://x.org`"),
        (Query { path: Some("src/lib".into()), ..Query::new("tea") }, "of the path `src/lib`"),
        (Query { since: "2090-01-01".parse().ok(), ..Query::new("tea") }, "of these days"),
        (Query { least_score: Some(99.0), ..Query::new("tea") }, "the best score is 1.0000"),
    ] {
        assert_eq!(index.searcher.search(&query).await.expect("an answer"), []);
        let why = index.searcher.why_nothing(&query).await.expect("a reason");
        assert!(why.as_ref().is_some_and(|why| why.to_string().contains(nothing)), "{nothing}: {why:?}");
    }
    // Each lets something pass, both together nothing.
    index.write(&Document::article("b").by("u2"), &["a text about roads"]).await;
    let both = Query { author: Some("Bo Ek".into()), platform: Some("medium".into()), ..Query::new("tea") };
    assert_eq!(index.searcher.why_nothing(&both).await.expect("an answer"), None);
    for (arguments, part) in [
        (&["--platform", ""][..], "--platform: is blank"),
        (&["--path", ""], "--path: is blank"),
        (&["--since", "2026-11-22", "--before", "2026-11-22"], "--before"),
        (&["--since", "yesterday"], "--since"),
        (&["--min-score", "NaN"], "--min-score"),
        (&["--min-score", "high"], "--min-score"),
        (&["--prefer", "medium"], "--prefer"),
        (&["--fresh", "0"], "--fresh"),
        (&["--limit", "0"], "1 to 1000"),
        (&["--limit", "-1"], "1 to 1000"),
        (&["--limit", "many"], "1 to 1000"),
        (&["--expand", "11"], "0 to 10"),
        (&["--jsn"], "--jsn"),
    ] {
        let arguments = [&["search", "tea"], arguments].concat();
        assert_refused(&run(&index.url, &index.settings, &arguments).await, 2, part);
    }
    assert_refused(&run(&index.url, &index.settings, &["context", "tea", "--tokens", "few"]).await, 2, "TOKENS");
}

#[tokio::test]
async fn settings_that_are_wrong_are_named() {
    let (_qdrant, _turn, url, settings) = without_index().await;
    assert_refused(&run("qdrant", &settings, &["search", "tea"]).await, 2, "QDRANT_URL");
    let nowhere = EmbeddingSettings { embedding_model_dir: Some("/nowhere".into()), ..settings.clone() };
    assert_refused(&run(&url, &nowhere, &["search", "tea"]).await, 2, "EMBEDDING_MODEL_DIR");
}

#[tokio::test]
async fn a_server_that_is_away_or_silent_is_code_3() {
    let (_qdrant, turn, _url, settings) = without_index().await;
    drop(turn);
    assert_refused(&run(NOBODY, &settings, &["search", "tea"]).await, 3, "cannot be reached");
    // Whoever connects is not even greeted.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", silent.local_addr().expect("an address"));
    assert_refused(&run(&url, &settings, &["search", "tea"]).await, 3, "QDRANT_URL");
}

#[tokio::test]
async fn an_index_that_is_not_there_yet_is_code_1_and_an_empty_one_says_so() {
    let (_qdrant, turn, url, settings) = without_index().await;
    assert_refused(&run(&url, &settings, &["search", "tea"]).await, 1, "no index yet");
    assert_refused(&run(&url, &settings, &["context", "tea", "--author", "nobody"]).await, 1, "no index yet");
    drop(turn);
    let index = TestIndex::new().await;
    for arguments in [&["search", "tea"][..], &["search", "tea", "--json"], &["context", "tea"]] {
        let output = run(&index.url, &index.settings, arguments).await;
        assert!(output.status.success() && output.stdout.is_empty());
        assert_eq!(said(&output.stderr), "nothing found: the index holds no text yet\n");
    }
    let why = index.searcher.why_nothing(&Query::new("tea")).await.expect("a reason");
    assert_eq!(why, Some(Nothing::EmptyIndex));
}

#[tokio::test]
async fn an_index_of_another_model_is_refused() {
    let (qdrant, _turn, url, settings) = without_index().await;
    let meta = IndexMeta { partitions: 8, model: "other".into(), dimension: 384, model_fingerprint: "other".into() };
    Index::ensure(&qdrant, &meta).await.expect("index is made");
    assert_refused(&run(&url, &settings, &["search", "tea"]).await, 2, "EMBEDDING_MODEL");
}
