//! The consumer as a service: it waits for its servers, subscribes to every partition, and begins again with a new
//! connection whenever one is lost.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lapin::options::ConfirmSelectOptions;
use lapin::uri::AMQPUri;
use lapin::{Connection, ConnectionProperties};
use qdrant_client::Qdrant;
use shared::embedding::Embedder;
use shared::health::{HealthServer, Readiness};
use shared::index::{self, Index, IndexError, IndexMeta};
use shared::shutdown::CancellationToken;
use shared::{Backoff, topology};
use tokio::task::JoinSet;
use tokio::time::timeout;
use xxhash_rust::xxh3::xxh3_128;

use crate::chunk::PIPELINE;
use crate::error::{ConsumerError, PartitionError};
use crate::partition::Partition;
use crate::qdrant_store::QdrantStore;
use crate::settings::ConsumerSettings;
use crate::sync::Synchronizer;
use crate::vectors::Vectors;

/// How often the store is asked whether it is there.
const PROBE: Duration = Duration::from_secs(5);
/// Longest time for connecting, declaring and subscribing: the broker's client itself waits for ever. A broker declares
/// a hundred quorum queues in less.
const SETUP: Duration = Duration::from_secs(30);
/// Longest time for taking leave of the broker.
const CLOSE: Duration = Duration::from_secs(2);
/// A connection that lasted so long, longer than any setup, was a success: the next wait is short again.
const LASTING: Duration = Duration::from_secs(60);

/// Runs the consumer until `shutdown`, then drains.
///
/// # Errors
/// [`ConsumerError`]: what a person has to mend. Servers that are away are waited for.
pub async fn run(settings: ConsumerSettings, shutdown: CancellationToken) -> Result<(), ConsumerError> {
    let (uri, partitions) = (settings.rabbitmq.uri()?, settings.rabbitmq.partitions);
    let qdrant = index::client(&settings.qdrant)?;
    let readiness = Readiness::awaiting(["qdrant", "rabbitmq"]);
    let health = HealthServer::bind(settings.consumer_http_listen, readiness.clone()).await?;
    let health = tokio::spawn(health.run(shutdown.clone()));
    let (embedding, threads) = (settings.embedding.clone(), settings.embedding_threads());
    let embedder = tokio::task::spawn_blocking(move || Embedder::start(&embedding, threads))
        .await
        .map_err(std::io::Error::other)??;
    let meta = IndexMeta::new(embedder.info(), partitions);
    if let Some(index) = ensure_index(&qdrant, &meta, &readiness, &shutdown).await? {
        let fingerprint = fingerprint(&meta);
        let store = QdrantStore::new(qdrant, index, partitions);
        let synchronizer = Arc::new(Synchronizer::new(store, Vectors::new(embedder), fingerprint, shutdown.clone()));
        let probe = tokio::spawn(probe(Arc::clone(&synchronizer), readiness.clone(), shutdown.clone()));
        supervise(&uri, partitions, &synchronizer, &readiness, &shutdown).await;
        probe.await.map_err(std::io::Error::other)?;
    }
    health.await.map_err(std::io::Error::other)??;
    Ok(())
}

