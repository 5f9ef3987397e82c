//! Order of what stands: the dense and the BM25 list made one, and what of it is shown.
//!
//! Fused here and not at the server: candidates of later rounds take the place that their own scores give them among
//! the others, chunks that are dropped take none, and equal scores have one order, which at a server differ from run
//! to run.

use std::cmp::Ordering;
use std::collections::HashMap;

use shared::Identity;
use uuid::Uuid;

use crate::hit::{Found, Hit, Place};
use crate::preferences::Preferences;
use crate::rounds::Listed;
use crate::store::Candidate;

/// What a search is to show.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// Hits in all.
    pub limit: usize,
    /// Hits of one document.
    pub per_document: usize,
    /// How the lists are made one.
    pub ranking: Ranking,
    /// What is rather shown.
    pub preferences: Preferences,
    /// The time that ages count from, in seconds of Unix time.
    pub now: i64,
}

impl Wanted {
    /// So many hits, without preferences.
    pub fn new(limit: usize, per_document: usize) -> Self {
        let (ranking, preferences) = (Ranking::default(), Preferences::default());
        Self { limit, per_document, ranking, preferences, now: 0 }
    }

    /// What the hit's score is multiplied by.
    pub(crate) fn preference(&self, hit: &Hit) -> f32 {
        self.preferences.factor(&hit.chunk.metadata, self.now - hit.revision.seconds())
    }
}

/// How the lists are made one. What was tried: `docs/quality.md`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ranking {
    /// How scores of two lists become one.
    pub fusion: Fusion,
    /// What the second best chunk of a document adds to its best one, as a share of its score; the third adds the share of
    /// the share, and so on. A document that speaks of something throughout is a better answer than one that does once.
    pub support: f32,
}

/// How scores of two lists become one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fusion {
    /// By places. Cormack, Clarke and Büttcher, *Reciprocal Rank Fusion outperforms Condorcet and individual Rank
    /// Learning Methods* (SIGIR 2009).
    Places {
        /// How little the first places outweigh the later ones; 60 there.
        k: f32,
        /// Weight of the dense list; BM25 has the rest to 1.
        dense: f32,
    },
    /// By scores, each list's as a share of the way from its least to its best. Bruch, Gai and Ingber, *An Analysis of Fusion
    /// Functions for Hybrid Retrieval* (TOIS 2023).
    Scores {
        /// Weight of the dense list; BM25 has the rest to 1.
        dense: f32,
    },
}

impl Default for Ranking {
    fn default() -> Self {
        Self { fusion: Fusion::Scores { dense: 0.4 }, support: 0.2 }
    }
}

/// All that stands, best first, by both lists.
pub(crate) fn fuse(standing: Vec<Listed>, wanted: &Wanted) -> Vec<Hit> {
    let ranking = wanted.ranking;
    let dense = List::of(&standing, |found| found.dense);
    let bm25 = List::of(&standing, |found| found.bm25).down_to_nothing(&dense);
    let mut hits: Vec<Hit> = standing.into_iter().map(|found| hit(found, &dense, &bm25, ranking.fusion)).collect();
    hits.sort_unstable_by(best_first);
    support(&mut hits, ranking.support);
    hits.iter_mut().for_each(|hit| hit.score *= wanted.preference(hit));
    hits.sort_unstable_by(best_first);
    hits
}

/// What is shown of `hits`, which come best first.
pub(crate) fn shown(mut hits: Vec<Hit>, wanted: &Wanted) -> Vec<Hit> {
    let mut shares = Shares::new(wanted);
    hits.retain(|hit| shares.take(hit));
    hits.truncate(wanted.limit);
    hits
}

/// How many of `hits` would be shown.
pub(crate) fn count_shown(hits: &[Hit], wanted: &Wanted) -> usize {
    let mut shares = Shares::new(wanted);
    hits.iter().filter(|hit| shares.take(hit)).take(wanted.limit).count()
}

/// What each document has been given of the answer.
pub(crate) struct Shares {
    per_document: usize,
    taken: HashMap<Identity, usize>,
}

impl Shares {
    pub(crate) fn new(wanted: &Wanted) -> Self {
        Self { per_document: wanted.per_document, taken: HashMap::new() }
    }

