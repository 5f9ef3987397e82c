//! The language of a text, as far as finding it by words depends on it: stems and stop words.

mod stop_words;

use std::borrow::Cow;

use rust_stemmers::{Algorithm, Stemmer};
use whatlang::{Lang, Script};

use stop_words::STOP_WORDS;

/// Bytes of a text by which its language is told.
const ENOUGH: usize = 2_048;
/// Bytes of a word that is brought to its stem; what is longer is none.
const LONGEST_WORD: usize = 64;

/// A language whose words are brought to their stems.
struct Stemmed {
    /// ISO 639-1.
    code: &'static str,
    lang: Lang,
    algorithm: Algorithm,
    /// Its letters beside those of ASCII, in lower case: with others a text is in a language akin to it.
    letters: &'static str,
}

/// All of them. Norwegian is written in two forms, and goes by the one that more write. Tamil's script is its own: it is told by
/// that, and has no letters here.
#[rustfmt::skip]
const STEMMED: [Stemmed; 18] = [
    Stemmed { code: "ar", lang: Lang::Ara, algorithm: Algorithm::Arabic, letters: "ءآأؤإئابةتثجحخدذرزسشصضطظعغفقكلمنهوىي" },
    Stemmed { code: "da", lang: Lang::Dan, algorithm: Algorithm::Danish, letters: "æøåé" },
    Stemmed { code: "de", lang: Lang::Deu, algorithm: Algorithm::German, letters: "äöüß" },
    Stemmed { code: "el", lang: Lang::Ell, algorithm: Algorithm::Greek, letters: "αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώϊϋΐΰ" },
    Stemmed { code: "en", lang: Lang::Eng, algorithm: Algorithm::English, letters: "" },
    Stemmed { code: "es", lang: Lang::Spa, algorithm: Algorithm::Spanish, letters: "áéíóúüñªº" },
    Stemmed { code: "fi", lang: Lang::Fin, algorithm: Algorithm::Finnish, letters: "äöå" },
    Stemmed { code: "fr", lang: Lang::Fra, algorithm: Algorithm::French, letters: "àâæçéèêëîïôœùûüÿ" },
    Stemmed { code: "hu", lang: Lang::Hun, algorithm: Algorithm::Hungarian, letters: "áéíóöőúüű" },
    Stemmed { code: "it", lang: Lang::Ita, algorithm: Algorithm::Italian, letters: "àèéìíîòóùú" },
    Stemmed { code: "nb", lang: Lang::Nob, algorithm: Algorithm::Norwegian, letters: "æøåéèòóôâ" },
    Stemmed { code: "nl", lang: Lang::Nld, algorithm: Algorithm::Dutch, letters: "áéíóúëïöüèàĳ" },
    Stemmed { code: "pt", lang: Lang::Por, algorithm: Algorithm::Portuguese, letters: "áâãàçéêíóôõúüªº" },
    Stemmed { code: "ro", lang: Lang::Ron, algorithm: Algorithm::Romanian, letters: "ăâîșțşţ" },
    Stemmed { code: "ru", lang: Lang::Rus, algorithm: Algorithm::Russian, letters: "абвгдеёжзийклмнопрстуфхцчшщъыьэюя" },
    Stemmed { code: "sv", lang: Lang::Swe, algorithm: Algorithm::Swedish, letters: "åäöéà" },
    Stemmed { code: "ta", lang: Lang::Tam, algorithm: Algorithm::Tamil, letters: "" },
    Stemmed { code: "tr", lang: Lang::Tur, algorithm: Algorithm::Turkish, letters: "çğıöşüâîû" },
];

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
        let told = || Self::by_stop_words(text).or_else(|| Self::by_letters(text));
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
        STEMMED.iter().map(|language| Self(language.code))
    }

    /// Its ISO 639-1 code; empty where it makes no difference.
    pub fn code(self) -> &'static str {
        self.0
    }

    /// The stem of a word in lower case.
    pub(crate) fn stem(self, word: &str) -> Cow<'_, str> {
        match self.stemmed().filter(|_| word.len() <= LONGEST_WORD && word.chars().all(char::is_alphabetic)) {
            Some(language) => Cow::Owned(Stemmer::create(language.algorithm).stem(word).into_owned()),
            None => Cow::Borrowed(word),
        }
    }

    /// Whether a word in lower case says little.
    pub(crate) fn is_stop_word(self, word: &str) -> bool {
        STOP_WORDS.contains(self.0, word)
    }

    fn named(name: &str) -> Option<Self> {
        let name = name.trim().to_lowercase();
        let name = name.split(['-', '_']).next().unwrap_or_default();
        let name = if ["no", "nn"].contains(&name) { "nb" } else { name };
        let coded = STEMMED.iter().find(|language| language.code == name).map(|language| Self(language.code));
        let listed = || STOP_WORDS.language(name).map(Self);
        let spelt = || Lang::all().iter().find(|lang| lang.code() == name || lang.eng_name().to_lowercase() == name);
        coded.or_else(listed).or_else(|| spelt().map(|lang| Self::from_lang(*lang)))
    }

    fn stemmed(self) -> Option<&'static Stemmed> {
        STEMMED.iter().find(|language| language.code == self.0)
    }

    /// A text of a language without a list, Galician or Ukrainian, has many words of one akin to it, but also other letters.
    fn by_stop_words(text: &str) -> Option<Self> {
        let told = Self(STOP_WORDS.tell(text)?);
        told.stemmed().is_none_or(|language| language.has_letters_of(text)).then_some(told)
    }

    /// By runs of three letters.
    fn by_letters(text: &str) -> Option<Self> {
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
        STEMMED.iter().find(|language| language.lang == lang).map_or(Self::OTHER, |language| Self(language.code))
    }
}

