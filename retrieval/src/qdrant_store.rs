//! The index on a Qdrant server, as one search sees it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use qdrant_client::Qdrant;
use qdrant_client::qdrant::{
    Condition, Filter, GetPointsBuilder, PayloadIncludeSelector, PointId, QueryBatchPointsBuilder, QueryPoints,
    QueryPointsBuilder, RetrievedPoint, ScoredPoint,
};
use qdrant_client::{Payload, qdrant};
use shared::index::{BM25, DENSE, GRACE, Index, uuid_of};
use shared::sparse::SparseVector;
use shared::{ChunkPayload, Record};
use uuid::Uuid;

use crate::error::SearchError;
use crate::filter::in_scope;
use crate::store::{Answer, Candidate, Listing, Question, Scope, Store};

/// A query that takes longer may fall between two revisions of a document, a new chunk's place passed before it came
/// and an old one's after it went, and find nothing of it: it is put again. See [`GRACE`]; the rest of it is for the
/// way to the server and back, and for the consumer's clock.
const LONGEST_QUERY: Duration = GRACE.saturating_sub(Duration::from_millis(500));

/// Times that a query is put; what the last one says counts, however long it took.
const MOST_ATTEMPTS: u32 = 3;

/// One search's view: the real names of one pair of collections, resolved once, the query's vectors and filter.
pub(crate) struct QdrantStore<'a> {
    pub(crate) qdrant: &'a Qdrant,
    pub(crate) index: Index,
    pub(crate) dense: Vec<f32>,
    pub(crate) bm25: SparseVector,
    pub(crate) filter: Filter,
    /// How the paths of its chunks begin.
    pub(crate) path: Option<String>,
    /// What came that is of other paths: it is not asked for again.
    pub(crate) elsewhere: Mutex<Vec<Uuid>>,
}

impl Store for QdrantStore<'_> {
    async fn candidates(&self, questions: &[Question]) -> Result<Vec<Answer>, SearchError> {
        let everywhere = questions.iter().any(|question| matches!(question.scope, Scope::Everywhere { .. }));
        for _ in 1..MOST_ATTEMPTS {
            let begun = Instant::now();
            let answers = self.ask(questions).await?;
            // Questions within a document mend a gap by themselves: its manifest is read again.
            if begun.elapsed() < LONGEST_QUERY || !everywhere {
                return Ok(answers);
            }
            tracing::debug!(elapsed = ?begun.elapsed(), "query outlasted the grace; putting it again");
        }
        let begun = Instant::now();
        let answers = self.ask(questions).await?;
        if begun.elapsed() >= LONGEST_QUERY {
            tracing::warn!(elapsed = ?begun.elapsed(), "qdrant is slow; a document that is changing may be missing");
        }
        Ok(answers)
    }

    async fn manifests(&self, documents: &[Uuid]) -> Result<HashMap<Uuid, Listing>, SearchError> {
        listings(self.qdrant, &self.index, documents).await
    }
}

/// What the manifests of these documents list; those that there are.
pub(crate) async fn listings(
    qdrant: &Qdrant,
    index: &Index,
    documents: &[Uuid],
) -> Result<HashMap<Uuid, Listing>, SearchError> {
    let fields = ["revision", "deleted", "chunk_ids"].map(String::from).to_vec();
    let ids: Vec<PointId> = documents.iter().map(|id| PointId::from(*id)).collect();
    let wanted = GetPointsBuilder::new(&index.documents, ids).with_payload(PayloadIncludeSelector { fields });
    let points = qdrant.get_points(wanted).await?.result;
    let read = |point: RetrievedPoint| Some((uuid_of(point.id.as_ref()?)?, listing(point.payload)?));
    Ok(points.into_iter().filter_map(read).collect())
}

