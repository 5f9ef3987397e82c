//! The ledger: a queue beside the pipeline's own that records every event which the producer relays, and what has to
//! be true of them, document by document.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions,
    QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, ExchangeKind};
use serde_json::Value;

use super::document::Key;
use super::history::{Act, Written};

/// As the contract names and declares it.
const EXCHANGE: &str = "twin.changes";
const DEAD_LETTERS: &str = "twin.dead-letters";
const QUEUE: &str = "chaos.ledger";

/// What stands in the queue, in order of publication.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Entry {
    /// A relayed change of a document. Rows of snapshots, sweeps and drops are not recorded.
    Change(Relayed),
    /// A producer is about to start, and this clusterTime is checkpointed.
    Start(i64),
}

/// One relayed change.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Relayed {
    /// The event's id.
    pub(crate) id: String,
    /// `type/kind/entry_id`.
    pub(crate) document: String,
    /// As on the wire.
    pub(crate) operation: String,
    /// As on the wire.
    pub(crate) revision: i64,
    /// The version that the document says it has.
    pub(crate) version: Option<i64>,
}

/// Records in the background until it is dropped.
pub(crate) struct Ledger {
    uri: String,
    entries: Arc<Mutex<Vec<Entry>>>,
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
        channel.queue_declare(QUEUE.into(), durable, quorum).await?;
        for partition in 0..partitions {
            let (options, none) = (QueueBindOptions::default(), FieldTable::default());
            channel.queue_bind(QUEUE.into(), EXCHANGE.into(), partition.to_string().into(), options, none).await?;
        }
        let entries = Arc::new(Mutex::new(Vec::new()));
        let recording = tokio::spawn(record(uri.to_owned(), Arc::clone(&entries)));
        Ok(Self { uri: uri.to_owned(), entries, recording })
    }

    /// Notes that a producer starts, behind all that was published before. A broker that is away takes no note, and
    /// then nothing is asked of the repeats after it.
    pub(crate) async fn note_start(&self, checkpoint: i64) {
        let note = async {
            let channel = channel(&self.uri).await?;
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            let note = serde_json::json!({ "checkpoint": checkpoint }).to_string();
            let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
            channel.basic_publish("".into(), QUEUE.into(), options, note.as_bytes(), properties).await?.await?;
            anyhow::Ok(())
        };
        tokio::time::timeout(Duration::from_secs(2), note).await.ok();
    }

    /// All that was recorded so far.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How much was recorded so far.
    pub(crate) fn count(&self) -> usize {
        self.counter()()
    }

    /// [`Ledger::count`] for another task.
    pub(crate) fn counter(&self) -> impl Fn() -> usize + Send + 'static {
        let entries = Arc::clone(&self.entries);
        move || entries.lock().unwrap_or_else(PoisonError::into_inner).len()
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

