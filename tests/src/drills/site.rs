//! Where a drill takes place: a database, a virtual host, the ledger, and the programs to start there.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bson::Document;
use futures_util::future::join_all;
use lapin::options::QueuePurgeOptions;
use lapin::{Connection, ConnectionProperties};
use local::Qdrant;
use mongodb::{Client, Database};
use shared::topology;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use uuid::Uuid;

use super::drill::Order;
use crate::chaos::checkpoint;
use crate::chaos::ledger::Ledger;
use crate::service::Service;
use crate::{mongodb, rabbitmq};

/// Fewer than usual, so that each has much to do.
pub(crate) const PARTITIONS: u16 = 4;
/// Types that a producer relays if it is not told otherwise.
const TYPES: [&str; 4] = ["users", "articles", "posts", "repositories"];
/// How long anything may take that has no promise of its own.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Everything but the programs.
pub(crate) struct Site {
    /// A client that writes with majority and notices a lost primary soon.
    pub(crate) client: Client,
    /// The watched database.
    pub(crate) database: Database,
    /// The virtual host.
    pub(crate) rabbitmq_uri: String,
    /// Everything that is relayed.
    pub(crate) ledger: Ledger,
    environment: Vec<(&'static str, String)>,
    emptying: JoinHandle<()>,
}

impl Drop for Site {
    fn drop(&mut self) {
        self.emptying.abort();
    }
}

impl Site {
    /// On servers that all drills of this process share, none of which may be hurt.
    ///
    /// # Errors
    /// A server does not answer.
    pub(crate) async fn new(order: &Order) -> Result<Self> {
        Self::on_mongodb(order, mongodb().await.uri()).await
    }

    /// On a MongoDB of the drill's own, and a shared broker.
    ///
    /// # Errors
    /// A server does not answer.
    pub(crate) async fn on_mongodb(order: &Order, mongodb_uri: &str) -> Result<Self> {
        let vhost = format!("drill-{}", Uuid::new_v4().simple());
        let rabbitmq_uri = rabbitmq().await.create_vhost(&vhost).await?;
        Self::over(order, mongodb_uri, &rabbitmq_uri).await
    }

    /// On these servers.
    ///
    /// # Errors
    /// One does not answer.
    pub(crate) async fn over(order: &Order, mongodb_uri: &str, rabbitmq_uri: &str) -> Result<Self> {
        let patience = "w=majority&heartbeatFrequencyMS=500&connectTimeoutMS=2000&serverSelectionTimeoutMS=5000";
        let client = Client::with_uri_str(format!("{mongodb_uri}&{patience}")).await?;
        let database = client.database(&format!("drill-{}", Uuid::new_v4().simple()));
        let environment = vec![
            ("MONGODB_URI", mongodb_uri.to_owned()),
            ("MONGODB_DATABASE", database.name().to_owned()),
            ("RABBITMQ_URI", rabbitmq_uri.to_owned()),
            ("PARTITIONS", PARTITIONS.to_string()),
            ("RUST_LOG", "info".to_owned()),
            ("EMBEDDING_THREADS", "1".to_owned()),
            ("EMBEDDING_MODEL_DIR", order.installation.model.display().to_string()),
            ("ORT_DYLIB_PATH", order.installation.onnxruntime.display().to_string()),
        ];
        let ledger = Ledger::open(rabbitmq_uri, PARTITIONS).await?;
        // Until someone empties the queues.
        let emptying = tokio::spawn(async {});
        Ok(Self { client, database, rabbitmq_uri: rabbitmq_uri.to_owned(), ledger, environment, emptying })
    }

    /// The same without a consumer: the partitions' queues are emptied now and then, so that they do not fill the disk.
    pub(crate) fn without_consumer(mut self) -> Self {
        self.emptying = tokio::spawn(empty(self.rabbitmq_uri.clone()));
        self
    }

    /// A producer with more settings, not running yet.
    ///
    /// # Errors
    /// It was not built.
    pub(crate) fn producer(&self, more: &[(&'static str, &str)]) -> Result<Service> {
        let more = more.iter().map(|(name, value)| (*name, (*value).to_owned()));
        Service::new("producer", &self.environment.iter().cloned().chain(more).collect::<Vec<_>>())
    }

    /// A consumer that writes to this store, not running yet.
    ///
    /// # Errors
    /// It was not built.
    pub(crate) fn consumer(&self, qdrant: &Qdrant, more: &[(&'static str, &str)]) -> Result<Service> {
        let more = more.iter().map(|(name, value)| (*name, (*value).to_owned()));
        let store = [("QDRANT_URL", qdrant.uri().to_owned())];
        Service::new("consumer", &self.environment.iter().cloned().chain(store).chain(more).collect::<Vec<_>>())
    }

    /// Waits until the first snapshot of every type is swept: from then on there is only streaming.
    ///
    /// # Errors
    /// It is not in time.
    pub(crate) async fn swept(&self, producer: &Service) -> Result<()> {
        let swept = || async { self.has_swept() };
        within(PATIENCE, "the first snapshot is swept", swept).await.with_context(|| producer.log_tail())
    }

    /// Whether there was a sweep of every type in every partition.
    pub(crate) fn has_swept(&self) -> bool {
        TYPES.iter().all(|collection| self.ledger.barriers("sweep", collection) >= usize::from(PARTITIONS))
    }

    /// The stored checkpoint.
    pub(crate) async fn checkpoint(&self) -> Option<Document> {
        checkpoint::stored(&self.client, self.database.name()).await
    }

    /// The clusterTime up to which the stored checkpoint speaks.
    pub(crate) async fn reached(&self) -> Option<i64> {
        self.checkpoint().await.as_ref().and_then(checkpoint::cluster_time)
    }

    /// Notes in the ledger what is checkpointed, so that it knows what may be repeated from here on.
    pub(crate) async fn note(&self) {
        if let Some(reached) = self.reached().await {
            self.ledger.note_start(reached).await;
        }
    }

    /// Starts a producer that was killed; when.
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) async fn restart(&self, producer: &mut Service) -> Result<Instant> {
        self.note().await;
        let now = Instant::now();
        producer.launch()?;
        Ok(now)
    }
}

/// Waits until something holds.
///
/// # Errors
/// It does not in time.
pub(crate) async fn within<F: Future<Output = bool>>(
    patience: Duration,
    what: &str,
    mut holds: impl FnMut() -> F,
) -> Result<()> {
    let since = Instant::now();
    while !holds().await {
        ensure!(since.elapsed() < patience, "not within {patience:?}: {what}");
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Purges every partition's queue again and again, over as many connections as it takes.
async fn empty(uri: String) {
    loop {
        // What it fails with is a fault that the drill makes itself.
        empty_over_one_connection(&uri).await.ok();
        sleep(Duration::from_secs(1)).await;
    }
}

async fn empty_over_one_connection(uri: &str) -> Result<()> {
    let connection = Connection::connect(uri, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    loop {
        let queues = (0..PARTITIONS).map(topology::partition_queue);
        let purges = queues.map(|queue| channel.queue_purge(queue.into(), QueuePurgeOptions::default()));
        for purged in join_all(purges).await {
            purged?;
        }
        sleep(Duration::from_secs(2)).await;
    }
}
