//! The language of a text, as far as finding it by words depends on it: stems and stop words.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use rust_stemmers::{Algorithm, Stemmer};
use whatlang::{Lang, Script};

/// Bytes of a text by which its language is told.
const ENOUGH: usize = 2_048;
/// Bytes of a word that is brought to its stem; what is longer is none.
const LONGEST_WORD: usize = 64;

/// Frequent words of English that are rare in all other languages of Latin letters; so many of them are no chance.
const ENGLISH_ONLY: [&str; 32] = [
    "the", "and", "that", "with", "this", "you", "your", "from", "they", "their", "there", "these", "those", "which",
    "what", "who", "would", "could", "should", "been", "because", "about", "into", "than", "then", "when", "where",
    "while", "our", "his", "its", "it",
];
const LEAST_ENGLISH: usize = 2;
/// Frequent words that other languages may have as well. With those above they are about two words of five; one in so many at least.
const ENGLISH_TOO: [&str; 40] = [
    "a", "an", "are", "as", "at", "be", "but", "by", "can", "do", "for", "had", "has", "have", "he", "her", "him",
    "how", "i", "if", "in", "is", "me", "my", "no", "not", "of", "on", "or", "she", "so", "to", "up", "us", "was",
    "we", "will", "all", "one", "more",
];
const ENGLISH_SHARE: usize = 3;

/// Languages with a stemmer, by ISO 639-1. Norwegian goes by the code of either of its forms.
const STEMMED: [(&str, Lang, Algorithm); 19] = [
    ("ar", Lang::Ara, Algorithm::Arabic),
    ("da", Lang::Dan, Algorithm::Danish),
    ("de", Lang::Deu, Algorithm::German),
    ("el", Lang::Ell, Algorithm::Greek),
    ("en", Lang::Eng, Algorithm::English),
    ("es", Lang::Spa, Algorithm::Spanish),
    ("fi", Lang::Fin, Algorithm::Finnish),
    ("fr", Lang::Fra, Algorithm::French),
    ("hu", Lang::Hun, Algorithm::Hungarian),
    ("it", Lang::Ita, Algorithm::Italian),
    ("nb", Lang::Nob, Algorithm::Norwegian),
    ("nl", Lang::Nld, Algorithm::Dutch),
    ("no", Lang::Nob, Algorithm::Norwegian),
    ("pt", Lang::Por, Algorithm::Portuguese),
    ("ro", Lang::Ron, Algorithm::Romanian),
    ("ru", Lang::Rus, Algorithm::Russian),
    ("sv", Lang::Swe, Algorithm::Swedish),
    ("ta", Lang::Tam, Algorithm::Tamil),
    ("tr", Lang::Tur, Algorithm::Turkish),
];

/// Words that say little, by language.
static STOP_WORDS: LazyLock<HashMap<&'static str, HashSet<&'static str>>> = LazyLock::new(|| {
    let words = |code: &&'static str| Some((*code, stop_words::lookup(code)?.iter().copied().collect()));
    stop_words::available_languages().iter().filter_map(words).collect()
});

/// A language, by its ISO 639-1 code; one that has neither stems nor stop words is no different from any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Language(&'static str);

impl Language {
    /// What a text in Latin letters is taken for where nothing tells.
    pub const ENGLISH: Self = Self("en");
    /// Of words that are left as they are.
    pub const OTHER: Self = Self("");

    /// The language that a document names, `en`, `eng`, `en-GB` or `English`; else that of its text.
    pub fn of(named: Option<&str>, text: &str) -> Self {
        let text = &text[..text.floor_char_boundary(ENOUGH)];
        let told = || if is_surely_english(text) { Some(Self::ENGLISH) } else { Self::detect(text) };
        named.and_then(Self::named).or_else(told).unwrap_or_else(|| Self::likely(text))
    }

    /// Languages that a question may be in: it is too short to be sure.
    pub fn of_question(text: &str) -> Vec<Self> {
        let told = whatlang::detect(text).map_or(Self::OTHER, |found| Self::from_lang(found.lang()));
        let mut languages = vec![Self::likely(&text[..text.floor_char_boundary(ENOUGH)]), told];
        languages.dedup();
        languages
    }

