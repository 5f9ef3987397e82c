//! The program: what it prints, where, and with which exit code.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use crate::index::{Document, TestIndex};
use serde_json::Value;
use shared::settings::EmbeddingSettings;

/// `retrieval` with these arguments and no other settings than these.
pub(crate) async fn run(url: &str, settings: &EmbeddingSettings, arguments: &[&str]) -> Output {
    run_with(url, settings, &[], arguments).await
}

/// The same, with more settings.
pub(crate) async fn run_with(
    url: &str,
    settings: &EmbeddingSettings,
    more: &[(&str, &str)],
    arguments: &[&str],
) -> Output {
    let mut command = command(url, settings, arguments);
    command.envs(more.iter().copied()).stdin(Stdio::null());
    tokio::task::spawn_blocking(move || command.output()).await.expect("joined").expect("started")
}

/// The same, with this on standard input.
pub(crate) async fn run_reading(url: &str, settings: &EmbeddingSettings, arguments: &[&str], input: &[u8]) -> Output {
    let mut command = command(url, settings, arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let (mut child, input) = (command.spawn().expect("started"), input.to_owned());
    let ended = move || {
        child.stdin.take().expect("piped").write_all(&input).expect("read");
        child.wait_with_output().expect("ended")
    };
    tokio::task::spawn_blocking(ended).await.expect("joined")
}

fn command(url: &str, settings: &EmbeddingSettings, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_retrieval"));
    command.args(arguments).env_clear().env("QDRANT_URL", url);
    for (name, value) in
        [("EMBEDDING_MODEL_DIR", &settings.embedding_model_dir), ("ORT_DYLIB_PATH", &settings.ort_dylib_path)]
    {
        command.envs(value.iter().map(|value| (name, value)));
    }
    command
}

pub(crate) fn said(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// Failed with this code, one line on standard error that has this in it, and nothing on standard output.
#[track_caller]
pub(crate) fn assert_refused(output: &Output, code: i32, part: &str) {
    let error = said(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(error.contains(part), "{error}");
    assert!(output.stdout.is_empty());
}

#[tokio::test]
async fn json_is_one_object_a_line_with_exactly_the_fields_of_the_contract() {
    let index = TestIndex::new().await;
    let mut document = Document::article("a").by("u1");
    document.metadata.link = Some("https://example.com/tea".into());
    index.write(&document, &["a text about tea\nof two lines", "a second passage on tea"]).await;
    index.write(&Document::article("b"), &["a text on roads"]).await;
    let output =
        run(&index.url, &index.settings, &["search", "tea", "--json", "--limit", "2", "--per-document", "1"]).await;
    assert!(output.status.success(), "{}", said(&output.stderr));
    assert!(output.stderr.is_empty(), "{}", said(&output.stderr));
    let lines: Vec<Value> =
        said(&output.stdout).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 2);
    let mut fields: Vec<&String> = lines[0].as_object().expect("an object").keys().collect();
    fields.sort_unstable();
    let contract = ["author_id", "entry_id", "id_kind", "link", "path", "revision", "score", "text", "title", "type"];
    assert_eq!(fields, contract);
    assert_eq!(lines[0]["entry_id"], "a");
    assert_eq!(lines[0]["revision"], document.revision.get());
    assert!(lines[0]["score"].as_f64() >= lines[1]["score"].as_f64());
}

#[tokio::test]
async fn people_get_numbered_hits_with_the_author_by_name() {
    let index = TestIndex::new().await;
    index.introduce("u1", "Ann Lee").await;
    index.write(&Document::article("a").by("u1"), &["a text about tea"]).await;
    let output = run(&index.url, &index.settings, &["search", "tea"]).await;
    let shown = said(&output.stdout);
    assert!(output.status.success(), "{}", said(&output.stderr));
    for part in [" 1. Title of a", "Ann Lee", "a text about tea"] {
        assert!(shown.contains(part), "{shown}");
    }
}

#[tokio::test]
async fn context_is_a_block_of_citations_within_the_budget() {
    let index = TestIndex::new().await;
    let long = "Tea is a drink made of leaves and hot water, and it is drunk all over the world. ".repeat(10);
    index.write(&Document::article("a"), &[&long, "tea from the first mountain", "tea from the second mountain"]).await;
    index.write(&Document::article("b"), &["tea ceremonies take their time", "tea from the first mountain"]).await;
    let whole = run(&index.url, &index.settings, &["context", "tea"]).await;
    let block = said(&whole.stdout);
    assert!(whole.status.success() && block.contains("[1] ") && block.contains("[2] "), "{block}");
    assert_eq!(block.matches("tea from the first mountain").count(), 1, "{block}");
    let short = said(&run(&index.url, &index.settings, &["context", "tea", "--tokens", "60"]).await.stdout);
    assert!(short.contains("[1] "), "{short}");
    assert!(index.searcher.count_tokens(&short) <= 60, "{short}");
    let none = run(&index.url, &index.settings, &["context", "tea", "--tokens", "3"]).await;
    assert!(none.status.success() && none.stdout.is_empty() && !none.stderr.is_empty());
}

#[tokio::test]
async fn what_is_asked_for_is_explained_and_expanded() {
    let index = TestIndex::new().await;
    index.write(&Document::article("a"), &["a part on roads", "a part on tea", "a part on rivers"]).await;
    let arguments = ["search", "tea", "--explain", "--expand", "1", "--limit", "1"];
    let shown = said(&run(&index.url, &index.settings, &arguments).await.stdout);
    for part in ["similarity: rank 1, 0.", "words: rank 1, ", "a part on roads", "a part on rivers"] {
        assert!(shown.contains(part), "{shown}");
    }
    let json = run(&index.url, &index.settings, &[&arguments[..], &["--json"]].concat()).await;
    let line: Value = serde_json::from_slice(&json.stdout).expect("one line of JSON");
    assert_eq!((&line["found"]["bm25"]["rank"], &line["found"]["position"]), (&Value::from(1), &Value::from(1)));
    assert_eq!((&line["before"][0], &line["after"][0]), (&"a part on roads".into(), &"a part on rivers".into()));
    let context =
        said(&run(&index.url, &index.settings, &["context", "tea", "--expand", "1", "--limit", "1"]).await.stdout);
    assert!(
        context.find("on roads") < context.find("on tea") && context.find("on tea") < context.find("on rivers"),
        "{context}"
    );
}
