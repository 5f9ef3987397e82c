//! What BERT's rules make of a character.
//!
//! Source: `tokenizers` (BertNormalizer, BertPreTokenizer), which asks the same tables of categories.

use std::sync::LazyLock;

use unicode_categories::UnicodeCategories;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::canonical_combining_class;

/// The two planes that nearly all text is in.
const PLANES: u32 = 0x2_0000;
static KNOWN: LazyLock<Vec<Character>> =
    LazyLock::new(|| (0..PLANES).map(|code| char::from_u32(code).map_or(Character::Other, Character::told)).collect());

/// What becomes of a character, capitals of ASCII made small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Character {
    /// Parts words and is gone.
    Blank,
    /// A word by itself.
    Apart,
    /// As it is, part of a word.
    Joined,
    /// Something else, or nothing.
    Other,
}

impl Character {
    pub(super) fn of(character: char) -> Self {
        match character {
            'a'..='z' | 'A'..='Z' | '0'..='9' => Self::Joined,
            '!'..='~' => Self::Apart,
            ' ' | '\t' | '\n' | '\r' => Self::Blank,
            _ => KNOWN.get(character as usize).copied().unwrap_or_else(|| Self::told(character)),
        }
    }

    /// With capitals and accents or without: what would change in any way is something else.
    fn told(character: char) -> Self {
        if character.is_other() || character == '\u{fffd}' {
            return Self::Other;
        }
        if character.is_whitespace() {
            return Self::Blank;
        }
        let alone = || std::iter::once(character);
        let changes = !alone().nfd().eq(alone()) || !character.to_lowercase().eq(alone());
        match character {
            _ if changes || character.is_mark_nonspacing() || canonical_combining_class(character) > 0 => Self::Other,
            _ if character.is_punctuation() || is_ideograph(character) => Self::Apart,
            _ => Self::Joined,
        }
    }
}

/// Of Chinese, each a word.
fn is_ideograph(character: char) -> bool {
    matches!(character,
        '\u{4e00}'..='\u{9fff}' | '\u{3400}'..='\u{4dbf}' | '\u{20000}'..='\u{2a6df}' | '\u{2a700}'..='\u{2b73f}'
        | '\u{2b740}'..='\u{2b81f}' | '\u{2b920}'..='\u{2ceaf}' | '\u{f900}'..='\u{faff}' | '\u{2f800}'..='\u{2fa1f}')
}
