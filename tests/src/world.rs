//! A world for one test: a database, a virtual host, a Qdrant, a producer and a consumer.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use local::Program;
use mongodb::{Client, Database};
use serde_json::Value;
use uuid::Uuid;

use crate::audit::{Audit, audit};
use crate::deadline::eventually;
use crate::servers::{TestQdrant, embedding_environment, mongodb, qdrant, rabbitmq};

/// Partitions in tests: several, so that order across them is never relied on by accident.
const PARTITIONS: u16 = 3;

/// Everything that one test runs on.
pub struct World {
    /// The watched database.
    pub database: Database,
    /// The store.
    pub qdrant: TestQdrant,
    /// AMQP URI of the test's virtual host.
    pub rabbitmq_uri: String,
    /// The producer, started by [`World::start`].
    pub producer: Program,
    /// The consumer, started by [`World::start`].
    pub consumer: Program,
    environment: Vec<(&'static str, String)>,
}

impl World {
    /// Servers and programs, the programs not started yet.
    ///
    /// # Panics
    /// Where a server cannot be started.
    pub async fn new() -> Self {
        let name = format!("test-{}", Uuid::new_v4().simple());
        let mongodb_uri = mongodb().await.uri().to_owned();
        let rabbitmq_uri = rabbitmq().await.create_vhost(&name).await.expect("a virtual host");
        let qdrant = qdrant().await;
        let client = Client::with_uri_str(&mongodb_uri).await.expect("a client");
        let mut environment = vec![
            ("MONGODB_URI", mongodb_uri),
            ("MONGODB_DATABASE", name.clone()),
            ("RABBITMQ_URI", rabbitmq_uri.clone()),
            ("QDRANT_URL", qdrant.url()),
            ("PARTITIONS", PARTITIONS.to_string()),
            ("RUST_LOG", "info".into()),
            ("EMBEDDING_THREADS", "1".into()),
            ("PRODUCER_HTTP_LISTEN", "127.0.0.1:0".into()),
            ("CONSUMER_HTTP_LISTEN", "127.0.0.1:0".into()),
        ];
        environment.extend(embedding_environment().await);
        let program = |name: &str| Program::new(&binary(name), &["run"], environment.clone()).expect("a program");
        let (producer, consumer) = (program("producer"), program("consumer"));
        Self { database: client.database(&name), qdrant, rabbitmq_uri, producer, consumer, environment }
    }

    /// A world whose producer and consumer run.
    pub async fn started() -> Self {
        let mut world = Self::new().await;
        world.start();
        world
    }

    /// Starts producer and consumer.
    ///
    /// # Panics
    /// Where a program cannot be started.
    pub fn start(&mut self) {
        self.producer.start().expect("producer starts");
        self.consumer.start().expect("consumer starts");
    }

    /// The programs' settings.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        self.environment.clone()
    }

    /// `retrieval search QUERY --json` with more arguments, as an application would run it: its hits.
    ///
    /// # Errors
    /// It ended with another code than 0.
    pub async fn search(&self, query: &str, more: &[&str]) -> Result<Vec<Value>> {
        let arguments = [&["search", query, "--json"], more].concat();
        let (program, environment) = (binary("retrieval"), self.environment.clone());
        let arguments: Vec<String> = arguments.into_iter().map(str::to_owned).collect();
        let output = tokio::task::spawn_blocking(move || {
            Command::new(program).args(arguments).env_clear().envs(environment).output()
        })
        .await??;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "retrieval ended with {}: {errors}", output.status);
        let lines = String::from_utf8(output.stdout)?;
        lines.lines().map(|line| serde_json::from_str(line).context("a line of --json")).collect()
    }

    /// Waits until the best hits of `query` hold a chunk with `marker` of this document.
    pub async fn until_found(&self, query: &str, entry_id: &str, marker: &str) {
        eventually(&format!("`{query}` finds {marker} in {entry_id}\n{}", self.logs()), || async {
            let hits = self.search(query, &["--limit", "20", "--per-document", "20"]).await?;
            let has = |hit: &Value| hit["entry_id"] == entry_id && text(hit).contains(marker);
            ensure!(hits.iter().any(has), "hits: {hits:#?}");
            Ok::<_, anyhow::Error>(())
        })
        .await;
    }

    /// Waits until no hit of `query` is of this document and bears `marker`.
    pub async fn until_not_found(&self, query: &str, entry_id: &str, marker: &str) {
        eventually(&format!("`{query}` no longer finds {marker} in {entry_id}"), || async {
            let hits = self.search(query, &["--limit", "20", "--per-document", "20"]).await?;
            let has = |hit: &Value| hit["entry_id"] == entry_id && text(hit).contains(marker);
            ensure!(!hits.iter().any(has), "hits: {hits:#?}");
            Ok::<_, anyhow::Error>(())
        })
        .await;
    }

    /// What source and index hold now.
    ///
    /// # Errors
    /// As [`audit`].
    pub async fn audit(&self) -> Result<Audit> {
        audit(&self.database, &self.qdrant.client()).await
    }

    /// The programs' last lines, for a failing test's message.
    pub fn logs(&self) -> String {
        format!("--- producer\n{}\n--- consumer\n{}", self.producer.log_tail(), self.consumer.log_tail())
    }

    /// Stops both programs in order.
    ///
    /// # Panics
    /// Where one does not end by itself.
    pub async fn stop(&mut self) {
        let grace = Duration::from_secs(30);
        assert!(self.producer.terminate(grace).await.expect("producer ends"), "producer drains");
        assert!(self.consumer.terminate(grace).await.expect("consumer ends"), "consumer drains");
    }
}

fn text(hit: &Value) -> &str {
    hit["text"].as_str().unwrap_or_default()
}

/// A program of this workspace, built beside the tests.
///
/// # Panics
/// Where it was not built: `make test` builds it.
pub fn binary(name: &str) -> PathBuf {
    let built = programs().join(name);
    assert!(built.exists(), "{} is missing: run `make test`, which builds the programs first", built.display());
    built
}

/// The folder of the built programs. A test runs in `deps` below it.
///
/// # Panics
/// Where this program has no path.
pub fn programs() -> PathBuf {
    let this = std::env::current_exe().expect("this program's path");
    let folder = this.parent().expect("a program is in a folder");
    if folder.ends_with("deps") { folder.parent().expect("target/debug").to_owned() } else { folder.to_owned() }
}