/// One connection after another: the broker is among those that are killed.
async fn record(uri: String, entries: Arc<Mutex<Vec<Entry>>>) {
    let mut seen = HashSet::new();
    loop {
        // What it fails with is a fault that the run makes itself.
        record_over_one_connection(&uri, &entries, &mut seen).await.ok();
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

async fn record_over_one_connection(uri: &str, entries: &Mutex<Vec<Entry>>, seen: &mut HashSet<String>) -> Result<()> {
    let channel = tokio::time::timeout(Duration::from_secs(5), channel(uri)).await??;
    let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
    let mut deliveries = channel.basic_consume(QUEUE.into(), "ledger".into(), options, none).await?;
    while let Some(delivery) = deliveries.next().await {
        let delivery = delivery?;
        if let Some(entry) = entry(&delivery)? {
            // A delivery that comes again after a lost connection is no repeat of the producer's.
            let again = matches!(&entry, Entry::Change(change) if delivery.redelivered && seen.contains(&change.id));
            if let Entry::Change(change) = &entry {
                seen.insert(change.id.clone());
            }
            if !again {
                entries.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
            }
        }
        channel.basic_ack(delivery.delivery_tag, BasicAckOptions::default()).await?;
    }
    Ok(())
}

fn entry(delivery: &Delivery) -> Result<Option<Entry>> {
    let encoding = delivery.properties.content_encoding().as_ref().map(ToString::to_string);
    let body = match encoding.as_deref() {
        Some("zstd") => zstd::decode_all(delivery.data.as_slice())?,
        _ => delivery.data.clone(),
    };
    let body: Value = serde_json::from_slice(&body)?;
    if let Some(checkpoint) = body["checkpoint"].as_i64() {
        return Ok(Some(Entry::Start(checkpoint)));
    }
    let text = |name: &str| body[name].as_str().map(str::to_owned);
    let operation = text("operation").context("operation")?;
    let (Some(kind), Some(entry_id), false) = (text("id_kind"), text("entry_id"), operation == "snapshot") else {
        return Ok(None);
    };
    Ok(Some(Entry::Change(Relayed {
        id: text("id").context("id")?,
        document: format!("{}/{kind}/{entry_id}", text("type").context("type")?),
        operation,
        revision: body["revision"].as_i64().context("revision")?,
        version: body["document"]["version"].as_i64(),
    })))
}

/// What the ledger says of a run.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Findings {
    /// Different events.
    pub(crate) events: usize,
    /// Events relayed again.
    pub(crate) repeats: usize,
    /// Most events relayed again after one start of a producer or one lost connection.
    pub(crate) longest_repeat: usize,
    /// What is wrong, a line each.
    pub(crate) faults: Vec<String>,
}

/// Most that a producer holds unconfirmed.
const WINDOW: usize = 2000;

/// Holds the record against what was written: nothing missing, nothing inverted, repeats only of what was not yet
/// checkpointed and no more in a row than the window holds.
pub(crate) fn check(entries: &[Entry], written: &BTreeMap<Key, Vec<Written>>) -> Findings {
    let mut findings = Findings::default();
    let (mut seen, mut firsts) = (HashSet::new(), BTreeMap::<&str, Vec<&Relayed>>::new());
    let (mut checkpoint, mut row) = (i64::MIN, 0);
    for entry in entries {
        let change = match entry {
            Entry::Start(reached) => {
                checkpoint = checkpoint.max(*reached);
                continue;
            }
            Entry::Change(change) => change,
        };
        if seen.insert(change.id.as_str()) {
            firsts.entry(&change.document).or_default().push(change);
            row = 0;
            continue;
        }
        row += 1;
        findings.repeats += 1;
        findings.longest_repeat = findings.longest_repeat.max(row);
        // Revisions of one clusterTime differ in the low byte only.
        if change.revision >> 8 <= checkpoint >> 8 {
            findings.faults.push(format!(
                "{} {} at {}: relayed again though checkpointed at {checkpoint}",
                change.operation, change.document, change.revision
            ));
        }
    }
    findings.events = seen.len();
    if findings.longest_repeat > WINDOW {
        findings.faults.push(format!("{} events relayed again in a row", findings.longest_repeat));
    }
    for (key, written) in written {
        let relayed = firsts.remove(key.to_string().as_str()).unwrap_or_default();
        findings.faults.extend(check_document(&relayed, written).into_iter().map(|fault| format!("{key}: {fault}")));
    }
    findings.faults.extend(firsts.keys().map(|document| format!("{document}: relayed and never written")));
    findings
}

fn check_document(relayed: &[&Relayed], written: &[Written]) -> Vec<String> {
    let mut faults = Vec::new();
    for pair in relayed.windows(2) {
        if pair[1].revision <= pair[0].revision {
            faults.push(format!("inverted: {} came after {}", pair[1].revision, pair[0].revision));
        }
    }
    let mut place = 0;
    for event in relayed {
        match written[place..].iter().position(|write| tells_of(event, write)) {
            Some(skipped) => {
                faults.extend(missing(written, place..place + skipped));
                place += skipped + 1;
            }
            None => faults.push(format!("{} of version {:?}: no such write", event.operation, event.version)),
        }
    }
    faults.extend(missing(written, place..written.len()));
    faults
}

/// The document of an update is looked up when it is relayed, and may be newer.
fn tells_of(event: &Relayed, write: &Written) -> bool {
    event.operation == write.act.name()
        && match write.act {
            Act::Delete => true,
            Act::Update => event.version.is_some_and(|version| version >= write.version),
            Act::Insert | Act::Replace => event.version == Some(write.version),
        }
}

/// An update that finds its document gone is not relayed: the delete that follows settles it.
fn missing(written: &[Written], places: std::ops::Range<usize>) -> Option<String> {
    let settled = |place: usize| {
        written[place].act == Act::Update && written[place..].iter().any(|later| later.act == Act::Delete)
    };
    let place = places.into_iter().find(|&place| !settled(place))?;
    Some(format!("missing: {} of version {}", written[place].act.name(), written[place].version))
}

#[cfg(test)]
mod tests {
    use super::super::document::{Collection, Id};
    use super::*;

    const ACTS: [(Act, i64); 4] = [(Act::Insert, 1), (Act::Update, 2), (Act::Delete, 2), (Act::Insert, 3)];

    fn written() -> BTreeMap<Key, Vec<Written>> {
        let key = Key { collection: Collection::Posts, id: Id::Int(1) };
        BTreeMap::from([(key, ACTS.map(|(act, version)| Written { act, version }).to_vec())])
    }

    fn change(number: i64, operation: &str, version: Option<i64>) -> Entry {
        let (id, document) = (number.to_string(), "posts/int/1".to_owned());
        Entry::Change(Relayed { id, document, operation: operation.into(), revision: number << 8, version })
    }

    fn relayed() -> Vec<Entry> {
        vec![
            change(1, "insert", Some(1)),
            change(2, "update", Some(2)),
            change(3, "delete", None),
            change(4, "insert", Some(3)),
        ]
    }

    fn faults(entries: &[Entry]) -> Vec<String> {
        check(entries, &written()).faults
    }

    #[test]
    fn a_faithful_record_has_no_faults() {
        assert_eq!(faults(&relayed()), [""; 0]);
        let mut repeated = relayed();
        repeated.extend(relayed());
        let findings = check(&repeated, &written());
        assert_eq!((findings.events, findings.repeats, findings.faults.len()), (4, 4, 0));
    }

    #[test]
    fn an_update_whose_document_was_gone_may_be_missing_and_nothing_else() {
        let without = |place: usize| {
            let mut entries = relayed();
            entries.remove(place);
            faults(&entries)
        };
        assert_eq!(without(1), [""; 0]);
        assert_eq!(without(2), ["posts/int/1: missing: delete of version 2"]);
        assert_eq!(without(3), ["posts/int/1: missing: insert of version 3"]);
    }

    #[test]
    fn an_inversion_is_seen() {
        let mut entries = relayed();
        entries.swap(0, 1);
        assert!(faults(&entries)[0].contains("inverted"));
    }

    #[test]
    fn a_repeat_of_what_was_checkpointed_is_seen() {
        let mut entries = relayed();
        entries.push(Entry::Start(3 << 8));
        entries.push(change(4, "insert", Some(3)));
        assert_eq!(faults(&entries), [""; 0]);
        entries.push(change(3, "delete", None));
        assert!(faults(&entries)[0].contains("though checkpointed"));
    }
}
