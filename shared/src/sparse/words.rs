//! Words of a text, as BM25 counts them.
//!
//! By Unicode's rules (UAX #29), in lower case and compatibility form. An identifier counts whole and by its parts:
//! `parseHttpUrl`, `parse_http_url` and "parse HTTP URL" meet. Scripts without spaces fall into single characters, to
//! which pairs of neighbours are added: a pair says what two characters apart do not.

use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation;

/// Calls `take` for every word.
pub(super) fn each_word(text: &str, mut take: impl FnMut(&str)) {
    let mut neighbour: Option<(usize, String)> = None;
    for (at, word) in text.unicode_word_indices() {
        let normal: String = if word.is_ascii() { word.into() } else { word.nfkc().collect() };
        let alone = single(&normal);
        if let (Some((end, before)), true) = (&neighbour, alone)
            && *end == at
        {
            take(&format!("{before}{normal}"));
        }
        neighbour = alone.then(|| (at + word.len(), normal.clone()));
        for piece in without_apostrophes(&normal) {
            whole_and_parts(piece, &mut take);
        }
    }
}

/// A character of a script that writes without spaces.
fn single(word: &str) -> bool {
    let mut characters = word.chars();
    let first = characters.next().filter(|c| !c.is_ascii() && c.is_alphabetic());
    first.is_some_and(|c| !(c.is_lowercase() || c.is_uppercase())) && characters.next().is_none()
}

/// "Rust's" is about Rust, "l'homme" about a man.
fn without_apostrophes(word: &str) -> impl Iterator<Item = &str> {
    let marks = ['\'', '’'];
    let has_mark = word.contains(marks);
    word.split(marks).filter(move |piece| !has_mark || piece.chars().nth(1).is_some())
}

fn whole_and_parts(word: &str, take: &mut impl FnMut(&str)) {
    take(&word.to_lowercase());
    if word.starts_with(|c: char| c.is_ascii_digit()) {
        return;
    }
    let parts: Vec<&str> = word.split(['_', '.', ':']).flat_map(humps).collect();
    if parts.len() > 1 {
        parts.into_iter().filter(|part| part.chars().nth(1).is_some()).for_each(|part| take(&part.to_lowercase()));
    }
}

/// `parseHTTPUrl` → `parse`, `HTTP`, `Url`.
fn humps(word: &str) -> Vec<&str> {
    let (mut parts, mut start) = (Vec::new(), 0);
    let letters: Vec<(usize, char)> = word.char_indices().collect();
    for at in 1..letters.len() {
        let (before, here, after) = (letters[at - 1].1, letters[at].1, letters.get(at + 1).map(|letter| letter.1));
        let rises = !before.is_uppercase() && here.is_uppercase();
        let acronym_ends = before.is_uppercase() && here.is_uppercase() && after.is_some_and(char::is_lowercase);
        if rises || acronym_ends {
            parts.push(&word[start..letters[at].0]);
            start = letters[at].0;
        }
    }
    parts.push(&word[start..]);
    parts.retain(|part| !part.is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let mut words = Vec::new();
        each_word(text, |word| words.push(word.to_owned()));
        words
    }

    #[test]
    fn identifiers_count_whole_and_by_their_parts() {
        assert_eq!(words("parseHTTPUrl"), ["parsehttpurl", "parse", "http", "url"]);
        assert_eq!(words("max_chunk_size"), ["max_chunk_size", "max", "chunk", "size"]);
        assert_eq!(words("docs.rs"), ["docs.rs", "docs", "rs"]);
        assert_eq!(words("Rust API"), ["rust", "api"]);
    }

    #[test]
    fn numbers_and_versions_stay_whole() {
        assert_eq!(words("Rust 1.59.0 since 2019-10-10"), ["rust", "1.59.0", "since", "2019", "10", "10"]);
        assert_eq!(words("fp16 sha256"), ["fp16", "sha256"]);
    }

    #[test]
    fn an_apostrophe_parts_a_word_from_what_hangs_on_it() {
        assert_eq!(words("Rust's l’homme don't"), ["rust", "homme", "don"]);
    }

    #[test]
    fn characters_of_scripts_without_spaces_come_with_their_neighbours() {
        assert_eq!(words("意味 索"), ["意", "意味", "味", "索"]);
    }
}
