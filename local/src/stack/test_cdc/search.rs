//! What a reader sees: `retrieval search --json`, as a program.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use tokio::process::Command;

use super::sample::Sample;

#[derive(Debug)]
pub(super) struct Search {
    program: PathBuf,
    variables: BTreeMap<String, String>,
}

/// The fields of a hit that matter here.
#[derive(Debug, Deserialize)]
struct Hit {
    entry_id: String,
    #[serde(rename = "type")]
    collection: String,
    #[serde(default)]
    text: String,
}

impl Search {
    pub(super) fn new(program: PathBuf, variables: BTreeMap<String, String>) -> Self {
        Self { program, variables }
    }

    /// Ok if the sample is among the first hits, with its text.
    pub(super) async fn finds(&self, sample: &Sample) -> Result<(), String> {
        let hits = self.hits(&sample.marker).await?;
        let found = of(sample, &hits).any(|hit| hit.text.contains(&sample.marker));
        if found { Ok(()) } else { Err(format!("not among {} hits", hits.len())) }
    }

    /// Ok if no hit of the sample's document bears this text. Search always finds something near: only own hits count.
    pub(super) async fn lacks_text(&self, sample: &Sample) -> Result<(), String> {
        let hits = self.hits(&sample.marker).await?;
        let found = of(sample, &hits).any(|hit| hit.text.contains(&sample.marker));
        if found { Err("still found".to_owned()) } else { Ok(()) }
    }

    /// Ok if no hit is of the sample's document.
    pub(super) async fn lacks(&self, sample: &Sample) -> Result<(), String> {
        let hits = self.hits(&sample.marker).await?;
        if of(sample, &hits).next().is_some() { Err("still found".to_owned()) } else { Ok(()) }
    }

    async fn hits(&self, query: &str) -> Result<Vec<Hit>, String> {
        let mut command = Command::new(&self.program);
        command.args(["search", query, "--json", "--limit", "5"]).envs(&self.variables).kill_on_drop(true);
        let output = command.output().await.map_err(|error| format!("{}: {error}", self.program.display()))?;
        if !output.status.success() {
            return Err(format!("retrieval search: {}", String::from_utf8_lossy(&output.stderr).trim()));
        }
        let lines = String::from_utf8_lossy(&output.stdout);
        let parsed = lines.lines().filter(|line| !line.trim().is_empty()).map(serde_json::from_str);
        parsed.collect::<Result<_, _>>().map_err(|error| format!("retrieval search --json: {error}"))
    }
}

fn of<'a>(sample: &Sample, hits: &'a [Hit]) -> impl Iterator<Item = &'a Hit> {
    let (collection, id) = (sample.collection, sample.id.to_hex());
    hits.iter().filter(move |hit| hit.collection == collection && hit.entry_id == id)
}