impl Stemmed {
    fn has_letters_of(&self, text: &str) -> bool {
        let is_known = |letter: char| letter.is_ascii() || !letter.is_alphabetic() || self.letters.contains(letter);
        text.chars().all(|letter| letter.is_ascii() || letter.to_lowercase().all(is_known))
    }
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
    fn what_is_written_is_told_also_where_it_is_short_or_quotes_another_language() {
        for (code, text) in [
            (
                "de",
                "Sie las „The Old Man and the Sea“, während die Züge zwischen den beiden Städten fuhren und niemand einstieg.",
            ),
            (
                "fr",
                "Le film « The Good, the Bad and the Ugly » est projeté ce soir dans la grande salle de la bibliothèque.",
            ),
            ("ru", "Поиск по векторам работает быстро: the fox and the dog."),
            ("nl", "Het bestand kan niet worden geopend."),
            ("es", "No se puede abrir el archivo porque no existe."),
            ("en", "Why is it so hard to find what you wrote?"),
        ] {
            assert_eq!(Language::of(None, text).code(), code, "{text}");
        }
    }

    #[test]
    fn letters_tell_a_language_from_one_akin_to_it() {
        let ukrainian = "Пошук за векторами не працює, і ніхто не знає, що робити далі з цими даними.";
        assert_eq!(Language::of(None, ukrainian), Language::OTHER);
        assert_eq!(Language::of(None, "Поиск не работает, и никто не знает, что с ним делать.").code(), "ru");
    }

    #[test]
    fn norwegian_has_stems_and_stop_words_by_all_its_codes() {
        for name in ["no", "nb", "nn", "nb_NO"] {
            let norwegian = Language::of(Some(name), "");
            assert!(norwegian.code() == "nb" && norwegian.is_stop_word("ikke"), "{name}");
            assert_eq!(norwegian.stem("bøkene"), norwegian.stem("bøker"), "{name}");
        }
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
            for language in Language::all() {
                language.stem(&word.to_lowercase());
            }
        }

        #[test]
        fn any_text_has_a_language(text in "(?s).{0,80}") {
            Language::of(None, &text);
            prop_assert!(!Language::of_question(&text).is_empty());
        }
    }
}
