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
    author_id: Option<String>,
    #[serde(default)]
    text: String,
}

impl Hit {
    /// Search always finds something near: only what is of this very sample counts.
    fn is_of(&self, sample: &Sample) -> bool {
        let id = sample.id.to_hex();
        if sample.is_author() {
            return self.author_id.as_deref() == Some(&id);
        }
        self.collection == sample.collection && self.entry_id == id
    }

    /// Of this sample as it is: with its marker.
    fn shows(&self, sample: &Sample) -> bool {
        self.is_of(sample) && (sample.is_author() || self.text.contains(&sample.marker))
    }
}

impl Search {
    pub(super) fn new(program: PathBuf, variables: BTreeMap<String, String>) -> Self {
        Self { program, variables }
    }

    /// Ok if the sample is among the first hits, as it is.
    pub(super) async fn finds(&self, sample: &Sample) -> Result<(), String> {
        let hits = self.hits(sample).await?;
        if hits.iter().any(|hit| hit.shows(sample)) { Ok(()) } else { Err(format!("not among {} hits", hits.len())) }
    }

    /// Ok if no hit shows the sample as it is; as something else it may be found.
    pub(super) async fn misses(&self, sample: &Sample) -> Result<(), String> {
        let hits = self.hits(sample).await?;
        if hits.iter().any(|hit| hit.shows(sample)) { Err("still found".to_owned()) } else { Ok(()) }
    }

    /// Ok if no hit is of the sample.
    pub(super) async fn forgets(&self, sample: &Sample) -> Result<(), String> {
        let hits = self.hits(sample).await?;
        if hits.iter().any(|hit| hit.is_of(sample)) { Err("still found".to_owned()) } else { Ok(()) }
    }

    async fn hits(&self, sample: &Sample) -> Result<Vec<Hit>, String> {
        let mut command = Command::new(&self.program);
        command
            .arg("search")
            .args(sample.question())
            .args(["--json", "--limit", "5"])
            .envs(&self.variables)
            .kill_on_drop(true);
        let output = command.output().await.map_err(|error| format!("{}: {error}", self.program.display()))?;
        if !output.status.success() {
            return Err(format!("retrieval search: {}", String::from_utf8_lossy(&output.stderr).trim()));
        }
        let lines = String::from_utf8_lossy(&output.stdout);
        let parsed = lines.lines().filter(|line| !line.trim().is_empty()).map(serde_json::from_str);
        parsed.collect::<Result<_, _>>().map_err(|error| format!("retrieval search --json: {error}"))
    }
}
