//! What was written, in order: the source of truth of a run, kept by the writer and by no code of the pipeline.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::document::{Content, Key};

/// What a write did to its document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// It was not there before.
    Insert,
    /// Some of it changed.
    Update,
    /// All of it changed.
    Replace,
    /// It is gone.
    Delete,
}

impl Act {
    /// Its name on the wire.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Replace => "replace",
            Self::Delete => "delete",
        }
    }
}

/// One write that MongoDB has acknowledged by a majority.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    /// What it did.
    pub(crate) act: Act,
    /// The document's version after it; of a delete, before it.
    pub(crate) version: i64,
}

/// A version that a reader may see from the moment at which its write was begun.
#[derive(Debug, Clone)]
pub(crate) struct Version {
    /// Its markers.
    pub(crate) markers: BTreeSet<String>,
    /// When it was acknowledged; none while it is being written.
    pub(crate) acknowledged: Option<Instant>,
}

/// All that is known of a run's writes.
#[derive(Debug, Default)]
pub(crate) struct Records {
    /// Acknowledged writes by document, in order. Only those since the producer runs.
    pub(crate) written: BTreeMap<Key, Vec<Written>>,
    /// What stands now.
    pub(crate) live: BTreeMap<Key, Content>,
    /// Every version of the long-lived documents.
    pub(crate) versions: BTreeMap<Key, Vec<Version>>,
    /// Markers that no longer stand anywhere.
    pub(crate) removed: Vec<String>,
    /// Acknowledged writes in all.
    pub(crate) count: u64,
}

/// Shared between the writer and those who check.
#[derive(Debug, Clone, Default)]
pub(crate) struct History(Arc<Mutex<Records>>);

impl History {
    /// The records, for a moment.
    pub(crate) fn records(&self) -> MutexGuard<'_, Records> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
