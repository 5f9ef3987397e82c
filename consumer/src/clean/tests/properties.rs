//! What holds of every text.

use proptest::prelude::*;

use super::*;

/// Texts with what cleaning looks at: blanks, joiners, marks of Markdown and HTML, other scripts, compatibility forms.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-z]{1,6}",
        2 => "[ \t\r\n]{1,3}",
        1 => prop::sample::select(vec![
            "\n\n", "```\n", "`", "``", "~~~\n", "# ", "* ", "__", "| ", "---\n", "\u{200d}", "\u{200c}", "\u{200b}", "\u{fe0f}", "🎉", "👨", "क्", "می", "ไทย", "ำ", "ﬁ",
            "𝗔", "｀", "～", "＃", "¨", "e\u{301}", "\u{301}", "ｶﾞ", "가", "\u{1100}", "\u{1161}", "ﷺ", "한", "語", "\u{e0041}", "\u{feff}", "\u{a0}", "\u{2028}", "\0",
            "https://example.com/", "?q=", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/", "data:image/png;base64,", "…",
        ]).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn cleaning_prose_twice_changes_nothing(raw in text()) {
        prop_assume!(!raw.contains('<') && !raw.contains('＜') && !raw.contains('﹤'));
        let once = prose::clean(&raw);
        prop_assert_eq!(prose::clean(&once), once);
    }

    #[test]
    fn cleaning_code_twice_changes_nothing(raw in text()) {
        let once = code::clean(&raw);
        prop_assert_eq!(code::clean(&once), once);
    }

    #[test]
    fn cleaned_prose_has_no_stray_blanks_and_no_control_characters(raw in text()) {
        let clean = prose::clean(&raw);
        prop_assert!(!clean.contains("\n\n\n") && !clean.starts_with('\n') && !clean.ends_with(char::is_whitespace));
        prop_assert!(clean.chars().all(|c| c == '\n' || c == '\t' || !c.is_control()));
    }

    #[test]
    fn anything_at_all_is_cleaned_without_a_panic(raw in "\\PC{0,60}", tags in "[<>/!a-z\" =&;#-]{0,60}") {
        text_of(&format!("<html>{raw}{tags}"));
        text_of(&format!("{tags}{raw}"));
    }
}
