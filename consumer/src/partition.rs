//! One partition: the loop of this service. Take a batch, apply it, settle it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use lapin::message::Delivery;
use lapin::options::{BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection};
use shared::dead_letter::{self, DeadLetterError, Postmark};
use shared::shutdown::CancellationToken;
use shared::topology::partition_queue;
use tokio::sync::MutexGuard;
use tokio::time::timeout;
use uuid::Uuid;

use crate::change::{Message, coalesce};
use crate::error::PartitionError;
use crate::holdings::Holdings;
use crate::intake::{self, Batch, Documents, Intake};
use crate::patience::Patience;
use crate::prefetch::Prefetch;
use crate::quarantine::{self, Verdict};
use crate::settlement::Settlement;
use crate::store::VectorStore;
use crate::sync::{DeadLetters, Synchronizer};
use crate::telemetry;

/// Longest time for closing a channel.
const CLOSE: Duration = Duration::from_secs(5);

/// A partition that this consumer is subscribed to. The broker gives its deliveries to one consumer at a time.
pub struct Partition<S> {
    channel: Channel,
    synchronizer: Arc<Synchronizer<S>>,
    dead_letters: PartitionDeadLetters,
    holdings: Arc<Holdings>,
    give_back: CancellationToken,
}

impl<S: VectorStore + 'static> Partition<S> {
    /// Subscribes to the partition's queue, for so many deliveries at once, on a channel of its own. Dead letters go out on
    /// `publishing`, which must be in confirm mode.
    ///
    /// # Errors
    /// As the broker.
    pub(crate) async fn subscribe(
        number: u16,
        connection: &Connection,
        publishing: Channel,
        synchronizer: Arc<Synchronizer<S>>,
        holdings: Arc<Holdings>,
        prefetch: &Prefetch,
    ) -> Result<(Self, Intake), PartitionError> {
        let channel = connection.create_channel().await?;
        channel.basic_qos(prefetch.count(), BasicQosOptions::default()).await?;
        let (queue, tag) = (partition_queue(number), format!("consumer-{number}"));
        let options = BasicConsumeOptions::default();
        let deliveries = channel.basic_consume(queue.into(), tag.into(), options, FieldTable::default()).await?;
        let dead_letters =
            PartitionDeadLetters { channel: publishing, partition: number, patience: synchronizer.patience().clone() };
        let partition = Self { channel, synchronizer, dead_letters, holdings, give_back: CancellationToken::new() };
        Ok((partition, Intake::new(deliveries, number)))
    }

    /// Subscribes to one partition and runs it until `shutdown`, as the service does with each of its share.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub async fn consume(
        number: u16,
        connection: &Connection,
        publishing: Channel,
        synchronizer: Arc<Synchronizer<S>>,
        shutdown: &CancellationToken,
    ) -> Result<(), PartitionError> {
        let (holdings, mut prefetch) = (Arc::default(), Prefetch::default());
        while !shutdown.is_cancelled() {
            let (publishing, synchronizer, holdings) =
                (publishing.clone(), Arc::clone(&synchronizer), Arc::clone(&holdings));
            let subscribing = Self::subscribe(number, connection, publishing, synchronizer, holdings, &prefetch);
            let (partition, intake) = subscribing.await?;
            Box::pin(partition.run(intake, &mut prefetch, shutdown)).await?;
        }
        Ok(())
    }

    /// Which partition.
    pub(crate) fn number(&self) -> u16 {
        self.dead_letters.partition
    }

    /// The loop. On shutdown, when the partition is to be given back, and when another number of deliveries is to be held
    /// of it, the batch at hand is finished and acknowledged; deliveries not begun go back in order when the channel
    /// closes. (A subscription that is cancelled with deliveries held would let another begin beside it.)
    ///
    /// # Errors
    /// [`PartitionError`]: what was not acknowledged is delivered again.
    pub(crate) async fn run(
        &self,
        mut intake: Intake,
        prefetch: &mut Prefetch,
        shutdown: &CancellationToken,
    ) -> Result<(), PartitionError> {
        let (number, holdings) = (self.number(), Arc::clone(&self.holdings));
        let mut settlement = Settlement::new(self.channel.clone(), &self.synchronizer, number, holdings);
        loop {
            let has_room = settlement.in_flight().has_room();
            if settlement.in_flight().is_empty() {
                tracing::trace!(target: "stage", "idle");
            }
            let batch = tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                () = self.give_back.cancelled() => break,
                progress = settlement.progress() => {
                    settlement.ack(progress?).await?;
                    continue;
                }
                batch = intake.next_batch(), if has_room => batch?,
            };
            self.holdings.take(number, &self.give_back);
            if !prefetch.suits(&batch) {
                break;
            }
            let resized = prefetch.learn(batch.bodies());
            settlement.take(&batch);
            self.step(batch, &mut settlement).await?;
            if resized {
                tracing::debug!(prefetch = prefetch.count(), "subscribing anew");
                break;
            }
        }
        settlement.drain().await?;
        // A broker that does not answer any more has the acks, or delivers again.
        match timeout(CLOSE, self.channel.close(200, "drained".into())).await {
            Ok(closed) => Ok(closed?),
            Err(_) => Err(PartitionError::Silent { seconds: CLOSE.as_secs() }),
        }
    }

    /// What the loop repeats: begins to apply one batch and hands it to the settlement.
    async fn step<'a>(&'a self, batch: Batch, settlement: &mut Settlement<'a, S>) -> Result<(), PartitionError> {
        match batch {
            Batch::Documents(documents) => {
                let (last, about) = (documents.last, documents.identities());
                // A document in flight is not prepared again: its chunks would be planned against what is going.
                settlement.until_disjoint(&about).await?;
                settlement.begin(last, about, self.apply(documents));
            }
            Batch::Barrier(barrier, message, tag) => {
                // A barrier speaks of all that came before it: that must be settled, not just begun.
                settlement.drain().await?;
                tracing::info!(?barrier, "barrier");
                match self.synchronizer.refuses(&message).await? {
                    Some(postmark) => drop(self.turn_away(&message, postmark).await?),
                    None => self.synchronizer.pass(barrier).await?,
                }
                settlement.push(tag, BTreeSet::new());
            }
            Batch::Suspect(delivery) => self.try_alone(&delivery, settlement).await?,
        }
        Ok(())
    }

    /// Takes a suspect with nothing else of the partition being applied, and no other partition's suspect, so that only
    /// its own crash is counted against it. (What waits for its grace is applied.) A trial that ends in order, though with
    /// an error, is no crash.
    async fn try_alone<'a>(
        &'a self,
        delivery: &Delivery,
        settlement: &mut Settlement<'a, S>,
    ) -> Result<(), PartitionError> {
        settlement.until_applied().await?;
        let _turn = self.turn(settlement).await?;
        let (number, message) = (self.dead_letters.partition, intake::message(delivery));
        let name = quarantine::name_of(&message);
        let trials = self.synchronizer.trials(number, &name).await?;
        tracing::warn!(trials, attempts = message.attempts(), "redelivered again and again, taken alone");
        self.synchronizer.set_trials(number, &name, trials + 1).await?;
        let tried = async {
            match Verdict::after(trials) {
                // Boxed: the step is what called us.
                Verdict::Try => Box::pin(self.step(intake::alone(delivery, number), settlement)).await?,
                verdict => {
                    let stale = self.bury(delivery, &message, verdict).await?;
                    settlement.push(delivery.delivery_tag, stale);
                }
            }
            settlement.until_applied().await
        };
        let ended = tried.await;
        let before = if ended.is_ok() { 0 } else { trials };
        if let Err(error) = self.synchronizer.set_trials(number, &name, before).await {
            tracing::warn!(%error, "a trial that was no crash is counted as one");
        }
        ended
    }

    /// What waits for its grace meanwhile is settled as it comes.
    async fn turn<'a>(&'a self, settlement: &mut Settlement<'a, S>) -> Result<MutexGuard<'a, ()>, PartitionError> {
        loop {
            tokio::select! {
                turn = self.synchronizer.turn() => return Ok(turn?),
                progress = settlement.progress() => settlement.ack(progress?).await?,
            }
        }
    }

    /// A suspect that was tried often enough becomes a dead letter.
    async fn bury(
        &self,
        delivery: &Delivery,
        message: &Message,
        verdict: Verdict,
    ) -> Result<BTreeSet<Uuid>, PartitionError> {
        if verdict == Verdict::Condemn
            && let Batch::Documents(mut documents) = intake::alone(delivery, self.dead_letters.partition)
            && let Some(change) = documents.changes.pop()
        {
            return match self.synchronizer.refuses(message).await? {
                Some(postmark) => self.turn_away(message, postmark).await,
                None => self.synchronizer.condemn(change, quarantine::charge(), &self.dead_letters).await,
            };
        }
        self.turn_away(message, quarantine::postmark(message)).await
    }

    /// A message that is applied to nothing becomes a dead letter.
    async fn turn_away(&self, message: &Message, postmark: Postmark) -> Result<BTreeSet<Uuid>, PartitionError> {
        tracing::warn!(reason = postmark.reason, error = postmark.error, "dead letter");
        self.dead_letters.send(message, postmark).await?;
        Ok(BTreeSet::new())
    }

    async fn apply(&self, documents: Documents) -> Result<BTreeSet<Uuid>, PartitionError> {
        for (message, error) in documents.undecodable {
            let postmark = Postmark {
                reason: "undecodable",
                stage: "decode",
                error: error.to_string(),
                attempts: message.attempts(),
                partition: None,
            };
            self.turn_away(&message, postmark).await?;
        }
        let deliveries = documents.changes.len();
        let mut ours = Vec::with_capacity(deliveries);
        for change in documents.changes {
            match self.synchronizer.refuses(&change.message).await? {
                Some(postmark) => drop(self.turn_away(&change.message, postmark).await?),
                None => ours.push(change),
            }
        }
        let stale = self.synchronizer.apply(coalesce(ours), &self.dead_letters).await?;
        telemetry::applied(deliveries);
        Ok(stale)
    }
}

impl<S> Drop for Partition<S> {
    fn drop(&mut self) {
        self.holdings.leave(self.dead_letters.partition);
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
        let postmark = Postmark { partition: Some(self.partition), ..postmark };
        let sending = dead_letter::send(&self.channel, &message.body, &message.properties, &postmark);
        self.patience.unless_overdue(sending).await.unwrap_or(Err(DeadLetterError::Unconfirmed))?;
        telemetry::dead_letter(postmark.reason);
        Ok(())
    }
}
