//! `sweep` and `drop`: what is older is gone, for every document of a type in a partition.
//!
//! A type can have more documents than can be passed in the half hour that the broker waits for an acknowledgement. So a
//! barrier is passed in pages, and how far it has got is noted in the index once everything before is buried *and* its
//! stale chunks are deleted: a redelivery goes on from there. Behind that place nothing comes to be that needs another
//! visit: nothing newer in the queue is begun before the barrier is acknowledged, what a paused consumer still holds was
//! applied by its successor first, so that its compare-and-set fails, and chunks that it writes are found by the janitor.

use std::collections::{BTreeSet, VecDeque};

use futures_util::{StreamExt, TryStreamExt, stream};
use qdrant_client::qdrant::PointId;
use shared::index::GRACE;
use shared::{DocumentType, Identity, Revision};
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use crate::error::{PartitionError, StoreError};
use crate::patience::Rounds;
use crate::plan::tombstone;
use crate::store::{Passed, Standing, VectorStore};
use crate::sync::Synchronizer;
use crate::telemetry::stage;

/// Pages whose chunks wait for the grace while further ones are buried.
const WAITING: usize = 16;
/// Documents whose chunks are scrolled at once.
const SCROLLS: usize = 8;

/// A `sweep` or `drop` of one type in one partition. Everything before it in the partition is settled already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Barrier {
    /// Its message: the same in every delivery.
    pub id: Uuid,
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

/// A page that is buried and whose chunks are not all deleted yet.
struct Buried {
    stale: BTreeSet<Uuid>,
    /// When queries are over that began before.
    due: Instant,
    /// How far the barrier has got once they are deleted.
    passed: Passed,
}

impl<S: VectorStore> Synchronizer<S> {
    /// Raises the floor under documents without a record, then, page by page, buries every record that is older than the
    /// barrier, deletes its chunks after the grace, and notes the place.
    ///
    /// # Errors
    /// [`PartitionError`]: the barrier must not be acknowledged; passing it again is safe, and goes on where it was.
    /// [`StoreError::Interrupted`] between two pages where the consumer is to end.
    pub async fn pass(&self, barrier: Barrier) -> Result<(), PartitionError> {
        let Barrier { document_type, partition, .. } = barrier;
        let floor = barrier.tombstone_revision();
        self.patience().ask("raise floor", || self.store().raise_floor(document_type, partition, floor)).await?;
        let mut from: Option<PointId> = match self.reached(barrier).await? {
            Some(Passed::All) => return Ok(()),
            Some(Passed::UpTo(place)) => Some(place),
            None => None,
        };
        let mut waiting: VecDeque<Buried> = VecDeque::new();
        loop {
            let page = || self.store().recorded(document_type, partition, from.clone());
            let (identities, next) = self.patience().ask("list records", page).await?;
            let stale = self.bury(identities, barrier).await?;
            let passed = next.clone().map_or(Passed::All, Passed::UpTo);
            let due = if stale.is_empty() { Instant::now() } else { Instant::now() + GRACE };
            waiting.push_back(Buried { stale, due, passed });
            while let Some(oldest) = waiting
                .pop_front_if(|oldest| next.is_none() || oldest.due <= Instant::now() || self.patience().is_over())
            {
                self.complete(barrier, oldest).await?;
            }
            if next.is_none() {
                return Ok(());
            }
            if self.patience().is_over() {
                return Err(StoreError::Interrupted.into());
            }
            if waiting.len() >= WAITING
                && let Some(oldest) = waiting.pop_front()
            {
                self.complete(barrier, oldest).await?;
            }
            from = next;
        }
    }

    /// How far an earlier delivery has got.
    async fn reached(&self, barrier: Barrier) -> Result<Option<Passed>, StoreError> {
        let Barrier { document_type, partition, id, redelivered, .. } = barrier;
        if !redelivered {
            return Ok(None);
        }
        let reached = self.patience().ask("read place", || self.store().passed(document_type, partition, id)).await?;
        if reached.is_some() {
            tracing::info!(?reached, "an earlier delivery of this barrier got so far");
        }
        Ok(reached)
    }

    /// The place moves on behind the deletions, never before: a redelivery does not look behind it.
    async fn complete(&self, barrier: Barrier, Buried { stale, due, passed }: Buried) -> Result<(), StoreError> {
        let Barrier { document_type, partition, id, .. } = barrier;
        if !stale.is_empty() {
            let waiting = stage("grace");
            sleep_until(due).await;
            drop(waiting);
            let _deleting = stage("delete");
            self.delete(&stale).await?;
        }
        let note = || self.store().note_passed(document_type, partition, id, &passed);
        self.patience().ask("note place", note).await
    }

    /// Returns the chunks that are stale from now on.
    async fn bury(&self, identities: Vec<Identity>, barrier: Barrier) -> Result<BTreeSet<Uuid>, PartitionError> {
        let (mut stale, mut rounds) = (BTreeSet::new(), Rounds::default());
        let mut open = identities;
        while !open.is_empty() {
            rounds.next(self.patience()).await?;
            let reading = stage("read");
            let standings = self.read(open.iter()).await?;
            drop(reading);
            let (older, passed): (Vec<Identity>, Vec<Identity>) =
                open.into_iter().partition(|identity| is_older(&standings[identity], barrier));
            // Tombstones too: a first delivery may have buried a document and been killed before its chunks went.
            // And whoever meets a tombstone of this barrier in its first delivery was paused, and another is at work, which
            // may be killed before its deletions: the place that is noted here would keep the next one from them.
            let suspects = passed.iter().map(|identity| {
                let standing = &standings[identity];
                (identity, standing, barrier.redelivered || is_buried(standing, barrier))
            });
            stale.extend(self.leftovers_of(suspects).await?);
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
            let buried = || older.iter().filter(|id| after[id].revision() == barrier.tombstone_revision());
            for identity in buried() {
                stale.extend(standings[identity].listed().difference(&after[identity].listed()));
            }
            let suspects = buried().map(|identity| (identity, &after[identity], standings[identity].damaged));
            stale.extend(self.leftovers_of(suspects).await?);
            // Read once more: those buried have passed, those that lost their compare-and-set are judged again.
            open = if barrier.redelivered {
                older
            } else {
                older.into_iter().filter(|id| is_older(&after[id], barrier)).collect()
            };
        }
        Ok(stale)
    }

    /// As [`Self::leftovers`], of several documents at once.
    async fn leftovers_of<'a>(
        &self,
        suspects: impl Iterator<Item = (&'a Identity, &'a Standing, bool)>,
    ) -> Result<BTreeSet<Uuid>, StoreError> {
        let scrolls: Vec<_> = suspects
            .filter(|(.., suspected)| *suspected)
            .map(|(identity, standing, suspected)| self.leftovers(identity, standing, suspected))
            .collect();
        let found: Vec<BTreeSet<Uuid>> = stream::iter(scrolls).buffer_unordered(SCROLLS).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }
}

fn is_older(standing: &Standing, barrier: Barrier) -> bool {
    let is_there = standing.stored.is_some() || standing.damaged;
    is_there && standing.revision() < barrier.revision && !is_buried(standing, barrier)
}

/// Whether this barrier's tombstone stands.
fn is_buried(standing: &Standing, barrier: Barrier) -> bool {
    standing.stored.is_some() && standing.deleted && standing.revision() == barrier.tombstone_revision()
}
