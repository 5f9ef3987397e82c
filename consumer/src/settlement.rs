//! Acknowledgement: the only file that acks, and only what is written and cleaned up.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::future::ready;
use std::sync::Arc;
use std::time::SystemTime;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesOrdered;
use futures_util::{FutureExt, StreamExt};
use lapin::Channel;
use lapin::options::BasicAckOptions;
use lapin::types::DeliveryTag;
use shared::index::GRACE;
use shared::{Identity, Revision};
use uuid::Uuid;

use crate::change::Change;
use crate::error::{PartitionError, StoreError};
use crate::holdings::Holdings;
use crate::in_flight::InFlight;
use crate::intake::Batch;
use crate::store::VectorStore;
use crate::sync::Synchronizer;
use crate::telemetry::{self, stage};

type Settling<'a> = BoxFuture<'a, Result<DeliveryTag, PartitionError>>;

/// Deliveries that are being applied, or wait for their stale chunks to go, in order of delivery. They get on while the
/// settlement is asked for progress.
pub(crate) struct Settlement<'a, S> {
    channel: Channel,
    synchronizer: &'a Synchronizer<S>,
    waiting: FuturesOrdered<Settling<'a>>,
    in_flight: InFlight,
    account: Account,
}

/// What is taken and not yet acknowledged.
struct Account {
    partition: u16,
    holdings: Arc<Holdings>,
    taken: VecDeque<Taken>,
    last_taken: DeliveryTag,
    last_acked: DeliveryTag,
}

/// A batch, as far as its acknowledgement is concerned.
struct Taken {
    last: DeliveryTag,
    /// When its changes occurred in the source.
    occurred: Vec<SystemTime>,
    reached: Revision,
}

impl<'a, S: VectorStore> Settlement<'a, S> {
    /// Nothing waits yet on this channel.
    pub(crate) fn new(
        channel: Channel,
        synchronizer: &'a Synchronizer<S>,
        partition: u16,
        holdings: Arc<Holdings>,
    ) -> Self {
        let account = Account { partition, holdings, taken: VecDeque::new(), last_taken: 0, last_acked: 0 };
        Self { channel, synchronizer, waiting: FuturesOrdered::new(), in_flight: InFlight::default(), account }
    }

    /// A batch was taken, whatever becomes of it.
    pub(crate) fn take(&mut self, batch: &Batch) {
        self.account.take(batch);
    }

    /// Begins to apply a batch up to `last`, which is about none of the documents of those being applied.
    pub(crate) fn begin(
        &mut self,
        last: DeliveryTag,
        about: HashSet<Identity>,
        apply: impl Future<Output = Result<BTreeSet<Uuid>, PartitionError>> + Send + 'a,
    ) {
        let applying = self.in_flight.begin(about);
        self.settle(last, async move {
            let stale = apply.await;
            drop(applying);
            stale
        });
    }

    /// Everything up to `last` is applied; `stale` has to go before it may be acknowledged.
    pub(crate) fn push(&mut self, last: DeliveryTag, stale: BTreeSet<Uuid>) {
        self.settle(last, ready(Ok(stale)));
    }

    fn settle(
        &mut self,
        last: DeliveryTag,
        stale: impl Future<Output = Result<BTreeSet<Uuid>, PartitionError>> + Send + 'a,
    ) {
        let synchronizer = self.synchronizer;
        let settling = async move {
            clean_up(synchronizer, stale.await?).await?;
            Ok(last)
        };
        self.waiting.push_back(settling.boxed());
    }

    /// What is being applied.
    pub(crate) fn in_flight(&self) -> &InFlight {
        &self.in_flight
    }

    /// Waits until nothing that is being applied is about any of these documents.
    pub(crate) async fn until_disjoint(&mut self, about: &HashSet<Identity>) -> Result<(), PartitionError> {
        while !self.in_flight.is_disjoint(about) {
            let progress = self.progress().await?;
            self.ack(progress).await?;
        }
        Ok(())
    }

    /// Waits until nothing is being applied. What is applied may still wait for its stale chunks to go.
    pub(crate) async fn until_applied(&mut self) -> Result<(), PartitionError> {
        while !self.in_flight.is_empty() {
            let progress = self.progress().await?;
            self.ack(progress).await?;
        }
        Ok(())
    }

    /// Waits until the oldest batch is settled, and gives its last delivery, or until one is applied; never where there
    /// is none. Dropping the future loses nothing.
    pub(crate) async fn progress(&mut self) -> Result<Option<DeliveryTag>, PartitionError> {
        tokio::select! {
            biased;
            Some(settled) = self.waiting.next() => settled.map(Some),
            () = self.in_flight.one_is_over() => Ok(None),
        }
    }

    /// Acknowledges everything up to `last`. Batches come in order, so nothing unsettled lies below it.
    pub(crate) async fn ack(&mut self, last: Option<DeliveryTag>) -> Result<(), PartitionError> {
        let Some(last) = last else { return Ok(()) };
        tracing::trace!(target: "stage", "ack");
        self.channel.basic_ack(last, BasicAckOptions { multiple: true }).await?;
        self.account.acked(last);
        Ok(())
    }

    /// Settles and acknowledges all that waits.
    pub(crate) async fn drain(&mut self) -> Result<(), PartitionError> {
        while !self.waiting.is_empty() {
            let progress = self.progress().await?;
            self.ack(progress).await?;
        }
        Ok(())
    }
}

/// Deletes what is stale, no sooner than queries are over that began before.
async fn clean_up(synchronizer: &Synchronizer<impl VectorStore>, stale: BTreeSet<Uuid>) -> Result<(), StoreError> {
    if stale.is_empty() {
        return Ok(());
    }
    let waiting = stage("grace");
    tokio::time::sleep(GRACE).await;
    drop(waiting);
    let _deleting = stage("delete");
    synchronizer.delete(&stale).await
}

impl Account {
    fn take(&mut self, batch: &Batch) {
        let last = batch.last();
        let deliveries = last.saturating_sub(self.last_taken);
        telemetry::batch(deliveries);
        self.holdings.pulse().took(deliveries);
        self.last_taken = last;
        // Rows of a snapshot say nothing of how far the stream has got, nor of its lag.
        let streamed = || batch.changes().iter().filter(|change| change.event.revision.index() > 0);
        let reached = streamed().map(|change| change.event.revision).max().unwrap_or(Revision::ZERO);
        self.taken.push_back(Taken { last, occurred: streamed().filter_map(Change::occurred).collect(), reached });
    }

    fn acked(&mut self, last: DeliveryTag) {
        while let Some(taken) = self.taken.pop_front_if(|taken| taken.last <= last) {
            self.holdings.reach(self.partition, taken.reached);
            for occurred in taken.occurred {
                telemetry::age(occurred.elapsed().unwrap_or_default());
            }
        }
        self.holdings.pulse().let_go(last.saturating_sub(self.last_acked));
        self.last_acked = last;
    }
}

/// What is not acknowledged by then goes back to the broker.
impl Drop for Account {
    fn drop(&mut self) {
        self.holdings.pulse().let_go(self.last_taken.saturating_sub(self.last_acked));
    }
}
