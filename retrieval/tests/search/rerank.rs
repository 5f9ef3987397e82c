//! The second look by a cross-encoder: what it changes, and what is said where there is none.

use std::sync::Arc;

use retrieval::{CrossEncoder, Query, Reranker};
use serde_json::Value;

use crate::cross_encoder;
use crate::index::{Document, TestIndex};
use crate::program::{assert_refused, run_with, said};

/// For BM25 only `sourdough` counts in it; the cross-encoder counts every token.
const QUESTION: &str = "what is it that you do with a sourdough";
const BY_WORDS: &str = "Sourdough, sourdough, sourdough";
const BY_TOKENS: &str = "It is what you do with that: a dough";

async fn two_documents() -> TestIndex {
    let index = TestIndex::new().await;
    index.write(&Document::article("words"), &[BY_WORDS, "Nothing of that kind"]).await;
    index.write(&Document::article("tokens"), &[BY_TOKENS]).await;
    index
}

#[tokio::test]
async fn a_cross_encoder_has_the_last_word() {
    let index = two_documents().await;
    let model = index.settings.embedding_model_dir.clone().expect("a model");
    let folder = cross_encoder::folder(&model);
    let cross_encoder =
        CrossEncoder::start(folder.path(), index.settings.ort_dylib_path.as_deref()).expect("a cross-encoder");
    let searcher = index.another_searcher(&index.url).with_reranker(Arc::new(cross_encoder.clone()));
    let query = Query { per_document: 1, ..Query::new(QUESTION) };
    let plain = searcher.search(&query).await.expect("an answer");
    let ids = |hits: &[retrieval::Hit]| hits.iter().map(|hit| hit.chunk.identity.entry_id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&plain), ["words", "tokens"]);
    assert_eq!(plain[0].found.fused, None);
    let reranked = searcher.search(&Query { rerank: true, ..query }).await.expect("an answer");
    assert_eq!(ids(&reranked), ["tokens", "words"]);
    assert_eq!(reranked[0].found.fused.map(|place| place.rank), Some(2));
    assert!(reranked.iter().all(|hit| hit.score > 0.0 && hit.score < 1.0));

    // The order of the passages is not that of their lengths, in which they are read.
    let passages = ["tea", "an entirely different text of some length", "green tea"].map(String::from).to_vec();
    let alone = cross_encoder.scores("green tea", vec!["green tea".into()]).await.expect("scores");
    let scores = cross_encoder.scores("green tea", passages).await.expect("scores");
    assert!(scores[2] > scores[0] && scores[0] > scores[1], "{scores:?}");
    assert_eq!(scores[2], alone[0]);
}

#[tokio::test]
async fn the_program_reranks_and_explains() {
    let index = two_documents().await;
    let model = index.settings.embedding_model_dir.clone().expect("a model");
    let folder = cross_encoder::folder(&model);
    let environment = [("RERANK_MODEL_DIR", folder.path().to_str().expect("a path"))];
    let arguments = ["search", QUESTION, "--rerank", "--explain", "--per-document", "1"];
    let shown = said(&run_with(&index.url, &index.settings, &environment, &arguments).await.stdout);
    assert!(shown.find("Title of tokens") < shown.find("Title of words"), "{shown}");
    assert!(shown.contains("before: rank 2, 0."), "{shown}");
    let json = run_with(&index.url, &index.settings, &environment, &[&arguments[..], &["--json"]].concat()).await;
    let best: Value = serde_json::from_str(said(&json.stdout).lines().next().expect("a hit")).expect("JSON");
    assert_eq!((&best["entry_id"], &best["found"]["fused"]["rank"]), (&"tokens".into(), &2.into()));
    let context = ["context", QUESTION, "--rerank"];
    let block = said(&run_with(&index.url, &index.settings, &environment, &context).await.stdout);
    assert!(block.find(BY_TOKENS) < block.find(BY_WORDS), "{block}");
}

#[tokio::test]
async fn what_is_no_cross_encoder_is_said_in_one_line_that_names_the_setting() {
    let index = two_documents().await;
    let model = index.settings.embedding_model_dir.clone().expect("a model");
    let (foreign, whole) = (cross_encoder::foreign_folder(&model), cross_encoder::folder(&model));
    std::fs::write(whole.path().join("tokenizer.json"), "{}").expect("written");
    let empty = tempfile::tempdir().expect("a folder");
    let named = |folder: &tempfile::TempDir| folder.path().display().to_string();
    for (dir, part) in [
        ("/nowhere".to_owned(), "/nowhere/model.onnx: No such file"),
        (named(&empty), "model.onnx: No such file"),
        (model.display().to_string(), "holds no cross-encoder: reranking failed: Output tensor 'logits' not found"),
        (named(&foreign), "holds no cross-encoder"),
        (named(&whole), "tokenizer.json"),
    ] {
        let environment = [("RERANK_MODEL_DIR", dir.as_str())];
        let output = run_with(&index.url, &index.settings, &environment, &["search", "tea", "--rerank"]).await;
        assert_refused(&output, 2, "RERANK_MODEL_DIR");
        assert!(said(&output.stderr).contains(part), "{part}: {}", said(&output.stderr));
        // Nobody who does not ask for it is kept from searching.
        let plain = run_with(&index.url, &index.settings, &environment, &["search", "tea"]).await;
        assert!(plain.status.success(), "{}", said(&plain.stderr));
    }
    let unset = run_with(&index.url, &index.settings, &[], &["search", "tea", "--rerank"]).await;
    assert_refused(&unset, 2, "RERANK_MODEL_DIR: --rerank needs");
}
