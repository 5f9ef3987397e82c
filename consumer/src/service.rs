//! The consumer as a service: it waits for its servers, subscribes, and begins again with a new connection whenever one
//! is lost.

use std::sync::Arc;
use std::time::Duration;

use lapin::uri::AMQPUri;
use qdrant_client::Qdrant;
use shared::Backoff;
use shared::embedding::Embedder;
use shared::health::{HealthServer, Readiness};
use shared::index::{self, Index, IndexError, IndexMeta};
use shared::shutdown::CancellationToken;
use tokio::time::Instant;
use xxhash_rust::xxh3::xxh3_128;

use crate::chunk::PIPELINE;
use crate::error::{ConsumerError, PartitionError, StoreError};
use crate::qdrant_store::QdrantStore;
use crate::settings::ConsumerSettings;
use crate::subscriptions::{Instance, Subscriptions};
use crate::sync::Synchronizer;
use crate::vectors::Vectors;
use crate::{janitor, telemetry};

/// How often the store is asked whether it is there.
const PROBE: Duration = Duration::from_secs(5);
/// A connection that lasted so long, longer than any setup, was a success: the next wait is short again.
const LASTING: Duration = Duration::from_secs(60);

/// Runs the consumer until `shutdown`, then drains.
///
/// # Errors
/// [`ConsumerError`]: what a person has to mend. Servers that are away are waited for.
pub async fn run(settings: ConsumerSettings, shutdown: CancellationToken) -> Result<(), ConsumerError> {
    let (uri, qdrant) = (settings.rabbitmq.uri()?, index::client(&settings.qdrant)?);
    let readiness = Readiness::awaiting(["qdrant", "rabbitmq"]);
    let health = HealthServer::bind("CONSUMER_HTTP_LISTEN", settings.consumer_http_listen, readiness.clone()).await?;
    telemetry::describe();
    // Who is draining is alive: it answers to the end.
    let stopped = CancellationToken::new();
    let serving = tokio::spawn(health.run(stopped.clone()));
    let consumed = serve(settings, uri, qdrant, &readiness, shutdown).await;
    stopped.cancel();
    serving.await.map_err(std::io::Error::other)??;
    consumed
}

async fn serve(
    settings: ConsumerSettings,
    uri: AMQPUri,
    qdrant: Qdrant,
    readiness: &Readiness,
    shutdown: CancellationToken,
) -> Result<(), ConsumerError> {
    let partitions = settings.rabbitmq.partitions;
    let (embedding, threads) = (settings.embedding.clone(), settings.embedding_threads());
    let embedder = tokio::task::spawn_blocking(move || Embedder::start(&embedding, threads))
        .await
        .map_err(std::io::Error::other)??;
    let meta = IndexMeta::new(embedder.info(), partitions);
    if let Some(index) = ensure_index(&qdrant, &meta, readiness, &shutdown).await? {
        let fingerprint = fingerprint(&meta);
        let store = QdrantStore::new(qdrant, index, partitions);
        let synchronizer = Arc::new(Synchronizer::new(store, Vectors::new(embedder), fingerprint, shutdown.clone()));
        let (share, holdings) = (settings.consumer_share, Arc::default());
        let instance = Arc::new(Instance { uri, partitions, share, synchronizer, holdings });
        let probe = tokio::spawn(probe(Arc::clone(&instance), readiness.clone(), shutdown.clone()));
        let (synchronizer, holdings) = (Arc::clone(&instance.synchronizer), Arc::clone(&instance.holdings));
        let janitor = tokio::spawn(janitor::run(synchronizer, holdings, settings.tombstones(), shutdown.clone()));
        if let Err(error) = compare_pipeline(&instance.synchronizer).await {
            tracing::warn!(%error, "the pipeline by which the index was made could not be compared");
        }
        supervise(&instance, readiness, &shutdown).await;
        for background in [probe, janitor] {
            background.await.map_err(std::io::Error::other)?;
        }
    }
    Ok(())
}

