//! An index in memory: what the pipeline makes of documents, answering retrieval's own search as Qdrant would, dense by
//! exact cosine, BM25 with Qdrant's inverse document frequency.

use std::collections::{BTreeSet, HashMap};

use anyhow::{Result, ensure};
use local::Step;
use retrieval::{Answer, Candidate, Hit, Listing, Ranking, Reranker, Reranking, Scope, SearchError, Store, Wanted};
use serde_json::{Map, Value};
use shared::embedding::{Embedder, TokenCounter};
use shared::sparse::{Searched, SparseVector, Weighting, query_vector};
use shared::{ChunkPayload, Identity, Metadata, Revision};
use uuid::Uuid;

use super::data::{self, Data};
use super::vectors;

/// The index without the weights of words.
pub struct Library {
    chunks: Vec<Chunk>,
    dense: Vec<Vec<f32>>,
    listings: HashMap<Uuid, Listing>,
}

struct Chunk {
    id: Uuid,
    identity: Identity,
    link: String,
    title: Option<String>,
    made: consumer::Chunk,
}

/// A hit as it is judged.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// Its document.
    pub identity: &'a Identity,
    /// Its text.
    pub text: &'a str,
}

/// The weights of words.
pub struct Words {
    /// Chunks and weights, by term; already times the term's inverse document frequency.
    postings: HashMap<u32, Vec<(usize, f32)>>,
}

/// Which lists take part, and who has the last word.
#[derive(Clone, Copy)]
pub enum Lists<'a> {
    /// Similarity alone.
    Dense,
    /// Words alone.
    Bm25,
    /// Both.
    Hybrid,
    /// Both, and a second look.
    Reranked(&'a dyn Reranker),
}

/// A question to the library.
struct Asked<'a> {
    library: &'a Library,
    dense: Vec<(usize, f32)>,
    bm25: Vec<(usize, f32)>,
}

impl Library {
    /// Cleans, chunks and embeds; `heading` says whether what stands over a chunk is embedded with it.
    ///
    /// # Errors
    /// As the model.
    pub async fn build(
        data: &Data,
        embedder: &Embedder,
        tokens: &TokenCounter,
        heading: bool,
        step: &Step,
    ) -> Result<Self> {
        let (mut chunks, mut listings) = (Vec::new(), HashMap::new());
        for (identity, fields) in &data.documents {
            let made = consumer::chunks(identity, &data::event(identity, fields), tokens);
            let (link, title) = (text_of(fields, "link"), title_of(fields));
            let of_document = made.into_iter().enumerate().map(|(at, made)| {
                let id = Uuid::new_v5(&identity.manifest_id(), &at.to_be_bytes());
                Chunk { id, identity: identity.clone(), link: link.clone(), title: title.clone(), made }
            });
            let from = chunks.len();
            chunks.extend(of_document);
            let chunk_ids = chunks[from..].iter().map(|chunk: &Chunk| chunk.id).collect();
            let listing = Listing { revision: Revision::from(1), deleted: false, chunk_ids };
            listings.insert(identity.manifest_id(), listing);
        }
        ensure!(!chunks.is_empty(), "the documents hold no text");
        let text =
            |chunk: &Chunk| chunk.made.embedded_text[if heading { 0 } else { chunk.made.heading_bytes }..].to_owned();
        let texts: Vec<String> = chunks.iter().map(text).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let dense = vectors::vectors(embedder, &texts, step).await?;
        Ok(Self { chunks, dense, listings })
    }

    /// Number of chunks.
    pub fn len(&self) -> usize {
        self.chunks.len()
    }

    /// Never: a library without chunks is not built.
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// The weights of its words.
    pub fn words(&self, weighting: &Weighting) -> Words {
        let mut postings = HashMap::<u32, Vec<(usize, f32)>>::new();
        for (at, chunk) in self.chunks.iter().enumerate() {
            let (heading, body) = chunk.made.embedded_text.split_at(chunk.made.heading_bytes);
            let searched = Searched { heading, body, link: &chunk.link, language: chunk.made.language };
            let vector = weighting.document_vector(&searched);
            for (term, weight) in vector.indices.into_iter().zip(vector.values) {
                postings.entry(term).or_default().push((at, weight));
            }
        }
        let all = self.chunks.len() as f32;
        for list in postings.values_mut() {
            let with = list.len() as f32;
            // As Qdrant's IDF modifier.
            let idf = ((all - with + 0.5) / (with + 0.5) + 1.0).ln();
            list.iter_mut().for_each(|(_, weight)| *weight *= idf);
        }
        Words { postings }
    }

