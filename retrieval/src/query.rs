//! What is asked.

use shared::DocumentType;

use crate::day::Day;
use crate::error::SearchError;
use crate::preferences::Preferences;

/// Characters of a query that are looked at. The model reads 256 tokens, well within; the rest would only cost time.
const LONGEST_TEXT: usize = 4_096;

/// Hits that one answer has at most; each is read with its text.
pub const MOST_HITS: usize = 1_000;

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
    /// Whether a reranker looks at the best hits again.
    pub rerank: bool,
    /// Hits in all, 1 to [`MOST_HITS`].
    pub limit: usize,
    /// Hits of one document, 1 to [`MOST_HITS`].
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
            rerank: false,
            limit: 10,
            per_document: 2,
        }
    }

    /// What is to be looked for, if there is something to look for and something that could be found.
    ///
    /// # Errors
    /// [`SearchError`], of what the person asked.
    pub fn check(&self) -> Result<SearchText, SearchError> {
        let text = SearchText::new(&self.text)?;
        if self.types.contains(&DocumentType::Users) {
            return Err(SearchError::UsersHaveNoText);
        }
        let filters = [
            ("--author", &self.author),
            ("--platform", &self.platform),
            ("--language", &self.language),
            ("--link", &self.link),
            ("--path", &self.path),
        ];
        let is_blank = |value: &Option<String>| value.as_ref().is_some_and(|value| value.trim().is_empty());
        if let Some((name, _)) = filters.into_iter().find(|(_, value)| is_blank(value)) {
            return Err(SearchError::BlankFilter(name));
        }
        if self.since.zip(self.before).is_some_and(|(since, before)| before <= since) {
            return Err(SearchError::NoDays);
        }
        let counts = [("--limit", self.limit), ("--per-document", self.per_document)];
        if let Some((name, _)) = counts.into_iter().find(|(_, count)| !(1..=MOST_HITS).contains(count)) {
            return Err(SearchError::NoCount(name));
        }
        if self.least_score.is_some_and(|least| !least.is_finite()) {
            return Err(SearchError::NoScore);
        }
        Ok(text)
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
    fn what_would_find_nothing_whatever_there_is_is_refused() {
        let tea = || Query::new("tea");
        assert!(tea().check().is_ok());
        for (query, part) in [
            (Query { types: vec![DocumentType::Users], ..tea() }, "users have no text"),
            (Query { author: Some(" ".into()), ..tea() }, "--author"),
            (Query { platform: Some(String::new()), ..tea() }, "--platform"),
            (Query { path: Some(String::new()), ..tea() }, "--path"),
            (Query { since: "2026-11-22".parse().ok(), before: "2026-11-22".parse().ok(), ..tea() }, "--before"),
            (Query { least_score: Some(f32::NAN), ..tea() }, "--min-score"),
            (Query { limit: 0, ..tea() }, "--limit"),
            (Query { per_document: MOST_HITS + 1, ..tea() }, "--per-document"),
        ] {
            assert!(query.check().unwrap_err().to_string().contains(part), "{query:?}");
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
