//! A Qdrant server and a model, ready to be searched.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use qdrant_client::Qdrant;
use shared::embedding::{EmbedError, Embedder, ModelError, ModelInfo};
use shared::index::{Index, IndexMeta};
use shared::settings::EmbeddingSettings;
use shared::sparse::query_vector;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::author::{self, AuthorFilter};
use crate::cross_encoder::CrossEncoder;
use crate::error::SearchError;
use crate::filter;
use crate::hit::Hit;
use crate::neighbours;
use crate::nothing::{self, Nothing};
use crate::qdrant_store::QdrantStore;
use crate::query::{Query, SearchText};
use crate::ranking::Wanted;
use crate::reranker::{RerankError, Reranker, Reranking};
use crate::search::search;

/// The first answer of a server that is up takes milliseconds: one that hangs is as good as away.
const LONGEST_START: Duration = Duration::from_secs(10);

/// Full names by author id.
pub type AuthorNames = HashMap<String, String>;

/// Searches one Qdrant server with one model.
pub struct Searcher {
    qdrant: Qdrant,
    embedder: Embedder,
    reranker: Option<Arc<dyn Reranker>>,
    /// The index that was last found to be made for this model.
    checked: Mutex<Option<Index>>,
}

impl Searcher {
    /// A searcher with a model that is loaded already.
    pub fn new(qdrant: Qdrant, embedder: Embedder) -> Self {
        Self { qdrant, embedder, reranker: None, checked: Mutex::new(None) }
    }

    /// The same, with somebody to look at the best hits again where a query asks for it.
    #[must_use]
    pub fn with_reranker(self, reranker: Arc<dyn Reranker>) -> Self {
        Self { reranker: Some(reranker), ..self }
    }

    /// Loads the model, and the cross-encoder of that folder, and meanwhile looks at the index, so that a program of one
    /// question loses no time.
    ///
    /// # Errors
    /// What is wrong with the models comes first, then what is wrong with Qdrant or the index.
    pub async fn start(
        qdrant: Qdrant,
        settings: EmbeddingSettings,
        rerank_model_dir: Option<PathBuf>,
    ) -> Result<Self, SearchError> {
        // Not `try_join!`: a program that ended while ONNX Runtime starts on another thread could crash in its exit.
        let onnxruntime = settings.ort_dylib_path.clone();
        let (embedder, reranker, found) =
            tokio::join!(load(settings), load_reranker(rerank_model_dir, onnxruntime), live_meta(&qdrant));
        let (searcher, reranker) = (Self::new(qdrant.clone(), embedder?), reranker?);
        let (index, meta) = found?;
        searcher.check(index, &meta)?;
        Ok(match reranker {
            Some(reranker) => searcher.with_reranker(Arc::new(reranker)),
            None => searcher,
        })
    }

    /// The model's own way of counting tokens.
    pub fn count_tokens(&self, text: &str) -> usize {
        // A text that the tokenizer does not take counts as if each byte were a token: never too few.
        self.embedder.tokens().count(text).unwrap_or(text.len())
    }

    /// The best hits, best first: at most `limit`, at most `per_document` of a document, each document in exactly one
    /// revision, which was its manifest's at some moment of this call.
    ///
    /// # Errors
    /// [`SearchError`].
    pub async fn search(&self, query: &Query) -> Result<Vec<Hit>, SearchError> {
        let text = query.check()?;
        let reranking = self.reranking(query, &text)?;
        let (dense, index, author) =
            tokio::try_join!(self.embed(&text), self.index(), self.author(query.author.as_deref()))?;
        let store = QdrantStore {
            qdrant: &self.qdrant,
            index,
            dense,
            bm25: query_vector(text.as_str()),
            filter: filter::of_query(query, author.as_ref()),
            path: query.path.clone(),
            elsewhere: Mutex::default(),
        };
        let (preferences, now) = (query.preferences.clone(), now());
        let wanted = Wanted { preferences, now, ..Wanted::new(query.limit, query.per_document) };
        let mut hits = search(&store, &wanted, reranking).await?;
        hits.retain(|hit| query.least_score.is_none_or(|least| hit.score >= least));
        Ok(hits)
    }

