//! Where texts are cut.

use super::*;

fn texts(document: &CleanedDocument, limit: usize) -> Vec<String> {
    let tokens = tokens(limit);
    let chunks = chunk(document, &tokens).unwrap();
    check(document, &chunks, &tokens);
    chunks.into_iter().map(|chunk| chunk.text).collect()
}

#[test]
fn what_fits_stays_whole() {
    let post = "First paragraph.\n\nSecond one.";
    assert_eq!(texts(&document(None, None, Format::Plain, post), 64), [post]);
    assert!(texts(&document(None, None, Format::Plain, ""), 64).is_empty());
}

#[test]
fn a_heading_starts_a_chunk_and_never_ends_one() {
    let part = "the text of a search and a vector and the text. ".repeat(4);
    let text = (1..6).map(|number| format!("## Part {number}\n\n{}", part.trim())).collect::<Vec<_>>().join("\n\n");
    let texts = texts(&markdown(None, &text), 64);
    assert_eq!(texts.len(), 5);
    assert!(texts.iter().all(|text| text.starts_with("## Part")), "{texts:?}");
}

#[test]
fn underlined_titles_are_headings_and_numbers_in_code_are_not() {
    let part = "the text of a search and a vector and the text. ".repeat(3);
    let text = format!("{part}\n\nTitle\n=====\n\n{part}\n\n```sh\n# comment\n{part}\n```");
    let chunks = chunk(&markdown(None, &text), &tokens(50)).unwrap();
    assert!(chunks.iter().any(|chunk| chunk.text.starts_with("Title\n=====")), "{chunks:?}");
    assert!(chunks.last().unwrap().embedded_text.starts_with("Title\n"), "{chunks:?}");
}

#[test]
fn paragraphs_are_kept_whole_before_sentences_and_sentences_before_words() {
    let sentence = "The text of a search and a vector and the text of a search.";
    let paragraphs = [sentence, sentence, sentence, sentence].join("\n\n");
    assert!(texts(&markdown(None, &paragraphs), 30).iter().all(|text| text.ends_with("search.")));
    let wrapped = [sentence; 6].join(" ").replace(" and", "\nand");
    assert!(texts(&markdown(None, &wrapped), 40).iter().all(|text| text.ends_with("search.")));
    let endless = "vector search ".repeat(100);
    assert!(
        texts(&markdown(None, &endless), 40)
            .iter()
            .all(|text| text.starts_with("vector") || text.starts_with("search"))
    );
}

#[test]
fn sentences_end_in_every_script() {
    for sentence in [
        "语言模型把文字变成向量。",
        "言語モデルは文章を変換します。",
        "भाषा मॉडल पाठ बदलता है। ",
        "Модель превращает текст. ",
        "هل هذا نص؟ ",
    ] {
        let tokens = tokens(60);
        let document = markdown(None, sentence.repeat(40).trim());
        let chunks = chunk(&document, &tokens).unwrap();
        check(&document, &chunks, &tokens);
        assert!(chunks.iter().all(|chunk| chunk.text.ends_with(sentence.trim())), "{:?}", chunks[0]);
    }
}

#[test]
fn code_is_cut_before_functions_and_keeps_its_indentation() {
    let function = "fn search(a: text) {\n    let b = a;\n\n    b.search()\n}";
    let code = [function; 6].join("\n\n");
    let whole = texts(&document(None, Some("a.rs"), Format::Code, &code), 80);
    assert!(whole.iter().all(|text| text.starts_with("fn ") && text.ends_with('}')), "{whole:?}");
    let long = format!("impl A {{\n{}}}", "    fn a() {\n        the_text_of_a_search();\n    }\n\n".repeat(10));
    let parts = texts(&document(None, Some("a.rs"), Format::Code, &long), 80);
    assert!(parts[1..].iter().all(|text| text.starts_with("    ") || text.starts_with('}')), "{parts:?}");
}

#[test]
fn letters_as_people_see_them_are_not_cut() {
    for letter in ["👨\u{200d}👩\u{200d}👧", "e\u{301}", "가"] {
        let text = letter.repeat(2_000);
        let pieces = texts(&document(None, None, Format::Plain, &text), 20);
        assert!(pieces.iter().all(|piece| piece.len() % letter.len() == 0), "{letter}");
    }
}

#[test]
fn an_edited_sentence_changes_few_chunks() {
    let paragraph = |number: usize| {
        (0..4 + number % 5).map(|at| format!("The text {number} of a search {at}.")).collect::<Vec<_>>().join(" ")
    };
    let paragraphs: Vec<String> =
        (0..120).map(|number| if number % 9 == 0 { format!("## Part {number}") } else { paragraph(number) }).collect();
    let tokens = tokens(254);
    let chunks = |paragraphs: &[String]| chunk(&markdown(Some("Title"), &paragraphs.join("\n\n")), &tokens).unwrap();
    let before = chunks(&paragraphs);
    assert!(before.len() > 12);
    let mut changes: Vec<usize> = (1..120)
        .filter(|number| number % 9 != 0)
        .map(|number| {
            let mut edited = paragraphs.clone();
            edited[number].push_str(" One more sentence was written here.");
            chunks(&edited).iter().filter(|chunk| !before.contains(chunk)).count()
        })
        .collect();
    changes.sort_unstable();
    assert!(changes[changes.len() / 2] <= 2 && changes[changes.len() - 1] <= 6, "{changes:?}");
}
