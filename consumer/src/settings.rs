//! Settings of the consumer.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use shared::settings::{EmbeddingSettings, QdrantSettings, RabbitMqSettings};

use crate::share::Share;

/// Settings of `consumer run`.
#[derive(Debug, Clone, Args)]
pub struct ConsumerSettings {
    /// The broker.
    #[command(flatten)]
    pub rabbitmq: RabbitMqSettings,
    /// The store.
    #[command(flatten)]
    pub qdrant: QdrantSettings,
    /// The model.
    #[command(flatten)]
    pub embedding: EmbeddingSettings,
    /// Address of /livez, /readyz and /metrics
    #[arg(long, env = "CONSUMER_HTTP_LISTEN", default_value = "127.0.0.1:9102")]
    pub consumer_http_listen: SocketAddr,
    /// Threads that embed, 1 to 64, each with a model of its own [default: one for each core, at most 4]
    #[arg(long, env = "EMBEDDING_THREADS", value_parser = clap::value_parser!(u16).range(1..=64))]
    embedding_threads: Option<u16>,
    /// Which of how many instances this is, as 1/3: it takes its own partitions at once and stands by for the others
    #[arg(long, env = "CONSUMER_SHARE", value_name = "WHICH/OF", default_value_t)]
    pub(crate) consumer_share: Share,
    /// Days after which the mark of a deleted document is removed, 1 to 3650, once its partition has got so far
    #[arg(long, env = "TOMBSTONE_DAYS", default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..=3650))]
    tombstone_days: u16,
}

impl ConsumerSettings {
    /// How much younger than a tombstone an acknowledged change is when the tombstone goes.
    pub(crate) fn tombstones(&self) -> Duration {
        Duration::from_secs(u64::from(self.tombstone_days) * 24 * 60 * 60)
    }

    /// Number of embedding threads. Each holds the model's weights, so that more than a few must be asked for.
    pub fn embedding_threads(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from).min(4);
        self.embedding_threads.map_or_else(cores, usize::from)
    }
}
