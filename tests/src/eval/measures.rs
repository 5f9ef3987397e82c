//! Measures of a ranking, and how sure they are.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// What is measured, in this order.
pub const MEASURES: [&str; 5] = ["recall@1", "recall@5", "recall@10", "MRR@10", "nDCG@10"];

/// Resamples for an interval.
const RESAMPLES: usize = 2_000;
const DEPTH: usize = 10;

/// The measures of one question.
pub type Outcome = [f64; MEASURES.len()];

/// The mean of a measure, and between what it lies in 95 of 100 resamples of the questions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// The mean.
    pub mean: f64,
    /// The interval's lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// The measures of what was found, best first: whether each is one of the `relevant` that are wanted.
pub fn outcome(found: &[bool], relevant: usize) -> Outcome {
    let hits: Vec<usize> = (1..=DEPTH).zip(found).filter(|(_, wanted)| **wanted).map(|(rank, _)| rank).collect();
    let recall = |depth: usize| hits.iter().filter(|rank| **rank <= depth).count() as f64 / relevant as f64;
    let gain = |rank: usize| 1.0 / ((rank + 1) as f64).log2();
    let ideal: f64 = (1..=relevant.min(DEPTH)).map(gain).sum();
    let reciprocal = hits.first().map_or(0.0, |rank| 1.0 / *rank as f64);
    let gained: f64 = hits.iter().map(|rank| gain(*rank)).sum();
    [recall(1), recall(5), recall(10), reciprocal, gained / ideal]
}

/// Means over the questions, with 95% bootstrap intervals (percentile method); always the same for the same outcomes.
pub fn measure(outcomes: &[Outcome]) -> [Measured; MEASURES.len()] {
    let mut random = StdRng::seed_from_u64(1);
    let mut resampled: [Vec<f64>; MEASURES.len()] = Default::default();
    for _ in 0..RESAMPLES {
        let sample: Vec<&Outcome> =
            outcomes.iter().map(|_| &outcomes[random.random_range(0..outcomes.len())]).collect();
        for (measure, means) in resampled.iter_mut().enumerate() {
            means.push(mean(&sample, measure));
        }
    }
    let all: Vec<&Outcome> = outcomes.iter().collect();
    std::array::from_fn(|measure| {
        let means = &mut resampled[measure];
        means.sort_unstable_by(f64::total_cmp);
        Measured { mean: mean(&all, measure), low: means[RESAMPLES / 40], high: means[RESAMPLES - 1 - RESAMPLES / 40] }
    })
}

fn mean(outcomes: &[&Outcome], measure: usize) -> f64 {
    outcomes.iter().map(|outcome| outcome[measure]).sum::<f64>() / outcomes.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of what was found, `+` is wanted.
    fn found(marks: &str) -> Vec<bool> {
        marks.chars().map(|mark| mark == '+').collect()
    }

    #[test]
    fn the_best_ranking_has_one_everywhere_and_none_has_nothing() {
        assert_eq!(outcome(&found("+--"), 1), [1.0; 5]);
        assert_eq!(outcome(&found("---"), 1), [0.0; 5]);
    }

    #[test]
    fn a_later_place_counts_less() {
        let [at_1, at_5, at_10, reciprocal, ndcg] = outcome(&found("--+"), 1);
        assert_eq!((at_1, at_5, at_10), (0.0, 1.0, 1.0));
        assert!((reciprocal - 1.0 / 3.0).abs() < 1e-9 && (ndcg - 0.5).abs() < 1e-9);
        let [_, _, at_10, _, ndcg] = outcome(&found("++----------+"), 3);
        assert!((at_10 - 2.0 / 3.0).abs() < 1e-9 && ndcg < 0.8, "what comes after the tenth does not count");
    }

    #[test]
    fn the_interval_holds_the_mean_and_shrinks_with_more_questions() {
        let half = |questions: usize| measure(&(0..questions).map(|at| [(at % 2) as f64; 5]).collect::<Vec<_>>())[0];
        let (few, many) = (half(20), half(2_000));
        assert!(few.low < few.mean && few.mean < few.high);
        assert!(many.high - many.low < (few.high - few.low) / 5.0);
    }
}
