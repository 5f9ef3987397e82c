//! Prose as it comes.

use super::*;

#[test]
fn mathematical_letters_become_plain() {
    assert_eq!(text_of("𝗗𝗲𝗽𝗹𝗼𝘆𝗶𝗻𝗴 𝘮𝘰𝘥𝘦𝘭𝘴, Ｆｕｌｌ width, ﬁne"), "Deploying models, Full width, fine");
}

#[test]
fn code_within_prose_is_not_normalised() {
    assert_eq!(text_of("ﬁrst `ﬁrst` ``ﬁx`` ﬁ"), "first `ﬁrst` ``ﬁx`` fi");
    assert_eq!(text_of("an odd ` in ﬁne prose"), "an odd ` in fine prose");
    let fenced = "Then:\n\n```rust\nlet s  =  \"ﬁ\";\n```\n\nﬁn";
    assert_eq!(text_of(fenced), fenced.replace("\n\nﬁn", "\n\nfin"));
}

#[test]
fn line_ends_and_blank_lines_are_of_one_kind() {
    assert_eq!(text_of("\r\n\r\na\r\nb\rc\u{85}d\u{2028}e\n\n\n \t \n\nf  \n\n"), "a\nb\nc\nd\ne\n\nf");
    assert_eq!(text_of("a\u{a0}\u{2003}  b\t c"), "a b c");
    assert_eq!(text_of("* a\n\t* b\n    * c"), "* a\n    * b\n    * c");
}

#[test]
fn what_nobody_sees_goes() {
    assert_eq!(text_of("\u{feff}in\u{ad}vis\u{200b}i\u{2060}ble\u{0}\u{7}\u{202e}\u{e0041}"), "invisible");
    assert_eq!(text_of("a\u{200d}b\u{200c}c"), "abc");
}

#[test]
fn joiners_that_spell_words_or_hold_emoji_together_stay() {
    for kept in [
        "می\u{200c}خواهم",
        "क्\u{200d}ष",
        "👨\u{200d}👩\u{200d}👧",
        "❤\u{fe0f}",
        "ไทย\u{200b}คำ",
        "葛\u{e0100}",
        "🏴\u{e0067}\u{e0062}\u{e007f}",
    ] {
        assert_eq!(text_of(kept), kept);
    }
}

#[test]
fn long_addresses_lose_their_query_and_then_their_end() {
    let tracked = format!("See https://example.com/a/b?utm={} now", "x".repeat(90));
    assert_eq!(text_of(&tracked), "See https://example.com/a/b now");
    let long = text_of(&format!("[a](https://example.com/{}) b", "path/".repeat(40)));
    assert!(long.starts_with("[a](https://example.com/path/") && long.ends_with("...) b") && long.len() < 80, "{long}");
    assert_eq!(text_of("https://example.com/short?q=1"), "https://example.com/short?q=1");
    let image = format!("![plot](data:image/png;base64,{})", "QUJD".repeat(5_000));
    assert!(text_of(&image).len() < 80);
}

#[test]
fn text_right_after_an_address_is_not_taken_for_its_path() {
    let text = format!("https://example.com/{}这是正文。", "a".repeat(100));
    assert!(text_of(&text).ends_with("...这是正文。"));
}

#[test]
fn the_whole_link_stays_in_the_metadata() {
    let link = format!("https://example.com/?q={}", "x".repeat(500));
    let article = cleaned(DocumentType::Articles, json!({"link": link, "content": "x"})).unwrap();
    assert_eq!(article.metadata.link, Some(link));
}

#[test]
fn empty_menu_entries_of_a_crawler_go_and_real_ones_stay() {
    assert_eq!(
        text_of("Name\n\n  * __LLM Course\n  * __\n  * \n\n__\n\n# Title\n\n---\n\n| a |\n|---|"),
        "Name\n\n  * __LLM Course\n\n# Title\n\n---\n\n| a |\n|---|"
    );
}

#[test]
fn emoji_stay_in_the_text() {
    assert_eq!(text_of("Done 🎉🎉 now"), "Done 🎉🎉 now");
}

#[test]
fn emoji_are_left_out_of_what_is_embedded() {
    for (text, embedded) in [
        ("Done 🎉🎉 now", "Done now"),
        ("a🎉b", "a b"),
        ("🎉 x", "x"),
        ("x 👨\u{200d}👩\u{200d}👧", "x "),
        ("🎉", "🎉"),
        ("1️⃣ one", "1 one"),
    ] {
        assert_eq!(emoji::without_emoji(text), embedded);
    }
}

#[test]
fn a_text_does_not_swell() {
    assert_eq!(text_of("قال ﷺ"), "قال صلى الله عليه وسلم");
    let hostile = "ﷺ".repeat(10_000);
    assert_eq!(text_of(&hostile), hostile);
}
