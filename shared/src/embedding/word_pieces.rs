//! WordPiece under BERT's rules: what the tokenizer says, ten times as fast, of every word that these rules leave as it
//! stands but for capitals. Words are split at blanks and punctuation and looked up one by one, so that what is around
//! them does not matter.
//!
//! Source: `tokenizers` (BertNormalizer, BertPreTokenizer, WordPiece); a test compares the two.

use std::ops::Range;

use rustc_hash::FxHashSet;
use tokenizers::{Model, ModelWrapper, NormalizerWrapper, PreTokenizerWrapper, Tokenizer};

use super::character::Character;

/// The pieces of a vocabulary.
pub(super) struct WordPieces {
    /// At the beginning of a word.
    first: FxHashSet<Box<[u8]>>,
    /// Further on, without the prefix that says so.
    further: FxHashSet<Box<[u8]>>,
    /// Bytes of the longest.
    longest: usize,
    /// A word of more characters is one unknown token.
    max_word: usize,
    lowercase: bool,
    /// Words that are tokens whatever the rules say, such as `[SEP]`.
    added: Vec<String>,
}

/// A stretch of a text, from one blank to another.
pub(super) enum Stretch {
    /// Ranges of its tokens can be told here.
    Plain(Range<usize>),
    /// One or more words that the tokenizer has to be asked for.
    Other(Range<usize>),
}

/// Room for a word, kept from one to the next.
#[derive(Default)]
struct Room {
    lower: Vec<u8>,
    pieces: Vec<Range<usize>>,
}

impl WordPieces {
    /// Those of a tokenizer that goes by these rules.
    pub(super) fn of(tokenizer: &Tokenizer) -> Option<Self> {
        let Some(NormalizerWrapper::BertNormalizer(normalizer)) = tokenizer.get_normalizer() else {
            return None;
        };
        let (Some(PreTokenizerWrapper::BertPreTokenizer(_)), ModelWrapper::WordPiece(model)) =
            (tokenizer.get_pre_tokenizer(), tokenizer.get_model())
        else {
            return None;
        };
        let added: Vec<_> = tokenizer.get_added_tokens_decoder().into_values().collect();
        let bare = added.iter().all(|token| {
            let simple = !token.content.is_empty() && token.content.bytes().all(|byte| byte.is_ascii_graphic());
            simple && !(token.lstrip || token.rstrip || token.single_word || token.normalized)
        });
        if !normalizer.clean_text || !normalizer.handle_chinese_chars || !bare {
            return None;
        }
        let mut pieces = Self {
            first: FxHashSet::default(),
            further: FxHashSet::default(),
            longest: 1,
            max_word: model.max_input_chars_per_word,
            lowercase: normalizer.lowercase,
            added: added.into_iter().map(|token| token.content).collect(),
        };
        let prefix = &model.continuing_subword_prefix;
        for word in model.get_vocab().into_keys() {
            pieces.longest = pieces.longest.max(word.len());
            if let Some(rest) = word.strip_prefix(prefix.as_str()) {
                pieces.further.insert(rest.as_bytes().into());
            }
            pieces.first.insert(word.into_bytes().into());
        }
        Some(pieces)
    }

    /// The stretches of `text`, in order; neighbours of one kind are one.
    pub(super) fn stretches(&self, text: &str) -> impl Iterator<Item = Stretch> {
        let mut words = words(text).map(|word| (self.is_plain(&text[word.clone()]), word)).peekable();
        std::iter::from_fn(move || {
            let (plain, mut stretch) = words.next()?;
            while let Some((_, next)) = words.next_if(|(next, _)| *next == plain) {
                stretch.end = next.end;
            }
            Some(if plain { Stretch::Plain(stretch) } else { Stretch::Other(stretch) })
        })
    }

    /// Calls `take` with the range of every token of a plain stretch, in order.
    pub(super) fn each(&self, text: &str, stretch: Range<usize>, mut take: impl FnMut(Range<usize>)) {
        let mut room = Room::default();
        let mut at = stretch.start;
        while let Some(character) = text[at..stretch.end].chars().next() {
            let word = joined(&text[at..stretch.end]);
            if word > 0 {
                let bytes = &text.as_bytes()[at..at + word];
                self.word(bytes, &mut room, |piece| take(at + piece.start..at + piece.end));
                at += word;
                continue;
            }
            let end = at + character.len_utf8();
            if Character::of(character) == Character::Apart {
                take(at..end);
            }
            at = end;
        }
    }

    /// The longest piece that the vocabulary knows, and so on; one unknown token where it knows none.
    fn word(&self, word: &[u8], room: &mut Room, mut take: impl FnMut(Range<usize>)) {
        let Room { lower, pieces } = room;
        let word = if self.lowercase && word.iter().any(u8::is_ascii_uppercase) {
            lower.clear();
            lower.extend(word.iter().map(u8::to_ascii_lowercase));
            lower.as_slice()
        } else {
            word
        };
        pieces.clear();
        let mut start = 0;
        while start < word.len() && !self.is_too_long(word) {
            let known = if start == 0 { &self.first } else { &self.further };
            let furthest = word.len().min(start + self.longest);
            let Some(end) = (start + 1..=furthest).rev().find(|end| known.contains(&word[start..*end])) else {
                break;
            };
            pieces.push(start..end);
            start = end;
        }
        if start < word.len() {
            return take(0..word.len());
        }
        pieces.drain(..).for_each(take);
    }

