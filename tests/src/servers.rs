//! Real servers. MongoDB and RabbitMQ are started once a test process and shared (a database and a virtual host for each
//! test); Qdrant is started for each test, because the names of its collections are fixed.

use std::sync::LazyLock;

use local::{Installation, MongoDb, MongoDbOptions, Progress, Qdrant, RabbitMq, default_cache, provision};
use shared::embedding::Embedder;
use shared::settings::EmbeddingSettings;
use tokio::runtime::Runtime;
use tokio::sync::{Mutex, MutexGuard, OnceCell};

/// Shared servers belong to no test: they need a runtime that outlives each of them.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime for shared servers"));

static INSTALLATION: OnceCell<Installation> = OnceCell::const_new();
static MONGODB: OnceCell<MongoDb> = OnceCell::const_new();
static RABBITMQ: OnceCell<RabbitMq> = OnceCell::const_new();
static EMBEDDER: OnceCell<Embedder> = OnceCell::const_new();
/// A server that `TEST_QDRANT_URL` names is used by one test at a time.
static NAMED_QDRANT: Mutex<()> = Mutex::const_new(());

async fn lasting<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> T {
    RUNTIME.spawn(future).await.expect("a shared server's task")
}

/// Servers and model, provisioned.
pub async fn installation() -> &'static Installation {
    INSTALLATION
        .get_or_init(|| {
            lasting(async {
                provision(&default_cache(), &Progress::stderr()).await.expect("servers and model provisioned")
            })
        })
        .await
}

/// The shared MongoDB, a replica set of one.
pub async fn mongodb() -> &'static MongoDb {
    let installation = installation().await;
    MONGODB
        .get_or_init(|| {
            // Drills write for minutes while nothing is relayed, and that is not to be lost history.
            let options = MongoDbOptions { oplog_megabytes: 2048, ..MongoDbOptions::default() };
            lasting(async { MongoDb::start(installation, options).await.expect("mongod starts") })
        })
        .await
}

/// The shared RabbitMQ.
pub async fn rabbitmq() -> &'static RabbitMq {
    let installation = installation().await;
    RABBITMQ.get_or_init(|| lasting(async { RabbitMq::start(installation).await.expect("rabbitmq starts") })).await
}

/// The shared embedding model: the real one.
pub async fn embedder() -> &'static Embedder {
    let installation = installation().await;
    let settings = EmbeddingSettings {
        embedding_model: "all-MiniLM-L6-v2".into(),
        embedding_model_dir: Some(installation.model.clone()),
        ort_dylib_path: Some(installation.onnxruntime.clone()),
    };
    EMBEDDER.get_or_init(|| async { Embedder::start(&settings, 1).expect("the model loads") }).await
}

/// What a program of ours needs to find the model.
pub async fn embedding_environment() -> [(&'static str, String); 2] {
    let installation = installation().await;
    [
        ("EMBEDDING_MODEL_DIR", installation.model.display().to_string()),
        ("ORT_DYLIB_PATH", installation.onnxruntime.display().to_string()),
    ]
}

/// A Qdrant that no other test uses: one of its own, or the one that `TEST_QDRANT_URL` names, emptied.
pub enum TestQdrant {
    /// Started for this test.
    Own(Box<Qdrant>),
    /// Named from outside.
    Named(String, MutexGuard<'static, ()>),
}

/// A Qdrant without any collection.
pub async fn qdrant() -> TestQdrant {
    let Ok(url) = std::env::var("TEST_QDRANT_URL") else {
        return TestQdrant::Own(Box::new(Qdrant::start(installation().await).await.expect("qdrant starts")));
    };
    let named = TestQdrant::Named(url, NAMED_QDRANT.lock().await);
    let client = named.client();
    for collection in client.list_collections().await.expect("TEST_QDRANT_URL answers").collections {
        client.delete_collection(&collection.name).await.expect("a collection is deleted");
    }
    named
}

impl TestQdrant {
    /// The URL of the gRPC port.
    pub fn url(&self) -> String {
        match self {
            Self::Own(qdrant) => qdrant.uri().to_owned(),
            Self::Named(url, _) => url.clone(),
        }
    }

    /// A client.
    pub fn client(&self) -> qdrant_client::Qdrant {
        qdrant_client::Qdrant::from_url(&self.url()).skip_compatibility_check().build().expect("a client")
    }
}
