//! Emoji: shown, but not embedded. They say little, and to the model most are one unknown token.

/// Whether this is a pictograph or holds a sequence of them together.
pub(crate) fn is_emoji(character: char) -> bool {
    matches!(character,
        '\u{1f000}'..='\u{1faff}' | '\u{2600}'..='\u{27bf}' | '\u{2b00}'..='\u{2bff}' | '\u{2300}'..='\u{23ff}'
        | '\u{20e3}' | '\u{fe0f}' | '\u{e0020}'..='\u{e007f}')
}

/// `text` with a space for each run of emoji between words, nothing for others; the same text where there is nothing else.
pub(crate) fn without_emoji(text: &str) -> String {
    let mut rest = String::with_capacity(text.len());
    let mut gap = false;
    for character in text.chars() {
        if is_emoji(character) || (gap && character == '\u{200d}') {
            gap = true;
            continue;
        }
        let apart = rest.is_empty() || rest.ends_with(char::is_whitespace);
        match (gap, apart, character.is_whitespace()) {
            (true, false, false) => rest.push(' '),
            // "a 🎉 b": the space before it already parts them.
            (true, true, true) if character == ' ' => continue,
            _ => {}
        }
        gap = false;
        rest.push(character);
    }
    if rest.trim().is_empty() { text.to_owned() } else { rest }
}
