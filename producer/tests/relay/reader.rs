//! A reader of everything that the relay publishes.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, QueueBindOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, ConnectionProperties};
use serde_json::Value;
use shared::{ChangeEvent, DocumentType, Operation, Revision, body, topology};
use tokio::sync::mpsc;

use crate::bench::PARTITIONS;
use crate::deadline::PATIENCE;

/// A message as it arrived.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) partition: u16,
    pub(crate) event: ChangeEvent,
}

/// Consumes every queue.
pub(crate) struct Reader {
    /// It ends with the reader.
    _connection: Connection,
    pub(crate) channel: Channel,
    messages: mpsc::UnboundedReceiver<(String, Delivery)>,
    /// All that has arrived so far.
    pub(crate) arrived: Vec<Arrived>,
    /// All dead letters so far.
    pub(crate) dead: Vec<Delivery>,
}

impl Reader {
    /// Declares the topology, so that it may come before the producer. A broker that was just killed may need a while.
    pub(crate) async fn open(uri: &str) -> Self {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match Self::try_open(uri).await {
                Ok(reader) => return reader,
                Err(error) => assert!(Instant::now() < deadline, "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn try_open(uri: &str) -> lapin::Result<Self> {
        let connection = Connection::connect(uri, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        topology::declare(&channel, PARTITIONS).await?;
        let (sender, messages) = mpsc::unbounded_channel();
        let queues = (0..PARTITIONS).map(topology::partition_queue).chain([topology::DEAD_LETTERS.to_owned()]);
        for queue in queues {
            let options = BasicConsumeOptions::default();
            let consumed = channel.basic_consume(queue.clone().into(), "".into(), options, FieldTable::default());
            let mut consumer = consumed.await?;
            let sender = sender.clone();
            tokio::spawn(async move {
                while let Some(Ok(delivery)) = consumer.next().await {
                    let _ = delivery.ack(BasicAckOptions::default()).await;
                    let _ = sender.send((queue.clone(), delivery));
                }
            });
        }
        Ok(Self { _connection: connection, channel, messages, arrived: Vec::new(), dead: Vec::new() })
    }

    /// Reads on until it holds for all that has arrived.
    pub(crate) async fn until(&mut self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !holds(self) {
            match tokio::time::timeout_at(deadline, self.messages.recv()).await {
                Ok(Some((queue, delivery))) => self.take(&queue, delivery),
                ended => panic!("{ended:?} before: {what}; arrived: {:#?}", self.summary()),
            }
        }
    }

    /// Reads what arrives until nothing has for so long.
    pub(crate) async fn settle(&mut self, quiet: Duration) {
        while let Ok(Some((queue, delivery))) = tokio::time::timeout(quiet, self.messages.recv()).await {
            self.take(&queue, delivery);
        }
    }

    fn take(&mut self, queue: &str, delivery: Delivery) {
        let Some(partition) = queue.strip_prefix("twin.changes.").and_then(|partition| partition.parse().ok()) else {
            assert_letter(&delivery);
            return self.dead.push(delivery);
        };
        let encoding = delivery.properties.content_encoding().as_ref().map(|encoding| encoding.as_str());
        let event = body::decode(&delivery.data, encoding).expect("a change event");
        if delivery.data.len() < MAX_VALIDATED {
            let json = body::decompressed(&delivery.data, encoding).expect("a body");
            let json: Value = serde_json::from_slice(&json).expect("JSON");
            SCHEMA.validate(&json).unwrap_or_else(|error| panic!("{error}: {json}"));
        }
        assert_cloud_event(&event, &delivery);
        assert_eq!(
            delivery.properties.message_id().as_ref().map(|id| id.as_str().to_owned()),
            Some(event.id.to_string())
        );
        assert_eq!(*delivery.properties.delivery_mode(), Some(2));
        if let Some(identity) = event.identity() {
            assert_eq!(identity.partition(PARTITIONS), partition, "{identity}");
        }
        self.arrived.push(Arrived { partition, event });
    }

    /// How often an operation has arrived for a collection.
    pub(crate) fn count(&self, operation: Operation, collection: &str) -> usize {
        let matches = |arrived: &&Arrived| {
            arrived.event.operation == operation && arrived.event.document_type().as_str() == collection
        };
        self.arrived.iter().filter(matches).count()
    }

    /// How many sweeps have arrived, of any type.
    pub(crate) fn sweeps(&self) -> usize {
        self.arrived.iter().filter(|arrived| arrived.event.operation == Operation::Sweep).count()
    }

    /// Whether so many snapshots of every type have ended.
    pub(crate) fn is_swept(&self, times: usize) -> bool {
        let sweeps = |known: DocumentType| self.count(Operation::Sweep, known.as_str());
        DocumentType::ALL.into_iter().all(|known| sweeps(known) >= times * usize::from(PARTITIONS))
    }

    /// The events of one document, in the order of their arrival.
    pub(crate) fn of(&self, collection: &str, entry_id: &str) -> Vec<&ChangeEvent> {
        let matches = |event: &&ChangeEvent| {
            event
                .identity()
                .is_some_and(|identity| identity.document_type.as_str() == collection && identity.entry_id == entry_id)
        };
        self.arrived.iter().map(|arrived| &arrived.event).filter(matches).collect()
    }

    /// What a consumer is left with of a collection: of each document its last event, unless a later barrier took it
    /// away.
    pub(crate) fn standing(&self, collection: &str) -> BTreeMap<String, Value> {
        let events = self.arrived.iter().map(|arrived| &arrived.event);
        let events: Vec<_> = events.filter(|event| event.document_type().as_str() == collection).collect();
        let barriers = events.iter().filter(|event| event.operation.is_barrier()).map(|event| event.revision);
        let floor = barriers.max();
        let mut last = BTreeMap::new();
        for event in events {
            let Some(identity) = event.identity() else { continue };
            let former = last.get(&identity.entry_id).map_or(Revision::ZERO, |former: &&ChangeEvent| former.revision);
            if event.revision > former && Some(event.revision) >= floor {
                last.insert(identity.entry_id.clone(), event);
            }
        }
        let documents = last.into_iter().filter_map(|(id, event)| Some((id, event.document.clone()?)));
        documents.map(|(id, document)| (id, Value::Object(document))).collect()
    }

    /// First arrivals of each document's changes are in the order of their revisions.
    pub(crate) fn assert_no_inversion(&self) {
        let mut highest = std::collections::HashMap::new();
        let mut seen = std::collections::HashSet::new();
        for Arrived { event, .. } in &self.arrived {
            let Some(identity) = event.identity() else { continue };
            if !seen.insert(event.id) || event.operation == Operation::Snapshot {
                continue;
            }
            let former = highest.insert(identity.clone(), event.revision);
            assert!(former < Some(event.revision), "{identity}: {former:?} before {}", event.revision);
        }
    }

    fn summary(&self) -> Vec<String> {
        let line = |arrived: &Arrived| {
            let event = &arrived.event;
            format!("{} {} {:?} {}", arrived.partition, event.operation.as_str(), event.subject, event.revision)
        };
        self.arrived.iter().rev().take(20).map(line).collect()
    }

    /// Unbinds a partition's queue: its messages find no way.
    pub(crate) async fn unbind(&self, partition: u16) {
        let (queue, key) = (topology::partition_queue(partition), partition.to_string());
        let unbound =
            self.channel.queue_unbind(queue.into(), topology::EXCHANGE.into(), key.into(), FieldTable::default());
        unbound.await.expect("unbind");
    }

    /// Binds it again.
    pub(crate) async fn bind(&self, partition: u16) {
        let (queue, key) = (topology::partition_queue(partition), partition.to_string());
        let (options, arguments) = (QueueBindOptions::default(), FieldTable::default());
        self.channel
            .queue_bind(queue.into(), topology::EXCHANGE.into(), key.into(), options, arguments)
            .await
            .expect("bind");
    }
}

/// Bodies of more bytes are not held against the schema: that takes seconds.
const MAX_VALIDATED: usize = 1 << 20;

/// Every event that any of these tests sees is held against it.
static SCHEMA: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
    let schema = serde_json::from_str(include_str!("../../../shared/change-event.schema.json")).expect("a schema");
    jsonschema::validator_for(&schema).expect("a schema")
});

fn assert_cloud_event(event: &ChangeEvent, delivery: &Delivery) {
    let operation = event.operation.as_str();
    assert_eq!(header(delivery, "cloudEvents:specversion"), "1.0");
    assert_eq!(header(delivery, "cloudEvents:id"), event.id.to_string());
    assert_eq!(header(delivery, "cloudEvents:type"), format!("llm-twin.change.{operation}"));
    assert_eq!(header(delivery, "cloudEvents:time"), event.occurred_at);
    let source = header(delivery, "cloudEvents:source");
    assert!(source.starts_with("/mongodb/") && source.ends_with(event.document_type().as_str()), "{source}");
    let trace = header(delivery, "traceparent");
    let parts: Vec<_> = trace.split('-').map(str::len).collect();
    assert!(parts == [2, 32, 16, 2] && trace.starts_with("00-"), "{trace}");
}

/// What a dead letter of the producer's says of itself.
fn assert_letter(letter: &Delivery) {
    for name in ["x-twin-reason", "x-twin-error"] {
        assert!(!header(letter, name).is_empty(), "{name}");
    }
    assert_eq!(header(letter, "x-twin-stage"), "map");
    let encoding = letter.properties.content_encoding().as_ref().map(|encoding| encoding.as_str());
    let body = body::decompressed(&letter.data, encoding).expect("a body");
    let content: Value = serde_json::from_slice(&body).expect("JSON");
    for name in ["operation", "type", "_id", "occurred_at"] {
        assert!(content.get(name).is_some(), "{name}: {content}");
    }
    assert!(letter.properties.message_id().is_some() && *letter.properties.delivery_mode() == Some(2));
}

/// The text of a header.
pub(crate) fn header(delivery: &Delivery, name: &str) -> String {
    let headers = delivery.properties.headers().as_ref().expect("headers");
    match headers.inner().get(name) {
        Some(AMQPValue::LongString(text)) => String::from_utf8_lossy(text.as_bytes()).into_owned(),
        other => format!("{other:?}"),
    }
}