    /// Whether there is room for another hit of its document, which is taken.
    pub(crate) fn take(&mut self, hit: &Hit) -> bool {
        let taken = self.taken.entry(hit.chunk.identity.clone()).or_default();
        *taken += 1;
        *taken <= self.per_document
    }

    /// Whether there is room for another hit of its document.
    pub(crate) fn has_room(&self, hit: &Hit) -> bool {
        self.taken.get(&hit.chunk.identity).is_none_or(|taken| *taken < self.per_document)
    }
}

/// What one list says of the candidates.
struct List {
    places: HashMap<Uuid, Place>,
    least: f32,
    best: f32,
}

impl List {
    fn of(standing: &[Listed], score_of: impl Fn(&Candidate) -> Option<f32>) -> Self {
        let scored = |found: &Listed| Some((found.candidate.id, score_of(&found.candidate)?));
        let mut scores: Vec<(Uuid, f32)> = standing.iter().filter_map(scored).collect();
        scores.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let (best, least) = (scores.first().map_or(0.0, |best| best.1), scores.last().map_or(0.0, |last| last.1));
        let places = (1..).zip(scores).map(|(rank, (id, score))| (id, Place { rank, score })).collect();
        Self { places, least, best }
    }

    /// BM25 lists what has one of the words, dense the nearest of all. Where the first is much shorter it was not cut off:
    /// what it does not list has a score of 0, and its last hit has more than that.
    fn down_to_nothing(self, dense: &Self) -> Self {
        let is_whole = self.places.len() * 2 < dense.places.len();
        Self { least: if is_whole { 0.0 } else { self.least }, ..self }
    }

    /// From 0 to 1. Where all are equal, all are best.
    fn share(&self, place: Place) -> f32 {
        if self.best > self.least { (place.score - self.least) / (self.best - self.least) } else { 1.0 }
    }
}

impl Fusion {
    fn score(self, list: &List, place: Place) -> f32 {
        match self {
            Self::Places { k, .. } => 1.0 / (k + place.rank as f32),
            Self::Scores { .. } => list.share(place),
        }
    }

    fn dense_weight(self) -> f32 {
        match self {
            Self::Places { dense, .. } | Self::Scores { dense } => dense,
        }
    }
}

fn hit(listed: Listed, dense: &List, bm25: &List, fusion: Fusion) -> Hit {
    let Candidate { id, chunk, .. } = listed.candidate;
    let found = Found { dense: dense.places.get(&id).copied(), bm25: bm25.places.get(&id).copied(), fused: None };
    let weight = fusion.dense_weight();
    let of = |list, place: Option<Place>, weight| place.map_or(0.0, |place| weight * fusion.score(list, place));
    let score = of(dense, found.dense, weight) + of(bm25, found.bm25, 1.0 - weight);
    let (before, after) = (Vec::new(), Vec::new());
    Hit { score, found, chunk_id: id, position: listed.position, revision: listed.revision, chunk, before, after }
}

/// Adds to each document's best hit what its others say. `hits` come best first.
fn support(hits: &mut [Hit], share: f32) {
    let mut best = HashMap::<Identity, (usize, f32)>::new();
    for at in 0..hits.len() {
        let score = hits[at].score;
        let document = &hits[at].chunk.identity;
        match best.get_mut(document) {
            None => drop(best.insert(document.clone(), (at, share))),
            Some((first, weight)) => {
                hits[*first].score += *weight * score;
                *weight *= share;
            }
        }
    }
}

