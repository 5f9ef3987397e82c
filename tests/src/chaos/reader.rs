//! The reader: searches all the while for documents that are changed and never deleted. Each must be there, in exactly
//! one of its versions.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use retrieval::{Hit, Query, Searcher};
use tokio::time::{sleep, timeout};

use super::document::Key;
use super::history::{History, Version};
use super::words::markers;

/// Between two questions.
const PAUSE: Duration = Duration::from_millis(60);
/// An answer that takes longer counts as none: a server is paused.
const PATIENCE: Duration = Duration::from_secs(20);
/// More chunks than any document of the harness has.
const ALL_CHUNKS: usize = 64;

/// What the reader saw.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sightings {
    /// Questions that were answered.
    pub(crate) answered: u64,
    /// Questions that were not, because a server was away.
    pub(crate) unanswered: u64,
    /// What was wrong, a line each.
    pub(crate) faults: Vec<String>,
    /// When a version was seen, and how long the next one had been acknowledged by then: how stale the answer was.
    pub(crate) staleness: Vec<(Instant, Duration)>,
}

/// Reads in the background until it is dropped.
pub(crate) struct Reader {
    sightings: Arc<Mutex<Sightings>>,
    reading: tokio::task::JoinHandle<()>,
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

impl Reader {
    /// Begins to search. Every long-lived document must be searchable already.
    pub(crate) fn start(searcher: Arc<Searcher>, history: History) -> Self {
        let sightings = Arc::new(Mutex::new(Sightings::default()));
        let reading = tokio::spawn(read(searcher, history, Arc::clone(&sightings)));
        Self { sightings, reading }
    }

    /// What was seen so far.
    pub(crate) fn sightings(&self) -> Sightings {
        self.sightings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn read(searcher: Arc<Searcher>, history: History, sightings: Arc<Mutex<Sightings>>) {
    loop {
        let watched: Vec<Key> = history.records().versions.keys().cloned().collect();
        for key in watched {
            let topic = history.records().live[&key].topic.clone();
            let query = Query { limit: ALL_CHUNKS, per_document: ALL_CHUNKS, ..Query::new(&topic) };
            let asked = Instant::now();
            let answer = timeout(PATIENCE, searcher.search(&query)).await;
            let versions = history.records().versions[&key].clone();
            {
                let mut sightings = sightings.lock().unwrap_or_else(PoisonError::into_inner);
                match answer {
                    Ok(Ok(hits)) => sightings.judge(&key, &hits, &versions, asked),
                    Ok(Err(_)) | Err(_) => sightings.unanswered += 1,
                }
            }
            sleep(PAUSE).await;
        }
    }
}

impl Sightings {
    fn judge(&mut self, key: &Key, hits: &[Hit], versions: &[Version], asked: Instant) {
        self.answered += 1;
        let name = key.to_string();
        let of_key = |hit: &&Hit| {
            let identity = &hit.chunk.identity;
            format!("{}/{}/{}", identity.document_type, identity.id_kind.as_str(), identity.entry_id) == name
        };
        let hits: Vec<&Hit> = hits.iter().filter(of_key).collect();
        if hits.is_empty() {
            let since = versions.iter().rev().find_map(|version| version.acknowledged).map(|since| since.elapsed());
            let took = asked.elapsed();
            self.faults.push(format!("{name} is absent; asked {took:?} ago, last written {since:?} ago"));
            return;
        }
        let revisions: BTreeSet<i64> = hits.iter().map(|hit| hit.revision.get()).collect();
        let seen: BTreeSet<String> = hits.iter().flat_map(|hit| markers(&hit.chunk.text)).map(str::to_owned).collect();
        let matching = versions.iter().rposition(|version| seen.is_subset(&version.markers));
        match (matching, revisions.len()) {
            (Some(place), 1) => {
                let next = versions.get(place + 1).and_then(|next| next.acknowledged);
                let now = Instant::now();
                self.staleness.push((now, next.map_or(Duration::ZERO, |since| now - since)));
            }
            _ => self.faults.push(format!("{name} is mixed: revisions {revisions:?}, markers {seen:?}")),
        }
    }
}
