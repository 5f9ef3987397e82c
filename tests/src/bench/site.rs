//! What all parts of a run stand on: servers of its own, our programs, the rivals' packages.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bson::{Document, doc};
use local::{Installation, MongoDb, MongoDbOptions, Progress, Qdrant, RabbitMq, Step};
use mongodb::{Client, Collection, Database};
use shared::settings::EmbeddingSettings;
use uuid::Uuid;

use crate::service::Service;

/// As the programs' own default.
pub(super) const PARTITIONS: u16 = 8;

/// Times that everything compared is run, in turn.
pub(super) const ROUNDS: usize = 3;

const BEGUN_WITHIN: Duration = Duration::from_secs(30);

/// A run: MongoDB and RabbitMQ, started once.
pub struct Bench {
    pub(super) installation: Installation,
    pub(super) mongodb: MongoDb,
    pub(super) rabbitmq: RabbitMq,
    pub(super) client: Client,
    /// `PYTHONPATH` of the rivals.
    pub(super) packages: PathBuf,
    /// Embedding threads of every side.
    pub(super) threads: usize,
    /// Real documents to index instead of made-up ones.
    pub(super) data: Option<PathBuf>,
    scale: f64,
    progress: Progress,
}

impl Bench {
    /// Fetches what is missing and starts the servers. `scale` multiplies all amounts.
    ///
    /// # Errors
    /// As provisioning and the servers.
    pub async fn start(scale: f64, data: Option<PathBuf>) -> Result<Self> {
        let (progress, cache) = (Progress::stderr(), local::default_cache());
        let installation = local::provision(&cache, &progress).await?;
        let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/requirements.txt");
        let packages = local::python_packages(&cache, "packages of the rivals", &requirements, &progress).await?;
        let step = progress.step("servers");
        // No oplog entry may be lost while a round is read again.
        let options = MongoDbOptions { oplog_megabytes: 2048, ..MongoDbOptions::default() };
        let (mongodb, rabbitmq) =
            tokio::try_join!(MongoDb::start(&installation, options), RabbitMq::start(&installation))?;
        step.done("ready");
        let client = Client::with_uri_str(mongodb.uri()).await?;
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(4);
        Ok(Self { installation, mongodb, rabbitmq, client, packages, threads, data, scale, progress })
    }

    /// So many of something, less at a smaller scale.
    pub(super) fn amount(&self, full: usize) -> usize {
        ((full as f64 * self.scale).round() as usize).max(8)
    }

    /// Shows that something begins.
    pub(super) fn step(&self, what: &str) -> Step {
        self.progress.step(what)
    }

    /// An empty database, an empty virtual host and an empty Qdrant.
    pub(super) async fn site(&self) -> Result<Site> {
        let name = format!("bench-{}", Uuid::new_v4().simple());
        let qdrant = Qdrant::start(&self.installation).await?;
        let rabbitmq_uri = self.rabbitmq.create_vhost(&name).await?;
        let database = self.client.database(&name);
        let environment = vec![
            ("MONGODB_URI", self.mongodb.uri().to_owned()),
            ("MONGODB_DATABASE", name.clone()),
            ("RABBITMQ_URI", rabbitmq_uri.clone()),
            ("QDRANT_URL", qdrant.uri().to_owned()),
            ("PARTITIONS", PARTITIONS.to_string()),
            ("RUST_LOG", "warn".into()),
            ("EMBEDDING_THREADS", self.threads.to_string()),
            ("EMBEDDING_MODEL_DIR", self.installation.model.display().to_string()),
            ("ORT_DYLIB_PATH", self.installation.onnxruntime.display().to_string()),
        ];
        Ok(Site { name, database, rabbitmq_uri, qdrant, environment })
    }

    /// Removes what a site has left on the shared servers.
    pub(super) async fn clear(&self, site: Site) -> Result<()> {
        site.database.drop().await?;
        Ok(self.rabbitmq.delete_vhost(&site.name).await?)
    }

    /// The settings of the model, as our programs get them.
    pub(super) fn embedding(&self) -> EmbeddingSettings {
        EmbeddingSettings {
            embedding_model: "all-MiniLM-L6-v2".into(),
            embedding_model_dir: Some(self.installation.model.clone()),
            ort_dylib_path: Some(self.installation.onnxruntime.clone()),
        }
    }

    /// The processes of MongoDB and the broker.
    pub(super) fn server_pids(&self) -> Result<[u32; 2]> {
        Ok([self.mongodb.pid().context("mongod runs")?, self.rabbitmq.pid().context("rabbitmq runs")?])
    }
}

/// A place of its own for one measurement.
pub(super) struct Site {
    name: String,
    pub(super) database: Database,
    pub(super) rabbitmq_uri: String,
    pub(super) qdrant: Qdrant,
    environment: Vec<(&'static str, String)>,
}

impl Site {
    /// The producer for this site, with more settings.
    pub(super) fn producer(&self, more: &[(&'static str, &str)]) -> Result<Service> {
        let more = more.iter().map(|(name, value)| (*name, (*value).to_owned()));
        let environment: Vec<_> = self.environment.iter().cloned().chain(more).collect();
        Service::new("producer", &environment)
    }

    /// The consumer for this site.
    pub(super) fn consumer(&self) -> Result<Service> {
        Service::new("consumer", &self.environment)
    }

    /// The producers' checkpoints.
    pub(super) fn checkpoints(&self) -> Collection<Document> {
        self.database.client().database("twin_cdc").collection("checkpoints")
    }

    /// Waits until the producer has stored where it begins: what is committed from then on is relayed. (It calls itself ready before, as a standby.)
    pub(super) async fn beginning(&self) -> Result<Document> {
        let begun = Instant::now();
        loop {
            let stored = doc! {"_id": self.database.name(), "saved_at": {"$exists": true}};
            if let Some(checkpoint) = self.checkpoints().find_one(stored).await? {
                return Ok(checkpoint);
            }
            ensure!(begun.elapsed() < BEGUN_WITHIN, "the producer stores no checkpoint");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// A client of its Qdrant.
    pub(super) fn qdrant_client(&self) -> Result<qdrant_client::Qdrant> {
        Ok(qdrant_client::Qdrant::from_url(self.qdrant.uri()).skip_compatibility_check().build()?)
    }
}
