//! A live index on a real server to put documents into: what the consumer would write, and what it would leave when
//! it is stopped in between.

use std::env;

use local::{Progress, Qdrant as Server, default_cache, provision};
use qdrant_client::Qdrant;
use qdrant_client::qdrant::{
    DeletePointsBuilder, NamedVectors, PointId, PointStruct, PointsIdsList, UpsertPointsBuilder, Vector, Vectors,
};
use retrieval::Searcher;
use shared::embedding::Embedder;
use shared::index::{AUTHORS, BM25, DENSE, Index, IndexMeta};
use shared::settings::EmbeddingSettings;
use shared::sparse::{Searched, document_vector};
use shared::{Author, ChunkPayload, DocumentType, IdKind, Identity, Manifest, Metadata, Record, Revision};
use tokio::sync::{Mutex, MutexGuard, OnceCell};
use uuid::Uuid;

/// What all tests of this program share: starting it takes a second, and `TEST_QDRANT_URL` may name a single server.
struct Shared {
    server: Option<Server>,
    url: String,
    settings: EmbeddingSettings,
    embedder: Embedder,
    turn: Mutex<()>,
}

static SHARED: OnceCell<Shared> = OnceCell::const_new();

/// An empty index, for one test at a time.
pub(crate) struct TestIndex {
    pub(crate) qdrant: Qdrant,
    pub(crate) index: Index,
    pub(crate) searcher: Searcher,
    pub(crate) url: String,
    pub(crate) settings: EmbeddingSettings,
    embedder: Embedder,
    _turn: MutexGuard<'static, ()>,
}

async fn shared() -> &'static Shared {
    let start = || async {
        let installation = provision(&default_cache(), &Progress::quiet()).await.expect("provisioned");
        let settings = EmbeddingSettings {
            embedding_model: "all-MiniLM-L6-v2".into(),
            embedding_model_dir: Some(installation.model.clone()),
            ort_dylib_path: Some(installation.onnxruntime.clone()),
        };
        let embedder = Embedder::start(&settings, 1).expect("model loads");
        let (server, url) = match env::var("TEST_QDRANT_URL") {
            Ok(url) => (None, url),
            Err(_) => {
                let server = Server::start(&installation).await.expect("qdrant starts");
                let url = server.uri().to_owned();
                (Some(server), url)
            }
        };
        Shared { server, url, settings, embedder, turn: Mutex::new(()) }
    };
    SHARED.get_or_init(start).await
}

impl TestIndex {
    pub(crate) async fn new() -> Self {
        let (qdrant, turn, shared) = bare().await;
        let embedder = shared.embedder.clone();
        let meta = IndexMeta::new(embedder.info(), 8);
        let index = Index::ensure(&qdrant, &meta).await.expect("index is made");
        let searcher = Searcher::new(qdrant.clone(), embedder.clone());
        let (url, settings) = (shared.url.clone(), shared.settings.clone());
        Self { qdrant, index, searcher, url, settings, embedder, _turn: turn }
    }

    /// A searcher on a connection of its own.
    pub(crate) fn another_searcher(&self, url: &str) -> Searcher {
        Searcher::new(client(url), self.embedder.clone())
    }

    /// Writes chunks without listing them, as a writer does before the manifest moves.
    pub(crate) async fn put(&self, document: &Document, texts: &[&str]) -> Vec<Uuid> {
        let vectors = self.embedder.embed(texts.iter().map(ToString::to_string).collect()).await.expect("embedded");
        let points: Vec<PointStruct> =
            texts.iter().zip(vectors).enumerate().map(|(at, (text, dense))| document.point(at, text, dense)).collect();
        let ids = (0..texts.len()).map(|at| document.chunk_id(at)).collect();
        self.qdrant
            .upsert_points(UpsertPointsBuilder::new(&self.index.chunks, points).wait(true))
            .await
            .expect("upserted");
        ids
    }

    /// Moves the document's manifest.
    pub(crate) async fn list(&self, document: &Document, chunk_ids: Vec<Uuid>) {
        let manifest = Manifest {
            chunk_ids,
            metadata: document.metadata.clone(),
            ..Manifest::empty(document.identity.clone(), document.revision)
        };
        self.record(&self.index.documents, &manifest).await;
    }

    /// Chunks and manifest: the document is live.
    pub(crate) async fn write(&self, document: &Document, texts: &[&str]) {
        let ids = self.put(document, texts).await;
        self.list(document, ids).await;
    }

