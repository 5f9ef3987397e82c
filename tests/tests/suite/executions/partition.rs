//! A partition on a real queue whose consumer dies on a message, whose store stays away, or that another source's
//! events come to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::ensure;
use consumer::{Partition, PartitionError, Standing, StoreError, Synchronizer, VectorStore};
use futures_util::StreamExt;
use lapin::options::{BasicGetOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use qdrant_client::QdrantError;
use rand::SeedableRng as _;
use rand::distr::{Alphanumeric, SampleString as _};
use rand::rngs::StdRng;
use serde_json::{Value, json};
use shared::shutdown::CancellationToken;
use shared::topology::{self, DEAD_LETTERS, EXCHANGE};
use shared::{ChangeEvent, DocumentType, IdKind, Identity, body};
use tests::{Call, Watch, WatchedStore, eventually, rabbitmq};
use tokio::sync::Notify;
use tokio::time::timeout;
use uuid::Uuid;

use super::bench::{Bench, PARTITIONS, T, TICK};

/// Longest time for closing a connection.
const CLOSE: Duration = Duration::from_secs(1);

/// Within this a trial that is not held up reaches its chunks.
const TRIAL: Duration = Duration::from_secs(3);

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
        self.publish_to(0, event, source).await;
    }

    async fn publish_to(&self, partition: u16, event: Value, source: Option<&str>) {
        let body = body::encode(&ChangeEvent::from_json(event.to_string().as_bytes()).unwrap()).unwrap();
        let mut headers = FieldTable::default();
        if let Some(source) = source {
            headers.insert("cloudEvents:source".into(), AMQPValue::LongString(source.into()));
        }
        let properties = BasicProperties::default().with_headers(headers).with_delivery_mode(2);
        let options = Default::default();
        let key = partition.to_string().into();
        self.channel.basic_publish(EXCHANGE.into(), key, options, &body.bytes, properties).await.unwrap();
    }

    /// Three consumers had the first message of this partition before ours.
    async fn redeliver(&self, partition: u16) {
        for _ in 0..3 {
            let channel = self.connection.create_channel().await.unwrap();
            let (queue, arguments) = (topology::partition_queue(partition), FieldTable::default());
            let mut deliveries =
                channel.basic_consume(queue.into(), "test".into(), Default::default(), arguments).await.unwrap();
            deliveries.next().await.unwrap().unwrap();
            channel.close(200, "given back".into()).await.unwrap();
        }
    }

    fn consumer(&self, trouble: &Arc<Trouble>) -> Synchronizer<WatchedStore<Arc<Trouble>>> {
        let store = WatchedStore { store: self.bench.store(), watch: Arc::clone(trouble) };
        Synchronizer::new(store, self.bench.vectors.clone(), "fingerprint".into(), CancellationToken::new())
    }

    /// Consumes until `over`, then drains. What had ended by itself says why.
    async fn consume(
        &self,
        consumer: Synchronizer<WatchedStore<Arc<Trouble>>>,
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

impl Watch for Trouble {
    async fn around<T: Send>(
        &self,
        call: Call<'_>,
        request: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        if self.away.load(Ordering::SeqCst) {
            return Err(QdrantError::Io(std::io::Error::other("away")).into());
        }
        if let Call::PutChunks(points) = call {
            let mut of = points.iter().filter_map(|point| point.payload["entry_id"].as_str());
            if of.any(|entry_id| self.deadly.contains(&entry_id.as_str())) {
                self.died.notify_one();
                std::future::pending::<()>().await;
            }
        }
        request.await
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

/// Whoever is about to write chunks waits until it is let.
#[derive(Default)]
struct Gate {
    reached: Notify,
    open: Notify,
}

impl Watch for Gate {
    async fn around<T: Send>(
        &self,
        call: Call<'_>,
        request: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        if let Call::PutChunks(_) = call {
            self.reached.notify_one();
            self.open.notified().await;
        }
        request.await
    }
}

/// Execution 8, of partitions that share a process: what ends it would be counted against every suspect that is tried.
#[tokio::test(flavor = "multi_thread")]
async fn suspects_of_two_partitions_are_not_tried_at_the_same_time() {
    let line = Line::new().await;
    topology::declare(&line.channel, 2).await.unwrap();
    for (partition, entry_id) in [(0, "left"), (1, "right")] {
        line.publish_to(partition, insert(entry_id, T), None).await;
        line.redeliver(partition).await;
    }
    let gate: Arc<Gate> = Arc::default();
    let store = WatchedStore { store: line.bench.store(), watch: Arc::clone(&gate) };
    let vectors = line.bench.vectors.clone();
    let consumer = Arc::new(Synchronizer::new(store, vectors, "fingerprint".into(), CancellationToken::new()));
    let (connection, stop) = (Arc::new(connect(&line.uri).await), CancellationToken::new());
    let letters = connection.create_channel().await.unwrap();
    letters.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let running = [0, 1].map(|partition| {
        let (connection, stop) = (Arc::clone(&connection), stop.clone());
        let (letters, consumer) = (letters.clone(), Arc::clone(&consumer));
        tokio::spawn(async move { Partition::consume(partition, &connection, letters, consumer, &stop).await })
    });
    gate.reached.notified().await;
    assert!(timeout(TRIAL, gate.reached.notified()).await.is_err(), "both are being tried");
    gate.open.notify_one();
    gate.reached.notified().await;
    gate.open.notify_one();
    for entry_id in ["left", "right"] {
        line.until_stands(entry_id, T).await;
    }
    stop.cancel();
    for partition in running {
        partition.await.unwrap().unwrap();
    }
}

/// All that is held is in the client's memory, each up to 15 MiB. The consumer stops at a document's chunks, when the
/// broker has long since given it whatever it is to hold.
#[tokio::test(flavor = "multi_thread")]
async fn many_deliveries_are_held_of_small_bodies_and_few_of_large_ones() {
    let trouble = Arc::new(Trouble { deadly: vec!["20", "30"], ..Trouble::default() });
    let (small, large) = (Line::new().await, Line::new().await);
    for number in 0..200 {
        small.publish(insert(&number.to_string(), T + number), None).await;
    }
    let many = async {
        trouble.died.notified().await;
        eventually("a prefetch is held behind what is done", || async {
            let waiting = small.waiting().await;
            ensure!(waiting <= 200 - 128, "{waiting} wait");
            Ok(())
        })
        .await;
        false
    };
    Box::pin(small.consume(small.consumer(&trouble), many)).await.unwrap();

    let mut random = StdRng::seed_from_u64(1);
    for number in (0..20).chain(21..60) {
        let mut event = insert(&number.to_string(), T + number);
        if number < 30 {
            event["document"]["scan"] = Alphanumeric.sample_string(&mut random, 8 << 20).into();
        }
        large.publish(event, None).await;
    }
    let few = async {
        trouble.died.notified().await;
        let waiting = large.waiting().await;
        assert!(waiting >= 30 - 8, "{waiting} wait");
        false
    };
    Box::pin(large.consume(large.consumer(&trouble), few)).await.unwrap();
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
