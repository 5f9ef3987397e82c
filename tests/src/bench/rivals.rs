//! The rivals in Python, in `tests/bench`: how the same is done without this system.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Result, ensure};
use bson::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::process::Command;

use super::site::{Bench, Site};

/// What the relay of tutorials reports.
#[derive(Debug, Deserialize)]
pub(super) struct Relayed {
    pub(super) events: usize,
    pub(super) seconds: f64,
}

/// What the plain indexer reports.
#[derive(Debug, Deserialize)]
pub(super) struct Indexed {
    pub(super) documents: usize,
    pub(super) chunks: usize,
    pub(super) tokens: usize,
    pub(super) memory_bytes: f64,
    pub(super) seconds: f64,
    pub(super) cpu_seconds: f64,
}

/// The tutorial way to relay so many events of `posts`.
pub(super) async fn relay(bench: &Bench, site: &Site, from: Timestamp, events: usize) -> Result<Relayed> {
    let (time, increment) = (from.time.to_string(), from.increment.to_string());
    let arguments = [
        bench.mongodb.uri(),
        site.database.name(),
        "posts",
        &time,
        &increment,
        &events.to_string(),
        &site.rabbitmq_uri,
        "tutorial",
    ]
    .map(str::to_owned);
    let relayed: Relayed = run(bench, "relay.py", &arguments).await?;
    ensure!(relayed.events == events, "the tutorial relay ended early: {relayed:?}");
    Ok(relayed)
}

/// The plain way to index the documents of a file.
pub(super) async fn index(bench: &Bench, site: &Site, documents: &Path) -> Result<Indexed> {
    let port = site.qdrant.port().to_string();
    let arguments = [bench.installation.model.as_os_str(), OsStr::new(&port), documents.as_os_str()];
    run(bench, "index.py", &arguments).await
}

async fn run<T: DeserializeOwned>(bench: &Bench, program: &str, arguments: &[impl AsRef<OsStr>]) -> Result<T> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench").join(program);
    let mut command = Command::new(&bench.installation.python);
    command.arg(&program).args(arguments).env("PYTHONPATH", &bench.packages).env("PYTHONDONTWRITEBYTECODE", "1");
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{} ended with {}: {errors}", program.display(), output.status);
    Ok(serde_json::from_slice(&output.stdout)?)
}
