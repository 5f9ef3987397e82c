//! Words that say little, and what they tell of a text: which language it is in. Most short texts say so by them alone, in less time
//! than everything else that is done with them.
//!
//! Source of the method: Grefenstette, *Comparing two language identification schemes* (JADT 1995). Figures: `docs/quality.md`.

use std::collections::HashMap;
use std::sync::LazyLock;

/// Least of a language's words in a text that is told by them …
const LEAST: u32 = 2;
/// … which are one in so many of its words, at least.
const ONE_IN: u32 = 5;
/// Bytes of a word; no list has a longer one.
const LONGEST: usize = 32;

/// All lists at once.
pub(super) static STOP_WORDS: LazyLock<StopWords> = LazyLock::new(StopWords::load);

/// Stop words by language.
pub(super) struct StopWords {
    /// ISO 639-1 codes.
    languages: Vec<&'static str>,
    /// In which languages' lists a word stands: a bit for each.
    words: HashMap<&'static str, u64>,
}

impl StopWords {
    fn load() -> Self {
        // "Hinglish" is English and more.
        let mut listed: Vec<&str> =
            stop_words::available_languages().iter().copied().filter(|code| code.len() == 2).collect();
        listed.sort_unstable();
        assert!(listed.len() <= u64::BITS as usize, "a bit for each language");
        let mut words = HashMap::<_, u64>::new();
        for (at, code) in listed.iter().enumerate() {
            for word in stop_words::lookup(code).into_iter().flatten() {
                *words.entry(*word).or_default() |= 1 << at;
            }
        }
        let languages = listed.into_iter().map(|code| if code == "no" { "nb" } else { code }).collect();
        Self { languages, words }
    }

    /// Its code as it is known here.
    pub(super) fn language(&self, code: &str) -> Option<&'static str> {
        self.languages.iter().copied().find(|known| *known == code)
    }

    /// Whether a word in lower case is in the language's list.
    pub(super) fn contains(&self, language: &str, word: &str) -> bool {
        let at = self.languages.iter().position(|known| *known == language);
        at.is_some_and(|at| self.words.get(word).is_some_and(|languages| languages >> at & 1 == 1))
    }

    /// The language that has more of the text's words in its list than any other, where these are enough.
    pub(super) fn tell(&self, text: &str) -> Option<&'static str> {
        let (mut words, mut counts, mut lower) = (0, [0_u32; u64::BITS as usize], String::new());
        for word in text.split(|character: char| !character.is_alphabetic()).filter(|word| !word.is_empty()) {
            words += 1;
            if word.len() > LONGEST {
                continue;
            }
            lower.clear();
            lower.extend(word.chars().flat_map(char::to_lowercase));
            let mut languages = self.words.get(lower.as_str()).copied().unwrap_or_default();
            while languages != 0 {
                counts[languages.trailing_zeros() as usize] += 1;
                languages &= languages - 1;
            }
        }
        let most = counts.into_iter().max().unwrap_or_default();
        let mut first = (0..self.languages.len()).filter(|at| counts[*at] == most);
        let (language, rival) = (first.next()?, first.next());
        let enough = rival.is_none() && most >= LEAST && most * ONE_IN >= words;
        enough.then(|| self.languages[language])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_told_by_its_frequent_words() {
        for (language, text) in [
            ("en", "They said that it’s the best of all — and we’ll see."),
            ("de", "Sie las „The Old Man and the Sea“, während die Züge zwischen den beiden Städten fuhren."),
            ("nl", "Het bestand kan niet worden geopend omdat het al in gebruik is."),
            ("nb", "Filen kunne ikke åpnes fordi den er i bruk av noen andre."),
            ("ca", "No s’ha pogut obrir el fitxer perquè ja l’està fent servir una altra persona."),
        ] {
            assert_eq!(STOP_WORDS.tell(text), Some(language), "{text}");
        }
    }

    #[test]
    fn too_few_of_them_tell_nothing() {
        for text in ["", "Vector search, anyone?", "Llama 3.1 and Qdrant", "意味検索の話", &"a".repeat(10_000)] {
            assert_eq!(STOP_WORDS.tell(text), None, "{text}");
        }
    }

    #[test]
    fn every_language_has_its_own_words() {
        assert!(STOP_WORDS.contains("en", "the") && !STOP_WORDS.contains("de", "the"));
        assert!(STOP_WORDS.contains("nb", "ikke") && !STOP_WORDS.contains("", "ikke"));
    }
}
