//! What is embedded, beside the text that is shown.

use super::*;

#[test]
fn a_chunk_stands_under_its_title_and_headings() {
    let text = format!(
        "Intro.\n\n# Stores\n\n{0}\n\n## *Vector* stores\n\n{0}\n\n# Search\n\n{0}",
        "The text of a search. ".repeat(12).trim()
    );
    let document = markdown(Some("Notes 🎉"), &text);
    let chunks = chunk(&document, &tokens(200)).unwrap();
    check(&document, &chunks, &tokens(200));
    let first = |chunk: &Chunk| chunk.embedded_text.lines().take(2).collect::<Vec<_>>().join("|");
    assert!(chunks.iter().all(|chunk| chunk.embedded_text.starts_with("Notes\n")));
    let deep = chunks.iter().find(|chunk| first(chunk) == "Notes|Stores").unwrap();
    assert!(deep.text.starts_with("## *Vector* stores"), "{deep:?}");
    assert!(chunks.iter().all(|chunk| !chunk.text.contains("Notes")));
}

#[test]
fn a_text_that_starts_inside_a_chapter_names_it() {
    let long = "One sentence about search. ".repeat(30);
    let document = markdown(None, &format!("# A\n\n## B\n\n{long}\n\n# C\n\n{long}"));
    let chunks = chunk(&document, &tokens(120)).unwrap();
    assert!(chunks[0].embedded_text.starts_with("# A"));
    assert!(chunks[1].embedded_text.starts_with("A > B\n\n"), "{:?}", chunks[1]);
    assert!(chunks.last().unwrap().embedded_text.starts_with("C\n\n"));
}

#[test]
fn a_heading_that_says_what_the_title_says_is_said_once() {
    let document = markdown(Some("Search"), &format!("# Search\n\n{}", "All about text. ".repeat(40)));
    let chunks = chunk(&document, &tokens(100)).unwrap();
    assert!(chunks[1].embedded_text.starts_with("Search\n\nAll"), "{:?}", chunks[1]);
}

#[test]
fn what_stands_over_a_chunk_takes_a_quarter_at_most() {
    let endless = "search text vector ".repeat(100);
    let text = format!("# {endless}\n\n## {endless}\n\n{}", "The text of it. ".repeat(100));
    for title in [Some(endless.as_str()), None] {
        let tokens = tokens(80);
        let document = markdown(title, &text);
        let chunks = chunk(&document, &tokens).unwrap();
        check(&document, &chunks, &tokens);
        let over = chunks.last().unwrap().embedded_text.split_once("\n\n").unwrap().0.to_owned();
        assert!(tokens.count(&over).unwrap() <= 20, "{over}");
    }
}

#[test]
fn a_file_stands_under_its_repository_and_path() {
    let document = document(Some("twin"), Some("src/search/vector.rs"), Format::Code, "fn main() {}");
    let expected = |over: &str| Chunk {
        text: "fn main() {}".into(),
        embedded_text: format!("{over}\n\nfn main() {{}}"),
        heading_bytes: over.len() + 2,
        language: Language::ENGLISH,
        path: Some("src/search/vector.rs".into()),
        symbol: Some("main".into()),
    };
    assert_eq!(chunk(&document, &tokens(80)).unwrap(), [expected("twin\nsrc/search/vector.rs\nmain")]);
    // The file's name says more than its folders.
    assert_eq!(chunk(&document, &tokens(52)).unwrap(), [expected("twin\nvector.rs\nmain")]);
}

#[test]
fn emoji_are_shown_but_not_embedded() {
    let chunks = chunk(&document(None, None, Format::Plain, "Shipped 🎉 today"), &tokens(64)).unwrap();
    assert_eq!((chunks[0].text.as_str(), chunks[0].embedded_text.as_str()), ("Shipped 🎉 today", "Shipped today"));
    let only = chunk(&document(None, None, Format::Plain, "🎉🎉"), &tokens(64)).unwrap();
    assert_eq!(only[0].embedded_text, "🎉🎉");
}
