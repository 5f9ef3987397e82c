//! BM25 as sparse vectors: a document's weights here, the inverse document frequency at the store (IDF modifier).
//!
//! Source: Robertson and Zaragoza, *The Probabilistic Relevance Framework* (2009); a heading counts as its own field,
//! as there in BM25F, with a weight and without a length of its own. What was tried: `docs/quality.md`.

mod words;

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use xxhash_rust::xxh3::xxh3_64;

use crate::language::Language;
use words::each_word;

/// Weight of a query's word in a language that the query is hardly in.
const UNLIKELY: f32 = 0.2;

/// A sparse vector: ascending, unique indices and a value for each.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SparseVector {
    /// Hashed terms.
    pub indices: Vec<u32>,
    /// Their weights.
    pub values: Vec<f32>,
}

/// What of a chunk is found by words.
#[derive(Debug, Clone, Copy)]
pub struct Searched<'a> {
    /// What stands over it: title, headings, path.
    pub heading: &'a str,
    /// Its text.
    pub body: &'a str,
    /// Its document's address, of which the path often says what it is about. Empty where there is none.
    pub link: &'a str,
    /// Whose stems its words are brought to.
    pub language: Language,
}

/// How words are weighed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weighting {
    /// Saturation of repeated terms.
    pub k1: f32,
    /// Weight of a chunk's length.
    pub b: f32,
    /// Terms of an average chunk, stop words left out. Fixed, so that a chunk's vector does not depend on its neighbours.
    pub average_length: f32,
    /// How often a word of the heading counts.
    pub heading: f32,
    /// How often a word of the address counts.
    pub link: f32,
}

impl<'a> Searched<'a> {
    /// An English text with nothing over it.
    pub fn english(body: &'a str) -> Self {
        Self { heading: "", body, link: "", language: Language::ENGLISH }
    }
}

impl Default for Weighting {
    fn default() -> Self {
        Self { k1: 1.2, b: 0.75, average_length: 70.0, heading: 1.0, link: 1.0 }
    }
}

impl SparseVector {
    fn from_weights(weights: BTreeMap<u32, f32>) -> Self {
        let (indices, values) = weights.into_iter().unzip();
        Self { indices, values }
    }
}

impl Weighting {
    /// The weights of a chunk's terms: `tf · (k1 + 1) / (tf + k1 · (1 − b + b · length / average))`.
    pub fn document_vector(&self, searched: &Searched<'_>) -> SparseVector {
        let mut counts = BTreeMap::<u32, f32>::new();
        let mut length = 0.0;
        let language = searched.language;
        let mut count = |text: &str, weight: f32, in_length: f32| {
            each_word(text, |word| {
                *counts.entry(index_of(&language.stem(word))).or_default() += weight;
                // Stop words would make prose longer than lists and code.
                length += if language.is_stop_word(word) { 0.0 } else { in_length };
            });
        };
        count(searched.body, 1.0, 1.0);
        if self.heading > 0.0 {
            count(searched.heading, self.heading, 1.0);
        }
        if self.link > 0.0 {
            count(&path_of(searched.link), self.link, 0.0);
        }
        let norm = self.k1 * (1.0 - self.b + self.b * length / self.average_length);
        let weigh = |(at, tf): (u32, f32)| (at, tf * (self.k1 + 1.0) / (tf + norm));
        SparseVector::from_weights(counts.into_iter().map(weigh).collect())
    }
}

/// A chunk's terms, weighed as chosen by measurement.
pub fn document_vector(searched: &Searched<'_>) -> SparseVector {
    Weighting::default().document_vector(searched)
}

/// A query's terms, each of weight 1 however often it is said, in every language that it may be in. Stop words count
/// only where there is nothing else. Whatever language a document was taken for, its own words find it: their stems in
/// the other languages count a little.
pub fn query_vector(text: &str) -> SparseVector {
    let languages = Language::of_question(text);
    let (mut telling, mut all, mut unlikely) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    each_word(text, |word| {
        let says_little = languages.iter().any(|language| language.is_stop_word(word));
        for stem in [word.into()].into_iter().chain(languages.iter().map(|language| language.stem(word))) {
            let at = index_of(&stem);
            all.insert(at, 1.0);
            if !says_little {
                telling.insert(at, 1.0);
            }
        }
        if !says_little {
            unlikely.extend(Language::all().map(|language| (index_of(&language.stem(word)), UNLIKELY)));
        }
    });
    let mut weights = if telling.is_empty() { all } else { telling };
    for (at, weight) in unlikely {
        weights.entry(at).or_insert(weight);
    }
    SparseVector::from_weights(weights)
}

