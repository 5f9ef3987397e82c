//! A relay to put on the bench: its own database and virtual host on servers that all tests of this process share.

use std::process::Command;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bson::{RawArrayBuf, RawDocumentBuf, rawdoc};
use local::{Installation, MongoDb, MongoDbOptions, Progress, RabbitMq};
use mongodb::bson::{Document, doc};
use mongodb::{Client, Collection, Database};

use crate::process::Producer;
use crate::reader::Reader;

/// The number of partitions in these tests.
pub(crate) const PARTITIONS: u16 = 4;

/// The servers that the tests of this process share. They end with it.
struct Servers {
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
            Servers { mongodb, rabbitmq }
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