    fn is_too_long(&self, word: &[u8]) -> bool {
        let begins = |byte: &&u8| !matches!(byte, 0x80..=0xbf);
        word.len() > self.max_word && word.iter().filter(begins).count() > self.max_word
    }

    fn is_plain(&self, word: &str) -> bool {
        let known = word.bytes().all(|byte| byte.is_ascii_graphic())
            || word.chars().all(|character| Character::of(character) != Character::Other);
        known && !self.added.iter().any(|added| holds(word, added))
    }
}

/// Bytes of the word that `text` begins with.
fn joined(text: &str) -> usize {
    let ascii = text.bytes().take_while(u8::is_ascii_alphanumeric).count();
    if text.as_bytes().get(ascii).is_none_or(u8::is_ascii) {
        return ascii;
    }
    text.find(|character| Character::of(character) != Character::Joined).unwrap_or(text.len())
}

/// What stands between blanks: those of ASCII, of which the tokenizer takes no other for one.
fn words(text: &str) -> impl Iterator<Item = Range<usize>> {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    let (bytes, mut at) = (text.as_bytes(), 0);
    std::iter::from_fn(move || {
        at += bytes[at..].iter().take_while(|byte| is_blank(byte)).count();
        let start = at;
        at += bytes[at..].iter().take_while(|byte| !is_blank(byte)).count();
        (start < at).then_some(start..at)
    })
}

/// Few words hold even the first character of an added token.
fn holds(word: &str, added: &str) -> bool {
    word.len() >= added.len() && word.as_bytes().contains(&added.as_bytes()[0]) && word.contains(added)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::embedding::TokenCounter;

    /// Letters, pieces of several, some that only begin a word or only go on in it, and no `j` at all.
    fn tokenizer(lowercase: bool) -> Tokenizer {
        let letters = ('!'..='~').filter(|letter| !matches!(letter, 'j' | 'J'));
        let single = letters.flat_map(|letter| [letter.to_string(), format!("##{letter}")]);
        let words = [
            "the", "them", "##em", "##es", "un", "##able", "Rust", "rust", "é", "##é", "語", "’", "€", "##€", "д",
            "##да", "😀", "[UNK]", "[SEP]",
        ];
        let pieces: BTreeSet<String> = single.chain(words.map(str::to_owned)).collect();
        let vocabulary: serde_json::Map<_, _> =
            pieces.iter().enumerate().map(|(id, piece)| (piece.clone(), json!(id))).collect();
        let added = json!({"id": vocabulary["[SEP]"], "content": "[SEP]", "special": true, "single_word": false,
            "lstrip": false, "rstrip": false, "normalized": false});
        let tokenizer = json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": [added], "post_processor": null,
            "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                "strip_accents": null, "lowercase": lowercase},
            "pre_tokenizer": {"type": "BertPreTokenizer"}, "decoder": null,
            "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                "max_input_chars_per_word": 12, "vocab": vocabulary},
        });
        tokenizer.to_string().parse().unwrap()
    }

    fn text() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            4 => "[a-zA-Z]{1,14}",
            3 => "[ \n\t]{1,2}",
            2 => prop::sample::select(vec![
                "the", "themes", "unable", "Rust", "j", "[SEP]", "[sep]", "x[SEP]y", "[", "##s", "é", "e\u{301}", "語",
                "\u{0}", "\u{b}", "\u{a0}", "\u{200b}", "\u{3000}", "ﬁ", "’", "\u{7f}", "İ", "1.5_a",
                "“the”", "un—able", "…", "a·b", "¿", "«", "€", "5€", "™", "😀", "the😀", "👍🏽", "👨\u{200d}👩", "☀\u{fe0f}",
                "дада", "Дада", "й", "がか", "한", "ไท", "कि", "\u{2028}", "\u{85}", "\u{ad}", "\u{fffd}", "\u{e000}",
                "\u{387}", "\u{37e}", "§", "\u{f900}", "𠀀", "\u{1f9ff}", "ǅ", "ß", "ſ",
            ]).prop_map(str::to_owned),
            1 => "[!-~]{1,3}",
            1 => any::<char>().prop_map(String::from),
        ];
        prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }

    #[test]
    fn every_character_parts_or_joins_words_as_in_the_tokenizer() {
        let tokenizer = tokenizer(true);
        let counter = TokenCounter::new(tokenizer.clone(), 254);
        for character in '\u{0}'..='\u{1ffff}' {
            let text = format!("un{character}able {character}");
            let encoding = tokenizer.encode(text.as_str(), false).unwrap();
            let expected: Vec<_> = encoding.get_offsets().iter().map(|(start, end)| *start..*end).collect();
            assert_eq!(counter.ranges(&text).unwrap(), expected, "{character:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn what_is_told_here_is_what_the_tokenizer_says(text in text(), lowercase in any::<bool>()) {
            let tokenizer = tokenizer(lowercase);
            prop_assert!(WordPieces::of(&tokenizer).is_some());
            let encoding = tokenizer.encode(text.as_str(), false).unwrap();
            let expected: Vec<_> = encoding.get_offsets().iter().map(|(start, end)| *start..*end).collect();
            let counter = TokenCounter::new(tokenizer, 254);
            prop_assert_eq!(counter.count(&text), Some(expected.len()));
            prop_assert_eq!(counter.ranges(&text).unwrap(), expected);
        }
    }
}
