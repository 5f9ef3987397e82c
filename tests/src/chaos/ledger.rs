//! The ledger: a queue beside the pipeline's own that records every event which the producer relays.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use futures_util::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
    ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, ExchangeKind};
use tokio::time::{sleep, timeout};

use super::entry::Entry;

/// As the contract names and declares it.
const EXCHANGE: &str = "twin.changes";
const DEAD_LETTERS: &str = "twin.dead-letters";
const QUEUE: &str = "chaos.ledger";
/// It makes RabbitMQ 3.x requeue in front after a lost connection, so that the order stands.
const DELIVERY_LIMIT: u32 = 1_000_000;
/// Deliveries at a time, so that few come again after a lost connection.
const PREFETCH: u16 = 1000;

/// An entry, when it came, and whether it was the first with its id.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    /// When it was read from the queue.
    pub(crate) at: Instant,
    /// No repeat.
    pub(crate) is_first: bool,
    /// What it says.
    pub(crate) entry: Entry,
}

#[derive(Debug, Default)]
struct Record {
    recorded: Vec<Recorded>,
    seen: HashSet<String>,
    /// Rows of snapshots, and how many of them came for the first time.
    rows: (usize, usize),
    /// Notes of starts.
    notes: usize,
    /// By operation and collection.
    barriers: BTreeMap<(String, String), usize>,
}

impl Record {
    fn take(&mut self, entry: Entry, redelivered: bool) {
        let is_first = entry.id().is_none_or(|id| self.seen.insert(id.to_owned()));
        // A delivery that comes again after a lost connection is no repeat of the producer's.
        if redelivered && !is_first {
            return;
        }
        match &entry {
            Entry::Row(_) => self.rows = (self.rows.0 + 1, self.rows.1 + usize::from(is_first)),
            Entry::Barrier(barrier) if is_first => {
                *self.barriers.entry((barrier.operation.clone(), barrier.collection.clone())).or_default() += 1;
            }
            Entry::Start(_) => self.notes += 1,
            Entry::Barrier(_) | Entry::Change(_) => {}
        }
        self.recorded.push(Recorded { at: Instant::now(), is_first, entry });
    }
}

/// Records in the background until it is dropped.
pub(crate) struct Ledger {
    uri: String,
    record: Arc<Mutex<Record>>,
    recording: tokio::task::JoinHandle<()>,
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.recording.abort();
    }
}

impl Ledger {
    /// Binds its queue before any producer publishes.
    ///
    /// # Errors
    /// As the broker.
    pub(crate) async fn open(uri: &str, partitions: u16) -> Result<Self> {
        let channel = channel(uri).await?;
        let durable = ExchangeDeclareOptions { durable: true, ..Default::default() };
        channel.exchange_declare(EXCHANGE.into(), ExchangeKind::Direct, durable, FieldTable::default()).await?;
        let durable = QueueDeclareOptions { durable: true, ..Default::default() };
        let mut quorum = FieldTable::default();
        quorum.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
        quorum.insert("x-delivery-limit".into(), AMQPValue::LongLongInt(DELIVERY_LIMIT.into()));
        // After a crash of the broker the queue takes our former self to be there for a while, with the deliveries that it
        // held. Next to it we would get what came after them first.
        quorum.insert("x-single-active-consumer".into(), AMQPValue::Boolean(true));
        channel.queue_declare(QUEUE.into(), durable, quorum).await?;
        for partition in 0..partitions {
            bind(&channel, partition).await?;
        }
        let record = Arc::new(Mutex::new(Record::default()));
        let recording = tokio::spawn(keep(uri.to_owned(), Arc::clone(&record)));
        Ok(Self { uri: uri.to_owned(), record, recording })
    }

    /// From here on it misses what goes to this partition, until it is bound again.
    ///
    /// # Errors
    /// As the broker.
    pub(crate) async fn unbind(&self, partition: u16) -> Result<()> {
        let (key, none) = (partition.to_string().into(), FieldTable::default());
        Ok(channel(&self.uri).await?.queue_unbind(QUEUE.into(), EXCHANGE.into(), key, none).await?)
    }

    /// Hears of this partition again.
    ///
    /// # Errors
    /// As the broker.
    pub(crate) async fn bind(&self, partition: u16) -> Result<()> {
        bind(&channel(&self.uri).await?, partition).await
    }

    /// Notes that a producer starts, behind all that was published before, and waits until the note has been read: what
    /// comes then was published since. A broker that is away takes no note, and then nothing is asked of the repeats
    /// after it.
    pub(crate) async fn note_start(&self, checkpoint: i64) {
        let notes = locked(&self.record).notes;
        let note = async {
            let channel = channel(&self.uri).await?;
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            let note = serde_json::json!({ "checkpoint": checkpoint }).to_string();
            let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
            channel.basic_publish("".into(), QUEUE.into(), options, note.as_bytes(), properties).await?.await?;
            anyhow::Ok(())
        };
        if let Ok(Ok(())) = timeout(Duration::from_secs(2), note).await {
            let read = async {
                while locked(&self.record).notes == notes {
                    sleep(Duration::from_millis(5)).await;
                }
            };
            timeout(Duration::from_secs(10), read).await.ok();
        }
    }

