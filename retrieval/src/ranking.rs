//! Order of what stands: reciprocal rank fusion of the dense and the BM25 list.
//!
//! Source: Cormack, Clarke and Büttcher, *Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning
//! Methods* (SIGIR 2009).
//!
//! Fused here and not at the server: candidates of later rounds take the rank that their own scores give them among
//! the others, chunks that are dropped take none, and equal scores have one order, which at a server differ from run
//! to run.

use std::cmp::Ordering;
use std::collections::HashMap;

use uuid::Uuid;

use crate::hit::Hit;
use crate::rounds::Listed;
use crate::store::Candidate;

/// The paper's constant: how much the first ranks outweigh the later ones.
const K: f32 = 60.0;

/// The best `limit` hits, at most `per_document` of a document, best first.
pub(crate) fn rank(standing: Vec<Listed>, limit: usize, per_document: usize) -> Vec<Hit> {
    let scores = fuse(&standing);
    let mut hits: Vec<Hit> = standing.into_iter().map(|found| hit(found, &scores)).collect();
    hits.sort_unstable_by(best_first);
    let mut shown = HashMap::<Uuid, usize>::new();
    hits.retain(|hit| {
        let of_document = shown.entry(hit.chunk.identity.manifest_id()).or_default();
        *of_document += 1;
        *of_document <= per_document
    });
    hits.truncate(limit);
    hits
}

fn hit(found: Listed, scores: &HashMap<Uuid, f32>) -> Hit {
    let Candidate { id, chunk, .. } = found.candidate;
    let score = scores.get(&id).copied().unwrap_or_default();
    Hit { score, chunk_id: id, position: found.position, revision: found.revision, chunk }
}

fn best_first(a: &Hit, b: &Hit) -> Ordering {
    b.score.total_cmp(&a.score).then_with(|| a.chunk_id.cmp(&b.chunk_id))
}

fn fuse(standing: &[Listed]) -> HashMap<Uuid, f32> {
    let mut scores = HashMap::new();
    for score_of in [|found: &Candidate| found.dense, |found: &Candidate| found.bm25] {
        let mut list: Vec<(Uuid, f32)> =
            standing.iter().filter_map(|found| Some((found.candidate.id, score_of(&found.candidate)?))).collect();
        list.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        for (rank, (id, _)) in list.into_iter().enumerate() {
            *scores.entry(id).or_default() += 1.0 / (K + 1.0 + rank as f32);
        }
    }
    scores
}