    /// Those that words are brought to stems in.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        STEMMED.iter().map(|(code, ..)| Self(code))
    }

    /// Its ISO 639-1 code; empty where it makes no difference.
    pub fn code(self) -> &'static str {
        self.0
    }

    /// The stem of a word in lower case.
    pub(crate) fn stem(self, word: &str) -> Cow<'_, str> {
        let known = STEMMED.iter().find(|(code, ..)| *code == self.0);
        match known.filter(|_| word.len() <= LONGEST_WORD && word.chars().all(char::is_alphabetic)) {
            Some((_, _, algorithm)) => Cow::Owned(Stemmer::create(*algorithm).stem(word).into_owned()),
            None => Cow::Borrowed(word),
        }
    }

    /// Whether a word in lower case says little.
    pub(crate) fn is_stop_word(self, word: &str) -> bool {
        STOP_WORDS.get(self.0).is_some_and(|words| words.contains(word))
    }

    fn named(name: &str) -> Option<Self> {
        let name = name.trim().to_lowercase();
        let name = name.split(['-', '_']).next().unwrap_or_default();
        let coded = STEMMED.iter().find(|(code, ..)| *code == name).map(|(code, ..)| Self(code));
        let listed = || STOP_WORDS.keys().find(|code| **code == name).map(|code| Self(code));
        let spelt = || Lang::all().iter().find(|lang| lang.code() == name || lang.eng_name().to_lowercase() == name);
        coded.or_else(listed).or_else(|| spelt().map(|lang| Self::from_lang(*lang)))
    }

    fn detect(text: &str) -> Option<Self> {
        let found = whatlang::detect(text)?;
        found.is_reliable().then(|| Self::from_lang(found.lang()))
    }

    fn likely(text: &str) -> Self {
        match whatlang::detect_script(text) {
            None | Some(Script::Latin) => Self::ENGLISH,
            Some(Script::Cyrillic) => Self("ru"),
            Some(_) => whatlang::detect(text).map_or(Self::OTHER, |found| Self::from_lang(found.lang())),
        }
    }

    fn from_lang(lang: Lang) -> Self {
        STEMMED.iter().find(|(_, known, _)| *known == lang).map_or(Self::OTHER, |(code, ..)| Self(code))
    }
}

/// Most texts are, and to tell all languages apart takes longer than everything else that is done with a short one. A text
/// that only quotes English has fewer of its frequent words, or letters that English has not.
fn is_surely_english(text: &str) -> bool {
    let (mut words, mut only, mut too) = (0, 0, 0);
    for word in text.as_bytes().split(|byte| !byte.is_ascii_alphabetic()).filter(|word| !word.is_empty()) {
        let is_in = |known: &[&str]| known.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(word));
        words += 1;
        if is_in(&ENGLISH_ONLY) {
            only += 1;
        } else if is_in(&ENGLISH_TOO) {
            too += 1;
        }
    }
    let frequent = only >= LEAST_ENGLISH && (only + too) * ENGLISH_SHARE >= words;
    frequent && text.chars().all(|character| character.is_ascii() || !character.is_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_language_is_known_by_code_and_name() {
        for name in ["en", "EN-gb", "eng", "English", " en_US "] {
            assert_eq!(Language::of(Some(name), "die Wörter der Sprache"), Language::ENGLISH, "{name}");
        }
        assert_eq!(Language::of(Some("de"), "").code(), "de");
    }

    #[test]
    fn an_unnamed_language_is_told_by_the_text() {
        let german = "Die Verbindung zwischen den beiden Rechnern wurde unterbrochen, weil niemand sie brauchte.";
        assert_eq!(Language::of(None, german).code(), "de");
        assert_eq!(Language::of(Some("no such language"), german).code(), "de");
        assert_eq!(Language::of(None, "Поиск по векторам работает быстро и точно.").code(), "ru");
        assert_eq!(Language::of(None, "Llama 3.1"), Language::ENGLISH);
        assert_eq!(Language::of(None, "意味検索の話"), Language::OTHER);
    }

    #[test]
    fn english_words_make_no_english_of_a_text_that_quotes_them() {
        for text in [
            "Sie las „The Old Man and the Sea“, während die Züge zwischen den beiden Städten fuhren und niemand einstieg.",
            "Le film « The Good, the Bad and the Ugly » est projeté ce soir dans la grande salle de la bibliothèque municipale.",
            "Поиск по векторам работает быстро: the fox and the dog.",
        ] {
            assert!(!is_surely_english(text), "{text}");
        }
        assert!(is_surely_english("They said that it’s the best of all — and we’ll see."));
        assert!(!is_surely_english("Vector search, anyone?"), "too little to be sure");
    }

    #[test]
    fn forms_of_a_word_have_one_stem() {
        assert_eq!(Language::ENGLISH.stem("announcing"), Language::ENGLISH.stem("announced"));
        assert_eq!(Language::ENGLISH.stem("fp16"), "fp16");
        assert!(Language::ENGLISH.is_stop_word("the") && !Language::OTHER.is_stop_word("the"));
    }

    proptest! {
        #[test]
        fn any_word_has_a_stem_in_every_language(word in "\\PC{0,12}|[а-я]{1,12}|[ء-ي]{1,9}|[அ-ஹ]{1,9}|[α-ω]{1,12}") {
            for (code, ..) in STEMMED {
                Language(code).stem(&word.to_lowercase());
            }
        }

        #[test]
        fn any_text_has_a_language(text in "(?s).{0,80}") {
            Language::of(None, &text);
            prop_assert!(!Language::of_question(&text).is_empty());
        }
    }
}
