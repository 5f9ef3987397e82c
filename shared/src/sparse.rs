//! BM25 as sparse vectors: a document's weights here, the inverse document frequency at the store (IDF modifier).
//!
//! Source: Robertson and Zaragoza, *The Probabilistic Relevance Framework* (2009).

use std::collections::BTreeMap;

use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation;
use xxhash_rust::xxh3::xxh3_64;

/// Saturation of repeated terms.
const K1: f32 = 1.2;
/// Weight of a document's length.
const B: f32 = 0.75;
/// Terms of an average chunk. Fixed, so that a chunk's vector does not depend on its neighbours.
const AVERAGE_LENGTH: f32 = 120.0;

/// A sparse vector: ascending, unique indices and a value for each.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SparseVector {
    /// Hashed terms.
    pub indices: Vec<u32>,
    /// Their weights.
    pub values: Vec<f32>,
}

impl SparseVector {
    fn from_weights(weights: BTreeMap<u32, f32>) -> Self {
        let (indices, values) = weights.into_iter().unzip();
        Self { indices, values }
    }
}

/// The weights of a text's terms: `tf · (k1 + 1) / (tf + k1 · (1 − b + b · length / average))`.
pub fn document_vector(text: &str) -> SparseVector {
    let mut counts = BTreeMap::<u32, f32>::new();
    let mut length = 0.0;
    for term in terms(text) {
        *counts.entry(index_of(&term)).or_default() += 1.0;
        length += 1.0;
    }
    let norm = K1 * (1.0 - B + B * length / AVERAGE_LENGTH);
    SparseVector::from_weights(counts.into_iter().map(|(at, tf)| (at, tf * (K1 + 1.0) / (tf + norm))).collect())
}

/// A query's terms, each of weight 1 however often it is said.
pub fn query_vector(text: &str) -> SparseVector {
    SparseVector::from_weights(terms(text).map(|term| (index_of(&term), 1.0)).collect())
}

/// Words by Unicode's rules (UAX #29), in lower case and compatibility form. Scripts without spaces fall into
/// single characters, which suits BM25.
fn terms(text: &str) -> impl Iterator<Item = String> {
    text.unicode_words().map(|word| word.nfkc().flat_map(char::to_lowercase).collect())
}

fn index_of(term: &str) -> u32 {
    (xxh3_64(term.as_bytes()) & u64::from(u32::MAX)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_terms_weigh_more_but_not_in_proportion() {
        let once = document_vector("vector stores");
        let often = document_vector("vector vector vector stores");
        assert_eq!(once.indices, often.indices);
        let weight = |vector: &SparseVector| {
            let at = vector.indices.iter().position(|&index| index == index_of("vector")).unwrap();
            vector.values[at]
        };
        assert!(weight(&often) > weight(&once));
        assert!(weight(&often) < 3.0 * weight(&once));
    }

    #[test]
    fn a_query_meets_a_document_in_any_case_and_script() {
        for (query, document) in
            [("QDRANT", "about Qdrant."), ("поиск", "Поиск по векторам"), ("検索", "意味検索の話"), ("ﬁnd", "find it")]
        {
            let (query, document) = (query_vector(query), document_vector(document));
            assert!(!query.indices.is_empty());
            assert!(query.indices.iter().all(|index| document.indices.contains(index)), "{query:?}");
        }
    }

    #[test]
    fn indices_ascend_without_repeats() {
        let vector = document_vector(&"the quick brown fox jumps over the lazy dog ".repeat(3));
        assert!(vector.indices.is_sorted_by(|a, b| a < b));
        assert_eq!(vector.indices.len(), vector.values.len());
        assert_eq!(document_vector("…—!"), SparseVector::default());
    }
}