    /// Hits for a question, best first, at most `per_document` of each document.
    ///
    /// # Errors
    /// As retrieval.
    pub async fn search(
        &self,
        words: &Words,
        (text, vector): (&str, &[f32]),
        lists: Lists<'_>,
        ranking: &Ranking,
        (limit, per_document): (usize, usize),
    ) -> Result<Vec<Shown<'_>>, SearchError> {
        let dense = if matches!(lists, Lists::Bm25) { Vec::new() } else { self.by_similarity(vector) };
        let bm25 = if matches!(lists, Lists::Dense) { Vec::new() } else { self.by_words(words, &query_vector(text)) };
        let reranking = match lists {
            Lists::Reranked(by) => Some(Reranking { text, by }),
            Lists::Dense | Lists::Bm25 | Lists::Hybrid => None,
        };
        let asked = Asked { library: self, dense, bm25 };
        let wanted = Wanted { ranking: *ranking, ..Wanted::new(limit, per_document) };
        let hits = retrieval::search(&asked, &wanted, reranking).await?;
        let shown = |hit: &Hit| {
            let chunk = self.chunks.iter().find(|chunk| chunk.id == hit.chunk_id)?;
            Some(Shown { identity: &chunk.identity, text: &chunk.made.text })
        };
        Ok(hits.iter().filter_map(shown).collect())
    }

    fn by_similarity(&self, query: &[f32]) -> Vec<(usize, f32)> {
        let dot = |vector: &Vec<f32>| vector.iter().zip(query).map(|(a, b)| a * b).sum();
        sorted(self.dense.iter().map(dot).enumerate().collect())
    }

    fn by_words(&self, words: &Words, query: &SparseVector) -> Vec<(usize, f32)> {
        let mut scores = vec![0.0; self.chunks.len()];
        for (term, weight) in query.indices.iter().zip(&query.values) {
            for (at, of_chunk) in words.postings.get(term).into_iter().flatten() {
                scores[*at] += weight * of_chunk;
            }
        }
        sorted(scores.into_iter().enumerate().filter(|(_, score)| *score > 0.0).collect())
    }
}

impl Asked<'_> {
    fn candidate(&self, at: usize, dense: Option<f32>, bm25: Option<f32>) -> Candidate {
        let chunk = &self.library.chunks[at];
        let payload = ChunkPayload {
            identity: chunk.identity.clone(),
            revision: Revision::from(1),
            text: chunk.made.text.clone(),
            path: chunk.made.path.clone(),
            symbol: chunk.made.symbol.clone(),
            metadata: Metadata { title: chunk.title.clone(), ..Metadata::default() },
        };
        Candidate { id: chunk.id, chunk: payload, dense, bm25 }
    }

    fn best<'a>(&self, list: &'a [(usize, f32)], scope: &Scope, limit: usize) -> Vec<&'a (usize, f32)> {
        let chunks = &self.library.chunks;
        match scope {
            Scope::Everywhere { except } => {
                let except: BTreeSet<Uuid> = except.iter().map(Identity::manifest_id).collect();
                list.iter()
                    .filter(|(at, _)| !except.contains(&chunks[*at].identity.manifest_id()))
                    .take(limit)
                    .collect()
            }
            Scope::Within(ids) => list.iter().filter(|(at, _)| ids.contains(&chunks[*at].id)).take(limit).collect(),
        }
    }
}

impl Store for Asked<'_> {
    async fn candidates(&self, questions: &[retrieval::Question]) -> Result<Vec<Answer>, SearchError> {
        let answer = |question: &retrieval::Question| {
            let mut found = HashMap::<usize, (Option<f32>, Option<f32>)>::new();
            let dense = self.best(&self.dense, &question.scope, question.limit);
            let bm25 = self.best(&self.bm25, &question.scope, question.limit);
            let cut = dense.len() == question.limit || bm25.len() == question.limit;
            dense.into_iter().for_each(|(at, score)| found.entry(*at).or_default().0 = Some(*score));
            bm25.into_iter().for_each(|(at, score)| found.entry(*at).or_default().1 = Some(*score));
            let candidates = found.into_iter().map(|(at, (dense, bm25))| self.candidate(at, dense, bm25)).collect();
            Answer { candidates, cut }
        };
        Ok(std::future::ready(questions.iter().map(answer).collect()).await)
    }

    async fn manifests(&self, documents: &[Uuid]) -> Result<HashMap<Uuid, Listing>, SearchError> {
        let read = |id: &Uuid| Some((*id, self.library.listings.get(id)?.clone()));
        Ok(std::future::ready(documents.iter().filter_map(read).collect()).await)
    }
}

fn sorted(mut list: Vec<(usize, f32)>) -> Vec<(usize, f32)> {
    list.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    list
}

/// An article's title, a repository's name.
fn title_of(fields: &Map<String, Value>) -> Option<String> {
    let title = || fields.get("content")?.get("Title");
    Some(fields.get("name").or_else(title)?.as_str()?.to_owned())
}

fn text_of(fields: &Map<String, Value>, name: &str) -> String {
    fields.get(name).and_then(Value::as_str).unwrap_or_default().trim().to_owned()
}
