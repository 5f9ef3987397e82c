//! Made-up texts by a seed: the same seed gives the same text on every machine. They mean nothing, but have the lengths, the words and the markup
//! that the pipeline has to work through.

use std::fmt::Write as _;

use rand::RngExt as _;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

/// Plain words, the frequent ones first.
const WORDS: &str = "the of a to and in is that it for on with as are this by be from at or which an not have was were can one all more when \
    their has but each other time into only how some than them its most two also first new way make many after between where because \
    model data vector search index document query token chunk sentence language system server client message queue event stream change \
    database store memory cache thread process network request answer result error failure restart order commit snapshot revision \
    author title platform article post code function module test measure benchmark latency throughput window batch budget limit rate \
    river mountain harbour engine garden winter summer teacher student village market bridge railway letter history music painting \
    quick slow bright quiet simple careful honest narrow heavy gentle early distant common rare perfect broken steady modern ancient \
    write read build keep send receive compare explain follow carry begin finish remember forget decide measure collect repair travel \
    always never often rarely usually slowly finally again together apart inside outside before behind above below without within \
    temperature distribution architecture consideration responsibility observation environment experiment relationship requirement";

/// An endless supply of text.
#[derive(Debug)]
pub struct Text {
    random: StdRng,
    words: Vec<&'static str>,
}

impl Text {
    /// The supply of this seed.
    pub fn new(seed: u64) -> Self {
        Self { random: StdRng::seed_from_u64(seed), words: WORDS.split_whitespace().collect() }
    }

    /// A word, frequent ones more often.
    pub fn word(&mut self) -> &'static str {
        // Squared: the first tenth of the list makes a third of a text, much as in a language.
        let place: f64 = self.random.random();
        self.words[(place * place * self.words.len() as f64) as usize]
    }

    /// So many words.
    pub fn words(&mut self, count: usize) -> String {
        let words: Vec<&str> = (0..count).map(|_| self.word()).collect();
        words.join(" ")
    }

    /// A sentence of 6 to 18 words.
    pub fn sentence(&mut self) -> String {
        let length = self.random.random_range(6..=18);
        let mut sentence = self.words(length);
        sentence[..1].make_ascii_uppercase();
        sentence.push('.');
        sentence
    }

    /// A paragraph of 3 to 7 sentences.
    pub fn paragraph(&mut self) -> String {
        let length = self.random.random_range(3..=7);
        let sentences: Vec<String> = (0..length).map(|_| self.sentence()).collect();
        sentences.join(" ")
    }

    /// Markdown of so many sections, each a heading over one to four paragraphs.
    pub fn article(&mut self, sections: usize) -> String {
        let mut article = String::new();
        for _ in 0..sections {
            let _ = write!(article, "## {}\n\n", self.words(4));
            for _ in 0..self.random.random_range(1..=4) {
                let _ = write!(article, "{}\n\n", self.paragraph());
            }
        }
        article
    }

    /// A source file of so many functions.
    pub fn code(&mut self, functions: usize) -> String {
        let mut code = format!("//! {}\n\nuse std::collections::HashMap;\n\n", self.sentence());
        for _ in 0..functions {
            let (name, given, held) = (self.name(), self.name(), self.name());
            let _ = writeln!(
                code,
                "/// {}\npub fn {name}({given}: &[u64]) -> Option<HashMap<u64, usize>> {{",
                self.sentence()
            );
            let _ = writeln!(code, "    let mut {held} = HashMap::with_capacity({given}.len());");
            for _ in 0..self.random.random_range(2..=8) {
                let (step, factor) = (self.name(), self.random.random_range(2..1000));
                let _ = writeln!(code, "    // {}\n    for {step} in {given}.iter().skip({factor}) {{", self.words(5));
                let _ = writeln!(code, "        *{held}.entry({step} * {factor}).or_insert(0) += 1;\n    }}");
            }
            let _ = writeln!(code, "    ({held}.len() > {}).then_some({held})\n}}\n", self.random.random_range(1..100));
        }
        code
    }

    /// A number below `bound`, each as often.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.random.random_range(0..bound)
    }

    fn name(&mut self) -> String {
        format!("{}_{}", self.word(), self.word())
    }

    /// A vector of length 1 in a random direction.
    pub fn vector(&mut self, dimension: usize) -> Vec<f32> {
        // The sum of a few uniform numbers is near enough to normal for a direction.
        let near_normal = |random: &mut StdRng| (0..4).map(|_| random.random::<f32>() - 0.5).sum::<f32>();
        let vector: Vec<f32> = (0..dimension).map(|_| near_normal(&mut self.random)).collect();
        let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
        vector.into_iter().map(|number| number / length).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_its_text_again_and_another_seed_another() {
        let article = |seed| Text::new(seed).article(3);
        assert_eq!(article(1), article(1));
        assert_ne!(article(1), article(2));
    }

    #[test]
    fn vectors_have_length_one() {
        let vector = Text::new(1).vector(384);
        assert!((vector.iter().map(|number| number * number).sum::<f32>() - 1.0).abs() < 1e-4);
    }
}
