//! `sweep` and `drop`: what is older is gone, for every document of a type in a partition.

use std::collections::BTreeSet;

use shared::{DocumentType, Identity, Revision};
use uuid::Uuid;

use crate::error::{PartitionError, StoreError};
use crate::plan::tombstone;
use crate::store::{Standing, VectorStore};
use crate::sync::Synchronizer;
use crate::telemetry::stage;

/// A `sweep` or `drop` of one type in one partition. Everything before it in the partition is settled already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Barrier {
    /// Whose documents.
    pub document_type: DocumentType,
    /// In which partition.
    pub partition: u16,
    /// What is older than this is gone. Snapshot rows bear it and stay.
    pub revision: Revision,
    /// Whether an earlier attempt may have got half-way.
    pub redelivered: bool,
}

impl Barrier {
    /// Tombstones lie just below the barrier: a row of a snapshot at the barrier's own revision must still get past
    /// them (executions 11 and 18).
    fn tombstone_revision(&self) -> Revision {
        self.revision.before()
    }
}

impl<S: VectorStore> Synchronizer<S> {
    /// Buries every record that is older than the barrier, page by page, and raises the floor under documents without
    /// a record. Returns the chunks that are stale from now on.
    ///
    /// # Errors
    /// [`PartitionError`]: the barrier must not be acknowledged; passing it again is safe.
    pub async fn pass(&self, barrier: Barrier) -> Result<BTreeSet<Uuid>, PartitionError> {
        let Barrier { document_type, partition, .. } = barrier;
        let floor = barrier.tombstone_revision();
        self.patience().ask("raise floor", || self.store().raise_floor(document_type, partition, floor)).await?;
        let (mut stale, mut from) = (BTreeSet::new(), None);
        loop {
            let page = || self.store().recorded(document_type, partition, from.clone());
            let (identities, next) = self.patience().ask("list records", page).await?;
            stale.extend(self.bury(identities, barrier).await?);
            from = next;
            if from.is_none() {
                return Ok(stale);
            }
        }
    }

    async fn bury(&self, identities: Vec<Identity>, barrier: Barrier) -> Result<BTreeSet<Uuid>, PartitionError> {
        let mut stale = BTreeSet::new();
        let mut open = identities;
        while !open.is_empty() {
            let reading = stage("read");
            let standings = self.read(open.iter()).await?;
            drop(reading);
            let (older, passed): (Vec<Identity>, Vec<Identity>) =
                open.into_iter().partition(|identity| is_older(&standings[identity], barrier));
            // Tombstones too: a first delivery may have buried a document and been killed before its chunks went.
            for identity in passed {
                stale.extend(self.leftovers(&identity, &standings[&identity], barrier.redelivered).await?);
            }
            let swap =
                |identity: &Identity| tombstone(identity, barrier.tombstone_revision(), standings[identity].stored);
            let swaps =
                older.iter().map(swap).collect::<Result<Vec<_>, _>>().map_err(|_| StoreError::Damaged("record"))?;
            let writing = stage("write manifests");
            self.patience().ask("bury records", || self.store().swap(&swaps)).await?;
            drop(writing);
            let reading = stage("read back");
            let after = self.read(older.iter()).await?;
            drop(reading);
            for identity in &older {
                let (before, after) = (&standings[identity], &after[identity]);
                if after.revision() == barrier.tombstone_revision() {
                    stale.extend(before.listed().difference(&after.listed()));
                    stale.extend(self.leftovers(identity, after, before.damaged).await?);
                }
            }
            // Read once more: those buried have passed, those that lost their compare-and-set are judged again.
            open = if barrier.redelivered {
                older
            } else {
                older.into_iter().filter(|id| is_older(&after[id], barrier)).collect()
            };
        }
        Ok(stale)
    }
}

fn is_older(standing: &Standing, barrier: Barrier) -> bool {
    let buried = standing.deleted && standing.revision() == barrier.tombstone_revision();
    (standing.stored.is_some() || standing.damaged) && standing.revision() < barrier.revision && !buried
}
