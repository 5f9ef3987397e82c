//! A relay to put on the bench: its own database and virtual host on servers that all tests of this process share,
//! the built program as a process of its own, and a reader of everything that it publishes.

#![allow(dead_code, reason = "no test file uses all of it")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use bson::{RawArrayBuf, RawDocumentBuf, rawdoc};
use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, QueueBindOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, ConnectionProperties};
use local::{Installation, MongoDb, MongoDbOptions, Progress, RabbitMq};
use mongodb::bson::{Document, doc};
use mongodb::{Client, Collection, Database};
use serde_json::Value;
use shared::{ChangeEvent, DocumentType, Operation, Revision, body, topology};
use tokio::sync::mpsc;

/// The number of partitions in these tests.
pub(crate) const PARTITIONS: u16 = 4;
/// Longest wait for anything: generous, since other builds share the machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The servers that the tests of this process share. They end with it.
struct Servers {
    installation: Installation,
    mongodb: MongoDb,
    rabbitmq: RabbitMq,
}

static SERVERS: LazyLock<Servers> = LazyLock::new(|| {
    // A runtime of its own, so that no test's end takes the servers along.
    let start = || {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("runtime");
        let servers = runtime.block_on(async {
            let installation = installation().await;
            let mongodb = MongoDb::start(&installation, MongoDbOptions::default()).await.expect("mongod");
            let rabbitmq = RabbitMq::start(&installation).await.expect("rabbitmq");
            Servers { installation, mongodb, rabbitmq }
        });
        std::mem::forget(runtime);
        servers
    };
    std::thread::spawn(start).join().expect("servers start")
});

static TESTS: AtomicU32 = AtomicU32::new(0);

/// The provisioned programs.
pub(crate) async fn installation() -> Installation {
    Box::pin(local::provision(&local::default_cache(), &Progress::quiet())).await.expect("provisioning")
}

fn servers() -> &'static Servers {
    tokio::task::block_in_place(|| &*SERVERS)
}

/// A MongoDB of one's own, whose answers a test can script.
pub(crate) async fn scripted_mongodb() -> MongoDb {
    let arguments = ["--setParameter", "enableTestCommands=1"].map(str::to_owned).to_vec();
    let options = MongoDbOptions { arguments, ..MongoDbOptions::default() };
    MongoDb::start(&installation().await, options).await.expect("mongod")
}

/// One relay and all around it.
pub(crate) struct Bench {
    pub(crate) name: String,
    pub(crate) database: Database,
    pub(crate) mongodb_uri: String,
    pub(crate) rabbitmq_uri: String,
    pub(crate) client: Client,
}

/// Name by which the program's connections are known to MongoDB.
const APP_NAME: &str = "llm-twin producer";

impl Bench {
    /// A new database on the shared MongoDB, a new virtual host on the shared broker.
    pub(crate) async fn new() -> Self {
        Self::with_mongodb(&servers().mongodb).await
    }

    /// The same with a broker of the caller's.
    pub(crate) async fn over(rabbitmq: &RabbitMq) -> Self {
        let name = format!("relay{}", TESTS.fetch_add(1, Ordering::Relaxed));
        Self::with_servers(name, servers().mongodb.uri(), rabbitmq.uri()).await
    }

    /// The same with a MongoDB of the caller's.
    pub(crate) async fn with_mongodb(mongodb: &MongoDb) -> Self {
        let name = format!("relay{}", TESTS.fetch_add(1, Ordering::Relaxed));
        let rabbitmq_uri = servers().rabbitmq.create_vhost(&name).await.expect("vhost");
        Self::with_servers(name, mongodb.uri(), &rabbitmq_uri).await
    }

    async fn with_servers(name: String, mongodb_uri: &str, rabbitmq_uri: &str) -> Self {
        let client = Client::with_uri_str(mongodb_uri).await.expect("client");
        Self {
            database: client.database(&name),
            name,
            mongodb_uri: mongodb_uri.to_owned(),
            rabbitmq_uri: rabbitmq_uri.to_owned(),
            client,
        }
    }

    /// From here on a [`scripted_mongodb`] answers this command of the program with an error of this code, in one
    /// collection or wherever it is sent.
    pub(crate) async fn fail(&self, command: &str, namespace: Option<&str>, code: i32) {
        let mut data = doc! {"failCommands": [command], "errorCode": code, "appName": APP_NAME};
        data.extend(namespace.map(|namespace| doc! {"namespace": namespace}).unwrap_or_default());
        self.fail_point(doc! {"configureFailPoint": "failCommand", "mode": "alwaysOn", "data": data}).await;
    }

    /// The same for every other such command, by chance.
    pub(crate) async fn fail_half(&self, command: &str, code: i32) {
        let data = doc! {"failCommands": [command], "errorCode": code, "appName": APP_NAME};
        let mode = doc! {"activationProbability": 0.5};
        self.fail_point(doc! {"configureFailPoint": "failCommand", "mode": mode, "data": data}).await;
    }

    /// From here on a [`scripted_mongodb`] takes so long for each such command of the program.
    pub(crate) async fn delay(&self, command: &str, by: Duration) {
        let millis = i64::try_from(by.as_millis()).expect("milliseconds");
        let data =
            doc! {"failCommands": [command], "blockConnection": true, "blockTimeMS": millis, "appName": APP_NAME};
        self.fail_point(doc! {"configureFailPoint": "failCommand", "mode": "alwaysOn", "data": data}).await;
    }

