//! The janitor: looks after what is left behind by a consumer that was paused, woke up after another had taken over, and
//! died. No redelivery leads to that. Until it is gone readers ignore it.
//!
//! A chunk that is not listed by the record of its document, and is no newer than that record, is never listed again: a
//! change that brings it back gives it another id. So it may go, whoever else is at work, once the queries are over that
//! began before the record moved. Chunks of a document without a record are left alone: a change writes its chunks
//! first.
//!
//! A *tombstone* goes when its partition has acknowledged a change that is younger by `TOMBSTONE_DAYS`. The clock alone
//! would not do: after an outage of weeks a queue can hold what is older than any tombstone. But the producer publishes
//! in order and begins again no further back than it was confirmed, so that behind that change nothing older than the
//! tombstone comes any more; rows of a snapshot and repairs, letters that are replayed among them, bear a revision of
//! their own time.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use qdrant_client::qdrant::PointId;
use shared::index::GRACE;
use shared::shutdown::CancellationToken;
use shared::{DocumentType, Identity, Revision};
use uuid::Uuid;

use crate::error::StoreError;
use crate::holdings::{Holdings, Untidied};
use crate::store::{Standing, VectorStore};
use crate::sync::Synchronizer;
use crate::telemetry;

/// From one pass through a partition to the next.
const REST: Duration = Duration::from_secs(3600);
/// The same after a fault.
const RETRY: Duration = Duration::from_secs(300);
/// How much longer it rests after each page than it worked: it takes a hundredth of whatever it works with.
const GENTLENESS: u32 = 100;
/// Longest rest after a page, and after a fault.
const PAUSE: Duration = Duration::from_secs(30);

const TYPES: [DocumentType; 4] =
    [DocumentType::Users, DocumentType::Articles, DocumentType::Posts, DocumentType::Repositories];

/// Goes through the partitions held, each when it is taken and from time to time, until `shutdown`.
pub(crate) async fn run<S: VectorStore>(
    synchronizer: Arc<Synchronizer<S>>,
    holdings: Arc<Holdings>,
    tombstones: Duration,
    shutdown: CancellationToken,
) {
    let work = async {
        loop {
            match holdings.untidied() {
                Some(untidied) => {
                    let Untidied { partition, reached, .. } = untidied;
                    let tidied = tidy_partition(&synchronizer, partition, reached, tombstones).await;
                    let rest = if tidied.is_ok() { REST } else { RETRY };
                    holdings.tidied(untidied, rest);
                    if let Err(error) = tidied {
                        tracing::warn!(%error, partition, "not tidied, the janitor comes again later");
                        tokio::time::sleep(PAUSE).await;
                    }
                }
                None => tokio::select! { () = holdings.taken() => {}, () = tokio::time::sleep(PAUSE) => {} },
            }
        }
    };
    tokio::select! { () = work => {}, () = shutdown.cancelled() => {} }
}

async fn tidy_partition<S: VectorStore>(
    synchronizer: &Synchronizer<S>,
    partition: u16,
    reached: Revision,
    tombstones: Duration,
) -> Result<(), StoreError> {
    let expired = Expired { reached, after: tombstones };
    for document_type in TYPES {
        let mut from = None;
        loop {
            let begun = Instant::now();
            from = synchronizer.tidy(document_type, partition, from, expired).await?;
            tokio::time::sleep((begun.elapsed() * GENTLENESS).min(PAUSE)).await;
            if from.is_none() {
                break;
            }
        }
    }
    Ok(())
}

/// Which tombstones may go.
#[derive(Debug, Clone, Copy)]
pub struct Expired {
    /// The youngest change that the partition has acknowledged.
    pub reached: Revision,
    /// How much older a tombstone is that may go.
    pub after: Duration,
}

impl Expired {
    fn has(self, tombstone: Revision) -> bool {
        let seconds = i64::try_from(self.after.as_secs()).unwrap_or(i64::MAX);
        tombstone.seconds().saturating_add(seconds) < self.reached.seconds()
    }
}

impl<S: VectorStore> Synchronizer<S> {
    /// Tidies one page of a partition's documents. Returns where the next one begins.
    ///
    /// # Errors
    /// [`StoreError`], at the first fault: a pass is begun again, and nothing waits for it.
    pub async fn tidy(
        &self,
        document_type: DocumentType,
        partition: u16,
        from: Option<PointId>,
        expired: Expired,
    ) -> Result<Option<PointId>, StoreError> {
        let (identities, next) = self.store().recorded(document_type, partition, from).await?;
        let standings = self.store().standings(&identities).await?;
        let (mut suspects, mut tombstones) = (Vec::new(), Vec::new());
        for (identity, standing) in standings {
            let orphans = self.orphans(&identity, &standing).await?;
            if !orphans.is_empty() {
                suspects.push((identity.clone(), orphans));
            }
            if let Some(revision) = standing.stored.filter(|revision| standing.deleted && expired.has(*revision)) {
                tombstones.push((identity, revision));
            }
        }
        let orphans = self.delete_orphans(suspects).await?;
        telemetry::tidied(identities.len(), orphans);
        self.purge(&tombstones).await?;
        Ok(next)
    }

    /// What the index holds of a document and its record, read before, does not list.
    async fn orphans(&self, identity: &Identity, standing: &Standing) -> Result<BTreeSet<Uuid>, StoreError> {
        if standing.stored.is_none() || standing.damaged || identity.document_type == DocumentType::Users {
            return Ok(BTreeSet::new());
        }
        Ok(standing.unlisted(self.store().chunks_of(identity).await?))
    }

    /// Deletes them after the grace, unless a record has come to list them: one that was damaged meanwhile, and put in
    /// place again at its own revision, can. Returns how many.
    async fn delete_orphans(&self, suspects: Vec<(Identity, BTreeSet<Uuid>)>) -> Result<usize, StoreError> {
        if suspects.is_empty() {
            return Ok(0);
        }
        tokio::time::sleep(GRACE).await;
        let identities: Vec<Identity> = suspects.iter().map(|(identity, _)| identity.clone()).collect();
        let standings = self.store().standings(&identities).await?;
        let mut orphans = Vec::new();
        for (identity, unlisted) in suspects {
            let standing = &standings[&identity];
            if !standing.damaged {
                orphans.extend(unlisted.difference(&standing.listed()));
            }
        }
        self.store().delete_chunks(&orphans).await?;
        tracing::info!(chunks = orphans.len(), documents = identities.len(), "orphaned chunks deleted");
        Ok(orphans.len())
    }

    /// Removes tombstones that are still what was read.
    async fn purge(&self, tombstones: &[(Identity, Revision)]) -> Result<(), StoreError> {
        if tombstones.is_empty() {
            return Ok(());
        }
        self.store().purge(tombstones).await?;
        tracing::info!(tombstones = tombstones.len(), "old tombstones purged");
        telemetry::purged(tombstones.len());
        Ok(())
    }
}
