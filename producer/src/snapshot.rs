//! A snapshot: the rows that a collection held at T0, relayed as events of revision T0, ended by a sweep.

use bson::{DateTime, Timestamp};
use serde::{Deserialize, Serialize};
use shared::{DocumentType, Revision, RevisionOverflow};
use uuid::Uuid;

/// A snapshot of one collection, as it is stored while it is not yet swept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    /// Rows and sweep derive their ids from it.
    pub(crate) id: Uuid,
    /// The collection.
    #[serde(rename = "type")]
    pub(crate) document_type: DocumentType,
    /// operationTime of a majority write made for this snapshot: no other change has it, every change seen so far is
    /// older, and every read made causally after it sees at least what it saw.
    pub(crate) t0: Timestamp,
}

impl Snapshot {
    /// The revision of rows and sweep.
    pub(crate) fn revision(&self) -> Result<Revision, RevisionOverflow> {
        Revision::new(self.t0.time, self.t0.increment, 0)
    }

    /// T0 to the second.
    pub(crate) fn time(&self) -> DateTime {
        DateTime::from_millis(i64::from(self.t0.time) * 1000)
    }
}
