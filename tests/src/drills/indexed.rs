//! What consumer's drills ask of a site: whether the index is what was written, and how much waits.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties};
use local::Qdrant;
use shared::topology::partition_queue;
use tokio::time::sleep;

use super::posts::Posts;
use super::site::{PARTITIONS, Site};
use crate::audit::audit;

/// A backlog of some thousand posts, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(600);

/// Waits until the index holds just what was written.
///
/// # Errors
/// The difference that is left.
pub(super) async fn until_equal(site: &Site, qdrant: &Qdrant, posts: &Posts) -> Result<()> {
    let client = qdrant_client::Qdrant::from_url(qdrant.uri()).skip_compatibility_check().build()?;
    let since = Instant::now();
    loop {
        let outcome = match audit(&site.database, &client).await {
            Ok(audit) => posts.equal(&audit),
            Err(error) => Err(error),
        };
        match outcome {
            Ok(()) => return Ok(()),
            Err(difference) if since.elapsed() > PATIENCE => bail!("not within {PATIENCE:?}: {difference:#}"),
            Err(_) => sleep(Duration::from_millis(500)).await,
        }
    }
}

/// Messages that wait in the partitions' queues and are in no consumer's hands.
///
/// # Errors
/// As the broker.
pub(super) async fn waiting(site: &Site) -> Result<usize> {
    let connection = Connection::connect(&site.rabbitmq_uri, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let mut messages = 0;
    for partition in 0..PARTITIONS {
        let passive = QueueDeclareOptions { passive: true, durable: true, ..QueueDeclareOptions::default() };
        let queue = channel.queue_declare(partition_queue(partition).into(), passive, FieldTable::default()).await?;
        messages += queue.message_count() as usize;
    }
    connection.close(200, "counted".into()).await?;
    Ok(messages)
}
