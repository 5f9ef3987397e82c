//! A snapshot: the rows that a collection held at T0, relayed as events of revision T0. One of a whole type ends in a
//! sweep; one of a filter or of keys, which knows nothing of the rest, does not.

use bson::{DateTime, Timestamp};
use serde::{Deserialize, Serialize};
use shared::resync::{DocumentKey, ResyncRequest};
use shared::{DocumentType, Revision, RevisionOverflow};
use uuid::Uuid;

use crate::boundary::Boundary;

/// A snapshot of one collection, as it is stored until all of it is relayed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    /// Rows and sweep derive their ids from it.
    pub(crate) id: Uuid,
    /// The collection.
    #[serde(rename = "type")]
    pub(crate) document_type: DocumentType,
    /// operationTime of a majority write made for this snapshot: no other change has it, every change seen so far is
    /// older, and every read made causally after it sees at least what it saw.
    pub(crate) t0: Timestamp,
    /// Which rows.
    #[serde(default)]
    pub(crate) scope: Scope,
    /// About how many there are, where that is known.
    #[serde(default)]
    pub(crate) estimated: Option<u64>,
    /// How many of them are relayed.
    #[serde(default)]
    pub(crate) copied: Copied,
}

/// Which rows of the collection.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Scope {
    /// Every row; then a sweep.
    #[default]
    Whole,
    /// Those that match MongoDB's filter, as extended JSON.
    Filter(String),
    /// These, whose absence is told too.
    Keys(Vec<DocumentKey>),
}

/// Progress of a snapshot: everything up to here is confirmed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Copied {
    /// The last row, in the order of `_id`; none at the beginning, and for keys.
    #[serde(default)]
    pub(crate) after: Option<Boundary>,
    /// Rows so far; for keys, how many of them are done.
    #[serde(default)]
    pub(crate) rows: u64,
}

/// One snapshot among those in progress. (Those begun together once had one id.)
pub(crate) type SnapshotKey = (Uuid, DocumentType);

impl Snapshot {
    /// Nothing of it is copied yet.
    pub(crate) fn new(id: Uuid, document_type: DocumentType, t0: Timestamp, scope: Scope) -> Self {
        Self { id, document_type, t0, scope, estimated: None, copied: Copied::default() }
    }

    /// What was asked for.
    pub(crate) fn requested(request: &ResyncRequest, t0: Timestamp) -> Self {
        let scope = match (&request.keys, &request.filter) {
            (Some(keys), _) => Scope::Keys(keys.clone()),
            (None, Some(filter)) => Scope::Filter(filter.clone()),
            (None, None) => Scope::Whole,
        };
        Self::new(request.id, request.document_type, t0, scope)
    }

    /// The same rows, read anew as of another T0.
    pub(crate) fn again(self, t0: Timestamp) -> Self {
        Self { t0, copied: Copied::default(), ..self }
    }

    /// What tells it from others.
    pub(crate) fn key(&self) -> SnapshotKey {
        (self.id, self.document_type)
    }

    /// Whether every row of the type is among its rows.
    pub(crate) fn is_whole(&self) -> bool {
        self.scope == Scope::Whole
    }

    /// Whether its rows are to be applied although nothing changed.
    pub(crate) fn is_repair(&self) -> bool {
        matches!(self.scope, Scope::Keys(_))
    }

    /// About how many rows are left.
    pub(crate) fn left(&self) -> Option<u64> {
        self.estimated.map(|estimated| estimated.saturating_sub(self.copied.rows))
    }

    /// The revision of rows and sweep.
    pub(crate) fn revision(&self) -> Result<Revision, RevisionOverflow> {
        Revision::new(self.t0.time, self.t0.increment, 0)
    }

    /// T0 to the second.
    pub(crate) fn time(&self) -> DateTime {
        DateTime::from_millis(i64::from(self.t0.time) * 1000)
    }
}