    /// All that was recorded so far.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        locked(&self.record).recorded.iter().map(|recorded| recorded.entry.clone()).collect()
    }

    /// How much was recorded so far.
    pub(crate) fn count(&self) -> usize {
        self.counter()()
    }

    /// When the first change came that was no repeat, since then.
    pub(crate) fn news_since(&self, since: Instant) -> Option<Instant> {
        let record = locked(&self.record);
        let later = record.recorded.iter().rev().take_while(|recorded| recorded.at >= since);
        let news = later.filter(|recorded| recorded.is_first && matches!(recorded.entry, Entry::Change(_)));
        news.last().map(|recorded| recorded.at)
    }

    /// Waits for a change of this document (`type/kind/entry_id`); when it came.
    ///
    /// # Errors
    /// None came within `patience`.
    pub(crate) async fn change_of(&self, document: &str, patience: Duration) -> Result<Instant> {
        let since = Instant::now();
        let is_it =
            |recorded: &Recorded| matches!(&recorded.entry, Entry::Change(change) if change.document == document);
        loop {
            // The newest first: it has just been written.
            let found =
                locked(&self.record).recorded.iter().rev().find(|recorded| is_it(recorded)).map(|found| found.at);
            if let Some(at) = found {
                return Ok(at);
            }
            if since.elapsed() > patience {
                bail!("no change of {document} was published within {patience:?}");
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Barriers of a collection so far: one for each partition, repeats left out.
    pub(crate) fn barriers(&self, operation: &str, collection: &str) -> usize {
        locked(&self.record).barriers.get(&(operation.to_owned(), collection.to_owned())).copied().unwrap_or_default()
    }

    /// Rows of snapshots so far, and how many of them came for the first time.
    pub(crate) fn rows(&self) -> (usize, usize) {
        locked(&self.record).rows
    }

    /// Waits for a change that is no repeat, since then; how long that took.
    ///
    /// # Errors
    /// None came within `patience`.
    pub(crate) async fn news(&self, since: Instant, patience: Duration) -> Result<Duration> {
        loop {
            if let Some(at) = self.news_since(since) {
                return Ok(at - since);
            }
            if since.elapsed() > patience {
                bail!("nothing new was published within {patience:?}");
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until nothing has come for so long.
    pub(crate) async fn settle(&self, quiet: Duration) {
        let mut count = self.count();
        loop {
            sleep(quiet).await;
            if self.count() == count {
                return;
            }
            count = self.count();
        }
    }

    /// [`Ledger::count`] for another task.
    pub(crate) fn counter(&self) -> impl Fn() -> usize + Send + 'static {
        let record = Arc::clone(&self.record);
        move || locked(&record).recorded.len()
    }

    /// Dead letters that wait for a person: the harness writes nothing that cannot be indexed.
    ///
    /// # Errors
    /// As the broker.
    pub(crate) async fn dead_letters(&self) -> Result<u32> {
        let passive = QueueDeclareOptions { passive: true, durable: true, ..Default::default() };
        let queue =
            channel(&self.uri).await?.queue_declare(DEAD_LETTERS.into(), passive, FieldTable::default()).await?;
        Ok(queue.message_count())
    }
}

async fn channel(uri: &str) -> Result<Channel> {
    let connection = Connection::connect(uri, ConnectionProperties::default()).await?;
    Ok(connection.create_channel().await?)
}

async fn bind(channel: &Channel, partition: u16) -> Result<()> {
    let (key, options) = (partition.to_string().into(), QueueBindOptions::default());
    Ok(channel.queue_bind(QUEUE.into(), EXCHANGE.into(), key, options, FieldTable::default()).await?)
}

fn locked(record: &Mutex<Record>) -> MutexGuard<'_, Record> {
    record.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One connection after another: the broker is among those that are killed.
async fn keep(uri: String, record: Arc<Mutex<Record>>) {
    loop {
        // What it fails with is a fault that the run makes itself.
        keep_over_one_connection(&uri, &record).await.ok();
        sleep(Duration::from_millis(300)).await;
    }
}

async fn keep_over_one_connection(uri: &str, record: &Mutex<Record>) -> Result<()> {
    let channel = timeout(Duration::from_secs(5), channel(uri)).await??;
    channel.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
    let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
    let mut deliveries = channel.basic_consume(QUEUE.into(), "ledger".into(), options, none).await?;
    while let Some(delivery) = deliveries.next().await {
        let delivery = delivery?;
        locked(record).take(Entry::read(&delivery)?, delivery.redelivered);
        channel.basic_ack(delivery.delivery_tag, BasicAckOptions::default()).await?;
    }
    Ok(())
}
