//! The search: candidates, manifests, ranking, and again where that leaves a gap; then, where it is asked for, a reranker.

use crate::error::SearchError;
use crate::hit::Hit;
use crate::ranking::{Wanted, fuse, shown};
use crate::reranker::Reranking;
use crate::rounds::Rounds;
use crate::store::{Answer, Question, Scope, Store};

/// Candidates from each list to begin with, for each hit wanted …
const CANDIDATES_PER_HIT: usize = 4;
/// … and at least. Fusion gains from lists that are longer than the answer.
const LEAST_CANDIDATES: usize = 64;
/// Questions to the whole index. Each leaves out the documents that have shown enough, and takes twice as many.
const MOST_QUESTIONS: u32 = 4;

/// The best hits, best first: as many as wanted, each document in exactly one revision. Where the cap or dropped candidates leave room, the index is asked for more.
///
/// # Errors
/// As the store, and as the reranker.
pub async fn search<S: Store>(
    store: &S,
    wanted: &Wanted,
    reranking: Option<Reranking<'_>>,
) -> Result<Vec<Hit>, SearchError> {
    let hits = gather(store, wanted).await?;
    match reranking {
        Some(reranking) => Ok(reranking.rank(hits, wanted).await?),
        None => Ok(shown(hits, wanted)),
    }
}

/// All that was found and stands, best first: enough for what is wanted, or all that there is.
async fn gather<S: Store>(store: &S, wanted: &Wanted) -> Result<Vec<Hit>, SearchError> {
    let limit = wanted.limit;
    let mut rounds = Rounds::new(wanted.per_document);
    let mut width = limit.saturating_mul(CANDIDATES_PER_HIT).max(LEAST_CANDIDATES);
    for _ in 0..MOST_QUESTIONS {
        let scope = Scope::Everywhere { except: rounds.settled() };
        let answer = ask_one(store, Question { scope, limit: width }).await?;
        rounds.take(answer.candidates);
        judge_all(store, &mut rounds).await?;
        if rounds.count_shown() >= limit || !answer.cut {
            break;
        }
        width = width.saturating_mul(2);
    }
    Ok(fuse(rounds.standing(), wanted))
}

/// One read of all open manifests decides; documents that it leaves without a hit are asked again, until all are judged.
async fn judge_all<S: Store>(store: &S, rounds: &mut Rounds) -> Result<(), SearchError> {
    loop {
        let open = rounds.open();
        if open.is_empty() {
            return Ok(());
        }
        let manifests = store.manifests(&open).await?;
        let (documents, questions): (Vec<_>, Vec<_>) = rounds.judge(manifests).into_iter().unzip();
        if questions.is_empty() {
            return Ok(());
        }
        for (document, answer) in documents.into_iter().zip(store.candidates(&questions).await?) {
            rounds.refill(document, answer.candidates);
        }
    }
}