/// Equal scores have one order.
pub(crate) fn best_first(a: &Hit, b: &Hit) -> Ordering {
    b.score.total_cmp(&a.score).then_with(|| a.chunk_id.cmp(&b.chunk_id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{chunk, chunk_id};
    use shared::Revision;

    /// A rare word: the last of the few that have it is ahead of whatever is merely near.
    #[test]
    fn the_last_of_a_short_list_is_worth_more_than_nothing() {
        let near = |number: usize| listed("near", number, Some(0.9 - 0.01 * number as f32), None);
        let mut standing: Vec<Listed> = (0..10).map(near).collect();
        standing.push(listed("first", 0, Some(0.1), Some(8.1)));
        standing.push(listed("second", 0, Some(0.1), Some(8.0)));
        let hits = rank(standing, &Wanted::new(2, 1));
        let shown: Vec<_> = hits.iter().map(|hit| hit.chunk.identity.entry_id.as_str()).collect();
        assert_eq!(shown, ["first", "second"]);
    }

    fn rank(standing: Vec<Listed>, wanted: &Wanted) -> Vec<Hit> {
        shown(fuse(standing, wanted), wanted)
    }

    fn listed(entry_id: &str, number: usize, dense: Option<f32>, bm25: Option<f32>) -> Listed {
        let candidate = Candidate { id: chunk_id(entry_id, number), chunk: chunk(entry_id, ""), dense, bm25 };
        Listed { candidate, revision: Revision::from(1), position: number }
    }

    fn ranked(standing: &[Listed], ranking: Ranking) -> Vec<Hit> {
        rank(standing.to_vec(), &Wanted { ranking, ..Wanted::new(10, 1) })
    }

    fn order(standing: &[Listed], ranking: Ranking) -> Vec<String> {
        let hits = ranked(standing, ranking);
        hits.into_iter().map(|hit| hit.chunk.identity.entry_id).collect()
    }

    const ALONE: Ranking = Ranking { fusion: Fusion::Scores { dense: 0.5 }, support: 0.0 };

    #[test]
    fn what_both_lists_find_comes_before_what_one_finds() {
        let standing = [
            listed("dense only", 0, Some(0.8), None),
            listed("both", 0, Some(0.7), Some(9.0)),
            listed("bm25 only", 0, None, Some(10.0)),
            listed("neither", 0, Some(0.2), Some(1.0)),
        ];
        for fusion in [Fusion::Scores { dense: 0.5 }, Fusion::Places { k: 60.0, dense: 0.5 }] {
            assert_eq!(order(&standing, Ranking { fusion, ..ALONE })[0], "both", "{fusion:?}");
        }
    }

    #[test]
    fn a_hit_says_where_the_lists_had_it() {
        let standing = [listed("a", 0, Some(0.8), None), listed("b", 0, Some(0.7), Some(9.0))];
        let hits = ranked(&standing, ALONE);
        let b = hits.iter().find(|hit| hit.chunk.identity.entry_id == "b").unwrap();
        assert_eq!(b.found.dense, Some(Place { rank: 2, score: 0.7 }));
        assert_eq!(b.found.bm25, Some(Place { rank: 1, score: 9.0 }));
    }

    #[test]
    fn a_document_that_matches_throughout_comes_before_one_that_does_once() {
        let standing = [
            listed("once", 0, Some(0.81), None),
            listed("throughout", 0, Some(0.80), None),
            listed("throughout", 1, Some(0.79), None),
            listed("other", 0, Some(0.1), None),
        ];
        assert_eq!(order(&standing, ALONE)[0], "once");
        assert_eq!(order(&standing, Ranking { support: 0.1, ..ALONE })[0], "throughout");
    }

    #[test]
    fn a_preferred_platform_comes_first_where_scores_are_near() {
        let mut standing =
            [listed("a", 0, Some(0.81), None), listed("b", 0, Some(0.8), None), listed("c", 0, Some(0.1), None)];
        standing[1].candidate.chunk.metadata.platform = Some("medium".into());
        standing[2].candidate.chunk.metadata.platform = Some("medium".into());
        let preferences = Preferences { platforms: vec!["medium=1.5".parse().unwrap()], fresh_days: None };
        let wanted = Wanted { preferences, ranking: ALONE, ..Wanted::new(10, 1) };
        let hits = rank(standing.to_vec(), &wanted);
        let order: Vec<&str> = hits.iter().map(|hit| hit.chunk.identity.entry_id.as_str()).collect();
        assert_eq!(order, ["b", "a", "c"]);
    }

    #[test]
    fn equal_scores_have_one_order_and_a_lone_hit_has_a_score() {
        let standing = [listed("a", 0, Some(0.5), None), listed("b", 0, Some(0.5), None)];
        let reversed: Vec<Listed> = standing.iter().rev().cloned().collect();
        assert_eq!(order(&standing, ALONE), order(&reversed, ALONE));
        assert!(ranked(&standing[..1], ALONE)[0].score > 0.0);
    }
}