/// Changes with anything that changes a chunk: model, cleaning, chunking, sparse weights.
fn fingerprint(meta: &IndexMeta) -> String {
    format!("{:032x}", xxh3_128(format!("{}\0{PIPELINE}", meta.model_fingerprint).as_bytes()))
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
        match Index::ensure(qdrant, meta).await {
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

async fn probe(synchronizer: Arc<Synchronizer<QdrantStore>>, readiness: Readiness, shutdown: CancellationToken) {
    loop {
        match synchronizer.store().probe().await {
            Ok(()) => readiness.set_up("qdrant"),
            Err(error) => readiness.set_down("qdrant", error.to_string()),
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(PROBE) => {}
        }
    }
}

/// Outer loop: one connection after another, until shutdown.
async fn supervise(
    uri: &AMQPUri,
    partitions: u16,
    synchronizer: &Arc<Synchronizer<QdrantStore>>,
    readiness: &Readiness,
    shutdown: &CancellationToken,
) {
    let mut backoff = Backoff::default();
    while !shutdown.is_cancelled() {
        let begun = Instant::now();
        let Err(error) = consume(uri, partitions, synchronizer, readiness, shutdown).await else { continue };
        readiness.set_down("rabbitmq", error.to_string());
        tracing::warn!(%error, "consuming stopped, beginning again");
        if begun.elapsed() > LASTING {
            backoff = Backoff::default();
        }
        tokio::select! { () = shutdown.cancelled() => {}, () = backoff.wait() => {} }
    }
}

/// The two connections of a consumer and its subscriptions. Dead letters have a connection of their own, which a
/// blocked broker does not keep from acking.
struct Subscribed {
    connections: [Connection; 2],
    partitions: Vec<Partition<QdrantStore>>,
}

/// Subscribes to every partition and runs them. The first to fail stops the others: with the connection, or the store,
/// all would follow.
async fn consume(
    uri: &AMQPUri,
    partitions: u16,
    synchronizer: &Arc<Synchronizer<QdrantStore>>,
    readiness: &Readiness,
    shutdown: &CancellationToken,
) -> Result<(), PartitionError> {
    // Nothing is held from the broker while the store is away.
    synchronizer.store().probe().await?;
    let subscribing = in_time(SETUP, subscribe(uri, partitions, synchronizer));
    let Subscribed { connections, partitions: subscribed } = tokio::select! {
        subscribed = subscribing => subscribed?,
        () = shutdown.cancelled() => return Ok(()),
    };
    let (mut running, stop) = (JoinSet::new(), shutdown.child_token());
    for partition in subscribed {
        running.spawn(partition.run(stop.clone()));
    }
    readiness.set_up("rabbitmq");
    tracing::info!(partitions, "consuming");
    let mut outcome = Ok(());
    while let Some(ended) = running.join_next().await {
        stop.cancel();
        outcome = outcome.and(ended.unwrap_or_else(|error| Err(error.into())));
    }
    for connection in connections {
        if let Ok(Err(error)) = timeout(CLOSE, connection.close(200, "drained".into())).await {
            tracing::debug!(%error, "connection was gone already");
        }
    }
    outcome
}

async fn subscribe(
    uri: &AMQPUri,
    partitions: u16,
    synchronizer: &Arc<Synchronizer<QdrantStore>>,
) -> Result<Subscribed, PartitionError> {
    let consuming = connect(uri, "twin consumer").await?;
    let publishing = connect(uri, "twin consumer, dead letters").await?;
    let dead_letters = publishing.create_channel().await?;
    dead_letters.confirm_select(ConfirmSelectOptions::default()).await?;
    topology::declare(&dead_letters, partitions).await?;
    let mut subscribed = Vec::with_capacity(usize::from(partitions));
    for number in 0..partitions {
        let synchronizer = Arc::clone(synchronizer);
        subscribed.push(Partition::subscribe(number, &consuming, dead_letters.clone(), synchronizer).await?);
    }
    Ok(Subscribed { connections: [consuming, publishing], partitions: subscribed })
}

/// A broker that is stopped still takes connections, and answers nothing.
async fn in_time<T>(
    limit: Duration,
    setup: impl Future<Output = Result<T, PartitionError>>,
) -> Result<T, PartitionError> {
    timeout(limit, setup).await.map_err(|_| PartitionError::Silent { seconds: limit.as_secs() })?
}

async fn connect(uri: &AMQPUri, name: &str) -> Result<Connection, lapin::Error> {
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    Connection::connect_uri(uri.clone(), properties).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn a_broker_that_takes_the_connection_and_answers_nothing_is_given_up() {
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("amqp://{}", silent.local_addr().unwrap()).parse().unwrap();
        let connecting = async { Ok(connect(&uri, "test").await?) };
        let outcome = in_time(Duration::from_millis(200), connecting).await;
        assert!(matches!(outcome, Err(PartitionError::Silent { .. })), "{outcome:?}");
    }
}
