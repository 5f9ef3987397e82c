//! What holds of every text.

use proptest::prelude::*;

use super::*;

fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => "[a-zа-я]{1,9}",
        4 => "[ \n]{1,3}",
        1 => "[a-z0-9+/]{90,130}",
        1 => prop::sample::select(vec![
            "\n\n# ", "\n## ", "\n\n", "```\n", "\n---\n", "\n===\n", "\n* ", "1. ", "| ", ". ", "! ", "。", "语言", "ไทย", "क्ष", "🎉", "👨\u{200d}👩\u{200d}👧", "e\u{301}",
            "\t", "        ", ": ", "}\n", "fn a() {\n", "class A {\n", "def a(x):\n  ", "end\n", "// ", "/* ", "\"", "=> {", "impl A {\n", "#", "\u{fdfa}", "\u{3000}", "\u{2028}", "\u{0}",
        ]).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..120).prop_map(|pieces| pieces.concat())
}

/// Files in languages and in none.
fn path() -> impl Strategy<Value = Option<String>> {
    let endings = ["rs", "py", "js", "tsx", "go", "java", "c", "hpp", "cs", "rb", "php", "sh", "txt"];
    proptest::option::of(prop::sample::select(endings.map(|ending| format!("src/a.{ending}")).to_vec()))
}

fn format() -> impl Strategy<Value = Format> {
    prop::sample::select(vec![Format::Markdown, Format::Plain, Format::Code])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_character_is_in_a_chunk_and_no_chunk_is_over_the_limit(
        text in text(), title in proptest::option::of("[a-z 语🎉]{0,40}"), path in path(), format in format(), limit in 1_usize..80,
    ) {
        let (tokens, document) = (tokens(limit), document(title.as_deref(), path.as_deref(), format, &text));
        let chunks = chunk(&document, &tokens).unwrap();
        check(&document, &chunks, &tokens);
        prop_assert_eq!(chunks, chunk(&document, &tokens).unwrap());
    }
}
