//! A second look at the best of what stands, by something slower and better than the lists.

use std::path::PathBuf;
use std::pin::Pin;

use shared::embedding::ModelError;

use crate::hit::{Hit, Place};
use crate::ranking::{Shares, Wanted, best_first, count_shown, shown};

/// Hits that are looked at together. Where documents that have had their share leave room in the answer, so many again.
const DEPTH: usize = 50;

/// Scores in the making.
pub type Scoring<'a> = Pin<Box<dyn Future<Output = Result<Vec<f32>, RerankError>> + Send + 'a>>;

/// Reads query and passage together, which the lists never do.
pub trait Reranker: Send + Sync {
    /// How well each passage answers the query, in their order, from 0 to 1.
    fn scores<'a>(&'a self, query: &'a str, passages: Vec<String>) -> Scoring<'a>;
}

/// Scores that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum RerankError {
    /// ONNX Runtime cannot be loaded.
    #[error(transparent)]
    Runtime(ModelError),
    /// A file of the model cannot be read.
    #[error("RERANK_MODEL_DIR: {path}: {problem}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// What is in the folder scores nothing.
    #[error("RERANK_MODEL_DIR: {dir} holds no cross-encoder: {problem}")]
    NoCrossEncoder {
        /// The folder.
        dir: PathBuf,
        /// As ONNX Runtime says.
        problem: String,
    },
    /// The model refused these passages.
    #[error("reranking failed: {0}")]
    Failed(String),
    /// The thread is gone.
    #[error("the reranking thread has ended")]
    Ended,
}

/// Whose second look, and for which words.
#[derive(Clone, Copy)]
pub struct Reranking<'a> {
    /// What was looked for.
    pub text: &'a str,
    /// Who looks.
    pub by: &'a dyn Reranker,
}

impl Reranking<'_> {
    /// What is shown of `hits` (best first) once the best have been looked at. Nothing is shown that has not been.
    pub(crate) async fn rank(&self, hits: Vec<Hit>, wanted: &Wanted) -> Result<Vec<Hit>, RerankError> {
        let mut waiting: Vec<Hit> = (1..).zip(hits).map(placed).collect();
        let (mut read, mut shares) = (Vec::new(), Shares::new(wanted));
        while !waiting.is_empty() && count_shown(&read, wanted) < wanted.limit {
            let rest = waiting.split_off(waiting.len().min(DEPTH));
            let mut next = std::mem::replace(&mut waiting, rest);
            let scores = self.by.scores(self.text, next.iter().map(passage).collect()).await?;
            if scores.len() != next.len() || scores.iter().any(|score| !score.is_finite()) {
                return Err(RerankError::Failed(format!(
                    "{} scores, or no numbers, for {} passages",
                    scores.len(),
                    next.len()
                )));
            }
            for (hit, score) in next.iter_mut().zip(scores) {
                hit.score = score * wanted.preference(hit);
                shares.take(hit);
            }
            read.append(&mut next);
            waiting.retain(|hit| shares.has_room(hit));
        }
        read.sort_unstable_by(best_first);
        Ok(shown(read, wanted))
    }
}

fn placed((rank, mut hit): (usize, Hit)) -> Hit {
    hit.found.fused = Some(Place { rank, score: hit.score });
    hit
}

/// What is read of a hit: where it is from, then its text.
fn passage(hit: &Hit) -> String {
    let chunk = &hit.chunk;
    let parts = [&chunk.metadata.title, &chunk.path, &chunk.symbol, &Some(chunk.text.clone())];
    parts.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures_util::FutureExt;

    use super::*;
    use crate::testing::hit;

    /// Finds long passages good, and remembers how many it was given at once.
    #[derive(Default)]
    struct LikesLength(Mutex<Vec<usize>>);

    impl Reranker for LikesLength {
        fn scores<'a>(&'a self, _: &'a str, passages: Vec<String>) -> Scoring<'a> {
            self.0.lock().unwrap().push(passages.len());
            Box::pin(std::future::ready(Ok(passages.iter().map(|text| text.len() as f32 / 1_000.0).collect())))
        }
    }

    impl LikesLength {
        fn rank(&self, hits: Vec<Hit>, wanted: &Wanted) -> Vec<Hit> {
            let reranking = Reranking { text: "", by: self };
            reranking.rank(hits, wanted).now_or_never().expect("it answers at once").unwrap()
        }
    }

    /// A score for the first passage alone, or one that is no number.
    struct Broken(f32, usize);

    impl Reranker for Broken {
        fn scores<'a>(&'a self, _: &'a str, _: Vec<String>) -> Scoring<'a> {
            Box::pin(std::future::ready(Ok(vec![self.0; self.1])))
        }
    }

    #[test]
    fn scores_that_are_missing_or_no_numbers_are_an_error() {
        for broken in [Broken(0.5, 1), Broken(f32::NAN, 2)] {
            let hits = vec![hit("a", 0, "one"), hit("b", 0, "two")];
            let reranking = Reranking { text: "", by: &broken };
            let ranked = reranking.rank(hits, &Wanted::new(2, 1)).now_or_never().expect("it answers at once");
            assert!(matches!(ranked, Err(RerankError::Failed(_))), "{ranked:?}");
        }
    }

    fn names(hits: &[Hit]) -> Vec<String> {
        hits.iter().map(|hit| format!("{}{}", hit.chunk.identity.entry_id, hit.position)).collect()
    }

    #[test]
    fn a_second_look_comes_before_each_document_gets_its_share() {
        let hits = vec![hit("a", 0, "short"), hit("a", 1, "a longer text"), hit("b", 0, "a text")];
        let shown = LikesLength::default().rank(hits, &Wanted::new(2, 1));
        assert_eq!(names(&shown), ["a1", "b0"]);
        assert_eq!(shown[0].found.fused.map(|place| place.rank), Some(2));
        assert_eq!(shown[0].score, 0.013);
    }

    #[test]
    fn only_the_best_are_looked_at() {
        let reranker = LikesLength::default();
        let hits: Vec<Hit> = (0..200).map(|n| hit(&n.to_string(), 0, &"text ".repeat(n + 1))).collect();
        let shown = reranker.rank(hits, &Wanted::new(10, 2));
        assert_eq!(names(&shown)[0], format!("{}0", DEPTH - 1));
        assert_eq!(*reranker.0.lock().unwrap(), [DEPTH]);
    }

    #[test]
    fn one_document_that_fills_the_best_hides_no_other() {
        let reranker = LikesLength::default();
        let mut hits: Vec<Hit> = (0..120).map(|n| hit("a", n, "text")).collect();
        hits.push(hit("b", 0, "a longer text"));
        let shown = reranker.rank(hits, &Wanted::new(3, 1));
        let of: Vec<&str> = shown.iter().map(|hit| hit.chunk.identity.entry_id.as_str()).collect();
        assert_eq!(of, ["b", "a"]);
        assert_eq!(*reranker.0.lock().unwrap(), [DEPTH, 1]);
    }
}
