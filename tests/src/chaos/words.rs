//! Sentences, Markdown and code about nothing, and markers that occur nowhere else.

use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};

const NOUNS: [&str; 24] = [
    "harbour", "lantern", "tide", "ledger", "garden", "engine", "letter", "bridge", "orchard", "signal", "river",
    "market", "window", "archive", "compass", "kitchen", "valley", "printer", "captain", "mirror", "station", "forest",
    "library", "anchor",
];
const VERBS: [&str; 14] = [
    "follows",
    "measures",
    "repairs",
    "describes",
    "carries",
    "remembers",
    "crosses",
    "opens",
    "replaces",
    "watches",
    "gathers",
    "outlives",
    "teaches",
    "questions",
];
const ADJECTIVES: [&str; 14] = [
    "quiet",
    "northern",
    "patient",
    "narrow",
    "forgotten",
    "bright",
    "steady",
    "hollow",
    "early",
    "careful",
    "distant",
    "restless",
    "plain",
    "weathered",
];

/// What every marker begins with; no word of any language does.
const PREFIX: &str = "zq";
const LETTERS: usize = 6;

/// The marker with this number: one word of eight letters, so that neither cleaning nor tokenizing takes it apart.
pub(crate) fn marker(number: u64) -> String {
    word(PREFIX, number)
}

/// The topic with this number: a word like a marker, and never one.
pub(crate) fn topic(number: u64) -> String {
    word("xv", number)
}

fn word(prefix: &str, mut number: u64) -> String {
    let mut letters = [b'a'; LETTERS];
    for letter in letters.iter_mut().rev() {
        *letter += (number % 26) as u8;
        number /= 26;
    }
    format!("{prefix}{}", String::from_utf8_lossy(&letters))
}

/// All markers in a text, in order, repeated as they are.
pub(crate) fn markers(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_lowercase())
        .filter(|word| word.len() == PREFIX.len() + LETTERS && word.starts_with(PREFIX))
}

/// One sentence; `marker` stands in it as a word.
fn sentence(random: &mut impl Rng, marker: Option<&str>) -> String {
    let mut pick = |words: &[&'static str]| *words.choose(random).unwrap_or(&"thing");
    let (first, verb, second) = (pick(&NOUNS), pick(&VERBS), pick(&NOUNS));
    let (early, late) = (pick(&ADJECTIVES), pick(&ADJECTIVES));
    match marker {
        Some(marker) => format!("The {early} {first} {verb} {marker} and the {late} {second}."),
        None => format!("The {early} {first} {verb} the {late} {second}."),
    }
}

/// A paragraph of `sentences`, the marker in its middle.
pub(crate) fn paragraph(random: &mut impl Rng, marker: &str, sentences: usize) -> String {
    let middle = sentences / 2;
    let line = |number| sentence(random, (number == middle).then_some(marker));
    (0..sentences).map(line).collect::<Vec<_>>().join(" ")
}

/// A function in Rust that bears the marker as its name.
pub(crate) fn function(random: &mut impl Rng, marker: &str, lines: usize) -> String {
    let body: Vec<String> = (0..lines)
        .map(|line| {
            let noun = NOUNS.choose(random).unwrap_or(&"value");
            format!("    let {noun}_{line} = step({}, {line});", random.random_range(0..1000))
        })
        .collect();
    format!("/// {}\npub fn {marker}() {{\n{}\n}}\n", sentence(random, None), body.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    #[test]
    fn markers_differ_and_are_found_again() {
        assert_eq!(marker(0), "zqaaaaaa");
        assert_eq!(marker(27), "zqaaaabb");
        let mut random = StdRng::seed_from_u64(1);
        let text = format!("{}\n{}", paragraph(&mut random, &marker(5), 7), function(&mut random, &marker(6), 3));
        assert_eq!(markers(&text).collect::<Vec<_>>(), ["zqaaaaaf", "zqaaaaag"]);
    }
}
