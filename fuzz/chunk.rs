//! Texts of any kind: whatever the limit, no chunk is over it, and nothing of the text is lost, doubled or moved.
//! Two bytes say how the text is to be read and how many tokens a chunk may have; its first line is the title.

#![no_main]

use std::sync::LazyLock;

use consumer::fuzzing::{chunk, tokens};
use libfuzzer_sys::fuzz_target;
use shared::embedding::TokenCounter;

static COUNTERS: LazyLock<Vec<TokenCounter>> = LazyLock::new(|| {
    let file = tempfile::NamedTempFile::new().expect("a file");
    serde_json::to_writer(file.as_file(), &tokens()).expect("a tokenizer");
    let limits = [1, 2, 3, 8, 20, 64, 254];
    limits.into_iter().map(|limit| TokenCounter::from_file(file.path(), limit).expect("a tokenizer")).collect()
});

fuzz_target!(|bytes: &[u8]| {
    let [format, limit, rest @ ..] = bytes else { return };
    let text = String::from_utf8_lossy(rest);
    let (title, text) = text.split_once('\n').unwrap_or(("", &text));
    chunk(*format, title, text, &COUNTERS[usize::from(*limit) % COUNTERS.len()]);
});
