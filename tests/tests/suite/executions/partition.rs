//! A partition on a real queue whose consumer dies on a message, whose store stays away, or that another source's
//! events come to.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::ensure;
use consumer::{Partition, PartitionError, Passed, QdrantStore, Standing, StoreError, Swap, Synchronizer, VectorStore};
use lapin::options::{BasicGetOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use qdrant_client::QdrantError;
use qdrant_client::qdrant::{PointId, PointStruct};
use serde_json::{Value, json};
use shared::shutdown::CancellationToken;
use shared::topology::{self, DEAD_LETTERS, EXCHANGE};
use shared::{ChangeEvent, DocumentType, IdKind, Identity, Revision, body};
use tests::{eventually, rabbitmq};
use tokio::sync::Notify;
use tokio::time::timeout;
use uuid::Uuid;

use super::bench::{Bench, PARTITIONS, T, TICK};

/// Longest time for closing a connection.
const CLOSE: Duration = Duration::from_secs(1);

/// One queue, and the index that its events are for.
struct Line {
    bench: Bench,
    uri: String,
    channel: Channel,
    connection: Connection,
}

impl Line {
    async fn new() -> Self {
        let uri = rabbitmq().await.create_vhost(&format!("test-{}", Uuid::new_v4().simple())).await.unwrap();
        let connection = connect(&uri).await;
        let channel = connection.create_channel().await.unwrap();
        topology::declare(&channel, PARTITIONS).await.unwrap();
        Self { bench: Bench::new().await, uri, channel, connection }
    }

    async fn publish(&self, event: Value, source: Option<&str>) {
        let body = body::encode(&ChangeEvent::from_json(event.to_string().as_bytes()).unwrap()).unwrap();
        let mut headers = FieldTable::default();
        if let Some(source) = source {
            headers.insert("cloudEvents:source".into(), AMQPValue::LongString(source.into()));
        }
        let properties = BasicProperties::default().with_headers(headers).with_delivery_mode(2);
        let options = Default::default();
        self.channel.basic_publish(EXCHANGE.into(), "0".into(), options, &body.bytes, properties).await.unwrap();
    }

    fn consumer(&self, trouble: &Arc<Trouble>) -> Synchronizer<Troubled> {
        let store = Troubled { store: self.bench.store(), trouble: Arc::clone(trouble) };
        Synchronizer::new(store, self.bench.vectors.clone(), "fingerprint".into(), CancellationToken::new())
    }

    /// Consumes until `over`, then drains. What had ended by itself says why.
    async fn consume(
        &self,
        consumer: Synchronizer<Troubled>,
        over: impl Future<Output = bool>,
    ) -> Result<(), PartitionError> {
        let (connection, stop) = (connect(&self.uri).await, CancellationToken::new());
        let letters = connection.create_channel().await.unwrap();
        letters.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        let (connection, stopped) = (Arc::new(connection), stop.clone());
        let used = Arc::clone(&connection);
        let mut running =
            tokio::spawn(async move { Partition::consume(0, &used, letters, Arc::new(consumer), &stopped).await });
        let outcome = tokio::select! {
            ended = &mut running => ended.unwrap(),
            drained = over => {
                stop.cancel();
                if drained { running.await.unwrap() } else { running.abort(); Ok(()) }
            }
        };
        // Fails where a channel is just being closed, and sometimes never ends then; dropping it does.
        timeout(CLOSE, connection.close(200, "gone".into())).await.ok();
        outcome
    }

    /// Waits until the document's record stands at this revision.
    async fn until_stands(&self, entry_id: &str, revision: i64) -> bool {
        eventually(&format!("{entry_id} stands at {revision}"), || async {
            let standing = self.standing(entry_id).await;
            ensure!(standing.stored == Some(revision.into()), "{standing:?}");
            Ok(())
        })
        .await;
        true
    }

    async fn standing(&self, entry_id: &str) -> Standing {
        let identity = identity(entry_id);
        self.bench.store().standings(std::slice::from_ref(&identity)).await.unwrap().remove(&identity).unwrap()
    }

    /// Reasons of the dead letters, in order.
    async fn letters(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        let options = BasicGetOptions { no_ack: true };
        while let Some(letter) = self.channel.basic_get(DEAD_LETTERS.into(), options).await.unwrap() {
            let headers = letter.properties.headers().clone().unwrap_or_default();
            let Some(AMQPValue::LongString(reason)) = headers.inner().get("x-twin-reason") else {
                panic!("{headers:?}")
            };
            reasons.push(String::from_utf8_lossy(reason.as_bytes()).into_owned());
        }
        reasons
    }

    /// Messages that are in the queue and with no consumer.
    async fn waiting(&self) -> u32 {
        let options = QueueDeclareOptions { passive: true, ..Default::default() };
        let queue = topology::partition_queue(0).into();
        self.channel.queue_declare(queue, options, FieldTable::default()).await.unwrap().message_count()
    }
}

async fn connect(uri: &str) -> Connection {
    Connection::connect(uri, ConnectionProperties::default()).await.unwrap()
}

fn identity(entry_id: &str) -> Identity {
    Identity { document_type: DocumentType::Posts, id_kind: IdKind::Str, entry_id: entry_id.into() }
}

fn insert(entry_id: &str, revision: i64) -> Value {
    json!({"id": Uuid::new_v4(), "operation": "insert", "type": "posts", "id_kind": "str", "entry_id": entry_id,
        "revision": revision, "occurred_at": "", "document": {"content": entry_id}})
}

fn sweep(revision: i64) -> Value {
    json!({"id": Uuid::new_v4(), "operation": "sweep", "type": "posts", "revision": revision, "occurred_at": ""})
}

/// What is wrong with a store or, in place of their consumer's process, with documents.
#[derive(Default)]
struct Trouble {
    /// Its consumer dies when the chunks of this document are to be written.
    deadly: Vec<&'static str>,
    died: Notify,
    away: AtomicBool,
}

struct Troubled {
    store: QdrantStore,
    trouble: Arc<Trouble>,
}

impl Troubled {
    fn answers(&self) -> Result<(), StoreError> {
        let away = self.trouble.away.load(Ordering::SeqCst);
        if away { Err(QdrantError::Io(std::io::Error::other("away")).into()) } else { Ok(()) }
    }
}

impl VectorStore for Troubled {
    async fn standings(&self, identities: &[Identity]) -> Result<HashMap<Identity, Standing>, StoreError> {
        self.answers()?;
        self.store.standings(identities).await
    }
    async fn put_chunks(&self, points: Vec<PointStruct>) -> Result<(), StoreError> {
        self.answers()?;
        let of =
            |point: &PointStruct| point.payload["entry_id"].as_str().map(String::as_str).unwrap_or_default().to_owned();
        if points.iter().any(|point| self.trouble.deadly.contains(&of(point).as_str())) {
            self.trouble.died.notify_one();
            std::future::pending::<()>().await;
        }
        self.store.put_chunks(points).await
    }
    async fn swap(&self, swaps: &[Swap]) -> Result<(), StoreError> {
        self.answers()?;
        self.store.swap(swaps).await
    }
    async fn chunks_of(&self, identity: &Identity) -> Result<Vec<(Uuid, Revision)>, StoreError> {
        self.answers()?;
        self.store.chunks_of(identity).await
    }
    async fn dense_vectors(&self, ids: &[Uuid]) -> Result<HashMap<Uuid, Vec<f32>>, StoreError> {
        self.answers()?;
        self.store.dense_vectors(ids).await
    }
    async fn delete_chunks(&self, ids: &[Uuid]) -> Result<(), StoreError> {
        self.answers()?;
        self.store.delete_chunks(ids).await
    }
    async fn recorded(
        &self,
        document_type: DocumentType,
        partition: u16,
        from: Option<PointId>,
    ) -> Result<(Vec<Identity>, Option<PointId>), StoreError> {
        self.answers()?;
        self.store.recorded(document_type, partition, from).await
    }
    async fn purge(&self, tombstones: &[(Identity, Revision)]) -> Result<(), StoreError> {
        self.answers()?;
        self.store.purge(tombstones).await
    }
    async fn bind(&self, source: &str) -> Result<String, StoreError> {
        self.answers()?;
        self.store.bind(source).await
    }
    async fn trials(&self, partition: u16, message: &str) -> Result<u32, StoreError> {
        self.answers()?;
        self.store.trials(partition, message).await
    }
    async fn set_trials(&self, partition: u16, message: &str, trials: u32) -> Result<(), StoreError> {
        self.answers()?;
        self.store.set_trials(partition, message, trials).await
    }
    async fn passed(&self, of: DocumentType, partition: u16, barrier: Uuid) -> Result<Option<Passed>, StoreError> {
        self.answers()?;
        self.store.passed(of, partition, barrier).await
    }
    async fn note_passed(
        &self,
        document_type: DocumentType,
        partition: u16,
        barrier: Uuid,
        passed: &Passed,
    ) -> Result<(), StoreError> {
        self.answers()?;
        self.store.note_passed(document_type, partition, barrier, passed).await
    }
    async fn raise_floor(&self, document_type: DocumentType, partition: u16, to: Revision) -> Result<(), StoreError> {
        self.answers()?;
        self.store.raise_floor(document_type, partition, to).await
    }
}

/// Execution 8. Each crash gives back all that was held, so that neighbours were redelivered as often as what killed.
#[tokio::test(flavor = "multi_thread")]
async fn what_ends_its_consumer_again_and_again_is_a_dead_letter_and_its_neighbours_are_not() {
    let line = Line::new().await;
    for (entry_id, revision) in [("before", T), ("poison", T + 1), ("poison too", T + 2), ("after", T + 3)] {
        line.publish(insert(entry_id, revision), None).await;
    }
    let trouble = Arc::new(Trouble { deadly: vec!["poison", "poison too"], ..Trouble::default() });
    let mut deaths = 0;
    loop {
        let over = async {
            tokio::select! {
                () = trouble.died.notified() => { deaths += 1; false }
                stands = line.until_stands("after", T + 3) => stands,
            }
        };
        Box::pin(line.consume(line.consumer(&trouble), over)).await.unwrap();
        if line.standing("after").await.stored.is_some() {
            break;
        }
    }
    assert_eq!(deaths, 17, "three with others, seven alone each");
    assert_eq!(line.letters().await, ["crash", "crash"]);
    for (entry_id, failed) in [("before", false), ("poison", true), ("poison too", true), ("after", false)] {
        let manifest = line.standing(entry_id).await.manifest.unwrap();
        assert_eq!(manifest.error.is_some(), failed, "{manifest:?}");
    }
    line.connection.close(200, "over".into()).await.unwrap();
}

/// After its patience (ten minutes, here one second) nothing is held from the broker, and nothing was given up.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_stays_away_is_waited_for_and_no_document_is_at_fault() {
    let line = Line::new().await;
    let trouble = Arc::new(Trouble::default());
    trouble.away.store(true, Ordering::SeqCst);
    line.publish(insert("one", T), None).await;
    line.publish(sweep(T), None).await;
    for _ in 0..5 {
        let consumer = line.consumer(&trouble).waiting(Duration::from_millis(200));
        let outcome = line.consume(consumer, std::future::pending()).await;
        assert!(matches!(outcome, Err(PartitionError::Store(StoreError::Away { .. }))), "{outcome:?}");
        eventually("both are back in the queue", || async {
            let waiting = line.waiting().await;
            ensure!(waiting == 2, "{waiting}");
            Ok(())
        })
        .await;
    }
    trouble.away.store(false, Ordering::SeqCst);
    line.publish(insert("two", T + TICK), None).await;
    Box::pin(line.consume(line.consumer(&trouble), line.until_stands("two", T + TICK))).await.unwrap();
    assert_eq!(line.standing("one").await.stored, Some(T.into()));
    assert!(line.letters().await.is_empty());
    assert_eq!(line.waiting().await, 0);
}

/// A producer that was pointed at another database by mistake must not empty the index by the sweep of its snapshot.
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_from_another_source_is_a_dead_letter_and_changes_nothing() {
    let line = Line::new().await;
    line.publish(insert("one", T), Some("/mongodb/twin/posts")).await;
    line.publish(insert("one", T + TICK), Some("/mongodb/twim/posts")).await;
    line.publish(sweep(T + 2 * TICK), Some("/mongodb/twim/posts")).await;
    line.publish(insert("two", T), None).await;
    let trouble = Arc::default();
    Box::pin(line.consume(line.consumer(&trouble), line.until_stands("two", T))).await.unwrap();
    assert_eq!(line.letters().await, ["foreign source", "foreign source"]);
    let standing = line.standing("one").await;
    assert!(standing.stored == Some(T.into()) && !standing.deleted, "{standing:?}");
    assert_eq!(standing.floor, None);
    assert_eq!(line.bench.store().source().await.unwrap().as_deref(), Some("/mongodb/twin"));
}
