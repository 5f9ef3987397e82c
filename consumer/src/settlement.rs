//! Acknowledgement: the only file that acks, and only what is written and cleaned up.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use lapin::Channel;
use lapin::options::BasicAckOptions;
use lapin::types::DeliveryTag;
use shared::index::GRACE;
use tokio::task::JoinHandle;
use tracing::Instrument;
use uuid::Uuid;

use crate::error::{PartitionError, StoreError};
use crate::store::VectorStore;
use crate::sync::Synchronizer;

/// Deliveries that are applied and wait for their stale chunks to go, in order of delivery.
pub(crate) struct Settlement<S> {
    channel: Channel,
    synchronizer: Arc<Synchronizer<S>>,
    waiting: FuturesOrdered<JoinHandle<Result<DeliveryTag, StoreError>>>,
}

impl<S: VectorStore + 'static> Settlement<S> {
    /// Nothing waits yet on this channel.
    pub(crate) fn new(channel: Channel, synchronizer: Arc<Synchronizer<S>>) -> Self {
        Self { channel, synchronizer, waiting: FuturesOrdered::new() }
    }

    /// Everything up to `last` is applied; `stale` has to go before it may be acknowledged.
    pub(crate) fn push(&mut self, last: DeliveryTag, stale: BTreeSet<Uuid>) {
        let synchronizer = Arc::clone(&self.synchronizer);
        let settling = async move {
            if !stale.is_empty() {
                tracing::trace!(target: "stage", "grace");
                tokio::time::sleep(GRACE).await;
                tracing::trace!(target: "stage", "delete");
                synchronizer.delete(&stale).await?;
            }
            Ok(last)
        };
        self.waiting.push_back(tokio::spawn(settling.in_current_span()));
    }

    /// Waits for the oldest batch to be settled; never where none waits. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Result<DeliveryTag, PartitionError> {
        match self.waiting.next().await {
            Some(settled) => Ok(settled??),
            None => std::future::pending().await,
        }
    }

    /// Acknowledges everything up to `last`. Batches come in order, so nothing unsettled lies below it.
    pub(crate) async fn ack(&self, last: DeliveryTag) -> Result<(), PartitionError> {
        tracing::trace!(target: "stage", "ack");
        self.channel.basic_ack(last, BasicAckOptions { multiple: true }).await?;
        Ok(())
    }

    /// Settles and acknowledges all that waits.
    pub(crate) async fn drain(&mut self) -> Result<(), PartitionError> {
        while !self.waiting.is_empty() {
            let last = self.next().await?;
            self.ack(last).await?;
        }
        Ok(())
    }
}