    /// From here on it works again.
    pub(crate) async fn mend(&self) {
        self.fail_point(doc! {"configureFailPoint": "failCommand", "mode": "off"}).await;
    }

    async fn fail_point(&self, command: Document) {
        self.client.database("admin").run_command(command).await.expect("fail point");
    }

    /// All connections of the program to the broker are closed; its queues are lost.
    pub(crate) async fn close_connections(&self) {
        servers().rabbitmq.delete_vhost(&self.name).await.expect("vhost deleted");
        servers().rabbitmq.create_vhost(&self.name).await.expect("vhost");
    }

    /// A watched collection.
    pub(crate) fn collection(&self, name: &str) -> Collection<Document> {
        self.database.collection(name)
    }

    /// Inserts a document as it is, which no driver would write.
    pub(crate) async fn insert_raw(&self, collection: &str, document: RawDocumentBuf) {
        let documents: RawArrayBuf = [document].into_iter().collect();
        let insert = rawdoc! {"insert": collection, "documents": documents};
        self.database.run_raw_command(insert).await.expect("insert");
    }

    /// The stored checkpoint, if it has a position.
    pub(crate) async fn checkpoint(&self) -> Option<Document> {
        let checkpoints = self.client.database("twin_cdc").collection::<Document>("checkpoints");
        let stored = checkpoints.find_one(doc! {"_id": &self.name}).await.expect("checkpoint")?;
        stored.contains_key("position").then_some(stored)
    }

    /// The program with this bench's settings.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_producer"));
        command
            .env_clear()
            .current_dir(std::env::temp_dir())
            .env("MONGODB_URI", &self.mongodb_uri)
            .env("MONGODB_DATABASE", &self.name)
            .env("RABBITMQ_URI", &self.rabbitmq_uri)
            .env("PARTITIONS", PARTITIONS.to_string())
            .env("PRODUCER_HTTP_LISTEN", "127.0.0.1:0");
        command
    }

    /// Starts the program.
    pub(crate) fn start(&self) -> Producer {
        Producer::spawn(self.command().arg("run"))
    }

    /// Reads everything that is published from now on, and what is in the queues.
    pub(crate) async fn read(&self) -> Reader {
        Reader::open(&self.rabbitmq_uri).await
    }
}

/// What the program has logged so far.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<String>>);

impl Log {
    fn of(stderr: ChildStderr) -> Self {
        let log = Self::default();
        let lines = log.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                lines.0.lock().expect("log").push_str(&(line + "\n"));
            }
        });
        log
    }

    /// Waits until it contains this.
    pub(crate) async fn until(&self, text: &str) {
        eventually(text, async || self.0.lock().expect("log").contains(text)).await;
    }
}

/// The program as a process; killed when dropped.
pub(crate) struct Producer(Child);

impl Producer {
    /// Starts it.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::null()).spawn().expect("producer starts"))
    }

    /// Starts it and reads what it logs.
    pub(crate) fn spawn_logged(command: &mut Command) -> (Self, Log) {
        let mut producer = Self::spawn(command.stderr(Stdio::piped()));
        let log = Log::of(producer.0.stderr.take().expect("stderr"));
        (producer, log)
    }

    /// kill -9.
    pub(crate) fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }

    /// SIGTERM, and the exit code.
    pub(crate) async fn stop(&mut self) -> Option<i32> {
        self.signal("-TERM");
        self.ended().await
    }

    /// Sends a signal by its flag: `-STOP`, `-CONT`, `-TERM`.
    pub(crate) fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.0.id().to_string()]).status().expect("kill");
        assert!(sent.success());
    }

    /// Its exit code, once it has ended.
    pub(crate) async fn ended(&mut self) -> Option<i32> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.0.try_wait().expect("wait") {
                return status.code();
            }
            assert!(Instant::now() < deadline, "the producer did not end");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What a finished program said and its exit code.
pub(crate) fn output(command: &mut Command) -> (Option<i32>, String) {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    let status = child.wait().expect("ends");
    let mut said = String::new();
    child.stdout.take().expect("stdout").read_to_string(&mut said).expect("text");
    child.stderr.take().expect("stderr").read_to_string(&mut said).expect("text");
    (status.code(), said)
}

/// A message as it arrived.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) partition: u16,
    pub(crate) event: ChangeEvent,
}

/// Consumes every queue.
pub(crate) struct Reader {
    connection: Connection,
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
        Ok(Self { connection, channel, messages, arrived: Vec::new(), dead: Vec::new() })
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

    /// Closes the connection; consumers give their prefetched messages back.
    pub(crate) async fn close(self) {
        let _ = self.connection.close(200, "done".into()).await;
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

/// An address where nobody listens.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port")
}

/// What `/readyz` says, with its status line; nothing while nobody listens.
pub(crate) fn readyz(address: SocketAddr) -> String {
    get(address, "/readyz")
}

/// What is said to a GET, with its status line; nothing while nobody listens.
pub(crate) fn get(address: SocketAddr, path: &str) -> String {
    let mut said = String::new();
    if let Ok(mut stream) = TcpStream::connect(address) {
        let _ = write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let _ = stream.read_to_string(&mut said);
    }
    said
}

/// The text of a header.
pub(crate) fn header(delivery: &Delivery, name: &str) -> String {
    let headers = delivery.properties.headers().as_ref().expect("headers");
    match headers.inner().get(name) {
        Some(AMQPValue::LongString(text)) => String::from_utf8_lossy(text.as_bytes()).into_owned(),
        other => format!("{other:?}"),
    }
}

/// Polls until it holds.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