    /// Many documents of the same single chunk, which is embedded once.
    pub(crate) async fn write_all(&self, documents: &[Document], text: &str) {
        let vector = self.embedder.embed(vec![text.to_owned()]).await.expect("embedded").remove(0);
        let chunks = documents.iter().map(|document| document.point(0, text, vector.clone())).collect::<Vec<_>>();
        let manifest = |document: &Document| {
            let manifest = Manifest {
                chunk_ids: vec![document.chunk_id(0)],
                metadata: document.metadata.clone(),
                ..Manifest::empty(document.identity.clone(), document.revision)
            };
            let payload = manifest.to_payload().expect("a payload");
            PointStruct::new(document.identity.manifest_id(), Vectors::from(NamedVectors::default()), payload)
        };
        let manifests = documents.iter().map(manifest).collect::<Vec<_>>();
        for (collection, points) in [(&self.index.chunks, chunks), (&self.index.documents, manifests)] {
            let upsert = UpsertPointsBuilder::new(collection, points).wait(true);
            self.qdrant.upsert_points(upsert).await.expect("upserted");
        }
    }

    pub(crate) async fn bury(&self, document: &Document) {
        self.record(&self.index.documents, &Manifest::tombstone(document.identity.clone(), document.revision)).await;
    }

    pub(crate) async fn introduce(&self, id: &str, full_name: &str) {
        let author = Author {
            identity: Identity { document_type: DocumentType::Users, id_kind: IdKind::Str, entry_id: id.into() },
            revision: Revision::from(1),
            deleted: false,
            error: None,
            first_name: None,
            last_name: None,
            full_name: Some(full_name.into()),
        };
        self.record(AUTHORS, &author).await;
    }

    pub(crate) async fn delete(&self, chunk_ids: Vec<Uuid>) {
        let ids: Vec<PointId> = chunk_ids.into_iter().map(PointId::from).collect();
        let gone = DeletePointsBuilder::new(&self.index.chunks).points(PointsIdsList { ids }).wait(true);
        self.qdrant.delete_points(gone).await.expect("deleted");
    }

    async fn record<R: Record>(&self, collection: &str, record: &R) {
        let payload = record.to_payload().expect("a payload");
        let point = PointStruct::new(record.identity().manifest_id(), Vectors::from(NamedVectors::default()), payload);
        self.qdrant
            .upsert_points(UpsertPointsBuilder::new(collection, vec![point]).wait(true))
            .await
            .expect("recorded");
    }
}

/// A server with no index on it, for one test at a time; its URL and the model's settings.
pub(crate) async fn without_index() -> (Qdrant, MutexGuard<'static, ()>, String, EmbeddingSettings) {
    let (qdrant, turn, shared) = bare().await;
    (qdrant, turn, shared.url.clone(), shared.settings.clone())
}

fn client(url: &str) -> Qdrant {
    Qdrant::from_url(url).skip_compatibility_check().build().expect("a URL")
}

async fn bare() -> (Qdrant, MutexGuard<'static, ()>, &'static Shared) {
    let shared = shared().await;
    let turn = shared.turn.lock().await;
    assert!(shared.server.as_ref().is_none_or(|server| server.pid().is_some()), "the server runs");
    let qdrant = client(&shared.url);
    for collection in qdrant.list_collections().await.expect("an answer").collections {
        if collection.name.starts_with("twin_") {
            qdrant.delete_collection(collection.name).await.expect("deleted");
        }
    }
    (qdrant, turn, shared)
}

/// One revision of a document.
#[derive(Clone)]
pub(crate) struct Document {
    pub(crate) identity: Identity,
    pub(crate) revision: Revision,
    pub(crate) metadata: Metadata,
    pub(crate) path: Option<String>,
}

impl Document {
    pub(crate) fn article(entry_id: &str) -> Self {
        Self::of(DocumentType::Articles, entry_id)
    }

    pub(crate) fn of(document_type: DocumentType, entry_id: &str) -> Self {
        Self {
            identity: Identity { document_type, id_kind: IdKind::Str, entry_id: entry_id.into() },
            // Above 2^53, as every real one.
            revision: Revision::from(3_855_425_992_956_837_889),
            metadata: Metadata { title: Some(format!("Title of {entry_id}")), ..Metadata::default() },
            path: None,
        }
    }

    /// The document one change later.
    pub(crate) fn changed(&self) -> Self {
        Self { revision: Revision::from(self.revision.get() + 1), ..self.clone() }
    }

    pub(crate) fn by(mut self, author_id: &str) -> Self {
        self.metadata.author_id = Some(author_id.into());
        self
    }

    fn chunk_id(&self, at: usize) -> Uuid {
        Uuid::new_v5(&self.identity.manifest_id(), format!("{}/{at}", self.revision).as_bytes())
    }

    fn point(&self, at: usize, text: &str, dense: Vec<f32>) -> PointStruct {
        let bm25 = document_vector(&Searched::english(text));
        let vectors = NamedVectors::default()
            .add_vector(DENSE, Vector::new_dense(dense))
            .add_vector(BM25, Vector::new_sparse(bm25.indices, bm25.values));
        let chunk = ChunkPayload {
            identity: self.identity.clone(),
            revision: self.revision,
            text: text.into(),
            path: self.path.clone(),
            symbol: None,
            metadata: self.metadata.clone(),
        };
        PointStruct::new(self.chunk_id(at), Vectors::from(vectors), chunk.to_payload().expect("a payload"))
    }
}