async fn ask_one<S: Store>(store: &S, question: Question) -> Result<Answer, SearchError> {
    Ok(store.candidates(&[question]).await?.into_iter().next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::collections::HashMap;

    use futures_util::FutureExt;
    use shared::Revision;
    use uuid::Uuid;

    use super::*;
    use crate::store::{Candidate, Listing};
    use crate::testing::{chunk, chunk_id, identity};

    /// An index that does not change. The earlier a chunk stands, the better it matches.
    #[derive(Default)]
    struct Shelf {
        chunks: Vec<Candidate>,
        manifests: HashMap<Uuid, Listing>,
        questions: Cell<usize>,
        reads: Cell<usize>,
    }

    impl Shelf {
        /// Puts chunks `0..chunks` of a document behind the others; its manifest lists `listed`.
        fn put(&mut self, entry_id: &str, chunks: usize, listed: &[usize]) {
            let id = |at| chunk_id(entry_id, at);
            for at in 0..chunks {
                let dense = Some(1.0 - self.chunks.len() as f32 / 10_000.0);
                self.chunks.push(Candidate { id: id(at), chunk: chunk(entry_id, &at.to_string()), dense, bm25: None });
            }
            let chunk_ids = listed.iter().copied().map(id).collect();
            let listing = Listing { revision: Revision::from(7), deleted: false, chunk_ids };
            self.manifests.insert(identity(entry_id).manifest_id(), listing);
        }

        fn search(&self, limit: usize, per_document: usize) -> Vec<String> {
            let hits = search(self, &Wanted::new(limit, per_document), None)
                .now_or_never()
                .expect("a shelf answers at once")
                .unwrap();
            assert!(hits.is_sorted_by(|a, b| a.score >= b.score));
            hits.into_iter().map(|hit| format!("{}{}", hit.chunk.identity.entry_id, hit.chunk.text)).collect()
        }
    }

    impl Store for Shelf {
        async fn candidates(&self, questions: &[Question]) -> Result<Vec<Answer>, SearchError> {
            self.questions.set(self.questions.get() + 1);
            let answer = |question: &Question| {
                let within = |found: &&Candidate| match &question.scope {
                    Scope::Everywhere { except } => !except.contains(&found.chunk.identity),
                    Scope::Within(ids) => ids.contains(&found.id),
                };
                let found: Vec<Candidate> = self.chunks.iter().filter(within).take(question.limit).cloned().collect();
                Answer { cut: found.len() == question.limit, candidates: found }
            };
            Ok(std::future::ready(questions.iter().map(answer).collect()).await)
        }

        async fn manifests(&self, documents: &[Uuid]) -> Result<HashMap<Uuid, Listing>, SearchError> {
            self.reads.set(self.reads.get() + 1);
            let read = |id: &Uuid| Some((*id, self.manifests.get(id)?.clone()));
            Ok(std::future::ready(documents.iter().filter_map(read).collect()).await)
        }
    }

    #[test]
    fn the_best_come_first_and_no_document_has_more_than_its_share() {
        let mut shelf = Shelf::default();
        shelf.put("a", 3, &[0, 1, 2]);
        shelf.put("b", 1, &[0]);
        assert_eq!(shelf.search(10, 2), ["a0", "a1", "b0"]);
        assert_eq!(shelf.search(2, 1), ["a0", "b0"]);
        assert_eq!(shelf.search(1, 2), ["a0"]);
    }

    #[test]
    fn unlisted_chunks_take_no_place_in_the_ranking() {
        let mut shelf = Shelf::default();
        shelf.put("a", 3, &[2]);
        shelf.put("b", 1, &[0]);
        assert_eq!(shelf.search(10, 2), ["a2", "b0"]);
    }

    #[test]
    fn a_chunk_without_a_manifest_is_dropped() {
        let mut shelf = Shelf::default();
        shelf.put("a", 1, &[0]);
        shelf.put("b", 1, &[0]);
        shelf.manifests.remove(&identity("a").manifest_id());
        assert_eq!(shelf.search(10, 2), ["b0"]);
    }

    #[test]
    fn a_document_whose_hits_are_stale_is_asked_again() {
        let mut shelf = Shelf::default();
        shelf.put("a", 500, &[499]);
        shelf.put("b", 1, &[0]);
        assert_eq!(shelf.search(10, 2), ["a499", "b0"]);
    }

    #[test]
    fn one_document_that_fills_the_lists_hides_no_other() {
        let mut shelf = Shelf::default();
        shelf.put("a", 1_000, &(0..1_000).collect::<Vec<_>>());
        shelf.put("b", 1_000, &(0..1_000).collect::<Vec<_>>());
        shelf.put("c", 1, &[0]);
        assert_eq!(shelf.search(10, 2), ["a0", "a1", "b0", "b1", "c0"]);
        assert!(shelf.questions.get() <= MOST_QUESTIONS as usize);
    }

    #[test]
    fn one_question_and_one_read_of_manifests_are_enough_where_nothing_was_dropped() {
        let mut shelf = Shelf::default();
        (0..100).for_each(|n| shelf.put(&n.to_string(), 1, &[0]));
        assert_eq!(shelf.search(10, 2).len(), 10);
        assert_eq!((shelf.questions.get(), shelf.reads.get()), (1, 1));
    }
}
