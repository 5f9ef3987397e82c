//! Words in common: multisets, whatever the order.

use std::collections::HashMap;

use unicode_normalization::UnicodeNormalization;

/// How a text compares with the one that is expected.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Score {
    pub(super) precision: f64,
    pub(super) recall: f64,
    pub(super) f1: f64,
}

impl Score {
    pub(super) fn of(found: &str, expected: &str) -> Self {
        let (found, expected) = (words(found), words(expected));
        let common: usize = found.iter().map(|(word, count)| *count.min(expected.get(word).unwrap_or(&0))).sum();
        let share = |of: &HashMap<String, usize>| common as f64 / of.values().sum::<usize>().max(1) as f64;
        let (precision, recall) = (share(&found), share(&expected));
        let both = precision + recall;
        Self { precision, recall, f1: if both > 0.0 { 2.0 * precision * recall / both } else { 0.0 } }
    }

    /// The mean over pages.
    pub(super) fn mean(scores: &[Self]) -> Self {
        let mean = |of: fn(&Self) -> f64| scores.iter().map(of).sum::<f64>() / scores.len().max(1) as f64;
        Self {
            precision: mean(|score| score.precision),
            recall: mean(|score| score.recall),
            f1: mean(|score| score.f1),
        }
    }
}

/// Runs of letters and digits; each letter of a script that writes no spaces.
fn words(text: &str) -> HashMap<String, usize> {
    let mut words = HashMap::new();
    let mut word = String::new();
    let mut take = |word: &mut String| {
        if !word.is_empty() {
            *words.entry(std::mem::take(word)).or_default() += 1;
        }
    };
    for letter in text.nfkc().flat_map(char::to_lowercase) {
        if !letter.is_alphanumeric() || is_unspaced(letter) {
            take(&mut word);
        }
        if letter.is_alphanumeric() {
            word.push(letter);
        }
        if is_unspaced(letter) {
            take(&mut word);
        }
    }
    take(&mut word);
    words
}

fn is_unspaced(letter: char) -> bool {
    matches!(letter, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_count_as_often_as_they_are_there() {
        let score = Score::of("The ship and the harbour.", "the SHIP");
        assert_eq!((score.precision, score.recall), (0.4, 1.0));
        let score = Score::of("言語", "言語モデル");
        assert_eq!((score.precision, score.recall), (1.0, 0.4));
        assert_eq!(Score::of("", "a"), Score::default());
    }
}