impl QdrantStore<'_> {
    async fn ask(&self, questions: &[Question]) -> Result<Vec<Answer>, SearchError> {
        let queries: Vec<QueryPoints> = questions.iter().flat_map(|question| self.queries(question)).collect();
        let batch = QueryBatchPointsBuilder::new(&self.index.chunks, queries);
        let mut lists = self.qdrant.query_batch(batch).await?.result.into_iter().map(|list| list.result);
        let mut next = || lists.next().unwrap_or_default();
        let answer = |question: &Question| {
            let dense = next();
            let bm25 = if self.has_terms() { next() } else { Vec::new() };
            let mut answer = merge(dense, bm25, question.limit);
            if let Some(path) = &self.path {
                let begins = |found: &Candidate| found.chunk.path.as_ref().is_some_and(|of| of.starts_with(path));
                let (here, elsewhere): (Vec<_>, Vec<_>) = answer.candidates.into_iter().partition(begins);
                answer.candidates = here;
                self.elsewhere().extend(elsewhere.iter().map(|found| found.id));
            }
            answer
        };
        Ok(questions.iter().map(answer).collect())
    }

    /// One query a list. Text without any word (emoji, punctuation) has no BM25 list.
    fn queries(&self, question: &Question) -> Vec<QueryPoints> {
        let mut filter = in_scope(self.filter.clone(), &question.scope);
        if self.path.is_some() {
            filter.must_not.push(Condition::has_id(self.elsewhere().iter().copied()));
        }
        let query = |using: &str, vector: qdrant::Query| {
            QueryPointsBuilder::new(&self.index.chunks)
                .query(vector)
                .using(using)
                .filter(filter.clone())
                .limit(question.limit as u64)
                .with_payload(true)
                .build()
        };
        let mut queries = vec![query(DENSE, self.dense.clone().into())];
        if self.has_terms() {
            let terms = self.bm25.indices.iter().copied().zip(self.bm25.values.iter().copied());
            queries.push(query(BM25, terms.collect::<Vec<(u32, f32)>>().into()));
        }
        queries
    }

    fn elsewhere(&self) -> MutexGuard<'_, Vec<Uuid>> {
        self.elsewhere.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_terms(&self) -> bool {
        !self.bm25.indices.is_empty()
    }
}

/// A chunk that both lists have is read once.
fn merge(dense: Vec<ScoredPoint>, bm25: Vec<ScoredPoint>, limit: usize) -> Answer {
    let cut = dense.len() >= limit || bm25.len() >= limit;
    let mut candidates: HashMap<Uuid, Candidate> = HashMap::with_capacity(dense.len() + bm25.len());
    for (id, point) in dense.into_iter().filter_map(with_id) {
        let dense = Some(point.score);
        candidates.extend(chunk(id, point.payload).map(|chunk| (id, Candidate { id, chunk, dense, bm25: None })));
    }
    for (id, point) in bm25.into_iter().filter_map(with_id) {
        let bm25 = Some(point.score);
        match candidates.get_mut(&id) {
            Some(known) => known.bm25 = bm25,
            None => {
                candidates
                    .extend(chunk(id, point.payload).map(|chunk| (id, Candidate { id, chunk, dense: None, bm25 })));
            }
        }
    }
    Answer { candidates: candidates.into_values().collect(), cut }
}

fn with_id(point: ScoredPoint) -> Option<(Uuid, ScoredPoint)> {
    Some((uuid_of(point.id.as_ref()?)?, point))
}

fn chunk(id: Uuid, payload: HashMap<String, qdrant::Value>) -> Option<ChunkPayload> {
    ChunkPayload::from_payload(payload)
        .inspect_err(|error| tracing::warn!(chunk_id = %id, error = %error, "chunk with a foreign payload left out"))
        .ok()
}

fn listing(payload: HashMap<String, qdrant::Value>) -> Option<Listing> {
    Payload::from(payload)
        .deserialize()
        .inspect_err(|error| tracing::warn!(error = %error, "manifest with a foreign payload left out"))
        .ok()
}
