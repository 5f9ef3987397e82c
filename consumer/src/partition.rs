//! One partition: the loop of this service. Take a batch, apply it, settle it.

use std::sync::Arc;
use std::time::Duration;

use lapin::options::{BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection};
use shared::dead_letter::{self, DeadLetterError, Postmark};
use shared::shutdown::CancellationToken;
use shared::topology::partition_queue;
use tokio::time::timeout;
use tracing::Instrument;

use crate::change::{Message, coalesce};
use crate::error::PartitionError;
use crate::intake::{Batch, Documents, Intake, MAX_DOCUMENTS};
use crate::patience::Patience;
use crate::settlement::Settlement;
use crate::store::VectorStore;
use crate::sync::{DeadLetters, Synchronizer};

/// Deliveries held unacknowledged: a batch that is applied, and as many that arrive meanwhile or whose stale chunks wait
/// for the grace. Each can be 15 MiB, and the client holds them all in memory. Eight partitions of documents that all
/// wait for their grace still make 500 a second, more than a machine embeds.
const PREFETCH: u16 = 2 * MAX_DOCUMENTS;

/// Longest time for closing a channel.
const CLOSE: Duration = Duration::from_secs(5);

/// A partition that this consumer is subscribed to. The broker gives its deliveries to one consumer at a time.
pub struct Partition<S> {
    number: u16,
    channel: Channel,
    intake: Intake,
    synchronizer: Arc<Synchronizer<S>>,
    dead_letters: PartitionDeadLetters,
}

impl<S: VectorStore + 'static> Partition<S> {
    /// Subscribes to the partition's queue on a channel of its own. Dead letters go out on `publishing`, which must be
    /// in confirm mode.
    ///
    /// # Errors
    /// As the broker.
    pub async fn subscribe(
        number: u16,
        connection: &Connection,
        publishing: Channel,
        synchronizer: Arc<Synchronizer<S>>,
    ) -> Result<Self, PartitionError> {
        let channel = connection.create_channel().await?;
        channel.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
        let (queue, tag) = (partition_queue(number), format!("consumer-{number}"));
        let options = BasicConsumeOptions::default();
        let deliveries = channel.basic_consume(queue.into(), tag.into(), options, FieldTable::default()).await?;
        let dead_letters =
            PartitionDeadLetters { channel: publishing, partition: number, patience: synchronizer.patience().clone() };
        Ok(Self { number, channel, intake: Intake::new(deliveries, number), synchronizer, dead_letters })
    }

    /// The loop. On shutdown the batch at hand is finished and acknowledged; deliveries not begun go back in order when
    /// the channel closes.
    ///
    /// # Errors
    /// [`PartitionError`]: what was not acknowledged is delivered again.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), PartitionError> {
        let span = tracing::info_span!("partition", number = self.number);
        self.work(shutdown).instrument(span).await
    }

    async fn work(mut self, shutdown: CancellationToken) -> Result<(), PartitionError> {
        let mut settlement = Settlement::new(self.channel.clone(), Arc::clone(&self.synchronizer));
        loop {
            tracing::trace!(target: "stage", "idle");
            let batch = tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                settled = settlement.next() => {
                    settlement.ack(settled?).await?;
                    continue;
                }
                batch = self.intake.next_batch() => batch?,
            };
            self.step(batch, &mut settlement).await?;
        }
        settlement.drain().await?;
        // A broker that does not answer any more has the acks, or delivers again.
        match timeout(CLOSE, self.channel.close(200, "drained".into())).await {
            Ok(closed) => Ok(closed?),
            Err(_) => Err(PartitionError::Silent { seconds: CLOSE.as_secs() }),
        }
    }

    /// What the loop repeats: applies one batch and hands it to the settlement.
    async fn step(&self, batch: Batch, settlement: &mut Settlement<S>) -> Result<(), PartitionError> {
        match batch {
            Batch::Documents(documents) => {
                let last = documents.last;
                let stale = self.apply(documents).await?;
                settlement.push(last, stale);
            }
            Batch::Barrier(barrier, tag) => {
                // A barrier speaks of all that came before it: that must be settled, not just begun.
                settlement.drain().await?;
                tracing::info!(?barrier, "barrier");
                let stale = self.synchronizer.pass(barrier).await?;
                settlement.push(tag, stale);
            }
        }
        Ok(())
    }

    async fn apply(&self, documents: Documents) -> Result<std::collections::BTreeSet<uuid::Uuid>, PartitionError> {
        for (message, error) in documents.undecodable {
            tracing::warn!(%error, "dead letter");
            let postmark = Postmark {
                reason: "undecodable",
                stage: "decode",
                error: error.to_string(),
                attempts: message.attempts(),
                partition: None,
            };
            self.dead_letters.send(&message, postmark).await?;
        }
        let deliveries = documents.changes.len() as u64;
        let stale = self.synchronizer.apply(coalesce(documents.changes), &self.dead_letters).await?;
        metrics::counter!("twin_consumer_changes_total").increment(deliveries);
        Ok(stale)
    }
}

/// The dead letters of one partition.
struct PartitionDeadLetters {
    channel: Channel,
    partition: u16,
    patience: Patience,
}

impl DeadLetters for PartitionDeadLetters {
    async fn send(&self, message: &Message, postmark: Postmark) -> Result<(), DeadLetterError> {
        metrics::counter!("twin_consumer_dead_letters_total", "reason" => postmark.reason).increment(1);
        let postmark = Postmark { partition: Some(self.partition), ..postmark };
        let sending = dead_letter::send(&self.channel, &message.body, message.properties.clone(), &postmark);
        self.patience.unless_overdue(sending).await.unwrap_or(Err(DeadLetterError::Unconfirmed))
    }
}
