//! One connection's subscriptions: an instance's own partitions at once, the others a little later. A queue delivers to
//! the first that subscribed, so that each instance gets its own, and whoever stands by takes over within moments.

use std::sync::Arc;
use std::time::Duration;

use lapin::options::ConfirmSelectOptions;
use lapin::uri::AMQPUri;
use lapin::{Channel, Connection};
use shared::broker::connect;
use shared::shutdown::CancellationToken;
use shared::topology;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::Instrument;

use crate::error::PartitionError;
use crate::holdings::Holdings;
use crate::intake::Intake;
use crate::partition::Partition;
use crate::prefetch::Prefetch;
use crate::presence;
use crate::qdrant_store::QdrantStore;
use crate::share::Share;
use crate::sync::Synchronizer;

/// Longest time for connecting, declaring and subscribing: the broker's client itself waits for ever. A broker declares
/// a hundred quorum queues in less.
const SETUP: Duration = Duration::from_secs(30);
/// By so much the owner of a partition is ahead of those that stand by for it.
const STANDBY: Duration = Duration::from_secs(5);
/// Longest time that the other partitions have to finish once one has failed.
const DRAIN: Duration = Duration::from_secs(5);
/// Longest time for taking leave of the broker.
const CLOSE: Duration = Duration::from_secs(2);

/// What an instance brings to every connection.
pub(crate) struct Instance {
    /// The broker.
    pub(crate) uri: AMQPUri,
    /// How many there are.
    pub(crate) partitions: u16,
    /// Which of them are its own.
    pub(crate) share: Share,
    /// Applies what is delivered.
    pub(crate) synchronizer: Arc<Synchronizer<QdrantStore>>,
    /// What it holds of them.
    pub(crate) holdings: Arc<Holdings>,
}

/// A partition and its deliveries.
type Subscribed = (Partition<QdrantStore>, Intake);

/// The two connections of a consumer. Dead letters have one of their own, which a blocked broker does not keep from
/// acking.
pub(crate) struct Subscriptions {
    instance: Arc<Instance>,
    consuming: Connection,
    publishing: Connection,
    dead_letters: Channel,
}

impl Subscriptions {
    /// Connects, and subscribes to the instance's own partitions.
    ///
    /// # Errors
    /// As the broker, or [`PartitionError::Silent`].
    pub(crate) async fn open(instance: Arc<Instance>) -> Result<(Arc<Self>, Vec<Subscribed>), PartitionError> {
        let opening = async {
            let consuming = connect(&instance.uri, "twin consumer").await?;
            let publishing = connect(&instance.uri, "twin consumer, dead letters").await?;
            let dead_letters = publishing.create_channel().await?;
            dead_letters.confirm_select(ConfirmSelectOptions::default()).await?;
            topology::declare(&dead_letters, instance.partitions).await?;
            let subscriptions = Arc::new(Self { instance, consuming, publishing, dead_letters });
            let mut own = Vec::new();
            for number in subscriptions.numbers(true) {
                own.push(subscriptions.subscribe(number, &Prefetch::default()).await?);
            }
            Ok((subscriptions, own))
        };
        in_time(SETUP, opening).await
    }

    /// Runs them until `shutdown`. The first to fail stops the others: with the connection, or the store, all would
    /// follow. What they are at has a moment to be acknowledged, where that can be; the rest is delivered again.
    ///
    /// # Errors
    /// The first fault.
    pub(crate) async fn run(
        self: Arc<Self>,
        own: Vec<Subscribed>,
        shutdown: &CancellationToken,
    ) -> Result<(), PartitionError> {
        let (mut running, stop) = (JoinSet::new(), shutdown.child_token());
        for subscribed in own {
            let span = tracing::info_span!("partition", number = subscribed.0.number());
            running.spawn(Arc::clone(&self).attend(subscribed, stop.clone()).instrument(span));
        }
        for number in self.numbers(false) {
            let span = tracing::info_span!("partition", number);
            running.spawn(Arc::clone(&self).stand_by(number, stop.clone()).instrument(span));
        }
        running.spawn(Arc::clone(&self).be_present(stop.clone()));
        let mut outcome = Ok(());
        while let Some(ended) = running.join_next().await {
            stop.cancel();
            outcome = outcome.and(ended.unwrap_or_else(|error| Err(error.into())));
            let draining = async { while running.join_next().await.is_some() {} };
            if outcome.is_err() && !shutdown.is_cancelled() && timeout(DRAIN, draining).await.is_err() {
                running.shutdown().await;
            }
        }
        for connection in [&self.consuming, &self.publishing] {
            if let Ok(Err(error)) = timeout(CLOSE, connection.close(200, "drained".into())).await {
                tracing::debug!(%error, "connection was gone already");
            }
        }
        outcome
    }

    /// The partitions that are the instance's own, or those that are not, in order.
    fn numbers(&self, own: bool) -> impl Iterator<Item = u16> + use<> {
        let (share, partitions) = (self.instance.share, self.instance.partitions);
        (0..partitions).filter(move |number| share.owns(*number) == own)
    }

    async fn subscribe(&self, number: u16, prefetch: &Prefetch) -> Result<Subscribed, PartitionError> {
        let (synchronizer, holdings) = (Arc::clone(&self.instance.synchronizer), Arc::clone(&self.instance.holdings));
        Partition::subscribe(number, &self.consuming, self.dead_letters.clone(), synchronizer, holdings, prefetch).await
    }

    /// Runs a partition, and subscribes to it again after it was given back, or for another number of deliveries.
    async fn attend(
        self: Arc<Self>,
        mut subscribed: Subscribed,
        stop: CancellationToken,
    ) -> Result<(), PartitionError> {
        let mut prefetch = Prefetch::default();
        loop {
            let (partition, intake) = subscribed;
            // Boxed: it holds a batch.
            Box::pin(partition.run(intake, &mut prefetch, &stop)).await?;
            if stop.is_cancelled() {
                return Ok(());
            }
            let number = partition.number();
            drop(partition);
            subscribed = in_time(SETUP, self.subscribe(number, &prefetch)).await?;
        }
    }

    async fn stand_by(self: Arc<Self>, number: u16, stop: CancellationToken) -> Result<(), PartitionError> {
        tokio::select! { () = stop.cancelled() => return Ok(()), () = tokio::time::sleep(STANDBY) => {} }
        let subscribed = in_time(SETUP, self.subscribe(number, &Prefetch::default())).await?;
        self.attend(subscribed, stop).await
    }

    async fn be_present(self: Arc<Self>, stop: CancellationToken) -> Result<(), PartitionError> {
        presence::keep(&self.consuming, self.instance.share, &self.instance.holdings, &stop).await;
        Ok(())
    }
}

/// A broker that is stopped still takes connections, and answers nothing.
async fn in_time<T>(
    limit: Duration,
    setup: impl Future<Output = Result<T, PartitionError>>,
) -> Result<T, PartitionError> {
    timeout(limit, setup).await.map_err(|_| PartitionError::Silent { seconds: limit.as_secs() })?
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
