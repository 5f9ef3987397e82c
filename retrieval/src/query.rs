//! What is asked.

use shared::DocumentType;

use crate::day::Day;
use crate::error::SearchError;
use crate::preferences::Preferences;

/// Characters of a query that are looked at. The model reads 256 tokens, well within; the rest would only cost time.
const LONGEST_TEXT: usize = 4_096;

/// A question to the index. Filters that are not set let everything pass.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// What to look for, in words.
    pub text: String,
    /// Only documents of these types; none given: of every type.
    pub types: Vec<DocumentType>,
    /// Only documents of this author, by id or full name.
    pub author: Option<String>,
    /// Only documents published there.
    pub platform: Option<String>,
    /// Only documents in this language, as the documents name it.
    pub language: Option<String>,
    /// Only the document with this link.
    pub link: Option<String>,
    /// Only files whose path begins so.
    pub path: Option<String>,
    /// Only text that was written on this day or later.
    pub since: Option<Day>,
    /// Only text that was written before this day.
    pub before: Option<Day>,
    /// Only hits of at least this score.
    pub least_score: Option<f32>,
    /// What is shown first, other things being equal.
    pub preferences: Preferences,
    /// Hits in all.
    pub limit: usize,
    /// Hits of one document.
    pub per_document: usize,
}

impl Query {
    /// Ten hits, two of a document, no filters, no preferences.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            types: Vec::new(),
            author: None,
            platform: None,
            language: None,
            link: None,
            path: None,
            since: None,
            before: None,
            least_score: None,
            preferences: Preferences::default(),
            limit: 10,
            per_document: 2,
        }
    }
}

/// A query's text as both the model and BM25 get it: no control characters, not blank, of bounded length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchText(String);

impl SearchText {
    /// # Errors
    /// [`SearchError::EmptyQuery`] where nothing is left to look for.
    pub fn new(text: &str) -> Result<Self, SearchError> {
        let printable = |c: char| if c.is_control() { ' ' } else { c };
        // Leading blanks are skipped before the cut: a megabyte of them must not hide the words behind.
        let text: String = text.chars().map(printable).skip_while(|c| c.is_whitespace()).take(LONGEST_TEXT).collect();
        let text = text.trim_end();
        if text.is_empty() {
            return Err(SearchError::EmptyQuery);
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_blank_query_is_refused() {
        for blank in ["", " ", "\n\t\u{3000}", "\u{0}\u{7}\u{1b}"] {
            assert!(matches!(SearchText::new(blank), Err(SearchError::EmptyQuery)), "{blank:?}");
        }
    }

    #[test]
    fn control_characters_part_words() {
        assert_eq!(SearchText::new("\u{1b}vector\u{0}stores\r\n").unwrap().as_str(), "vector stores");
    }

    #[test]
    fn a_megabyte_is_cut_to_its_beginning() {
        let text = SearchText::new(&"слово ".repeat(200_000)).unwrap();
        assert!(text.as_str().chars().count() <= LONGEST_TEXT);
        let behind_blanks = format!("{}word", " ".repeat(1_000_000));
        assert_eq!(SearchText::new(&behind_blanks).unwrap().as_str(), "word");
    }

    proptest! {
        #[test]
        fn whatever_is_asked_is_short_and_printable(text in "\\PC*|(?s).*") {
            if let Ok(text) = SearchText::new(&text) {
                prop_assert!(!text.as_str().trim().is_empty());
                prop_assert!(text.as_str().chars().count() <= LONGEST_TEXT);
                prop_assert!(!text.as_str().chars().any(char::is_control));
            }
        }
    }
}
