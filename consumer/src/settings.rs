//! Settings of the consumer.

use std::net::SocketAddr;

use clap::Args;
use shared::settings::{EmbeddingSettings, QdrantSettings, RabbitMqSettings};

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
}

impl ConsumerSettings {
    /// Number of embedding threads. Each holds the model's weights, so that more than a few must be asked for.
    pub fn embedding_threads(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from).min(4);
        self.embedding_threads.map_or_else(cores, usize::from)
    }
}