    /// Why `query` has no hits, where that is none of its words; asked only once it has none.
    ///
    /// # Errors
    /// [`SearchError`].
    pub async fn why_nothing(&self, query: &Query) -> Result<Option<Nothing>, SearchError> {
        if query.least_score.is_some() {
            let all = Query { least_score: None, limit: 1, ..query.clone() };
            if let Some(best) = self.search(&all).await?.first() {
                return Ok(Some(Nothing::Score { best: best.score }));
            }
        }
        let (index, author) = tokio::try_join!(self.index(), self.author(query.author.as_deref()))?;
        nothing::why(&self.qdrant, &index, query, author.as_ref()).await
    }

    /// Adds to each hit its neighbours, up to `reach` on either side. They are of the hit's own revision, or left out where
    /// the document has moved on meanwhile.
    ///
    /// # Errors
    /// [`SearchError`].
    pub async fn expand(&self, hits: &mut [Hit], reach: usize) -> Result<(), SearchError> {
        if hits.is_empty() || reach == 0 {
            return Ok(());
        }
        neighbours::expand(&self.qdrant, &self.index().await?, hits, reach).await
    }

    /// Names of the authors of `hits`, as `twin_authors` has them now; those that it does not have are left out.
    ///
    /// # Errors
    /// As Qdrant.
    pub async fn author_names(&self, hits: &[Hit]) -> Result<AuthorNames, SearchError> {
        let ids: BTreeSet<String> = hits.iter().filter_map(|hit| hit.chunk.metadata.author_id.clone()).collect();
        Ok(author::names(&self.qdrant, ids).await?)
    }

    fn reranking<'a>(&'a self, query: &Query, text: &'a SearchText) -> Result<Option<Reranking<'a>>, SearchError> {
        match (&self.reranker, query.rerank) {
            (_, false) => Ok(None),
            (None, true) => Err(SearchError::NoReranker),
            (Some(by), true) => Ok(Some(Reranking { text: text.as_str(), by: by.as_ref() })),
        }
    }

    async fn embed(&self, text: &SearchText) -> Result<Vec<f32>, SearchError> {
        let vectors = self.embedder.embed(vec![text.as_str().to_owned()]).await?;
        Ok(vectors.into_iter().next().ok_or(EmbedError::Ended)?)
    }

    async fn author(&self, given: Option<&str>) -> Result<Option<AuthorFilter>, SearchError> {
        match given {
            Some(given) => Ok(Some(author::resolve(&self.qdrant, given.trim()).await?)),
            None => Ok(None),
        }
    }

    /// The live index. Resolved once a query; what an alias points to may be another pair a moment later.
    async fn index(&self) -> Result<Index, SearchError> {
        let index = Index::live(&self.qdrant).await?;
        if self.checked.lock().unwrap_or_else(PoisonError::into_inner).as_ref() != Some(&index) {
            let meta = index.meta(&self.qdrant).await?;
            self.check(index.clone(), &meta)?;
        }
        Ok(index)
    }

    fn check(&self, index: Index, meta: &IndexMeta) -> Result<(), SearchError> {
        let info: &ModelInfo = self.embedder.info();
        meta.check_model(&IndexMeta::new(info, meta.partitions))?;
        *self.checked.lock().unwrap_or_else(PoisonError::into_inner) = Some(index);
        Ok(())
    }
}

async fn live_meta(qdrant: &Qdrant) -> Result<(Index, IndexMeta), SearchError> {
    let read = async {
        let index = Index::live(qdrant).await?;
        let meta = index.meta(qdrant).await?;
        Ok((index, meta))
    };
    let silent = |_| SearchError::Unreachable(format!("no answer within {} s", LONGEST_START.as_secs()));
    timeout(LONGEST_START, read).await.map_err(silent)?
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// One session is enough for one question at a time.
async fn load(settings: EmbeddingSettings) -> Result<Embedder, SearchError> {
    let (reply, loaded) = oneshot::channel::<Result<Embedder, ModelError>>();
    thread::spawn(move || drop(reply.send(Embedder::start(&settings, 1))));
    Ok(loaded.await.map_err(|_| EmbedError::Ended)??)
}

async fn load_reranker(
    dir: Option<PathBuf>,
    onnxruntime: Option<PathBuf>,
) -> Result<Option<CrossEncoder>, SearchError> {
    let Some(dir) = dir else { return Ok(None) };
    let (reply, loaded) = oneshot::channel::<Result<CrossEncoder, RerankError>>();
    thread::spawn(move || drop(reply.send(CrossEncoder::start(&dir, onnxruntime.as_deref()))));
    Ok(Some(loaded.await.map_err(|_| RerankError::Ended)??))
}
