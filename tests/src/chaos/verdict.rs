//! The end of a run: the source against the history, the index against the source, every marker where it belongs.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};
use mongodb::Database;
use retrieval::{Query, Searcher};
use serde_json::Value;

use super::document::Key;
use super::history::History;
use super::words::markers;
use crate::audit::{Audit, audit};

/// Removed markers that are searched for; all of them are looked for in the chunks.
const REMOVED: usize = 100;

/// One look at everything.
///
/// # Errors
/// The first difference; while the pipeline is still at work there is one.
pub(crate) async fn equal(database: &Database, qdrant: &qdrant_client::Qdrant, history: &History) -> Result<Audit> {
    let audit = audit(database, qdrant).await?;
    let expected: BTreeMap<String, BTreeSet<String>> =
        history.records().live.iter().map(|(key, content)| (key.to_string(), content.markers())).collect();
    let source: BTreeSet<&String> = audit.documents.iter().collect();
    let oracle: BTreeSet<&String> = expected.keys().collect();
    let differing: Vec<_> = source.symmetric_difference(&oracle).collect();
    ensure!(differing.is_empty(), "MongoDB is not what was written: {differing:?}");
    audit.equal()?;
    for (name, manifest) in &audit.live {
        let text = manifest["cleaned_text"].as_str().unwrap_or_default();
        same(name, "its manifest's text", markers(text), &expected[name])?;
    }
    let mut chunks: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for chunk in audit.chunks.values() {
        chunks.entry(name(chunk)).or_default().extend(markers(chunk["text"].as_str().unwrap_or_default()));
    }
    for (name, expected) in &expected {
        same(name, "its chunks", chunks.remove(name).unwrap_or_default().into_iter(), expected)?;
    }
    ensure!(chunks.is_empty(), "chunks of documents that are gone: {:?}", chunks.keys());
    Ok(audit)
}

fn same<'a>(name: &str, place: &str, found: impl Iterator<Item = &'a str>, expected: &BTreeSet<String>) -> Result<()> {
    let found: BTreeSet<String> = found.map(str::to_owned).collect();
    ensure!(found == *expected, "{name}: {place} bears {found:?} instead of {expected:?}");
    Ok(())
}

fn name(payload: &Value) -> String {
    let text = |field: &str| payload[field].as_str().unwrap_or_default();
    format!("{}/{}/{}", text("type"), text("id_kind"), text("entry_id"))
}

/// Searches for every marker that stands and for many that do not. Returns how many questions it asked.
///
/// # Errors
/// The first that is not found, or should not have been.
pub(crate) async fn findable(searcher: &Searcher, history: &History) -> Result<usize> {
    let standing: Vec<(Key, String)> = history
        .records()
        .live
        .iter()
        .flat_map(|(key, content)| content.markers().into_iter().map(|marker| (key.clone(), marker)))
        .collect();
    let removed: Vec<String> = history.records().removed.iter().rev().take(REMOVED).cloned().collect();
    for (key, marker) in &standing {
        let query = Query { limit: 5, per_document: 5, ..Query::new(marker) };
        let hits = searcher.search(&query).await?;
        ensure!(hits.iter().any(|hit| hit.chunk.text.contains(marker.as_str())), "{key}: {marker} is not found");
    }
    for marker in &removed {
        let query = Query { limit: 5, per_document: 5, ..Query::new(marker) };
        let hits = searcher.search(&query).await?;
        ensure!(!hits.iter().any(|hit| hit.chunk.text.contains(marker.as_str())), "{marker} was removed and is found");
    }
    Ok(standing.len() + removed.len())
}