/// Changes with anything that changes a chunk: model, cleaning, chunking, sparse weights.
pub(crate) fn fingerprint(meta: &IndexMeta) -> String {
    format!("{:032x}", xxh3_128(format!("{}\0{PIPELINE}", meta.model_fingerprint).as_bytes()))
}

/// Says once that what the index holds was made by another pipeline, and how it is made anew.
async fn compare_pipeline(synchronizer: &Synchronizer<QdrantStore>) -> Result<(), StoreError> {
    let (store, patience) = (synchronizer.store(), synchronizer.patience());
    let former = patience.ask("read pipeline", || store.former_pipeline(PIPELINE)).await?;
    if let Some(former) = former {
        tracing::warn!(
            former,
            ours = PIPELINE,
            "the index was made by another pipeline; a document is made anew when it changes, all of them by `producer \
             resync`"
        );
    }
    patience.ask("note pipeline", || store.note_pipeline(PIPELINE)).await
}

/// The index, once the store answers; `None` on shutdown.
async fn ensure_index(
    qdrant: &Qdrant,
    meta: &IndexMeta,
    readiness: &Readiness,
    shutdown: &CancellationToken,
) -> Result<Option<Index>, ConsumerError> {
    let mut backoff = Backoff::default();
    loop {
        let ensured = tokio::select! {
            ensured = Index::ensure(qdrant, meta) => ensured,
            () = shutdown.cancelled() => return Ok(None),
        };
        match ensured {
            Ok(index) => return Ok(Some(index)),
            Err(IndexError::Qdrant(error)) => {
                tracing::warn!(%error, "qdrant is not ready, waiting");
                readiness.set_down("qdrant", error.to_string());
            }
            Err(error) => return Err(error.into()),
        }
        tokio::select! {
            () = shutdown.cancelled() => return Ok(None),
            () = backoff.wait() => {}
        }
    }
}

async fn probe(instance: Arc<Instance>, readiness: Readiness, shutdown: CancellationToken) {
    loop {
        let probed = tokio::select! {
            probed = instance.synchronizer.store().probe() => probed,
            () = shutdown.cancelled() => return,
        };
        match probed {
            Ok(()) => readiness.set_up("qdrant"),
            Err(error) => readiness.set_down("qdrant", error.to_string()),
        }
        match instance.holdings.pulse().stalled() {
            None => readiness.set_up("deliveries"),
            Some(problem) => readiness.set_down("deliveries", problem),
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(PROBE) => {}
        }
    }
}

/// Outer loop: one connection after another, until shutdown.
async fn supervise(instance: &Arc<Instance>, readiness: &Readiness, shutdown: &CancellationToken) {
    let mut backoff = Backoff::default();
    while !shutdown.is_cancelled() {
        let begun = Instant::now();
        let Err(error) = consume(instance, readiness, shutdown).await else { continue };
        readiness.set_down("rabbitmq", error.to_string());
        tracing::warn!(%error, "consuming stopped, beginning again");
        backoff.wait_after(begun, LASTING, shutdown).await;
    }
}

/// Subscribes, and runs until something fails or `shutdown`.
async fn consume(
    instance: &Arc<Instance>,
    readiness: &Readiness,
    shutdown: &CancellationToken,
) -> Result<(), PartitionError> {
    // Nothing is held from the broker while the store is away.
    tokio::select! {
        probed = instance.synchronizer.store().probe() => probed?,
        () = shutdown.cancelled() => return Ok(()),
    }
    let (subscriptions, own) = tokio::select! {
        opened = Subscriptions::open(Arc::clone(instance)) => opened?,
        () = shutdown.cancelled() => return Ok(()),
    };
    readiness.set_up("rabbitmq");
    tracing::info!(partitions = instance.partitions, share = %instance.share, "consuming");
    subscriptions.run(own, shutdown).await
}
