//! What was compared. The first is what the programs do; each other differs from it in what its name says.

use retrieval::{Fusion, Ranking};
use shared::sparse::Weighting;

/// One choice of everything that can be chosen.
#[derive(Debug, Clone)]
pub struct Trial {
    /// What is different about it.
    pub name: String,
    /// Tokens of a chunk; the model's own limit, where none is given.
    pub tokens: Option<usize>,
    /// Whether what stands over a chunk is embedded with it.
    pub heading: bool,
    /// Of words.
    pub weighting: Weighting,
    /// Of the lists.
    pub ranking: Ranking,
}

impl Trial {
    /// As the programs do it.
    pub fn chosen() -> Self {
        let (weighting, ranking) = (Weighting::default(), Ranking::default());
        Self { name: "as chosen".into(), tokens: None, heading: true, weighting, ranking }
    }

    fn named(&self, name: impl Into<String>, change: impl FnOnce(&mut Self)) -> Self {
        let mut trial = Self { name: name.into(), ..self.clone() };
        change(&mut trial);
        trial
    }
}

/// The choices to compare.
pub fn trials() -> Vec<Trial> {
    let chosen = Trial::chosen();
    let mut trials = vec![chosen.clone()];
    for tokens in [96, 128, 192] {
        trials.push(chosen.named(format!("chunks of {tokens} tokens"), |trial| trial.tokens = Some(tokens)));
    }
    trials.push(chosen.named("title and headings not embedded", |trial| trial.heading = false));
    for weight in [0.0, 0.5, 2.0, 3.0] {
        let name = format!("words of title and headings × {weight}");
        trials.push(chosen.named(name, |trial| trial.weighting.heading = weight));
    }
    for weight in [0.0, 0.5, 2.0] {
        trials.push(chosen.named(format!("words of the link × {weight}"), |trial| trial.weighting.link = weight));
    }
    for k1 in [0.9, 1.5, 2.0] {
        trials.push(chosen.named(format!("k1 = {k1}"), |trial| trial.weighting.k1 = k1));
    }
    for b in [0.4, 0.6, 0.9] {
        trials.push(chosen.named(format!("b = {b}"), |trial| trial.weighting.b = b));
    }
    for length in [40.0, 100.0, 140.0] {
        let name = format!("average length {length}");
        trials.push(chosen.named(name, |trial| trial.weighting.average_length = length));
    }
    for dense in [0.2, 0.3, 0.5, 0.6] {
        let name = format!("scores, dense weighs {dense}");
        trials.push(chosen.named(name, |trial| trial.ranking.fusion = Fusion::Scores { dense }));
    }
    for (k, dense) in [(60.0, 0.5), (20.0, 0.5), (60.0, 0.3), (20.0, 0.3), (5.0, 0.3)] {
        let name = format!("places, k = {k}, dense weighs {dense}");
        trials.push(chosen.named(name, |trial| trial.ranking.fusion = Fusion::Places { k, dense }));
    }
    for support in [0.0, 0.1, 0.3] {
        trials.push(chosen.named(format!("support {support}"), |trial| trial.ranking.support = support));
    }
    trials
}
