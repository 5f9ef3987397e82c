//! Texts that are hard on limits: of tokens, of bytes, of time.

use std::time::{Duration, Instant};

use super::*;

#[test]
fn no_chunk_is_over_the_limit_whatever_the_text() {
    let long_word = "x".repeat(150);
    for text in [
        "a".repeat(1_500),
        "ab/+".repeat(500),
        format!("{long_word} ").repeat(20),
        "。".repeat(500),
        "语言".repeat(500),
        "🎉".repeat(500),
        "ไทย".repeat(300),
        "e\u{301}".repeat(500),
        format!("a{}", "\u{301}".repeat(2_000)),
        "\u{fdfa}".repeat(100),
        "𐎀".repeat(300),
        "- ".repeat(500),
        "x \n\n".repeat(500),
        format!("{}x", "\n    ".repeat(1_000)),
        format!("a{}b", " ".repeat(10_000)),
        "�".repeat(300),
    ] {
        for (limit, title) in
            [(1, None), (2, Some("A title")), (16, Some("A title")), (254, None), (254, Some("A title"))]
        {
            for format in [Format::Markdown, Format::Plain, Format::Code] {
                let (tokens, document) = (tokens(limit), document(title, Some("a/b"), format, &text));
                check(&document, &chunk(&document, &tokens).unwrap(), &tokens);
            }
        }
    }
}

#[test]
fn a_chunk_is_bounded_in_bytes_too() {
    // To the model a word of over a hundred letters is one token; a blank is none.
    for text in
        [format!("{} ", "xyz".repeat(40)).repeat(1_000), format!("a{}b", " ".repeat(50_000)), "a".repeat(50_000)]
    {
        let chunks = chunk(&document(None, None, Format::Code, &text), &tokens(254)).unwrap();
        assert!(chunks.iter().all(|chunk| chunk.embedded_text.len() <= 4_500));
    }
}

#[test]
fn the_limit_is_exact_for_the_model_itself() {
    let tokens = tokens_of_the_model();
    assert_eq!(tokens.limit(), 254);
    for text in [
        "Retrieval-augmented generation looks up passages before it answers. ".repeat(200),
        "Языковая модель превращает текст в векторы и ищет ближайшие абзацы. ".repeat(200),
        "语言模型把文字变成向量，然后在数据库里寻找最相近的段落。".repeat(200),
        "แบบจำลองภาษาจะแปลงข้อความเป็นเวกเตอร์".repeat(200),
        "भाषा मॉडल पाठ को सदिशों में बदलता है। ".repeat(200),
        "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo+/".repeat(500),
        "fn main() { println!(\"{}\", x[1] + 2); }\n".repeat(200),
    ] {
        for format in [Format::Markdown, Format::Code] {
            let document = document(Some("A title with 🎉"), None, format, &text);
            let chunks = chunk(&document, &tokens).unwrap();
            check(&document, &chunks, &tokens);
        }
    }
}

#[test]
fn large_texts_take_linear_time() {
    let start = Instant::now();
    let many = |text: &str| text.repeat(100_000 / text.len());
    for text in [
        many("a"),
        many(". "),
        format!("a.{}", many("\"")),
        many("# a\n"),
        many("```\n"),
        many("x\n"),
        many("🎉"),
        many("QUJD/"),
        format!("a{}b", many("\n")),
    ] {
        let document = markdown(Some("Title"), &text);
        chunk(&document, &tokens(254)).unwrap();
    }
    // Quadratic work at this size would take minutes.
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
}