/// The path of an address, readable. Its host is known as the platform, and what follows a `?` is for machines.
fn path_of(link: &str) -> String {
    let address = link.split_once("://").map_or(link, |(_, address)| address);
    let path =
        address.split(['?', '#']).next().and_then(|address| address.split_once('/')).map_or("", |(_, path)| path);
    percent_decode_str(path).decode_utf8_lossy().into_owned()
}

fn index_of(term: &str) -> u32 {
    (xxh3_64(term.as_bytes()) & u64::from(u32::MAX)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weight(vector: &SparseVector, term: &str) -> f32 {
        vector.indices.iter().position(|&index| index == index_of(term)).map_or(0.0, |at| vector.values[at])
    }

    #[test]
    fn repeated_terms_weigh_more_but_not_in_proportion() {
        let once = document_vector(&Searched::english("vector stores"));
        let often = document_vector(&Searched::english("vector vector vector stores"));
        assert_eq!(once.indices, often.indices);
        assert!(weight(&often, "vector") > weight(&once, "vector"));
        assert!(weight(&often, "vector") < 3.0 * weight(&once, "vector"));
    }

    #[test]
    fn a_query_meets_a_document_in_any_case_and_script() {
        for (query, document) in [
            ("QDRANT", "about Qdrant."),
            ("поиск", "Поиск по векторам"),
            ("検索", "意味検索の話"),
            ("ﬁnd", "find it"),
            ("announcing stores", "The store was announced"),
            ("http url parse", "fn parseHttpUrl()"),
            ("parse_http_url", "fn parse_http_url()"),
        ] {
            let searched = Searched { language: Language::of(None, document), ..Searched::english(document) };
            let (query, document) = (query_vector(query), document_vector(&searched));
            assert!(!query.indices.is_empty());
            assert!(query.indices.iter().any(|index| document.indices.contains(index)), "{query:?}");
        }
    }

    #[test]
    fn a_word_meets_itself_whatever_language_its_document_was_taken_for() {
        for language in Language::all() {
            let searched = Searched { language, ..Searched::english("zqaaaaqy kubernetes") };
            let document = document_vector(&searched);
            for word in ["zqaaaaqy", "Kubernetes"] {
                let query = query_vector(word);
                assert!(query.indices.iter().any(|index| document.indices.contains(index)), "{word} {language:?}");
            }
        }
    }

    #[test]
    fn a_query_in_another_language_meets_its_stems() {
        let document = "Die Verbindungen zwischen den Rechnern wurden gestern von niemandem unterbrochen.";
        let language = Language::of(None, document);
        assert_eq!(language.code(), "de");
        let document = document_vector(&Searched { language, ..Searched::english(document) });
        let query = query_vector("Warum wurde die Verbindung unterbrochen?");
        let common = query.indices.iter().filter(|index| document.indices.contains(index)).count();
        assert!(common >= 2, "{common} of {query:?}");
    }

    #[test]
    fn stop_words_count_only_where_there_is_nothing_else() {
        assert_eq!(query_vector("what is a vector"), query_vector("vector"));
        assert!(!query_vector("to be or not to be").indices.is_empty());
        let found = document_vector(&Searched::english("to be or not to be"));
        assert!(query_vector("to be or not").indices.iter().all(|index| found.indices.contains(index)));
    }

    #[test]
    fn the_path_of_an_address_is_found_by_its_words() {
        let searched = Searched {
            link: "https://example.org/2024/%D0%BF%D0%BE%D0%B8%D1%81%D0%BA-fast_search?utm=mail",
            ..Searched::english("text")
        };
        let vector = document_vector(&searched);
        assert!(["2024", "поиск", "fast", "search"].iter().all(|word| weight(&vector, word) > 0.0));
        assert!(["example", "utm", "mail"].iter().all(|word| weight(&vector, word) == 0.0));
        assert_eq!(weight(&vector, "text"), weight(&document_vector(&Searched::english("text")), "text"));
    }

    #[test]
    fn indices_ascend_without_repeats() {
        let vector = document_vector(&Searched::english(&"the quick brown fox jumps over the lazy dog ".repeat(3)));
        assert!(vector.indices.is_sorted_by(|a, b| a < b));
        assert_eq!(vector.indices.len(), vector.values.len());
        assert_eq!(document_vector(&Searched::english("…—!")), SparseVector::default());
    }
}
